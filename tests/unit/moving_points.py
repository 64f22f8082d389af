"""Made movement tracks: a body, two hands and a face that move as told, with or without noise; no pictures."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.motion_tracks import BODY_POINTS, FACE_POINTS, HAND_POINTS, MotionTracks

Array = NDArray[np.float64]
TORSO_PX, EYES_PX, HAND_PX = 200.0, 60.0, 80.0


def at_rest(points: int, seed: int, spread_px: float = 100.0) -> Array:
    return np.random.default_rng(seed).uniform(300, 300 + spread_px, size=(points, 2))


def made_tracks(
    seconds: float = 12,
    rate_hz: float = 30,
    *,
    move: Callable[[Array], Array] = lambda t: np.zeros((len(t), 2)),
    noise_px: float = 0.0,
    seed: int = 0,
) -> MotionTracks:
    """All points moved by `move` of the times (n,) -> (n, 2) px, each with its own noise."""
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    body, face = at_rest(BODY_POINTS, 1), at_rest(FACE_POINTS, 2)
    body[[11, 12]], body[[23, 24]] = ((350, 200), (250, 200)), ((340, 200 + TORSO_PX), (260, 200 + TORSO_PX))
    face[[33, 263]] = (300, 300), (300 + EYES_PX, 300)
    hand = at_rest(HAND_POINTS, 3)
    hand[[0, 9, 10, 11, 12]] = [(300 + share * HAND_PX, 300) for share in (0, 0.4, 0.6, 0.8, 1)]
    generator = np.random.default_rng(seed)

    def moved(rest: Array) -> Array:
        return rest + move(times)[:, None] + noise_px * generator.normal(size=(len(times), *rest.shape))

    return MotionTracks(
        times_s=times,
        body_xy=moved(body),
        body_visibility=np.ones((len(times), BODY_POINTS)),
        left_hand_xy=moved(hand),
        right_hand_xy=moved(hand),
        face_xy=moved(face),
    )


def sway(hz: float, px: float) -> Callable[[Array], Array]:
    """Sideways, as a sine of `px` to each side."""
    return lambda t: np.stack((px * np.sin(2 * np.pi * hz * t), np.zeros(len(t))), axis=1)
