"""Tables that come from outside: action units of OpenFace and py-feat, and clinicians' blinded ratings."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from deid_audit.errors import TableFileError
from deid_audit.measure.exam.action_units import compare_action_units, read_action_units
from deid_audit.measure.exam.rerating import NOT_DONE, Ratings, read_ratings, rerating_values, weighted_kappa

OPENFACE = "frame, face_id, timestamp, confidence, success, AU01_r, AU12_r, AU01_c\n"
HEADER = "clip,rater,item,condition,score\n"


def written(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def openface(folder: Path, units: list[tuple[float, float]], name: str = "table.csv") -> Path:
    rows = [f"{k}, 0, {k / 30:.3f}, 0.98, {int(k != 2)}, {a}, {b}, 1.00" for k, (a, b) in enumerate(units, 1)]
    return written(folder, OPENFACE + "\n".join(rows), name)


def test_openfaces_intensities_are_read_and_a_frame_without_success_has_none(tmp_path: Path) -> None:
    table = read_action_units(openface(tmp_path, [(0.5, 1), (0.7, 2), (0.9, 3)]))
    assert table.frames.tolist() == [1, 2, 3]
    assert list(table.units) == ["AU01", "AU12"]
    assert table.units["AU12"].tolist()[::2] == [1, 3]
    assert np.isnan(table.units["AU01"][1])
    assert table.scale == "0 to 5"


def test_pyfeats_table_is_read_with_its_empty_cells(tmp_path: Path) -> None:
    table = read_action_units(written(tmp_path, "FaceScore,AU01,AU43,input,frame\n0.9,0.25,,a.mp4,0\n,,,a.mp4,24\n"))
    assert table.scale == "0 to 1"
    assert table.frames.tolist() == [0, 24]
    assert table.units["AU01"][0] == 0.25
    assert np.isnan(table.units["AU43"]).all()


def test_agreement_by_hand(tmp_path: Path) -> None:
    """AU12 is one higher throughout: r 1, error 1. AU01 never moves in the original: no correlation."""
    ramp = [(1.0, k / 10) for k in range(13)]
    one = read_action_units(openface(tmp_path, ramp))
    other = read_action_units(openface(tmp_path, [(a, b + 1) for a, b in ramp]))
    found = {value.name: value for value in compare_action_units(one, other)}
    assert found["au12_pcc"].value == pytest.approx(1)
    assert found["au12_rmse"].value == pytest.approx(1)
    assert found["au12_rmse"].sample_size == 12
    assert found["au01_rmse"].value == 0
    assert "never changes" in found["au01_pcc"].reason
    short = read_action_units(openface(tmp_path, ramp[:5]))
    assert "at least 10 are needed" in compare_action_units(one, short)[0].reason


def test_tables_of_two_tools_or_without_a_common_unit_are_not_compared(tmp_path: Path) -> None:
    one = read_action_units(openface(tmp_path, [(1, 1), (1, 1)]))
    feat = read_action_units(written(tmp_path, "frame,AU01\n0,0.1\n"))
    with pytest.raises(TableFileError, match="not of one tool"):
        compare_action_units(one, feat)
    with pytest.raises(TableFileError, match="no action unit in common"):
        compare_action_units(feat, read_action_units(written(tmp_path, "frame,AU04\n0,0.1\n")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("AU01\n0.1\n", "no column frame"),
        ("frame,gaze\n1,0.1\n", "no column such as AU01_r or AU01"),
        ("frame,AU01\n1,secret\n", "row 2, column AU01: not a number"),
        ("frame,AU01\n1,0.1\n2.5,0.1\n", "row 3, column frame: not a whole number"),
        ("frame,AU01\n1,0.1\n1,0.2\n", "row 3, column frame: not after the row before"),
        ("frame,AU01\n1,0.1,7\n", "row 2: 3 columns, 2 in the header"),
        ("frame,success,AU01_r\n1,secret,0.1\n", "row 2, column success: not a number"),
    ],
)
def test_a_malformed_table_is_refused_by_row_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TableFileError) as caught:
        read_action_units(written(tmp_path, text))
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.next_step


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    for read in (read_action_units, read_ratings):
        with pytest.raises(TableFileError, match="cannot be read"):
            read(tmp_path / "missing.csv")
        with pytest.raises(TableFileError, match="no CSV file in UTF-8"):
            read(binary)


def test_weighted_kappa_by_hand() -> None:
    """Scores 0 1 2 2 against 0 1 1 2: one in four is off by one; by chance 7/8 linear, 10/8 squared."""
    one, other = np.array([0, 1, 2, 2]), np.array([0, 1, 1, 2])
    assert weighted_kappa(one, other, "linear") == pytest.approx(1 - 0.25 / (7 / 8))
    assert weighted_kappa(one, other, "quadratic") == pytest.approx(1 - 0.25 / (10 / 8))
    assert np.isnan(weighted_kappa(one * 0, one * 0, "linear"))


@pytest.mark.parametrize("weights", ["linear", "quadratic"])
def test_weighted_kappa_equals_scikit_learns(weights: str) -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        one = rng.integers(0, 5, 40)
        other = np.clip(one + rng.integers(-1, 2, 40), 0, 4)
        assert weighted_kappa(one, other, weights) == pytest.approx(cohen_kappa_score(one, other, weights=weights))


def ratings(folder: Path, clips: int = 12) -> Path:
    rows = [
        f"clip{clip},r{rater},{item},{condition},{(clip + rater + (condition == 'released' and clip % 4 == 0)) % 5}"
        for clip in range(clips)
        for rater in (1, 2)
        for item in ("3.4", "3.15")
        for condition in ("released", "original")
    ]
    return written(folder, HEADER + "\n".join(rows))


def test_ratings_are_paired_and_each_item_has_its_kappas(tmp_path: Path) -> None:
    read = read_ratings(ratings(tmp_path))
    assert len(read.original) == 48
    assert len(set(read.clips.tolist())) == 12
    found = {value.name: value for value in rerating_values(read)}
    assert list(found) == [
        f"rerating_kappa_{weights}{item}" for item in ("", ".3.15", ".3.4") for weights in ("linear", "quadratic")
    ]
    overall = found["rerating_kappa_linear"]
    assert overall.value == pytest.approx(cohen_kappa_score(read.original, read.released, weights="linear"))
    assert overall.low is not None and overall.high is not None
    assert overall.low < (overall.value or 0) < overall.high
    assert overall.sample_size == 48


def test_few_clips_give_no_interval_and_equal_scores_no_kappa(tmp_path: Path) -> None:
    assert all(value.low is None for value in rerating_values(read_ratings(ratings(tmp_path, 4))))
    same = np.zeros(3, np.intp)
    equal = Ratings(original=same, released=same, clips=np.arange(3), items=("3.4",) * 3)
    assert all("all scores are the same" in value.reason for value in rerating_values(equal))


def test_no_ratings_are_not_done() -> None:
    values = rerating_values(None)
    assert [value.reason for value in values] == [NOT_DONE, NOT_DONE]
    assert all(value.value is None for value in values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs one column clip"),
        ("clip,rater,item,condition\n", "needs one column score"),
        (HEADER, "has no rows"),
        (HEADER + "secret,r,3.4,original\n", "row 2: 4 columns, 5 in the header"),
        (HEADER + ",r,3.4,original,1\n", "row 2, column clip: empty"),
        (HEADER + "c,r,secret item of Mr X,original,1\n", "row 2, column item: not the number or short name"),
        (HEADER + "c,r,3.4,secret,1\n", "row 2, column condition: neither original nor released"),
        (HEADER + "c,r,3.4,original,1\nc,r,3.4,released,secret\n", "row 3, column score: not a whole number"),
        (HEADER + "c,r,3.4,original,5\n", "row 2, column score: not a whole number from 0 to 4"),
        (HEADER + "c,r,3.4,original,1\n" * 2, "row 3, column condition: this rating stands above already"),
        (HEADER + "c,r,3.4,original,1\n", "row 2, column condition: rated in one condition only"),
    ],
)
def test_malformed_ratings_are_refused_by_row_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(TableFileError) as caught:
        read_ratings(written(tmp_path, text))
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.next_step
