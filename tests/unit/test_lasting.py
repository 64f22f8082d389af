"""Signatures with timestamps and revocation lists: what holds after years and revocations, and each way it does not."""

import asyncio
import random
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import cast

import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from deid_audit.certificate import signing
from deid_audit.certificate.canonical import read_contents
from deid_audit.certificate.checking import CertificateCheck, check_certificate
from deid_audit.certificate.crls import Crl, Reason, revoke
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.keys import Signer, describe_certificate
from deid_audit.certificate.lasting import facts_of, lasting_signer
from deid_audit.certificate.profiles import OWN_CLOCK, Issuer, Profile, make_certificate
from deid_audit.certificate.reading import open_pdf
from deid_audit.certificate.signing import countersign_pdf, sign_pdf
from deid_audit.certificate.timestamps import OwnClock, timestamper_of
from deid_audit.certificate.trust import Trust
from deid_audit.errors import SettingsError, SignatureError
from tests.unit.certificates import (
    CLOCKS,
    DECIDED,
    ISSUED,
    authority,
    chair,
    issued_signer,
    lasting_decided,
    lasting_signed,
    lasting_trust,
    revoked_at,
    signer,
    small_signed,
    small_unsigned,
    stamped,
)

DAY = timedelta(days=1)
NOW = DECIDED + 10 * DAY
STEWARD, CHAIR = "Sam Steward", "Cleo Chair"
FLIPS, SOAK_FLIPS = 100, 1000


def _check(pdf: bytes, trust: Trust | None = None, *, now: datetime = NOW) -> CertificateCheck:
    return check_certificate(pdf, trust or lasting_trust(), now=now)


def _failed(check: CertificateCheck) -> list[str]:
    return [fact.id for fact in check.facts if fact.holds is False]


def _said(check: CertificateCheck, fact_id: str) -> tuple[bool | None, bool, str]:
    fact = check.fact(fact_id)
    return fact.holds, fact.moot, fact.words


# -- what holds ------------------------------------------------------------------------------------------------------


def test_signed_twice_and_timestamped_holds_and_says_who_asserts_the_times() -> None:
    check = _check(lasting_decided())
    assert check.holds, _failed(check)
    words = f"2026-01-02 03:10:07 UTC, timestamp by Clock ({OWN_CLOCK})"
    assert _said(check, "signature.timestamp") == (True, False, words)
    assert check.fact("approval.timestamp").words.startswith("2026-01-09 03:10:07 UTC")
    assert check.fact("document.timestamp").holds is True
    assert "timestamp by Clock" in check.fact("signature.time").words
    steward = check.signer("steward")
    assert steward is not None and steward.proven is not None
    assert (steward.signed_at, steward.proven.at) == (ISSUED, ISSUED + timedelta(seconds=2))
    for fact_id in ("signature.revocation", "approval.revocation"):
        holds, moot, words = _said(check, fact_id)
        assert (holds, moot) == (None, True)
        assert words.startswith("you gave no list: revocation was not checked since the list of 2026-01-0")


def test_without_timestamp_and_list_it_says_so() -> None:
    check = _check(small_signed(), Trust(anchors=(signer().certificate,)))
    assert check.holds
    words = "there is none: the time of signing is the signer's own statement"
    assert _said(check, "signature.timestamp") == (None, True, words)
    assert "vouches for itself" in check.fact("signature.revocation").words
    issued = sign_pdf(small_unsigned(), issued_signer(STEWARD), signed_at=ISSUED)
    assert _said(_check(issued), "signature.revocation") == (None, True, "you gave no list: revocation was not checked")


def test_the_stewards_signature_and_the_chairs_timestamp_cover_the_whole_file_each() -> None:
    reader = open_pdf(lasting_decided())
    assert [str(one.field_name) for one in reader.embedded_signatures] == ["Steward", "EthicsChair", "Timestamp"]
    assert lasting_decided().startswith(lasting_signed())
    store = reader.root["/DSS"]
    assert (len(store["/Certs"]), len(store["/CRLs"])) == (5, 2)  # steward, chair, clock, both authorities
    assert len(reader.get_historical_root(reader.embedded_signatures[0].signed_revision)["/DSS"]["/CRLs"]) == 1
    assert check_certificate(lasting_signed(), lasting_trust(), now=NOW).holds


def test_years_later_all_of_it_still_holds() -> None:
    check = _check(lasting_decided(), now=ISSUED + timedelta(days=3000))
    assert check.holds, _failed(check)
    assert "that certificate has ended since" in check.fact("signature.time").words


# -- revoked before and after ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pdf", "since", "holds", "words"),
    [
        (lasting_decided, None, True, "not revoked by the list of 2026-01-19"),
        (lasting_decided, DAY, True, "after signing: 2026-01-02 03:10:07 UTC, timestamp by Clock"),
        (lasting_decided, -DAY, False, "before it was signed"),
        (lambda: sign_pdf(small_unsigned(), issued_signer(STEWARD), signed_at=ISSUED), None, True, "not revoked by"),
        (
            lambda: sign_pdf(small_unsigned(), issued_signer(STEWARD), signed_at=ISSUED),
            DAY,
            False,
            "after the stated time of signing, which no trusted timestamp proves",
        ),
        (
            lambda: sign_pdf(small_unsigned(), issued_signer(STEWARD), signed_at=ISSUED),
            -DAY,
            False,
            "before it was signed",
        ),
    ],
    ids=["never", "after, timestamped", "before, timestamped", "never, plain", "after, plain", "before, plain"],
)
def test_a_revoked_steward(pdf: Callable[[], bytes], since: timedelta | None, holds: bool, words: str) -> None:
    newest = revoked_at(NOW)
    lists = newest if since is None else _renewed(ISSUED + since, issued_signer(STEWARD))
    check = _check(pdf(), lasting_trust(lists))
    assert check.fact("signature.revocation").holds is holds
    assert words in check.fact("signature.revocation").words
    assert check.holds is holds
    assert _failed(check) == ([] if holds else ["signature.revocation"])


def _renewed(since: datetime, whom: Signer) -> Crl:
    """A list of today on which somebody is revoked since then."""
    return revoke(None, authority(), revoked_at(since, whom), Reason.UNSPECIFIED, NOW)


def test_a_revoked_chair_fails_apart_from_the_steward() -> None:
    check = _check(lasting_decided(), lasting_trust(_renewed(DECIDED - DAY, issued_signer(CHAIR))))
    assert _failed(check) == ["approval.revocation"]
    assert check.fact("signature.revocation").words.startswith("not revoked by the list")
    later = _check(lasting_decided(), lasting_trust(_renewed(DECIDED + DAY, issued_signer(CHAIR))))
    assert later.holds


def test_an_untrusted_timestamp_proves_nothing_against_a_revocation() -> None:
    trust = replace(lasting_trust(_renewed(ISSUED + DAY, issued_signer(STEWARD))), timestamp_anchors=())
    check = _check(lasting_signed(), trust)
    assert _failed(check) == ["signature.timestamp", "signature.revocation"]
    assert "you trust no timestamp authority (made by Clock)" in check.fact("signature.timestamp").words


def test_lists_that_say_nothing_are_never_ok() -> None:
    issuer = authority().certificate
    stale = revoked_at(NOW - 31 * DAY)
    forged = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.subject)
        .last_update(NOW)
        .next_update(NOW + DAY)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    for crl, holds, words in (
        (stale, None, "revocation is not known: the revocation list of 2025-12-19 ran out"),
        (revoked_at(NOW, by=CLOCKS), None, "none of your lists is by who issued this certificate"),
        (forged, False, "another key signed it"),
    ):
        check = _check(lasting_signed(), lasting_trust(crl))
        assert check.fact("signature.revocation").holds is holds and not check.fact("signature.revocation").moot
        assert words in check.fact("signature.revocation").words
        assert not check.holds


def test_a_list_in_the_document_that_revokes_counts_without_being_given() -> None:
    own = stamped(issued_signer(STEWARD), ISSUED, revoked_at(ISSUED - DAY, issued_signer(STEWARD)))
    check = _check(sign_pdf(small_unsigned(), own, signed_at=ISSUED))
    assert _failed(check) == ["signature.revocation"]


# -- timestamps that do not count ------------------------------------------------------------------------------------


def _by(clock: Signer, at: datetime = ISSUED) -> bytes:
    return sign_pdf(small_unsigned(), stamped(issued_signer(STEWARD), at, clock=clock), signed_at=ISSUED)


def test_a_timestamp_by_a_stranger_with_another_use_or_revoked() -> None:
    stranger = issued_signer("Stranger", profile=Profile.TIMESTAMPS, by="Nobody")
    no_clock = issued_signer("No Clock", by=CLOCKS)
    for clock, words in ((stranger, "did not say you trust (Stranger)"), (no_clock, "not for timestamps (No Clock)")):
        check = _check(_by(clock))
        assert _failed(check) == ["signature.timestamp"]
        assert words in check.fact("signature.timestamp").words
    revoked = revoked_at(NOW, issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS), by=CLOCKS)
    check = _check(lasting_signed(), lasting_trust(revoked, revoked_at(NOW)))
    assert _failed(check) == ["signature.timestamp"] and "was revoked" in check.fact("signature.timestamp").words


def test_whoever_vouches_for_signers_does_not_vouch_for_times() -> None:
    own = issued_signer("Own Clock", profile=Profile.TIMESTAMPS)
    check = _check(_by(own))
    assert _failed(check) == ["signature.timestamp"]
    both = replace(lasting_trust(), timestamp_anchors=(authority().certificate,))
    assert _check(_by(own), both).holds
    assert OWN_CLOCK in _check(_by(own), both).fact("signature.timestamp").words


def test_a_certificate_that_is_no_cas_vouches_for_no_clock() -> None:
    key, mere = ec.generate_private_key(ec.SECP256R1()), issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS)
    by = Issuer(certificate=mere.certificate, private_key=cast("ec.EllipticCurvePrivateKey", mere.private_key))
    made = make_certificate(key, Profile.TIMESTAMPS, common_name="Below", organisation=None, now=ISSUED, issuer=by)
    below = Signer(info=describe_certificate(made, verified_issuer=True), certificate=made, private_key=key)
    check = _check(_by(below), replace(lasting_trust(), timestamp_anchors=(mere.certificate,)))
    assert _failed(check) == ["signature.timestamp"]
    assert "is no CA's (Below)" in check.fact("signature.timestamp").words


def test_nobody_signs_with_a_clocks_key() -> None:
    clock = issued_signer("Own Clock", profile=Profile.TIMESTAMPS)
    check = _check(sign_pdf(small_unsigned(), clock, signed_at=ISSUED))
    assert _failed(check) == ["signature.trusted"]
    assert "timestamp authority's key" in check.fact("signature.trusted").words


def test_a_stated_time_far_from_the_timestamps_and_a_timestamp_of_the_future() -> None:
    clock = issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS)
    check = _check(_by(clock, ISSUED + 3 * DAY))
    assert (
        _failed(check) == ["signature.timestamp"] and "more than a day away" in check.fact("signature.timestamp").words
    )
    check = _check(_by(clock, ISSUED + 3 * DAY), now=ISSUED)
    assert "lies in the future" in check.fact("signature.timestamp").words


def test_a_timestamp_of_other_bytes() -> None:
    """The token of another signature in the place of this one's, and the signature itself as it was."""
    pdf = lasting_signed()
    start, end = _gaps(pdf)[0]
    der = read_contents(pdf, [0, start, end, len(pdf) - end])
    other = OwnClock(key=issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS), clock=lambda: ISSUED)
    token = asyncio.run(timestamper_of(other).async_timestamp(bytes(32), "sha256"))
    info = cms.ContentInfo.load(der)
    info["content"]["signer_infos"][0]["unsigned_attrs"] = cms.CMSAttributes(
        [cms.CMSAttribute({"type": "signature_time_stamp_token", "values": [token]})]
    )
    digits = info.dump().hex().upper().encode().ljust(end - start - 2, b"0")
    check = _check(pdf[: start + 1] + digits + pdf[end - 1 :])
    assert _failed(check) == ["signature.timestamp"]
    assert check.fact("signature.timestamp").words == "the timestamp is of other bytes"


# -- the document timestamp ------------------------------------------------------------------------------------------

Change = Callable[[IncrementalPdfFileWriter], object]


def _title(writer: IncrementalPdfFileWriter) -> None:
    info = generic.DictionaryObject({generic.pdf_name("/Title"): generic.pdf_string("PASSED")})
    writer.set_info(writer.add_object(info))


def _page_text(writer: IncrementalPdfFileWriter) -> None:
    writer.add_stream_to_page(0, writer.add_object(generic.StreamObject(stream_data=b"0 0 9 9 re f")))


def _stray(writer: IncrementalPdfFileWriter) -> None:
    writer.add_object(generic.StreamObject(stream_data=b"hidden"))


def _in_store(writer: IncrementalPdfFileWriter) -> None:
    hidden = writer.add_object(generic.StreamObject(stream_data=b"hidden"))
    writer.root["/DSS"][generic.pdf_name("/More")] = generic.ArrayObject([hidden])


def _catalogue(writer: IncrementalPdfFileWriter) -> None:
    writer.root[generic.pdf_name("/OpenAction")] = generic.ArrayObject()
    writer.update_root()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_title, "other information about it"),
        (_page_text, "page was changed|beside the lists of fields"),
        (_stray, "1 object\\(s\\) were added"),
        (_in_store, "something else than certificates and lists"),
        (_catalogue, "catalogue was changed"),
    ],
    ids=["title", "page", "stray object", "in the store", "catalogue"],
)
def test_nothing_comes_with_the_timestamp(change: Change, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    real = signing._add_security_store

    def more(writer: IncrementalPdfFileWriter, *others: object) -> None:
        real(writer, *others)  # type: ignore[arg-type]
        change(writer)

    own = stamped(issued_signer(CHAIR), DECIDED)
    signed = signing._sign(lasting_signed(), own, "EthicsChair", "Approves the release", ("x",), DECIDED)
    monkeypatch.setattr(signing, "_add_security_store", more)
    assert own.timestamps is not None
    check = _check(signing._timestamped(signed, own, own.timestamps))
    assert "document.timestamp" in _failed(check)
    assert re.search(words, check.fact("document.timestamp").words)


def test_a_timestamp_after_the_steward_alone_and_what_comes_after_the_timestamp_are_refused() -> None:
    own = stamped(issued_signer(CHAIR), DECIDED)
    assert own.timestamps is not None
    alone = signing._timestamped(lasting_signed(), own, own.timestamps)
    assert "signature.present" in _failed(_check(alone))
    later = signing._writer(lasting_decided())
    _title(later)
    out = BytesIO()
    later.write(out)
    assert "signature.covers_whole_file" in _failed(_check(out.getvalue()))


def test_a_document_timestamp_by_a_stranger_or_older_than_what_it_covers() -> None:
    stranger = issued_signer("Stranger", profile=Profile.TIMESTAMPS, by="Nobody")
    own = stamped(issued_signer(CHAIR), DECIDED, clock=stranger)
    check = _check(countersign_pdf(lasting_signed(), own, Decision(approves=True), signed_at=DECIDED))
    assert _failed(check) == ["approval.timestamp", "document.timestamp"]
    signed = signing._sign(
        lasting_signed(), stamped(issued_signer(CHAIR), DECIDED), "EthicsChair", "Approves the release", ("x",), DECIDED
    )
    early = stamped(issued_signer(CHAIR), DECIDED - 3 * DAY)
    assert early.timestamps is not None
    check = _check(signing._timestamped(signed, early, early.timestamps))
    assert _failed(check) == ["document.timestamp"]
    assert "older than what it covers" in check.fact("document.timestamp").words


# -- single bits -----------------------------------------------------------------------------------------------------


def _gaps(pdf: bytes) -> list[tuple[int, int]]:
    gaps, at = [], 0
    while (start := pdf.find(b"/Contents <", at)) > 0:
        at = pdf.index(b">", start) + 1
        gaps.append((start + len(b"/Contents "), at))
    return gaps


def _accepted(turns: int, seed: int) -> list[tuple[int, int]]:
    """Flipped bits, a quarter inside each /Contents (its digits, not the padding), after which it still holds."""
    chance, pdf = random.Random(seed), lasting_decided()
    places = [(start, start + len(pdf[start:end].rstrip(b"0>"))) for start, end in _gaps(pdf)]
    assert len(places) == 3
    accepted = []
    for turn in range(turns):
        at, bit = chance.randrange(*[*places, (0, len(pdf))][turn % 4]), chance.randrange(8)
        if _check(pdf[:at] + bytes([pdf[at] ^ (1 << bit)]) + pdf[at + 1 :]).holds:
            accepted.append((at, bit))
    return accepted


def test_flipped_bits_are_never_accepted() -> None:
    assert _accepted(FLIPS, 20260109) == []


@pytest.mark.soak
def test_many_flipped_bits_are_never_accepted() -> None:
    assert _accepted(SOAK_FLIPS, 7) == []


# -- before any work -------------------------------------------------------------------------------------------------


def test_a_revoked_signer_and_a_list_that_says_nothing_are_refused_before_any_work() -> None:
    own = issued_signer(STEWARD)
    taken = lasting_signer(own, crls=[revoked_at(NOW)], timestamps=None, now=NOW)
    assert taken.crls and facts_of(taken) == {
        "revocation_lists": "of 2026-01-19",
        "issuer": "an authority made with deid-audit for a pilot: it proves nothing to strangers",
    }
    with pytest.raises(SignatureError, match="the signer's certificate was revoked on 2026-01-19"):
        lasting_signer(own, crls=[revoked_at(NOW, own)], timestamps=None, now=NOW)
    for crl, words in ((revoked_at(NOW - 31 * DAY), "ran out on"), (revoked_at(NOW, by=CLOCKS), "does not fit")):
        with pytest.raises(SettingsError, match=words):
            lasting_signer(own, crls=[crl], timestamps=None, now=NOW)
    with pytest.raises(SettingsError, match="vouches for itself"):
        lasting_signer(chair(), crls=[revoked_at(NOW)], timestamps=None, now=NOW)
    clock = OwnClock(key=issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS))
    with pytest.raises(SignatureError, match="the timestamp authority's certificate was revoked"):
        lasting_signer(own, crls=[revoked_at(NOW, clock.key, by=CLOCKS)], timestamps=clock, now=NOW)


@pytest.mark.skipif(shutil.which("pdfsig") is None, reason="needs pdfsig (poppler-utils)")
def test_pdfsig_finds_both_signatures_valid(tmp_path: Path) -> None:
    """Its words, never its exit status. It does not check a document timestamp, and says so."""
    (tmp_path / "certificate.pdf").write_bytes(lasting_decided())
    said = subprocess.run(
        ["pdfsig", "-nocert", "certificate.pdf"], cwd=tmp_path, capture_output=True, text=True, check=False
    ).stdout
    first, second, third = said.split("Signature #")[1:]
    assert "Signature is Valid" in first and "Signature is Valid" in second
    assert "Timestamp" in third and "Total document signed" in third
