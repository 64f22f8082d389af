"""A certificate signed twice: what a chair's signature may add, and every other change refused by its own fact."""

import random
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata
from pyhanko.sign.signers.pdf_signer import PdfSigningSession, SigMDPSetup

from deid_audit.certificate import signing
from deid_audit.certificate.canonical import read_contents
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.facts import FACTS
from deid_audit.certificate.fields import CHAIR_FIELD
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.signing import countersign_pdf
from deid_audit.certificate.trust import Role, Trust, trust_of
from deid_audit.signing_keys import exact_signature
from tests.unit.certificates import (
    CONDITIONS,
    DECIDED,
    ISSUED,
    chair,
    named_signer,
    signer,
    small_decided,
    small_signed,
    small_unsigned,
)

Change = Callable[[IncrementalPdfFileWriter], object]
FLIPS, SOAK_FLIPS = 100, 1000
NOW = DECIDED + timedelta(days=30)
APPROVES = Decision(approves=True)


def _trust(*others: Signer) -> Trust:
    return trust_of([one.certificate_pem for one in (signer(), chair(), *others)])


def _demanding(listed: Signer | None = None) -> Trust:
    """A trust file's: the steward by fingerprint, a chair by name."""
    who = (listed or chair()).certificate.subject.rfc4514_string()
    return Trust(
        anchors=_trust().anchors,
        steward=Role(required=1, fingerprints=frozenset({signer().info.fingerprint_sha256})),
        chair=Role(required=1, subjects=frozenset({who})),
        sha256="ab" * 32,
    )


def _check(pdf: bytes, trust: Trust | None = None, *, now: datetime = NOW) -> CertificateCheck:
    return check_certificate(pdf, trust or _trust(), now=now)


def _failed(check: CertificateCheck) -> list[str]:
    return [fact.id for fact in check.facts if fact.holds is False]


def _nothing(_: IncrementalPdfFileWriter) -> None:
    return


def _chair_signs(
    change: Change = _nothing,
    *,
    pdf: bytes | None = None,
    reason: str | None = APPROVES.reason,
    by: Signer | None = None,
    at: datetime = DECIDED,
) -> bytes:
    """The chair's signature as another tool could make it, with something more in the same revision."""
    meta = PdfSignatureMetadata(
        field_name=CHAIR_FIELD,
        subfilter=SigSeedSubFilter.PADES,
        md_algorithm="sha256",
        docmdp_permissions=MDPPerm.NO_CHANGES,
        reason=reason,
    )
    writer = signing._writer(pdf or small_signed())
    change(writer)
    out = BytesIO()
    signing._pdf_signer(meta, by or chair(), at, None).sign_pdf(writer, existing_fields_only=True, output=out)
    return out.getvalue()


def _later(pdf: bytes, change: Change) -> bytes:
    """`pdf` with an unsigned revision after it."""
    writer = signing._writer(pdf)
    change(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


# -- changes --------------------------------------------------------------------------------------------------------


def _title(writer: IncrementalPdfFileWriter) -> None:
    info = generic.DictionaryObject({generic.pdf_name("/Title"): generic.pdf_string("PASSED")})
    writer.set_info(writer.add_object(info))


def _page_text(writer: IncrementalPdfFileWriter) -> None:
    writer.add_stream_to_page(0, writer.add_object(generic.StreamObject(stream_data=b"0 0 9 9 re f")))


def _attachment(writer: IncrementalPdfFileWriter) -> None:
    files = writer.root["/Names"]["/EmbeddedFiles"]
    files["/Names"].append(generic.pdf_string("more.txt"))
    files["/Names"].append(writer.add_object(generic.DictionaryObject()))
    writer.update_container(files)


def _statement(writer: IncrementalPdfFileWriter) -> None:
    files = writer.root["/Names"]["/EmbeddedFiles"]["/Names"][1]["/EF"]
    new = writer.add_object(generic.StreamObject(stream_data=b'{"small": "lie"}'))
    for key in list(files):
        files[key] = new
    writer.update_container(files)


def _dss(writer: IncrementalPdfFileWriter) -> None:
    writer.root["/DSS"] = generic.DictionaryObject({generic.pdf_name("/Type"): generic.pdf_name("/DSS")})
    writer.update_root()


def _stray_object(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(generic.StreamObject(stream_data=b"hidden"))


def _chair_field(writer: IncrementalPdfFileWriter) -> Any:
    return writer.root["/AcroForm"]["/Fields"][1]


def _moved_field(writer: IncrementalPdfFileWriter) -> None:
    field = _chair_field(writer)
    field["/Rect"] = generic.ArrayObject([generic.NumberObject(number) for number in (0, 0, 600, 800)])
    writer.update_container(field)


def _unlocked(writer: IncrementalPdfFileWriter) -> None:
    field = _chair_field(writer)
    del field["/Lock"]
    writer.update_container(field)


def _third_signature(pdf: bytes) -> bytes:
    meta = PdfSignatureMetadata(field_name="Another", subfilter=SigSeedSubFilter.PADES, md_algorithm="sha256")
    own = signing._pdf_signer(meta, signer(), DECIDED, None)
    own._enforce_certification_constraints = lambda _reader: None
    out = BytesIO()
    own.sign_pdf(signing._writer(pdf), output=out)
    return out.getvalue()


def _rewritten(pdf: bytes) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(pdf)) as opened:
        opened.save(out)
    return out.getvalue()


def _flipped(pdf: bytes, at: int, bit: int = 0) -> bytes:
    return pdf[:at] + bytes([pdf[at] ^ (1 << bit)]) + pdf[at + 1 :]


def _in_the_chairs_part() -> int:
    return small_decided().index(b"stream", len(small_signed())) + 12


def _gaps(pdf: bytes) -> list[tuple[int, int]]:
    """Where the /Contents stand: from `<` to behind `>`."""
    gaps, at = [], 0
    while (start := pdf.find(b"/Contents <", at)) > 0:
        at = pdf.index(b">", start) + 1
        gaps.append((start + len(b"/Contents "), at))
    return gaps


def _lower_case(pdf: bytes) -> bytes:
    start, end = _gaps(pdf)[-1]
    return pdf[:start] + pdf[start:end].lower() + pdf[end:]


def _by_another_key(pdf: bytes) -> bytes:
    """The last signature's value made with a key that is not the certificate's; its form stays right."""
    start, end = _gaps(pdf)[-1]
    parsed = cms.ContentInfo.load(read_contents(pdf, [0, start, end, len(pdf) - end]))
    key = ec.generate_private_key(ec.SECP256R1())
    other = exact_signature(key.sign(b"something", ec.ECDSA(hashes.SHA256())), key.public_key())
    parsed["content"]["signer_infos"][0]["signature"] = other
    digits = parsed.dump(force=True).hex().upper().encode().ljust(end - start - 2, b"0")
    return pdf[: start + 1] + digits + pdf[end - 1 :]


# -- what holds -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trust", [_trust, _demanding], ids=["--trust", "--trust-file"])
def test_an_approved_certificate_holds_in_every_fact(trust: Callable[[], Trust]) -> None:
    check = _check(small_decided(), trust())
    assert check.holds, _failed(check)
    not_there = {"timestamp", "revocation"}  # no timestamps, and nobody who could be revoked
    assert [fact.id for fact in check.facts if fact.holds] == [
        one for one in FACTS if one.partition(".")[2] not in not_there
    ]
    steward, decided = check.signers
    assert (steward.role, decided.role) == ("steward", "chair")
    assert (steward.signed_at, decided.signed_at) == (ISSUED, DECIDED)
    assert decided.info.fingerprint_sha256 == chair().info.fingerprint_sha256
    assert (decided.subject, steward.decision) == ("CN=Ada Chair", None)
    assert decided.decision == Decision(approves=True, conditions=CONDITIONS)


def test_a_refusal_holds_too_and_says_so() -> None:
    pdf = countersign_pdf(small_signed(), chair(), Decision(approves=False), signed_at=DECIDED)
    check = _check(pdf, _demanding())
    assert check.holds, _failed(check)
    assert check.signers[1].decision == Decision(approves=False)


def test_the_chairs_revision_is_the_field_and_new_objects_only() -> None:
    """Catalogue, page, title and dates stay as the steward signed them; the steward's part is not touched."""
    assert small_decided().startswith(small_signed())
    with pikepdf.open(BytesIO(small_signed())) as before, pikepdf.open(BytesIO(small_decided())) as after:
        assert before.docinfo == after.docinfo
        assert before.Root.keys() == after.Root.keys()


def test_years_later_it_still_holds() -> None:
    check = _check(small_decided(), _demanding(), now=ISSUED + timedelta(days=3650))
    assert check.holds
    assert "has ended since" in check.fact("approval.time").words


# -- the table of changes to a file signed twice --------------------------------------------------------------------

# What a PDF library accepts of these without a strict rule: a title, bytes at the end, an absent signature.
TAMPERED: dict[str, tuple[Callable[[], bytes], str]] = {
    "one bit flipped in a page": (lambda: _flipped(small_decided(), small_decided().index(b"stream") + 12), "intact"),
    "later revision: page text": (lambda: _later(small_decided(), _page_text), "covers_whole_file"),
    "later revision: attachment": (lambda: _later(small_decided(), _attachment), "covers_whole_file"),
    "later revision: statement": (lambda: _later(small_decided(), _statement), "covers_whole_file"),
    "later revision: title": (lambda: _later(small_decided(), _title), "covers_whole_file"),
    "later revision: DSS": (lambda: _later(small_decided(), _dss), "covers_whole_file"),
    "bytes after the end": (lambda: small_decided() + b"\n% more\n", "covers_whole_file"),
    "third signature": (lambda: _third_signature(small_decided()), "present"),
    "rewritten by another program": (lambda: _rewritten(small_decided()), "intact"),
    "no signature at all": (small_unsigned, "present"),
}


@pytest.mark.parametrize("kind", TAMPERED)
def test_every_change_to_a_file_signed_twice_is_caught(kind: str) -> None:
    make, fact = TAMPERED[kind]
    check = _check(make())
    assert not check.holds
    assert check.fact(f"signature.{fact}").holds is False


def test_a_chairs_signature_taken_off_is_seen_by_who_demands_one() -> None:
    """What is left is the steward's certificate as it was: only the verifier's demand can tell."""
    stripped = small_decided()[: len(small_signed())]
    assert _check(stripped).holds
    assert _failed(_check(stripped, _demanding())) == ["approval.present"]


# -- each fact fails by itself --------------------------------------------------------------------------------------

INSERTED: dict[str, Change] = {
    "title": _title,
    "page text": _page_text,
    "attachment": _attachment,
    "DSS": _dss,
    "stray object": _stray_object,
    "field moved": _moved_field,
}


@pytest.mark.parametrize("kind", INSERTED)
def test_nothing_may_come_between_the_two_signatures(kind: str) -> None:
    """In the chair's own revision, and in one before it: a chair who signs it all the same does not make it hold."""
    change = INSERTED[kind]
    assert "approval.changes" in _failed(_check(_chair_signs(change)))
    between = _chair_signs(pdf=_later(small_signed(), change))
    assert "approval.changes" in _failed(_check(between))
    if kind in ("title", "DSS", "stray object"):  # the statement and all other facts are as they were
        assert _failed(_check(_chair_signs(change))) == ["approval.changes"]
        assert _failed(_check(between)) == ["approval.changes"]


def _exactly() -> dict[str, tuple[Callable[[], bytes], Trust, str]]:
    same_name = named_signer(str(signer().info.name))
    same_key = named_signer("Somebody Else", signer().private_key)  # type: ignore[arg-type]
    early = named_signer("Early Chair", start=ISSUED - timedelta(days=100))
    stranger = named_signer("Stranger")
    before = ISSUED - timedelta(days=2)
    return {
        "intact": (lambda: _flipped(small_decided(), _in_the_chairs_part()), _trust(), "digest differs"),
        "valid": (lambda: _by_another_key(small_decided()), _trust(), "does not fit"),
        "canonical": (lambda: _lower_case(small_decided()), _trust(), "upper-case hex"),
        "time: before the steward": (lambda: _chair_signs(by=early, at=before), _trust(early), "before the steward's"),
        "time: before the key was valid": (lambda: _chair_signs(at=before), _trust(), "not valid at the time"),
        "time: in the future": (lambda: _chair_signs(at=NOW + timedelta(days=9)), _trust(), "future"),
        "trusted": (lambda: _chair_signs(by=stranger), _trust(), "did not say you trust"),
        "decision: another sentence": (lambda: _chair_signs(reason="Approved"), _trust(), "states no decision"),
        "decision: none": (lambda: _chair_signs(reason=None), _trust(), "states no decision"),
        "decision: line break": (lambda: _chair_signs(reason=f"{APPROVES.reason}\n"), _trust(), "states no decision"),
        "roles: same name": (lambda: _chair_signs(by=same_name), _trust(same_name), "one person"),
        "roles: same key": (lambda: _chair_signs(by=same_key), _trust(same_key), "one person"),
        "roles: not listed as chair": (small_decided, _demanding(stranger), "does not list who signed as chair"),
    }


EXACTLY = _exactly()


@pytest.mark.parametrize("kind", EXACTLY)
def test_each_fact_about_the_chair_fails_by_itself(kind: str) -> None:
    make, trust, words = EXACTLY[kind]
    name = kind.partition(":")[0]
    fact_id = "roles.satisfied" if name == "roles" else f"approval.{name}"
    check = _check(make(), trust)
    assert _failed(check) == [fact_id]
    assert words in check.fact(fact_id).words
    assert not check.holds


def test_a_steward_who_is_not_listed_and_a_chair_whom_no_list_knows() -> None:
    nobody = Role(required=1, fingerprints=frozenset({"0" * 64}))
    unlisted = Trust(anchors=_trust().anchors, steward=nobody, sha256="ab" * 32)
    assert _failed(_check(small_signed(), unlisted)) == ["roles.satisfied"]
    no_chair = Trust(anchors=_trust().anchors, steward=_demanding().steward, sha256="ab" * 32)
    assert _check(small_signed(), no_chair).holds
    check = _check(small_decided(), no_chair)
    assert _failed(check) == ["roles.satisfied"]
    assert "names nobody as chair" in check.fact("roles.satisfied").words


def test_a_chairs_signature_that_locks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    open_setup = SigMDPSetup(certify=False, field_lock=None, docmdp_perms=None, md_algorithm="sha256")
    monkeypatch.setattr(PdfSigningSession, "_apply_locking_rules", lambda self: open_setup)
    assert _failed(_check(_chair_signs())) == ["approval.locks"]


def test_a_field_whose_lock_was_taken_off_before_signing() -> None:
    assert {"approval.changes", "approval.locks"} <= set(_failed(_check(_chair_signs(_unlocked))))


def test_a_stewards_signature_altered_before_the_chair_signed() -> None:
    """The chair's signature covers the steward's container as it was then; its own form is looked at all the same."""
    assert _failed(_check(_chair_signs(pdf=_lower_case(small_signed())))) == ["signature.canonical"]
    assert _failed(_check(_chair_signs(pdf=_by_another_key(small_signed())))) == ["signature.valid"]


def test_a_stewards_signature_of_another_key() -> None:
    assert _failed(_check(_by_another_key(small_signed()))) == ["signature.valid"]


# -- single bits ----------------------------------------------------------------------------------------------------


def _accepted(turns: int, seed: int) -> list[tuple[int, int]]:
    """Flipped bits, a third inside each /Contents, after which the certificate still holds."""
    chance, pdf, trust = random.Random(seed), small_decided(), _demanding()
    first, second = _gaps(pdf)
    places = (first, second, (0, len(pdf)))
    accepted = []
    for turn in range(turns):
        at, bit = chance.randrange(*places[turn % 3]), chance.randrange(8)
        if _check(_flipped(pdf, at, bit), trust).holds:
            accepted.append((at, bit))
    return accepted


def test_flipped_bits_are_never_accepted_and_raise_nothing() -> None:
    assert _check(small_decided(), _demanding()).holds
    assert _accepted(FLIPS, 20260109) == []


@pytest.mark.soak
def test_many_flipped_bits_are_never_accepted() -> None:
    assert _accepted(SOAK_FLIPS, 7) == []


# -- other people's tools -------------------------------------------------------------------------------------------


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_openssl_alone_checks_both_signatures(tmp_path: Path) -> None:
    """The signed bytes and the container cut out by their offsets; a changed byte is refused."""
    pdf = small_decided()
    ends = (len(small_signed()), len(pdf))
    for (start, stop), end, own in zip(_gaps(pdf), ends, (signer(), chair()), strict=True):
        (tmp_path / "sig.der").write_bytes(read_contents(pdf[:end], [0, start, stop, end - stop]))
        (tmp_path / "issuer.pem").write_bytes(_pem(own.certificate))
        content = pdf[:start] + pdf[stop:end]
        words = ["openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", "sig.der", "-content", "content"]
        words += ["-CAfile", "issuer.pem", "-purpose", "any", "-attime", str(int(DECIDED.timestamp()))]
        for data, status in ((content, 0), (_flipped(content, len(content) // 2), 4)):
            (tmp_path / "content").write_bytes(data)
            done = subprocess.run([*words, "-out", "out"], cwd=tmp_path, capture_output=True, check=False)
            assert done.returncode == status, done.stderr


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="needs pdfsig (poppler-utils)")
def test_pdfsig_finds_both_signatures_valid_and_the_last_one_whole(tmp_path: Path) -> None:
    """Its words, never its exit status: that is 0 also for a broken signature."""
    (tmp_path / "certificate.pdf").write_bytes(small_decided())
    said = subprocess.run(
        ["pdfsig", "-nocert", "certificate.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False
    ).stdout
    first, second = said.split("Signature #")[1:]
    assert "Signature is Valid" in first and "Signature is Valid" in second
    assert "Field Name: Steward" in first and "Field Name: EthicsChair" in second
    assert "Not total document signed" in first and "Total document signed" in second


def test_a_stewards_key_makes_no_chair() -> None:
    """It is an anchor for itself; a certificate that it issued, under the chair's very name, is nobody's."""
    for issuer in (signer(), named_signer("Registrar")):  # without the extension that says it is no CA, too
        key = ec.generate_private_key(ec.SECP256R1())
        usage = signer().certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        builder = x509.CertificateBuilder().subject_name(chair().certificate.subject).public_key(key.public_key())
        builder = builder.issuer_name(issuer.certificate.subject).serial_number(7).add_extension(usage, critical=True)
        builder = builder.not_valid_before(ISSUED).not_valid_after(ISSUED + timedelta(days=90))
        made = replace(chair(), certificate=builder.sign(issuer.private_key, hashes.SHA256()), private_key=key)  # type: ignore[arg-type]
        pdf = _chair_signs(by=made)
        for trust in (_trust(issuer), replace(_demanding(), anchors=_trust(issuer).anchors)):
            check = _check(pdf, trust)
            assert _failed(check) == ["approval.trusted"]
            assert "is no CA's" in check.fact("approval.trusted").words
