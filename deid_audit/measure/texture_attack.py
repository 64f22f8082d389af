"""A1, the second recognisers that need no model: LBPH and Fisherfaces of the face alone, the stronger of which counts.

Takes chips that were cut elsewhere. LBPH compares; Fisherfaces learn, and need several pictures of everybody.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

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
    "ten strangers with two pictures each. Where an outsider can paste the donor's mean face on the subject, the same "
    "search for that stands beside it: found, too, it is light, camera or outline that tells, and the attack counts "
    "all the same."
)
_HOW = f"LBPH of the face alone, mean chi-square to at most {MOST_ENTRIES} pictures a person"
_MOST_LEARNT = 8
_MOST_ALL = 400  # pictures of everybody together: the time grows with their cube
_VIDEO_APART_S = 1e6
_LEAST_PROBES = 5
_Kind = Literal["swapped", "reencoded", "imitated"]
_PROBED: tuple[_Kind, ...] = ("swapped", "reencoded", "imitated")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tried:
    """One recogniser's search of the released face, or why there is none, and its chance to find other faces.

    Those are the re-encoded one, and the donor's mean face pasted on the subject; None where nobody pasted it.
    """

    name: str
    how: str = ""
    found: Search = NOBODY
    null_edit: float = 0.0
    imitated: float | None = None
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
    if best.imitated is not None:
        detail["imitated"] = best.imitated
    rest = "; ".join(f"{one.name}: {one.because or 'weaker'}" for one in tried if one is not best)
    return measured(
        NAME, "swapped", scope, nearer(best.found), sample_size=len(best.found.own),
        method=f"{gallery_words(shown, best.how)}; {rest}",
        detail=detail, interval=bounds_over_people(best.found).of("auc"),
    )  # fmt: skip


def _judged(name: str, how: str, searches: dict[_Kind, Search]) -> _Tried:
    if len(searches["swapped"].own) < _LEAST_PROBES:
        because = f"fewer than {_LEAST_PROBES} sampled frames with an original of another moment"
        return _Tried(name=name, because=because)
    null_edit = nearer(searches["reencoded"])
    if because := no_test({"null_edit": null_edit}):
        return _Tried(name=name, because=because)
    imitated = nearer(searches["imitated"]) if len(searches["imitated"].own) >= _LEAST_PROBES else None
    return _Tried(name=name, how=how, found=searches["swapped"], null_edit=null_edit, imitated=imitated)


def _patterns(samples: Sequence[SampledFaces], shown: Strangers) -> _Tried:
    own = _chips(samples, "original")
    if not own:
        return _judged("LBPH", _HOW, dict.fromkeys(_PROBED, NOBODY))
    times = np.concatenate([one.times_s + at * _VIDEO_APART_S for at, one in enumerate(samples)])
    searches = {}
    for kind in _PROBED:
        seen = _probes(samples, kind)
        places = [at for at, chip in enumerate(seen) if chip is not None]
        probes = _known(seen)
        found = texture_search(probes, times[places], own, times, shown.inside, apart_s=APART_S) if probes else NOBODY
        searches[kind] = found
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
    seen = {kind: _probes(sampled, kind) for kind in _PROBED}
    parts: dict[_Kind, list[Search]] = {kind: [] for kind in _PROBED}
    for fold in folds:
        learnt = _spread(own, np.flatnonzero(fold.learnt), each)
        probes = {kind: _known(chips[at] for at in np.flatnonzero(fold.probed)) for kind, chips in seen.items()}
        together = fisher_search([chip for chips in probes.values() for chip in chips], learnt, others)
        for kind, found in zip(_PROBED, parted(together, [len(chips) for chips in probes.values()]), strict=True):
            parts[kind].append(found)
    how = f"Fisherfaces of the face alone, nearest of {each} pictures each of {len(others)} strangers and the subject"
    return _judged(name, how, {kind: joined(parts[kind]) for kind in _PROBED})


def _probes(samples: Sequence[SampledFaces], kind: _Kind) -> list[Image | None]:
    """One a sampled frame, None where there is none of this kind."""
    if kind == "imitated":
        return [chip for one in samples for chip in one.inside_imitated or [None] * len(one.times_s)]
    return list(_chips(samples, kind))


def _known(chips: Iterable[Image | None]) -> list[Image]:
    return [chip for chip in chips if chip is not None]


def _chips(samples: Sequence[SampledFaces], of: Of) -> list[Image]:
    return [chip for one in samples for chip in one.inside.get(of, [])]


def _spread(chips: Sequence[Image], places: NDArray[np.intp], most: int) -> list[Image]:
    """At most `most` of the chips at these places, spread evenly."""
    return [chips[places[at]] for at in evenly(len(places), most)]
