"""`--c2pa`: the one marker of a job, which is tried before any work, and what a statement says about its marks.

A marked file is the written file from then on: whoever calls marks it before anything else looks at it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from deid_audit.certificate.key_files import as_pem
from deid_audit.certificate.media_keys import MediaSigner
from deid_audit.findings import MediaMark
from deid_audit.pipeline.staging import uninterrupted
from deid_audit.video.marking import (
    COVERED,
    SWAPPED,
    Algorithm,
    Credential,
    Mark,
    library_name,
    mark_video,
    refuse_unusable,
)

_SOURCE_TYPES = {"swap": SWAPPED, "conceal": COVERED}
_WORDS = {
    "swap": "Faces were replaced by synthetic ones, or covered, to protect the people shown.",
    "conceal": "Every face that was found was covered, to protect the people shown.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """Marks the videos of one job; `record` is what its statement says."""

    kind: Literal["swap", "conceal"]
    credential: Credential
    record: MediaMark

    def mark(self, path: Path, *, label: str, title: str = "") -> None:
        """Marks a written video in place; VideoError when it cannot be. Ctrl-C and SIGTERM wait until it is done."""
        with uninterrupted():
            mark_video(path, self.credential, self.says(title), label=label)

    def says(self, title: str = "") -> Mark:
        """What a mark says; a title is for a file whose name travels with it anyway."""
        return Mark(source_type=self.record.digital_source_type, words=_WORDS[self.kind], title=title)


def marker_for(kind: Literal["swap", "conceal"], signer: MediaSigner | None) -> Marker | None:
    """The job's marker, None where no mark was asked for.

    Raises:
        SettingsError: the extra is not installed.
        SignatureError: C2PA does not take the key or its certificate.
    """
    if signer is None:
        return None
    record = MediaMark(digital_source_type=_SOURCE_TYPES[kind], signer=signer.info, library=library_name())
    marker = Marker(kind=kind, credential=_credential(signer), record=record)
    refuse_unusable(marker.credential, marker.says())
    return marker


def _credential(signer: MediaSigner) -> Credential:
    key = signer.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = _upward(signer.certificate, signer.chain)
    return Credential(algorithm=_algorithm(signer.private_key), chain_pem=as_pem(*chain), private_key_pem=key)


def _algorithm(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> Algorithm:
    if isinstance(key, rsa.RSAPrivateKey):
        return "ps256"
    return "es384" if isinstance(key.curve, ec.SECP384R1) else "es256"


def _upward(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The certificate, then each one's issuer, as C2PA wants them; a key file may hold them in any order."""
    chain, left = [certificate], list(others)
    while above := [one for one in left if one.subject == chain[-1].issuer]:
        chain.append(above[0])
        left.remove(above[0])
    return chain
