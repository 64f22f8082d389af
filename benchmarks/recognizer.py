"""dlib's own recogniser against its network in torch: seconds a face and the largest difference, in one run.

    python benchmarks/recognizer.py

Chips are cut from the two public-domain portraits that dependencies ship, at many crops and brightnesses.
"""

import time
from pathlib import Path

import cv2
import dlib
import matplotlib
import numpy as np
import skimage.data
import torch

from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.models import RECOGNIZER, model_path
from deid_audit.vision.recognizer import Recognizer

CHIPS = 32


def chips(recognizer: Recognizer) -> list[np.ndarray]:
    """CHIPS different face chips uint8 (150, 150, 3)."""
    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    portraits = (cv2.imread(str(hopper))[:, :, ::-1].copy(), skimage.data.astronaut())
    detector = MediaPipeDetector()
    found: list[np.ndarray] = []
    for number in range(CHIPS):
        picture = portraits[number % 2]
        scale, gain = 0.6 + 0.03 * number, 0.7 + 0.02 * number
        picture = np.clip(cv2.resize(picture, None, fx=scale, fy=scale) * gain, 0, 255).astype(np.uint8)
        chip = recognizer.chip(picture, detector.detect(picture).boxes_xyxy[0], None)
        assert chip is not None
        found.append(chip)
    return found


def main() -> None:
    ours = Recognizer()
    theirs = dlib.face_recognition_model_v1(str(model_path(RECOGNIZER)))
    faces = chips(ours)
    ours.describe(faces[:4])  # warm
    started = time.perf_counter()
    expected = np.array([theirs.compute_face_descriptor(face) for face in faces])
    dlib_seconds = (time.perf_counter() - started) / len(faces)
    print(f"torch threads {torch.get_num_threads()}, {len(faces)} faces")
    print(f"dlib            {dlib_seconds:.4f} s a face")
    for batch in (1, 8, 16):
        started = time.perf_counter()
        rows = [ours.describe(faces[start : start + batch]) for start in range(0, len(faces), batch)]
        seconds = (time.perf_counter() - started) / len(faces)
        difference = np.abs(np.concatenate(rows) - expected).max()
        ratio = dlib_seconds / seconds
        print(f"torch, batch {batch:2} {seconds:.4f} s a face, {ratio:.0f} times sooner, off by {difference:.1e}")


if __name__ == "__main__":
    main()
