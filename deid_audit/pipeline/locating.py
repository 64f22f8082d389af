"""Where in a released video a rule is not met: for each family of metrics, how wrong every single frame is.

Comes after the verdict and before its explanation. It looks at what was measured already, decodes nothing, and
judges nothing: the outcome is the policy's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Finding, Moment, Of, Outcome, Rule, Stretch
from deid_audit.frames import Float
from deid_audit.ledger import State
from deid_audit.measure.exam.blink_agreement import blink_agreement
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.flicker import LEAST_JITTER
from deid_audit.measure.identity import MATCH_CUT, FrameDistances
from deid_audit.measure.keypoints import OKS_CUT, OKS_METRICS, oks_per_frame
from deid_audit.measure.quality import quality_signals
from deid_audit.measure.residue import shows_subject, unaccounted_boxes
from deid_audit.pipeline.reckoning import Watched

LISTED_STRETCHES = 5
_MERGE_S = 0.5
_HALF_WINDOW_S = 0.5
_OKS_CUTS = {"ap50": 0.5, "ar50": 0.5, "ap75": 0.75, "ar75": 0.75}

Signal = NDArray[np.float64]


class Fault(StrEnum):
    """Why a rule is not met; all but `LIMIT` make it INDETERMINATE."""

    LIMIT = "the value misses the limit"
    MISSING = "there is no value"
    SMALL = "the sample is too small"
    NOISE = "the null edit misses the limit too"
    NO_INTERVAL = "the rule asks for an interval, and there is none"
    CONTROL = "a control does not hold"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeenVideo:
    """One released video, by number (from 1), with what was seen of it."""

    number: int
    watched: Watched
    distances: FrameDistances

    @property
    def times_s(self) -> Signal:
        return np.array(self.watched.released.times_s)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Wrong:
    """How wrong each frame is, (n,): above 0 wrong, NaN not in question; `shows` is highest where it is seen best."""

    score: Signal
    shows: Signal


def fault_of(finding: Finding) -> Fault:
    """The cause of a finding that is not PASSED, in the order in which the policy looks."""
    if finding.observed is None:
        return Fault.MISSING
    if finding.sample_size < finding.rule.min_sample_size:
        return Fault.SMALL
    if finding.outcome is not Outcome.INDETERMINATE:
        return Fault.LIMIT
    if finding.rule.bound != "value" and finding.interval is None:
        return Fault.NO_INTERVAL
    return Fault.CONTROL if finding.rule.if_missed == "indeterminate" else Fault.NOISE


def locate(finding: Finding, videos: Sequence[SeenVideo]) -> tuple[tuple[Stretch, ...], int, Moment | None]:
    """The worst stretches in the order of time, how many there are in all, and the worst frame.

    Nothing where the metric has no place in time, or where the frames cannot be told apart.
    """
    found: list[tuple[float, Stretch]] = []
    worst: tuple[tuple[bool, float], Moment] | None = None
    for seen in videos:
        wrong = _wrong(finding, seen)
        if wrong is None or not np.isfinite(wrong.score).any():
            continue
        times = seen.times_s
        found += stretches_of(wrong.score, times, seen.number)
        beyond = wrong.score > 0
        shows = np.where(beyond if beyond.any() else np.isfinite(wrong.score), wrong.shows, np.nan)
        frame = int(np.nanargmax(shows))
        badness = (bool(beyond.any()), float(shows[frame]))
        if worst is None or badness > worst[0]:
            worst = badness, Moment(video=seen.number, frame=frame, time_s=round(float(times[frame]), 3))
    listed = sorted(found, key=lambda one: -one[0])[:LISTED_STRETCHES]
    in_order = sorted((stretch for _, stretch in listed), key=lambda one: (one.video, one.from_s))
    return tuple(in_order), len(found), worst[1] if worst else None


def boxes_to_show(finding: Finding, seen: SeenVideo, frame: int) -> Float:
    """What a picture of this frame should point at, (k, 4): faces that nobody accounted for, else the subject's."""
    entry = seen.watched.ledger[frame]
    rows: Sequence[Sequence[float] | Float] = [region.box_xyxy for region in entry.subject_regions]
    if finding.rule.metric == "residue.unaccounted_faces":
        rows = unaccounted_boxes(seen.watched.observed.detections[frame], entry)
    return np.array(rows, np.float32).reshape(-1, 4)


def stretches_of(
    score: Signal, times_s: Signal, video: int, *, merge_s: float = _MERGE_S
) -> list[tuple[float, Stretch]]:
    """Runs of wrong frames with their weight; runs nearer than `merge_s` are one. A frame lasts to the next."""
    ends = np.append(times_s[1:], 2 * times_s[-1] - times_s[-2] if len(times_s) > 1 else times_s[-1])
    out: list[tuple[float, float, float]] = []
    for index in np.flatnonzero(score > 0):
        start, end, weight = float(times_s[index]), float(ends[index]), float(score[index])
        if out and start - out[-1][2] < merge_s:
            out[-1] = (out[-1][0] + weight, out[-1][1], end)
        else:
            out.append((weight, start, end))
    return [(w, Stretch(video=video, from_s=round(start, 3), to_s=round(end, 3))) for w, start, end in out]


def _wrong(finding: Finding, seen: SeenVideo) -> _Wrong | None:
    family, _, name = finding.rule.metric.partition(".")
    fault = fault_of(finding)
    if fault in (Fault.SMALL, Fault.NO_INTERVAL) or family not in _FAMILIES:
        return None
    return _FAMILIES[family](name, finding.rule, seen, fault)


def _marked(frames: NDArray[np.bool_]) -> _Wrong:
    """Frames that are wrong or not, and no more."""
    score = np.where(frames, 1.0, np.nan)
    return _Wrong(score=score, shows=score)


def _beyond(values: Signal, limit: float, rule: Rule) -> _Wrong:
    """How far each value lies on the wrong side of `limit`."""
    score = values - limit if rule.op in ("below", "at_most") else limit - values
    return _Wrong(score=score, shows=score)


def _identity(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    distances = seen.distances
    if rule.of != "swapped" or name.startswith(("outside", "to_strangers")):
        return None
    if fault is Fault.MISSING:
        return _marked(np.isnan(distances.to_original))
    if name in ("to_original.longest_run_below_frames", "to_original.seconds_below"):
        # A swapped frame that could not be described counts as below the cut.
        undescribed = seen.watched.observed.compared & np.isnan(distances.to_original)
        score = np.where(undescribed, 1e-3, MATCH_CUT - distances.to_original)
        return _Wrong(score=score, shows=score)
    if name == "roc_auc":
        score = distances.to_donor - distances.to_average_original
        return _Wrong(score=score, shows=score)
    column, _, statistic = name.partition(".")
    if statistic == "sd" or column == "intra_subset":
        return None
    return _beyond(getattr(distances, column), rule.limit, rule)


def _keypoints(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    poses = seen.watched.observed.poses
    of: Of = "reencoded" if fault is Fault.NOISE else rule.of
    if fault is Fault.MISSING or of not in poses or f"keypoints.{name}" not in OKS_METRICS:
        return None
    return _beyond(oks_per_frame(poses["original"], poses[of]), _OKS_CUTS.get(name, OKS_CUT), rule)


def _expression(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    part, _, statistic = name.partition("_")
    observed = seen.watched.observed
    faces: tuple[FaceSignals, FaceSignals] = (
        observed.original_face,
        observed.reencoded_face if fault is Fault.NOISE else observed.released_face,
    )
    before, after = (np.where(observed.compared, getattr(face, part), np.nan) for face in faces)
    paired = np.isfinite(before) & np.isfinite(after)
    if fault is Fault.MISSING:
        return _marked(~paired)
    if paired.sum() < 2 or statistic not in ("mae", "r"):
        return None
    before, after = (np.where(paired, signal, np.nan) for signal in (before, after))
    if statistic == "mae":
        error = np.abs((after - np.nanmedian(after)) - (before - np.nanmedian(before)))
        wrong = _beyond(_over_a_second(error, seen.times_s), rule.limit, rule)
        return _Wrong(score=wrong.score, shows=error)
    # r = 1 - half the mean squared difference of the standardised signals: which frames bring it down.
    error = (_standardised(after) - _standardised(before)) ** 2
    wrong = _beyond(1 - _over_a_second(error, seen.times_s) / 2, rule.limit, rule)
    return _Wrong(score=wrong.score, shows=error)


def _standardised(signal: Signal) -> Signal:
    """Mean 0 and standard deviation 1; all 0 for a signal that does not move."""
    spread = float(np.nanstd(signal))
    return np.asarray((signal - np.nanmean(signal)) / (spread if spread > 1e-9 else 1.0))


def _over_a_second(values: Signal, times_s: Signal) -> Signal:
    """Mean of the values within half a second on each side, NaN where the frame itself has none."""
    known = np.isfinite(values)
    total = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    count = np.concatenate(([0], np.cumsum(known)))
    first = np.searchsorted(times_s, times_s - _HALF_WINDOW_S - 1e-9)
    last = np.searchsorted(times_s, times_s + _HALF_WINDOW_S + 1e-9)
    mean = (total[last] - total[first]) / np.maximum(count[last] - count[first], 1)
    return np.asarray(np.where(known, mean, np.nan))


def _motion(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    if fault is not Fault.MISSING:
        return None
    return _marked(~head_found(seen))


def head_found(seen: SeenVideo) -> NDArray[np.bool_]:
    """Frames (n,) that the tremor can be measured on: the head is found in original, released and null edit."""
    observed = seen.watched.observed
    faces = (observed.original_face, observed.released_face, observed.reencoded_face)
    return np.asarray(observed.compared & np.isfinite(np.hstack([face.head_xy for face in faces])).all(axis=1))


def _exam(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    """The frames of the original's blinks that are not there."""
    lids = seen.watched.observed.lids
    of: Of = "reencoded" if fault is Fault.NOISE else "swapped"
    if not name.startswith("blinks_") or of not in lids:
        return None
    if fault is Fault.MISSING:
        return _marked(lids["original"].seen & ~lids[of].seen)
    found = blink_agreement(lids["original"], lids[of])
    if isinstance(found, str):
        return None
    lost = [one for one, kept in zip(found.blinks, found.kept, strict=True) if not kept]
    wrong = np.zeros(len(seen.times_s), np.bool_)
    for one in lost if name == "blinks_kept" else found.added:
        wrong |= (seen.times_s >= one.start_s) & (seen.times_s <= one.end_s)
    return _marked(wrong)


def _quality(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    observed = seen.watched.observed
    looks = observed.appearance
    of: Of = "reencoded" if fault is Fault.NOISE else "swapped"
    if name.startswith("ssim"):
        return _beyond(observed.ssim_outside[of], rule.limit, rule)
    if name == "flicker":
        track = observed.flicker[of]
        if fault is Fault.MISSING:
            return _marked(observed.compared & ~track.found)
        before, after = (_over_a_second(one, seen.times_s) for one in (track.original, track.other))
        return _Wrong(
            score=_beyond(after / np.maximum(before, LEAST_JITTER), rule.limit, rule).score, shows=track.other
        )
    values = quality_signals(looks["original"], looks[of], observed.compared, observed.uncovered)[name]
    return (
        _marked(observed.compared & np.isnan(values)) if fault is Fault.MISSING else _beyond(values, rule.limit, rule)
    )


def _coverage(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    ledger = seen.watched.ledger
    concealed = np.array([frame.subject_concealed for frame in ledger])
    if name == "concealed_share":
        return _marked(concealed)
    if name == "longest_concealed_s":
        runs = [run for _, run in stretches_of(np.where(concealed, 1.0, 0.0), seen.times_s, seen.number, merge_s=1e-6)]
        longest = max((run.to_s - run.from_s for run in runs), default=0.0)
        worst = [run for run in runs if run.to_s - run.from_s > min(rule.limit, longest - 1e-6)]
        starts, ends = (np.array([getattr(run, end) for run in worst]) - 1e-3 for end in ("from_s", "to_s"))
        nearest = np.searchsorted(starts, seen.times_s, side="right")  # the runs stand in the order of time
        inside = seen.times_s < np.concatenate(([-np.inf], ends))[nearest]
        return _marked(concealed & inside)
    if name not in list(State):
        return None
    in_state = np.array([frame.state.value == name for frame in ledger])
    return _marked(in_state if rule.op in ("below", "at_most") else ~in_state)


def _text(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    observed = seen.watched.observed
    shown = np.zeros(len(seen.watched.ledger), np.bool_)
    for line in observed.text_left:
        shown[line.first : line.last + 1] = True
    return _marked(shown)


def _residue(name: str, rule: Rule, seen: SeenVideo, fault: Fault) -> _Wrong | None:
    observed, ledger = seen.watched.observed, seen.watched.ledger
    pairs = list(zip(observed.detections, ledger, strict=True))
    if name == "unaccounted_faces":
        return _marked(np.array([bool(unaccounted_boxes(boxes, frame)) for boxes, frame in pairs]))
    if name == "gallery_matches":
        return _Wrong(score=seen.distances.within_gallery_cut, shows=seen.distances.within_gallery_cut)
    if name == "subject_faces":
        distance = seen.distances.to_original
        shown = np.array([shows_subject(boxes, frame) for boxes, frame in pairs])
        if fault is Fault.MISSING:
            return _marked(shown & np.isnan(distance))
        score = np.where(shown, MATCH_CUT - distance, np.nan)
        return _Wrong(score=score, shows=score)
    return None


_FAMILIES: dict[str, Callable[[str, Rule, SeenVideo, Fault], _Wrong | None]] = {
    "identity": _identity,
    "keypoints": _keypoints,
    "expression": _expression,
    "motion": _motion,
    "exam": _exam,
    "quality": _quality,
    "coverage": _coverage,
    "residue": _residue,
    "text": _text,
}
