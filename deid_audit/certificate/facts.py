"""The facts about a certificate's signatures, in order, and how each of them can come out.

A fact is looked at by one step of `checking`; a step that cannot say "so" raises one of the exceptions here, in words.
"""

from dataclasses import dataclass

FACTS = {
    "pdf.readable": "readable as PDF",
    "signature.present": "signed by a steward, and by nobody else but a chair",
    "signature.covers_whole_file": "the last signature covers the whole file",
    "signature.intact": "the bytes that the steward signed are unchanged",
    "signature.valid": "the steward's signature fits its key",
    "signature.canonical": "the steward's signature has its one exact form",
    "signature.certifies": "certified: nothing but a chair's signature may follow",
    "signature.time": "signed while the steward's certificate was valid",
    "signature.trusted": "the steward's issuer is one you trust",
    "signature.timestamp": "an authority that you trust proves when the steward signed",
    "signature.revocation": "the steward's certificate was not revoked when it signed",
    "approval.present": "the chair has decided, where you demand it",
    "approval.changes": "nothing but the chair's signature was added to what the steward signed",
    "approval.intact": "the bytes that the chair signed are unchanged",
    "approval.valid": "the chair's signature fits its key",
    "approval.canonical": "the chair's signature has its one exact form",
    "approval.locks": "the chair's signature lets nothing follow",
    "approval.time": "signed while the chair's certificate was valid, and not before the steward",
    "approval.trusted": "the chair's issuer is one you trust",
    "approval.timestamp": "an authority that you trust proves when the chair signed",
    "approval.revocation": "the chair's certificate was not revoked when it signed",
    "approval.decision": "the chair's decision stands in its exact form",
    "document.timestamp": "after the chair nothing but a timestamp was added, by an authority that you trust",
    "roles.satisfied": "who signed may sign in that role, and nobody in both",
    "statement.attached": "exactly one statement attached",
}

_MAY_BE_MOOT = ("signature.timestamp", "signature.revocation", "document.timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that must be so; `holds` is None where it could not be looked at (which is not a pass).

    `moot`: it is about something that is not there, and that the verifier does not demand; see `may_be_moot`.
    """

    id: str
    holds: bool | None
    words: str
    moot: bool = False

    @property
    def stands(self) -> bool:
        """Whether it holds, or is about something that need not be there and is not."""
        return self.holds is True or (self.moot and may_be_moot(self.id))


class NotSo(Exception):
    """A fact that does not hold, in words."""


class Unseen(Exception):
    """A fact that could not be looked at, in words."""


class Moot(Exception):
    """A fact about something that is not there and that nobody demands, in words."""


def require(condition: bool, otherwise: str) -> None:
    """Raises NotSo with these words unless the condition holds."""
    if not condition:
        raise NotSo(otherwise)


def may_be_moot(fact_id: str) -> bool:
    """Whether a certificate can hold without that: a chair's signature, lists, and timestamps are not always there."""
    return fact_id.startswith("approval.") or fact_id in _MAY_BE_MOOT
