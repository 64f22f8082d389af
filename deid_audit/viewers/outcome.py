"""What a viewer test came to: a row for every viewer without code or name, and each group's rates with intervals.

The rows are all that the rates rest on, so that whoever takes the result can compute them again.
"""

from typing import Literal

from pydantic import Field, model_validator

from deid_audit.records import Interval, Strict
from deid_audit.viewers.plan import LARGEST, SMALLEST, Digest
from deid_audit.viewers.sittings import GROUPS, Group


class ViewerRow(Strict):
    """One viewer who answered everything; `ranks` are the subject's, 1 the likeliest, a line-up each."""

    group: Group = Field(description="Whether this viewer knows the subject, by the steward's word.")
    ranks: tuple[int, ...] = Field(min_length=1, description="The subject's rank in each line-up that shows them.")
    picked: int = Field(ge=0, description="Line-ups in which the subject was ranked first and said to be there.")
    false_alarms: int = Field(ge=0, description="Line-ups without the subject in which somebody was said to be them.")
    control_rank: int | None = Field(description="Rank of the right picture beside the control's clip; null without.")
    confidence: float = Field(ge=1, le=5, description="Mean confidence, from 1 (guessed) to 5 (certain).")
    seconds: float = Field(ge=0, description="Median time of an answer, in seconds.")


class Estimate(Strict):
    """A number with its 95 % interval, or the reason why there is none; `by_chance` is what guessing gives."""

    value: float = Field(description="The number.")
    by_chance: float = Field(description="What guessing gives on average.")
    interval: Interval | None = Field(description="95 % interval over viewers; null without one.")
    no_interval_because: str = Field(description="Why there is no interval; empty where there is.")


class GroupScore(Strict):
    """One group of viewers; the estimates are null where nobody of the group answered everything."""

    group: Group = Field(description="unfamiliar or familiar.")
    viewers: int = Field(ge=0, description="Viewers who answered everything.")
    line_ups: int = Field(ge=0, description="Line-ups with the subject that they saw; as many had no subject.")
    found_first: Estimate | None = Field(description="Share of those in which the subject was ranked first.")
    mean_rank: Estimate | None = Field(description="Mean rank of the subject; 1 is found first.")
    picked: int = Field(ge=0, description="Line-ups in which the subject was ranked first and said to be there.")
    false_alarms: int = Field(ge=0, description="Line-ups without the subject in which somebody was said to be them.")
    control_found: int | None = Field(description="Viewers who ranked the right person first in the control.")


class Result(Strict):
    """The result file of `viewer-test score`, bound to a statement and to its released videos by SHA-256."""

    version: Literal["viewer-result/v1"] = "viewer-result/v1"
    case_id: str
    statement_sha256: Digest
    released_sha256: tuple[Digest, ...] = Field(min_length=1)
    plan_sha256: Digest
    size: int = Field(ge=SMALLEST, le=LARGEST, description="Pictures in a line-up.")
    control: bool
    first_day: str
    last_day: str
    unfinished: int = Field(ge=0, description="Viewers who did not answer everything; they do not count.")
    viewers: tuple[ViewerRow, ...] = Field(min_length=1)
    groups: tuple[GroupScore, ...]

    @model_validator(mode="after")
    def _fits(self) -> "Result":
        for row in self.viewers:
            shown = len(row.ranks)
            ranks = [*row.ranks, *([] if row.control_rank is None else [row.control_rank])]
            if shown != len(self.released_sha256) or any(not 1 <= rank <= self.size for rank in ranks):
                raise ValueError("a viewer's ranks do not fit the line-ups")
            if row.picked > row.ranks.count(1) or row.false_alarms > shown:
                raise ValueError("a viewer's counts do not fit the line-ups")
            if (row.control_rank is None) == self.control:
                raise ValueError("a viewer's control is not that of the test")
        if tuple(one.group for one in self.groups) != GROUPS:
            raise ValueError("not every group has a score")
        return self
