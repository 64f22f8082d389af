"""A look across a set whose cases have ended: every released video against every original, and against each other.

With the detectors and the recogniser of `dataset check`, at the same few frames, in the process that seals: what it
describes is on no disk and goes to no worker, and is wiped before the numbers leave. Subjects are called by case id.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from deid_audit.dataset.case import Order
from deid_audit.dataset.record import SMALLEST_GROUP, Identification, Linkability, NearShare, PairTest, WorstSearched
from deid_audit.dataset.sighting import FRAMES, Look, Observer, distance
from deid_audit.findings import CaseRecord
from deid_audit.frames import Float
from deid_audit.measure.across import Searched, resembling_originals, search_across, unprotected_across
from deid_audit.measure.gallery_attack import LEAST_OF_THE_UNPROTECTED, MOST_ENTRIES, NO_TEST
from deid_audit.measure.intervals import share_interval
from deid_audit.measure.linking import MOST_SUBJECTS, MOST_VIDEOS, Linked, chosen, linked, of_shared_donors, pairs_of
from deid_audit.measure.sampled import evenly
from deid_audit.progress import Progress
from deid_audit.vision.recognizer import MATCH_DISTANCE

_LIMITS = (
    f"Faces in at most {FRAMES} frames of a video, spread evenly, by one recogniser (dlib): other frames, a better "
    "recogniser, one that learns from the release, or anything but the face may tell more. Only people of this set are "
    "in the gallery: with more people a rank falls, with people who are easily told apart it rises."
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Subject:
    """One released subject: faces (k, 128) of their originals, of each released video (p, 128), and the donor's name.

    `original` is empty where nobody could be told to be the subject. The name says only who has the same donor.
    """

    case_id: str
    original: Float
    released: tuple[Float, ...]
    donor: tuple[str, ...]


def look_across(
    orders: Sequence[Order], released: Mapping[str, CaseRecord], *, look: Look | None, progress: Progress
) -> tuple[Identification, Linkability]:
    """The numbers for the set's statement; `orders` are those of the `released` cases, by case id.

    Raises:
        VideoError: an original or a released video cannot be read.
    """
    device = orders[0].settings.device if orders else "auto"
    with Observer(device, look) as observer, progress.step("looking across the set", len(orders)) as step:
        people = []
        for order in orders:
            people.append(_subject(order, released[order.case_id], observer))
            step.advance()
        return identification_of(people), linkability_of(people)


def _subject(order: Order, case: CaseRecord, observer: Observer) -> Subject:
    settings = order.settings
    originals = [
        observer.sight(path, f"{order.label}, video {number}", facts)
        for number, (path, facts) in enumerate(zip(settings.subjects, case.originals, strict=True), start=1)
    ]
    photo = None if settings.subject_photo is None else observer.photo(settings.subject_photo)
    one, _ = observer.the_one_of(originals, photo)
    rows = np.concatenate([seen.descriptors for seen in originals])
    told = one is not None and not settings.subject_tracks  # tracks name whom such a look cannot follow
    mine = [at for at, row in enumerate(rows) if told and one and distance(one.average, row) < MATCH_DISTANCE]
    kept = observer.keep(rows[[mine[at] for at in evenly(len(mine), MOST_ENTRIES)]])
    rows.fill(0)
    films = [film.name for film in case.outputs if film.role == "video"]
    shown = [
        observer.sight(settings.out / case.outputs_folder / name, f"{order.case_id}, released video {number}", facts)
        for number, (name, facts) in enumerate(zip(films, case.rendered, strict=True), start=1)
    ]
    packs = tuple(str(stage.settings["pack_sha256"]) for stage in case.stages if "pack_sha256" in stage.settings)
    return Subject(
        case_id=order.case_id,
        original=kept,
        released=tuple(seen.descriptors for seen in shown),
        donor=packs or tuple(sorted(map(str, settings.donors))),  # of several packs a run takes one
    )


def identification_of(people: Sequence[Subject]) -> Identification:
    """Every released video of these subjects against the originals of all of them."""
    originals = [one.original for one in people]
    videos = [(at, number) for at, one in enumerate(people) for number, rows in enumerate(one.released) if len(rows)]
    found = search_across([(at, people[at].released[number]) for at, number in videos], originals)
    gallery = sum(len(rows) > 0 for rows in originals)
    ranked = [(one, number) for one, (_, number) in zip(found, videos, strict=True) if one.rank and gallery > 1]
    firsts = _by_subject([(one.subject, float(one.rank == 1)) for one, _ in ranked])
    low, high = _ends(firsts)
    worst = min(ranked, key=lambda pair: (pair[0].rank or 0, -pair[0].margin), default=None)
    control = unprotected_across(originals)
    numbers = Identification(
        looked_at=sum(len(one.released) for one in people),
        without_face=sum(not len(rows) for one in people for rows in one.released),
        not_told=len(people) - gallery,
        gallery=gallery,
        searched=len(ranked),
        subjects=len(firsts),
        faces=sum(one.faces for one in found),
        first=sum(one.rank == 1 for one, _ in ranked),
        chance=1 / gallery if gallery > 1 else None,
        rate=_rate(firsts),
        low95=low,
        high95=high,
        unprotected_first=control[0],
        unprotected=control[1],
        worst=None if worst is None else _worst(people, *worst),
        near_own=_near(people, [(one, one.near_own, one.subject) for one in found]),
        near_others=_near(people, [(one, one.near_others, one.like) for one in found] if gallery > 1 else []),
        floor=resembling_originals(originals),
        words="",
    )
    return numbers.model_copy(update={"words": _identification_words(numbers)})


def linkability_of(people: Sequence[Subject]) -> Linkability:
    """Pairs of released videos of one of these subjects against pairs of two, and the same where donors are shared."""
    videos = [[rows for rows in one.released if len(rows)] for one in people]
    several = sum(len(mine) > 1 for mine in videos)
    if not several:
        said = "no subject has two released videos that show a face, so there is nothing to link"
        return Linkability(
            subjects=0, compared=0, all_pairs=None, shared_donors=None, words=f"Linkability within the set: {said}."
        )
    kept = chosen(videos)
    pairs = pairs_of([videos[at] for at in kept])
    fair = of_shared_donors(pairs, [people[at].donor for at in kept])
    numbers = Linkability(
        subjects=several,
        compared=sum(len(videos[at]) > 1 for at in kept),
        all_pairs=_test(linked(pairs)),
        shared_donors=_test(linked(fair)) if fair.same.any() and not fair.same.all() else None,
        words="",
    )
    return numbers.model_copy(update={"words": _linkability_words(numbers)})


def _by_subject(values: Sequence[tuple[int, float]]) -> list[float]:
    """Each subject's mean, in order."""
    of: dict[int, list[float]] = {}
    for subject, value in values:
        of.setdefault(subject, []).append(value)
    return [float(np.mean(mine)) for _, mine in sorted(of.items())]


def _rate(shares: Sequence[float]) -> float | None:
    return float(np.mean(shares)) if len(shares) >= SMALLEST_GROUP else None


def _ends(shares: Sequence[float]) -> tuple[float | None, float | None]:
    """Ends of the interval of the subjects' mean share; each subject is one trial, however many faces are theirs."""
    interval, _ = share_interval(sum(shares), len(shares), "subjects")
    return (None, None) if interval is None else (interval.low, interval.high)


def _worst(people: Sequence[Subject], one: Searched, number: int) -> WorstSearched:
    assert one.rank is not None and one.to_own is not None and one.to_next is not None
    case_id = people[one.subject].case_id
    return WorstSearched(case_id=case_id, video=number + 1, rank=one.rank, to_own=one.to_own, to_next=one.to_next)


def _near(people: Sequence[Subject], found: Sequence[tuple[Searched, float | None, int | None]]) -> NearShare:
    """The share of each video, and whom most of its faces come near."""
    known = [(one.subject, share, like) for one, share, like in found if share is not None]
    shares = _by_subject([(subject, share) for subject, share, _ in known])
    low, high = _ends(shares)
    subject, worst, like = max(known, key=lambda row: row[1], default=(0, 0.0, None))
    of = people[like].case_id if worst and like is not None else None
    return NearShare(
        share=float(np.mean(shares)) if shares else None,
        low95=low,
        high95=high,
        worst_case=people[subject].case_id if of else None,
        worst_share=worst if of else None,
        of_case=of,
    )


def _test(found: Linked) -> PairTest:
    low, high = (None, None) if found.interval is None else (found.interval.low, found.interval.high)
    return PairTest(
        subjects=found.subjects, same=found.same, different=found.different, auc=found.auc, low=low, high=high,
        because=found.because,
    )  # fmt: skip


def _identification_words(found: Identification) -> str:
    said = [f"Identification across the set: {found.looked_at} released videos were looked at"]
    said[0] += f", {found.without_face} of them show no face." if found.without_face else "."
    if found.not_told:
        said.append(f"Of {found.not_told} subjects the look could not tell who they are: they are in no gallery.")
    if found.worst is None:
        said.append("There are not two subjects to tell apart, so no rank is given.")
    else:
        worst = found.worst
        said.append(
            f"{found.first} of {found.searched} lie nearest to their own subject's original, among those of "
            f"{found.gallery} subjects; guessing finds {found.chance:.1%}."
        )
        said.append(
            f"n too small for a rate: {found.subjects} subjects, and it needs {SMALLEST_GROUP}."
            if found.rate is None
            else f"Rank-1 rate {found.rate:.1%} ({found.low95:.1%} to {found.high95:.1%}), over {found.subjects} "
            "subjects."
        )
        said.append(
            f"Worst: {worst.case_id}, video {worst.video}, its own original in place {worst.rank} (distance "
            f"{worst.to_own:.2f}, the nearest other {worst.to_next:.2f})."
        )
        said.append(_control_words(found))
    said.append(_near_words(f"of {found.faces} released faces come within {MATCH_DISTANCE} of", found))
    return " ".join([*said, _LIMITS])


def _control_words(found: Identification) -> str:
    share = found.unprotected_first / found.unprotected if found.unprotected else 0.0
    control = f"Unprotected, {found.unprotected_first} of {found.unprotected} subjects are found first"
    return f"{control}." if share >= LEAST_OF_THE_UNPROTECTED else f"{control}: the search {NO_TEST}."


def _near_words(what: str, found: Identification) -> str:
    own, others = found.near_own, found.near_others
    parts = [f"{_percent(own.share)} {what} an original of their own subject{_at_worst(own)}"]
    if others.share is not None:
        like = f", like {others.of_case}" if others.of_case else ""
        parts.append(f"{_percent(others.share)} of another subject{_at_worst(others)}{like}")
    if found.floor is not None:
        parts.append(f"of the originals themselves {_percent(found.floor)} come so near to another subject's")
    return "; ".join(parts) + "." if found.faces else "No released face was compared."


def _at_worst(near: NearShare) -> str:
    return "" if near.worst_share is None else f" (worst {near.worst_case}, {near.worst_share:.0%})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _linkability_words(found: Linkability) -> str:
    assert found.all_pairs is not None
    said = [
        f"Linkability within the set, by faces: {found.subjects} subjects have several released videos"
        + (f", of whom {found.compared} were compared" if found.compared < found.subjects else "")
        + ".",
        _pair_words("Against pairs of two different subjects", found.all_pairs),
    ]
    if found.shared_donors is None:
        said.append(
            "No donor serves two subjects of whom one has several videos: a donor for each is a pseudonym, by which "
            "videos are linked by design, and there is no fair control."
        )
    else:
        said.append(
            _pair_words("Against pairs of two subjects who share a donor, the fair control", found.shared_donors)
        )
        said.append("What tells these apart is left of the subject, or of camera, light and pose.")
    said.append(
        f"At most {MOST_SUBJECTS} subjects with several videos and as many with one, {MOST_VIDEOS} videos each. "
        "The case id says of all videos of a case that they are of one subject; links by body, movement, "
        "surroundings or sound were not tried."
    )
    return " ".join(said)


def _pair_words(against: str, test: PairTest) -> str:
    counts = f"({test.same} pairs of one subject, {test.different} of two, {test.subjects} subjects)"
    if test.auc is None:
        return f"{against}: {test.because} {counts}."
    interval = f", {test.low:.2f} to {test.high:.2f}" if test.low is not None else f", no interval: {test.because}"
    return f"{against}, a pair of one subject lies nearer with a chance of {test.auc:.2f}{interval} {counts}."
