"""Whether the released face trembles where the original's is still: landmark jitter in still stretches, as a ratio.

Takes landmarks that were found for `expression` already. "Still" is read off the original alone, by its slow
movement. A tremor is fast: it counts on both sides, and its strength is `tremor`'s question.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.intervals import Clusters, bootstrap

STILL_PER_S = 0.15
"""Slow movement below which a face is still, in inter-ocular distances a second: about 1.4 cm/s."""
WINDOW_S = 0.5
MIN_STEPS = 25
LEAST_JITTER = 1e-4
METHOD_TEXT = (
    "Flicker: second differences over time of a quarter of the face landmarks (MediaPipe FaceMesh, no irises), divided "
    "by the distance between the outer eye corners, root mean square over the still frames of each point, median over "
    "the points; released over original in the same frames, once for the positions and once after each frame's own "
    "shift, turn and scale are taken away (so that a face that trembles within itself shows beside a head tremor); the "
    "larger ratio counts. Frames are still where the original's landmarks, averaged over 0.5 s, move by less than 0.15 "
    "of that distance a second, for 0.5 s or longer. The original's jitter counts as at least the null edit's and as "
    "0.01 % of that distance, so that a frozen original does not divide by nothing. A head tremor is movement on both "
    "sides and brings the ratio of positions nearer to 1."
)
_METHOD = "FaceMesh landmarks as for expression; no smoothing but to find the still frames"
_NAME = "quality.flicker"
_UNEVEN = 1.5  # a step of time this many times the median's is a gap

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Stillness:
    """Frames (n,) of still stretches, and those of them whose neighbours on both sides are in the same stretch.

    `judged` (n,) are the frames in a piece long enough to say anything of.
    """

    still: NDArray[np.bool_]
    inner: NDArray[np.bool_]
    judged: NDArray[np.bool_]


def still_frames(points_xy: Float, unit_px: Signal, times_s: Signal, usable: NDArray[np.bool_]) -> Stillness:
    """Where `usable` (n,) landmarks (n, p, 2) move slowly; `unit_px` (n,) is the inter-ocular distance."""
    count = len(points_xy)
    still, inner, judged = (np.zeros(count, np.bool_) for _ in range(3))
    steps = np.diff(times_s)
    if count < 3 or not np.median(steps) > 0:
        return Stillness(still=still, inner=inner, judged=judged)
    rate = float(1 / np.median(steps))
    size = max(3, round(WINDOW_S * rate) | 1)
    broken = ~(usable[1:] & usable[:-1]) | (steps > _UNEVEN / rate)
    for piece in np.split(np.arange(count), np.flatnonzero(broken) + 1):
        if len(piece) < size:
            continue
        judged[piece] = True
        slow = _averaged(points_xy[piece].astype(np.float64), size)
        moved = np.median(np.linalg.norm(np.gradient(slow, axis=0), axis=2), axis=1) * rate / unit_px[piece]
        for run in _runs(moved < STILL_PER_S):
            if len(run) >= size:
                still[piece[run]] = True
                inner[piece[run[1:-1]]] = True
    return Stillness(still=still, inner=inner, judged=judged)


def _averaged(track: Signal, size: int) -> Signal:
    """Centred moving average over `size` (odd) frames of (n, p, 2), the ends repeated."""
    total = np.cumsum(np.pad(track, ((size // 2 + 1, size // 2), (0, 0), (0, 0)), mode="edge"), axis=0)
    return np.asarray((total[size:] - total[:-size]) / size)


def _runs(mask: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Indices of each run of True."""
    runs = np.split(np.arange(len(mask)), np.flatnonzero(np.diff(mask.astype(np.int8))) + 1)
    return [run for run in runs if len(run) and mask[run[0]]]


def second_differences(points_xy: Float | Signal, unit_px: Signal) -> Signal:
    """Length of each point's second difference, (n, p) in inter-ocular distances; NaN at the ends.

    >>> second_differences(np.array([[[0.0, 0.0]], [[3.0, 4.0]], [[0.0, 0.0]]]), np.full(3, 10.0))[1]
    array([1.])
    """
    out = np.full(points_xy.shape[:2], np.nan)
    track = np.asarray(points_xy, np.float64)
    out[1:-1] = np.linalg.norm(track[2:] - 2 * track[1:-1] + track[:-2], axis=2) / unit_px[1:-1, None]
    return out


def within_itself(points_xy: Float) -> Signal:
    """Landmarks (n, p, 2) after each frame's own shift, turn and scale onto their mean shape are taken away."""
    z = points_xy[..., 0].astype(np.float64) + 1j * points_xy[..., 1].astype(np.float64)
    z = z - z.mean(axis=1, keepdims=True)
    known = np.isfinite(z).all(axis=1)
    shape = z[known].mean(axis=0) if known.any() else np.zeros(z.shape[1])
    fit = (z * shape.conj()).sum(axis=1, keepdims=True) / max(float((np.abs(shape) ** 2).sum()), 1e-12)
    fitted = z / np.where(np.isfinite(fit) & (np.abs(fit) > 0), fit, 1)
    return np.stack((fitted.real, fitted.imag), axis=2)


def jitter(points_xy: Float | Signal, unit_px: Signal, inner: NDArray[np.bool_]) -> float:
    """Median over the points of the root mean square second difference in the `inner` frames."""
    return float(np.median(np.sqrt((second_differences(points_xy, unit_px)[inner] ** 2).mean(axis=0))))


def flicker_ratio(
    original: Float, other: Float, reencoded: Float, unit_px: Signal, inner: NDArray[np.bool_]
) -> tuple[float, dict[str, float]]:
    """The larger of the two ratios of `other`'s jitter to the original's, with both and their parts in %."""
    detail: dict[str, float] = {}
    worst = 0.0
    for name, taken in (("positions", lambda track: track), ("within the face", within_itself)):
        before, after, null = (taken(track) for track in (original, other, reencoded))
        floor = max(jitter(before, unit_px, inner), jitter(null, unit_px, inner), LEAST_JITTER)
        ratio = jitter(after, unit_px, inner) / floor
        detail[f"{name}: ratio"] = ratio
        detail[f"{name}: original, %"] = 100 * floor
        worst = max(worst, ratio)
    return worst, detail


def _ratios_of_seconds(
    original: Float, other: Float, reencoded: Float, unit_px: Signal, inner: NDArray[np.bool_], seconds: Clusters
) -> Callable[[NDArray[np.intp]], dict[str, float]]:
    """The larger ratio as a function of drawn seconds: squares are summed once a second, not once a draw."""
    _, at = np.unique(seconds.labels[inner], return_inverse=True)
    count = np.bincount(at).astype(np.float64)
    pairs = []
    for taken in (lambda track: track, within_itself):
        sums = []
        for track in (original, other, reencoded):
            squares = second_differences(taken(track), unit_px)[inner] ** 2
            total = np.zeros((len(count), squares.shape[1]))
            np.add.at(total, at, squares)
            sums.append(total)
        pairs.append(sums)

    def ratio(drawn: NDArray[np.intp]) -> dict[str, float]:
        worst = 0.0
        for sums in pairs:
            before, after, null = (
                float(np.median(np.sqrt(total[drawn].sum(axis=0) / count[drawn].sum()))) for total in sums
            )
            worst = max(worst, after / max(before, null, LEAST_JITTER))
        return {"ratio": worst}

    return ratio


def measure_flicker(
    original: Float,
    released: Float,
    reencoded: Float,
    unit_px: Signal,
    times_s: Signal,
    compared: NDArray[np.bool_],
    scope: str,
    clusters: Clusters,
) -> Measurement:
    """Jitter of the released landmarks (n, p, 2) over the original's in the original's still stretches.

    `unit_px` (n,) is the original's inter-ocular distance, `times_s` (n,) the frames' times; `compared` (n,) marks the
    frames whose subject is swapped. Absent where the original is never still for long enough.
    """
    own = np.isfinite(original).all(axis=(1, 2)) & np.isfinite(unit_px) & (unit_px > 0)
    visible = compared & own
    asked = int(still_frames(original, unit_px, times_s, visible).inner.sum())
    if asked < MIN_STEPS:
        # covers and gaps break stretches up, and that is no trait of the original: it is asked by itself
        alone = still_frames(original, unit_px, times_s, own)
        lasting = int(alone.inner.sum())
        absent = lasting < MIN_STEPS and int(alone.judged.sum()) >= max(2 * MIN_STEPS, int(own.sum()) / 2)
        because = (
            f"{lasting} frames of the original are still with still neighbours; at least {MIN_STEPS} are needed"
            if absent
            else f"{asked} swapped frames stand in a still stretch that nothing breaks up; {MIN_STEPS} are needed"
        )
        return not_measured(_NAME, "swapped", scope, because, absent=absent, method=_METHOD)
    found = visible & np.isfinite(released).all(axis=(1, 2)) & np.isfinite(reencoded).all(axis=(1, 2))
    inner = still_frames(original, unit_px, times_s, found).inner
    count = int(inner.sum())
    if count < MIN_STEPS or count < asked / 2:
        because = f"in {count} of {asked} still frames landmarks are found in all three videos; half of them are needed"
        return not_measured(_NAME, "swapped", scope, because, method=_METHOD)
    ratio, detail = flicker_ratio(original, released, reencoded, unit_px, inner)
    null, _ = flicker_ratio(original, reencoded, reencoded, unit_px, inner)
    of_seconds = _ratios_of_seconds(original, released, reencoded, unit_px, inner, clusters)
    drawn = Clusters(labels=np.arange(len(np.unique(clusters.labels[inner]))), unit=clusters.unit)
    return measured(
        _NAME, "swapped", scope, ratio, sample_size=count, method=_METHOD, noise_floor=null, detail=detail,
        interval=bootstrap(of_seconds, drawn).of("ratio"),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FlickerTrack:
    """The jitter of each still frame, (n,) each, NaN elsewhere; `found` (n,): the released face has landmarks.

    Numbers that outlive the landmarks, for whoever shows where the face trembles.
    """

    original: Signal
    other: Signal
    found: NDArray[np.bool_]


def flicker_track(
    original: Float, other: Float, unit_px: Signal, times_s: Signal, compared: NDArray[np.bool_]
) -> FlickerTrack:
    """Median second difference of the landmarks (n, p, 2) of original and other in every still frame."""
    found = np.isfinite(other).all(axis=(1, 2))
    usable = compared & np.isfinite(original).all(axis=(1, 2)) & found & (unit_px > 0)
    inner = still_frames(original, unit_px, times_s, usable).inner
    rows = [np.full(len(inner), np.nan), np.full(len(inner), np.nan)]
    for row, track in zip(rows, (original, other), strict=True):
        row[inner] = np.median(second_differences(track, unit_px)[inner], axis=1)
    return FlickerTrack(original=rows[0], other=rows[1], found=found)
