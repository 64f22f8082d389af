"""What policy, certificate and report are told of a review, and that nobody having looked is said, and can fail."""

import pytest

from deid_audit.certificate.board_report import Material, render_report
from deid_audit.certificate.document import _context
from deid_audit.certificate.filling import filled
from deid_audit.certificate.reviewed import review_sentences
from deid_audit.evidence import build_statement
from deid_audit.findings import CaseRecord, Outcome
from deid_audit.policy import judge
from deid_audit.review.agreement import Agreement
from deid_audit.review.sight import Sight
from deid_audit.review.summary import measure_review, record_of
from tests.fakes import make_case, make_policy, make_review, make_rule
from tests.unit.readings import decided, ledger, reading, region

NOT_DONE = "Not done: nobody was asked to look at these videos."


def test_the_record_counts_what_each_reader_did_and_keeps_no_note() -> None:
    first = reading(decided("clear", note="my cousin"), decided("conceal"), decided("conceal"), shown=[(1, 0, 9)])
    record = record_of(
        [first, reading(reviewer="CD", role="second", shown=[(1, 3, 3)])],
        file_sha256="0" * 64,
        frames=20,
        frames_shown=10,
        agreed=Agreement(items=4, differing=(), kappa=0.5),
        unresolved=1,
        refused=2,
    )
    one, other = record.readings
    assert (one.decisions, one.frames_shown, other.decisions) == ({"clear": 1, "conceal": 2}, 10, {})
    assert record.readers == 2 and "cousin" not in record.model_dump_json()
    values = {row.metric: row.value for row in measure_review(record)}
    assert values == {"review.readers": 2, "review.frames_shown_share": 0.5, "review.agreement_kappa": 0.5}


def test_a_later_look_or_a_resolution_is_no_further_reader() -> None:
    readings = make_review().readings
    again = readings[0].model_copy(update={"reviewer": "X"})
    assert make_review(readings=(readings[0], again)).readers == 1
    resolved = readings[0].model_copy(update={"role": "resolution"})
    assert make_review(readings=(*readings, resolved)).readers == 2


def test_a_reader_who_was_shown_nothing_is_none() -> None:
    first, second = make_review().readings
    blind = second.model_copy(update={"frames_shown": 0})
    assert make_review(readings=(first, blind)).readers == 1
    assert make_review(readings=(blind,)).readers == 0


def test_an_unfinished_reading_is_no_evidence() -> None:
    unfinished = reading().model_copy(update={"finished_at": None})
    with pytest.raises(ValueError, match="not finished"):
        record_of([unfinished], file_sha256="0" * 64, frames=1, frames_shown=0,
                  agreed=Agreement(items=0, differing=(), kappa=None), unresolved=0, refused=0)  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "limit", "with_review"),
    [
        ("review.readers", 2, Outcome.PASSED),
        ("review.frames_shown_share", 0.95, Outcome.FAILED),
        ("review.agreement_kappa", 0.6, Outcome.PASSED),
        ("review.agreement_kappa", 0.7, Outcome.FAILED),
    ],
)
def test_a_policy_may_require_it_and_nobody_having_looked_never_passes(
    metric: str, limit: float, with_review: Outcome
) -> None:
    policy = make_policy([make_rule(metric, "at_least", limit, of="run")])
    assert judge(measure_review(make_review()), policy).outcome is with_review
    without = judge(measure_review(None), policy).outcome
    assert without is (Outcome.FAILED if metric == "review.readers" else Outcome.INDETERMINATE)


def page(case: CaseRecord) -> str:
    return render_report(case, build_statement(case), Material(), cut=0.6).decode()


def test_certificate_and_report_say_who_looked_or_that_nobody_did() -> None:
    reviewed = make_case(review=make_review())
    sentences = review_sentences(reviewed)
    assert sentences[0].startswith("First reading, A. B., 2026-01-02T03:00:00+00:00 to ")
    assert sentences[0].endswith("150 of 200 frames shown; 2 cleared, 1 to be covered.")
    assert "Cohen&#39;s kappa 0.61 over 12 stretches" in page(reviewed)
    assert review_sentences(make_case()) == [NOT_DONE] and NOT_DONE in page(make_case())
    for case, words in ((reviewed, "C. D."), (make_case(), NOT_DONE)):
        assert words in filled("certificate.html.j2", _context(case, build_statement(case), []))
    one = make_review(kappa=None, no_kappa_because="one person read: agreement takes two")
    assert "Agreement of two readings: none; one person read" in " ".join(review_sentences(make_case(review=one)))


def test_what_was_seen_is_forgotten_where_something_else_is_done_since() -> None:
    before, after = ledger([region()], [region()], [region()]), ledger([region()], [region(track_id=9)], [region()])
    sight = Sight()
    sight.add(reading(shown=[(1, 0, 1), (1, 2, 99), (2, 0, 5)]), [before])
    assert sight.seen == {"first": {(1, 0), (1, 1), (1, 2)}}, "frames and videos that are not there do not count"
    sight.forget_changed(1, before, after)
    assert sight.seen == {"first": {(1, 0), (1, 2)}} and sight.least == 2


def test_of_two_readers_the_one_who_saw_less_counts_and_a_later_look_only_for_what_changed() -> None:
    frames = ledger([region()], [region()], [region()])
    sight = Sight()
    assert sight.least == 0
    sight.add(reading(shown=[(1, 0, 2)]), [frames])
    sight.add(reading(shown=[(1, 0, 0)], role="second"), [frames])
    assert sight.least == 1
    sight.add(reading(shown=[(1, 0, 2)], role="resolution"), [frames])
    assert sight.least == 1, "whoever resolves is not the second reader"
    sight.forget([(1, 0), (1, 1)])
    assert sight.least == 0
    sight.add(reading(shown=[(1, 0, 2)], role="resolution"), [frames])
    assert sight.seen == {"first": {(1, 0), (1, 1), (1, 2)}, "second": {(1, 0)}}
