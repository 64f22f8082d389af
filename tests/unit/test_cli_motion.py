"""How a comparison of movement is shown: tables, CSV, exit status; and what the command refuses, offline and fast."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deid_audit.cli.motion_table import COLUMNS, print_report, write_csv
from deid_audit.errors import DeidAuditError, SettingsError, VideoError
from deid_audit.measure.exam.values import Definition
from deid_audit.pipeline.movement import MotionReport, compare_movement
from deid_audit.progress import SilentProgress
from tests.unit.motions import SAME, report


@pytest.fixture(scope="module")
def compared() -> MotionReport:
    return report()


def test_the_table_has_its_groups_and_says_what_is_not_measurable(
    compared: MotionReport, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(compared)
    said = capsys.readouterr().out
    places = [said.index(word) for word in ("timing ", "\nbody (", "\nleft hand (", "\nface (", "\nexam (")]
    assert places == sorted(places)
    assert "360 and 360 frames, at identical instants" in said and "others are in view" in said
    assert said.count("not measurable here: all: the first video shows it in 0 of 120 frames") == 2
    assert "COCO-17" in said and "left wrist" in said and "(1.0x)" in said and "yes" in said
    assert "margin     5 % of the lengths below: is kept" in said
    assert "not measurable here: left hand tremor frequency" in said and "gaze" in said


def test_a_tremor_whose_keeping_cannot_be_told_says_why_once(
    compared: MotionReport, capsys: pytest.CaptureFixture[str]
) -> None:
    print_report(compared)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("not measurable here: ")]
    for row in compared.tremors:
        called = f"{row.side} {row.name}".strip().replace("_", " ")
        [line] = [line for line in lines if f" {called}," in line or f" {called}:" in line]
        assert row.because in line
    # the head's is said of its own tremor already; the hands' is another than that of each hand
    assert sum("head tremor" in line for line in lines) == 1
    assert sum("left hand tremor" in line for line in lines) == 2


def test_the_same_reason_in_the_words_of_the_other_table_is_not_said_again(
    compared: MotionReport, capsys: pytest.CaptureFixture[str]
) -> None:
    own = "no such movement seen: the head has no peak that stands out between 3 and 12.0 Hz"
    theirs = own.replace("the head", "the original head")
    exam = tuple(
        replace(row, because=f"original: {own}; released: {own}") if row.name.startswith("head_tremor") else row
        for row in compared.exam
    )
    tremors = tuple(
        replace(row, because=theirs) if row.name.startswith("head_tremor") else row for row in compared.tremors
    )
    print_report(replace(compared, exam=exam, tremors=tremors))
    said = capsys.readouterr().out
    assert theirs not in said
    assert f"head tremor power ratio, head tremor coherence: original: {own}" in said


def test_what_other_tools_saw_stands_below_and_the_columns_are_named_as_the_notes_are(
    compared: MotionReport, capsys: pytest.CaptureFixture[str]
) -> None:
    unit = Definition(name="au12_pcc", unit="1", reference="tests")
    lost = Definition(name="au04_pcc", unit="1", reference="tests").missing("it never changes in the original")
    print_report(replace(compared, action_units=(unit.given(0.91, 300), lost)))
    said = capsys.readouterr().out
    assert "action units" in said and "0.91" in said
    assert "not measurable here: au04_pcc: it never changes" in said
    [head] = [line for line in said.splitlines() if line.startswith("measure ")]
    assert head.split()[2:4] == ["original", "released"]
    print_report(compared)
    assert "action units" not in capsys.readouterr().out


def test_a_table_or_a_model_that_is_none_is_refused_before_any_video_is_opened(tmp_path: Path) -> None:
    for more in ({"action_units": (Path("a.csv"), Path("b.csv"))}, {"blendshapes": Path("face.task")}):
        with pytest.raises(DeidAuditError, match=r"table of action units|blendshape model"):
            compare(Path("a.mp4"), **more)


def test_without_a_margin_nothing_is_said_of_one(compared: MotionReport, capsys: pytest.CaptureFixture[str]) -> None:
    print_report(replace(compared, margin_percent=None))
    assert "margin" not in capsys.readouterr().out


def test_other_instants_are_told_first_and_end_in_status_3(
    compared: MotionReport, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = replace(SAME, second_frames=359, identical=False, pairs=SAME.pairs[:359])
    changed = replace(compared, timing=lost)
    print_report(changed)
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "timing     DIFFERS: 360 and 359 frames, 359 at common instants; only these are compared"
    assert second.startswith("next step  make SECOND anew")
    assert (compared.exit_code, changed.exit_code) == (0, 3)
    rounded = replace(SAME, identical=False, largest_difference_s=0.0004)
    print_report(replace(compared, timing=rounded))
    assert "but for 0.4 ms at most" in capsys.readouterr().out
    assert replace(compared, timing=rounded).exit_code == 0


def test_a_margin_that_is_not_shown_to_be_kept_ends_in_status_3(capsys: pytest.CaptureFixture[str]) -> None:
    short = report(seconds=3)  # fewer than ten seconds show no equivalence
    assert short.equivalent is False and short.exit_code == 3
    print_report(short)
    said = capsys.readouterr().out
    assert "is NOT shown to be kept by all" in said and "not tested" in said
    assert said.count("equivalence not tested: 3 seconds; equivalence needs at least 10") == 2  # body and face
    unasked = report(seconds=3, margin_percent=None)
    assert unasked.equivalent is None and unasked.exit_code == 0
    nothing = replace(short, comparison=replace(short.comparison, rows=()))
    assert nothing.equivalent is False


def test_the_csv_has_a_row_a_line_and_empty_cells_where_nothing_was_measured(
    compared: MotionReport, tmp_path: Path
) -> None:
    write_csv(compared, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(compared.comparison.rows) and list(rows[0]) == list(COLUMNS)
    [nose] = [row for row in rows if (row["group"], row["name"]) == ("body", "nose")]
    assert nose["frames"] == "120" and float(nose["x_correlation"]) > 0.99 and nose["not_measured"] == ""
    assert float(nose["median_px_to_null_edit"]) == 1 and 0 <= float(nose["x_equivalence_p"]) < 0.05
    assert nose["y_correlation"] == ""  # it does not move up or down
    [hand] = [row for row in rows if (row["group"], row["name"]) == ("left hand", "wrist")]
    assert hand["frames"] == hand["x_icc"] == "" and "0 of 120 frames" in hand["not_measured"]


def compare(first: Path, *, margin: float | None = None, table: Path | None = None, **more: Any) -> MotionReport:
    return compare_movement(
        first, Path("b.mp4"), null_edit=False, margin_percent=margin, table=table, force=False,
        write_table=write_csv, progress=SilentProgress(), **more,
    )  # fmt: skip


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan"), float("inf")])
def test_a_margin_must_be_a_length(margin: float) -> None:
    with pytest.raises(SettingsError, match="--margin must be above 0"):
        compare(Path("a.mp4"), margin=margin)


def test_a_table_is_never_overwritten_unasked(tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text("mine", encoding="utf-8")
    with pytest.raises(SettingsError, match="--csv exists already"):
        compare(Path("a.mp4"), table=table)
    assert table.read_text(encoding="utf-8") == "mine"


def test_a_video_that_cannot_be_read_is_named_by_its_place_and_leaves_no_table(tmp_path: Path) -> None:
    named = tmp_path / "Mustermann.mp4"
    named.write_bytes(b"no video")
    with pytest.raises(VideoError, match="first video") as raised:
        compare(named, table=tmp_path / "rows.csv")
    assert "Mustermann" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["Mustermann.mp4"]
