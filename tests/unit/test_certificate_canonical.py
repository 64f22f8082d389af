"""The signature's container: one form of the gap, one form of the bytes in it."""

import pytest
from asn1crypto import core
from cryptography.hazmat.primitives import serialization

from deid_audit.certificate.canonical import canonical_certificate, der_tlv, read_contents, rebuild_container
from tests.unit.certificates import signer, small_signed


def _container(pdf: bytes) -> bytes:
    start = pdf.index(b"/Contents <") + len(b"/Contents ")
    end = pdf.index(b">", start) + 1
    return read_contents(pdf, [0, start, end, len(pdf) - end])


def test_the_container_is_rebuilt_to_the_same_bytes() -> None:
    der = _container(small_signed())
    assert rebuild_container(der, [signer().certificate.public_bytes(serialization.Encoding.DER)]) == der


def test_a_certificates_outer_algorithm_must_be_the_one_its_issuer_signed() -> None:
    der = signer().certificate.public_bytes(serialization.Encoding.DER)
    assert canonical_certificate(der) == der
    outer = der.rindex(bytes.fromhex("06082a8648ce3d040302"))
    changed = der[: outer + 9] + b"\x03" + der[outer + 10 :]
    assert canonical_certificate(changed) == der


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65535, 65536])
def test_der_lengths_take_their_shortest_form(size: int) -> None:
    assert der_tlv(0x04, bytes(size)) == core.OctetString(bytes(size)).dump()


@pytest.mark.parametrize(
    ("pdf", "byte_range", "words"),
    [
        (b"ab<3000>cd", [1, 2, 8, 2], "first byte"),
        (b"ab<3000>cd", [0, 2, 8, 1], "last byte"),
        (b"ab<3000>cd", [0, 2, 8], "first byte"),
        (b"ab<300>cde", [0, 2, 7, 3], "hex"),
        (b"ab(3000)cd", [0, 2, 8, 2], "hex"),
        (b"ab<3000AA>", [0, 2, 10, 0], "padding"),
        (b"ab<3100>cd", [0, 2, 8, 2], "DER"),
        (b"ab<30810100>cd", [0, 2, 12, 2], "shortest"),
        (b"ab<30820001AA>cd", [0, 2, 14, 2], "shortest"),
    ],
)
def test_the_gap_has_one_form(pdf: bytes, byte_range: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_contents(pdf, byte_range)
