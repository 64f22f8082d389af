"""What makes a signature last, given to its signer before any work: revocation lists, and somebody who says the time.

A revoked signer, and a list that says nothing, are refused here. Writing both into a document is for `signing`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cryptography import x509

from deid_audit.certificate.crls import (
    Crl,
    fault_of,
    is_self_issued,
    issuer_of,
    list_by,
    out_of_date,
    revocation_of,
)
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.profiles import SELF_MADE, says
from deid_audit.certificate.timestamps import TimestampAuthority
from deid_audit.errors import SettingsError, SignatureError

_NEXT = "give the newest list of whoever issued the signer's certificate; see: deid-audit keys revoke"


def lasting_signer(
    signer: Signer,
    *,
    crls: Sequence[Crl],
    timestamps: TimestampAuthority | None,
    now: datetime,
    others: Sequence[x509.Certificate] = (),
) -> Signer:
    """`signer` with these lists and this authority.

    Args:
        signer: who is about to sign.
        crls: lists by who issued the signer's certificate, the timestamp authority's, or one of `others`.
        timestamps: whom to ask for timestamps.
        now: the day that the lists must count on.
        others: certificates whose issuers' lists may be among them (the steward's, where the chair signs).

    Raises:
        SignatureError: the signer, or the timestamp authority, is revoked.
        SettingsError: a list has run out, is altered, or is of somebody else's issuer.
    """
    known = () if timestamps is None else timestamps.certificates
    chain = [signer.certificate, *signer.chain, *known, *others]
    issuers = [one for certificate in chain if (one := issuer_of(certificate, chain)) is not None]
    for crl in crls:
        issuer = next((one for one in issuers if one.subject == crl.issuer), None)
        if issuer is None:
            whose = "which vouches for itself"
            whose = whose if is_self_issued(signer.certificate) else "or its issuer's does not stand in the key file"
            raise SettingsError(f"a list of --crl does not fit the signer's certificate, {whose}", next_step=_NEXT)
        if fault := fault_of(crl, issuer) or out_of_date(crl, now):
            raise SettingsError(f"a list of --crl cannot be taken: {fault}", next_step=_NEXT)
    owners = {signer.certificate: "the signer's", **dict.fromkeys(known, "the timestamp authority's")}
    for certificate, whose in owners.items():
        issuer = issuer_of(certificate, chain)
        own = None if issuer is None else list_by(issuer, crls)
        found = None if own is None else revocation_of(certificate, own)
        if found is not None:
            raise SignatureError(
                f"{whose} certificate was revoked on {found.since:%Y-%m-%d %H:%M:%S} UTC ({found.reason})",
                next_step="sign with another key",
            )
    return replace(signer, crls=tuple(crls), timestamps=timestamps)


def facts_of(signer: Signer) -> dict[str, str]:
    """What a certificate tells of it: whose clock, which lists, and an issuer that anybody could have made."""
    facts = {}
    if signer.timestamps is not None:
        facts["timestamps"] = signer.timestamps.words
    if signer.crls:
        facts["revocation_lists"] = ", ".join(f"of {one.last_update_utc:%Y-%m-%d}" for one in signer.crls)
    if any(says(one, SELF_MADE) for one in signer.chain):
        facts["issuer"] = f"an authority {SELF_MADE}: it proves nothing to strangers"
    return facts
