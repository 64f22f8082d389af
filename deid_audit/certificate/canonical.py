"""The bytes that no signature covers: the signature's own container inside the PDF, held to one exact form.

A signature cannot cover itself, and parsers are lenient: a plain check accepts about one flipped bit in twenty
inside /Contents. So the container is rebuilt here from its validated pieces and must come out byte for byte.
"""

from collections.abc import Sequence
from typing import Any

from cryptography import x509 as pyca_x509

from deid_audit.signing_keys import USABLE_KEYS, exact_signature, public_key_of

_UPPER_HEX = frozenset(b"0123456789ABCDEF")
_SHORT_FORM_LIMIT = 0x80


def read_contents(pdf: bytes, byte_range: Sequence[int]) -> bytes:
    """The DER bytes between the two signed parts of `pdf`; raises ValueError, in words, on any other form.

    The gap must be one `<...>` of upper-case hex digits (as pyHanko writes) that ends in zero padding only, and the
    signed parts must be everything else.
    """
    if len(byte_range) != 4 or byte_range[0] != 0:
        raise ValueError("the signed range does not start at the first byte")
    _, gap_start, gap_end, tail = byte_range
    if not 0 < gap_start < gap_end <= len(pdf) or gap_end + tail != len(pdf):
        raise ValueError("the signed range does not end at the last byte")
    gap = pdf[gap_start:gap_end]
    digits = gap[1:-1]
    if gap[:1] != b"<" or gap[-1:] != b">" or not _UPPER_HEX.issuperset(digits) or len(digits) % 2:
        raise ValueError("the signature is not written as plain upper-case hex digits")
    padded = bytes.fromhex(digits.decode("ascii"))
    length = _der_length(padded)
    if any(padded[length:]):
        raise ValueError("the padding after the signature is not zero")
    return padded[:length]


def _der_length(data: bytes) -> int:
    """Length of the one DER SEQUENCE at the start of `data`, header included (X.690 10.1: shortest form only)."""
    if len(data) < 2 or data[0] != 0x30:
        raise ValueError("the signature is not a DER sequence")
    if data[1] < _SHORT_FORM_LIMIT:
        return 2 + data[1]
    count = data[1] - _SHORT_FORM_LIMIT
    length = int.from_bytes(data[2 : 2 + count], "big")
    shortest = 1 <= count <= 4 and length >= _SHORT_FORM_LIMIT and length >> (8 * (count - 1)) > 0
    if not shortest or 2 + count + length > len(data):
        raise ValueError("the signature's length is not in its shortest form")
    return 2 + count + length


def der_tlv(tag: int, contents: bytes) -> bytes:
    """One DER element with a definite length in its shortest form.

    >>> der_tlv(0x31, b"").hex()
    '3100'
    """
    if len(contents) < _SHORT_FORM_LIMIT:
        return bytes((tag, len(contents))) + contents
    size = len(contents).to_bytes((len(contents).bit_length() + 7) // 8, "big")
    return bytes((tag, _SHORT_FORM_LIMIT | len(size))) + size + contents


def rebuild_container(der: bytes, certificates: Sequence[bytes]) -> bytes:
    """The CMS ContentInfo (RFC 5652) as pyHanko writes it, from constants and from what was validated.

    `certificates` are the DER bytes of the embedded chain as *validated*, the signer's own first. Only the signed
    attributes (which the signature covers) and the signature value (re-encoded) are taken from `der`.
    """
    from asn1crypto import algos, cms, x509  # noqa: PLC0415  (loaded with pyHanko only)

    parsed = cms.ContentInfo.load(der)["content"]["signer_infos"][0]
    signer = x509.Certificate.load(certificates[0])
    key = public_key_of(pyca_x509.load_der_x509_certificate(certificates[0]))
    if key is None:
        raise ValueError(f"the signer's key is not {USABLE_KEYS}")
    elliptic = signer.public_key.algorithm == "ec"
    info = cms.SignerInfo(
        {
            "version": "v1",
            "sid": cms.SignerIdentifier(
                {
                    "issuer_and_serial_number": cms.IssuerAndSerialNumber(
                        {"issuer": signer.issuer, "serial_number": signer.serial_number}
                    )
                }
            ),
            "digest_algorithm": algos.DigestAlgorithm({"algorithm": "sha256"}),
            "signed_attrs": cms.CMSAttributes.load(der_tlv(0x31, bytes(parsed["signed_attrs"].contents))),
            "signature_algorithm": algos.SignedDigestAlgorithm(
                {"algorithm": "sha256_ecdsa" if elliptic else "sha256_rsa"}
            ),
            "signature": exact_signature(parsed["signature"].native, key),
            **_timestamp_attribute(parsed["unsigned_attrs"]),
        }
    )
    chain = [
        cms.CertificateChoices(name="certificate", value=x509.Certificate.load(canonical_certificate(one)))
        for one in certificates
    ]
    signed_data = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": [algos.DigestAlgorithm({"algorithm": "sha256"})],
            "encap_content_info": {"content_type": "data"},
            "certificates": chain,
            "signer_infos": [info],
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": signed_data}).dump())


def _timestamp_attribute(attributes: Any) -> dict[str, Any]:
    """The one attribute that may follow a signature: one timestamp of it, in its own exact form."""
    from asn1crypto import cms  # noqa: PLC0415

    from deid_audit.certificate.tokens import canonical_token  # noqa: PLC0415  (which needs what stands here)

    if not attributes:
        return {}
    if len(attributes) != 1 or attributes[0]["type"].native != "signature_time_stamp_token":
        raise ValueError("the signature's container was altered: it carries something else than a timestamp")
    values = attributes[0]["values"]
    if len(values) != 1:
        raise ValueError("the signature's container was altered: it carries several timestamps")
    token = cms.ContentInfo.load(canonical_token(values[0].dump()))
    attribute = cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [token]})
    return {"unsigned_attrs": cms.CMSAttributes([attribute])}


def canonical_certificate(der: bytes) -> bytes:
    """`der` rebuilt from the part its issuer signed: the outer algorithm is the inner one, no unused bits."""
    from asn1crypto import core, x509  # noqa: PLC0415

    certificate = x509.Certificate.load(der)
    inner: Any = certificate["tbs_certificate"]
    signature = core.OctetBitString(certificate["signature_value"].native)
    return der_tlv(0x30, inner.dump() + inner["signature"].dump() + signature.dump())
