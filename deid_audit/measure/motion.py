"""Whether a movement is still there: two tracks of the same instants held against each other, keypoint by keypoint.

Errors in px and in % of the body's own measures, detection, errors of velocity, acceleration and jerk, correlation,
Bland-Altman, ICC(A,1), and equivalence where a margin is stated; beside each what a mere re-encoding does. Knows
nothing of what a movement means: that is for the measures of an examination. docs/motion.md explains every number.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Interval
from deid_audit.measure.agreement import (
    Equivalence,
    Limits,
    Moments,
    equivalence,
    icc_a1,
    icc_a1_interval,
    limits_of_agreement,
    pearson,
)
from deid_audit.measure.intervals import MIN_CLUSTERS, Bounds, Clusters, Statistics, bootstrap, clusters_of
from deid_audit.measure.motion_points import (
    GROUPS,
    Group,
    PointSet,
    Yardstick,
    points_of,
    sets_of,
    yardstick_of,
)
from deid_audit.measure.motion_tracks import MotionTracks

MIN_FRAMES = 10
LONGEST_STEP = 1.5
DERIVATIVES = ("velocity_px_s", "acceleration_px_s2", "jerk_px_s3")
ERRORS = ("median_px", "p95_px", *DERIVATIVES)
AXES = ("x", "y")
_WHAT = ("correlation", "icc", "bias")
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its interval over whole seconds, or in words why it has none; None where it is not defined."""

    value: float | None
    interval: Interval | None = None
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisAgreement:
    """Along x or y, in px: `icc_if_independent` is McGraw and Wong's interval, too narrow for neighbouring frames.

    `equivalence` is None where no margin was stated, and words where it cannot be tested.
    """

    correlation: Estimate
    icc: Estimate
    icc_if_independent: tuple[float, float] | None
    bias_px: Estimate
    limits: Limits
    equivalence: Equivalence | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of one line: `frames` counts those in which both sides show it; `errors` by the names of `ERRORS`, RMS.

    `median_percent` and `p95_percent` are of the group's yardstick; `original_spread_px` is how far the original
    itself moves about its mean; `seen_original` and `seen_other` are shares of all frames.
    """

    frames: int
    errors: dict[str, float | None]
    median_percent: float | None
    p95_percent: float | None
    original_spread_px: float
    seen_original: float
    seen_other: float
    axes: dict[str, AxisAgreement]


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionRow:
    """One keypoint or summary; `released` None says in `because` why it is not measurable here."""

    group: Group
    name: str
    released: Agreement | None
    null_edit: Agreement | None = None
    because: str = ""

    @property
    def ratios(self) -> dict[str, float | None]:
        """Each error as a multiple of the null edit's, None without one or beside a zero."""
        if self.released is None or self.null_edit is None:
            return dict.fromkeys(ERRORS)
        pairs = {name: (self.released.errors[name], self.null_edit.errors[name]) for name in ERRORS}
        return {name: one / floor if one is not None and floor else None for name, (one, floor) in pairs.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionComparison:
    """All lines in the order of the groups, and each group's yardstick."""

    rows: tuple[MotionRow, ...]
    yardsticks: dict[Group, Yardstick] = field(default_factory=dict)


def compare_tracks(
    original: MotionTracks,
    released: MotionTracks,
    null_edit: MotionTracks | None = None,
    *,
    margin_percent: float | None = None,
) -> MotionComparison:
    """Both, and the null edit where given, at the same instants, row by row: those of `original`.

    `margin_percent` of a group's yardstick is what a mean displacement may be to count as none.
    """
    rows: list[MotionRow] = []
    yardsticks = {group: yardstick_of(original, group) for group in GROUPS}
    for group in GROUPS:
        before = points_of(original, group)
        times_s, unit = original.times_s, yardsticks[group].px
        one = _Compared(group, before, points_of(released, group), times_s, unit, intervals=True)
        floor = None
        if null_edit is not None:
            floor = _Compared(group, before, points_of(null_edit, group), times_s, unit, intervals=False)
        for line in sets_of(group):
            because = one.why_not(line)
            null = floor.agreement(line, None) if floor is not None and not floor.why_not(line) else None
            found = None if because else one.agreement(line, margin_percent)
            rows.append(MotionRow(group=group, name=line.name, released=found, null_edit=null, because=because))
    return MotionComparison(rows=tuple(rows), yardsticks=yardsticks)


class _Compared:
    """A group's points (n, p, 2) of two sides, with the sums of every second."""

    def __init__(
        self, group: Group, before: Array, after: Array, times_s: Array, unit_px: float | None, *, intervals: bool
    ) -> None:
        self._unit_px, self._lines = unit_px, sets_of(group)
        self._seen = tuple(np.isfinite(side).all(axis=2) for side in (before, after))
        self._both = self._seen[0] & self._seen[1]
        before, after = (np.where(self._both[..., None], side, np.nan) for side in (before, after))
        error = after - before
        self._error_px = np.hypot(error[..., 0], error[..., 1])
        self._rates = [np.hypot(one[..., 0], one[..., 1]) for one in derivatives(error, times_s)]
        _, seconds = np.unique(clusters_of([times_s]).labels, return_inverse=True)
        readings = np.stack((before, after), axis=-1) - _means(before)[..., None]
        self._names = [
            f"{line.name}.{axis}.{what}" for what in _WHAT for line in self._lines for axis in range(len(AXES))
        ]
        self._summaries = [(at, list(line.points)) for at, line in enumerate(self._lines) if len(line.points) > 1]
        self._members = np.zeros((len(self._lines), before.shape[1]))
        for at, line in enumerate(self._lines):
            self._members[at, list(line.points)] = 1
        self._blocks = Moments.in_blocks(readings, seconds.astype(np.intp), int(seconds.max(initial=-1)) + 1)
        self._whole = self._blocks.weighted(np.ones(len(self._blocks.count)))
        self._seconds = (self._blocks.count[..., 0] > 0).sum(axis=0)  # (p,): in how many of them a point is seen
        every = np.arange(len(self._blocks.count))
        self._values = self._statistics(every)
        apart = Clusters(labels=every, unit="seconds")
        self._bounds = bootstrap(self._statistics, apart) if intervals else Bounds(by_name={}, because={})

    def why_not(self, line: PointSet) -> str:
        """Why the line cannot be measured, in words; empty when it can."""
        total, both = len(self._both), self._frames(line)
        if both >= MIN_FRAMES:
            return ""
        known = int(self._seen[0][:, line.points].any(axis=1).sum())
        if known < MIN_FRAMES:
            return f"the first video shows it in {known} of {total} frames; at least {MIN_FRAMES} are needed"
        return f"both videos show it in {both} of {total} frames; at least {MIN_FRAMES} are needed"

    def agreement(self, line: PointSet, margin_percent: float | None) -> Agreement:
        """Everything of one line that can be measured."""
        points = list(line.points)
        known = self._error_px[:, points][self._both[:, points]]
        median, p95 = (float(np.percentile(known, share)) for share in (50, 95))
        rates = {name: _rms(rate[:, points]) for name, rate in zip(DERIVATIVES, self._rates, strict=True)}
        unit, whole = self._unit_px, self._whole
        with np.errstate(invalid="ignore", divide="ignore"):
            variance = whole.products[..., 0, 0] / whole.count - (whole.sums[..., 0] / whole.count) ** 2
        return Agreement(
            frames=self._frames(line),
            errors={"median_px": median, "p95_px": p95, **rates},
            median_percent=None if unit is None else 100 * median / unit,
            p95_percent=None if unit is None else 100 * p95 / unit,
            original_spread_px=float(_medians(np.sqrt(np.maximum(variance, 0).sum(axis=1))[points, None])[0]),
            seen_original=float(self._seen[0][:, points].mean()),
            seen_other=float(self._seen[1][:, points].mean()),
            axes={name: self._axis(line, at, margin_percent) for at, name in enumerate(AXES)},
        )

    def _frames(self, line: PointSet) -> int:
        return int(self._both[:, line.points].any(axis=1).sum())

    def _axis(self, line: PointSet, axis: int, margin_percent: float | None) -> AxisAgreement:
        alone = len(line.points) == 1
        return AxisAgreement(
            correlation=self._estimate(line, axis, "correlation"),
            icc=self._estimate(line, axis, "icc"),
            icc_if_independent=icc_a1_interval(_at(self._whole, line.points[0], axis)) if alone else None,
            bias_px=self._estimate(line, axis, "bias"),
            limits=limits_of_agreement(_at(self._whole, list(line.points), axis)),
            equivalence=None if margin_percent is None else self._equivalence(line, axis, margin_percent),
        )

    def _equivalence(self, line: PointSet, axis: int, margin_percent: float) -> Equivalence | str:
        if self._unit_px is None:
            return "the margin is in % of a length that is never seen"
        return equivalence(_bias(self._blocks, list(line.points), axis), margin_percent / 100 * self._unit_px)

    def _estimate(self, line: PointSet, axis: int, what: str) -> Estimate:
        name = f"{line.name}.{axis}.{what}"
        if not np.isfinite(self._values[name]):
            return Estimate(value=None, because="one of the two does not move along this axis")
        seconds = int(self._seconds[list(line.points)].max())
        if seconds < MIN_CLUSTERS:
            because = f"seen in {seconds} seconds; an interval needs at least {MIN_CLUSTERS}"
            return Estimate(value=self._values[name], because=because)
        interval, because = self._bounds.of(name)
        return Estimate(value=self._values[name], interval=interval, because=because)

    def _statistics(self, seconds: NDArray[np.intp]) -> Statistics:
        """Of the drawn seconds, all lines and axes; a second that was drawn twice counts twice."""
        drawn = self._blocks.weighted(np.bincount(seconds, minlength=len(self._blocks.count)).astype(np.float64))
        over_points = [pearson(drawn), icc_a1(drawn)]
        firsts = [line.points[0] for line in self._lines]
        values = [one[firsts] for one in over_points]
        for at, points in self._summaries:
            for value, one in zip(values, over_points, strict=True):
                value[at] = _medians(one[points])
        with np.errstate(invalid="ignore", divide="ignore"):
            moved = self._members @ (drawn.sums[..., 1] - drawn.sums[..., 0])
            values.append(moved / (self._members @ drawn.count))
        return dict(zip(self._names, np.stack(values).ravel().tolist(), strict=True))


def derivatives(positions: Array, times_s: Array) -> list[Array]:
    """First, second and third derivative of (n, ...) by differences on the frames' own times; NaN over a gap.

    Each lives half way between the instants of the one before. A step longer than one and a half times the median
    step is a gap, and so is a NaN: neither is bridged.
    """
    steps = np.diff(times_s)
    longest = LONGEST_STEP * float(np.median(steps)) if len(steps) else 0.0
    found, values, times = [], positions, times_s
    for _ in DERIVATIVES:
        gaps = np.diff(times)
        shape = (-1, *(1,) * (values.ndim - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where((gaps <= longest).reshape(shape), np.diff(values, axis=0) / gaps.reshape(shape), np.nan)
        times = (times[1:] + times[:-1]) / 2
        found.append(values)
    return found


def _at(moments: Moments, points: int | list[int], axis: int) -> Moments:
    return Moments(
        count=moments.count[points, axis], sums=moments.sums[points, axis], products=moments.products[points, axis]
    )


def _bias(blocks: Moments, points: list[int], axis: int) -> Array:
    """Of each block (m,) the mean of the other less the original over all frames of the points; NaN unseen."""
    sums = blocks.sums[:, points, axis].sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums[:, 1] - sums[:, 0]) / blocks.count[:, points, axis].sum(axis=1))


def _means(positions: Array) -> Array:
    """Mean over frames of (n, p, 2), 0 where nothing is known."""
    known = np.isfinite(positions)
    return np.asarray(np.where(known, positions, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _rms(values: Array) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.sqrt((known**2).mean())) if len(known) else None


def _medians(values: Array) -> Array:
    """Of (p, k) over the p that are known; NaN without one."""
    if np.isfinite(values).all():
        return np.asarray(np.median(values, axis=0))
    known = [column[np.isfinite(column)] for column in values.T]
    return np.array([np.median(one) if len(one) else np.nan for one in known])
