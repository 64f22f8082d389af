"""Movement made by code: a face, two hands and a body at rest, and what a test adds to them."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.motion_tracks import BODY_POINTS, FACE_POINTS, HAND_POINTS, MotionTracks

Signal = NDArray[np.float64]
Moves = Mapping[int, Signal]

# the subject's left is the picture's right; the outer eye corners are 100 px apart
FACE = {
    33: (-50, 0), 133: (-18, 0), 362: (18, 0), 263: (50, 0), 168: (0, 2), 6: (0, 12), 197: (0, 22),
    4: (0, 40), 152: (0, 120), 13: (0, 70), 14: (0, 72), 61: (-28, 71), 291: (28, 71),
    159: (-34, -5), 145: (-34, 5), 160: (-40, -4), 144: (-40, 4), 158: (-28, -4), 153: (-28, 4),
    386: (34, -5), 374: (34, 5), 387: (40, -4), 373: (40, 4), 385: (28, -4), 380: (28, 4),
    105: (-40, -25), 66: (-32, -27), 107: (-20, -24), 70: (-52, -20),
    334: (40, -25), 296: (32, -27), 336: (20, -24), 300: (52, -20),
    **dict.fromkeys(range(468, 473), (-34, 0)), **dict.fromkeys(range(473, 478), (34, 0)),
}  # fmt: skip
# a palm of 100 px, fingers up, thumb and index tips together
HAND = {
    0: (0, 0), 5: (-20, -95), 9: (0, -100), 13: (20, -95), 17: (35, -85), 4: (-40, -110), 8: (-40, -110),
}  # fmt: skip
# somebody standing: torso 180 px, thigh 160, shank 150
BODY = {
    11: (60, 0), 12: (-60, 0), 13: (80, 100), 14: (-80, 100), 15: (85, 190), 16: (-85, 190), 23: (40, 180),
    24: (-40, 180), 25: (40, 340), 26: (-40, 340), 27: (40, 490), 28: (-40, 490), 29: (42, 500), 30: (-42, 500),
    31: (45, 510), 32: (-45, 510),
}  # fmt: skip
UPPER = {"left": (386, 385, 387), "right": (159, 160, 158)}
LOWER = {"left": (374, 380, 373), "right": (145, 144, 153)}


def times(seconds: float, fps: float = 30.0) -> Signal:
    return np.arange(round(seconds * fps)) / fps


def uneven_times(seconds: float, fps: float = 30.0, seed: int = 0) -> Signal:
    """A variable rate: steps between 0.7 and 1.3 of the mean one."""
    steps = np.random.default_rng(seed).uniform(0.7, 1.3, round(seconds * fps)) / fps
    return np.cumsum(steps) - steps[0]


def made(rest: Mapping[int, tuple[int, int]], count: int, frames: int, moves: Moves, noise: float, seed: int) -> Signal:
    """Points (frames, count, 2) at rest, each moved by `moves` (frames, 2); -1 moves all of them."""
    xy = np.zeros((frames, count, 2))
    for index, at in rest.items():
        xy[:, index] = at
    for index, moved in moves.items():
        xy[:, slice(None) if index == -1 else index] += moved[:, None] if index == -1 else moved
    return xy + np.random.default_rng(seed).normal(0, noise, xy.shape)


def tracks(
    at: Signal,
    *,
    face: Moves | None = None,
    left_hand: Moves | None = None,
    right_hand: Moves | None = None,
    body: Moves | None = None,
    noise: float = 0.3,
    seed: int = 0,
) -> MotionTracks:
    """What is given is seen, moving so; what is not given is not seen."""
    frames = len(at)

    def part(rest: Mapping[int, tuple[int, int]], count: int, moves: Moves | None, own: int) -> Signal:
        if moves is None:
            return np.full((frames, count, 2), np.nan)
        return made(rest, count, frames, moves, noise, 10 * seed + own)

    return MotionTracks(
        times_s=at,
        body_xy=part(BODY, BODY_POINTS, body, 1),
        body_visibility=np.full((frames, BODY_POINTS), 0.0 if body is None else 0.9),
        left_hand_xy=part(HAND, HAND_POINTS, left_hand, 2),
        right_hand_xy=part(HAND, HAND_POINTS, right_hand, 3),
        face_xy=part(FACE, FACE_POINTS, face, 4),
    )


def along(x: Signal | float, y: Signal | float) -> Signal:
    """Movement (n, 2) from its two directions, of which one may be still."""
    return np.stack(np.broadcast_arrays(np.asarray(x, float), np.asarray(y, float)), axis=-1)


def sine(at: Signal, hz: float, px: float) -> Signal:
    return np.asarray(px * np.sin(2 * np.pi * hz * at))


def lids(closure: Signal, side: str) -> dict[int, Signal]:
    """Lids closed by a share (n,) from 0 to 1; shut still shows a third, as FaceMesh does."""
    out = {}
    for indices, sign in ((UPPER[side], 1.0), (LOWER[side], -1.0)):
        for index in indices:
            out[index] = along(0.0, sign * closure * abs(FACE[index][1]) * 2 / 3)
    return out


def blinks(at: Signal, starts_s: list[float], seconds: float) -> Signal:
    """Closure (n,) with raised cosines that are at least half-way down for `seconds`."""
    closure = np.zeros(len(at))
    for centre in starts_s:
        phase = np.clip((at - centre) / (2 * seconds), -0.5, 0.5)
        closure = np.maximum(closure, np.cos(np.pi * phase) ** 2)
    return closure


def openings(at: Signal, hz: float, px: float, start_s: float, count: int, fall: float = 0.0) -> Signal:
    """`count` openings of `px` at `hz` from closed to closed, each smaller than the one before by a share `fall`."""
    cycle = (at - start_s) * hz
    inside = (cycle >= 0) & (cycle < count)
    size = px * (1 - fall * np.floor(cycle))
    return np.where(inside, size * (1 - np.cos(2 * np.pi * cycle)) / 2, 0.0)
