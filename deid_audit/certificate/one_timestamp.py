"""One timestamp token (RFC 3161) of a certificate under examination: of which bytes, by whom, when.

Trust comes from the verifier's timestamp authorities and from nobody else's: whoever may sign may not vouch for a time.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from deid_audit.certificate.crls import CLOCK_TOLERANCE, Crl, fault_of, issuer_of, list_by, revocation_of
from deid_audit.certificate.facts import NotSo, require
from deid_audit.certificate.keys import describe_certificate
from deid_audit.certificate.profiles import OWN_CLOCK, says
from deid_audit.certificate.tokens import HASHES, canonical_token, chain_in
from deid_audit.certificate.vouching import issuers_may_issue


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenTime:
    """What a trusted authority asserts: the bytes were there at that time; `by` names who says so."""

    at: datetime
    by: str

    @property
    def words(self) -> str:
        return f"{self.at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, timestamp by {self.by}"


def proven_time(
    token: bytes,
    content: bytes,
    anchors: Sequence[x509.Certificate],
    crls: Sequence[Crl],
    signers: Sequence[x509.Certificate],
    now: datetime,
) -> ProvenTime:
    """The time that `token` proves for `content`; raises NotSo with what is wrong.

    Args:
        token: its bytes as they stand in the PDF (DER).
        content: what it must be of.
        anchors: the timestamp authorities that the verifier trusts, or whoever vouches for them.
        crls: the verifier's lists; a revoked authority proves nothing, whenever it was revoked.
        signers: those whose signature it is for: their own authority is not another one.
        now: the time of checking.
    """
    try:
        exact = canonical_token(token) == token
    except ValueError as error:
        raise NotSo(str(error)) from None
    require(exact, "the timestamp's container was altered")
    chain = [x509.load_der_x509_certificate(one) for one in chain_in(token)]
    name = describe_certificate(chain[0], verified_issuer=False).name
    found = _validated(token, content, anchors)
    require(found["intact"], "the timestamp is of other bytes")
    require(found["valid"], "the timestamp does not fit the key of its authority's certificate")
    require(_for_timestamps_only(chain[0]), f"the timestamp was made with a key that is not for timestamps ({name})")
    require(bool(anchors), f"you trust no timestamp authority (made by {name})")
    path = found["validation_path"]
    known = path is not None and found.get("trust_problem_indic") is None
    require(known, f"by a timestamp authority that you did not say you trust ({name}), or not valid then")
    mere = "a certificate that you trust issued the timestamp authority's, but is no CA's"
    require(issuers_may_issue(path), f"{mere} ({name})")
    validated = [x509.load_der_x509_certificate(one.dump()) for one in path]
    require(all(one in validated for one in chain), "a certificate in the timestamp took no part in the validated path")
    for certificate in validated[1:]:
        _require_not_revoked(certificate, [*validated, *anchors], crls)
    at: datetime = found["timestamp"]
    require(at <= now + CLOCK_TOLERANCE, "the timestamp lies in the future")
    own = says(chain[0], OWN_CLOCK) or any(_one_issuer(chain[0], one) for one in signers)
    return ProvenTime(at=at, by=f"{name} ({OWN_CLOCK})" if own and OWN_CLOCK not in name else name)


def _validated(token: bytes, content: bytes, anchors: Sequence[x509.Certificate]) -> dict[str, Any]:
    """pyHanko's findings, the certificates judged at the time that the token states."""
    from asn1crypto import cms  # noqa: PLC0415
    from asn1crypto import x509 as asn1_x509  # noqa: PLC0415
    from pyhanko.sign.validation.errors import SignatureValidationError  # noqa: PLC0415
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data  # noqa: PLC0415
    from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

    data = cms.ContentInfo.load(token)["content"]
    stated = data["encap_content_info"]["content"].parsed
    names = {one["type"].native for one in data["signer_infos"][0]["signed_attrs"]}
    bound = names & {"signing_certificate", "signing_certificate_v2"}
    require(bool(bound), "the timestamp does not say which certificate made it")

    def imprint(algorithm: str) -> bytes:
        require(algorithm in HASHES, "the timestamp is of a hash that is not used here")
        return hashlib.new(algorithm, content).digest()

    context = ValidationContext(
        trust_roots=[asn1_x509.Certificate.load(one.public_bytes(serialization.Encoding.DER)) for one in anchors],
        moment=stated["gen_time"].native,
        allow_fetching=False,
    )
    try:
        return dict(asyncio.run(validate_tst_signed_data(data, context, imprint)))
    except SignatureValidationError:
        raise NotSo("the timestamp is not as RFC 3161 says") from None


def _for_timestamps_only(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except (x509.ExtensionNotFound, ValueError):
        return False
    return usage.critical and list(usage.value) == [ExtendedKeyUsageOID.TIME_STAMPING]


def _require_not_revoked(
    certificate: x509.Certificate, candidates: Sequence[x509.Certificate], crls: Sequence[Crl]
) -> None:
    issuer = issuer_of(certificate, candidates)
    crl = None if issuer is None else list_by(issuer, crls)
    if issuer is None or crl is None:
        return
    require(not (fault := fault_of(crl, issuer)), f"of the timestamp authority's issuer: {fault}")
    found = revocation_of(certificate, crl)
    require(found is None, "the timestamp authority's certificate was revoked, so its times prove nothing")


def _one_issuer(one: x509.Certificate, other: x509.Certificate) -> bool:
    return one.issuer == other.issuer or one.public_key() == other.public_key()
