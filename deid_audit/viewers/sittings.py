"""What viewers answered: one sitting a viewer, one answer a line-up, as they came."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from deid_audit.records import Strict
from deid_audit.viewers.plan import Digest, Plan

Group = Literal["unfamiliar", "familiar"]
GROUPS: tuple[Group, ...] = ("unfamiliar", "familiar")
Code = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,16}$")]
CONFIDENCES = range(1, 6)


class Answer(Strict):
    """One line-up: all places from the likeliest on, whether the person is among them, how sure (1-5), time taken."""

    line_up: int = Field(ge=1)
    ranking: tuple[int, ...]
    among_them: bool
    confidence: int = Field(ge=1, le=5)
    seconds: float = Field(ge=0)

    @model_validator(mode="after")
    def _ranks_all(self) -> "Answer":
        if sorted(self.ranking) != list(range(1, len(self.ranking) + 1)):
            raise ValueError(f"line-up {self.line_up}: the ranking does not name every picture once")
        return self


class Sitting(Strict):
    """One viewer, by a code; `group` is what the steward says: whether this viewer knows the subject."""

    viewer: Code
    group: Group
    started_at: str
    answers: tuple[Answer, ...] = ()

    def answered(self, answer: Answer) -> "Sitting":
        """The sitting with one more answer."""
        return self.model_copy(update={"answers": (*self.answers, answer)})


class Sittings(Strict):
    """All sittings of one plan, which they name by its file's digest."""

    version: Literal["viewer-answers/v1"] = "viewer-answers/v1"
    plan_sha256: Digest
    sittings: tuple[Sitting, ...] = ()

    @model_validator(mode="after")
    def _once_each(self) -> "Sittings":
        if len({one.viewer for one in self.sittings}) < len(self.sittings):
            raise ValueError("a viewer sat twice")
        return self

    def of(self, viewer: str) -> Sitting | None:
        """The sitting of the viewer with this code."""
        return next((one for one in self.sittings if one.viewer == viewer), None)

    def with_sitting(self, sitting: Sitting) -> "Sittings":
        """These sittings, that of its viewer replaced or added."""
        if self.of(sitting.viewer) is None:
            return self.model_copy(update={"sittings": (*self.sittings, sitting)})
        kept = tuple(sitting if one.viewer == sitting.viewer else one for one in self.sittings)
        return self.model_copy(update={"sittings": kept})


def fault_of(sittings: Sittings, plan: Plan) -> str:
    """What in the sittings does not fit the plan, in words; empty where all of it does."""
    for sitting in sittings.sittings:
        asked = plan.order_for(sitting.viewer)
        if tuple(one.line_up for one in sitting.answers) != asked[: len(sitting.answers)]:
            return "a viewer's answers are not to the line-ups that the plan shows them, in its order"
        if any(len(one.ranking) != plan.size for one in sitting.answers):
            return "an answer ranks more or fewer pictures than the plan shows"
    return ""
