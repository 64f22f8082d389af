"""What each failed check of `verify` means for a reader who is no engineer, and what to do about it.

One row a check, keyed by its id; a check that could not be made is explained by the same row.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """One plain sentence each."""

    means: str
    do: str


_ASK_AGAIN = "Do not rely on this copy; ask the issuer for the certificate again, by another way."
_ASK_CHAIR = "Do not rely on this copy; ask the chair of the ethics board for the certificate as it was signed."
_ASK_STATUS = (
    "Do not release yet; ask the steward and the chair, by another way, whether one of them withdrew it; only if they "
    "did not, take the file away and check again."
)
_REPORT = "Do not release; ask the issuer to make the certificate again, and to report this if it comes back."
_CLOCK = (
    "If you trust that authority, give its certificate with --trust-tsa or as timestamp_anchor in your trust file; "
    "else do not rely on the time."
)
_REVOKED = (
    "Get the issuer's newest list by another way than this file came, and give it with --crl; if the key was revoked, "
    "ask the issuer since when and why, and do not release before they answered."
)

MEANINGS = {
    "pdf.readable": Meaning("The file is no PDF, or it is damaged.", _ASK_AGAIN),
    "signature.present": Meaning(
        "The file is not signed by a steward and at most one chair, so nobody stands for what it says.", _ASK_AGAIN
    ),
    "signature.covers_whole_file": Meaning(
        "Something was added to the file after the last signature, and nobody has signed that.", _ASK_AGAIN
    ),
    "signature.intact": Meaning("What the steward signed was changed afterwards.", _ASK_AGAIN),
    "signature.valid": Meaning("The steward's signature was not made with the key that it names.", _ASK_AGAIN),
    "signature.canonical": Meaning(
        "The bytes of the steward's signature were altered, where no signature covers them.", _ASK_AGAIN
    ),
    "signature.certifies": Meaning(
        "The steward's signature does not forbid later changes as deid-audit's does, so it may be another tool's.",
        _ASK_AGAIN,
    ),
    "signature.time": Meaning(
        "The steward's key was not valid when it signed, by the time that the signature states.",
        "Check this machine's clock; if it is right, ask the issuer for a certificate signed with a valid key.",
    ),
    "signature.trusted": Meaning(
        "You have not said that you trust whoever issued this, so it could be anybody.",
        "Get the issuer's certificate by another way than this file came, compare its fingerprint, and give it with "
        "--trust or in your trust file.",
    ),
    "signature.timestamp": Meaning(
        "The time beside the steward's signature is asserted by nobody you trust, or is not of this signature.",
        _CLOCK,
    ),
    "signature.revocation": Meaning(
        "The steward's key was revoked and nothing proves that it signed before, or your list does not say.",
        _REVOKED,
    ),
    "approval.present": Meaning(
        "You demand a decision of the ethics board's chair, and this copy has none.",
        "Ask the chair for the signed certificate; a signature that was taken off looks like one never made.",
    ),
    "approval.changes": Meaning(
        "Between the steward's and the chair's signature the document was changed, so they did not sign the same.",
        _ASK_CHAIR,
    ),
    "approval.intact": Meaning("What the chair signed was changed afterwards.", _ASK_CHAIR),
    "approval.valid": Meaning("The chair's signature was not made with the key that it names.", _ASK_CHAIR),
    "approval.canonical": Meaning(
        "The bytes of the chair's signature were altered, where no signature covers them.", _ASK_CHAIR
    ),
    "approval.locks": Meaning(
        "The chair's signature does not close the document as deid-audit's does, so it may be another tool's.",
        "Ask the chair to sign the steward's certificate with: deid-audit approve.",
    ),
    "approval.time": Meaning(
        "The chair's key was not valid when it signed, or the chair signed before the steward, by the stated times.",
        "Check this machine's clock; if it is right, ask the chair to sign again with a valid key and a right clock.",
    ),
    "approval.trusted": Meaning(
        "You have not said that you trust whoever decided as chair, so it could be anybody.",
        "Get the chair's certificate from the ethics board, compare its fingerprint, and give it with --trust too or "
        "in your trust file.",
    ),
    "approval.timestamp": Meaning(
        "The time beside the chair's signature is asserted by nobody you trust, or is not of this signature.",
        _CLOCK,
    ),
    "approval.revocation": Meaning(
        "The chair's key was revoked and nothing proves that it signed before, or your list does not say.",
        _REVOKED,
    ),
    "approval.decision": Meaning(
        "The chair's signature does not say in the fixed form whether the release is approved or refused.",
        "Ask the chair to sign the steward's certificate with: deid-audit approve.",
    ),
    "document.timestamp": Meaning(
        "What was added after the chair's signature is no timestamp by an authority that you trust, or not only that.",
        f"{_CLOCK} If something else was added: {_ASK_CHAIR}",
    ),
    "roles.satisfied": Meaning(
        "Somebody signed in a role that your trust file does not give them, or one person signed in both.",
        "Do not release; ask who signed, and change your trust file only if its list of people is wrong.",
    ),
    "statement.attached": Meaning(
        "The statement that machines read is missing, doubled, or not the one that was signed.", _ASK_AGAIN
    ),
    "statement.parsed": Meaning(
        "The statement is not in the form of this version of deid-audit, or was not made by it.",
        "Check it with the version that the certificate names; if that refuses it, too, ask the issuer.",
    ),
    "statement.sibling": Meaning(
        "The evidence.json beside the certificate says something else than the certificate.",
        "Go by the certificate; remove that file or ask the issuer for it again.",
    ),
    "statement.signer": Meaning("The statement was written for another signer than the one who signed it.", _REPORT),
    "statement.verdict": Meaning(
        "The stated verdict does not follow from the stated numbers and the stated policy.", _REPORT
    ),
    "attestation.readable": Meaning(
        "The attestation beside the certificate is damaged, or was not written by deid-audit.",
        "Go by the certificate; ask the issuer for the attestation again, or check without it.",
    ),
    "attestation.same": Meaning(
        "The attestation beside the certificate is that of another certificate.",
        "Ask the issuer for the attestation of this one, or check without it.",
    ),
    "attestation.signed": Meaning(
        "The attestation was not signed by the steward, and by the chair who approves, but by fewer, more or others.",
        "Ask whoever signed last for both files as they were signed, or check without the attestation.",
    ),
    "files.compared": Meaning(
        "The released files are not those that were measured and certified, or were not there to be compared.",
        "Give their folder with --release; where they differ, ask the issuer for the files again and release none.",
    ),
    "status.readable": Meaning(
        "A file that should say whether the certificate was withdrawn is damaged, or was not written by deid-audit.",
        _ASK_STATUS,
    ),
    "status.same": Meaning("The status file says that another certificate was withdrawn, not this one.", _ASK_STATUS),
    "status.signed": Meaning(
        "Somebody says that the certificate was withdrawn who may not, or whose key is not known here: anybody can put "
        "such a file there.",
        _ASK_STATUS,
    ),
}
