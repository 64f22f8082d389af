"""What recognises the subject outside the swap: faces filled in grey, and what hair, ears, neck and room still tell.

Fills, and compares descriptors that were computed in `vision`. Which frames are sampled is the pipeline's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.catalog import METRICS
from deid_audit.findings import SUBJECT_SCOPE, Measurement, measured, not_measured, video_scope
from deid_audit.frames import Float, Image
from deid_audit.measure.identity import auc_nearer
from deid_audit.measure.intervals import Clusters, bootstrap, clusters_of

FRAMES = 40
APART_S = 1.0
_GREY = 128
_GROWN = 1.1  # the swap's edge is softened a little beyond the landmarks
_LEAST = 5
METHOD_TEXT = (
    f"Around the face: in up to {FRAMES} swapped frames of each video the face is filled in grey, from brows to chin "
    "and a tenth beyond, in the written file and in the originals alike, and what is left of the chip (hair line, "
    "ears, neck, background) is described like a face. A released frame is compared with the nearest original more "
    f"than {APART_S:g} s away or of another video, and with the nearest of other people's frames (the donor's, and "
    "those of others in the subject's videos), filled in the same way. The area is the chance that the subject's is "
    "the nearer of the two: 0.5 tells nothing, 1 means that hair, ears, neck and room alone tell the subject from "
    "these people. The distances are small, since the grey is alike, and the cut of 0.6 means nothing here; the "
    "descriptor was not made for this, and others may see more. Reported, not gated."
)
_METHOD = "dlib 128-D descriptor of chips whose face is filled in grey, L2"
_NAMES = ("identity.outside.to_original.mean", "identity.outside.to_original.p01", "identity.outside.auc")
_NO_FRAME = f"fewer than {_LEAST} swapped frames whose surroundings could be compared with another moment's"


def _rows() -> Float:
    return np.empty((0, 128), np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Surroundings:
    """Descriptors of the sampled frames of one video with the face in grey: float32 (n, 128) each, at `times_s` (n,).

    `others` (m, 128) are of other people in the same video's original.
    """

    released: Float = field(default_factory=_rows)
    original: Float = field(default_factory=_rows)
    times_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    others: Float = field(default_factory=_rows)

    def arrays(self) -> list[Float]:
        """The descriptors, for whoever must overwrite them at the end."""
        return [self.released, self.original, self.others]


def face_in_grey(image_rgb: Image, landmarks_xy: Float) -> Image:
    """A copy uint8 (H, W, 3) with the hull of the landmarks (478, 2), a tenth larger, filled in grey."""
    hull = cv2.convexHull(np.ascontiguousarray(landmarks_xy[:, :2], np.float32))[:, 0]
    centre = (hull.min(0) + hull.max(0)) / 2
    filled = image_rgb.copy()
    cv2.fillConvexPoly(filled, np.round(centre + (hull - centre) * _GROWN).astype(np.int32), (_GREY,) * 3)
    return filled


def measure_outside(videos: Sequence[Surroundings], elsewhere: Float) -> list[Measurement]:
    """Distances and the area for each video and for all; `elsewhere` (k, 128) are other people's of other videos."""
    strangers = np.concatenate([elsewhere.reshape(-1, 128), *(video.others for video in videos)])
    strangers = strangers[np.isfinite(strangers).all(axis=1)]
    pairs = [_pairs(number, videos, strangers) for number in range(len(videos))]
    out: list[Measurement] = []
    for number, (own, other, times_s) in enumerate(pairs, start=1):
        out += _of_scope(video_scope(number), own, other, len(strangers), clusters_of([times_s]))
    together = [np.concatenate([pair[side] for pair in pairs]) if pairs else np.empty(0) for side in (0, 1)]
    clusters = clusters_of([times_s for _, _, times_s in pairs])
    return [*out, *_of_scope(SUBJECT_SCOPE, together[0], together[1], len(strangers), clusters)]


def _pairs(
    number: int, videos: Sequence[Surroundings], strangers: Float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Of each released frame that has an own original far enough away: distance to it and to strangers, its time."""
    video = videos[number]
    own, other, times_s = [], [], []
    for row, time_s in zip(video.released, video.times_s, strict=True):
        apart = [
            each.original[(np.abs(each.times_s - time_s) > APART_S) | (at != number)] for at, each in enumerate(videos)
        ]
        nearest = _nearest(row, np.concatenate(apart))
        if np.isfinite(nearest):
            own.append(nearest)
            other.append(_nearest(row, strangers))
            times_s.append(time_s)
    return np.array(own, np.float64), np.array(other, np.float64), np.array(times_s, np.float64)


def _nearest(row: Float, rows: Float) -> float:
    distances = np.linalg.norm(rows.astype(np.float64) - row, axis=1)
    return float(distances[np.isfinite(distances)].min(initial=np.inf))


def _of_scope(
    scope: str, own: NDArray[np.float64], other: NDArray[np.float64], strangers: int, clusters: Clusters
) -> list[Measurement]:
    if len(own) < _LEAST:
        return [not_measured(name, "swapped", scope, _NO_FRAME, method=_METHOD) for name in _NAMES]
    count, detail = len(own), {"stranger_frames": float(strangers)}
    known = strangers >= _LEAST
    if known:
        detail["to_strangers_mean"] = float(other.mean())

    def statistics(at: NDArray[np.intp]) -> dict[str, float]:
        area = auc_nearer(own[at], other[at]) if known else float("nan")
        return {_NAMES[0]: float(own[at].mean()), _NAMES[1]: float(np.percentile(own[at], 1)), _NAMES[2]: area}

    values, bounds = statistics(np.arange(count)), bootstrap(statistics, clusters)
    rows = [
        measured(
            name, "swapped", scope, values[name], sample_size=count, method=_METHOD, detail=detail,
            interval=bounds.of(name) if not METRICS[name].no_interval else (None, ""),
        )
        for name in _NAMES
        if known or name != _NAMES[2]
    ]  # fmt: skip
    if not known:
        because = f"{strangers} frames of other people, at least {_LEAST} are needed to compare with"
        rows.append(not_measured(_NAMES[2], "swapped", scope, because, method=_METHOD))
    return rows
