"""Whether the released face trembles where the original's is still: landmark jitter in still stretches, as a ratio.

Takes landmarks that were found for `expression` already. "Still" is read off the original alone, by its slow
movement. A tremor is fast: it counts on both sides, and its strength is `tremor`'s question.
"""

from collections.abc import Iterator, Mapping
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
_WAYS = {"positions": False, "within the face": True}  # whether each frame's shift, turn and scale are taken away
_BLOCK, _POINTS = 2048, 16  # frames, or points of all frames, at once: landmarks in double precision are 2 kB a frame

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
        moved = _slow_steps(points_xy[piece[0] : piece[-1] + 1], size) * rate / unit_px[piece]
        for run in _runs(moved < STILL_PER_S):
            if len(run) >= size:
                still[piece[run]] = True
                inner[piece[run[1:-1]]] = True
    return Stillness(still=still, inner=inner, judged=judged)


def _slow_steps(points_xy: Float, size: int) -> Signal:
    """How far the median point (n, p, 2) moves a frame, (n,) px, averaged over `size` frames."""
    steps = np.empty(points_xy.shape[:2])
    for first in range(0, points_xy.shape[1], _POINTS):
        some = slice(first, first + _POINTS)
        slow = _averaged(points_xy[:, some].astype(np.float64), size)
        steps[:, some] = np.linalg.norm(np.gradient(slow, axis=0), axis=2)
    return np.asarray(np.median(steps, axis=1, overwrite_input=True))


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


def within_itself(points_xy: Float, shape: NDArray[np.complex128]) -> Signal:
    """Landmarks (n, p, 2) after each frame's own shift, turn and scale onto a shape (p,) are taken away."""
    z = _centred(points_xy)
    fit = (z * shape.conj()).sum(axis=1, keepdims=True) / max(float((np.abs(shape) ** 2).sum()), 1e-12)
    fitted = z / np.where(np.isfinite(fit) & (np.abs(fit) > 0), fit, 1)
    return np.stack((fitted.real, fitted.imag), axis=2)


def mean_shape(points_xy: Float) -> NDArray[np.complex128]:
    """The mean of the landmarks (n, p, 2) about each frame's own middle: (p,), x + iy; NaN frames are left out."""
    total, count = np.zeros(points_xy.shape[1], np.complex128), 0
    for start in range(0, len(points_xy), _BLOCK):
        z = _centred(points_xy[start : start + _BLOCK])
        known = np.isfinite(z).all(axis=1)
        total, count = total + z[known].sum(axis=0), count + int(known.sum())
    return total / max(count, 1)


def _centred(points_xy: Float) -> NDArray[np.complex128]:
    z = points_xy[..., 0].astype(np.float64) + 1j * points_xy[..., 1].astype(np.float64)
    return np.asarray(z - z.mean(axis=1, keepdims=True))


def _differences(
    points_xy: Float, unit_px: Signal, inner: NDArray[np.bool_], *, within: bool
) -> Iterator[tuple[NDArray[np.intp], Signal]]:
    """The second differences (k, p) of the `inner` frames (k,), which both stand beside them, block by block."""
    shape = mean_shape(points_xy) if within else None
    for start in range(0, len(points_xy), _BLOCK):
        frames = np.flatnonzero(inner[start : start + _BLOCK]) + start
        if not len(frames):
            continue
        first, end = max(0, start - 1), start + _BLOCK + 1
        piece = points_xy[first:end]
        track = piece if shape is None else within_itself(piece, shape)
        yield frames, second_differences(track, unit_px[first:end])[frames - first]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Jitter:
    """Sums of squared second differences a second: `sums[way]` has those of original, other and null edit, (s, p).

    `count` (s,) says how many frames they are of.
    """

    sums: Mapping[str, tuple[Signal, Signal, Signal]]
    count: Signal

    def ratio(self, seconds: NDArray[np.intp] | slice) -> tuple[float, dict[str, float]]:
        """The larger of the two ratios of the other's jitter to the original's, with both and their parts in %.

        Jitter is the median over the points of the root mean square, over these `seconds`.
        """
        detail: dict[str, float] = {}
        frames = self.count[seconds].sum()
        for way, sums in self.sums.items():
            before, after, null = (float(np.median(np.sqrt(one[seconds].sum(axis=0) / frames))) for one in sums)
            floor = max(before, null, LEAST_JITTER)
            detail |= {f"{way}: ratio": after / floor, f"{way}: original, %": 100 * floor}
        return max(detail[f"{way}: ratio"] for way in self.sums), detail

    def of_null_edit(self) -> "_Jitter":
        """The null edit in the other's place."""
        return _Jitter(
            sums={way: (before, null, null) for way, (before, _, null) in self.sums.items()}, count=self.count
        )


def _jitter(
    original: Float, other: Float, reencoded: Float, unit_px: Signal, inner: NDArray[np.bool_], seconds: Clusters
) -> _Jitter:
    """Squares are summed once a second, not once a draw."""
    second_of = np.zeros(len(inner), np.intp)
    _, second_of[inner] = np.unique(seconds.labels[inner], return_inverse=True)
    count = np.bincount(second_of[inner]).astype(np.float64)

    def summed(track: Float, *, within: bool) -> Signal:
        total = np.zeros((len(count), track.shape[1]))
        for frames, differences in _differences(track, unit_px, inner, within=within):
            np.add.at(total, second_of[frames], differences**2)
        return total

    def all_of(*, within: bool) -> tuple[Signal, Signal, Signal]:
        before, after, null = (summed(track, within=within) for track in (original, other, reencoded))
        return before, after, null

    return _Jitter(sums={way: all_of(within=within) for way, within in _WAYS.items()}, count=count)


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
    jitter = _jitter(original, released, reencoded, unit_px, inner, clusters)
    ratio, detail = jitter.ratio(slice(None))
    null, _ = jitter.of_null_edit().ratio(slice(None))
    drawn = Clusters(labels=np.arange(len(jitter.count)), unit=clusters.unit)
    return measured(
        _NAME, "swapped", scope, ratio, sample_size=count, method=_METHOD, noise_floor=null, detail=detail,
        interval=bootstrap(lambda seconds: {"ratio": jitter.ratio(seconds)[0]}, drawn).of("ratio"),
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
        for frames, differences in _differences(track, unit_px, inner, within=False):
            row[frames] = np.median(differences, axis=1)
    return FlickerTrack(original=rows[0], other=rows[1], found=found)
