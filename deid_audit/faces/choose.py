"""Chooses training frames for their spread of pose and expression, and sets some aside for the probe."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.align import layout_points
from deid_audit.frames import AlignedFace, Float
from deid_audit.vision.mesh import BROWS_MIDDLE, LIDS_MIDDLE, LIPS_MIDDLE, NOSE_TIP, OUTER_CORNERS

_ANATOMY = slice(2, None)  # of the measures: those that differ between people at rest
_NEAR_SHARE = 0.1


def pose_features(landmarks: Sequence[Float]) -> NDArray[np.float32]:
    """Each face's landmarks (478, 2) in the canonical layout, flattened: (n, 956). Position and size are gone."""
    return np.array([layout_points(points).ravel() for points in landmarks], np.float32)


def features_of(faces: Sequence[AlignedFace]) -> NDArray[np.float32]:
    """The same (n, 956) of faces that are aligned already."""
    return np.array([face.layout_xy.ravel() for face in faces], np.float32)


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


def expressions(features: NDArray[np.float32], of: NDArray[np.float32]) -> NDArray[np.float64]:
    """What faces (n, 956) do, comparable between people (n, 5), in crop heights: gap of the lips, turn to the side,
    and, against the median of all faces `of` (m, 956) of the person, opening of the eyes, height of the brows, nod.

    Lips that touch have no gap, whoever it is; how open an eye usually is, differs.
    """
    own, usual = _measures(features), np.median(_measures(of), axis=0)
    own[:, _ANATOMY] -= usual[_ANATOMY]
    return own


def _measures(features: NDArray[np.float32]) -> NDArray[np.float64]:
    points = features.reshape(len(features), -1, 2).astype(np.float64)
    eyes, brows = points[:, list(OUTER_CORNERS)], points[:, list(BROWS_MIDDLE), 1].mean(1)
    gaps = [points[:, lower, 1] - points[:, upper, 1] for lower, upper in (LIPS_MIDDLE, *LIDS_MIDDLE)]
    nose = points[:, NOSE_TIP] - eyes.mean(1)
    return np.column_stack((gaps[0], nose[:, 0], np.mean(gaps[1:], axis=0), brows - eyes[..., 1].mean(1), nose[:, 1]))


def shared_neutral(subject: NDArray[np.float32], donor: NDArray[np.float32]) -> NDArray[np.float64]:
    """The expression (5,) in which the two are compared: the subject's usual one, lips as far open as the donor's go.

    A donor full of grimaces would otherwise have an open-mouthed mean face, which the subject then wears; and lips
    that are shut in one's neutral face and open in the other's would not follow.
    """
    wanted = np.median(expressions(subject, subject), axis=0)
    wanted[0] = np.clip(wanted[0], *np.percentile(expressions(donor, donor)[:, 0], (5, 95)))
    return np.asarray(wanted)


def away_from(neutral: NDArray[np.float64], faces: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far expressions (n, 5) lie from one (5,), squared."""
    return np.asarray(((faces - neutral) ** 2).sum(1))


def neutral_weights(neutral: NDArray[np.float64], faces: NDArray[np.float64]) -> NDArray[np.float64]:
    """How much each face's expression (n, 5) counts in a mean face that is to have this one (5,); they add up to 1."""
    distance = away_from(neutral, faces)
    weights = np.exp(-distance / (np.quantile(distance, _NEAR_SHARE) + 1e-12))
    return np.asarray(weights / weights.sum(), np.float64)
