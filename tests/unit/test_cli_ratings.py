"""`deid-audit ratings`, and what of a table of ratings reaches a certificate's measurements."""

import json
from pathlib import Path

import pytest
from sklearn.metrics import cohen_kappa_score
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.catalog import METRICS
from deid_audit.errors import TableFileError
from deid_audit.measure.exam.rerating import NOT_DONE, read_ratings
from deid_audit.measure.rerated import measure_rerating
from deid_audit.pipeline.auditing import audit
from deid_audit.pipeline.issuing import not_assessed
from deid_audit.progress import SilentProgress
from deid_audit.settings import make_audit_settings
from tests.unit.test_exam_tables import HEADER, ratings, written


def test_the_command_prints_kappas_by_item_and_names_no_clip(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["ratings", str(ratings(tmp_path))])
    assert result.exit_code == 0, result.output
    assert "48 pairs of scores, 12 clips" in result.stdout
    assert "rerating_kappa_quadratic.3.15" in result.stdout and "clip1" not in result.stdout
    printed = CliRunner().invoke(build_app(), ["ratings", str(ratings(tmp_path)), "--json"])
    document = json.loads(printed.stdout)
    read = read_ratings(ratings(tmp_path))
    assert document["values"][0]["value"] == pytest.approx(
        cohen_kappa_score(read.original, read.released, weights="linear")
    )


def test_a_table_that_is_none_ends_in_status_2_with_a_next_step(tmp_path: Path) -> None:
    result = CliRunner().invoke(build_app(), ["ratings", str(written(tmp_path, HEADER))])
    assert result.exit_code == 2
    assert result.exception is not None


def test_without_a_table_the_certificate_says_not_done_and_with_one_it_has_each_item(tmp_path: Path) -> None:
    missing = measure_rerating(None)
    assert [(row.not_measured_because, row.absent) for row in missing] == [(NOT_DONE, True)] * 2
    found = {row.metric: row for row in measure_rerating(read_ratings(ratings(tmp_path)))}
    assert set(found) <= set(METRICS)
    row = found["exam.rerating_kappa_linear"]
    assert row.sample_size == 48 and row.detail["item 3.4: pairs"] == 24
    assert row.detail["low95"] < (row.value or 0) < row.detail["high95"]
    assert "no person rated it" in " ".join(not_assessed("audit"))
    rated = " ".join(not_assessed("audit", rated=True))
    assert "no person rated it" not in rated and "blinded" in rated


def test_an_audit_with_a_table_that_is_none_ends_before_any_work_and_leaves_nothing(tmp_path: Path) -> None:
    bad = written(tmp_path, HEADER)
    settings = make_audit_settings(
        originals=(tmp_path / "a.mp4",), released=(tmp_path / "b.mp4",), out=tmp_path / "out", policy="external",
        case_id="c1", ratings=bad,
    )  # fmt: skip
    with pytest.raises(TableFileError, match="has no rows"):
        audit(settings, signer=None, progress=SilentProgress())
    assert [path.name for path in tmp_path.iterdir()] == [bad.name]
