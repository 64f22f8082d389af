"""`verify`: every change to certificate, statement or files fails with its own reason; nothing passes by omission."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path

import pikepdf
import pytest
import rfc8785
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.answers import Answer, AnswerFinding, RequiredAnswer
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import ephemeral_signer, load_signer
from deid_audit.certificate.signing import countersign_pdf, sign_pdf
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, SignatureError
from deid_audit.evidence import build_statement
from deid_audit.findings import CaseRecord, Outcome
from deid_audit.pipeline.checks import CHECKS, VerifyReport
from deid_audit.pipeline.meanings import MEANINGS
from deid_audit.pipeline.verify import read_trust, verify
from deid_audit.policy import judge
from tests.schemas import document_in
from tests.unit.certificates import DECIDED, ISSUED, attested, certified, chair, one_page, signer, small_signed
from tests.unit.test_trust import write as write_trust

VIDEO = "data/case-0001-01.mp4"
CONTENTS = {
    VIDEO: b"video 1",
    "case-0001-01.mp4": b"video 1",
    "case-0001-02.mp4": b"video 2",
    "README.txt": b"the faces are synthetic\n",
    "manifest-sha256.txt": b"sums\n",
}


def _lay_out(folder: Path, outcome: Outcome = Outcome.PASSED, *, pages: bool = False) -> Path:
    """OUT as a run leaves it: certificate, statement, attestation, signer.crt, the files; returns the certificate.

    Without `pages` the certificate has a single one.
    """
    made = certified(outcome)
    files = folder / made.case.outputs_folder
    files.mkdir(parents=True)
    for output in made.case.outputs:
        assert sha256_bytes(CONTENTS[output.name]) == output.sha256
        (files / output.name).parent.mkdir(exist_ok=True)
        (files / output.name).write_bytes(CONTENTS[output.name])
    (folder / "evidence.json").write_bytes(made.statement)
    (folder / "attestation.dsse.json").write_bytes(attested(made.statement))
    (folder / "signer.crt").write_bytes(signer().certificate_pem)
    (folder / "certificate.pdf").write_bytes(made.pdf if pages else one_page(made.statement))
    return folder / "certificate.pdf"


def _verify(certificate: Path, *, release: Path | None = None, trust: bool = True) -> VerifyReport:
    return verify(
        certificate, release=release, trust=read_trust([certificate.parent / "signer.crt"] if trust else [], None)
    )


def _not_ok(report: VerifyReport) -> dict[str, str]:
    """Beside the checks about a chair, which nobody demands here."""
    return {check.id: check.status for check in report.checks if check.status not in ("ok", "not_applicable")}


@pytest.mark.parametrize("pages", [True, False])
def test_what_was_issued_passes_every_check(tmp_path: Path, pages: bool) -> None:
    report = _verify(_lay_out(tmp_path, pages=pages))
    assert _not_ok(report) == {}
    assert [check.id for check in report.checks] == list(CHECKS)
    assert (report.exit_code, report.verdict) == (0, Outcome.PASSED)
    assert "made on the spot" in report.conclusion


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.INDETERMINATE])
def test_authentic_but_not_passed_is_3(tmp_path: Path, outcome: Outcome) -> None:
    report = _verify(_lay_out(tmp_path, outcome))
    assert _not_ok(report) == {}
    assert report.exit_code == 3
    assert outcome.value in report.conclusion and "not to be released" in report.conclusion


def _change(name: str, data: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / "release" / name).write_bytes(data) and None


@pytest.mark.parametrize(
    ("damage", "name", "kind"),
    [
        (_change(VIDEO, b"video X"), VIDEO, "changed"),
        (_change(VIDEO, b"longer than it was"), VIDEO, "changed"),
        (lambda folder: (folder / "release" / "README.txt").unlink(), "README.txt", "missing"),
        (_change("original.mp4", b"should not be here"), "original.mp4", "added"),
        (_change("README.txt", b"no"), "README.txt", "changed"),
    ],
    ids=["changed", "another size", "missing", "added", "readme changed"],
)
def test_a_file_that_is_not_the_certified_one(
    tmp_path: Path, damage: Callable[[Path], None], name: str, kind: str
) -> None:
    certificate = _lay_out(tmp_path)
    damage(tmp_path)
    report = _verify(certificate)
    assert _not_ok(report) == {"files.compared": "failed"}
    assert [(problem.name, problem.kind) for problem in report.file_problems] == [(name, kind)]
    assert report.exit_code == 1
    assert f"{name} {kind}" in report.conclusion


def test_without_trust_it_is_1_and_says_issuer_unknown(tmp_path: Path) -> None:
    report = _verify(_lay_out(tmp_path), trust=False)
    assert _not_ok(report) == {"signature.trusted": "failed"}
    assert report.exit_code == 1
    assert "issuer unknown" in report.conclusion


def test_without_files_it_is_1_and_says_files_not_compared(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / "release").rename(tmp_path / "elsewhere")
    report = _verify(certificate)
    assert _not_ok(report) == {"files.compared": "skipped"}
    assert report.exit_code == 1
    assert "files not compared" in report.conclusion
    assert _verify(certificate, release=tmp_path / "elsewhere").exit_code == 0


def test_a_withheld_case_is_not_3_when_its_files_are_gone(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path, Outcome.FAILED)
    (tmp_path / "withheld").rename(tmp_path / "release")
    assert _verify(certificate).exit_code == 1


def test_evidence_json_must_be_the_attached_statement(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / "evidence.json").write_bytes(certified(Outcome.PASSED).statement + b"\n")
    assert _not_ok(_verify(certificate)) == {"statement.sibling": "failed"}
    assert _verify(certificate).exit_code == 1
    (tmp_path / "evidence.json").unlink()
    report = _verify(certificate)
    assert _not_ok(report) == {"statement.sibling": "skipped"}
    assert report.exit_code == 0


def _resigned(statement: bytes) -> bytes:
    """The issuer's own pages and key around another statement: only the statement's own checks can object."""
    out = BytesIO()
    with pikepdf.open(BytesIO(certified(Outcome.PASSED).unsigned)) as pdf:
        del pdf.attachments["evidence.json"]
        if "/AF" in pdf.Root:
            del pdf.Root["/AF"]
        pdf.attachments["evidence.json"] = pikepdf.AttachedFileSpec(pdf, statement, filename="evidence.json")
        pdf.save(out)
    return sign_pdf(out.getvalue(), signer(), signed_at=ISSUED)


def _lay_out_statement(folder: Path, statement: bytes) -> Path:
    certificate = _lay_out(folder)
    certificate.write_bytes(_resigned(statement))
    (folder / "evidence.json").write_bytes(statement)
    (folder / "attestation.dsse.json").write_bytes(attested(statement))
    return certificate


def _better_numbers(case: CaseRecord) -> CaseRecord:
    """A finding made to pass whose measurement does not."""
    rows = tuple(
        row.model_copy(update={"value": 0.3})
        if (row.metric, row.of) == ("identity.to_original.mean", "swapped")
        else row
        for row in case.measurements
    )
    return case.model_copy(update={"measurements": rows})


def test_the_same_statement_signed_again_still_holds(tmp_path: Path) -> None:
    """Shows that the next tests fail for the statement's sake and not for how it was attached."""
    assert _not_ok(_verify(_lay_out_statement(tmp_path, certified(Outcome.PASSED).statement))) == {}


def test_a_verdict_that_does_not_follow_from_the_measurements_fails(tmp_path: Path) -> None:
    lie = _better_numbers(certified(Outcome.PASSED).case)
    report = _verify(_lay_out_statement(tmp_path, build_statement(lie)))
    assert _not_ok(report) == {"statement.verdict": "failed"}
    assert (report.exit_code, report.verdict) == (1, None)


def _with_validity(until: str) -> CaseRecord:
    """A case that its steward calls valid until this day; judged on the day of issue."""
    case = certified(Outcome.PASSED).case
    context = (Answer(field="valid_until", answer=until),)
    verdict = judge(case.measurements, case.policy, context, on=ISSUED.date())
    return case.model_copy(update={"context": context, "verdict": verdict})


def test_a_validity_that_has_run_out_is_no_longer_0(tmp_path: Path) -> None:
    certificate = _lay_out_statement(tmp_path, build_statement(_with_validity("2026-06-30")))
    trust = read_trust([tmp_path / "signer.crt"], None)
    last = verify(certificate, release=None, trust=trust, today=lambda: date(2026, 6, 30))
    assert (last.exit_code, last.ran_out, last.verdict) == (0, "", Outcome.PASSED)
    after = verify(certificate, release=None, trust=trust, today=lambda: date(2026, 7, 1))
    assert _not_ok(after) == {}
    assert (after.exit_code, after.verdict) == (3, Outcome.PASSED)
    assert "valid until 2026-06-30: not to be released any more" in after.conclusion


def test_an_answer_changed_after_judging_fails(tmp_path: Path) -> None:
    """A pass under a longer validity than the one that was judged; and a day of issue that is no day."""
    case = _with_validity("2026-06-30")
    longer = case.model_copy(update={"context": (Answer(field="valid_until", answer="2036-06-30"),)})
    report = _verify(_lay_out_statement(tmp_path / "a", build_statement(longer)))
    assert _not_ok(report) == {"statement.verdict": "failed"}
    undated = case.model_copy(update={"issued_at": "yesterday"})
    report = _verify(_lay_out_statement(tmp_path / "b", build_statement(undated)))
    assert _not_ok(report) == {"statement.verdict": "failed"}


def test_a_pass_without_its_answers_fails(tmp_path: Path) -> None:
    """An answer marked as given that nobody gave: the verdict says PASSED, judging again says otherwise."""
    case = certified(Outcome.PASSED).case
    question = RequiredAnswer(field="recipient", why="because", source="tests")
    finding = AnswerFinding(asked=question, outcome=Outcome.PASSED, answer="a registry", reason="answered")
    lie = case.model_copy(
        update={
            "policy": case.policy.model_copy(update={"answers": (question,)}),
            "verdict": case.verdict.model_copy(update={"answers": (finding,)}),
        }
    )
    assert _not_ok(_verify(_lay_out_statement(tmp_path, build_statement(lie)))) == {"statement.verdict": "failed"}


def test_a_statement_from_before_there_were_answers_still_holds(tmp_path: Path) -> None:
    table = json.loads(certified(Outcome.PASSED).statement)
    del table["predicate"]["context"], table["predicate"]["policy"]["answers"], table["predicate"]["verdict"]["answers"]
    report = _verify(_lay_out_statement(tmp_path, rfc8785.dumps(table)))
    assert (_not_ok(report), report.exit_code) == ({}, 0)


def test_a_statement_that_names_another_signer_fails(tmp_path: Path) -> None:
    case = certified(Outcome.PASSED).case
    other = case.model_copy(update={"signer": ephemeral_signer(ISSUED).info})
    assert _not_ok(_verify(_lay_out_statement(tmp_path, build_statement(other)))) == {"statement.signer": "failed"}


def test_a_statement_that_cannot_be_read_leaves_the_rest_skipped(tmp_path: Path) -> None:
    report = _verify(_lay_out_statement(tmp_path, certified(Outcome.PASSED).statement.replace(b"PASSED", b"FAILED", 1)))
    rest = dict.fromkeys(("statement.signer", "statement.verdict", "files.compared"), "skipped")
    assert _not_ok(report) == {"statement.parsed": "failed", **rest}
    assert report.exit_code == 1


def test_a_changed_certificate_fails_and_all_other_checks_still_run(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    data = certificate.read_bytes()
    at = data.index(b"stream") + 12
    certificate.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    report = _verify(certificate)
    assert _not_ok(report) == {"signature.intact": "failed"}
    assert report.exit_code == 1


def test_a_pdf_that_is_no_certificate(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    certificate.write_bytes(small_signed())
    assert _verify(certificate).exit_code == 1
    assert _not_ok(_verify(certificate))["statement.parsed"] == "failed"
    certificate.write_bytes(b"no PDF at all")
    report = _verify(certificate)
    assert report.exit_code == 1
    assert _not_ok(report)["pdf.readable"] == "failed"
    assert len(report.checks) == len(CHECKS)


def test_a_missing_certificate_or_trust_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cannot be read"):
        verify(tmp_path / "none.pdf", release=None, trust=read_trust([], None))
    with pytest.raises(SignatureError, match="cannot be read"):
        read_trust([tmp_path / "none.crt"], None)


def test_a_report_without_all_checks_never_holds(tmp_path: Path) -> None:
    report = _verify(_lay_out(tmp_path))
    for left_out in range(len(CHECKS)):
        checks = report.checks[:left_out] + report.checks[left_out + 1 :]
        assert replace(report, checks=checks).exit_code == 1


# -- the commands -----------------------------------------------------------------------------------------------------


def test_the_command_prints_every_check_and_a_plain_last_line(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    done = CliRunner().invoke(build_app(), ["verify", str(certificate), "--trust", str(tmp_path / "signer.crt")])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert len(lines) == len(CHECKS) + 1
    assert all(line.startswith(("ok ", "-  ")) for line in lines[:-1])
    assert lines[-1].startswith("Authentic")
    assert str(tmp_path) not in done.stdout


def test_of_a_file_that_is_no_pdf_the_command_says_that_and_no_more(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    certificate.write_bytes(b"no PDF at all")
    done = CliRunner().invoke(build_app(), ["verify", str(certificate)])
    assert done.exit_code == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("FAILED   readable as PDF: ")
    assert MEANINGS["pdf.readable"].do in second and second.endswith("Nothing else could be checked.")
    document = json.loads(CliRunner().invoke(build_app(), ["verify", str(certificate), "--json"]).stdout)
    assert [check["id"] for check in document["checks"]] == list(CHECKS)


def test_the_command_gives_one_json_document(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / "release" / VIDEO).write_bytes(b"changed")
    done = CliRunner().invoke(build_app(), ["verify", str(certificate), "--json"])
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert document["schema"] == "deid-audit/verify/v3"
    assert document["ok"] is False
    assert document["verdict"] == "PASSED"
    assert [check["id"] for check in document["checks"]] == list(CHECKS)
    assert {check["id"] for check in document["checks"] if check["status"] == "failed"} == {
        "signature.trusted",
        "files.compared",
    }
    [steward] = document["signers"]
    assert (steward["role"], steward["fingerprint_sha256"]) == ("steward", signer().info.fingerprint_sha256)
    assert (steward["trusted"], steward["decision"], document["trust_file_sha256"]) == (False, None, None)
    assert document["files"]["compared"] == 3
    assert document["files"]["problems"][0]["kind"] == "changed"


def test_the_command_ends_with_3_when_not_passed(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path, Outcome.FAILED)
    trust = ["--trust", str(tmp_path / "signer.crt")]
    assert CliRunner().invoke(build_app(), ["verify", str(certificate), *trust]).exit_code == 3


def test_keys_new_makes_a_key_that_opens_with_its_passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEID_AUDIT_PASSPHRASE", raising=False)
    (tmp_path / "secret").write_bytes(b"from a file\nsecond line\n")
    words = [
        "keys",
        "new",
        "--out",
        str(tmp_path / "k"),
        "--passphrase-file",
        str(tmp_path / "secret"),
        "--name",
        "Ada",
    ]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 0, done.output
    made = load_signer(tmp_path / "k" / "signer.p12", b"from a file", ISSUED.now(ISSUED.tzinfo))
    assert made.info.name == "Ada"
    assert made.info.fingerprint_sha256 in done.stdout
    assert "from a file" not in done.output
    again = CliRunner().invoke(build_app(), words)
    assert again.exit_code == 2
    assert "never overwritten" in again.stderr


def test_keys_new_takes_the_passphrase_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEID_AUDIT_PASSPHRASE", "from the environment")
    assert CliRunner().invoke(build_app(), ["keys", "new", "--out", str(tmp_path)]).exit_code == 0
    assert load_signer(tmp_path / "signer.p12", b"from the environment", ISSUED.now(ISSUED.tzinfo))


def test_keys_new_without_any_passphrase_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEID_AUDIT_PASSPHRASE", raising=False)
    done = CliRunner().invoke(build_app(), ["keys", "new", "--out", str(tmp_path / "k")])
    assert done.exit_code == 2
    assert "--passphrase-file" in done.stderr
    assert not (tmp_path / "k").exists()


def test_an_empty_passphrase_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\n")
    words = ["keys", "new", "--out", str(tmp_path / "k"), "--passphrase-file", str(tmp_path / "secret")]
    assert CliRunner().invoke(build_app(), words).exit_code == 2


def test_keys_new_for_a_chair_names_the_chair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEID_AUDIT_PASSPHRASE", "secret")
    done = CliRunner().invoke(build_app(), ["keys", "new", "--out", str(tmp_path), "--role", "chair"])
    assert done.exit_code == 0, done.output
    assert "deid-audit approve --signer" in done.stdout
    assert load_signer(tmp_path / "signer.p12", b"secret", ISSUED.now(ISSUED.tzinfo)).info.name == "Ethics chair"


# -- what a failed check means, and the trust file --------------------------------------------------------------------


def test_every_check_has_its_words() -> None:
    assert list(MEANINGS) == list(CHECKS)
    for meaning in MEANINGS.values():
        for sentence in (meaning.means, meaning.do):
            assert sentence[0].isupper() and sentence.endswith(".") and len(sentence) > 20
    assert len({meaning.means for meaning in MEANINGS.values()}) == len(MEANINGS)


def test_the_command_says_what_a_failed_and_a_skipped_check_mean_and_what_to_do(tmp_path: Path) -> None:
    certificate = _lay_out(tmp_path)
    (tmp_path / "release").rename(tmp_path / "elsewhere")
    done = CliRunner().invoke(build_app(), ["verify", str(certificate)])
    assert done.exit_code == 1
    explained = done.stdout.partition("What does not hold, and what to do:\n")[2]
    trusted, compared = MEANINGS["signature.trusted"], MEANINGS["files.compared"]
    assert f"  means  {trusted.means}\n  do     {trusted.do}\n" in explained
    assert f"  means  Not checked. If it does not hold: {compared.means}\n  do     {compared.do}\n" in explained
    assert explained.count("  means  ") == 2
    assert done.stdout.splitlines()[-1].startswith("Does not hold: issuer unknown")


def test_a_trust_file_is_named_by_its_digest_and_demands_the_chair(tmp_path: Path) -> None:
    certificate, path = _lay_out(tmp_path), write_trust(tmp_path / "board")
    words = ["verify", str(certificate), "--trust-file", str(path)]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 1
    assert f"trust file sha256 {sha256_bytes(path.read_bytes())}" in done.stdout
    assert MEANINGS["approval.present"].do in done.stdout
    document = document_in(CliRunner().invoke(build_app(), [*words, "--json"]).stdout)
    assert document["trust_file_sha256"] == sha256_bytes(path.read_bytes())
    assert {one["id"] for one in document["checks"] if one["status"] == "failed"} == {"approval.present"}


def test_a_refused_certificate_ends_with_3_and_says_so(tmp_path: Path) -> None:
    certificate, path = _lay_out(tmp_path), write_trust(tmp_path / "board")
    refuses = Decision(approves=False, conditions="a tattoo shows")
    certificate.write_bytes(countersign_pdf(certificate.read_bytes(), chair(), refuses, signed_at=DECIDED))
    words = ["verify", str(certificate), "--trust-file", str(path)]
    done = CliRunner().invoke(build_app(), words)
    assert done.exit_code == 3, done.output
    assert "the chair of the ethics board refused the release (conditions: a tattoo shows)" in done.stdout
    document = document_in(CliRunner().invoke(build_app(), [*words, "--json"]).stdout)
    assert (document["ok"], document["verdict"], document["signers"][1]["decision"]) == (False, "PASSED", "refuse")


def test_two_ways_of_trust_at_once_and_a_wrong_trust_file_are_usage_errors(tmp_path: Path) -> None:
    certificate, path = _lay_out(tmp_path), write_trust(tmp_path / "board")
    both = ["verify", str(certificate), "--trust-file", str(path), "--trust", str(tmp_path / "signer.crt")]
    assert CliRunner().invoke(build_app(), both).exit_code == 2
    path.write_text("schema = 1\n", encoding="utf-8")
    wrong = CliRunner().invoke(build_app(), both[:4])
    assert wrong.exit_code == 2 and "next: " in wrong.stderr
