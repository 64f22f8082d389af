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


class CaseEnd(Strict):
    """What one case came to."""

    subject: int = Field(description="Number of the subject in the file, from 1.")
    case_id: str = Field(description="Name of the case, random.")
    outcome: Literal["done", "refused", "broken"] = Field(
        description="done: it has its certificate; refused: the inputs do not carry it; broken: to be tried again."
    )
    verdict: Literal["PASSED", "FAILED", "INDETERMINATE"] | None = Field(
        description="The verdict; null without a certificate."
    )
    error: str = Field(description="Kind of the error; empty where it is done.")
    message: str = Field(description="The error in words; empty where it is done.")
    seconds: float = Field(description="Time that it took, in seconds; 0 where it was found done.")


class Ran(Strict):
    """What `dataset run` came to."""

    form: Literal["deid-audit/dataset-run/v1"] = Field(
        default="deid-audit/dataset-run/v1", alias="schema", description="The form of this document."
    )
    set_id: str = Field(description="Name of the data set, random.")
    out: str = Field(description="The folder of the set.")
    cases: tuple[CaseEnd, ...] = Field(description="Every case, in the order of the file.")
    found: tuple[str, ...] = Field(description="What the set's statement says across its subjects, in words.")
    package: str = Field(description="The set's package: what may leave, with its signed statement.")
    copied_to: str | None = Field(default=None, description="The URL that the package was copied to; null without.")
    verify: str = Field(description="What to type to check it.")

    @property
    def all_passed(self) -> bool:
        return all(one.verdict == "PASSED" for one in self.cases)


class SetCheck(Strict):
    """One check of a data set's package."""

    id: str = Field(description="Name of the check.")
    status: Literal["ok", "failed", "skipped"] = Field(description="How it came out; skipped is not held.")
    detail: str = Field(description="What was found, in words.")


class SetVerified(Strict):
    """What `verify` came to of a data set's package; exit status 0 only where `ok`."""

    form: Literal["deid-audit/verify-set/v1"] = Field(
        default="deid-audit/verify-set/v1", alias="schema", description="The form of this document."
    )
    ok: bool = Field(description="Whether all of it holds, and every released case still stands.")
    conclusion: str = Field(description="The result in one sentence.")
    exit_code: int = Field(description="The exit status: 0, 1 or 3, as the table has them.")
    set_id: str | None = Field(description="Name of the data set; null where its statement could not be read.")
    checks: tuple[SetCheck, ...] = Field(description="Every check, in order.")
    released: int = Field(description="Cases that are released, by the statement.")
    withheld: int = Field(description="Cases that are withheld, by the statement.")
    not_made: int = Field(description="Cases without a certificate, by the statement.")


BY_COMMAND: dict[str, type[Strict]] = {
    "dataset-init": Proposed,
    "dataset-check": Checked,
    "dataset-run": Ran,
    "verify-set": SetVerified,
}
