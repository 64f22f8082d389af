"""docs/json.md shows the keys that the commands print, no more and no fewer."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.cli.doctor import document as doctor_document
from deid_audit.cli.report import document as run_document
from deid_audit.cli.verify import _document as verify_document
from deid_audit.evidence import PREDICATE_TYPE, FileProblem
from deid_audit.findings import Explanation, Measurement, Moment, Stretch
from deid_audit.pipeline.doctor.report import DoctorReport, StepResult
from deid_audit.pipeline.doctor.report import Finding as DoctorFinding
from deid_audit.pipeline.verify import CHECKS, Check, VerifyReport
from tests.fakes import make_case

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "json.md").read_text(encoding="utf-8")
EXAMPLES = [json.loads(block) for block in re.findall(r"^```json\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)]
BY_SCHEMA: dict[str, Any] = {one["schema"]: one for one in EXAMPLES if "schema" in one}
FREE = ("training", "seconds", "detail")  # their keys vary from run to run


def shape(value: Any) -> Any:
    """The keys of a document, down to the last; of a list, those of its first entry."""
    if isinstance(value, dict):
        return {key: None if key in FREE else shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None


def run_result() -> Any:
    """What `document` reads of a JobResult, without the pipeline's heavy imports."""
    case = make_case()
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
    )


def verify_report() -> VerifyReport:
    case = make_case()
    return VerifyReport(
        checks=tuple(Check(id=name, status="ok", detail="as it must be") for name in CHECKS),
        signer=case.signer,
        case=case,
        file_problems=(FileProblem(name="case-0001-01.mp4", kind="changed", detail="its SHA-256 differs"),),
        files_compared=3,
    )


def doctor_report() -> DoctorReport:
    found = DoctorFinding(area="machine", name="memory", status="ok", found="8 GB", needed_by=("run",))
    step = StepResult(step="clip", title="a clip", ok=True, seconds=0.1, detail="12 frames")
    return DoctorReport(findings=(found,), steps=(step,))


def printed(*arguments: str) -> Any:
    result = CliRunner().invoke(build_app(), [*arguments, "--json"])
    assert result.exit_code == 0
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "document",
    [
        run_document(run_result()),
        verify_document(verify_report()),
        doctor_document(doctor_report()),
        printed("policy", "list"),
        printed("policy", "show", "release"),
        printed("policy", "check", "release"),
    ],
    ids=lambda document: document["schema"],
)
def test_an_example_has_the_keys_that_are_printed(document: Any) -> None:
    assert shape(BY_SCHEMA[document["schema"]]) == shape(json.loads(json.dumps(document)))


def test_no_example_is_of_a_document_that_nobody_prints() -> None:
    names = ("run", "verify", "doctor", "policy-list", "policy-show", "policy-check")
    assert set(BY_SCHEMA) == {f"deid-audit/{name}/v1" for name in names}


def test_a_measurement_has_the_keys_shown() -> None:
    [example] = [one for one in EXAMPLES if "schema" not in one]
    assert set(example) == set(Measurement.model_fields)
    assert Measurement.model_validate(example)


def test_the_statement_is_named_as_it_is() -> None:
    assert f"`{PREDICATE_TYPE}`" in TEXT and "`verificationResult`" in TEXT


def test_a_key_more_or_less_is_noticed() -> None:
    example = BY_SCHEMA["deid-audit/run/v1"]
    assert shape(example) != shape({**example, "extra": 1})
    assert shape(example) != shape({**example, "findings": [{"rule": {}}]})
