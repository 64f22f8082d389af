"""Signed certificates for tests, each made once a session: a small signed PDF, and whole cases with their files."""

import io
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID
from PIL import Image
from weasyprint import HTML, Attachment

from deid_audit.attestation import attest
from deid_audit.certificate.crls import Crl, Reason, revoke
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.document import render_certificate
from deid_audit.certificate.fields import add_signature_fields
from deid_audit.certificate.keys import Signer, describe_certificate, ephemeral_signer
from deid_audit.certificate.profiles import Issuer, Profile, make_certificate
from deid_audit.certificate.signing import countersign_pdf, sign_pdf
from deid_audit.certificate.timestamps import OwnClock
from deid_audit.certificate.trust import Trust
from deid_audit.evidence import build_statement, parse_statement
from deid_audit.findings import CaseRecord, Figure, Outcome, Rule
from deid_audit.log.checkpoint import signed_note
from deid_audit.policy import judge
from tests.fakes import make_case, make_measurements, make_policy, make_rule

ISSUED = datetime(2026, 1, 2, 3, 10, 5, tzinfo=UTC)
STATEMENT = b'{"small": "statement"}'
CHECKPOINT = signed_note(41, bytes(range(32)), Ed25519PrivateKey.from_private_bytes(bytes(32)))
HARMLESS_WARNING = "HarfBuzz-Subset"  # an optional library; WeasyPrint falls back to fontTools
_RULES: tuple[Rule, ...] = (
    make_rule("identity.to_original.mean", "above", 0.6),
    make_rule("identity.to_donor.mean", "below", 0.5),
    make_rule("expression.brow_r", "at_least", 0.6, if_absent="skip"),
    make_rule("coverage.undecided", "at_most", 0),
    make_rule("erasure.complete", "at_least", 1, of="run"),
)


@cache
def signer() -> Signer:
    """One key for the whole session."""
    return ephemeral_signer(ISSUED)


def named_signer(name: str, key: ec.EllipticCurvePrivateKey | None = None, *, start: datetime = ISSUED) -> Signer:
    """A signer of this name with a self-issued certificate valid for a year, and with this key, or one of its own."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    others = ("key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign")
    usage = dict.fromkeys((*others, "encipher_only", "decipher_only"), False)
    certificate = (
        x509.CertificateBuilder(
            issuer_name=subject, subject_name=subject, public_key=key.public_key(), serial_number=len(name)
        )
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=365))
        .add_extension(x509.KeyUsage(digital_signature=True, content_commitment=True, **usage), critical=True)
        .sign(key, hashes.SHA256())
    )
    info = describe_certificate(certificate, verified_issuer=True)
    return Signer(info=info, certificate=certificate, private_key=key)


def authority(name: str = "Issuing authority") -> Issuer:
    """A pilot's issuing authority, one a name for the whole session."""
    return _authority(name)


@cache
def _authority(name: str) -> Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    start = ISSUED - timedelta(days=30)
    certificate = make_certificate(key, Profile.ISSUER, common_name=name, organisation=None, now=start)
    return Issuer(certificate=certificate, private_key=key)


@cache
def issued_signer(name: str, *, profile: Profile = Profile.SIGNER, by: str = "Issuing authority") -> Signer:
    """A signer of this name whose certificate an authority issued ten days before."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = make_certificate(
        key, profile, common_name=name, organisation=None, now=ISSUED - timedelta(days=10), issuer=authority(by)
    )
    info = describe_certificate(certificate, verified_issuer=True)
    return Signer(info=info, certificate=certificate, chain=(authority(by).certificate,), private_key=key)


@cache
def chair() -> Signer:
    """The chair's one key for the whole session."""
    return named_signer("Ada Chair")


def small_page(*attachments: Attachment) -> bytes:
    """One page with room for both signatures; renders in a fraction of a certificate's time."""
    html = '<title>small</title><hr><div id="sig-steward" style="height: 99px"></div><p id="sig-chair">none</p>'
    return bytes(HTML(string=html).write_pdf(attachments=list(attachments), finisher=add_signature_fields))


def attested(statement: bytes) -> bytes:
    """A statement's envelope, signed with the same key as the certificates."""
    return attest(statement, [signer()])


@cache
def small_unsigned() -> bytes:
    """The small page with one attachment, the statement."""
    return small_page(Attachment(string=STATEMENT, name="evidence.json", created=ISSUED, modified=ISSUED))


@cache
def small_signed() -> bytes:
    return sign_pdf(small_unsigned(), signer(), signed_at=ISSUED)


@cache
def one_page(statement: bytes) -> bytes:
    """A certificate of one page with this statement, signed by the steward: for all that does not look at the pages.

    To compare two revisions of a dozen pages takes a PDF library more than a second, and a certificate that the chair
    has signed has two.
    """
    attached = Attachment(string=statement, name="evidence.json", created=ISSUED, modified=ISSUED)
    return sign_pdf(small_page(attached), signer(), signed_at=ISSUED)


DECIDED = ISSUED + timedelta(days=7)
CONDITIONS = "for one year, and only to the registry"


@cache
def small_decided() -> bytes:
    """The small certificate, approved by the chair on conditions."""
    decision = Decision(approves=True, conditions=CONDITIONS)
    return countersign_pdf(small_signed(), chair(), decision, signed_at=DECIDED)


CLOCKS = "Authority of clocks"


def revoked_at(at: datetime, *whom: Signer, by: str = "Issuing authority") -> Crl:
    """The authority's list of that day, on which these are revoked since that second."""
    made = revoke(None, authority(by), None, Reason.UNSPECIFIED, at)
    for one in whom:
        made = revoke(one.certificate, authority(by), made, Reason.KEY_COMPROMISE, at)
    return made


def stamped(one: Signer, at: datetime, *crls: Crl, clock: Signer | None = None) -> Signer:
    """The signer with lists and with a timestamp authority whose clock shows `at`."""
    key = clock or issued_signer("Clock", profile=Profile.TIMESTAMPS, by=CLOCKS)
    return replace(one, crls=crls, timestamps=OwnClock(key=key, clock=lambda: at))


@cache
def lasting_signed() -> bytes:
    """The small certificate by an issued steward, with a timestamp and the authority's list (PAdES B-LT)."""
    own = stamped(issued_signer("Sam Steward"), ISSUED + timedelta(seconds=2), revoked_at(ISSUED - timedelta(days=1)))
    return sign_pdf(small_unsigned(), own, signed_at=ISSUED)


@cache
def lasting_decided() -> bytes:
    """The same, decided by an issued chair, with a document timestamp at the end (PAdES B-LTA)."""
    own = stamped(issued_signer("Cleo Chair"), DECIDED + timedelta(seconds=2), revoked_at(DECIDED - timedelta(days=1)))
    return countersign_pdf(lasting_signed(), own, Decision(approves=True), signed_at=DECIDED)


def lasting_trust(*crls: Crl) -> Trust:
    """Trust in the two authorities, with these lists."""
    clocks = (authority(CLOCKS).certificate,)
    return Trust(anchors=(authority().certificate,), timestamp_anchors=clocks, crls=crls)


def png(shade: int) -> bytes:
    """A picture of 24 x 16 px that no other shade gives."""
    out = io.BytesIO()
    Image.linear_gradient("L").resize((24, 16)).point(lambda value: (value + shade) % 256).convert("RGB").save(
        out, "PNG"
    )
    return out.getvalue()


def figures() -> tuple[Figure, ...]:
    """A plot and two released frames."""
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><path d="M1 19 L39 1" stroke="black"/></svg>'
    plot = Figure(
        name="roc", media_type="image/svg+xml", data=svg, kind="plot", caption="A rising curve.", alt="rising curve"
    )
    frames = tuple(
        Figure(
            name=f"frames-{n:02d}",
            media_type="image/png",
            data=png(40 * n),
            kind="released frame",
            caption=f"Released frames of video {n}.",
            alt=f"frames of video {n}",
        )
        for n in (1, 2)
    )
    return (plot, *frames)


@dataclass(frozen=True)
class Certified:
    """A case with its statement, its unsigned pages and the signed certificate."""

    case: CaseRecord
    statement: bytes
    unsigned: bytes
    pdf: bytes


def certified_case(outcome: Outcome) -> CaseRecord:
    """A case of one (PASSED) or two videos whose verdict is the policy's own on its measurements.

    A log was kept, but for the INDETERMINATE one.
    """
    bad: dict[Outcome, dict[str, float | None]] = {
        Outcome.PASSED: {},
        Outcome.FAILED: {"identity.to_original.mean": 0.59987},
        Outcome.INDETERMINATE: {"identity.to_original.mean": None},
    }
    policy = make_policy(_RULES)
    rows = tuple(
        row.model_copy(update={"not_measured_because": "no frame pair to compare"})
        if row.value is None and not row.absent
        else row
        for row in make_measurements(videos=1 if outcome is Outcome.PASSED else 2, swapped=bad[outcome])
    )
    pictures = tuple(one.digest for one in figures())
    info = signer().info.model_copy(update={"verified_issuer": outcome is Outcome.FAILED})
    return make_case(
        videos=1 if outcome is Outcome.PASSED else 2,
        policy=policy,
        measurements=rows,
        verdict=judge(rows, policy),
        outputs_folder="release" if outcome is Outcome.PASSED else "withheld",
        figures=pictures,
        signer=info,
        log_checkpoint="" if outcome is Outcome.INDETERMINATE else CHECKPOINT,
        issued_at=ISSUED.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@cache
def certified(outcome: Outcome) -> Certified:
    case = certified_case(outcome)
    assert case.verdict.outcome is outcome
    statement = build_statement(case)
    unsigned = render_certificate(parse_statement(statement), statement, figures(), issued_at=ISSUED)
    return Certified(case, statement, unsigned, sign_pdf(unsigned, signer(), signed_at=ISSUED))
