"""Whether the released face moves as the original does: mouth, eyes, brows and yaw from FaceMesh landmarks.

Takes landmarks of original, released and re-encoded video (found in `vision` on the same crops in the same mode) and
gives errors, ranges and correlations per video. It compares movement, not anatomy: the median difference is removed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.intervals import Clusters, bootstrap

MIN_FRAMES = 10
MIN_PAIRED_SHARE = 0.5
NOISE_FACTOR = 3.0
PARTS = ("mouth", "eye", "brow", "yaw")
UNITS = {"mouth": "%", "eye": "%", "brow": "%", "yaw": "degrees"}
METHOD_TEXT = (
    "Expression: opening of mouth and eyes, height of the brows (in % of the same frame's distance between the outer "
    "eye corners) and yaw (degrees), from MediaPipe FaceMesh with the same crops and mode on both sides. Errors are "
    "taken after removing the video's median difference, because anatomy differs between people; it is reported. "
    "Correlation and range are given only where the original's standard deviation exceeds three times that of its "
    "null-edit noise: correlation says nothing about a still face."
)
_METHOD = (
    "MediaPipe FaceMesh, 3-D, per-frame inter-ocular distance, unsmoothed; median difference removed; range p95 - p5"
)

_INNER_LIPS = (13, 14)
_LIDS = ((159, 145), (158, 153), (386, 374), (385, 380))
_EYES_AND_BROWS = (((33, 133), (105, 66, 107)), ((263, 362), (334, 296, 336)))
_OUTER_CORNERS = (33, 263)
_CHEEKS = (234, 454)
_FOREHEAD, _UNDER_NOSE = 10, 2
# Points that neither speech nor blinking moves: eye corners, bridge of the nose, sides of the face.
_RIGID = (33, 133, 263, 362, 168, 6, 197, 234, 454)

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FaceSignals:
    """What a face does over a video, one value a frame, NaN where there are no landmarks.

    `mouth`, `eye`, `brow` (n,) in % of the inter-ocular distance (outer eye corners); `yaw` (n,) in degrees, positive
    when the image's left side of the face is nearer; `head_xy` (n, 2) px; `interocular_px` (n,).
    """

    mouth: Signal
    eye: Signal
    brow: Signal
    yaw: Signal
    head_xy: Signal
    interocular_px: Signal

    def __post_init__(self) -> None:
        shape = self.interocular_px.shape
        if any(getattr(self, part).shape != shape for part in PARTS) or self.head_xy.shape != (*shape, 2):
            raise ValueError("mouth, eye, brow, yaw and interocular_px must be (n,), head_xy (n, 2)")


def face_signals(landmarks_xyz: Float) -> FaceSignals:
    """Mouth, eye, brow and yaw signals from FaceMesh landmarks, float32 (n, 478, 3) px, NaN rows where none.

    Distances are 3-D, so that turning the head does not shrink them. Each frame is divided by its own inter-ocular
    distance: a video-wide median could not follow a head that comes nearer, and smoothing would blur fast movement;
    the division's noise is proportional to the signal and is part of the null-edit noise that is printed beside.
    """
    points = np.asarray(landmarks_xyz, dtype=np.float64)
    if points.ndim != 3 or points.shape[1:] != (478, 3):
        raise ValueError("landmarks_xyz must be (n, 478, 3)")
    left, right = (points[:, corner] for corner in _OUTER_CORNERS)
    interocular = _length(right - left)
    unit = np.where(interocular > 0, interocular, np.nan)
    percent = 100 / unit

    across = (right - left) / unit[:, None]
    up = points[:, _FOREHEAD] - points[:, _UNDER_NOSE]
    up = up - (up * across).sum(axis=1, keepdims=True) * across
    up = up / np.where(_length(up) > 0, _length(up), np.nan)[:, None]
    heights = []
    for corners, brow_points in _EYES_AND_BROWS:
        eye_centre = points[:, corners].mean(axis=1)
        heights.append(((points[:, brow_points].mean(axis=1) - eye_centre) * up).sum(axis=1))

    cheek = points[:, _CHEEKS[1]] - points[:, _CHEEKS[0]]
    return FaceSignals(
        mouth=_gap(points, _INNER_LIPS) * percent,
        eye=np.mean([_gap(points, pair) for pair in _LIDS], axis=0) * percent,
        brow=np.mean(heights, axis=0) * percent,
        yaw=np.degrees(np.arctan2(cheek[:, 2], np.hypot(cheek[:, 0], cheek[:, 1]))),
        head_xy=points[:, _RIGID, :2].mean(axis=1),
        interocular_px=interocular,
    )


def joined_signals(parts: Sequence[FaceSignals]) -> FaceSignals:
    """Stretches of one video, one after the other."""
    return FaceSignals(
        **{part.name: np.concatenate([getattr(one, part.name) for one in parts]) for part in fields(FaceSignals)}
    )


def _length(vectors: Signal) -> Signal:
    return np.asarray(np.linalg.norm(vectors, axis=-1))


def _gap(points: Signal, pair: tuple[int, int]) -> Signal:
    return _length(points[:, pair[0]] - points[:, pair[1]])


def movement_error(original: Signal, other: Signal) -> float:
    """Mean absolute error after removing the median of the differences, which is anatomy.

    Not the difference of the medians: where a mouth is half of the time closed, the median lies in the gap between
    shut and open, and a small error there would move every frame.

    >>> movement_error(np.array([1.0, 2.0, 6.0]), np.array([11.0, 12.0, 13.0]))
    1.0
    """
    difference = other - original
    return float(np.abs(difference - np.median(difference)).mean())


def mouth_errors(original: FaceSignals, released: FaceSignals, compared: NDArray[np.bool_]) -> Signal:
    """How far each frame's mouth is open otherwise than the original's, (n,), in shares of the eyes' distance.

    NaN where not `compared` (n,) or without landmarks; the median difference is removed here, too.
    """
    difference = np.where(compared, released.mouth - original.mouth, np.nan) / 100
    known = difference[np.isfinite(difference)]
    return np.asarray(np.abs(difference - (np.median(known) if len(known) else 0.0)))


def spread(signal: Signal) -> float:
    """Range from the 5th to the 95th percentile (linear).

    >>> spread(np.arange(101.0))
    90.0
    """
    low, high = np.percentile(signal, (5, 95))
    return float(high - low)


def correlation(original: Signal, other: Signal) -> float:
    """Pearson's r; 0 for an `other` that does not move at all: a frozen face follows nothing.

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([7.0, 7.0, 7.0]))
    0.0
    """
    if np.ptp(other) <= 1e-9:
        return 0.0
    a, b = original - original.mean(), other - other.mean()
    return float((a @ b) / np.sqrt((a @ a) * (b @ b)))


def measure_expression(
    original: FaceSignals,
    released: FaceSignals,
    reencoded: FaceSignals,
    compared: NDArray[np.bool_],
    scope: str,
    clusters: Clusters,
) -> list[Measurement]:
    """Error, offset, correlation and range of each part in one video, the null edit's as noise floor.

    `compared` (n,) marks the frames whose subject is swapped; at least 10 of them, and half of those in which the
    original has landmarks, must have landmarks in the released video too. `clusters` are those of all frames.
    """
    out: list[Measurement] = []
    for part in PARTS:
        tracks = [np.asarray(getattr(signals, part)) for signals in (original, released, reencoded)]
        out += _measure_part(part, tracks[0], tracks[1], tracks[2], compared, scope, clusters)
    return out


def _measure_part(
    part: str,
    original: Signal,
    released: Signal,
    reencoded: Signal,
    compared: NDArray[np.bool_],
    scope: str,
    clusters: Clusters,
) -> list[Measurement]:
    def name(statistic: str) -> str:
        return f"expression.{part}_{statistic}"

    visible = compared & np.isfinite(original)
    paired = visible & np.isfinite(released)
    count, lost = int(paired.sum()), int((visible & ~paired).sum())
    if count < MIN_FRAMES or count < MIN_PAIRED_SHARE * visible.sum():
        because = (
            f"{count} of {int(visible.sum())} compared frames have landmarks in both videos; "
            f"at least {MIN_FRAMES} and half of them are needed"
        )
        return [
            not_measured(name(statistic), "swapped", scope, because, method=_METHOD)
            for statistic in ("mae", "offset", "r", "range_ratio")
        ]
    before, after = original[paired], released[paired]
    null = visible & np.isfinite(reencoded)
    floors = _statistics(original[null], reencoded[null]) if null.sum() >= MIN_FRAMES else {}
    detail = {
        "original_sd": float(before.std()),
        "original_range": spread(before),
        "released_range": spread(after),
        "frames_lost": float(lost),
    }
    if floors:
        detail["noise_sd"] = float((reencoded[null] - original[null]).std())

    values = _statistics(before, after)
    bounds = bootstrap(lambda at: _statistics(before[at], after[at]), clusters.where(paired))
    still = _why_still(part, detail)
    out: list[Measurement] = []
    for statistic in ("mae", "offset", "r", "range_ratio"):
        if still and statistic in ("r", "range_ratio"):
            # Without the null edit it is unknown whether the original moves: a gap, not a finding.
            absent = "noise_sd" in detail
            out.append(not_measured(name(statistic), "swapped", scope, still, absent=absent, method=_METHOD))
            continue
        out.append(
            measured(
                name(statistic),
                "swapped",
                scope,
                values[statistic],
                sample_size=count,
                method=_METHOD,
                noise_floor=floors.get(statistic),
                detail=detail,
                interval=bounds.of(statistic),
            )
        )
    return out


def _statistics(original: Signal, other: Signal) -> dict[str, float]:
    original_range = spread(original)
    moves = original_range > 0
    return {
        "mae": movement_error(original, other),
        "offset": float(np.median(other - original)),
        "r": correlation(original, other) if np.ptp(original) > 0 else float("nan"),
        "range_ratio": spread(other) / original_range if moves else float("nan"),
    }


def _why_still(part: str, detail: dict[str, float]) -> str:
    """The reason why correlation and range say nothing here; empty where the original moves."""
    if "noise_sd" not in detail:
        return "the null edit has too few frames with landmarks to tell movement from noise"
    moving, noise = detail["original_sd"], detail["noise_sd"]
    if moving > max(NOISE_FACTOR * noise, 1e-6):
        return ""
    unit = UNITS[part]
    return (
        f"the original's {part} moves by {moving:.2f} {unit} (SD), its null-edit noise is {noise:.2f} {unit}: "
        f"not more than {NOISE_FACTOR:.0f} times the noise"
    )
