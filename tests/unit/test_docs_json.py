"""Every document that a command prints, and every example in docs/json.md, is what its schema in docs/schemas says."""

import importlib.util
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from pydantic import Field
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.answers import Answer, RequiredAnswer
from deid_audit.certificate.checking import SignedBy
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import load_signer
from deid_audit.certificate.media_keys import load_media_signer
from deid_audit.cli import viewer_test
from deid_audit.cli.approve import _document as approve_document
from deid_audit.cli.board_report import document as report_document
from deid_audit.cli.conceal import document as conceal_document
from deid_audit.cli.doctor import document as doctor_document
from deid_audit.cli.donor import document as donor_document
from deid_audit.cli.inspect import document as inspect_document
from deid_audit.cli.motion import document as motion_document
from deid_audit.cli.ratings import document as ratings_document
from deid_audit.cli.recheck import document as recheck_document
from deid_audit.cli.report import document as run_document
from deid_audit.cli.review import document as review_document
from deid_audit.cli.verify import _document as verify_document
from deid_audit.cli.withdraw import document as withdraw_document
from deid_audit.dataset.documents import CaseEnd, Checked, Estimate, Ran, SetCheck, SetVerified
from deid_audit.dataset.record import build_set_statement
from deid_audit.errors import SignatureError
from deid_audit.evidence import PREDICATE_TYPE, FileProblem, build_statement
from deid_audit.findings import CaseRecord, Explanation, Measurement, Moment, Policy, Stretch, TextRegion
from deid_audit.ledger import State
from deid_audit.measure.exam.rerating import Ratings, rerating_values
from deid_audit.pipeline.approving import Approved
from deid_audit.pipeline.checks import CHECKS, Check, VerifyReport
from deid_audit.pipeline.doctor.report import DoctorReport, StepResult
from deid_audit.pipeline.doctor.report import Finding as DoctorFinding
from deid_audit.pipeline.rechecking import RecheckReport, judged_again
from deid_audit.pipeline.reporting import Reported
from deid_audit.pipeline.standing import Withdrawn
from deid_audit.pipeline.viewer_scores import score
from deid_audit.pipeline.withdrawing import Written
from deid_audit.policy import judge
from deid_audit.records import StageProfile, TimedPart
from deid_audit.review.records import Decision as Decided
from deid_audit.review.records import Reading, ReviewFile, Shown, save_review
from deid_audit.status import withdrawal
from tests.fakes import make_case, make_measurements, make_policy
from tests.schemas import REGISTRY, SCHEMAS, assert_fits, schema_of, validator
from tests.unit.certificates import ISSUED, chair, signer
from tests.unit.data_sets import made_record, write_files
from tests.unit.inspections import inspection, nobody_found
from tests.unit.log_building import STARTED, filled
from tests.unit.motions import report as motion_report
from tests.unit.viewer_cases import make_plan, plan_sha256, sitting
from tests.unit.viewer_cases import sittings as viewer_sittings

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)]
DOCUMENTED = [one for one in EXAMPLES if "schema" in one]
LOG_DOCUMENTS = ("log-verify", "log-show", "log-prove", "log-check-proof")
PASSPHRASE = "three quiet words"
PASSPHRASES = {"DEID_AUDIT_PASSPHRASE": PASSPHRASE, "DEID_AUDIT_CA_PASSPHRASE": PASSPHRASE}
Place = tuple[str | int, ...]


def _writer() -> ModuleType:
    """scripts/write_docs.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("write_docs", ROOT / "scripts" / "write_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


writer = _writer()


# -- what the commands print -----------------------------------------------------------------------------------------


def answered_case(kind: str = "swap") -> CaseRecord:
    """A case with one answer, asked for by its policy."""
    policy, rows = make_policy(), make_measurements()
    question = RequiredAnswer(field="release_tier", allowed=("enclave",), why="because", source="tests")
    policy = policy.model_copy(update={"answers": (question,)})
    context = (Answer(field="release_tier", answer="enclave"),)
    verdict = judge(rows, policy, context, on=ISSUED.date())
    return make_case(kind=kind, policy=policy, measurements=rows, verdict=verdict, context=context)


def job_result(kind: str = "swap") -> Any:
    """What `document` reads of a JobResult, without the pipeline's heavy imports."""
    parts = (TimedPart(part="detector", seconds=6.1),)
    profile = (StageProfile(stage="finding faces", frames=200, seconds=12.4, parts=parts),)
    line = TextRegion(video=1, box_xyxy=(10, 12, 180, 34), first_frame=0, last_frame=199, covered=False)
    case = answered_case(kind).model_copy(update={"profile": profile, "burned_in_text": (line,)})
    explanation = Explanation(
        finding=case.verdict.findings[0],
        also=("video 2: 0.58 is not above 0.6",),
        noticed=("4 of 200 frames are nearer than 0.6",),
        stretches=(Stretch(video=1, from_s=3.2, to_s=4.1),),
        stretch_count=1,
        worst=Moment(video=1, frame=93, time_s=3.72),
        picture="video-01-frame-000093.png",
        next_steps=("Train longer.",),
    )
    return SimpleNamespace(
        case=case,
        out=Path("OUT"),
        certificate_sha256="ab" * 32,
        seconds={"training": 150.0},
        explanations=(explanation,),
        learning_curve=({"step": 40, "mouth_r": 0.95, "eye_r": None, "holds": False},),
    )


def concealed() -> Any:
    return SimpleNamespace(
        out=Path("covered.mp4"),
        written=True,
        method="mask",
        states=dict.fromkeys(State, 3),
        certified=job_result("conceal"),
    )


def verify_report() -> VerifyReport:
    case = make_case()
    return VerifyReport(
        checks=tuple(Check(id=name, status="ok", detail="as it must be") for name in CHECKS),
        signers=(signed_by("steward"), signed_by("chair")),
        case=case,
        file_problems=(FileProblem(name="case-0001-01.mp4", kind="changed", detail="its SHA-256 differs"),),
        files_compared=3,
        checked_on=ISSUED.date(),
        trust_sha256="ab" * 32,
        withdrawn=withdrawn().withdrawn,
    )


def withdrawn() -> Written:
    own = signer()
    said = withdrawal(
        case_id="case-0001", statement_sha256="cd" * 32, reason="why", at=ISSUED, certificate=own.certificate
    )
    by = Withdrawn(role="steward", signer=own.info, withdrawal=said)
    return Written(withdrawn=by, status_sha256="ab" * 32)


def signed_by(role: Any) -> SignedBy:
    own = chair() if role == "chair" else signer()
    decision = Decision(approves=True, conditions="for one year") if role == "chair" else None
    return SignedBy(role=role, info=own.info, certificate=own.certificate, signed_at=ISSUED, decision=decision)


def approved() -> Approved:
    decision = Decision(approves=True, conditions="for one year")
    return Approved(
        decision=decision,
        signer=chair(),
        signed_at=ISSUED,
        certificate_sha256="ab" * 32,
        case_id="case-0001",
        statement_sha256="cd" * 32,
    )


def recheck_report() -> RecheckReport:
    report = verify_report()
    assert report.case is not None
    return judged_again(report, report.case, report.case.policy, report.case.measurements[:3])


def board_report() -> Reported:
    return Reported(
        case=make_case(),
        statement_sha256="ab" * 32,
        path=Path("OUT/audit/report.html"),
        report_sha256="cd" * 32,
        size_bytes=782113,
        pictures=30,
    )


def review() -> Any:
    decided = Decided(
        number=1, video=1, first_frame=2, last_frame=3, kind="clear", track=0, reviewer="A", decided_at=ISSUED
    )
    shown = (Shown(video=1, first_frame=0, last_frame=9),)
    reading = Reading(
        reviewer="A", role="first", started_at=ISSUED, finished_at=ISSUED, decisions=(decided,), shown=shown
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "OUT.review.json"
        made = ReviewFile(case_id="case-0001", ledger_sha256="ab" * 32, readings=(reading,))
        save_review(file, made)
        return review_document(file, made)


def doctor_report() -> DoctorReport:
    found = DoctorFinding(area="machine", name="memory", status="ok", found="8 GB", needed_by=("run",))
    blocked = DoctorFinding(area="models", name="centerface", status="missing", found="no file", needed_by=("run",))
    step = StepResult(step="clip", title="a clip", ok=True, seconds=0.1, detail="12 frames")
    return DoctorReport(findings=(found, blocked), steps=(step,))


def printed(*arguments: str) -> Any:
    result = CliRunner().invoke(
        build_app(),
        [*arguments, "--json"],
        env=PASSPHRASES,
    )
    assert result.exit_code == 0
    return json.loads(result.stdout)


def new_key() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return printed("keys", "new", "--out", f"{folder}/keys")


def new_ca() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        return printed("keys", "new-ca", "--out", f"{folder}/ca")


def revoked() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        printed("keys", "new-ca", "--out", f"{folder}/ca")
        return printed("keys", "revoke", "--ca", f"{folder}/ca/ca.p12", "--crl", f"{folder}/ca.crl")


def vault_status() -> Any:
    """Of a run that was killed, with a checkpoint and an older output."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        out.mkdir()
        (out / "evidence.json").write_bytes(build_statement(make_case()))
        (out.with_name("out.partial") / "work").mkdir(parents=True)
        result = CliRunner().invoke(build_app(), ["vault", "status", str(out), "--json"])
    assert result.exit_code == 3
    return json.loads(result.stdout)


def logged() -> dict[str, Any]:
    """What the commands of the log print of one that holds, by the name of the document."""
    with tempfile.TemporaryDirectory() as folder:
        log, proof = Path(folder, "log"), Path(folder, "proof.json")
        note = Path(folder, "kept")
        journal = filled(log)
        note.write_text(journal.checkpoint(), encoding="utf-8")
        journal.append(STARTED)
        where, since = ("--log", str(log)), ("--since", str(note))
        return {
            "log-verify": printed("log", "verify", *where, *since),
            "log-show": printed("log", "show", *where),
            "log-prove": printed("log", "prove", "case-1", "--out", str(proof), *where, *since),
            "log-check-proof": printed("log", "check-proof", str(proof), "--checkpoint", str(note)),
        }


def prepared_pack() -> Any:
    """What `document` reads of a PreparedPack."""
    manifest = SimpleNamespace(
        pack_version=1, tool_version="0.1.0", created="2026-01-02T03:04:05Z", preset="micro64", seed=0, steps=600,
        training_seconds=72.0, faces=200, videos=(SimpleNamespace(sha256="ab" * 32),), licence="CC0", consent="yes",
    )  # fmt: skip
    return SimpleNamespace(out=Path("d.pack"), sha256="cd" * 32, manifest=manifest)


def initiated() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), "sub-01/ses-01/video/a.mp4", "donors/d.mp4")
        return printed("dataset", "init", folder)


def checked() -> Any:
    estimate = Estimate(case_seconds=(320.5,), disk_bytes=10**9, work_bytes=10**9, basis="an estimate: made up")
    found = Checked(
        ok=True, subjects=1, videos=2, problems=(), noticed=("a thing",), estimate=estimate, free_bytes=10**11
    )
    return found.model_dump(mode="json", by_alias=True)


def ran() -> Any:
    case = CaseEnd(
        subject=1, case_id="case-0123456789ab", outcome="done", verdict="PASSED", error="", message="", seconds=312.5
    )
    found = Ran(
        set_id="set-01234567",
        out="OUT",
        cases=(case,),
        found=("little", "nothing"),
        package="OUT/set",
        verify="deid-audit verify OUT/set",
    )
    return found.model_dump(mode="json", by_alias=True)


def set_verified() -> Any:
    check = SetCheck(id="set.files", status="ok", detail="every file is as the manifests say")
    found = SetVerified(
        ok=True, conclusion="Authentic.", exit_code=0, set_id="set-01234567", checks=(check,), released=3, withheld=1,
        not_made=0,
    )  # fmt: skip
    return found.model_dump(mode="json", by_alias=True)


def statement() -> Any:
    return json.loads(build_statement(answered_case()))


SCORES = np.arange(12) % 5
RATED = Ratings(original=SCORES, released=SCORES, clips=np.arange(12), items=("3.4",) * 12)


def scored() -> Any:
    plan = make_plan()
    several = [sitting(plan, f"v{number}", ranks=[1 + number % 6]) for number in range(12)]
    return viewer_test.score_document(score(plan, plan_sha256(plan), viewer_sittings(plan, *several)), "ab" * 32)


BUILDERS: dict[str, Callable[[], Any]] = {
    "run": lambda: run_document(job_result()),
    "audit": lambda: run_document(job_result("audit")),
    "conceal": lambda: conceal_document(concealed()),
    "inspect": lambda: inspect_document(inspection()),
    "motion": lambda: motion_document(motion_report()),
    "ratings": lambda: ratings_document(RATED, rerating_values(RATED)),
    "verify": lambda: verify_document(verify_report()),
    "approve": lambda: approve_document(approved()),
    "withdraw": lambda: withdraw_document(withdrawn()),
    "status": lambda: json.loads(withdrawn().withdrawn.withdrawal.payload()),
    "recheck": lambda: recheck_document(recheck_report()),
    "report": lambda: report_document(board_report()),
    "review": review,
    "doctor": lambda: doctor_document(doctor_report()),
    "policy-list": lambda: printed("policy", "list"),
    "policy-show": lambda: printed("policy", "show", "release"),
    "policy-check": lambda: printed("policy", "check", "release"),
    "policy-questions": lambda: printed("policy", "questions", "expert-determination"),
    "policy-diff": lambda: printed("policy", "diff", "release-face", "expert-determination"),
    "donor-prepare": lambda: donor_document(prepared_pack()),
    "dataset-init": initiated,
    "dataset-check": checked,
    "dataset-run": ran,
    "dataset-statement": lambda: json.loads(build_set_statement(made_record())),
    "verify-set": set_verified,
    "viewer-test-prepare": lambda: viewer_test.prepare_document(make_plan(control=True)),
    "viewer-test-run": lambda: viewer_test.run_document(make_plan(), viewer_sittings(make_plan())),
    "viewer-test-score": scored,
    "keys-new": new_key,
    "keys-new-ca": new_ca,
    "keys-revoke": revoked,
    "vault-status": vault_status,
    **{name: partial(lambda one: logged()[one], name) for name in LOG_DOCUMENTS},
    "statement": statement,
}
each_document = pytest.mark.parametrize("name", BUILDERS)


@each_document
def test_what_is_printed_fits_its_schema(name: str) -> None:
    document = json.loads(json.dumps(BUILDERS[name]()))
    assert schema_of(document) == name
    assert_fits(document)


def test_where_there_is_nothing_to_say_null_fits_too() -> None:
    unread = VerifyReport(
        checks=(), signers=(), case=None, file_problems=(), files_compared=0, checked_on=ISSUED.date()
    )
    assert_fits(verify_document(unread))
    assert_fits(recheck_document(RecheckReport(verified=unread)))
    assert_fits(doctor_document(DoctorReport(findings=(), steps=None)))
    assert_fits(inspect_document(nobody_found()))
    assert_fits(motion_document(motion_report(margin_percent=None, seconds=3)))
    withheld = concealed()
    withheld.written, withheld.certified = False, None
    assert_fits(conceal_document(withheld))
    silent = prepared_pack()
    silent.manifest.licence = silent.manifest.consent = None
    assert_fits(donor_document(silent))
    nowhere = job_result("audit")
    [explanation] = nowhere.explanations
    changes = {"stretches": (), "placeless": "it is about the whole video", "worst": None, "picture": None}
    nowhere.explanations = (explanation.model_copy(update=changes),)
    assert_fits(json.loads(json.dumps(run_document(nowhere))))


def test_every_command_prints_a_document_that_has_a_schema() -> None:
    names = set()
    for path, command in writer.leaf_commands():
        assert "--json" in [option for one in command.params for option in one.opts], path
        name = "-".join(path.split()[1:])
        names.add("run" if name == "demo" else name)  # the demo is a run
    assert set(SCHEMAS) == names | {"statement", "status", "findings", "dataset-statement", "verify-set"}
    assert set(BUILDERS) == set(SCHEMAS) - {"findings"}


def test_keys_new_says_what_it_made_and_not_the_passphrase(tmp_path: Path) -> None:
    words = ["keys", "new", "--out", str(tmp_path / "k"), "--name", "Ada", "--json"]
    result = CliRunner().invoke(build_app(), words, env={"DEID_AUDIT_PASSPHRASE": PASSPHRASE})
    document = json.loads(result.stdout)
    info = load_signer(Path(document["key_file"]), PASSPHRASE.encode(), ISSUED.now(ISSUED.tzinfo)).info
    assert (document["name"], document["fingerprint_sha256"]) == ("Ada", info.fingerprint_sha256)
    assert document["not_after"] == info.not_after
    assert b"BEGIN CERTIFICATE" in Path(document["certificate_file"]).read_bytes()
    assert PASSPHRASE not in result.output


def test_keys_new_makes_a_media_key_that_marks_and_signs_no_certificate(tmp_path: Path) -> None:
    words = ["keys", "new", "--role", "media", "--out", str(tmp_path / "k"), "--json"]
    result = CliRunner().invoke(build_app(), words, env={"DEID_AUDIT_PASSPHRASE": PASSPHRASE})
    document = json.loads(result.stdout)
    assert_fits(document)
    assert document["name"] == "deid-audit media key"
    now, key = ISSUED.now(ISSUED.tzinfo), Path(document["key_file"])
    info = load_media_signer(key, PASSPHRASE.encode(), now).info
    assert (document["fingerprint_sha256"], document["not_after"]) == (info.fingerprint_sha256, info.not_after)
    with pytest.raises(SignatureError, match="media key"):
        load_signer(key, PASSPHRASE.encode(), now)


def test_an_error_prints_no_document(tmp_path: Path) -> None:
    for words in (["policy", "show", "lenient"], ["keys", "new", "--out", str(tmp_path / "k")]):
        result = CliRunner().invoke(build_app(), [*words, "--json"], env={"DEID_AUDIT_PASSPHRASE": None})
        assert (result.exit_code, result.stdout) == (2, "")
        assert "error: " in result.stderr


# -- docs/json.md ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", DOCUMENTED, ids=schema_of)
def test_an_example_fits_its_schema(example: Any) -> None:
    assert_fits(example)


def test_every_document_is_shown_and_its_schema_linked() -> None:
    # The audit's is that of a run; the statement is shown by one measurement.
    assert {schema_of(one) for one in DOCUMENTED} == set(BUILDERS) - {"audit", "statement", "dataset-statement"}
    assert set(re.findall(r"\]\(schemas/(.*?)-v\d+\.schema\.json\)", TEXT)) == set(SCHEMAS)


def test_a_measurement_has_the_keys_shown() -> None:
    [example] = [one for one in EXAMPLES if "schema" not in one]
    assert set(example) == set(Measurement.model_fields)
    assert Measurement.model_validate(example)


def test_the_statement_is_named_as_it_is() -> None:
    assert f"`{PREDICATE_TYPE}`" in TEXT and "`verificationResult`" in TEXT


# -- the schemas themselves ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", writer.SCHEMAS)
def test_a_schema_written_from_the_code_is_current(path: str) -> None:
    text = writer.schema_text(writer.SCHEMAS[path]())
    assert (ROOT / path).read_text(encoding="utf-8") == text, "run: python scripts/write_docs.py"


def test_a_new_field_reaches_the_schema() -> None:
    class Wider(Policy):
        note: str = Field(default="", description="One more key.")

    made = writer._definitions(Wider)["Wider"]
    assert made["properties"]["note"] == {"description": "One more key.", "type": "string"}
    assert made["required"] == [*Policy.model_fields, "note"]  # written always, though it has a default


def nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
    for below in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from nodes(below)


def laxities(schema: dict[str, Any]) -> list[str]:
    """What a schema leaves open or unsaid: an open object, a key that may be missing, a key without a description."""
    found = []
    for node in nodes(schema):
        keys = node.get("properties")
        if not isinstance(keys, dict) or "$ref" in node:  # a key may be called so; a reference has its own keys
            continue
        if node.get("additionalProperties") is not False or set(node.get("required", ())) != set(keys):
            found.append(f"open: {sorted(keys)}")
        for key, said in keys.items():
            target = REGISTRY.resolver(schema["$id"]).lookup(said["$ref"]).contents if "$ref" in said else said
            words = said.get("description") or target.get("description", "")
            if not words.endswith(".") or len(words) > 120:
                found.append(f"not described: {key}")
    return found


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_leaves_nothing_open_or_unsaid(name: str) -> None:
    schema = SCHEMAS[name]
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    version = {"verify": "v3"}.get(name, "v1")
    assert schema["$id"] == f"urn:deid-audit:schema:{name}:{version}" and schema["title"] and schema["description"]
    assert laxities(schema) == []


def test_a_lax_schema_is_noticed() -> None:
    schema = deepcopy(SCHEMAS["keys-new"])
    schema["required"].remove("name")
    assert laxities(schema) == [f"open: {sorted(schema['properties'])}"]
    schema = deepcopy(SCHEMAS["keys-new"])
    del schema["properties"]["key_file"]["description"], schema["additionalProperties"]
    assert laxities(schema) == [f"open: {sorted(schema['properties'])}", "not described: key_file"]


# -- the schemas can refuse ------------------------------------------------------------------------------------------

LEDGER_COUNTS = ("states", "rungs", "decided_by", "cleared_by")
FREE = (
    "training",
    "values",
    "seconds",
    "detail",
    "settings",
    "environment",
    *LEDGER_COUNTS,
)  # maps whose keys vary from run to run


def places(document: Any, at: Place = ()) -> Iterator[Place]:
    """The way to every value of a document; of a list, to its first entry only."""
    if at:
        yield at
    if isinstance(document, dict):
        for key, below in document.items():
            yield from places(below, (*at, key))
    elif isinstance(document, list) and document:
        yield from places(document[0], (*at, 0))


def changed(document: Any, at: Place, change: Callable[[Any, Any], None]) -> Any:
    """A copy of the document after `change` was done to the holder of the value at this place."""
    copy = deepcopy(document)
    holder = copy
    for step in at[:-1]:
        holder = holder[step]
    change(holder, at[-1])
    return copy


def _remove(holder: Any, key: Any) -> None:
    del holder[key]


def _add(holder: Any, _: Any) -> None:
    holder["one_more"] = 1


def _mistype(holder: Any, key: Any) -> None:
    holder[key] = "a text" if isinstance(holder[key], dict | list | bool | int | float) else {"another": "type"}


def may_be_anything(at: Place) -> bool:
    """Whether this is a value of a map that takes texts as well as numbers."""
    return len(at) > 1 and at[-2] in ("training", "settings")


@each_document
def test_a_missing_key_one_more_and_a_wrong_type_are_refused(name: str) -> None:
    document = json.loads(json.dumps(BUILDERS[name]()))
    holds = validator(name).is_valid
    assert holds(document)
    keyed = [at for at in places(document) if isinstance(at[-1], str)]
    closed = [at for at in keyed if len(at) == 1 or at[-2] not in FREE]
    assert len(closed) >= 3
    assert [at for at in closed if holds(changed(document, at, _remove))] == []
    assert [at for at in closed if holds(changed(document, at, _add))] == []
    typed = [at for at in places(document) if not may_be_anything(at)]
    assert [at for at in typed if holds(changed(document, at, _mistype))] == []


def test_a_document_of_another_name_is_refused() -> None:
    document = {**BUILDERS["run"](), "schema": "deid-audit/audit/v1"}
    assert validator("audit").is_valid(json.loads(json.dumps(document)))
    assert not validator("run").is_valid(json.loads(json.dumps(document)))
    with pytest.raises(AssertionError):
        assert_fits({"schema": "deid-audit/run/v1"})
