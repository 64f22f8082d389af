"""Arising from a chair: how long the hips take from their first movement to where they stay when standing."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from deid_audit.measure.exam import points
from deid_audit.measure.exam.sampling import FINE_HZ, MIN_FRAMES, fine_pieces, frame_rate, real_rate
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.expression import spread
from deid_audit.measure.motion_tracks import MotionTracks

MIN_RATE_HZ = 15.0
_MIN_RISE = 0.4
_MIN_PIECE_S = 2.0
_PLATEAU_S = 0.5
_LEVEL_S = 1.0
_EDGE = 0.05
_SMOOTHING_S = 0.05
_RISE = Definition(name="chair_rise_time", unit="s", reference="Schenkman 1990")

Signal = NDArray[np.float64]


def chair_rise_values(tracks: MotionTracks) -> list[ExamValue]:
    """The first rise from sitting to standing; its interval is one frame to each side."""
    sides = [
        [points.body_point(tracks, pair[at]) for pair in (points.SHOULDERS, points.HIPS, points.KNEES)] for at in (0, 1)
    ]
    shoulders, hips, knees = ((one + other) / 2 for one, other in zip(*sides, strict=True))
    every = np.stack((shoulders, hips, knees), axis=1)
    seen = np.isfinite(every).all(axis=(1, 2))
    if seen.sum() < MIN_FRAMES:
        return [_RISE.missing(f"shoulders, hips and knees are not all seen in {MIN_FRAMES} frames")]
    rate, sampled = frame_rate(tracks.times_s), real_rate(every, tracks.times_s)
    if rate is None or sampled < MIN_RATE_HZ:
        return [_RISE.missing(f"{sampled:.1f} frames a second show the hips anew; a rise needs {MIN_RATE_HZ:.0f}")]
    torso = float(np.median(points.distance(shoulders, hips)[seen]))
    height = (knees[:, 1] - hips[:, 1]) / torso
    if spread(height[seen]) < _MIN_RISE:
        return [_RISE.missing("no such movement seen: the hips do not rise over the knees")]
    low, high = np.percentile(height[seen], (5, 95))
    hips = np.where(seen[:, None], hips, np.nan)
    why = "the hips are not seen for 2 s in one piece"
    tall, across, down = (
        fine_pieces(one, tracks.times_s, _MIN_PIECE_S)
        for one in (np.where(seen, height, np.nan), hips[:, 0], hips[:, 1])
    )
    for (times, of_height), (_, x), (_, y) in zip(tall, across, down, strict=True):
        path = np.column_stack([gaussian_filter1d(one, _SMOOTHING_S * FINE_HZ) for one in (x, y)])
        lasted = _rise(times, gaussian_filter1d((of_height - low) / (high - low), _SMOOTHING_S * FINE_HZ), path)
        if not isinstance(lasted, str):
            return [_RISE.given(lasted, int(seen.sum()), interval=(max(0.0, lasted - 1 / rate), lasted + 1 / rate))]
        why = lasted
    return [_RISE.missing(why, sample_size=int(seen.sum()))]


def _levels(
    height: Signal, sitting: NDArray[np.intp], standing: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The last second on the seat and the first upright one: before and after it the person may go elsewhere."""
    second = int(_LEVEL_S * FINE_HZ)
    seated, upright = np.flatnonzero(height[sitting] < _EDGE), np.flatnonzero(height[standing] >= 1 - _EDGE)
    if len(seated):
        sitting = sitting[: seated[-1] + 1]
    if len(upright):
        standing = standing[upright[0] :]
    return sitting[-second:], standing[:second]


def _rise(times_s: Signal, height: Signal, path_xy: Signal) -> float | str:
    """Seconds of the first rise in one piece at 240 Hz; `height` is 0 when sitting and 1 when standing."""
    crossings = np.flatnonzero((height[1:] >= 0.5) & (height[:-1] < 0.5)) + 1
    why = "no such movement seen: nobody goes from sitting to standing"
    for middle in crossings:
        fell = np.flatnonzero(height[:middle] >= 0.8)
        since = int(fell[-1]) + 1 if len(fell) else 0
        later = np.flatnonzero(height[middle:] < 0.5)
        until = middle + int(later[0]) if len(later) else len(height)
        sitting = np.arange(since, middle)[height[since:middle] < 0.2]
        standing = np.arange(middle, until)[height[middle:until] > 0.8]
        if min(len(sitting), len(standing)) < _PLATEAU_S * FINE_HZ:
            why = f"less than {_PLATEAU_S} s of sitting before or of standing after the rise are seen"
            continue
        seat, stand = (np.median(path_xy[rows], axis=0) for rows in _levels(height, sitting, standing))
        way = stand - seat
        done = (path_xy - seat) @ way / float(way @ way)
        start = since + int(np.flatnonzero(done[since:middle] < _EDGE)[-1])
        arrived = np.flatnonzero(done[middle:until] >= 1 - _EDGE)
        if len(arrived):
            return float(times_s[middle + int(arrived[0])] - times_s[start])
    return why
