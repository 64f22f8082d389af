"""Whether a certificate that signed no PDF is one that the verifier's anchors vouch for."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

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
        asyncio.run(validator.async_validate_usage(key_usage={"non_repudiation"}))
    except Interrupted:
        raise
    except Exception:  # a damaged certificate can make any parser raise anything; nothing of it may pass
        return False
    return True
