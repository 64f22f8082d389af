"""Sign the certificate's PDF: one PAdES signature that certifies the document and allows no change after it.

Keys come from `certificate.keys`; whether a signature holds is the matter of `certificate.checking`, which shares
no code with this module. No time stamp authority is asked: the time of signing is the signer's own statement.
"""

from datetime import datetime
from io import BytesIO
from typing import Any

from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.keys import (
    CERTIFICATE_FILE_NAME,
    KEY_FILE_NAME,
    NewKey,
    Signer,
    ephemeral_signer,
    load_signer,
    new_key,
)
from deid_audit.errors import SignatureError

__all__ = [
    "CERTIFICATE_FILE_NAME",
    "FIELD_NAME",
    "KEY_FILE_NAME",
    "METHOD_TEXT",
    "NewKey",
    "Signer",
    "ephemeral_signer",
    "load_signer",
    "new_key",
    "sign_pdf",
]

FIELD_NAME = "Steward"
REASON = "Certifies the attached statement"
METHOD_TEXT = (
    "The certificate is a PDF produced as PDF/A-3a with the statement attached; it is signed once (PAdES, SHA-256, "
    "DocMDP: no changes), and the time of signing is the signer's own statement."
)


def sign_pdf(pdf: bytes, signer: Signer, *, signed_at: datetime) -> bytes:
    """`pdf` with one certifying PAdES baseline-B signature over the whole file, dated `signed_at` (aware).

    Raises:
        SignatureError: the PDF is already signed, or cannot be signed.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415  (heavy)
    from pyhanko.pdf_utils.misc import PdfError  # noqa: PLC0415
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter  # noqa: PLC0415
    from pyhanko.sign.general import SigningError  # noqa: PLC0415
    from pyhanko.sign.signers import PdfSignatureMetadata  # noqa: PLC0415

    meta = PdfSignatureMetadata(
        field_name=FIELD_NAME,
        subfilter=SigSeedSubFilter.PADES,
        certify=True,
        docmdp_permissions=MDPPerm.NO_CHANGES,
        md_algorithm="sha256",
        name=signer.info.name,
        reason=REASON,
    )
    try:
        writer = IncrementalPdfFileWriter(BytesIO(pdf))
        if any(True for _ in writer.prev.embedded_signatures):
            raise SignatureError("the certificate is already signed", next_step="sign the unsigned document")
        signed = _pdf_signer(meta, signer, signed_at).sign_pdf(writer)
    except (PdfError, SigningError, ValueError) as error:
        raise SignatureError(f"the certificate could not be signed: {error}", next_step="report this") from error
    return bytes(signed.getvalue())


def _pdf_signer(meta: Any, signer: Signer, signed_at: datetime) -> Any:
    """pyHanko's PdfSigner with the clock as a parameter: its own reads the machine's."""
    from asn1crypto import keys, x509  # noqa: PLC0415
    from pyhanko.sign.signers import PdfSigner, SimpleSigner  # noqa: PLC0415
    from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415

    class DatedSigner(PdfSigner):  # type: ignore[misc]
        def init_signing_session(self, *args: Any, **kwargs: Any) -> Any:
            session = super().init_signing_session(*args, **kwargs)
            session.system_time = signed_at
            return session

    der = serialization.Encoding.DER
    private = signer.private_key.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    store = SimpleCertificateStore.from_certs(
        [x509.Certificate.load(certificate.public_bytes(der)) for certificate in signer.chain]
    )
    simple = SimpleSigner(
        signing_cert=x509.Certificate.load(signer.certificate.public_bytes(der)),
        signing_key=keys.PrivateKeyInfo.load(private),
        cert_registry=store,
        embed_roots=False,
    )
    return DatedSigner(meta, simple)
