"""Runs an installed OpenPose on the frames of one rendition, without a frame ever becoming a file.

Frames are handed over as an uncompressed film (YUV4MPEG2) in anonymous memory, a bounded stretch at a time; keypoints
come back as JSON files in a folder that is removed, in memory where the machine has /dev/shm. Linux only.
"""

import os
import subprocess
import tempfile
from pathlib import Path

import cv2
import numpy as np

from deid_audit.digests import sha256_file
from deid_audit.errors import SettingsError, StageError, VideoError
from deid_audit.findings import Of
from deid_audit.frames import Float, Image
from deid_audit.vision.keypoint_detectors import Found, KeypointDetector, KeypointTraits, Window
from deid_audit.vision.openpose import (
    AREA_WORDS,
    FOLLOW_WORDS,
    VISIBLE_CONFIDENCE,
    People,
    follow_subject,
    read_folder,
)

STRETCH_BYTES = 256_000_000
_SHARED_MEMORY = Path("/dev/shm")
_NEXT = (
    "run it once by hand on a video (--write_json DIR --display 0 --render_pose 0 --model_pose BODY_25) and see what "
    "it says; or give its files with --keypoints openpose-json"
)
# RGB to Y'CbCr of limited range (ITU-R BT.601), which is how a YUV4MPEG2 film is read
_TO_YUV = np.array(
    [
        [65.481 / 255, 128.553 / 255, 24.966 / 255, 16],
        [-37.797 / 255, -74.203 / 255, 112 / 255, 128],
        [112 / 255, -93.786 / 255, -18.214 / 255, 128],
    ]
)


class OpenPoseProgram:
    """Backend: an OpenPose binary, run with BODY_25 on every rendition.

    Raises:
        SettingsError: `binary` is not a program.
    """

    def __init__(self, binary: Path, *, stretch_bytes: int = STRETCH_BYTES) -> None:
        self._binary = binary.resolve()
        self._stretch_bytes = stretch_bytes
        if not self._binary.is_file() or not os.access(self._binary, os.X_OK):
            raise SettingsError(
                "--keypoints openpose:PATH names no program that can be run",
                next_step="give the path of OpenPose's own program, such as build/examples/openpose/openpose.bin",
            )
        self.traits = KeypointTraits(
            method=f"OpenPose BODY_25, run frame by frame, COCO-17; {AREA_WORDS}",
            text=(
                "Keypoints: OpenPose (BODY_25, no smoothing over time) on original, released, masked, blurred and "
                "pixelated video and on the re-encoded original (the noise floor); keypoints of confidence "
                f"{VISIBLE_CONFIDENCE} or more count. OpenPose gives no person mask: the {AREA_WORDS}. {FOLLOW_WORDS}"
            ),
            visible_cut=VISIBLE_CONFIDENCE,
            settings={"openpose_sha256": sha256_file(self._binary)},
        )

    def start(self, of: Of, *, window_xyxy: Window | None) -> KeypointDetector:
        return _Stretches(self._binary, self._stretch_bytes)


class _Stretches:
    """Collects frames in memory and runs the program whenever a stretch is full."""

    def __init__(self, binary: Path, stretch_bytes: int) -> None:
        self._binary, self._stretch_bytes = binary, stretch_bytes
        self._film: int | None = None
        self._waiting = 0
        self._bytes = 0
        self._size = (0, 0)
        self._people: list[People] = []
        self._faces: list[Float] = []

    def add(self, image_rgb: Image, face_xyxy: Float) -> None:
        self._faces.append(face_xyxy)
        if self._film is None:
            height, width = image_rgb.shape[:2]
            self._size = (width, height)
            self._film = os.memfd_create("frames", os.MFD_CLOEXEC)
            self._write(f"YUV4MPEG2 W{width} H{height} F25:1 Ip A1:1 C444\n".encode())
        yuv = cv2.transform(image_rgb, _TO_YUV)
        self._write(b"FRAME\n" + yuv.transpose(2, 0, 1).tobytes())
        self._waiting += 1
        if self._bytes >= self._stretch_bytes:
            self._run()

    def finish(self) -> Found:
        if self._waiting:
            self._run()
        return follow_subject(self._people, np.array(self._faces, np.float32).reshape(-1, 4))

    def _write(self, data: bytes) -> None:
        assert self._film is not None
        view = memoryview(data)
        while view:
            view = view[os.write(self._film, view) :]
        self._bytes += len(data)

    def _run(self) -> None:
        assert self._film is not None
        film, self._film = self._film, None
        try:
            in_memory = _SHARED_MEMORY if os.access(_SHARED_MEMORY, os.W_OK) else None
            with tempfile.TemporaryDirectory(prefix="keypoints-", dir=in_memory) as folder:
                _call(self._binary, film, Path(folder))
                self._people += self._read(Path(folder))
        finally:
            os.close(film)
        self._waiting = self._bytes = 0

    def _read(self, folder: Path) -> tuple[People, ...]:
        try:
            return read_folder(folder, label="OpenPose", frame_count=self._waiting, size=self._size).people
        except VideoError as error:
            raise StageError(f"what OpenPose wrote cannot be used: {error}", next_step=_NEXT) from None


def _call(binary: Path, film: int, folder: Path) -> None:
    models = next((one / "models" for one in binary.parents if (one / "models" / "pose").is_dir()), None)
    command = [str(binary), "--video", f"/proc/self/fd/{film}", "--write_json", f"{folder}/", "--display", "0"]
    command += ["--render_pose", "0", "--keypoint_scale", "0", "--model_pose", "BODY_25"]
    command += [] if models is None else ["--model_folder", f"{models}/"]
    quiet = subprocess.DEVNULL
    try:
        done = subprocess.run(
            command, pass_fds=(film,), cwd=binary.parent, stdin=quiet, stdout=quiet, stderr=quiet, check=False
        )
    except OSError as error:
        raise StageError(f"OpenPose cannot be run: {error.strerror or 'error'}", next_step=_NEXT) from None
    if done.returncode:
        raise StageError(f"OpenPose ended with status {done.returncode}", next_step=_NEXT)
