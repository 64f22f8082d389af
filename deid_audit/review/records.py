"""What reviewers decided, as one strict file: readings by named people, each with its decisions and what it was shown.

Knows nothing of pages and pictures, and decides nothing: `applying.py` says what follows from it.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self

import rfc8785
from pydantic import AfterValidator, AwareDatetime, Field, ValidationError, model_validator

from deid_audit.errors import ReviewFileError
from deid_audit.files import read_at_most, replace_file
from deid_audit.records import Strict, line_fault

Kind = Literal["clear", "conceal", "wrong_person", "reswap"]
Role = Literal["first", "second", "resolution"]

_LONGEST_NAME, _LONGEST_NOTE = 64, 500
_LARGEST = 16 * 2**20
_NEXT = "give the file that `deid-audit review` or `deid-audit run --review` wrote"


def _line(longest: int, text: str) -> str:
    if fault := line_fault(text, longest):
        raise ValueError(fault)
    return text


def _utc(at: AwareDatetime) -> AwareDatetime:
    if at.utcoffset() != timedelta(0):
        raise ValueError("is not in UTC")
    return at


ReviewerName = Annotated[str, AfterValidator(lambda text: _line(_LONGEST_NAME, text))]
"""A name or initials, as the reviewer gives it, of 1 to 64 letters: it is written to the evidence."""
Note = Annotated[str, AfterValidator(lambda text: text and _line(_LONGEST_NOTE, text))]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Decision(Strict):
    """One decision about frames `first_frame` to `last_frame` (from 0, both included) of video number `video` (from 1).

    `box_xyxy` is in pixels of the shown frame; without one the whole face regions of `track` are meant, and without a
    track all face regions of these frames.
    """

    number: int = Field(ge=1, description="Number within its reading, from 1.")
    video: int = Field(ge=1, description="Number of the video, from 1.")
    first_frame: int = Field(ge=0, description="First frame, from 0.")
    last_frame: int = Field(ge=0, description="Last frame.")
    kind: Kind = Field(description="What was decided.")
    track: int | None = Field(default=None, description="Number of the tracked person's stretch, as in the ledger.")
    box_xyxy: tuple[float, float, float, float] | None = Field(
        default=None, description="Left, top, right and bottom, in pixels of the shown frame."
    )
    reviewer: ReviewerName = Field(description="Who decided: a name or initials, as the reviewer gave it.")
    decided_at: Moment = Field(description="When, in UTC.")
    note: Note = Field(default="", description="The reviewer's own words; may be empty.")

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.last_frame < self.first_frame:
            raise ValueError("its last frame lies before its first")
        if self.box_xyxy is not None:
            left, top, right, bottom = self.box_xyxy
            if not (left < right and top < bottom):
                raise ValueError("its box has no area")
        return self


class Shown(Strict):
    """A stretch of frames of one video that were really sent to the reviewer as pictures."""

    video: int = Field(ge=1, description="Number of the video, from 1.")
    first_frame: int = Field(ge=0, description="First frame, from 0.")
    last_frame: int = Field(ge=0, description="Last frame.")

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if self.last_frame < self.first_frame:
            raise ValueError("its last frame lies before its first")
        return self


class Reading(Strict):
    """One person's look at all videos. A second reading sees nothing of the first; a resolution sees both.

    After decisions were carried out there may be another reading in the same role: a look at what became of them.
    """

    reviewer: ReviewerName = Field(description="Who read: a name or initials, as the reviewer gave it.")
    role: Role = Field(description="Which reading it is.")
    started_at: Moment = Field(description="When it began, in UTC.")
    finished_at: Moment | None = Field(default=None, description="When it was finished, in UTC; null: it was not.")
    decisions: tuple[Decision, ...] = Field(default=(), description="The decisions, in their order.")
    shown: tuple[Shown, ...] = Field(default=(), description="The frames that were shown, as merged stretches.")

    @model_validator(mode="after")
    def _holds(self) -> Self:
        if [one.number for one in self.decisions] != list(range(1, len(self.decisions) + 1)):
            raise ValueError("its decisions are not numbered 1, 2, 3")
        if any(one.reviewer != self.reviewer for one in self.decisions):
            raise ValueError("it holds a decision by somebody else")
        if self.finished_at is not None and self.finished_at < self.started_at:
            raise ValueError("it ends before it begins")
        return self


class ReviewFile(Strict):
    """All readings of one case. The digests bind it to what was looked at; no statement while the run still waits."""

    version: Literal["review/v1"] = Field(default="review/v1", description="Version of this form.")
    case_id: str = Field(description="Name of the case.")
    statement_sha256: Sha256 | None = Field(default=None, description="SHA-256 of the case's evidence.json, or null.")
    ledger_sha256: Sha256 = Field(description="SHA-256 of the case's ledger (audit/frames.csv) that was looked at.")
    readings: tuple[Reading, ...] = Field(description="The readings, in their order.")

    def of(self, role: Role) -> tuple[Reading, ...]:
        """The readings in this role."""
        return tuple(one for one in self.readings if one.role == role)


def review_bytes(review: ReviewFile) -> bytes:
    """The file's bytes: canonical JSON (RFC 8785)."""
    return rfc8785.dumps(review.model_dump(mode="json"))


def save_review(path: Path, review: ReviewFile) -> None:
    """Writes the file, or leaves what stood there.

    Raises:
        ReviewFileError: it cannot be written.
    """
    try:
        replace_file(path, review_bytes(review))
    except OSError as error:
        why = error.strerror or "input/output error"
        raise ReviewFileError(
            f"the review cannot be written: {why}", next_step="give another place with --to, or free space"
        ) from None


def load_review(path: Path) -> ReviewFile:
    """The review in a file.

    Raises:
        ReviewFileError: it cannot be read, or is no review; the message never repeats a name or a note.
    """
    try:
        data = read_at_most(path, _LARGEST)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise ReviewFileError(f"the review cannot be read: {why}", next_step=_NEXT) from None
    if data is None:
        raise ReviewFileError(f"the review has more than {_LARGEST} bytes", next_step=_NEXT)
    try:
        json.loads(data, object_pairs_hook=_once)
        return ReviewFile.model_validate_json(data, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ReviewFileError(f"the review does not hold: {where}: {first['msg']}", next_step=_NEXT) from None
    except (ValueError, RecursionError):
        raise ReviewFileError("the review is not JSON, or says something twice", next_step=_NEXT) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found
