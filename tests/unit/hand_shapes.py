"""A made hand: an open palm with five straight fingers, in the order of MediaPipe's 21 landmarks."""

import numpy as np

from deid_audit.frames import Float


def open_hand(wrist_xy: tuple[float, float], towards_xy: tuple[float, float]) -> Float:
    """Landmarks float32 (21, 2): wrist and the tip of the middle finger as given, the other fingers beside it."""
    wrist, tip = np.array(wrist_xy), np.array(towards_xy)
    along = tip - wrist
    across = np.array((-along[1], along[0]))
    points = [wrist]
    for side, start, end in (
        (0.22, 0.2, 0.5),
        (0.15, 0.5, 0.9),
        (0.0, 0.52, 1.0),
        (-0.13, 0.5, 0.92),
        (-0.25, 0.46, 0.8),
    ):
        points += [wrist + along * share + across * side for share in np.linspace(start, end, 4)]
    return np.array(points, np.float32)
