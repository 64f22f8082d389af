"""The first page: one page whatever the case says, five numbers with their limits, and what was not tested in short."""

import io
from functools import cache
from typing import Any

import pypdf
import pytest

from deid_audit.answers import Answer
from deid_audit.certificate import first_page, wording
from deid_audit.certificate.document import render_certificate
from deid_audit.certificate.strings import ANNEXES, FIVE_NUMBERS, OUTCOME_WORDS, TEXT
from deid_audit.context import FIELDS, LONGEST_ANSWER
from deid_audit.findings import CaseRecord, Interval, JobKind, Measurement, Outcome, SignerInfo, measured
from deid_audit.pipeline.issuing import not_assessed
from deid_audit.policy import judge, load_policy
from tests.fakes import make_case, make_measurement, make_measurements, make_policy, make_rule
from tests.unit.certificates import ISSUED, certified

_WORDS = ("somebody of the unit for clinical research, with a very long title and a name to match; " * 9)[
    :LONGEST_ANSWER
]
_REASON = "no other people: neither in these videos nor given with --strangers, and fewer than 5 of them; " * 3


def squeezed(text: str) -> str:
    return "".join(text.split())


@cache
def pages(case_of: Any) -> list[str]:
    case = case_of()
    pdf = pypdf.PdfReader(io.BytesIO(render_certificate(case, b"{}", [], issued_at=ISSUED)))
    return [page.extract_text() for page in pdf.pages]


def with_policy(
    name: str, rows: tuple[Measurement, ...], context: tuple[Answer, ...] = (), **changes: Any
) -> CaseRecord:
    policy = load_policy(name)
    verdict = judge(rows, policy, context, on=ISSUED.date())
    folder = "release" if verdict.outcome is Outcome.PASSED else "withheld"
    given = {"policy": policy, "measurements": rows, "verdict": verdict, "context": context, "outputs_folder": folder}
    return make_case(**given, figures=(), **changes)


def longest(kind: JobKind = "swap", missing: bool = True) -> CaseRecord:
    """Every text of the first page as long as it can come, and all that can stand there does."""
    gaps: dict[str, float | None] = dict.fromkeys(FIVE_NUMBERS) if missing else {}
    rows = [
        row.model_copy(update={"not_measured_because": _REASON}) if row.value is None and not row.absent else row
        for row in make_measurements(videos=2, swapped=gaps)
    ]
    answers = {"words": _WORDS, "date": "2027-12-31"}
    context = tuple(
        Answer(field=name, answer=answers.get(field.kind) or field.choices[-1]) for name, field in FIELDS.items()
    )
    context = tuple(
        one.model_copy(update={"answer": "expert determination"}) if one.field == "claim_basis" else one
        for one in context
    )
    signer = SignerInfo(
        name=_WORDS, fingerprint_sha256="ab" * 32, not_after="2027-01-02T03:10:05Z", verified_issuer=False
    )
    case = with_policy(
        "strict" if missing else "expert-determination",
        tuple(rows),
        context,
        case_id="W" * 64,
        kind=kind,
        signer=signer,
        not_assessed=(*not_assessed(kind, from_pack=True), *(f"{_WORDS} {n}" for n in range(9))),
    )
    policy = case.policy.model_copy(update={"title": _WORDS})
    return case.model_copy(update={"policy": policy})


def longest_passed() -> CaseRecord:
    return longest(missing=False)


def longest_audit() -> CaseRecord:
    return longest("audit")


@pytest.mark.parametrize("case_of", [longest, longest_passed, longest_audit], ids=["gaps", "passed", "audit"])
def test_the_first_page_is_one_page_with_the_longest_texts(case_of: Any) -> None:
    first, second = pages(case_of)[:2]
    assert TEXT["reach_subject"] in " ".join(first.split())
    assert TEXT["contents"] in second and TEXT["contents"] not in first
    assert "2027-12-31" in first and TEXT["untested_more"].split()[-1] in first
    assert squeezed("W" * 64) in squeezed(first)


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE])
def test_the_first_page_is_one_page(outcome: Outcome) -> None:
    texts = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(certified(outcome).unsigned)).pages]
    assert TEXT["reach"] in texts[0] and texts[1].count(TEXT["contents"]) == 1


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE])
def test_the_five_stand_on_it_with_value_interval_limit_and_outcome(outcome: Outcome) -> None:
    case = certified(outcome).case
    text = squeezed(pypdf.PdfReader(io.BytesIO(certified(outcome).unsigned)).pages[0].extract_text())
    rows = first_page.five_numbers(case)
    assert len(rows) == 5
    for row in rows:
        assert squeezed(row.title) in text and squeezed(row.words) in text
        filled = (row.value, row.where, row.interval) if row.known else (row.value, row.reason)
        assert squeezed(" ".join((*filled, row.limit, row.mark))) in text
        assert row.value and row.interval and row.limit and row.mark


def five(case: CaseRecord) -> dict[str, first_page.Number]:
    return {row.metric: row for row in first_page.five_numbers(case)}


def test_the_numbers_by_hand_under_the_shipped_policies() -> None:
    rows = make_measurements(videos=2)
    released = five(with_policy("release", rows))
    far = released["identity.to_original.p01"]
    assert (far.value, far.interval, far.limit, far.mark) == ("0.701", "none", "above 0.6", "holds")
    run = released["identity.to_original.longest_run_below_frames"]
    assert (run.value, run.limit) == ("0 frames", "at most 1 frames")
    kept = released["keypoints.ap95"]
    assert (kept.value, kept.limit) == ("0.970", "at least 0.95")
    assert "only encoded again: 0.975" in kept.words
    attack = released["attack.strongest.auc"]
    assert (attack.value, attack.limit, attack.outcome) == ("0.550", "none set", "")
    assert attack.mark == "reported only"
    strict = five(with_policy("strict", rows, videos=2))["attack.strongest.auc"]
    assert (strict.limit, strict.mark) == ("at most 0.8, upper end of the interval", "holds")
    assert strict.interval == "0.547 to 0.553" and strict.where == "video 1"
    paper = five(with_policy("aies2020", rows))
    assert paper["identity.to_original.mean"].limit == "above 0.6"  # what this policy gates stands there


def test_a_gated_end_is_never_rounded_over_its_limit() -> None:
    rows = [row for row in make_measurements() if row.metric != "attack.strongest.auc"]
    near = measured("attack.strongest.auc", "swapped", "video 1", 0.6, sample_size=9)
    ends = Interval(low=0.5, high=0.80004, clusters=9, unit="seconds")
    row = five(with_policy("strict", (*rows, near.model_copy(update={"interval": ends}))))["attack.strongest.auc"]
    assert (row.interval, row.mark) == ("0.500 to 0.80004", "does not hold")


def test_the_worst_of_the_videos_stands_there_also_where_nothing_gates_it() -> None:
    rows = [make_measurement("attack.strongest.auc", value, scope=f"video {n}") for n, value in ((1, 0.5), (2, 0.9))]
    rows += [make_measurement("attack.strongest.auc", 0.1, scope="subject")]
    policy = make_policy([make_rule("coverage.undecided", "at_most", 0)])
    case = make_case(videos=2, measurements=tuple(rows), policy=policy)
    row = five(case)["attack.strongest.auc"]
    assert (row.value, row.where, row.reason) == ("0.900", "video 2", "")
    rows[0] = make_measurement("attack.strongest.auc", None, scope="video 1", because="no strangers")
    row = five(make_case(videos=2, measurements=tuple(rows), policy=policy))["attack.strongest.auc"]
    assert (row.value, row.reason) == ("0.900", "video 1: not measured: no strangers")


def test_what_is_missing_says_so_and_why() -> None:
    gaps: dict[str, float | None] = dict.fromkeys(FIVE_NUMBERS)
    rows = tuple(row for row in make_measurements(swapped=gaps) if row.metric != "keypoints.ap95")
    for policy in ("release", "strict", "aies2020", "concealment"):
        case = with_policy(policy, rows)
        for row in first_page.five_numbers(case):
            assert not row.known and row.value == "not measured" and row.interval == "none"
            assert row.reason, row.metric
            assert row.mark == (OUTCOME_WORDS[Outcome.INDETERMINATE] if row.outcome else "reported only")
    row = five(with_policy("release", rows))["identity.to_original.p01"]
    assert row.reason == "video 1: nothing to measure it on"
    assert five(with_policy("concealment", rows))["keypoints.ap95"].reason == TEXT["five_nowhere"]
    assert five(with_policy("release", rows))["keypoints.ap95"].reason == "not measured at all"


def test_a_value_that_could_not_be_judged_says_why() -> None:
    rows = make_measurements()
    few = tuple(row.model_copy(update={"sample_size": 3}) if row.value is not None else row for row in rows)
    row = five(with_policy("release", few))["identity.to_original.p01"]
    assert (row.value, row.mark) == ("0.701", "not judged") and "rests on a sample of 3" in row.reason


def test_the_strongest_attack_stands_beside_the_same_attack_on_the_unprotected_face() -> None:
    strongest = measured(
        "attack.strongest.auc", "swapped", "video 1", 0.7, sample_size=9, method="attack.texture.auc: by texture"
    )
    texture = measured("attack.texture.auc", "swapped", "video 1", 0.7, sample_size=9, detail={"null_edit": 0.98})
    policy = make_policy([make_rule("coverage.undecided", "at_most", 0)])
    case = make_case(measurements=(strongest, texture), policy=policy)
    assert "on the unprotected face: 0.980" in five(case)["attack.strongest.auc"].words


def test_what_was_not_tested_is_named_by_its_head_and_counted_beyond_the_most() -> None:
    case = make_case(not_assessed=not_assessed("audit", from_pack=True))
    heads = first_page.untested(case)
    assert len(heads) == min(17, len(case.not_assessed)) and "Voice and sound" in heads
    assert all(len(head) <= 64 for head in heads)
    for head, item in zip(heads[:16], case.not_assessed, strict=False):
        assert item.startswith(head.removesuffix("…"))
    many = first_page.untested(make_case(not_assessed=tuple(f"thing {n}" for n in range(20))))
    assert many[-1] == "and 4 more" and len(many) == 17


def test_words_that_are_too_long_are_cut_where_a_reader_would() -> None:
    assert wording.shortened("a" * 50, 10) == "a" * 9 + "…"
    assert first_page.short_name("x" * 5) == "x" * 5 and first_page.short_name(_WORDS).endswith("…")


def test_the_annexes_are_lettered_in_their_order() -> None:
    assert [wording.letter(name) for name in ANNEXES] == list("ABCDEFGHIJKL")
    for kind in ("swap", "conceal", "audit", "reviewed"):
        assert all(wording.annex_titles(kind).values())
