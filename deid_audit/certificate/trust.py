"""Whom a verifier trusts, and with which role: from certificates handed in, or from the verifier's own trust.toml.

Requirements come from here and never from the certificate that is checked. Nothing here looks at a PDF.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import ConfigDict, Field, ValidationError

from deid_audit.certificate.crls import Crl, read_crls
from deid_audit.digests import sha256_bytes
from deid_audit.errors import SettingsError, SignatureError
from deid_audit.files import read_at_most
from deid_audit.records import Strict
from deid_audit.toml_table import NotToml, toml_table

RoleName = Literal["steward", "chair"]
_LARGEST_FILE_BYTES = 1 << 20
_NEXT = "compare the trust file with the example in docs/trust.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Who may sign in a role, by subject (RFC 4514) or SHA-256 fingerprint, and how many of them must: 0 or 1."""

    required: int
    subjects: frozenset[str] = frozenset()
    fingerprints: frozenset[str] = frozenset()

    def lists(self, certificate: x509.Certificate) -> bool:
        """Whether the holder of this certificate may sign in this role."""
        return (
            certificate.subject.rfc4514_string() in self.subjects
            or certificate.fingerprint(hashes.SHA256()).hex() in self.fingerprints
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The certificates that vouch for signers, and the roles; `sha256` is the trust file's, None without one.

    Without a file, whoever an anchor vouches for may sign in either role, and no chair is demanded. Timestamps are
    trusted from `timestamp_anchors` only; `crls` say who was revoked.
    """

    anchors: tuple[x509.Certificate, ...]
    steward: Role | None = None
    chair: Role | None = None
    sha256: str | None = None
    timestamp_anchors: tuple[x509.Certificate, ...] = ()
    crls: tuple[Crl, ...] = ()

    @property
    def demands_chair(self) -> bool:
        return self.chair is not None and self.chair.required > 0

    def without_demanding_chair(self) -> "Trust":
        """The same for a certificate that its chair has not decided on yet."""
        return self if self.chair is None else replace(self, chair=replace(self.chair, required=0))

    def knowing(self, own: x509.Certificate, clock: Sequence[x509.Certificate] = ()) -> "Trust":
        """The same for who signs now, by which clock: with --trust neither is named once more; a trust file has to."""
        if self.sha256 is not None:
            return self
        return replace(self, anchors=(*self.anchors, own)).with_timestamp_anchors(clock)

    def with_timestamp_anchors(self, more: Sequence[x509.Certificate]) -> "Trust":
        """The same with more certificates that vouch for timestamp authorities."""
        return replace(self, timestamp_anchors=(*self.timestamp_anchors, *more))

    def with_crls(self, more: Sequence[Crl]) -> "Trust":
        """The same with more revocation lists."""
        return replace(self, crls=(*self.crls, *more))

    def fault_of(self, role: RoleName, certificate: x509.Certificate) -> str:
        """Why the holder of this certificate may not sign in that role; empty where they may."""
        if self.sha256 is None:
            return ""
        listed = self.steward if role == "steward" else self.chair
        if listed is None:
            return f"your trust file names nobody as {role}"
        return "" if listed.lists(certificate) else f"your trust file does not list who signed as {role}"


def same_person(one: x509.Certificate, other: x509.Certificate) -> bool:
    """Whether two certificates are one person's: the same key, or the same name whatever its letters' case."""
    names = {each.subject.rfc4514_string().casefold() for each in (one, other)}
    return one.public_key() == other.public_key() or len(names) == 1


def load_anchors(pem: bytes) -> list[x509.Certificate]:
    """The certificates of one PEM (or DER) file; raises SignatureError when there is none."""
    try:
        if b"-----BEGIN" in pem:
            return x509.load_pem_x509_certificates(pem)
        return [x509.load_der_x509_certificate(pem)]
    except ValueError:
        raise SignatureError(
            "a trusted file holds no certificate", next_step="give the issuer's certificate (PEM) with --trust"
        ) from None


def load_certificate_file(path: Path) -> x509.Certificate:
    """The one certificate of a file (PEM or DER); SettingsError when it cannot be read, or holds another number."""
    try:
        found = load_anchors(read_at_most(path, _LARGEST_FILE_BYTES) or b"")
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"the certificate cannot be read: {why}", next_step="check its path") from None
    except SignatureError:
        found = []
    if len(found) != 1:
        raise SettingsError("the file holds no certificate, or several", next_step="give one signer's .crt file")
    return found[0]


def trust_of(files: Sequence[bytes]) -> Trust:
    """Trust in the holders of these certificates, in any role; raises SignatureError for a file that has none."""
    return Trust(anchors=tuple(one for data in files for one in load_anchors(data)))


class _FileEntry(Strict):
    model_config = ConfigDict(strict=True)

    file: str = Field(min_length=1)


class _RoleEntry(Strict):
    model_config = ConfigDict(strict=True)

    required: int = Field(ge=0)
    subjects: list[Annotated[str, Field(min_length=1)]] = Field(default=[])
    fingerprints: list[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]] = Field(default=[])


class _RolesEntry(Strict):
    model_config = ConfigDict(strict=True)

    steward: _RoleEntry
    chair: _RoleEntry | None = None


class _TrustFile(Strict):
    """The keys that a trust file may have."""

    model_config = ConfigDict(strict=True)

    version: Literal[1] = Field(alias="schema")
    anchor: list[_FileEntry] = Field(min_length=1)
    timestamp_anchor: list[_FileEntry] = Field(default=[])
    crl: list[_FileEntry] = Field(default=[])
    roles: _RolesEntry


def load_trust_file(path: Path) -> Trust:
    """Read a verifier's trust.toml; anchors are files (PEM or DER) beside it, or named from there.

    Raises:
        SettingsError: it cannot be read, has a wrong or unknown key, or asks for what a certificate cannot give.
    """
    data = _read(path, "the trust file")
    try:
        entries = _TrustFile.model_validate(toml_table(data))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SettingsError(f"the trust file: {where or 'its top'}: {first['msg']}", next_step=_NEXT) from None
    except NotToml as error:
        raise SettingsError(f"the trust file: {error}", next_step=_NEXT) from None
    chair = entries.roles.chair
    return Trust(
        anchors=_anchors(path.parent, entries.anchor),
        timestamp_anchors=_anchors(path.parent, entries.timestamp_anchor),
        crls=read_crls([path.parent / entry.file for entry in entries.crl]),
        steward=_role("steward", entries.roles.steward),
        chair=None if chair is None else _role("chair", chair),
        sha256=sha256_bytes(data),
    )


def _anchors(folder: Path, entries: Sequence[_FileEntry]) -> tuple[x509.Certificate, ...]:
    anchors: list[x509.Certificate] = []
    for entry in entries:
        try:
            anchors += load_anchors(_read(folder / entry.file, f"the anchor {entry.file}"))
        except SignatureError:
            raise SettingsError(f"the anchor {entry.file} holds no certificate", next_step=_NEXT) from None
    return tuple(anchors)


def _role(name: RoleName, entry: _RoleEntry) -> Role:
    def refuse(why: str) -> SettingsError:
        return SettingsError(f"the trust file: roles.{name}.{why}", next_step=_NEXT)

    if entry.required > 1:
        raise refuse("required: a certificate has one signature a role, so no more than 1 can be demanded")
    if name == "steward" and entry.required == 0:
        raise refuse("required: no certificate holds without its steward's signature, so it must be 1")
    if entry.required and not (entry.subjects or entry.fingerprints):
        raise refuse("subjects: nobody is listed, so nobody could fill the role")
    for subject in entry.subjects:
        try:
            canonical = x509.Name.from_rfc4514_string(subject).rfc4514_string()
        except ValueError:
            canonical = ""
        if canonical != subject:
            raise refuse(f"subjects: {subject!r} is not a name as `openssl x509 -subject -nameopt RFC2253` prints it")
    return Role(required=entry.required, subjects=frozenset(entry.subjects), fingerprints=frozenset(entry.fingerprints))


def _read(path: Path, what: str) -> bytes:
    try:
        data = read_at_most(path, _LARGEST_FILE_BYTES)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"{what} cannot be read: {why}", next_step="check --trust-file") from None
    if data is None:
        raise SettingsError(f"{what} is too large to be one", next_step=_NEXT)
    return data
