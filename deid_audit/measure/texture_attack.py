"""A1, the second recognisers that need no model: LBPH and Fisherfaces of the face alone, the stronger of which counts.

Takes chips that were cut elsewhere. LBPH compares; Fisherfaces learn, and need several pictures of everybody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, Of, measured, not_measured
from deid_audit.frames import Image
from deid_audit.measure.gallery_attack import (
    NOBODY,
    Search,
    bounds_over_people,
    gallery_words,
    joined,
    lacking,
    nearer,
    no_test,
    parted,
    reach,
)
from deid_audit.measure.learning import APART_S, folds_of, pictures_each, too_few
from deid_audit.measure.sampled import SampledFaces, Strangers, evenly
from deid_audit.measure.texture import MOST_ENTRIES, fisher_search, texture_search

NAME = "attack.texture.auc"
METHOD_TEXT = (
    "A1: local binary patterns (LBPH) and Fisherfaces of the face alone, everything outside filled in, own pictures of "
    "other moments; the stronger of the two counts. Fisherfaces are learnt from as many originals of everybody and "
    "probed with another of the subject's videos, or, where there is one, with the other half of its time; they need "
    "ten strangers with two pictures each."
)
_HOW = f"LBPH of the face alone, mean chi-square to at most {MOST_ENTRIES} pictures a person"
_MOST_LEARNT = 8
_MOST_ALL = 400  # pictures of everybody together: the time grows with their cube
_VIDEO_APART_S = 1e6
_LEAST_PROBES = 5
_PROBED: tuple[Of, ...] = ("swapped", "reencoded")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """One recogniser's search of the released face and its chance to find the re-encoded one, or why there is none."""

    name: str
    how: str = ""
    found: Search = NOBODY
    null_edit: float = 0.0
    because: str = ""


def measure_texture(
    scope: str, members: Sequence[int], sampled: Sequence[SampledFaces], strangers: Strangers
) -> Measurement:
    """`attack.texture.auc` of the videos `members`; `sampled` are all of the subject's."""
    shown = strangers.with_chips()
    if because := lacking(shown):
        return not_measured(NAME, "swapped", scope, because)
    tried = [_patterns([sampled[at] for at in members], shown), _fisherfaces(members, sampled, shown)]
    held = [one for one in tried if not one.because]
    if not held:
        method = "; ".join(f"{one.name} {one.because}" for one in tried)
        return not_measured(NAME, "swapped", scope, tried[0].because, method=gallery_words(shown, method))
    best = max(held, key=lambda one: (reach(one.found), nearer(one.found)))
    detail = {"people": float(best.found.people), "null_edit": best.null_edit}
    for one in held:
        detail |= {f"{one.name}: chance": nearer(one.found), f"{one.name}: null edit": one.null_edit}
    rest = "; ".join(f"{one.name}: {one.because or 'weaker'}" for one in tried if one is not best)
    return measured(
        NAME, "swapped", scope, nearer(best.found), sample_size=len(best.found.own),
        method=f"{gallery_words(shown, best.how)}; {rest}",
        detail=detail, interval=bounds_over_people(best.found).of("auc"),
    )  # fmt: skip


def _judged(name: str, how: str, searches: dict[Of, Search]) -> _Tried:
    if len(searches["swapped"].own) < _LEAST_PROBES:
        because = f"fewer than {_LEAST_PROBES} sampled frames with an original of another moment"
        return _Tried(name=name, because=because)
    null_edit = nearer(searches["reencoded"])
    if because := no_test({"null_edit": null_edit}):
        return _Tried(name=name, because=because)
    return _Tried(name=name, how=how, found=searches["swapped"], null_edit=null_edit)


def _patterns(samples: Sequence[SampledFaces], shown: Strangers) -> _Tried:
    own = _chips(samples, "original")
    if not own:
        return _judged("LBPH", _HOW, dict.fromkeys(_PROBED, NOBODY))
    times = np.concatenate([one.times_s + at * _VIDEO_APART_S for at, one in enumerate(samples)])
    searches = {
        of: texture_search(_chips(samples, of), times, own, times, shown.inside, apart_s=APART_S) for of in _PROBED
    }
    return _judged("LBPH", _HOW, searches)


def _fisherfaces(members: Sequence[int], sampled: Sequence[SampledFaces], shown: Strangers) -> _Tried:
    name = "Fisherfaces"
    own = _chips(sampled, "original")
    folds = folds_of([one.times_s for one in sampled], members)
    fewest = min((int(fold.learnt.sum()) for fold in folds), default=0)
    counts = [len(chips) for chips in shown.inside]
    each = pictures_each(fewest, counts, _MOST_LEARNT)
    if not each:
        return _Tried(name=name, because=too_few(fewest, counts))
    able = [chips for chips in shown.inside if len(chips) >= each]
    able = [able[at] for at in evenly(len(able), _MOST_ALL // each - 1)]
    others = [_spread(chips, np.arange(len(chips)), each) for chips in able]
    seen = {of: _chips(sampled, of) for of in _PROBED}
    parts: dict[Of, list[Search]] = {of: [] for of in _PROBED}
    for fold in folds:
        learnt = _spread(own, np.flatnonzero(fold.learnt), each)
        probes = [seen[of][at] for of in _PROBED for at in np.flatnonzero(fold.probed)]
        both = fisher_search(probes, learnt, others)
        for of, found in zip(_PROBED, parted(both, [int(fold.probed.sum())] * 2), strict=True):
            parts[of].append(found)
    how = f"Fisherfaces of the face alone, nearest of {each} pictures each of {len(others)} strangers and the subject"
    return _judged(name, how, {of: joined(parts[of]) for of in _PROBED})


def _chips(samples: Sequence[SampledFaces], of: Of) -> list[Image]:
    return [chip for one in samples for chip in one.inside.get(of, [])]


def _spread(chips: Sequence[Image], places: NDArray[np.intp], most: int) -> list[Image]:
    """At most `most` of the chips at these places, spread evenly."""
    return [chips[places[at]] for at in evenly(len(places), most)]
