"""A real still of somebody seated, made to tremble, tap and blink by code: what is in the clip is known.

Parts of the picture are shifted smoothly, so that nothing tears; lids close as in the demo's clips. The whole head and
the hand sway slowly besides, and every frame has its own grain, as a filmed one has.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from common.pairs import SAMPLES
from deid_audit.frames import Frame, Image
from deid_audit.pipeline.demo_clips import SUBJECT_MOTION, MovingPortrait, planned
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import write_video
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.hands import MovingHands
from deid_audit.vision.mesh import FaceMesh

CLIP = "full_body/latentsync_manF_seated_gestures.mp4"
RATE, STILL_AT, CHIN, LOWER_LIP, THUMB, INDEX = 25, 150, 152, 14, 4, 8
SWAY_PX, SWAY_HZ, GRAIN = 4.0, 0.21, 1.5
Points = NDArray[np.float64]
Signal = Callable[[float], float]
STILL: Signal = lambda t: 0.0  # noqa: E731


@dataclass(frozen=True, slots=True, kw_only=True)
class Movements:
    """Functions of seconds: sideways px of head and left hand, downward px of the jaw beside the head, how far the
    index finger is closed onto the thumb, and how far the lids are, both in [0, 1]."""

    head: Signal = STILL
    jaw: Signal = STILL
    hand: Signal = STILL
    taps: Signal = STILL
    lids: Signal = STILL


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stage:
    """The still uint8 (H, W, 3), and where face (478, 2) and left hand (21, 2) are in it, in px."""

    still: Image
    face: Points
    hand: Points

    @property
    def face_px(self) -> float:
        return float(np.ptp(self.face[:468, 1]))

    @property
    def palm_px(self) -> float:
        return float(np.linalg.norm(self.hand[9] - self.hand[0]))


def stage(scale: float = 0.5, shrunk: float = 1.0) -> Stage:
    """The man of one sample clip with both hands open, `scale` of its size, cut to head, trunk and hands.

    `shrunk` makes the picture smaller after face and hand were found in it.
    """
    for frame in read_frames(open_video(SAMPLES / CLIP, label="clip")):
        if frame.index == STILL_AT:
            break
    small = cv2.resize(frame.image_rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height = small.shape[0]
    still = np.ascontiguousarray(small[2 * int(0.1 * height) : 2 * int(0.42 * height)])
    mesh, hands = FaceMesh(video=False), MovingHands()
    face = mesh.landmarks(still, MediaPipeDetector().detect(still).boxes_xyxy[0])
    square = np.zeros((max(still.shape), max(still.shape), 3), np.uint8)
    square[: still.shape[0], : still.shape[1]] = still
    seen = [one.xy for _ in range(5) for one in hands.find(square)]
    mesh.close()
    hands.close()
    if face is None or not seen:
        raise SystemExit("not run: no face or no hand is found on the still")
    left = max(seen, key=lambda xy: xy[:, 0].mean())
    size = [2 * round(side * shrunk / 2) for side in still.shape[1::-1]]
    by = np.array(size) / still.shape[1::-1]
    still = cv2.resize(still, size, interpolation=cv2.INTER_AREA)
    return Stage(still=still, face=face[:, :2].astype(float) * by, hand=left * by)


class Programmed:
    """The stage under some movements, frame after frame."""

    def __init__(self, stage: Stage, movements: Movements, seed: int = 0) -> None:
        self._stage, self._movements = stage, movements
        self._chance = np.random.default_rng(seed)
        nothing = dict.fromkeys(("mouth", "brow", "yaw", "pitch", "roll", "shift"), STILL)
        motion = replace(SUBJECT_MOTION, blink=movements.lids, **nothing)
        self._portrait = None if movements.lids is STILL else MovingPortrait(stage.still, motion)
        height, width = stage.still.shape[:2]
        self._grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
        head = (stage.face[:468].min(0) + stage.face[:468].max(0)) / 2
        palm = stage.hand.mean(0)
        reach = float(np.linalg.norm(stage.hand - palm, axis=1).max())
        self._head = self._plateau(head, 0.85 * stage.face_px, 1.6 * stage.face_px)
        self._hand = self._plateau(palm, 1.15 * reach, 2.6 * reach)
        jaw_px = float(np.linalg.norm(stage.face[CHIN] - stage.face[LOWER_LIP]))
        self._jaw = self._bump(stage.face[CHIN], 1.1 * jaw_px)
        self._towards = stage.hand[THUMB] - stage.hand[INDEX]
        self._finger = self._bump(stage.hand[INDEX], 0.45 * float(np.linalg.norm(self._towards)))

    def _plateau(self, centre: Points, full_px: float, none_px: float) -> NDArray[np.float32]:
        away = np.linalg.norm(self._grid - centre, axis=-1)
        ramp = np.clip((none_px - away) / (none_px - full_px), 0, 1)
        return (ramp * ramp * (3 - 2 * ramp)).astype(np.float32)[..., None]

    def _bump(self, centre: Points, sigma_px: float) -> NDArray[np.float32]:
        away = ((self._grid - centre) ** 2).sum(-1)
        return np.exp(-away / (2 * sigma_px**2)).astype(np.float32)[..., None]

    def at(self, t: float) -> Image:
        picture = self._stage.still if self._portrait is None else self._portrait.at(t)
        moves, sway = self._movements, SWAY_PX * np.sin(2 * np.pi * SWAY_HZ * t)
        shift = self._head * np.float32((moves.head(t) + sway, 0)) + self._jaw * np.float32((0, moves.jaw(t)))
        shift += self._hand * np.float32((moves.hand(t) - sway, 0))
        shift += self._finger * (0.8 * moves.taps(t) * self._towards).astype(np.float32)
        source = self._grid - shift
        moved = cv2.remap(picture, source[..., 0], source[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        grain = self._chance.normal(0, GRAIN, moved.shape[:2])[..., None]
        return np.ascontiguousarray(np.clip(moved + grain + 0.5, 0, 255).astype(np.uint8))

    def frames(self, seconds: float) -> Iterator[Frame]:
        for index in range(round(seconds * RATE)):
            yield Frame(index=index, pts=index, image_rgb=self.at(index / RATE))


def filmed(stage: Stage, movements: Movements, seconds: float, path: Path) -> SourceVideo:
    """The movements as a clip, encoded as a release is."""
    plan = planned("made", stage.still, range(round(seconds * RATE)), Fraction(1, RATE))
    write_video(path, Programmed(stage, movements).frames(seconds), like=plan)
    return open_video(path, label="made")


def trembling(hz: float, px: float) -> Signal:
    return lambda t: float(px * np.sin(2 * np.pi * hz * t))


def repeated(hz: float, count: int, start_s: float) -> Signal:
    """`count` closings at `hz` from open to open."""
    return lambda t: float((1 - np.cos(2 * np.pi * (t - start_s) * hz)) / 2) if 0 <= (t - start_s) * hz < count else 0.0


def bumps(at_s: list[float], seconds: float) -> Signal:
    """Closings that are at least half-way down for `seconds`."""

    def closed(t: float) -> float:
        phase = min((abs(t - one) / (2 * seconds) for one in at_s), default=1.0)
        return float(np.cos(np.pi * phase) ** 2) if phase < 0.5 else 0.0

    return closed
