"""What the commands on data sets print with `--json`, as records; docs/schemas is written from them. No heavy library.

Subjects are called by their number in the file, never by name.
"""

from typing import Literal

from pydantic import Field

from deid_audit.records import Strict


class Proposed(Strict):
    """What `dataset init` wrote."""

    form: Literal["deid-audit/dataset-init/v1"] = Field(
        default="deid-audit/dataset-init/v1", alias="schema", description="The form of this document."
    )
    out: str = Field(description="The file that was written.")
    layout: Literal["bids", "folders"] = Field(description="How the folder was read: BIDS, or one folder a subject.")
    subjects: int = Field(description="How many subjects were found.")
    videos: int = Field(description="How many videos they have.")
    noticed: tuple[str, ...] = Field(description="What could not be placed, in words.")


class Estimate(Strict):
    """A rough reckoning for the whole set."""

    case_seconds: tuple[float, ...] = Field(description="Seconds of each case on this machine alone, in file order.")
    disk_bytes: int = Field(description="Bytes that all cases and the set's package will take.")
    work_bytes: int = Field(description="Bytes more that one case under way takes for a time.")
    basis: str = Field(description="What the estimate was made from, in words.")

    @property
    def seconds(self) -> float:
        """All cases one after the other."""
        return sum(self.case_seconds)


class Checked(Strict):
    """What `dataset check` came to; nothing may run while `problems` has a line."""

    form: Literal["deid-audit/dataset-check/v1"] = Field(
        default="deid-audit/dataset-check/v1", alias="schema", description="The form of this document."
    )
    ok: bool = Field(description="Whether the set may be run.")
    subjects: int = Field(description="How many subjects the file names.")
    videos: int = Field(description="How many videos they have.")
    problems: tuple[str, ...] = Field(description="What has to be mended first, in words.")
    noticed: tuple[str, ...] = Field(description="What may go wrong, or was not looked at, in words.")
    estimate: Estimate | None = Field(description="Time and disk; null where a video could not be read.")
    free_bytes: int = Field(description="Bytes that are free where the data set's file stands.")


BY_COMMAND: dict[str, type[Strict]] = {"dataset-init": Proposed, "dataset-check": Checked}
