"""Signed certificates for tests, each made once a session: a small signed PDF, and whole cases with their files."""

import io
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from PIL import Image
from weasyprint import HTML, Attachment

from deid_audit.attestation import attest
from deid_audit.certificate.document import render_certificate
from deid_audit.certificate.keys import Signer, ephemeral_signer
from deid_audit.certificate.signing import sign_pdf
from deid_audit.digests import sha256_bytes
from deid_audit.evidence import build_statement
from deid_audit.findings import CaseRecord, Figure, FigureDigest, Outcome, Rule
from deid_audit.policy import judge
from tests.fakes import make_case, make_measurements, make_policy, make_rule

ISSUED = datetime(2026, 1, 2, 3, 10, 5, tzinfo=UTC)
STATEMENT = b'{"small": "statement"}'
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


def attested(statement: bytes) -> bytes:
    """A statement's envelope, signed with the same key as the certificates."""
    return attest(statement, [(signer().private_key, signer().certificate)])


@cache
def small_unsigned() -> bytes:
    """One page with one attachment; renders in a fraction of a certificate's time."""
    attachment = Attachment(string=STATEMENT, name="evidence.json", created=ISSUED, modified=ISSUED)
    return bytes(HTML(string="<title>small</title><hr>").write_pdf(attachments=[attachment]))


@cache
def small_signed() -> bytes:
    return sign_pdf(small_unsigned(), signer(), signed_at=ISSUED)


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
    """A case of one (PASSED) or two videos whose verdict is the policy's own on its measurements."""
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
    pictures = tuple(FigureDigest(name=one.name, sha256=sha256_bytes(one.data), kind=one.kind) for one in figures())
    info = signer().info.model_copy(update={"verified_issuer": outcome is Outcome.FAILED})
    return make_case(
        videos=1 if outcome is Outcome.PASSED else 2,
        policy=policy,
        measurements=rows,
        verdict=judge(rows, policy),
        outputs_folder="release" if outcome is Outcome.PASSED else "withheld",
        figures=pictures,
        signer=info,
        issued_at=ISSUED.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )


@cache
def certified(outcome: Outcome) -> Certified:
    case = certified_case(outcome)
    assert case.verdict.outcome is outcome
    statement = build_statement(case)
    unsigned = render_certificate(case, statement, figures(), issued_at=ISSUED)
    return Certified(case, statement, unsigned, sign_pdf(unsigned, signer(), signed_at=ISSUED))
