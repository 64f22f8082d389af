"""Attacks on the released face: several recognisers search a gallery of the subject and strangers for it.

Takes descriptors and chips that were made elsewhere. Each attack gives the chance that the subject is taken for nearer
than a stranger, with its control; the strongest of them is what a policy gates, never an average.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import SUBJECT_SCOPE, Measurement, Of, measured, not_measured, video_scope
from deid_audit.frames import Float
from deid_audit.measure import gallery_attack
from deid_audit.measure.controls import rows_of
from deid_audit.measure.gallery_attack import (
    LEAST_FOR_FPIR,
    LEAST_STRANGERS,
    NO_TEST,
    Search,
    bounds_over_people,
    gallery_words,
    lacking,
    mean_distance,
    nearer,
    no_test,
    search,
)
from deid_audit.measure.identity import MATCH_CUT, VideoDescriptors, described, original_rows
from deid_audit.measure.inversion import METHOD_TEXT as INVERSION_METHOD
from deid_audit.measure.inversion import NOT_HERE, measure_inversion
from deid_audit.measure.parrot import METHOD_TEXT as PARROT_METHOD
from deid_audit.measure.parrot import NO_TEST_OF_THE_FACE, measure_parrot
from deid_audit.measure.sampled import SampledFaces, Strangers, evenly
from deid_audit.measure.texture_attack import METHOD_TEXT as TEXTURE_METHOD
from deid_audit.measure.texture_attack import measure_texture

TEMPLATE_FRAMES = (1, 4, 16, 64)
_MOST_PROBES = 2000
_LEAST_PROBES = 5
NOT_NAMED = "no recogniser was named (--attacker)"
_SEEN_BY_THE_NAMED: tuple[Of, ...] = ("original", "swapped", "reencoded")
_SIZES = ", ".join(map(str, TEMPLATE_FRAMES))
METHOD_TEXT = (
    "Attacks: an intruder has a gallery of the subject and of strangers and searches it with what was released; "
    "the number is the chance that the subject is nearer than a stranger (0.5 tells nothing, 1 gives the "
    "subject away), a person's distance being the mean over their pictures. A0: dlib's descriptor of the "
    f"swapped frames (at most 2000, spread evenly). A2: averages over {_SIZES} and all consecutive frames, the worst "
    f"of them. {TEXTURE_METHOD} And the recogniser that the user named, if any. A5, outside the mask, is measured "
    "beside them against the people of these videos and does not compete. The subject's own pictures are of the same "
    "videos, camera and light, which makes every attack look stronger than one with other pictures would be. "
    "Each of A0 to A2 is tried on the re-encoded original first: one that finds the subject there with a chance "
    "below 0.9 is no test and takes no part. For A0 the donor's own face before the swap stands beside it "
    "(likeness that the swap did not bring). The attack whose interval reaches highest counts. Insider: the "
    "subject's decoder, before it was destroyed, applied to the released face: what destroying it takes away. "
    f"{PARROT_METHOD} {INVERSION_METHOD}"
)
_HOW = {
    "descriptor": "dlib 128-D, mean L2 to a person's pictures; swapped frames, at most 2000",
    "templates": "dlib 128-D, mean L2 to a person's pictures; averages of consecutive swapped frames, the worst size",
}


def measure_attacks(
    videos: Sequence[VideoDescriptors],
    sampled: Sequence[SampledFaces],
    donor: Float,
    strangers: Strangers,
    *,
    attacker: str = "",
) -> list[Measurement]:
    """Every attack on every video, and on all together; `donor` float32 (m, 128) for the control.

    `attacker` says what the recogniser is that the user named; empty without one.
    """
    out: list[Measurement] = []
    scopes = [(video_scope(at), [at - 1]) for at in range(1, len(videos) + 1)]
    if len(videos) > 1:
        scopes.append((SUBJECT_SCOPE, list(range(len(videos)))))
    own = original_rows(videos)
    for scope, members in scopes:
        those, samples = [videos[at] for at in members], [sampled[at] for at in members]
        out += _floor(scope, those, strangers)
        found = [
            *_descriptor(scope, those, samples, own, donor, strangers),
            _templates(scope, those, samples, own, strangers),
            measure_texture(scope, members, sampled, strangers),
            _model(scope, samples, strangers, attacker),
            measure_inversion(scope, samples, own, strangers),
            *measure_parrot(scope, members, sampled, strangers),
        ]
        out += [*found, *_insider(scope, samples)]
    return out


def strongest(measurements: Sequence[Measurement]) -> list[Measurement]:
    """The attack on the face that may be the best in each scope: by the upper end of its interval.

    Without an interval if one of the attacks has none, and not measured if one of them should have been made and was
    not. What does not find the unprotected face, or finds what is no face, is no test and takes no part. A5
    (`identity.outside.auc`) is not among them: its strangers are the people of these videos, often the donor alone.
    """
    out = []
    for scope in dict.fromkeys(row.scope for row in measurements if row.metric == "attack.descriptor.auc"):
        rows = [row for row in measurements if row.scope == scope and row.metric in _COMPETING]
        known = [row for row in rows if row.value is not None]
        reasons = [(row.metric, row.not_measured_because) for row in rows if row.not_measured_because is not None]
        rest = (NOT_NAMED, NO_TEST, NO_TEST_OF_THE_FACE, NOT_HERE)
        gaps = [f"{metric}: {because}" for metric, because in reasons if not because.startswith(rest)]
        if gaps or not known:
            because = gaps[0] if gaps else f"{reasons[0][0]}: {reasons[0][1]}"
            out.append(not_measured("attack.strongest.auc", "swapped", scope, because))
            continue
        without = [row for row in known if row.interval is None]
        worst = max(without or known, key=_reach)
        out.append(
            measured(
                "attack.strongest.auc",
                "swapped",
                scope,
                worst.value or 0.0,
                sample_size=worst.sample_size,
                method=f"{worst.metric}: {worst.method}",
                detail={row.metric: row.value or 0.0 for row in known}
                | {name: worst.detail[name] for name in _CONTROLS if name in worst.detail},
                interval=(worst.interval, worst.no_interval_because),
            )
        )
    return out


def _reach(row: Measurement) -> float:
    """How far up an attack may reach: the upper end of its interval, without one its value."""
    return row.interval.high if row.interval is not None else row.value or 0.0


_CONTROLS = ("null_edit", "donor_before_swap", "imitated")
_COMPETING = tuple(
    f"attack.{name}.auc" for name in ("descriptor", "templates", "texture", "model", "parrot", "inversion")
)


def _probes(videos: Sequence[VideoDescriptors]) -> Float:
    """At most 2000 described swapped frames, spread evenly."""
    rows = np.concatenate([described(video.swapped[video.subject_swapped]) for video in videos])
    return np.asarray(rows[evenly(len(rows), _MOST_PROBES)])


def _floor(scope: str, videos: Sequence[VideoDescriptors], strangers: Strangers) -> list[Measurement]:
    """The stranger floor: how far the released face stands from other people's average originals."""
    name, because = "identity.to_strangers.mean", lacking(strangers)
    probes = _probes(videos)
    if because or not len(probes):
        return [not_measured(name, "swapped", scope, because or "no swapped frame could be described")]
    people = np.array([mean_distance(probes, rows).mean() for rows in strangers.rows])
    detail = {"nearest_stranger": float(people.min()), "people": float(len(people))}
    return [
        measured(
            name, "swapped", scope, float(people.mean()), sample_size=len(probes), detail=detail,
            method=gallery_words(strangers, _HOW["descriptor"]),
        )
    ]  # fmt: skip


def _descriptor(
    scope: str,
    videos: Sequence[VideoDescriptors],
    samples: Sequence[SampledFaces],
    own: Float,
    donor: Float,
    strangers: Strangers,
) -> list[Measurement]:
    names = ("auc", "rank1", "rank5", "excess", "fnir")
    probes, because = _probes(videos), lacking(strangers)
    if not because and (len(probes) < _LEAST_PROBES or not len(own)):
        because = f"{len(probes)} swapped frames and {len(own)} originals could be described"
    if because:
        return [not_measured(f"attack.descriptor.{name}", "swapped", scope, because) for name in names]
    people = strangers.rows
    found = search(probes, own, people)
    detail = {"people": float(found.people), "to_own_mean": float(found.own.mean())}
    controls = {"null_edit": rows_of(samples, "reencoded"), "donor_before_swap": described(donor)}
    controls |= {"blurred": rows_of(samples, "blurred"), "pixelated": rows_of(samples, "pixelated")}
    detail |= {name: nearer(search(rows, own, people)) for name, rows in controls.items() if len(rows)}
    method = gallery_words(strangers, _HOW["descriptor"])
    if because := no_test(detail):
        return [not_measured(f"attack.descriptor.{name}", "swapped", scope, because, method=method) for name in names]
    first = gallery_attack.rank_rate(found, 1)
    values: Mapping[str, float] = {
        "auc": nearer(found),
        "rank1": first,
        "excess": gallery_attack.excess(first, found.people),
    }
    bounds = bounds_over_people(found)
    out = [
        measured(
            f"attack.descriptor.{name}", "swapped", scope, value, sample_size=len(probes), method=method, detail=detail,
            interval=bounds.of("auc") if name == "auc" else (None, ""),
        )
        for name, value in values.items()
    ]  # fmt: skip
    least_for_five = 2 * 5
    if found.people < least_for_five:
        because = f"{found.people} strangers; rank 5 says nothing below {least_for_five}"
        out.append(not_measured("attack.descriptor.rank5", "swapped", scope, because, method=method))
    else:
        fifth = gallery_attack.rank_rate(found, 5)
        out.append(measured("attack.descriptor.rank5", "swapped", scope, fifth, sample_size=len(probes), method=method))
    return [*out, _fnir(scope, found, people, method)]


def _fnir(scope: str, found: Search, people: Sequence[Float], method: str) -> Measurement:
    name = "attack.descriptor.fnir"
    if found.people < LEAST_FOR_FPIR:
        because = (
            f"{found.people} strangers; a false alarm rate of {gallery_attack.FPIR} needs at least {LEAST_FOR_FPIR}"
        )
        return not_measured(name, "swapped", scope, because, method=method)
    between = np.array([[mean_distance(rows, other).mean() for other in people] for rows in people])
    np.fill_diagonal(between, np.inf)
    rate = gallery_attack.false_negative_rate(found, between)
    return measured(
        name, "swapped", scope, rate, sample_size=len(found.own), method=method, detail={"fpir": gallery_attack.FPIR}
    )


def _templates(
    scope: str, videos: Sequence[VideoDescriptors], samples: Sequence[SampledFaces], own: Float, strangers: Strangers
) -> Measurement:
    name, because = "attack.templates.auc", lacking(strangers)
    rows = [described(video.swapped[video.subject_swapped]) for video in videos]
    if not because and (not any(len(one) for one in rows) or not len(own)):
        because = "no swapped frame, or no original, could be described"
    if because:
        return not_measured(name, "swapped", scope, because)
    people = strangers.rows
    detail: dict[str, float] = {}
    if len(edited := rows_of(samples, "reencoded")):
        detail["null_edit"] = nearer(search(averages(edited, None), own, people))
    if because := no_test(detail):
        return not_measured(name, "swapped", scope, because, method=gallery_words(strangers, _HOW["templates"]))
    worst: tuple[float, Search] | None = None
    for size in (*TEMPLATE_FRAMES, None):
        templates = np.concatenate([averages(one, size) for one in rows if len(one)])
        found = search(templates[:: max(1, -(-len(templates) // _MOST_PROBES))], own, people)
        value, label = nearer(found), "all frames" if size is None else f"{size} frames"
        detail |= {f"{label}: chance": value, f"{label}: nearest to the subject": float(found.own.min())}
        detail[f"{label}: share within {MATCH_CUT}"] = float((found.own < MATCH_CUT).mean())
        if worst is None or value > worst[0]:
            worst = (value, found)
    assert worst is not None  # there is at least one size
    return measured(
        name, "swapped", scope, worst[0], sample_size=len(worst[1].own), detail=detail,
        method=gallery_words(strangers, _HOW["templates"]),
        interval=bounds_over_people(worst[1]).of("auc"),
    )  # fmt: skip


def averages(rows: Float, size: int | None) -> Float:
    """Averages of each `size` consecutive rows (n, d), a shorter rest left out unless it is all; None: of all.

    >>> averages(np.array([[1.0], [3.0], [9.0]], np.float32), 2).ravel().tolist()
    [2.0]
    """
    if size is None or len(rows) < size:
        return np.asarray(rows.mean(axis=0, keepdims=True))
    whole = len(rows) // size * size
    return np.asarray(rows[:whole].reshape(-1, size, rows.shape[1]).mean(axis=1))


def _model(scope: str, samples: Sequence[SampledFaces], strangers: Strangers, attacker: str) -> Measurement:
    """The recogniser that the user named."""
    name, shown = "attack.model.auc", strangers.with_chips()
    because = NOT_NAMED if not attacker else lacking(shown)
    if because:
        return not_measured(name, "swapped", scope, because, method=attacker)
    rows = {of: _finite([one.attacker[of] for one in samples if of in one.attacker]) for of in _SEEN_BY_THE_NAMED}
    people = [one for one in (_finite([one]) for one in shown.attacker) if len(one)]
    if min(len(one) for one in rows.values()) < _LEAST_PROBES or len(people) < LEAST_STRANGERS:
        because = "too few faces that this recogniser could describe"
        return not_measured(name, "swapped", scope, because, method=attacker)
    found = search(rows["swapped"], rows["original"], people)
    null_edit = nearer(search(rows["reencoded"], rows["original"], people))
    detail = {"people": float(found.people), "null_edit": null_edit}
    if because := no_test(detail):
        return not_measured(name, "swapped", scope, because, method=attacker)
    return measured(
        name, "swapped", scope, nearer(found), sample_size=len(found.own), method=attacker,
        detail=detail, interval=bounds_over_people(found).of("auc"),
    )  # fmt: skip


def _finite(rows: Sequence[Float]) -> Float:
    return described(np.concatenate(rows)) if rows else np.empty((0, 0), np.float32)


def _insider(scope: str, samples: Sequence[SampledFaces]) -> list[Measurement]:
    """How near the subject's decoder brings the released face to its original, before it was destroyed."""
    name, method = "attack.insider.match_rate", "the subject's decoder on the released face, dlib 128-D, L2"
    pairs: list[NDArray[np.float64]] = [np.empty((0, 2))]
    for one in samples:
        if len(one.rebuilt):
            original = one.described["original"].astype(np.float64)
            both = [np.linalg.norm(rows - original, axis=1) for rows in (one.rebuilt, one.unaided)]
            pairs.append(np.column_stack(both))
    distances = np.concatenate(pairs)
    distances = distances[np.isfinite(distances).all(axis=1)]
    if len(distances) < _LEAST_PROBES:
        because = "no model of this run to try, or fewer than 5 frames"
        return [not_measured(name, "swapped", scope, because, method=method)]
    with_model, without = (distances < MATCH_CUT).mean(axis=0)
    detail = {
        "cut": MATCH_CUT,
        "without_the_model": float(without),
        "mean_distance": float(distances[:, 0].mean()),
        "mean_distance_without": float(distances[:, 1].mean()),
    }
    rate = float(with_model)
    return [measured(name, "swapped", scope, rate, sample_size=len(distances), method=method, detail=detail)]
