"""Whether the verifier's anchors vouch for a certificate, also for one that signed no PDF.

A library takes whatever is handed to it as an anchor for an issuer. Most anchors here are the keys of people, which
vouch for themselves and for nobody else: a steward's must not make a chair.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from deid_audit.errors import Interrupted


def vouched_for(certificate: x509.Certificate, anchors: Sequence[x509.Certificate], moment: datetime) -> bool:
    """Whether `certificate` is an anchor, or issued by one, for signatures, and was valid at `moment`.

    As for the signatures of a PDF: no network, no store of the operating system, no revocation. Other certificates on
    the way from an anchor are not looked for.
    """
    from asn1crypto import x509 as asn1_x509  # noqa: PLC0415
    from pyhanko_certvalidator import CertificateValidator, ValidationContext  # noqa: PLC0415

    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        return False  # the validator asks this of no anchor
    try:
        own, *known = (
            asn1_x509.Certificate.load(one.public_bytes(serialization.Encoding.DER)) for one in (certificate, *anchors)
        )
        context = ValidationContext(trust_roots=known, moment=moment, allow_fetching=False)
        validator = CertificateValidator(own, validation_context=context)
        return issuers_may_issue(asyncio.run(validator.async_validate_usage(key_usage={"non_repudiation"})))
    except Interrupted:
        raise
    except Exception:  # a damaged certificate can make any parser raise anything; nothing of it may pass
        return False


def issuers_may_issue(path: Any) -> bool:
    """Whether every issuer on a validated path (pyHanko's, from the anchor on) is a CA, the anchor too."""
    *issuers, _ = path
    return all(_is_ca(one) for one in issuers)


def _is_ca(certificate: Any) -> bool:
    usage = certificate.key_usage_value
    return bool(certificate.ca) and (usage is None or "key_cert_sign" in usage.native)
