"""Sign the certificate's PDF, twice at most: the steward certifies it, the ethics board's chair decides once.

The steward's certification (DocMDP) allows the chair's field to be filled and nothing else; the chair's signature
locks the rest. Keys come from `certificate.keys`; whether signatures hold is the matter of `certificate.checking`,
which shares no code with this module. A time of signing is its signer's statement, beside which, where the signer has
a timestamp authority, stands a timestamp; revocation lists that the signer has are written into the document with it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.fields import CHAIR_FIELD, STEWARD_FIELD, TIMESTAMP_FIELD
from deid_audit.certificate.key_files import CERTIFICATE_FILE_NAME, KEY_FILE_NAME
from deid_audit.certificate.keys import NewKey, Signer, ephemeral_signer, load_signer, new_key
from deid_audit.certificate.stamp import stamp_style
from deid_audit.certificate.strings import TEXT
from deid_audit.certificate.timestamps import TimestampAuthority, timestamper_of
from deid_audit.errors import SignatureError

__all__ = [
    "CERTIFICATE_FILE_NAME",
    "KEY_FILE_NAME",
    "METHOD_TEXT",
    "NewKey",
    "Signer",
    "countersign_pdf",
    "ephemeral_signer",
    "load_signer",
    "new_key",
    "sign_pdf",
]

REASON = "Certifies the attached statement"
METHOD_TEXT = (
    "The certificate is a PDF produced as PDF/A-3a with the statement attached; the steward's signature certifies it "
    "(PAdES, SHA-256; DocMDP: only the ethics board's chair may add a signature, and nothing after that but a "
    "timestamp); a time of signing is the signer's own statement where the signature holds no timestamp."
)


def sign_pdf(
    pdf: bytes,
    signer: Signer,
    *,
    signed_at: datetime,
    reason: str = REASON,
    certifies: str = TEXT["signer_certifies"],
) -> bytes:
    """`pdf` certified by the steward: one PAdES baseline-B signature over the whole file, dated `signed_at` (aware).

    `reason` stands in the signature, `certifies`, with the signer's `{name}`, on the page.

    Raises:
        SignatureError: the PDF is already signed, has no empty signature fields, or cannot be signed.
    """
    lines = (TEXT["signs_steward"], certifies.format(name=signer.info.name), *_when_and_who(signer, signed_at))
    return _sign(pdf, signer, STEWARD_FIELD, reason, lines, signed_at)


def countersign_pdf(pdf: bytes, signer: Signer, decision: Decision, *, signed_at: datetime) -> bytes:
    """`pdf`, which the steward has certified, with the chair's decision signed over all of it; nothing comes after it.

    Whether `pdf` holds, and whether this signer may decide, is for the caller to ask before.

    Raises:
        SignatureError: the PDF is not signed by the steward alone, or cannot be signed.
    """
    words = TEXT["signer_approves"] if decision.approves else TEXT["signer_refuses"]
    said = [words.format(name=signer.info.name)]
    if decision.conditions is not None:
        said.append(TEXT["signer_conditions"].format(conditions=decision.conditions))
    lines = (TEXT["signs_chair"], *said, *_when_and_who(signer, signed_at))
    signed = _sign(pdf, signer, CHAIR_FIELD, decision.reason, lines, signed_at)
    return signed if signer.timestamps is None else _timestamped(signed, signer, signer.timestamps)


def _when_and_who(signer: Signer, signed_at: datetime) -> tuple[str, str]:
    time = signed_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    digest = signer.info.fingerprint_sha256
    said = TEXT["signer_time"].format(time=time)
    if signer.timestamps is not None:
        said = TEXT["signer_time_stamped"].format(time=time, by=signer.timestamps.words)
    return said, TEXT["signer_certificate"].format(digest=digest)


def _sign(pdf: bytes, signer: Signer, field_name: str, reason: str, lines: Sequence[str], signed_at: datetime) -> bytes:
    """One signature more, in a field that stands there empty."""
    from pyhanko.pdf_utils.misc import PdfError  # noqa: PLC0415  (heavy)
    from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter  # noqa: PLC0415
    from pyhanko.sign.general import SigningError  # noqa: PLC0415
    from pyhanko.sign.signers import PdfSignatureMetadata  # noqa: PLC0415

    certifies = field_name == STEWARD_FIELD
    meta = PdfSignatureMetadata(
        field_name=field_name,
        subfilter=SigSeedSubFilter.PADES,
        certify=certifies,
        docmdp_permissions=MDPPerm.FILL_FORMS if certifies else MDPPerm.NO_CHANGES,
        md_algorithm="sha256",
        name=signer.info.name,
        reason=reason,
    )
    try:
        writer = _writer(pdf)
        _require_turn(writer.prev, field_name)
        left, bottom, right, top = _rectangle(writer.prev, field_name)
        if certifies and signer.timestamps is not None and signer.crls:
            _add_security_store(writer, signer, signer.timestamps)
        style = stamp_style(lines, width=right - left, height=top - bottom, signed_at=signed_at)
        signed = _pdf_signer(meta, signer, signed_at, style).sign_pdf(writer, existing_fields_only=True)
    except (PdfError, SigningError, ValueError) as error:
        raise SignatureError(f"the certificate could not be signed: {error}", next_step="report this") from error
    return bytes(signed.getvalue())


def _timestamped(pdf: bytes, signer: Signer, authority: TimestampAuthority) -> bytes:
    """`pdf` with what its later check needs (DSS) and a timestamp of all of it, in one more revision (PAdES B-LTA)."""
    from pyhanko.pdf_utils.misc import PdfError  # noqa: PLC0415  (heavy)
    from pyhanko.sign.general import SigningError  # noqa: PLC0415
    from pyhanko.sign.signers import PdfTimeStamper  # noqa: PLC0415

    try:
        writer = _writer(pdf)
        _add_security_store(writer, signer, authority)
        stamper = PdfTimeStamper(
            timestamper_of(authority), field_name=TIMESTAMP_FIELD, readable_field_name=TIMESTAMP_FIELD
        )
        return bytes(stamper.timestamp_pdf(writer, "sha256").getvalue())
    except (PdfError, SigningError, ValueError) as error:
        raise SignatureError(f"the certificate could not be timestamped: {error}", next_step="report this") from error


def _add_security_store(writer: Any, signer: Signer, authority: TimestampAuthority) -> None:
    """A DSS (ISO 32000-2, 12.8.4.3) with the lists and certificates that are at hand, beside those of an earlier one.

    Every object of it is new: what an earlier signature covers is not written again.
    """
    from pyhanko.pdf_utils import generic  # noqa: PLC0415  (heavy)

    der = serialization.Encoding.DER
    certificates = [one.public_bytes(der) for one in (signer.certificate, *signer.chain, *authority.certificates)]
    store = generic.DictionaryObject({generic.pdf_name("/Type"): generic.pdf_name("/DSS")})
    earlier = writer.root["/DSS"] if "/DSS" in writer.root else {}  # noqa: SIM401  (`get` gives the reference)
    for key, added in (("/Certs", certificates), ("/CRLs", [one.public_bytes(der) for one in signer.crls])):
        kept = [earlier[key].raw_get(at) for at in range(len(earlier[key]))] if key in earlier else []
        had = {bytes(one.get_object().data) for one in kept}
        new = [data for data in dict.fromkeys(added) if data not in had]
        references = kept + [writer.add_object(generic.StreamObject(stream_data=data)) for data in new]
        if references:
            store[generic.pdf_name(key)] = generic.ArrayObject(references)
    writer.root[generic.pdf_name("/DSS")] = writer.add_object(store)
    writer.update_root()


def _writer(pdf: bytes) -> Any:
    """pyHanko's writer of one more revision."""
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415

    class UntouchedMetadata(IncrementalPdfFileWriter):  # type: ignore[misc]
        """Leaves title and dates as they were issued: a signature adds itself, and the check accepts nothing else."""

        def _update_meta(self) -> None:
            return

    return UntouchedMetadata(BytesIO(pdf))


def _require_turn(reader: Any, field_name: str) -> None:
    """The steward signs what nobody has signed, the chair what the steward alone has signed."""
    signed = [str(one.field_name) for one in reader.embedded_signatures]
    if signed != ([] if field_name == STEWARD_FIELD else [STEWARD_FIELD]):
        said = "is already signed" if signed else "is not signed by the steward"
        raise SignatureError(f"the certificate {said}", next_step="sign a certificate whose turn it is")


def _rectangle(reader: Any, field_name: str) -> tuple[float, float, float, float]:
    fields = [one.get_object() for one in reader.root.get("/AcroForm", {}).get("/Fields", ())]
    fields = [one for one in fields if one.get("/T") == field_name]
    if len(fields) != 1:
        raise SignatureError(f"the document has no signature field {field_name}", next_step="report this")
    left, bottom, right, top = (float(number) for number in fields[0]["/Rect"])
    return left, bottom, right, top


def _pdf_signer(meta: Any, signer: Signer, signed_at: datetime, style: Any) -> Any:
    """pyHanko's PdfSigner with the clock as a parameter: its own reads the machine's."""
    from asn1crypto import x509  # noqa: PLC0415
    from pyhanko.sign.signers import PdfSigner  # noqa: PLC0415
    from pyhanko.sign.signers import Signer as PdfKey  # noqa: PLC0415
    from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415

    class DatedSigner(PdfSigner):  # type: ignore[misc]
        def init_signing_session(self, *args: Any, **kwargs: Any) -> Any:
            session = super().init_signing_session(*args, **kwargs)
            session.system_time = signed_at
            return session

    class AskedKey(PdfKey):  # type: ignore[misc]
        """The key is asked for a signature and never handed over: it may lie on a token."""

        async def async_sign_raw(self, data: bytes, digest_algorithm: str, dry_run: bool = False) -> bytes:
            # The rehearsal measures how much room to leave; a token shall not be asked twice for one signature.
            return bytes(room) if dry_run else signer.sign(data)

    der = serialization.Encoding.DER
    certificate = x509.Certificate.load(signer.certificate.public_bytes(der))
    room = certificate.public_key.bit_size // 4 + 16  # enough for two numbers of that size in DER, and for RSA
    store = SimpleCertificateStore.from_certs(
        [x509.Certificate.load(certificate.public_bytes(der)) for certificate in signer.chain]
    )
    asked = AskedKey(signing_cert=certificate, cert_registry=store, embed_roots=False)
    timestamper = None if signer.timestamps is None else timestamper_of(signer.timestamps)
    return DatedSigner(meta, asked, timestamper=timestamper, stamp_style=style)
