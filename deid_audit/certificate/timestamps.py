"""Where a timestamp (RFC 3161) comes from: an authority on the network, or a key of one's own.

The only place of the tool that uses a network, and only where an address was given. What is sent is the hash of a
signature, or of the signed certificate. A key of one's own is the issuer's own clock, and its certificate says so.
"""

import asyncio
import secrets
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from deid_audit.certificate.authority import load_timestamp_authority
from deid_audit.certificate.crls import is_self_issued
from deid_audit.certificate.keys import Signer
from deid_audit.certificate.profiles import OWN_CLOCK
from deid_audit.certificate.reading import silence_pyhanko
from deid_audit.certificate.tokens import HASHES, canonical_token
from deid_audit.errors import SettingsError, SignatureError

_TIMEOUT_S = 30
_LARGEST_ANSWER_BYTES = 1 << 20
_POLICY = "2.25.196325746263904331062471402958128573117"  # of no other meaning than: made by this tool


class TimestampAuthority(Protocol):
    """Somebody who answers RFC 3161 requests."""

    @property
    def words(self) -> str:
        """Who it is, for people."""

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Its certificate and those above it, where they are known before it answers."""

    def answer(self, request: bytes) -> bytes:
        """A TimeStampResp (DER) to a TimeStampReq (DER); SignatureError where none comes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnClock:
    """A timestamp authority whose key lies here: it says what time this machine shows."""

    key: Signer
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @property
    def words(self) -> str:
        return f"{self.key.info.name} ({OWN_CLOCK})"

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return (self.key.certificate, *self.key.chain)

    def answer(self, request: bytes) -> bytes:
        return _answer(request, self.key, self.clock())


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAuthority:
    """A timestamp authority at an address (http or https)."""

    url: str

    @property
    def words(self) -> str:
        return "the timestamp authority at the address given"

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        return ()

    def answer(self, request: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query", "Accept": "application/timestamp-reply"}
        asked = urllib.request.Request(self.url, data=request, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=_TIMEOUT_S) as response:
                data = response.read(_LARGEST_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            raise _no_timestamp(f"it answered with HTTP status {error.code}") from None
        except (OSError, ValueError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", error)
            said = getattr(reason, "strerror", None) or type(reason).__name__
            raise _no_timestamp(f"it could not be reached ({said})") from None
        if len(data) > _LARGEST_ANSWER_BYTES:
            raise _no_timestamp("its answer is larger than a timestamp can be")
        return bytes(data)


def timestamp_authority(given: str, passphrase: Callable[[], bytes | None], now: datetime) -> TimestampAuthority:
    """Who is meant by --tsa: an address, or a key file, whose passphrase is asked for.

    Raises:
        SettingsError: an address of another kind.
        SignatureError: a key file that is no timestamp authority's.
    """
    scheme, separator, host = given.partition("://")
    if not separator:
        return OwnClock(key=load_timestamp_authority(Path(given), passphrase(), now))
    if scheme not in ("http", "https") or not host:
        raise SettingsError("--tsa takes an address that begins with http:// or https://", next_step="correct it")
    return AskedAuthority(url=given)


def timestamper_of(authority: TimestampAuthority) -> Any:
    """pyHanko's view of an authority; what it gives is in the one form that a check takes."""
    from asn1crypto import cms, tsp  # noqa: PLC0415  (heavy)
    from pyhanko.sign.timestamps import TimeStamper  # noqa: PLC0415
    from pyhanko.sign.validation.errors import SignatureValidationError  # noqa: PLC0415
    from pyhanko.sign.validation.generic_cms import validate_tst_signed_data  # noqa: PLC0415
    from pyhanko_certvalidator import ValidationContext  # noqa: PLC0415

    silence_pyhanko()

    class Asking(TimeStamper):  # type: ignore[misc]
        async def async_request_tsa_response(self, req: Any) -> Any:
            response = tsp.TimeStampResp.load(authority.answer(req.dump()), strict=True)
            token = response["time_stamp_token"]
            if response["status"]["status"].native == "granted":
                said = token["content"]["encap_content_info"]["content"].parsed
                if said["nonce"].native != req["nonce"].native:
                    raise ValueError("it is that to another request")
            return response

        async def async_timestamp(self, message_digest: bytes, md_algorithm: str) -> Any:
            try:
                token = await super().async_timestamp(message_digest, md_algorithm)
                token = cms.ContentInfo.load(canonical_token(token.dump()))
                # Trust is the verifier's matter; that it is sound, and of what was sent, is the signer's.
                nobody = ValidationContext(trust_roots=[], allow_fetching=False)
                found = await validate_tst_signed_data(token["content"], nobody, lambda _: message_digest)
            except (ValueError, TypeError, KeyError, AttributeError, OSError, SignatureValidationError) as error:
                # All that a strange answer can make of a parser.
                raise _no_timestamp(f"its answer cannot be taken: {error}") from None
            if not (found["intact"] and found["valid"]):
                raise _no_timestamp("its answer does not fit what was sent, or its own key")
            return token

    return Asking()


def ask_once(authority: TimestampAuthority) -> None:
    """One timestamp of nothing, before any work: what cannot be signed hours later is better known now.

    Raises:
        SignatureError: none comes, or none that can be taken.
    """
    asyncio.run(timestamper_of(authority).async_timestamp(secrets.token_bytes(32), "sha256"))


def _no_timestamp(why: str) -> SignatureError:
    return SignatureError(
        f"no timestamp came from the authority of --tsa, so nothing was signed: {why}",
        next_step="try again, or name another authority",
    )


def _answer(request: bytes, key: Signer, at: datetime) -> bytes:
    """The authority's answer to a request, made with its key."""
    from asn1crypto import algos, cms, core, tsp, x509  # noqa: PLC0415

    asked = tsp.TimeStampReq.load(request, strict=True)
    imprint = asked["message_imprint"]
    if imprint["hash_algorithm"]["algorithm"].native not in HASHES:
        raise _no_timestamp("the request names a hash that is not used here")
    stated: dict[str, Any] = {
        "version": "v1",
        "policy": _POLICY,
        "message_imprint": imprint,
        "serial_number": secrets.randbits(63) | 1 << 62,
        "gen_time": at.astimezone(UTC).replace(microsecond=0),
        "accuracy": {"seconds": 1},
    }
    if asked["nonce"].native is not None:
        stated["nonce"] = asked["nonce"]
    info = tsp.TSTInfo(stated).dump()
    der = key.certificate.public_bytes(serialization.Encoding.DER)
    own = x509.Certificate.load(der)
    reference = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": _sha256(der)})]})
    attributes = {
        "content_type": "tst_info",
        "message_digest": _sha256(info),
        "signing_certificate_v2": reference,
    }
    signed = cms.CMSAttributes([cms.CMSAttribute({"type": name, "values": (one,)}) for name, one in attributes.items()])
    elliptic = isinstance(key.certificate.public_key(), ec.EllipticCurvePublicKey)
    digest = algos.DigestAlgorithm({"algorithm": "sha256"})
    above = [one.public_bytes(serialization.Encoding.DER) for one in key.chain if not is_self_issued(one)]
    name = cms.IssuerAndSerialNumber({"issuer": own.issuer, "serial_number": own.serial_number})
    data = cms.SignedData(
        {
            "version": "v3",
            "digest_algorithms": [digest],
            "encap_content_info": {"content_type": "tst_info", "content": core.ParsableOctetString(info)},
            "certificates": [
                cms.CertificateChoices(name="certificate", value=x509.Certificate.load(one)) for one in (der, *above)
            ],
            "signer_infos": [
                cms.SignerInfo(
                    {
                        "version": "v1",
                        "sid": cms.SignerIdentifier({"issuer_and_serial_number": name}),
                        "digest_algorithm": digest,
                        "signed_attrs": signed,
                        "signature_algorithm": algos.SignedDigestAlgorithm(
                            {"algorithm": "sha256_ecdsa" if elliptic else "sha256_rsa"}
                        ),
                        "signature": key.sign(signed.dump()),
                    }
                )
            ],
        }
    )
    token = cms.ContentInfo({"content_type": "signed_data", "content": data})
    return bytes(tsp.TimeStampResp({"status": {"status": "granted"}, "time_stamp_token": token}).dump())


def _sha256(data: bytes) -> bytes:
    digest = hashes.Hash(hashes.SHA256())
    digest.update(data)
    return digest.finalize()
