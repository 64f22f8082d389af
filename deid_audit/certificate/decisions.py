"""What a chair's signature says: approves or refuses, and on which conditions, in one exact sentence.

The sentence stands in the signature itself (/Reason), so it is covered by what it says. Nothing here signs or trusts.
"""

import re
from dataclasses import dataclass

from deid_audit.errors import SettingsError
from deid_audit.records import line_fault

LONGEST_CONDITIONS = 300
_APPROVES, _REFUSES = "Approves the release", "Refuses the release"
_REASON = re.compile(rf"({_APPROVES}|{_REFUSES})(?:\. Conditions: (.+))?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """A chair's decision; conditions are free text that the chair wrote, or None."""

    approves: bool
    conditions: str | None = None

    @property
    def word(self) -> str:
        """`approve` or `refuse`: the command's word, and the one in JSON documents."""
        return "approve" if self.approves else "refuse"

    @property
    def reason(self) -> str:
        """The sentence of the signature.

        >>> Decision(approves=True, conditions="for one year").reason
        'Approves the release. Conditions: for one year'
        """
        sentence = _APPROVES if self.approves else _REFUSES
        return sentence if self.conditions is None else f"{sentence}. Conditions: {self.conditions}"


def decision_of(*, approves: bool, conditions: str | None) -> Decision:
    """A decision whose conditions can be signed; raises SettingsError, in words, for text that cannot."""
    if conditions is not None and (fault := line_fault(conditions, LONGEST_CONDITIONS)):
        raise SettingsError(f"--conditions {fault}", next_step="say it in one plain line of printable text")
    return Decision(approves=approves, conditions=conditions)


def parse_reason(reason: str) -> Decision:
    """The decision that a signature states; raises ValueError, in words, for any other form."""
    found = _REASON.fullmatch(reason)
    if found is None:
        raise ValueError("the signature states no decision in the form that this tool writes")
    if found[2] is not None and (fault := line_fault(found[2], LONGEST_CONDITIONS)):
        raise ValueError(f"the stated conditions cannot be taken: the text {fault}")
    return Decision(approves=found[1] == _APPROVES, conditions=found[2])
