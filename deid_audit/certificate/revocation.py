"""Whether who signed was revoked, and whether before or after: a list says since when, a timestamp when it was signed.

The lists are the verifier's; where none is given, nothing was checked, and that is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from deid_audit.certificate.crls import (
    Crl,
    Revocation,
    fault_of,
    is_self_issued,
    issuer_of,
    list_by,
    out_of_date,
    parse_crl,
    revocation_of,
)
from deid_audit.certificate.facts import Moot, NotSo, Unseen, require
from deid_audit.certificate.one_timestamp import ProvenTime
from deid_audit.errors import SettingsError

_UNCHECKED = "you gave no list: revocation was not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """When something was signed: by the signer's own statement, and, where an authority proves it, at the latest."""

    stated: datetime | None
    proven: ProvenTime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Certificates and lists that a certificate's PDF carries (DSS): of use only where an issuer's key proves them."""

    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()


def read_carried(root: Any) -> Carried:
    """What stands in the document's security store; what cannot be read there counts as not there."""
    store = root["/DSS"] if "/DSS" in root else {}  # noqa: SIM401  (`get` gives the reference)
    certificates, crls = [], []
    for data in _streams(store, "/Certs"):
        try:
            certificates.append(x509.load_der_x509_certificate(data))
        except ValueError:
            continue
    for data in _streams(store, "/CRLs"):
        try:
            crls.append(parse_crl(data))
        except SettingsError:
            continue
    return Carried(certificates=tuple(certificates), crls=tuple(crls))


def _streams(store: Any, key: str) -> list[bytes]:
    return [bytes(store[key][at].data) for at in range(len(store[key]))] if key in store else []


def revocation_words(
    path: Sequence[x509.Certificate],
    candidates: Sequence[x509.Certificate],
    given: Sequence[Crl],
    carried: Carried,
    signing: Signing,
    now: datetime,
) -> str:
    """What the lists say of who signed, in words; raises NotSo, Unseen or Moot where that is not "not revoked".

    Args:
        path: the signer's certificate first, then those above it that an anchor vouches for.
        candidates: who may have issued one of them; the issuer's key proves it.
        given: the verifier's lists.
        carried: what the PDF carries.
        signing: when it was signed.
        now: the time of checking.
    """
    if is_self_issued(path[0]):
        raise Moot("the certificate vouches for itself: nobody else could revoke it")
    if not given:
        raise Moot(_carried_words(path[0], [*candidates, *carried.certificates], carried, signing))
    words = ""
    for above, certificate in enumerate(path):
        issuer = issuer_of(certificate, [*candidates, *carried.certificates])
        crl = None if issuer is None else list_by(issuer, given)
        if issuer is None or crl is None:
            if above:  # of those who issue, a list is looked at where there is one
                continue
            raise Unseen("none of your lists is by who issued this certificate, as far as its issuer is known here")
        require(not (fault := fault_of(crl, issuer)), fault)
        if stale := out_of_date(crl, now):
            raise Unseen(f"revocation is not known: {stale}")
        found = revocation_of(certificate, crl)
        if found is not None:
            said = _judged(found, signing)
        elif above:
            continue
        else:
            said = f"not revoked by the list of {crl.last_update_utc:%Y-%m-%d}"
        words = f"{words}; of its issuer: {said}" if above else said
    return words


def _judged(found: Revocation, signing: Signing) -> str:
    """Words for a signature that is proven to be older than the revocation; NotSo for every other."""
    since = f"{found.since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    why = "" if found.reason == "unspecified" else f" ({found.reason})"
    proven, stated = signing.proven, signing.stated
    if proven is not None and proven.at < found.since:
        return f"revoked on {since}{why}, after signing: {proven.words}"
    if proven is None and stated is not None and stated < found.since:
        raise NotSo(f"revoked on {since}{why}, after the stated time of signing, which no trusted timestamp proves")
    raise NotSo(f"revoked on {since}{why}, before it was signed")


def _carried_words(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate], carried: Carried, signing: Signing
) -> str:
    """What the PDF's own list adds; as old as the signature, it takes no list's place. NotSo where it revokes."""
    issuer = issuer_of(certificate, candidates)
    crl = None if issuer is None else list_by(issuer, carried.crls)
    if issuer is None or crl is None or fault_of(crl, issuer):
        return _UNCHECKED
    found = revocation_of(certificate, crl)
    if found is not None:
        _judged(found, signing)
        return f"{_UNCHECKED} since"
    return f"{_UNCHECKED} since the list of {crl.last_update_utc:%Y-%m-%d} in the certificate, which does not name it"
