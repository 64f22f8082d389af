"""Whether the landmarks follow a movement that is known, and what null edit, mask and blur do to real movement.

    python benchmarks/motion_truth.py --known
    python benchmarks/motion_truth.py --clips full_body/latentsync_manF_seated_gestures.mp4 --seconds 4

Known: a public-domain portrait moved sideways by parts of a pixel at 30 frames a second, written as a release is,
each amplitude for two seconds. Followed means a correlation of at least 0.9 and a gain between 0.8 and 1.25.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from common.pairs import SAMPLES
from common.renditions import cut, watched
from numpy.typing import NDArray

from deid_audit.frames import Frame, Image
from deid_audit.measure.motion import compare_tracks
from deid_audit.pipeline.demo_clips import donor_portrait, planned
from deid_audit.pipeline.tracing import find_person
from deid_audit.progress import SilentProgress
from deid_audit.swap.convert import prepare_runtime
from deid_audit.video.reader import SourceVideo, open_video
from deid_audit.video.writer import write_video
from deid_audit.vision.native_output import silence_native_stderr

AMPLITUDES_PX = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
SECONDS_EACH = 2
RATE = 30
HEAD = slice(0, 11)  # nose, eyes, ears, mouth of MediaPipe Pose
SHOWN = ("COCO-17", "whole hand", "all of the mesh")


def displacement(hz: float) -> NDArray[np.float64]:
    """Sideways displacement in px of every frame, amplitude after amplitude."""
    each = np.arange(SECONDS_EACH * RATE) / RATE
    return np.concatenate([amplitude * np.sin(2 * np.pi * hz * each) for amplitude in AMPLITUDES_PX])


def moved(picture_rgb: Image, by_px: NDArray[np.float64]) -> Iterator[Frame]:
    """The still at each displacement."""
    size, border = picture_rgb.shape[1::-1], cv2.BORDER_REPLICATE
    for index, x in enumerate(by_px):
        shift = np.float64([[1, 0, x], [0, 1, 0]])
        image = cv2.warpAffine(picture_rgb, shift, size, flags=cv2.INTER_CUBIC, borderMode=border)
        yield Frame(index=index, pts=index, image_rgb=np.ascontiguousarray(image))


def known(folder: Path, hz: float) -> None:
    """One row an amplitude: how each network follows the displacement."""
    truth = displacement(hz)
    picture = donor_portrait()
    plan = planned("moved", picture, range(len(truth)), Fraction(1, RATE))
    write_video(folder / "moved.mp4", moved(picture, truth), like=plan)
    source = open_video(folder / "moved.mp4", label="moved")
    tracks = watched(source, find_person(source, SilentProgress()))
    body = tracks.body_xy[:, HEAD, 0]
    seen = (tracks.face_xy[:, :, 0].mean(axis=1), body.mean(axis=1), body[:, 0])  # mesh; pose, and its nose alone
    for at, amplitude in enumerate(AMPLITUDES_PX):
        part = slice(at * SECONDS_EACH * RATE, (at + 1) * SECONDS_EACH * RATE)
        cells = []
        for track in seen:
            ours, true = track[part] - track[part].mean(), truth[part] - truth[part].mean()
            rms = float(np.sqrt(((ours - true) ** 2).mean()))
            followed = (
                f"{np.corrcoef(ours, true)[0, 1]:.3f} / {ours @ true / (true @ true):.2f}" if amplitude else "– / –"
            )
            cells.append(f"{followed} / {rms:.2f}")
        print(f"| {hz:g} | {amplitude:g} | {' | '.join(cells)} |", flush=True)


def renditions(source: SourceVideo, name: str) -> None:
    """One row a rendition and group, beside the original."""
    person = find_person(source, SilentProgress())
    original, null = watched(source, person), watched(source, person, "reencoded")
    for how in ("reencoded", "masked", "blurred"):
        other = null if how == "reencoded" else watched(source, person, how)
        for row in compare_tracks(original, other, null).rows:
            if row.name not in SHOWN:
                continue
            if (one := row.released) is None:
                print(f"| {name} | {how} | {row.group} | {row.because} | | | | | | |", flush=True)
                continue
            errors = [
                f"{one.errors[key]:.3g}" + (f" ({ratio:.1f}x)" if (ratio := row.ratios[key]) else "")
                for key in ("median_px", "p95_px", "velocity_px_s", "jerk_px_s3")
            ]
            share = "–" if one.median_percent is None else f"{one.median_percent:.2f}"
            agreement = [
                "/".join("–" if value is None else f"{value:.3f}" for value in values)
                for values in zip(*((a.correlation.value, a.icc.value) for a in one.axes.values()), strict=True)
            ]
            seen = f"{one.seen_other - one.seen_original:+.1%}"
            cells = (name, how, row.group, *errors[:2], share, seen, *errors[2:], *agreement)
            print(f"| {' | '.join(cells)} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--known", action="store_true")
    parser.add_argument("--clips", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=4.0)
    asked = parser.parse_args(arguments)
    prepare_runtime("cpu")
    silence_native_stderr()
    with tempfile.TemporaryDirectory() as folder:
        for hz in (4.0, 5.0, 6.5) if asked.known else ():
            known(Path(folder), hz)
        for name in asked.clips:
            renditions(cut(SAMPLES / name, asked.seconds, Path(folder)), Path(name).stem)


if __name__ == "__main__":
    main()
