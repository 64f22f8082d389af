"""Timestamps (RFC 3161): what an own clock answers, against outside readers, and every answer that cannot be taken."""

import asyncio
import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path

import pytest
from asn1crypto import cms, tsp
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from rfc3161_client import TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response

from deid_audit.certificate.keys import Signer
from deid_audit.certificate.profiles import OWN_CLOCK, Profile
from deid_audit.certificate.timestamps import (
    AskedAuthority,
    OwnClock,
    TimestampAuthority,
    timestamp_authority,
    timestamper_of,
)
from deid_audit.certificate.tokens import canonical_token
from deid_audit.errors import SettingsError, SignatureError
from tests.unit.certificates import CLOCKS, ISSUED, authority, issued_signer, signer

MESSAGE = b"what is signed"


def _clock() -> OwnClock:
    key = issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS)
    return OwnClock(key=key, clock=lambda: ISSUED)


def _pem(one: Signer) -> bytes:
    return one.certificate.public_bytes(serialization.Encoding.PEM)


def test_an_own_clock_says_what_was_asked_and_whose_clock_it_is() -> None:
    request = TimestampRequestBuilder().data(MESSAGE).build()
    answer = decode_timestamp_response(_clock().answer(request.as_bytes()))
    info = answer.tst_info
    assert (info.gen_time, info.nonce, info.version) == (ISSUED, request.nonce, 1)
    assert info.message_imprint.message == request.message_imprint.message
    assert OWN_CLOCK in _clock().words


def test_rfc3161_client_verifies_it_and_refuses_other_bytes_and_another_root() -> None:
    request = TimestampRequestBuilder().data(MESSAGE).build()
    answer = decode_timestamp_response(_clock().answer(request.as_bytes()))
    verifier = VerifierBuilder().add_root_certificate(authority(CLOCKS).certificate).build()
    assert verifier.verify_message(answer, MESSAGE)
    with pytest.raises(VerificationError):
        verifier.verify_message(answer, b"something else")
    other = VerifierBuilder().add_root_certificate(authority().certificate).build()
    with pytest.raises(VerificationError):
        other.verify_message(answer, MESSAGE)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
@pytest.mark.parametrize("canonical", [False, True])
def test_openssl_verifies_it(tmp_path: Path, canonical: bool) -> None:
    (tmp_path / "ca.pem").write_bytes(authority(CLOCKS).certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "data").write_bytes(MESSAGE)
    (tmp_path / "other").write_bytes(b"something else")
    command = ["openssl", "ts", "-query", "-data", "data", "-sha256", "-cert", "-out", "q"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    answer = _clock().answer((tmp_path / "q").read_bytes())
    token = tsp.TimeStampResp.load(answer)["time_stamp_token"].dump()
    (tmp_path / "t").write_bytes(canonical_token(token) if canonical else token)
    for data, code in (("data", 0), ("other", 1)):
        command = ["openssl", "ts", "-verify", "-data", data, "-in", "t", "-token_in", "-CAfile", "ca.pem"]
        command += ["-attime", str(int(ISSUED.timestamp()))]
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert ("Verification: OK" in done.stdout) is (code == 0)


def test_the_form_of_a_token_is_one_whatever_stands_around_it() -> None:
    request = TimestampRequestBuilder().data(MESSAGE).build().as_bytes()
    token = tsp.TimeStampResp.load(_clock().answer(request))["time_stamp_token"]
    exact = canonical_token(token.dump())
    assert canonical_token(exact) == exact == token.dump()
    more = tsp.TimeStampResp.load(_clock().answer(request))["time_stamp_token"]
    more["content"]["version"] = "v5"
    for certificate in (authority(CLOCKS).certificate, signer().certificate):
        der = certificate.public_bytes(serialization.Encoding.DER)
        more["content"]["certificates"].append(_choice(der))
    changed = canonical_token(more.dump(force=True))
    assert len(changed) == len(exact) or abs(len(changed) - len(exact)) <= 2  # the signature's own numbers differ
    with pytest.raises(ValueError, match="not a signed token"):
        canonical_token(bytes.fromhex("300b06092a864886f70d010701"))


@dataclass(frozen=True)
class _Higher:
    """An authority whose signatures have the higher of the two numbers that fit."""

    clock: OwnClock
    words: str = "Higher"
    certificates: tuple[x509.Certificate, ...] = ()

    def answer(self, request: bytes) -> bytes:
        response = tsp.TimeStampResp.load(self.clock.answer(request))
        info = response["time_stamp_token"]["content"]["signer_infos"][0]
        info["signature"] = _turned(info["signature"].native)
        return bytes(response.dump(force=True))


def _turned(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, ec.SECP256R1().group_order - s)


def test_an_authority_that_signs_with_the_higher_s_is_taken_and_written_with_the_lower() -> None:
    given = _ask(_Higher(_clock()))
    token = cms.ContentInfo.load(given)
    signature = token["content"]["signer_infos"][0]["signature"].native
    assert max(signature, _turned(signature), key=lambda one: decode_dss_signature(one)[1]) == _turned(signature)
    token["content"]["signer_infos"][0]["signature"] = _turned(signature)
    other = token.dump(force=True)
    assert other != given and canonical_token(other) == given  # the other one is not the exact form


def test_a_signature_of_another_kind_than_the_authoritys_key_is_refused() -> None:
    token = cms.ContentInfo.load(_ask(_clock()))
    token["content"]["signer_infos"][0]["signature_algorithm"] = {"algorithm": "sha256_rsa"}
    with pytest.raises(ValueError, match="another kind than its authority's key"):
        canonical_token(token.dump(force=True))


def _choice(der: bytes) -> object:
    from asn1crypto import cms, x509  # noqa: PLC0415

    return cms.CertificateChoices(name="certificate", value=x509.Certificate.load(der))


# -- over the network, which here is this machine --------------------------------------------------------------------


@contextmanager
def _serving(code: int, body: bytes | None) -> Iterator[str]:
    """An authority at an address: it answers as the own clock does, or with these bytes."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            data = _clock().answer(asked) if body is None else body
            self.send_response(code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            return

    server = http.server.HTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsr"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _ask(whom: TimestampAuthority) -> bytes:
    return bytes(asyncio.run(timestamper_of(whom).async_timestamp(bytes(32), "sha256")).dump())


def test_an_authority_at_an_address_is_asked() -> None:
    with _serving(200, None) as url:
        token = _ask(AskedAuthority(url=url))
    assert canonical_token(token) == token


@pytest.mark.parametrize(
    ("code", "body", "words"),
    [
        (503, b"busy", "HTTP status 503"),
        (200, b"<html>", "its answer cannot be taken"),
        (200, b"", "its answer cannot be taken"),
        (200, bytes.fromhex("30053003020102"), "refused our request|cannot be taken"),
        (200, bytes(2 << 20), "larger than a timestamp can be"),
    ],
    ids=["status", "no token", "empty", "refused", "too large"],
)
def test_an_answer_that_is_no_timestamp_is_an_error_with_words(code: int, body: bytes, words: str) -> None:
    with _serving(code, body) as url, pytest.raises(SignatureError, match=words) as caught:
        _ask(AskedAuthority(url=url))
    assert "so nothing was signed" in str(caught.value) and caught.value.next_step


def test_a_token_of_another_request_is_refused() -> None:
    old = _clock().answer(TimestampRequestBuilder().data(MESSAGE).build().as_bytes())
    with _serving(200, old) as url, pytest.raises(SignatureError, match="it is that to another request"):
        _ask(AskedAuthority(url=url))


def test_nobody_there_is_an_error_with_words() -> None:
    with pytest.raises(SignatureError, match="could not be reached"):
        _ask(AskedAuthority(url="http://127.0.0.1:9/tsr"))


def test_an_address_of_another_kind_is_refused() -> None:
    for wrong in ("ftp://example.org/", "file:///etc/passwd", "https://"):
        with pytest.raises(SettingsError, match="http:// or https://"):
            timestamp_authority(wrong, lambda: None, ISSUED)
    assert timestamp_authority("https://tsa.example.org/tsr", lambda: None, ISSUED).certificates == ()


def test_the_clock_of_this_machine_is_the_default() -> None:
    key = issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS)
    assert abs(OwnClock(key=key).clock() - OwnClock(key=key).clock()) < timedelta(minutes=1)
    assert OwnClock(key=key).clock().tzinfo is UTC
