"""How far single keypoints moved, in pixels and beside the body's own measures, and how often the person is found.

OKS hides what a reader of movement asks: a rest tremor of a few pixels scores 0.95 with it gone. These errors are
reported, not gated; AP, AR and the OKS itself are in `keypoints.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, Of, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.keypoints import KEYPOINT_NAMES, NOBODY, OKS_METRICS, PoseTrack

METHOD_TEXT = (
    "The error of a keypoint is its distance to the original's in the same frame, where the original shows it and the "
    "other finds it: in pixels, in % of the original's torso in that frame (middle of the shoulders to middle of the "
    "hips, all four visible), and in % of the original's distance between the eyes in that frame, which shrinks as "
    "the head turns. The change of the detection rate is the share of all frames in which the person is found, less "
    "the original's share."
)
_METHOD = "distance to the original's keypoint of the same frame; "
_NO_PAIR = "no keypoint that the original shows was found"
_LEAST_PX = 1.0  # a torso or a distance between the eyes below this is no measure
_LEFT_EYE, _RIGHT_EYE = 1, 2
_SHOULDERS, _HIPS = (5, 6), (11, 12)
_STATISTICS = {"median": 50.0, "p95": 95.0}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Yardstick:
    """`per` (n,): what 100 % is in each frame, in px (100 for pixels themselves); NaN where the frame has none."""

    name: str
    per: NDArray[np.float64]
    absent: str = ""


def keypoint_errors_px(original: PoseTrack, other: PoseTrack) -> NDArray[np.float64]:
    """Distance in px of each keypoint to the original's, (n, 17); NaN where it is hidden there or not found here.

    >>> here = PoseTrack(keypoints=np.ones((1, 17, 3), np.float32), area=np.ones(1, np.float32))
    >>> there = PoseTrack(keypoints=np.float32([4, 5, 1]) * here.keypoints, area=here.area)
    >>> float(keypoint_errors_px(here, there)[0, 0])
    5.0
    """
    moved = other.keypoints[:, :, :2].astype(np.float64) - original.keypoints[:, :, :2].astype(np.float64)
    return np.asarray(np.where(original.visible, np.hypot(moved[:, :, 0], moved[:, :, 1]), np.nan))


def torso_px(track: PoseTrack) -> NDArray[np.float64]:
    """Middle of the shoulders to middle of the hips, (n,) in px; NaN where one of the four is not visible."""
    return _length(track, _SHOULDERS, _HIPS)


def interocular_px(track: PoseTrack) -> NDArray[np.float64]:
    """Distance between the eyes, (n,) in px; NaN where one of them is not visible."""
    return _length(track, (_LEFT_EYE,), (_RIGHT_EYE,))


def _length(track: PoseTrack, start: Sequence[int], end: Sequence[int]) -> NDArray[np.float64]:
    points = track.keypoints[:, :, :2].astype(np.float64)
    line = points[:, list(start)].mean(axis=1) - points[:, list(end)].mean(axis=1)
    length = np.hypot(line[:, 0], line[:, 1])
    usable = track.visible[:, [*start, *end]].all(axis=1) & (length >= _LEAST_PX)
    return np.asarray(np.where(usable, length, np.nan))


def measure_keypoint_errors(original: PoseTrack, others: Mapping[Of, PoseTrack], scope: str) -> list[Measurement]:
    """Errors and change of the detection rate of each method; the null edit's value is the noise floor.

    `detail` has each single keypoint's own statistic by its name; `sample_size` counts frames.
    """
    method = _METHOD + original.traits.method
    frames = len(original.keypoints)
    yardsticks = (
        _Yardstick(name="error_px", per=np.full(frames, 100.0)),
        _Yardstick(name="error_torso", per=torso_px(original), absent="shoulders and hips are never all visible"),
        _Yardstick(name="error_interocular", per=interocular_px(original), absent="the eyes are never both visible"),
    )
    if not original.found.any():
        return [not_measured(name, of, scope, NOBODY, method=method) for of in others for name in METRIC_NAMES]
    found: list[Measurement] = []
    floors: dict[str, float | None] = {}
    for of in sorted(others, key=lambda one: one != "reencoded"):
        errors = keypoint_errors_px(original, others[of])
        rows = [_change(original, others[of], of, scope, method, floors)]
        for yardstick in yardsticks:
            rows += _errors(errors, yardstick, of, scope, method, floors)
        if of == "reencoded":
            floors = {row.metric: row.value for row in rows}
        found += rows
    return found


def _errors(
    errors_px: NDArray[np.float64],
    yardstick: _Yardstick,
    of: Of,
    scope: str,
    method: str,
    floors: Mapping[str, float | None],
) -> list[Measurement]:
    scaled = 100 * errors_px / yardstick.per[:, None]
    known = np.isfinite(scaled)
    rows = []
    for statistic, percent in _STATISTICS.items():
        metric = f"keypoints.{yardstick.name}.{statistic}"
        if not np.isfinite(yardstick.per).any():
            rows.append(not_measured(metric, of, scope, yardstick.absent, absent=True, method=method))
        elif not known.any():
            rows.append(not_measured(metric, of, scope, _NO_PAIR, method=method))
        else:
            rows.append(
                measured(
                    metric,
                    of,
                    scope,
                    _percentile(scaled[known], percent),
                    sample_size=int(known.any(axis=1).sum()),
                    method=method,
                    noise_floor=floors.get(metric),
                    detail={
                        name: _percentile(scaled[known[:, at], at], percent)
                        for at, name in enumerate(KEYPOINT_NAMES)
                        if known[:, at].any()
                    },
                )
            )
    return rows


def _change(
    original: PoseTrack, other: PoseTrack, of: Of, scope: str, method: str, floors: Mapping[str, float | None]
) -> Measurement:
    metric = "keypoints.detection_change"
    shares = other.visible.mean(axis=0) - original.visible.mean(axis=0)
    return measured(
        metric,
        of,
        scope,
        float(other.found.mean() - original.found.mean()),
        sample_size=len(original.keypoints),
        method=method,
        noise_floor=floors.get(metric),
        detail={
            "original": float(original.found.mean()),
            **{name: float(share) for name, share in zip(KEYPOINT_NAMES, shares, strict=True)},
        },
    )


def _percentile(values: Float | NDArray[np.float64], percent: float) -> float:
    return float(np.percentile(values, percent))


METRIC_NAMES = (
    "keypoints.detection_change",
    *(f"keypoints.{kind}.{name}" for kind in ("error_px", "error_torso", "error_interocular") for name in _STATISTICS),
)


def keypoints_not_measured(of: Of, scope: str, because: str) -> list[Measurement]:
    """A gap for every keypoint metric of a rendition that the detector knows nothing of."""
    return [not_measured(name, of, scope, because) for name in (*OKS_METRICS, *METRIC_NAMES)]
