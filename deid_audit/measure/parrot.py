"""A3, the parrot: an attacker who imitates the swap, learns people from the imitations, and names who was released.

Parrot recognition (Newton, Sweeney and Malin 2005) learns from pictures that were protected as the release was. A run
releases one subject, so that no other person's release is at hand: strangers can only be swapped as an outsider swaps,
with the donor's mean face. To learn the subject from the *release* and strangers from *imitations* would tell two ways
of swapping apart, not people, and would always succeed. So everybody, the subject too, is learnt from imitations, and
the release is only probed.

Under the mask of an imitation nothing of a person is left but movement and outline. Yet on sample clips imitations
found thirteen people again, each among fourteen strangers, with a chance of 0.96 to 1, from clip to clip of one
session, too, and of 0.92 to 1 with everything around the face filled in: outline, light, colour and pose do it, and it
is no leak of the face. So there is a second control beside the unprotected face: where either learner finds imitations
of held-out frames as well, the attack is no test of the face, and says so. Takes features made elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.gallery_attack import (
    Search,
    bounds_over_people,
    excess,
    gallery_words,
    joined,
    nearer,
    no_test,
    parted,
    ranked,
    reach,
)
from deid_audit.measure.intervals import Clusters, Statistics, bootstrap, clusters_of
from deid_audit.measure.inversion import NOT_HERE
from deid_audit.measure.learning import LEARNERS, Fold, folds_of, pictures_each, too_few
from deid_audit.measure.sampled import SampledFaces, Strangers, evenly

AUC, RANK1, EXCESS, IMITATED = (f"attack.parrot.{name}" for name in ("auc", "rank1", "excess", "imitated"))
NO_TEST_OF_THE_FACE = "finds the subject where nothing of the face is left, so it is no test of the face"
MOST_OF_THE_IMITATED = 0.8  # from here on discrimination is called excellent (Hosmer and Lemeshow)
METHOD_TEXT = (
    "A3, the parrot: an intruder without this run's weights has pictures of people whose names are known, swaps all of "
    "them to the donor's posed mean face, learns from these imitations who is who (nearest neighbour, and linear "
    "discriminant analysis, on dlib's descriptors; the stronger counts), and asks that of the released frames. The "
    "subject is learnt from other videos than the one in question, or, where there is one, from the other half of its "
    "time; everybody from as many pictures. No released frame is learnt: a run releases one subject, and beside "
    "imitations of strangers a learner would tell ways of swapping apart, not people. Two controls: the same with "
    "unprotected faces must find the subject; and imitations of held-out frames, under whose mask nothing of the face "
    f"is left, must not, by either learner, with a chance above {MOST_OF_THE_IMITATED}, or outline, light, colour, "
    "hair and pose tell the subject, and it is no test of the face. It does not see what only a trained swap leaves of "
    "a face. Not tried: "
    "releases of several people by models of their own."
)
_DESCRIPTOR = 128
_MOST_LEARNT = 16
_LEAST_PROBES = 5

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Subject:
    """Descriptors (n, 128) of the subject's sampled frames, all videos one after the other; NaN where there is none."""

    original: Rows
    reencoded: Rows
    imitated: Rows
    released: Rows
    times_s: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Stranger:
    """A stranger's pictures, as they are and imitated: (k, 128) and (j, 128)."""

    original: Rows
    imitated: Rows

    @property
    def count(self) -> int:
        """How many can be learnt either way."""
        return min(len(self.original), len(self.imitated))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Heard:
    """What one learner makes of the released frames, of their imitations, and of unprotected ones."""

    name: str
    released: Search
    imitated: Search
    unprotected: Search

    @property
    def lost(self) -> str:
        """Why it is no test at all; empty when it is one."""
        return no_test({"null_edit": nearer(self.unprotected)} if len(self.unprotected.own) else {})

    @property
    def because(self) -> str:
        """Why it is no test of the face; empty when it is one."""
        tells = nearer(self.imitated)
        if self.lost or tells <= MOST_OF_THE_IMITATED:
            return self.lost
        return f"{NO_TEST_OF_THE_FACE}: the chance there is {tells:.2f}, of the release {nearer(self.released):.2f}"


def measure_parrot(
    scope: str, members: Sequence[int], sampled: Sequence[SampledFaces], strangers: Strangers
) -> list[Measurement]:
    """`attack.parrot.*` of the videos `members`; `sampled` are all of the subject's."""
    if strangers.not_swapped_because:
        return _without(scope, f"{NOT_HERE}: {strangers.not_swapped_because}")
    subject, folds = _subject(sampled), folds_of([one.times_s for one in sampled], members)
    able = _finite(subject.original) & _finite(subject.imitated)
    fewest = min((int((fold.learnt & able).sum()) for fold in folds), default=0)
    people = _strangers(strangers)
    each = pictures_each(fewest, [one.count for one in people], _MOST_LEARNT)
    if not each:
        return _without(scope, too_few(fewest, [one.count for one in people]))
    places = np.concatenate([np.flatnonzero(fold.probed & _finite(subject.released)) for fold in folds])
    control = sum(int((fold.probed & _finite(subject.imitated)).sum()) for fold in folds)
    if min(len(places), control) < _LEAST_PROBES:
        return _without(scope, f"{len(places)} sampled released frames and {control} imitations could be described")
    learnt = [one for one in people if one.count >= each]
    heard = [_hear(name, subject, able, folds, learnt, each) for name in LEARNERS]
    pictures = f"learnt from {each} imitations each of {len(learnt)} strangers and the subject"
    split = "other videos" if len(sampled) > 1 else "the other half of the one video"
    methods = {one.name: gallery_words(strangers, f"{one.name}, {pictures}, of {split}") for one in heard}
    return _measured(scope, heard, methods, _clusters(subject, members, places))


def _without(scope: str, because: str) -> list[Measurement]:
    return [not_measured(name, "swapped", scope, because) for name in (AUC, RANK1, EXCESS, IMITATED)]


def _finite(rows: Rows) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(rows).all(axis=1))


def _rows(rows: Float | None, count: int) -> Rows:
    """The descriptors among features (n, d), NaN where nothing was made."""
    if rows is None or len(rows) != count:
        return np.full((count, _DESCRIPTOR), np.nan)
    return rows[:, :_DESCRIPTOR].astype(np.float64)


def _subject(sampled: Sequence[SampledFaces]) -> _Subject:
    counts = [len(one.times_s) for one in sampled]

    def of(rows: Sequence[Float | None]) -> Rows:
        return np.concatenate([_rows(one, count) for one, count in zip(rows, counts, strict=True)])

    return _Subject(
        original=of([one.described.get("original") for one in sampled]),
        reencoded=of([one.described.get("reencoded") for one in sampled]),
        imitated=of([one.imitated for one in sampled]),
        released=of([one.released for one in sampled]),
        times_s=tuple(one.times_s for one in sampled),
    )


def _strangers(strangers: Strangers) -> list[_Stranger]:
    found = []
    for original, swapped in zip(strangers.rows, strangers.swapped, strict=False):
        rows, imitated = _rows(original, len(original)), _rows(swapped, len(swapped))
        found.append(_Stranger(original=rows[_finite(rows)], imitated=imitated[_finite(imitated)]))
    return found


def _hear(
    name: str,
    subject: _Subject,
    able: NDArray[np.bool_],
    folds: Sequence[Fold],
    strangers: Sequence[_Stranger],
    each: int,
) -> _Heard:
    learner, parts = LEARNERS[name], []
    imitations = [_spread(one.imitated, each) for one in strangers]
    originals = [_spread(one.original, each) for one in strangers]
    for fold in folds:
        own = fold.learnt & able
        probes = [rows[fold.probed & _finite(rows)] for rows in (subject.released, subject.imitated, subject.reencoded)]
        protected = learner(np.concatenate(probes[:2]), [_spread(subject.imitated[own], each), *imitations])
        unprotected = learner(probes[2], [_spread(subject.original[own], each), *originals])
        parts.append([*parted(protected, [len(probes[0]), len(probes[1])]), unprotected])
    released, imitated, unprotected = (joined(kind) for kind in zip(*parts, strict=True))
    return _Heard(name=name, released=released, imitated=imitated, unprotected=unprotected)


def _spread(rows: Rows, most: int) -> Rows:
    return rows[evenly(len(rows), most)]


def _clusters(subject: _Subject, members: Sequence[int], places: NDArray[np.intp]) -> Clusters:
    """The clusters of the probes, which are frames at `places` of all: seconds of one video, else videos."""
    starts = np.cumsum([0, *(len(times) for times in subject.times_s)])
    known = clusters_of([subject.times_s[at] for at in members])
    labels = np.full(starts[-1], -1, np.intp)
    labels[np.concatenate([np.arange(starts[at], starts[at + 1]) for at in members])] = known.labels
    return Clusters(labels=labels[places], unit=known.unit)


def _measured(scope: str, heard: Sequence[_Heard], methods: dict[str, str], clusters: Clusters) -> list[Measurement]:
    able = [one for one in heard if not one.lost]
    if not able:
        return _without(scope, heard[0].lost)
    told = max(able, key=lambda one: nearer(one.imitated))
    beside = measured(
        IMITATED, "swapped", scope, nearer(told.imitated), sample_size=len(told.imitated.own),
        method=methods[told.name], detail={"released": nearer(told.released), "null_edit": nearer(told.unprotected)},
        interval=bounds_over_people(told.imitated).of("auc"),
    )  # fmt: skip
    if told.because:  # another learner's low number would mean no more than that it learns less
        because, method = told.because, methods[told.name]
        return [
            *(not_measured(name, "swapped", scope, because, method=method) for name in (AUC, RANK1, EXCESS)),
            beside,
        ]
    best = max(able, key=lambda one: (reach(one.released), nearer(one.released)))
    rest = "".join(f"; {one.name}: {one.lost or 'weaker'}" for one in heard if one is not best)
    method, people, count = methods[best.name] + rest, best.released.people, len(best.released.own)
    first = ranked(best.released, 1)
    detail = {
        "people": float(people),
        "null_edit": nearer(best.unprotected),
        "imitated": nearer(best.imitated),
        **{f"{one.name}: chance": nearer(one.released) for one in able},
    }

    def statistics(drawn: NDArray[np.intp]) -> Statistics:
        rate = float(first[drawn].mean())
        return {RANK1: rate, EXCESS: excess(rate, people)}

    bounds, rate = bootstrap(statistics, clusters), float(first.mean())
    by_guessing = {"by_guessing": 1 / (people + 1)}
    return [
        measured(
            AUC, "swapped", scope, nearer(best.released), sample_size=count, method=method, detail=detail,
            interval=bounds_over_people(best.released).of("auc"),
        ),
        *(
            measured(
                name, "swapped", scope, value, sample_size=count, method=method, detail=by_guessing,
                interval=bounds.of(name),
            )
            for name, value in ((RANK1, rate), (EXCESS, excess(rate, people)))
        ),
        beside,
    ]  # fmt: skip
