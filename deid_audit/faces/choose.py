"""Chooses training frames for their spread of pose and expression, and sets some aside for the probe."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.align import apply, frame_to_crop
from deid_audit.frames import Float


def pose_features(landmarks: Sequence[Float]) -> NDArray[np.float32]:
    """Each face's landmarks (478, 2) in the canonical layout, flattened: (n, 956). Position and size are gone."""
    return np.array([apply(frame_to_crop(points, 1), points).ravel() for points in landmarks], np.float32)


def farthest_points(features: NDArray[np.float32], count: int) -> list[int]:
    """Indices of `count` rows, each the farthest from all chosen before it (Gonzalez 1985); starts at the median."""
    if len(features) <= count:
        return list(range(len(features)))
    chosen = [int(((features - np.median(features, 0)) ** 2).sum(1).argmin())]
    nearest = ((features - features[chosen[0]]) ** 2).sum(1)
    while len(chosen) < count:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, ((features - features[chosen[-1]]) ** 2).sum(1))
    return sorted(chosen)


def held_out(count: int, wanted: int) -> list[int]:
    """About `wanted` of `count` positions, evenly spread in time, for the probe."""
    return sorted({round(p) for p in np.linspace(0, count - 1, min(wanted, count))})


def neutral_weights(donor: NDArray[np.float32], subject: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much each donor frame (n, f) counts in the mean face: near the subject's median pose and expression.

    A donor full of grimaces would otherwise have an open-mouthed mean face, which the subject then wears.
    """
    distance = ((donor - np.median(subject, 0)) ** 2).sum(1)
    scale = np.quantile(distance, 0.25) + 1e-12
    weights = np.exp(-distance / scale)
    return np.asarray(weights / weights.sum(), np.float64)
