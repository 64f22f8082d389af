"""The certificate's pages: every value printed, nothing blank, only the given pictures."""

import builtins
import io
import logging
import os
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pikepdf
import pypdf
import pytest
from PIL import Image

from deid_audit.certificate import strings, tables, wording
from deid_audit.certificate.document import APT_COMMAND, render_certificate
from deid_audit.digests import sha256_bytes
from deid_audit.errors import StageError
from deid_audit.findings import Figure, Finding, LedgerSummary, Outcome, measured, not_measured
from tests.fakes import make_case, make_ledger_record, make_measurement, make_policy, make_rule
from tests.unit.certificates import CHECKPOINT, HARMLESS_WARNING, ISSUED, certified, figures

_EVERY_VERDICT = (Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE)


@cache
def _pages(outcome: Outcome) -> tuple[str, ...]:
    reader = pypdf.PdfReader(io.BytesIO(certified(outcome).unsigned))
    return tuple(" ".join(page.extract_text().split()) for page in reader.pages)


def _text(outcome: Outcome) -> str:
    return " ".join(_pages(outcome))


def _squeezed(text: str) -> str:
    """Without any white space: long digests are wrapped on the page."""
    return "".join(text.split())


def _pictures(pdf: bytes) -> list[bytes]:
    """RGB pixels of every image object of the file."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        images = [one for one in opened.objects if isinstance(one, pikepdf.Stream) and one.get("/Subtype") == "/Image"]
        return [pikepdf.PdfImage(one).as_pil_image().convert("RGB").tobytes() for one in images]


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_every_rule_is_printed_with_its_value_limit_and_outcome(outcome: Outcome) -> None:
    text = _squeezed(_text(outcome))
    for finding in certified(outcome).case.verdict.findings:
        assert _squeezed(f"{finding.rule.metric}, {strings.OF_WORDS[finding.rule.of]}") in text
        value, bound = wording.observed(finding), wording.limit(finding.rule)
        row = _squeezed(f"{value} {bound} {finding.scope} {strings.OUTCOME_WORDS[finding.outcome]}")
        assert row in text
        if finding.outcome is not Outcome.PASSED:
            assert _squeezed(finding.reason) in text


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_the_first_page_says_what_it_means(outcome: Outcome) -> None:
    first, case = _squeezed(_pages(outcome)[0]), certified(outcome).case
    assert _squeezed(strings.VERDICT_WORDS[outcome].meaning) in first
    for said in (outcome.value, case.case_id, case.policy.id, case.policy.sha256, case.signer.fingerprint_sha256):
        assert said in first
    for output in case.outputs:
        assert output.name in _squeezed(_text(outcome)) and output.sha256 in _squeezed(_text(outcome))
    released = "mayberelease" in first
    assert released == (outcome is Outcome.PASSED)
    assert ("withheld:notreleased" in first) != released


def test_only_a_key_made_on_the_spot_gets_the_warning() -> None:
    assert not certified(Outcome.PASSED).case.signer.verified_issuer
    assert "Issuer not verified: the key was made on the spot" in _pages(Outcome.PASSED)[0]
    assert certified(Outcome.FAILED).case.signer.verified_issuer
    assert "not verified" not in _text(Outcome.FAILED)


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.INDETERMINATE])
def test_every_measured_value_is_on_a_page(outcome: Outcome) -> None:
    text, case = _squeezed(_text(outcome)), certified(outcome).case
    for row in case.measurements:
        if row.value is None:
            unread = row.metric.startswith("review.")  # said once for all of them
            words = "Not done: nobody was asked to look at these videos" if unread else wording.missing(row)
            assert _squeezed(words) in text, row
        elif not row.metric.startswith("erasure."):
            assert _squeezed(wording.number(row.metric, row.value)) in text, row


def test_what_is_missing_says_why() -> None:
    assert "not measured: no frame pair to compare" in _text(Outcome.INDETERMINATE)
    assert "not applicable: the original does not move more than 3x its null-edit noise" in _text(Outcome.PASSED)


def test_several_videos_have_tables_of_their_own() -> None:
    for heading in ("Identity, distance of face descriptors: all videos together", "descriptors: video 2"):
        assert heading in _text(Outcome.FAILED)
    assert ": video 1" not in _pages(Outcome.PASSED)[2]


def test_the_texts_a_board_needs_are_there() -> None:
    text, case = _text(Outcome.PASSED), certified(Outcome.PASSED).case
    assert "blind to fast movement such as tremor" in text
    assert "One subject was examined" in text and "as high as 95 %" in text
    assert "One subject was examined" in _text(Outcome.FAILED) and "no failure" not in _text(Outcome.FAILED)
    assert "What was not assessed" in text and "How to check this certificate" in text
    assert sha256_bytes(certified(Outcome.PASSED).statement) in _squeezed(text)
    listed = [*case.not_assessed, *case.erasure.not_shown, *(stage.method for stage in case.stages)]
    listed += [check.check for check in case.erasure.checks] + [rule.why for rule in case.policy.rules]
    listed += [figure.caption for figure in figures()] + [model.licence for model in case.models]
    for words in listed:
        assert words in text
    for facts in (*case.originals, *case.donors):
        assert facts.keyed_digest in _squeezed(text)


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED])
def test_the_log_s_checkpoint_is_printed_line_by_line_with_how_to_check_it(outcome: Outcome) -> None:
    pages = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(certified(outcome).unsigned)).pages]
    [page] = [page for page in pages if strings.TEXT["log"] in page]
    name, size, root, empty, signature = CHECKPOINT.rstrip("\n").split("\n")
    lines = [line.strip() for line in page.splitlines()]
    assert (size, empty) == ("41", "") and lines[lines.index(name) : lines.index(name) + 3] == [name, size, root]
    assert signature in lines and "it had 41 entries" in page
    for command in (
        "jq -rj .predicate.log_checkpoint evidence.json > checkpoint",
        "deid-audit log verify --since checkpoint",
        "deid-audit log prove case-0001 --out proof.json --since checkpoint",
        "deid-audit log check-proof proof.json --checkpoint checkpoint --key VERIFIER-KEY",
    ):
        assert _squeezed(command) in _squeezed(page)
    assert _squeezed(strings.TEXT["log_means"]) in _squeezed(_text(outcome))
    assert strings.TEXT["log_none"] not in _text(outcome)


def test_a_case_without_a_log_says_so() -> None:
    text = _text(Outcome.INDETERMINATE)
    assert "No log was kept" in text and strings.TEXT["log_none"] in text
    assert strings.TEXT["log_intro"] not in text and "--since" not in text


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_it_never_claims_more_than_was_checked(outcome: Outcome) -> None:
    for claim in ("irreversible", "anonym", "hipaa", "certified by", "guarantee"):
        assert claim not in _text(outcome).lower()


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_its_pictures_are_exactly_the_given_ones(outcome: Outcome) -> None:
    given = [Image.open(io.BytesIO(one.data)).convert("RGB").tobytes() for one in figures() if "png" in one.media_type]
    assert sorted(_pictures(certified(outcome).unsigned)) == sorted(given)


def test_the_statement_is_attached_byte_for_byte_as_data() -> None:
    with pikepdf.open(io.BytesIO(certified(Outcome.PASSED).pdf)) as opened:
        assert list(opened.attachments) == ["evidence.json"]
        spec = opened.attachments["evidence.json"]
        assert spec.get_file().read_bytes() == certified(Outcome.PASSED).statement
        assert spec.relationship == "/Data"
        assert spec.get_file().creation_date == spec.get_file().mod_date == ISSUED
        assert opened.open_metadata()["pdfaid:part"] == "3"
        assert opened.Root.MarkInfo.Marked
        assert opened.Root.Lang == "en"


@pytest.mark.parametrize("outcome", _EVERY_VERDICT)
def test_it_is_small(outcome: Outcome) -> None:
    assert len(certified(outcome).pdf) < 2_000_000


def _small(**changes: Any) -> Any:
    """A case whose pages render quickly."""
    rows = changes.pop("measurements", (make_measurement(value=0.7),))
    policy = make_policy([make_rule()])
    digests = tuple(one.digest for one in changes.pop("shown", ()))
    return make_case(measurements=rows, policy=policy, figures=digests, **changes)


def test_the_renderer_has_nothing_to_complain_about(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("weasyprint")
    before, logger.propagate = logger.propagate, True
    try:
        with caplog.at_level(logging.WARNING, logger="weasyprint"):
            render_certificate(_small(shown=figures()), b"{}", figures(), issued_at=ISSUED)
    finally:
        logger.propagate = before
    complaints = [one.getMessage() for one in caplog.records if HARMLESS_WARNING not in one.getMessage()]
    assert complaints == []


def test_it_opens_nothing_but_what_was_handed_in(tmp_path: Path) -> None:
    """A figure that points to a file and to a host: neither is fetched, the file's picture stays out."""
    secret = tmp_path / "original.png"
    Image.new("RGB", (5, 5), "red").save(secret)
    links = f'<image href="{secret.as_uri()}" width="9" height="9"/><image href="http://127.0.0.1:9/x.png"/>'
    data = f'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{links}</svg>'.encode()
    figure = Figure(name="x", media_type="image/svg+xml", data=data, kind="plot", caption="c", alt="a")
    pdf = render_certificate(_small(shown=[figure]), b"{}", [figure], issued_at=ISSUED)
    assert _pictures(pdf) == []


def test_text_is_text_and_never_markup() -> None:
    sentinel = '<img src="file:///etc/hostname"> & "quoted" {{ case }}'
    case = _small(not_assessed=(sentinel,))
    pdf = render_certificate(case, b"{}", [], issued_at=ISSUED)
    text = " ".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)
    assert _squeezed(sentinel) in _squeezed(text)


def test_figures_that_the_statement_does_not_name_are_refused() -> None:
    given = list(figures())
    planted = Figure(
        name="frames-09", media_type="image/png", data=given[1].data + b"x", kind="released frame", caption="", alt=""
    )
    reworded = replace(given[0], caption="another")
    for wrong in ([*given, planted], given[:-1], [*given[:-1], planted], [reworded, *given[1:]], given[::-1]):
        with pytest.raises(StageError, match="not those that the statement names"):
            render_certificate(_small(shown=given), b"{}", wrong, issued_at=ISSUED)


def test_missing_text_libraries_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without_pango(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "weasyprint":
            raise OSError("cannot load library 'libgobject-2.0-0'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_pango)
    with pytest.raises(StageError) as caught:
        render_certificate(_small(), b"{}", [], issued_at=ISSUED)
    assert caught.value.next_step == APT_COMMAND
    assert "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0" in APT_COMMAND


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "17")
    render_certificate(_small(), b"{}", [], issued_at=ISSUED)
    assert os.environ["SOURCE_DATE_EPOCH"] == "17"


@pytest.mark.parametrize(
    ("op", "value", "limit", "text"),
    [
        ("above", 0.786, 0.6, "0.786"),
        ("above", 0.59987, 0.6, "0.5999"),
        ("above", 0.60004, 0.6, "0.60004"),
        ("above", 0.6, 0.6, "0.600"),
        ("below", 0.4999999, 0.5, "0.4999999"),
        ("at_least", 0.9499, 0.95, "0.9499"),
    ],
)
def test_rounding_never_moves_a_value_to_the_other_side(op: str, value: float, limit: float, text: str) -> None:
    rule = make_rule("identity.to_original.mean", op, limit)
    assert wording.observed(Finding(rule=rule, outcome=Outcome.PASSED, observed=value, reason="")) == text


def test_a_finding_without_a_value_says_none() -> None:
    assert wording.observed(Finding(rule=make_rule(), outcome=Outcome.INDETERMINATE, reason="")) == "none"


def test_table_1_by_hand() -> None:
    rows = (
        make_measurement("identity.to_original.mean", 0.6364),
        make_measurement("identity.to_original.sd", 0.0331),
        make_measurement("identity.to_donor.mean", None, because="no donor"),
    )
    table = tables.identity_table(tables.Values(rows), "video 1")
    assert table.rows[0] == ("Swapped", "–", "0.636 (0.033)", "–", "[1]")
    assert table.notes == ["not measured: no donor"]


def test_table_2_by_hand() -> None:
    rows = tuple(
        make_measurement("keypoints.ap95", value, of=of)
        for of, value in (("swapped", 0.99), ("masked", 0.443), ("blurred", 0.408), ("reencoded", 1.0))
    )
    table = tables.keypoint_table(tables.Values(rows), "video 1")
    assert table.rows[3] == ("AP at OKS 0.95", "0.990", "0.443", "0.408", "–", "1.000")


def test_the_error_of_each_keypoint_is_one_row_left_and_right() -> None:
    detail = {"nose": 0.84, "left eye": 1.25, "right eye": 2.0, "left wrist": 11.0}
    method = "distance to the original's keypoint of the same frame; OpenPose BODY_25"
    rows = [
        measured("keypoints.error_px.median", "swapped", "video 1", 1.0, sample_size=5, detail=detail, method=method),
        make_measurement("keypoints.error_px.median", None, of="reencoded", because="no files"),
    ]
    values = tables.Values(rows)
    table = tables.keypoint_error_table(values, "video 1")
    assert table.head[:3] == ("Median error in px, left / right", "Nose", "Eyes")
    assert table.rows[0] == ("Swapped", "0.8", "1.2 / 2.0", *["– / –"] * 3, "11.0 / –", *["– / –"] * 3)
    assert table.rows[1] == ("Null edit", *["[1]"] * 9) and table.notes == ["not measured: no files"]
    assert tables.keypoint_words(values, "video 1") == ("OpenPose BODY_25", False)
    assert tables.keypoint_words(tables.Values([]), "video 1") == ("", True)


def test_errors_stand_in_table_2_with_their_units() -> None:
    rows = [
        make_measurement("keypoints.error_px.p95", 2.345),
        make_measurement("keypoints.error_torso.median", 1.5),
        make_measurement("keypoints.detection_change", -0.25),
    ]
    found = {row[0]: row[1] for row in tables.keypoint_table(tables.Values(rows), "video 1").rows}
    assert found["Error, 95th percentile"] == "2.35 px"
    assert found["Error of the torso's length, median"] == "1.50 %"
    assert found["Person found, change of the share of frames"] == "-0.250"


def test_the_gallery_is_shown_with_its_own_false_match_rate() -> None:
    detail = {
        "cut": 0.6,
        "false_match_rate": 0.125,
        "donor_frames": 200.0,
        "stranger_frames": 40.0,
        "share_below": 0.02,
    }
    row = measured("identity.to_gallery.p01", "swapped", "video 1", 0.6123, sample_size=9, detail=detail)
    words = tables.gallery_words(tables.Values([row]), "video 1")
    for said in ("0.612", "2.0% of the released faces", "false match rate is 12.5%", "200 of the donor", "40 of the"):
        assert said in words


def test_an_attack_made_in_two_ways_names_both_and_one_that_is_no_test_says_why() -> None:
    detail = {"null_edit": 1.0, "LBPH: chance": 0.61, "LBPH: null edit": 0.95, "Fisherfaces: chance": 0.58}
    because = "finds the subject where nothing of the face is left"
    rows = [
        measured("attack.texture.auc", "swapped", "video 1", 0.61, sample_size=40, detail=detail),
        not_measured("attack.parrot.auc", "swapped", "video 1", because),
        measured("attack.parrot.imitated", "swapped", "video 1", 0.97, sample_size=40, detail={"null_edit": 1.0}),
    ]
    table = tables.attack_table(tables.Values(rows), "video 1")
    cells = {row[0]: row[1:] for row in table.rows}
    [texture] = [title for title in cells if title.startswith("A1 texture")]
    [parrot, control] = [title for title in cells if title.startswith("A3")]
    assert texture.endswith("(LBPH 0.610, Fisherfaces 0.580)") and cells[texture][0] == "0.610"
    assert cells[parrot][0] == "[1]" and because in table.notes[0]
    assert (cells[control][0], cells[control][2]) == ("0.970", "1.000")


def test_the_canaries_are_printed_by_kind_and_height_and_an_empty_plan_prints_no_table() -> None:
    detail = {"upright 12 px: pasted": 10.0, "upright 12 px: found": 0.0, "turned 90 32 px: pasted": 4.0}
    detail |= {"turned 90 32 px: found": 3.0, "upright 200 px: pasted": 0.0}
    row = measured("audit.canary_recall", "run", "run", 0.75, sample_size=4, detail=detail)
    table = tables.canary_table(tables.Values([row]))
    assert table.head == ("Found of pasted", "12 px", "32 px")
    assert table.rows == [("Upright", "0 of 10", "–"), ("Turned 90", "–", "3 of 4")]
    assert tables.canary_table(tables.Values([])).rows == []


def test_the_gallery_cut_is_printed_with_both_its_rates() -> None:
    detail = {"cut": 0.57, "false_match_rate": 0.002, "true_match_rate": 0.98, "stranger_faces": 400.0}
    detail["own_originals"] = 200.0
    row = measured("residue.gallery_matches", "swapped", "video 1", 0, sample_size=200, detail=detail)
    words = tables.gallery_match_words(tables.Values([row]), "video 1")
    assert "0.57: 0.2% of 400 faces" in words and "98.0% of 200 originals" in words
    gap = not_measured("residue.gallery_matches", "swapped", "video 1", "nobody else")
    assert tables.gallery_match_words(tables.Values([gap]), "video 1") == ""


def test_the_ledger_is_summed_up_for_each_video_and_bound_by_its_digest() -> None:
    record = make_ledger_record(videos=2)
    other = LedgerSummary(
        frames=5, states={"clear": 2, "undecided": 3, "swapped": 0}, regions=3, rungs={"cover": 1, "none tried": 2},
        decided_by={"one": 1, "two": 2}, cleared_by={"one + two": 2},
    )  # fmt: skip
    record = record.model_copy(update={"videos": (record.videos[0], other)})
    assert tables.ledger_table(record, "video 1").rows[0] == ("Frames decoded = 197 swapped + 3 concealed", "200")
    assert tables.ledger_table(record, "video 2").rows == [
        ("Frames decoded = 3 undecided + 2 clear", "5"),
        ("Face regions = 2 none tried + 1 cover", "3"),
        ("Face regions decided by two", "2"),
        ("Face regions decided by one", "1"),
        ("Frames without a face, cleared by one + two", "2"),
    ]
    case = certified(Outcome.INDETERMINATE).case
    words = _text(Outcome.INDETERMINATE)
    assert len(case.ledger.videos) == 2 and words.count("Frames decoded = 197 swapped + 3 concealed") == 2
    assert case.ledger.sha256 in _squeezed(words)


def test_what_the_audit_searched_with_is_printed() -> None:
    row = measured("audit.looks", "run", "run", 2, sample_size=9, method="one at native scale; two mirrored")
    assert tables.search_words(tables.Values([row])) == "one at native scale; two mirrored"
    assert tables.search_words(tables.Values([])) == "not recorded"
