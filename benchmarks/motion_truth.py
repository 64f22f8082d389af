"""Whether the landmarks follow a movement that is known, and what null edit, mask and blur do to real movement.

    python benchmarks/motion_truth.py --known
    python benchmarks/motion_truth.py --hands
    python benchmarks/motion_truth.py --clips full_body/latentsync_manF_seated_gestures.mp4 --seconds 4

Known: a public-domain portrait moved sideways by parts of a pixel at 30 frames a second, written as a release is,
each amplitude for two seconds. Followed means a correlation of at least 0.9 and a gain between 0.8 and 1.25.
Hands: a real still (common/programmed.py) in three sizes, whose left hand trembles, five seconds a clip: from which
size and amplitude on the exam finds the frequency, and whether it finds one where none was made. Hands alone are
looked for.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from common.pairs import SAMPLES
from common.programmed import Movements, Stage, filmed, stage, trembling
from common.renditions import cut, watched
from numpy.typing import NDArray

from deid_audit.frames import Frame, Image
from deid_audit.measure.exam.points import WRIST_AND_KNUCKLES
from deid_audit.measure.exam.tremors import MovingPart, looked_at, outstanding_peak
from deid_audit.measure.motion import compare_tracks
from deid_audit.measure.spectra import Peak
from deid_audit.pipeline.demo_clips import donor_portrait, planned
from deid_audit.pipeline.tracing import find_person
from deid_audit.progress import SilentProgress
from deid_audit.swap.convert import prepare_runtime
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import write_video
from deid_audit.vision.hands import MovingHands
from deid_audit.vision.native_output import silence_native_stderr

AMPLITUDES_PX = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0)
SECONDS_EACH = 2
RATE = 30
HANDS_SHRUNK, HAND_PX, HAND_SECONDS = (0.4, 0.2, 0.1), (0.5, 0.25, 0.1), 5.0
FREQUENCIES_HZ = (4.0, 5.0, 6.5)
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


def hand_seen(source: SourceVideo, near_xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Position (n, 2) px of the hand next to a place, frame by frame, as the exam takes it; NaN where none is found."""
    hands = MovingHands()
    xy = np.full((source.facts.frame_count, 2), np.nan)
    for frame in read_frames(source):
        height, width = frame.image_rgb.shape[:2]
        square = np.zeros((max(height, width), max(height, width), 3), np.uint8)
        square[:height, :width] = frame.image_rgb
        seen = [one.xy[list(WRIST_AND_KNUCKLES)].mean(axis=0) for one in hands.find(square)]
        close = [one for one in seen if np.hypot(*(one - near_xy)) < source.facts.width / 5]
        if close:
            xy[frame.index] = close[0]
    hands.close()
    return xy


def hands(folder: Path) -> None:
    """One row a size of the hand and amplitude, the frequencies by turns, and none made: what the exam gives."""
    for turn, shrunk in enumerate(HANDS_SHRUNK):
        scene: Stage = stage(shrunk=shrunk)
        made = [(px, FREQUENCIES_HZ[(turn + at) % 3]) for at, px in enumerate(HAND_PX)]
        for px, hz in [*made, (0.0, 0.0)]:
            source = filmed(scene, Movements(hand=trembling(hz, px)), HAND_SECONDS, folder / "hand.mp4")
            xy = hand_seen(source, scene.hand[list(WRIST_AND_KNUCKLES)].mean(axis=0))
            part = MovingPart(called="hand", xy=xy, length_px=scene.palm_px, length_name="palm")
            seen = looked_at(part, np.array(source.times_s))
            told = seen if isinstance(seen, str) else outstanding_peak(seen.windows.spectrum(), seen.rate_hz, "hand")
            if isinstance(told, Peak) and not isinstance(seen, str):
                told = f"{told.hz:.3f} | {seen.windows.spectrum().amplitude(told.hz):.2f}"
            share = np.isfinite(xy[:, 0]).mean()
            print(f"| {scene.palm_px:.0f} | {px:g} | {hz:g} | {share:.0%} | {told} |", flush=True)


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
    parser.add_argument("--hands", action="store_true")
    parser.add_argument("--clips", nargs="*", default=[])
    parser.add_argument("--seconds", type=float, default=4.0)
    asked = parser.parse_args(arguments)
    prepare_runtime("cpu")
    silence_native_stderr()
    with tempfile.TemporaryDirectory() as folder:
        for hz in (4.0, 5.0, 6.5) if asked.known else ():
            known(Path(folder), hz)
        if asked.hands:
            hands(Path(folder))
        for name in asked.clips:
            renditions(cut(SAMPLES / name, asked.seconds, Path(folder)), Path(name).stem)


if __name__ == "__main__":
    main()
