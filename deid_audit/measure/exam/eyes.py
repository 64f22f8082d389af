"""Blinks, closed eyes and gaze, from lids, eye corners and irises."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from deid_audit.measure.exam import points
from deid_audit.measure.exam.sampling import MIN_FRAMES, frame_rate, real_rate
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.expression import spread
from deid_audit.measure.intervals import bootstrap, clusters_of
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.measure.spectra import pieces_of

MIN_RATE_HZ = 15.0
MIN_SECONDS = 3.0
LONGEST_BLINK_S = 0.5
_OPEN_PERCENTILE, _OPEN_WINDOW_S, _OPEN_STEP_S = 80, 4.0, 0.25
_CLOSED_BELOW = 0.55
_LEAST_OPEN = 0.7
# no lid opens and shuts again so soon: landmarks that tremble at the edge of one closing
_REOPENED_S = 0.05
_NOISE_FACTOR = 6.0

_COUNT = Definition(name="blink_count", unit="blinks", reference="Soukupova 2016")
_RATE = Definition(name="blink_rate", unit="1/min", reference="Bentivoglio 1997")
_DURATION = Definition(name="blink_duration", unit="ms", reference="Stern 1984")
_ONE_EYE = Definition(name="one_eye_blinks", unit="blinks", reference="Soukupova 2016")
_STRETCHES = Definition(name="closed_eye_stretches", unit="stretches", reference="Stern 1984")
_CLOSED = Definition(name="closed_eye_share", unit="%", reference="Stern 1984")
_GAZE = {
    "horizontal": Definition(name="gaze_range_horizontal", unit="% of eye width", reference="Hansen 2010"),
    "vertical": Definition(name="gaze_range_vertical", unit="% of eye width", reference="Hansen 2010"),
}

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """One closing of one eye, from half-closed to half-open; `cut` where one of the two lies outside what was seen."""

    start_s: float
    end_s: float
    cut: bool

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s

    def meets(self, other: "Closing") -> bool:
        return self.start_s <= other.end_s and other.start_s <= self.end_s


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LidTrack:
    """What blinks are told from: each eye's aspect ratio (n,), NaN where it is not seen, at `times_s` (n,).

    `real_hz` is how many frames a second show the eyes anew.
    """

    left: Signal
    right: Signal
    times_s: Signal
    real_hz: float

    @property
    def seen(self) -> NDArray[np.bool_]:
        return np.asarray(np.isfinite(self.left + self.right))


@dataclass(frozen=True, slots=True, kw_only=True)
class Closings:
    """Closings of each eye, and of `both` at once, whose times are the means of the two."""

    left: list[Closing]
    right: list[Closing]
    both: list[Closing]

    @property
    def blinks(self) -> list[Closing]:
        return [one for one in self.both if not one.cut and one.seconds <= LONGEST_BLINK_S]


def eye_aspect_ratio(face_xy: Signal, side: str) -> Signal:
    """Mean opening of one eye through its width (n,), from the face (n, 478, 2) px."""
    at = points.SIDES.index(side)
    upper, lower = (face_xy[:, pairs[at]] for pairs in (points.UPPER_LIDS, points.LOWER_LIDS))
    opening = np.linalg.norm(upper - lower, axis=-1).mean(axis=1)
    width = points.distance(face_xy[:, points.OUTER_EYE_CORNERS[at]], face_xy[:, points.INNER_EYE_CORNERS[at]])
    return np.asarray(opening / np.where(width > 0, width, np.nan))


def lid_track(tracks: MotionTracks) -> LidTrack:
    """What the blinks are told from, of one video."""
    left, right = (eye_aspect_ratio(tracks.face_xy, side) for side in points.SIDES)
    return LidTrack(left=left, right=right, times_s=tracks.times_s, real_hz=real_rate(tracks.face_xy, tracks.times_s))


def blink_values(tracks: MotionTracks) -> list[ExamValue]:
    """Blinks of both eyes: count, rate, duration; of one eye alone; longer stretches, and the share of time closed."""
    return blinks_of(lid_track(tracks))


def blinks_of(lids: LidTrack) -> list[ExamValue]:
    """The same from the lids alone."""
    found = closings_in(lids)
    if isinstance(found, str):
        of_both = [one.missing(found) for one in (_COUNT, _RATE, _DURATION, _STRETCHES, _CLOSED)]
        return [*of_both, *(_ONE_EYE.missing(found, side) for side in points.SIDES)]
    seen = lids.seen
    frames, seconds = int(seen.sum()), _seconds(lids.times_s[seen], frame_rate(lids.times_s) or np.nan)
    blinks = np.array([one.seconds for one in found.blinks])
    long = [one.seconds for one in found.both if one.seconds > LONGEST_BLINK_S]
    values = [_COUNT.given(len(blinks), frames), _rate(len(blinks), frames, seconds)]
    values.append(
        _DURATION.given(1000 * float(np.median(blinks)), len(blinks))
        if len(blinks)
        else _DURATION.missing("no such movement seen: nobody blinks", sample_size=frames)
    )
    values += [
        _STRETCHES.given(len(long), frames),
        _CLOSED.given(100 * float(sum(one.seconds for one in found.both)) / seconds, frames),
    ]
    for side, own, others in (("left", found.left, found.right), ("right", found.right, found.left)):
        alone = [one for one in own if not (one.cut or _any_meets(one, others)) and one.seconds <= LONGEST_BLINK_S]
        values.append(_ONE_EYE.given(len(alone), frames, side))
    return values


def _rate(count: int, frames: int, seconds: float) -> ExamValue:
    """Blinks a minute, with the exact interval of a Poisson count (Garwood 1936)."""
    low = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    high = chi2.ppf(0.975, 2 * count + 2) / 2
    return _RATE.given(60 * count / seconds, frames, interval=(60 * low / seconds, 60 * high / seconds))


def _any_meets(one: Closing, others: list[Closing]) -> bool:
    return any(one.meets(other) for other in others)


def closings_in(lids: LidTrack, *, least_s: float = MIN_SECONDS) -> Closings | str:
    """All closings of one video, or why none can be told: the eyes are seen for less than `least_s` seconds, say."""
    seen, rate = lids.seen, frame_rate(lids.times_s)
    if rate is None or seen.sum() < MIN_FRAMES:
        return f"the eyes are not seen in {MIN_FRAMES} frames"
    if lids.real_hz < MIN_RATE_HZ:
        return f"{lids.real_hz:.1f} frames a second show the eyes anew; blinks need {MIN_RATE_HZ:.0f}"
    seconds = _seconds(lids.times_s[seen], rate)
    if seconds < least_s:
        return f"the eyes are seen for {seconds:.1f} s; at least {least_s:.0f} s are needed"
    left, right = (closings_of(ratio[seen], lids.times_s[seen], rate) for ratio in (lids.left, lids.right))
    if left is None or right is None:
        return "the lids tremble too much in the landmarks: the face is too small or too blurred to tell a blink"
    pairs = [(one, next(other for other in right if one.meets(other))) for one in left if _any_meets(one, right)]
    both = [
        Closing(
            start_s=(one.start_s + other.start_s) / 2,
            end_s=(one.end_s + other.end_s) / 2,
            cut=one.cut or other.cut,
        )
        for one, other in pairs
    ]
    return Closings(left=left, right=right, both=both)


def _seconds(times_s: Signal, rate_hz: float) -> float:
    """How long the pieces of `times_s` last together: what is bridged counts here as it does in the closings."""
    return sum(float(times_s[piece[-1]] - times_s[piece[0]]) + 1 / rate_hz for piece in pieces_of(times_s, rate_hz))


def closings_of(ratio: Signal, times_s: Signal, rate_hz: float) -> list[Closing] | None:
    """Closings of one eye from its aspect ratio (n,) at `times_s` (n,); None where noise would hide or feign them.

    Only frames that show the eye are given; none is closed across more than two missing frames in a row.

    Closed is below 0.55 of the open level, which is the 80th percentile of the 4 s around and at least 0.7 of the
    whole video's 90th: looking down lowers the lid slowly and less, and lowers the level with it.
    """
    level = open_level(ratio, times_s)
    limit = _CLOSED_BELOW * level
    if _NOISE_FACTOR * points.jitter(ratio) > float(np.median(level - limit)):
        return None
    pieces = pieces_of(times_s, rate_hz)
    return [one for piece in pieces for one in _in_piece(ratio[piece], level[piece], times_s[piece], rate_hz)]


def _in_piece(ratio: Signal, level: Signal, times_s: Signal, rate_hz: float) -> list[Closing]:
    """Closings within one piece; where it cuts one, that lasts to the end of the piece's outermost frame."""
    below = np.concatenate(([False], ratio < _CLOSED_BELOW * level, [False]))
    turns = np.flatnonzero(below[1:] != below[:-1])
    out: list[Closing] = []
    for first, after in zip(turns[::2], turns[1::2], strict=True):
        lowest = float(np.median(ratio[first:after])) if after - first > 4 else float(ratio[first:after].min())
        half = (float(level[first:after].mean()) + lowest) / 2
        start, end = _crossing(ratio, times_s, first, half, -1), _crossing(ratio, times_s, after - 1, half, 1)
        # a frame stands for half a step to each side, as in the time in which the eyes are seen
        one = Closing(
            start_s=float(times_s[0]) - 0.5 / rate_hz if start is None else start,
            end_s=float(times_s[-1]) + 0.5 / rate_hz if end is None else end,
            cut=start is None or end is None,
        )
        if out and one.start_s <= out[-1].end_s + _REOPENED_S:
            before = out.pop()
            one = Closing(start_s=before.start_s, end_s=max(one.end_s, before.end_s), cut=before.cut or one.cut)
        out.append(one)
    return out


def open_level(ratio: Signal, times_s: Signal) -> Signal:
    """What counts as open at each of the `times_s` (n,): see `closings_of`."""
    reach, at = _OPEN_WINDOW_S / 2, np.arange(times_s[0], times_s[-1] + _OPEN_STEP_S, _OPEN_STEP_S)
    first, after = np.searchsorted(times_s, at - reach), np.searchsorted(times_s, at + reach, side="right")
    around = [ratio[a:b] if b > a else ratio for a, b in zip(first, after, strict=True)]
    level = np.interp(times_s, at, [np.percentile(part, _OPEN_PERCENTILE) for part in around])
    return np.maximum(level, _LEAST_OPEN * float(np.percentile(ratio, 90)))


def _crossing(ratio: Signal, times_s: Signal, at: int, half: float, step: int) -> float | None:
    """Time at which a piece's ratio passes `half`, going from row `at` in steps; None where the piece ends before."""
    while 0 <= at + step < len(ratio) and ratio[at + step] < half:
        at += step
    beyond = at + step
    if not 0 <= beyond < len(ratio):
        return None
    share = (half - ratio[at]) / (ratio[beyond] - ratio[at])
    return float(times_s[at] + share * (times_s[beyond] - times_s[at]))


def gaze_paths(tracks: MotionTracks) -> tuple[dict[str, Signal], NDArray[np.bool_]]:
    """The irises' places between the eye corners, along and across (n,), mean of both eyes, and where eyes are open."""
    along, across = [], []
    still_open = np.ones(len(tracks), np.bool_)
    for at, side in enumerate(points.SIDES):
        outer, inner = (tracks.face_xy[:, pair[at]] for pair in (points.OUTER_EYE_CORNERS, points.INNER_EYE_CORNERS))
        # both eyes are read towards the picture's right, where the subject's left is
        axis = (outer - inner) * (1 if side == "left" else -1)
        width = np.where(points.distance(outer, inner) > 0, points.distance(outer, inner), np.nan)
        iris = tracks.face_xy[:, points.IRISES[at]].mean(axis=1) - (outer + inner) / 2
        along.append((iris * axis).sum(axis=1) / width**2)
        across.append((iris[:, 1] * axis[:, 0] - iris[:, 0] * axis[:, 1]) / width**2)
        ratio = eye_aspect_ratio(tracks.face_xy, side)
        known = ratio[np.isfinite(ratio)]
        if len(known):
            still_open &= ratio >= _CLOSED_BELOW * _LEAST_OPEN * float(np.percentile(known, 90))
    paths = {"horizontal": np.mean(along, axis=0), "vertical": np.mean(across, axis=0)}
    return paths, still_open & np.isfinite(paths["horizontal"])


def gaze_values(tracks: MotionTracks) -> list[ExamValue]:
    """Range of the irises between the eye corners, along and across, mean of both eyes, closed eyes left out."""
    paths, used = gaze_paths(tracks)
    count = int(used.sum())
    if count < MIN_FRAMES:
        return [one.missing(f"open eyes with irises are not seen in {MIN_FRAMES} frames") for one in _GAZE.values()]
    bounds = bootstrap(
        lambda at: {name: 100 * spread(path[used][at]) for name, path in paths.items()},
        clusters_of([tracks.times_s]).where(used),
    )
    return [
        one.given(100 * spread(paths[name][used]), count, interval=bounds.of(name)[0]) for name, one in _GAZE.items()
    ]
