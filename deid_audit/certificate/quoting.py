"""What the tool itself can say to a board's question: values of the worst video, counts and records, as text.

Between the case record and `questions`; no answer of the steward is read here, so none can appear as measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from deid_audit.catalog import METRICS
from deid_audit.certificate import wording
from deid_audit.certificate.strings import TALLY_WORDS
from deid_audit.findings import CaseRecord, Measurement, Of, Outcome

_VIDEO = "video "


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What was measured or recorded, and what could have been and was not; both may be empty."""

    measured: str = ""
    missing: str = ""


Measure = Callable[[CaseRecord], Quote]


def worst(*asked: tuple[str, str], of: Of = "swapped", text: str = "") -> Measure:
    """Quotes metrics, given as (metric, words), each of its worst video; `text` goes before the values."""
    return lambda case: _of_worst(case, asked, of, text)


def _of_worst(case: CaseRecord, asked: Sequence[tuple[str, str]], of: Of, text: str) -> Quote:
    values, gaps = [], []
    for metric, words in asked:
        rows = [row for row in case.measurements if row.metric == metric and row.of == of]
        rows = [row for row in rows if row.scope.startswith(_VIDEO)] or rows
        known = [row for row in rows if row.value is not None]
        # that the original has nothing of the kind was looked for: it is a finding and no gap
        absent = [wording.missing(row) for row in rows if row.absent]
        silent = [wording.missing(row) for row in rows if row.value is None and not row.absent]
        if known or absent:
            values.append(f"{words}: {_value(metric, known) if known else absent[0]}")
        if silent or not rows:
            gaps.append(f"{words}: {silent[0] if silent else 'not measured'}")
    return Quote(
        measured=f"{text}{'; '.join(values)}." if values else "", missing=f"{'; '.join(gaps)}." if gaps else ""
    )


def looked(case: CaseRecord) -> Quote:
    """How many people looked at the videos before they were judged, and how many frames one of them cleared."""
    readers = _of_worst(case, (("review.readers", "who looked at the videos before they were judged"),), "run", "")
    cleared = _of_worst(case, (("coverage.reviewed", "cleared by a person, in the ledger"),), "swapped", "")
    parts = (readers, cleared)
    return Quote(
        measured=" ".join(one.measured for one in parts if one.measured),
        missing=" ".join(one.missing for one in parts if one.missing),
    )


def rows_of_worst(case: CaseRecord, metric: str) -> tuple[Measurement | None, list[Measurement]]:
    """A metric's row of the worst video of all that have a value, and the rows of those that have none.

    Rows of all videos together or of the run count only for a metric that no video has; without any value, a row
    without one.
    """
    rows = [row for row in case.measurements if row.metric == metric and row.of == "swapped"]
    rows = [row for row in rows if row.scope.startswith(_VIDEO)] or rows
    known = [row for row in rows if row.value is not None]
    gaps = [row for row in rows if row.value is None]
    if not known:
        return (gaps[0] if gaps else None), gaps
    sign = -1 if METRICS[metric].higher_is_better else 1
    return max(known, key=lambda row: sign * (row.value or 0.0)), gaps


def _value(metric: str, rows: Sequence[Measurement]) -> str:
    """The worst value; of a metric without a better side the span of all."""
    ordered = sorted((row for row in rows if row.value is not None), key=lambda row: row.value or 0.0)
    values = [row.value for row in ordered if row.value is not None]
    better = METRICS[metric].higher_is_better
    if better is not None:
        row = ordered[0 if better else -1]
        sure = "" if row.interval is None else f" (95 % interval {wording.interval(row)})"
        return wording.number(metric, values[0] if better else values[-1]) + sure
    span = dict.fromkeys(wording.number(metric, value) for value in (values[0], values[-1]))
    return " to ".join(span)


def files(case: CaseRecord) -> Quote:
    videos = "; ".join(
        f"{one.label}: {one.width} × {one.height} px, {one.frame_count} frames, {one.duration_s:.2f} s, {one.codec}"
        for one in case.rendered
    )
    return Quote(measured=f"{len(case.outputs)} files by SHA-256 in {wording.annex('files')}. {videos}.")


def signatory(case: CaseRecord) -> Quote:
    issuer = "" if case.signer.verified_issuer else ", by a key made on the spot: the name proves nothing"
    return Quote(measured=f"Signed as {case.signer.name}{issuer}. Fingerprint on the first page.")


def threshold(case: CaseRecord) -> Quote:
    outcomes = [finding.outcome for finding in case.verdict.findings]
    tally = ", ".join(f"{outcomes.count(one)} {words.lower()}" for one, words in TALLY_WORDS.items() if one in outcomes)
    where = wording.annex("rules")
    text = f"Every limit with its observed value in {where}: of {len(outcomes)} rules {tally}."
    text += " n = 1 subject was examined"
    if case.verdict.outcome is Outcome.PASSED:
        bound = 100 * wording.failure_bound(1)
        text += f", without a failure: the rate among subjects may be up to {bound:.0f} % (1 − 0.05^(1/n))"
    return Quote(measured=f"{text}.")


def marking(case: CaseRecord) -> Quote:
    notice = any(output.role == "readme" for output in case.outputs)
    said = ["README.txt among the released files says how the faces were changed."] if notice else []
    unsaid = [] if notice else ["No file is released, so none carries a notice."]
    if case.media_mark is not None:
        said.append(f"Every video carries a machine-readable mark: {wording.annex('files')}.")
    elif case.kind in ("audit", "reviewed"):
        unsaid.append("Whether the videos carry a machine-readable mark.")
    else:
        unsaid.append("No machine-readable mark was written into the videos.")
    return Quote(measured=" ".join(said), missing=" ".join(unsaid))


def donors(case: CaseRecord) -> Quote:
    if not case.donors:
        return Quote(missing="No donor was given.")
    return Quote(measured=f"Donor videos: {len(case.donors)}, named by keyed digest in {wording.annex('files')}.")


def people(case: CaseRecord) -> Quote:
    regions = sum(video.regions for video in case.ledger.videos)
    rows = (
        ("residue.unaccounted_faces", "found in the written file and not accounted for"),
        ("coverage.undecided", "undecided"),
    )
    found = _of_worst(case, rows, "swapped", f"{regions} face regions in the ledger, each with what was done; ")
    seen = (("audit.smallest_face_px", "Smallest upright face that this audit finds in 9 of 10 cases"),)
    audit = _of_worst(case, seen, "run", " ")
    return Quote(
        measured=found.measured + audit.measured, missing=" ".join(filter(None, (found.missing, audit.missing)))
    )


_GROUPS = (("unfamiliar", "who do not know the subject"), ("familiar", "who know the subject"))


def people_looked(case: CaseRecord) -> Quote:
    """How often people found the subject in line-ups, each group apart, beside guessing; or that no test was done."""
    rows = {row.metric: row for row in case.measurements if row.metric.startswith("viewers.")}
    said, unsaid = [], []
    for group, who in _GROUPS:
        found, rank = (rows.get(f"viewers.{group}_{what}") for what in ("rank1", "mean_rank"))
        if found is None or found.value is None or rank is None:
            unsaid.append(f"viewers {who}: {'not done' if found is None else wording.missing(found)}")
            continue
        said.append(
            f"{found.sample_size} viewers {who} ranked them first in {_value(found.metric, [found])} of "
            f"{found.detail['line_ups']:.0f} line-ups of {found.detail['pictures']:.0f} pictures (by guessing "
            f"{wording.number(found.metric, found.detail['by_chance'])}), mean rank {_value(rank.metric, [rank])}"
            + (f"; no interval: {found.no_interval_because}" if found.interval is None else "")
        )
    control = rows.get("viewers.control_rank1")
    if said and control is not None and control.value is not None:
        said.append(f"a person whose face is not hidden was found by {wording.number(control.metric, control.value)}")
    elif said and control is not None:
        unsaid.append(control.not_measured_because or "")
    return Quote(
        measured=f"A test by people: {'; '.join(said)}." if said else "",
        missing=f"A test by people: {'; '.join(unsaid)}." if unsaid else "",
    )


def both(first: Measure, second: Measure) -> Measure:
    """What the two measures quote, one after the other."""

    def quoted(case: CaseRecord) -> Quote:
        one, two = first(case), second(case)
        return Quote(
            measured=" ".join(filter(None, (one.measured, two.measured))),
            missing=" ".join(filter(None, (one.missing, two.missing))),
        )

    return quoted


_SOUND = {0: "no sound", 1: "sound with the voice masked", 2: "sound as it was, with the voice of its speakers"}


def voice(case: CaseRecord) -> Quote:
    """What sound and text the written files carry, and what was measured of a voice that is released."""
    streams = _of_worst(
        case,
        (
            ("residue.audio_streams", "streams that were not asked for"),
            ("text.regions_left", "lines of standing text that the search still finds"),
        ),
        "swapped",
        "",
    )
    sounds = [row for row in case.measurements if row.metric == "voice.sound" and row.value is not None]
    if not sounds:
        return streams
    text = "; ".join(f"{row.scope}: {_SOUND[round(row.value or 0)]}" for row in sounds) + "; "
    if not any(row.value for row in sounds):
        return Quote(measured=text + streams.measured, missing=streams.missing)
    heard = _of_worst(
        case,
        (
            ("voice.distance", "distance to the original's voice"),
            ("voice.same_wave", "share still the original's wave"),
            ("voice.envelope_r", "loudness over time, r"),
        ),
        "swapped",
        " ",
    )
    halves = _of_worst(case, (("voice.distance", "Between the original voice's own halves"),), "original", " ")
    content = " What is said is not anonymised."
    missing = " ".join(filter(None, (streams.missing, heard.missing)))
    return Quote(measured=text + streams.measured + heard.measured + halves.measured + content, missing=missing)


def destruction(case: CaseRecord) -> Quote:
    record = case.erasure
    if not record.checks:
        return Quote(missing="No check was made after the destruction.")
    held = sum(check.holds for check in record.checks)
    notes = " Face descriptors were kept, encrypted, by request." if record.references_kept else ""
    notes += " This is about the audit's own data only." if case.kind in ("audit", "reviewed") else ""
    return Quote(
        measured=f"{len(record.artefacts)} registered artefacts; {held} of {len(record.checks)} checks made after "
        f"their destruction at {record.destroyed_at} held; see {wording.annex('destruction')}.{notes}"
    )


def repeating(case: CaseRecord) -> Quote:
    return Quote(
        measured=f"Made with deid-audit {case.tool_version}; {len(case.models)} model files by SHA-256, "
        f"{len(case.environment)} facts of software and machine, the settings of {len(case.stages)} stages, and the "
        f"policy (sha256 {case.policy.sha256[:16]}…) are in the attached statement."
    )


def untested(case: CaseRecord) -> Quote:
    return Quote(measured=f"{len(case.not_assessed)} things, listed in {wording.annex('not_assessed')}.")


def pack_words(case: CaseRecord) -> str:
    """What the maker of a donor's pack said of licence and consent: words like the steward's; empty without a pack."""
    for stage in case.stages:
        if "pack_sha256" in stage.settings:
            licence, consent = (stage.settings.get(key) for key in ("licence", "consent"))
            return f"by the donor's pack: licence {licence}; consent {consent}"
    return ""
