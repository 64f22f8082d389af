"""Checking a signed PDF: every way of changing one fails by its own fact, and a flipped bit never passes."""

import random
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO

import pikepdf
import pytest
from asn1crypto import cms, core
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner
from weasyprint import Attachment

from deid_audit.certificate import checking, signing
from deid_audit.certificate.canonical import read_contents
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.facts import FACTS, Fact, may_be_moot
from deid_audit.certificate.keys import Signer, describe_certificate, ephemeral_signer
from deid_audit.certificate.signing import sign_pdf
from deid_audit.certificate.trust import trust_of
from deid_audit.errors import Interrupted, SignatureError
from tests.unit.certificates import ISSUED, STATEMENT, signer, small_page, small_signed, small_unsigned

FLIPS = 60


def _check(pdf: bytes, *trusted: bytes) -> CertificateCheck:
    return check_certificate(pdf, trust_of(trusted or [signer().certificate_pem]), now=ISSUED + timedelta(days=30))


def _failed(check: CertificateCheck) -> list[str]:
    return [fact.id for fact in check.facts if fact.holds is False]


def _gap(pdf: bytes) -> tuple[int, int]:
    start = pdf.index(b"/Contents <") + len(b"/Contents ")
    return start, pdf.index(b">", start) + 1


def _with_contents(pdf: bytes, der: bytes) -> bytes:
    """`pdf` with another signature container in the same gap."""
    start, end = _gap(pdf)
    digits = der.hex().upper().encode().ljust(end - start - 2, b"0")
    assert len(digits) == end - start - 2
    return pdf[: start + 1] + digits + pdf[end - 1 :]


def _container(pdf: bytes) -> bytes:
    start, end = _gap(pdf)
    return read_contents(pdf, [0, start, end, len(pdf) - end])


def test_what_was_signed_holds_in_every_fact() -> None:
    check = _check(small_signed())
    assert check.holds, _failed(check)
    assert [fact.id for fact in check.facts] == list(FACTS)
    assert check.statement == STATEMENT
    [steward] = check.signers
    assert (steward.role, steward.signed_at, steward.decision) == ("steward", ISSUED, None)
    assert steward.info.fingerprint_sha256 == signer().info.fingerprint_sha256
    assert [fact.id for fact in check.facts if fact.moot] == [one for one in FACTS if may_be_moot(one)]


def test_holds_is_never_true_by_omission() -> None:
    some = (Fact(id="pdf.readable", holds=True, words=""),)
    assert not CertificateCheck(facts=some, signers=(), statement=None).holds
    for moot in (False, True):  # nothing about the steward can be moot
        unknown = tuple(
            Fact(id=one, holds=None if one == "signature.time" else True, words="", moot=moot) for one in FACTS
        )
        assert not CertificateCheck(facts=unknown, signers=(), statement=None).holds


def _flip_in_page(pdf: bytes) -> bytes:
    at = pdf.index(b"stream") + 12
    return pdf[:at] + bytes([pdf[at] ^ 1]) + pdf[at + 1 :]


def _later_revision(change: Callable[[IncrementalPdfFileWriter], None]) -> Callable[[bytes], bytes]:
    def tamper(pdf: bytes) -> bytes:
        writer = IncrementalPdfFileWriter(BytesIO(pdf))
        change(writer)
        out = BytesIO()
        writer.write(out)
        return out.getvalue()

    return tamper


def _set_title(writer: IncrementalPdfFileWriter) -> None:
    info = generic.DictionaryObject({generic.pdf_name("/Title"): generic.pdf_string("PASSED")})
    writer.set_info(writer.add_object(info))


def _attachment(writer: IncrementalPdfFileWriter) -> generic.DictionaryObject:
    return writer.root["/Names"]["/EmbeddedFiles"]["/Names"][1]


def _rewrite_statement(writer: IncrementalPdfFileWriter) -> None:
    files = _attachment(writer)["/EF"]
    new = writer.add_object(generic.StreamObject(stream_data=b'{"small": "lie"}'))
    for key in list(files):
        files[key] = new
    writer.update_container(files)


def _rewritten(pdf: bytes) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(pdf)) as opened:
        opened.save(out)
    return out.getvalue()


def _stripped(pdf: bytes) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(pdf)) as opened:
        del opened.Root.AcroForm
        del opened.Root.Perms
        opened.save(out)
    return out.getvalue()


def _signed_again(pdf: bytes) -> bytes:
    meta = PdfSignatureMetadata(field_name="Another", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256")
    own = signing._pdf_signer(meta, signer(), ISSUED, None)
    out = BytesIO()
    # pyHanko refuses to add to a document certified with "no changes"; an attacker's tool would not.
    own._enforce_certification_constraints = lambda _reader: None
    own.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), output=out)
    return out.getvalue()


def _by_stranger(_pdf: bytes) -> bytes:
    return sign_pdf(small_unsigned(), ephemeral_signer(ISSUED), signed_at=ISSUED)


def _uncertified(pdf: bytes, **more: object) -> bytes:
    meta = PdfSignatureMetadata(field_name="Steward", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256", **more)
    out = BytesIO()
    own: PdfSigner = signing._pdf_signer(meta, signer(), ISSUED, None)
    own._enforce_certification_constraints = lambda _reader: None
    own.sign_pdf(IncrementalPdfFileWriter(BytesIO(pdf)), output=out)
    return out.getvalue()


def _certified_by_something_else(_pdf: bytes) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(small_unsigned())) as opened:
        parameters = pikepdf.Dictionary(Type=pikepdf.Name.TransformParams, P=1, V=pikepdf.Name("/1.2"))
        reference = pikepdf.Dictionary(TransformMethod=pikepdf.Name.DocMDP, TransformParams=parameters)
        other = opened.make_indirect(pikepdf.Dictionary(Reference=pikepdf.Array([reference])))
        opened.Root.Perms = pikepdf.Dictionary(DocMDP=other)
        opened.save(out)
    return _uncertified(out.getvalue())


def _open_certification(_pdf: bytes) -> bytes:
    return _uncertified(small_unsigned(), certify=True, docmdp_permissions=MDPPerm.ANNOTATE)


def _closed_certification(_pdf: bytes) -> bytes:
    return _uncertified(small_unsigned(), certify=True, docmdp_permissions=MDPPerm.NO_CHANGES)


def _with_chair_field(change: Callable[[pikepdf.Object, pikepdf.Pdf], object]) -> Callable[[bytes], bytes]:
    """Certified over fields that are not as they must be."""

    def make(_pdf: bytes) -> bytes:
        out = BytesIO()
        with pikepdf.open(BytesIO(small_unsigned())) as opened:
            change(opened.Root.AcroForm.Fields[1], opened)
            opened.save(out)
        return sign_pdf(out.getvalue(), signer(), signed_at=ISSUED)

    return make


def _unlock(field: pikepdf.Object, _: pikepdf.Pdf) -> None:
    del field.Lock


def _lock_with_open_permissions(field: pikepdf.Object, _: pikepdf.Pdf) -> None:
    field.Lock.P = 2


def _one_more_field(field: pikepdf.Object, pdf: pikepdf.Pdf) -> None:
    more = pikepdf.Dictionary({name: field[name] for name in field.keys() if name != "/T"})  # noqa: SIM118
    more.T = pikepdf.String("Another")
    pdf.Root.AcroForm.Fields.append(pdf.make_indirect(more))


def _lower_case(pdf: bytes) -> bytes:
    start, end = _gap(pdf)
    return pdf[:start] + pdf[start:end].lower() + pdf[end:]


def _padding_used(pdf: bytes) -> bytes:
    _, end = _gap(pdf)
    return pdf[: end - 3] + b"FF" + pdf[end - 1 :]


def _unsigned_attribute(pdf: bytes) -> bytes:
    """An attribute that no signature covers, in a container that stays well-formed."""
    parsed = cms.ContentInfo.load(_container(pdf))
    parsed["content"]["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes(
        [{"type": "1.2.3.4", "values": [core.UTF8String("hello")]}]
    )
    return _with_contents(pdf, parsed.dump(force=True))


def _other_s(pdf: bytes) -> bytes:
    """The signature's other half: n - s instead of s, which fits the key as well."""
    parsed = cms.ContentInfo.load(_container(pdf))
    info = parsed["content"]["signer_infos"][0]
    r, s = decode_dss_signature(info["signature"].native)
    info["signature"] = encode_dss_signature(r, ec.SECP256R1().group_order - s)
    return _with_contents(pdf, parsed.dump(force=True))


def _extra_certificate(pdf: bytes) -> bytes:
    parsed = cms.ContentInfo.load(_container(pdf))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    tiny = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=1)
        .not_valid_before(ISSUED)
        .not_valid_after(ISSUED + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    extra = asn1_x509.Certificate.load(tiny.public_bytes(serialization.Encoding.DER))
    parsed["content"]["certificates"].append(cms.CertificateChoices(name="certificate", value=extra))
    return _with_contents(pdf, parsed.dump(force=True))


TAMPERED: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "bit flipped in a page": (_flip_in_page, "signature.intact", "digest differs"),
    "bytes appended": (lambda pdf: pdf + b"\n% more\n", "signature.covers_whole_file", "8 bytes were appended"),
    "title set by a later revision": (_later_revision(_set_title), "signature.covers_whole_file", "1 later revision"),
    "statement rewritten": (_later_revision(_rewrite_statement), "statement.attached", "not the signed one"),
    "signature stripped": (_stripped, "signature.present", "unsigned"),
    "never signed": (lambda _: small_unsigned(), "signature.present", "unsigned"),
    "rewritten by another program": (_rewritten, "signature.intact", "digest differs"),
    "signed by a stranger": (_by_stranger, "signature.trusted", "did not say you trust"),
    "signed a second time": (_signed_again, "signature.present", "another field"),
    "signed, not certified": (lambda _: _uncertified(small_unsigned()), "signature.certifies", "not certified"),
    "certified by something else": (_certified_by_something_else, "signature.certifies", "another signature"),
    "certified with changes allowed": (_open_certification, "signature.certifies", "other later changes"),
    "certified with no chair allowed": (_closed_certification, "signature.certifies", "other later changes"),
    "chair's field without a lock": (_with_chair_field(_unlock), "signature.certifies", "does not lock"),
    "chair's lock open": (_with_chair_field(_lock_with_open_permissions), "signature.certifies", "does not lock"),
    "a third field": (_with_chair_field(_one_more_field), "signature.certifies", "other signature fields"),
    "hex in lower case": (_lower_case, "signature.canonical", "upper-case hex"),
    "padding used": (_padding_used, "signature.canonical", "padding"),
    "attribute added to the container": (_unsigned_attribute, "signature.canonical", "container was altered"),
    "signature with the other s": (_other_s, "signature.canonical", "container was altered"),
    "certificate added to the container": (_extra_certificate, "signature.canonical", "took no part"),
    "not a PDF": (lambda _: b"a video", "pdf.readable", "damaged"),
    "empty": (lambda _: b"", "pdf.readable", "damaged"),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_every_change_fails_by_its_own_fact(kind: str) -> None:
    tamper, fact_id, words = TAMPERED[kind]
    check = _check(tamper(small_signed()))
    assert not check.holds
    fact = check.fact(fact_id)
    assert fact.holds is False
    assert words in fact.words


@pytest.mark.parametrize(
    "kind",
    [
        "hex in lower case",
        "padding used",
        "attribute added to the container",
        "signature with the other s",
        "bytes appended",
    ],
)
def test_the_strict_facts_alone_catch_what_a_plain_check_accepts(kind: str) -> None:
    """These change no signed byte: without the strict facts the certificate would hold."""
    failed = set(_failed(_check(TAMPERED[kind][0](small_signed()))))
    assert failed and failed <= {"signature.covers_whole_file", "signature.canonical"}


def test_without_trust_the_issuer_is_unknown_and_nothing_else_fails() -> None:
    check = check_certificate(small_signed(), trust_of([]), now=ISSUED)
    assert _failed(check) == ["signature.trusted"]
    assert "issuer unknown" in check.fact("signature.trusted").words
    assert [one.info.verified_issuer for one in check.signers] == [False]


def test_a_trusted_certificate_with_the_same_name_and_another_key_is_not_enough() -> None:
    assert "signature.trusted" in _failed(_check(small_signed(), ephemeral_signer(ISSUED).certificate_pem))


def test_a_trusted_certificate_is_met_byte_for_byte() -> None:
    """Same name, same key, other bytes: a trust anchor is matched by name and key, the bytes are ours to compare."""
    own = signer()
    twin = (
        x509.CertificateBuilder(
            issuer_name=own.certificate.issuer,
            subject_name=own.certificate.subject,
            public_key=own.private_key.public_key(),
            serial_number=own.certificate.serial_number,
        )
        .not_valid_before(ISSUED - timedelta(days=400))
        .not_valid_after(ISSUED + timedelta(days=4000))
        .add_extension(own.certificate.extensions.get_extension_for_class(x509.KeyUsage).value, critical=True)
        .sign(own.private_key, hashes.SHA256())
    )
    check = _check(small_signed(), twin.public_bytes(serialization.Encoding.PEM))
    assert check.fact("signature.trusted").holds is True
    assert _failed(check) == ["signature.canonical"]


def test_a_trust_file_without_a_certificate_is_an_error() -> None:
    with pytest.raises(SignatureError, match="holds no certificate"):
        trust_of([b"nothing"])


def test_time_of_signing_must_lie_within_the_certificate_and_not_in_the_future() -> None:
    late = sign_pdf(small_unsigned(), signer(), signed_at=ISSUED + timedelta(days=366))
    anchors = trust_of([signer().certificate_pem])
    check = check_certificate(late, anchors, now=ISSUED + timedelta(days=400))
    assert _failed(check) == ["signature.time"]
    check = check_certificate(small_signed(), anchors, now=ISSUED - timedelta(days=3))
    assert _failed(check) == ["signature.time"]
    assert "future" in check.fact("signature.time").words


def test_years_later_it_still_holds_and_says_that_the_certificate_has_ended() -> None:
    check = check_certificate(small_signed(), trust_of([signer().certificate_pem]), now=ISSUED + timedelta(days=3650))
    assert check.holds
    assert "has ended since" in check.fact("signature.time").words
    assert "own statement" in check.fact("signature.time").words


def _issued_by_a_board() -> tuple[Signer, bytes]:
    """A signer under an intermediate under a root, and the root's PEM."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("Root", "Middle", "Steward")]
    made = []
    for level in range(3):
        above = max(0, level - 1)
        usage = dict.fromkeys(
            ("key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
        )
        authority = level < 2
        made.append(
            x509.CertificateBuilder(
                issuer_name=names[above],
                subject_name=names[level],
                public_key=keys[level].public_key(),
                serial_number=level + 1,
            )
            .not_valid_before(ISSUED - timedelta(days=1))
            .not_valid_after(ISSUED + timedelta(days=500))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(
                    digital_signature=not authority,
                    content_commitment=not authority,
                    key_cert_sign=authority,
                    crl_sign=authority,
                    **usage,
                ),
                critical=True,
            )
            .sign(keys[above], hashes.SHA256())
        )
    root, middle, leaf = made
    info = describe_certificate(leaf, verified_issuer=True)
    own = Signer(info=info, certificate=leaf, chain=(middle,), private_key=keys[2])
    return own, root.public_bytes(serialization.Encoding.PEM)


def test_a_chain_is_checked_up_to_the_trusted_root_and_every_embedded_bit_counts() -> None:
    own, root = _issued_by_a_board()
    pdf = sign_pdf(small_unsigned(), own, signed_at=ISSUED)
    assert _failed(_check(pdf, root)) == []
    assert _failed(_check(pdf)) == ["signature.trusted"]
    container = _container(pdf)
    for certificate in (own.certificate, own.chain[0]):
        der = certificate.public_bytes(serialization.Encoding.DER)
        at = container.index(der)
        # The last bytes of each certificate are its issuer's signature, the first ones its header.
        for offset in (1, 8, len(der) // 2, len(der) - 72, len(der) - 1):
            changed = bytearray(container)
            changed[at + offset] ^= 1
            assert not _check(_with_contents(pdf, bytes(changed)), root).holds, offset


def test_flipped_bits_are_never_accepted() -> None:
    """A small share, seeded, half of it inside /Contents, where no signature looks."""
    chance = random.Random(20260102)
    pdf = small_signed()
    start, end = _gap(pdf)
    for turn in range(FLIPS):
        at = chance.randrange(start, end) if turn % 2 else chance.randrange(len(pdf))
        bit = chance.randrange(8)
        changed = pdf[:at] + bytes([pdf[at] ^ (1 << bit)]) + pdf[at + 1 :]
        assert not _check(changed).holds, f"bit {bit} of byte {at}"


@pytest.mark.soak
def test_every_bit_of_the_container_counts() -> None:
    pdf = small_signed()
    start, end = _gap(pdf)
    accepted = []
    for at in range(start, end):
        for bit in range(8):
            changed = pdf[:at] + bytes([pdf[at] ^ (1 << bit)]) + pdf[at + 1 :]
            if _check(changed).holds:
                accepted.append((at, bit))
    assert accepted == []


def test_a_statement_must_be_attached_once_and_by_its_name() -> None:
    for names in ((), ("other.json",), ("evidence.json", "evidence.json")):
        files = [Attachment(string=STATEMENT, name=name, created=ISSUED, modified=ISSUED) for name in names]
        pdf = sign_pdf(small_page(*files), signer(), signed_at=ISSUED)
        assert _failed(_check(pdf)) == ["statement.attached"], names


def test_an_interruption_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(_: bytes) -> None:
        raise Interrupted("stopped by Ctrl-C")

    monkeypatch.setattr(checking, "open_pdf", stopped)
    with pytest.raises(Interrupted):
        _check(small_signed())
