"""The review file: what it takes, what it refuses, and that a refusal never repeats a name or a note."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deid_audit.errors import ReviewFileError
from deid_audit.review.records import ReviewFile, load_review, review_bytes, save_review
from tests.unit.readings import decided, reading

NAME = "Dr. Sentinel"


def review() -> ReviewFile:
    first = reading(
        decided("clear", 3, 9, note="a poster on the wall"),
        decided("conceal", 5, box_xyxy=(1.5, 2.0, 30.0, 40.25)),
        reviewer=NAME,
        shown=[(1, 0, 99)],
    )
    return ReviewFile(case_id="c1", ledger_sha256="0" * 64, readings=(first,))


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    save_review(tmp_path / "r.json", review())
    assert load_review(tmp_path / "r.json") == review()
    assert [one.name for one in tmp_path.iterdir()] == ["r.json"], "no half-written file is left beside it"
    assert (tmp_path / "r.json").read_bytes() == review_bytes(review())


def changed(**at: Any) -> bytes:
    """The file with one value changed, by its path joined with two underscores."""
    table = json.loads(review_bytes(review()))
    for path, value in at.items():
        *way, last = path.split("__")
        place: Any = table
        for key in way:
            place = place[int(key)] if key.isdigit() else place[key]
        place[last] = value
    return json.dumps(table).encode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"{", "not JSON"),
        (b'{"version": "review/v1", "version": "review/v1"}', "says something twice"),
        (changed(version="review/v2"), "version"),
        (changed(more=1), "more"),
        (changed(ledger_sha256="abc"), "ledger_sha256"),
        (changed(readings__0__role="third"), "role"),
        (changed(readings__0__reviewer="x" * 65), "65 characters, 64 are allowed"),
        (changed(readings__0__reviewer="two\nlines"), "cannot be printed"),
        (changed(readings__0__decisions__0__note="x" * 501), "501 characters, 500 are allowed"),
        (changed(readings__0__decisions__0__reviewer="EF"), "decision by somebody else"),
        (changed(readings__0__decisions__0__number=2), "not numbered 1, 2, 3"),
        (changed(readings__0__decisions__0__last_frame=2), "last frame lies before its first"),
        (changed(readings__0__decisions__1__box_xyxy=[5, 5, 5, 9]), "its box has no area"),
        (changed(readings__0__decisions__0__kind="uncover"), "kind"),
        (changed(readings__0__decisions__0__first_frame="3"), "first_frame"),
        (changed(readings__0__finished_at="2026-03-04T08:00:00Z"), "ends before it begins"),
        (changed(readings__0__started_at="2026-03-04T09:00:00+02:00"), "not in UTC"),
        (changed(readings__0__shown__0__last_frame=-1), "last_frame"),
    ],
)
def test_a_file_that_is_no_review_is_refused_with_the_place(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(data)
    with pytest.raises(ReviewFileError, match=says) as caught:
        load_review(tmp_path / "r.json")
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert NAME not in str(caught.value) and "poster" not in str(caught.value)


def test_no_file_and_a_file_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    with pytest.raises(ReviewFileError, match="cannot be read: No such file"):
        load_review(tmp_path / "none.json")
    with pytest.raises(ReviewFileError, match="cannot be written"):
        save_review(tmp_path / "no folder" / "r.json", review())


def test_a_number_that_is_none_is_refused() -> None:
    with pytest.raises(ValidationError):
        reading(decided("conceal", 0, box_xyxy=(0.0, 0.0, float("nan"), 1.0)))
