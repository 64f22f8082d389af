"""Verify a certificate: signature, statement, attestation, verdict and files, every check run and reported in words.

What a board runs, offline and years later. It trusts the certificates it is given and the bytes it reads; a check
that could not be made is `skipped`, and what was skipped never counts as held. It changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from cryptography import x509

from deid_audit.answers import AnswerFinding, valid_until
from deid_audit.attestation import Envelope, check_signature, key_id, read_envelope
from deid_audit.certificate.checking import FACTS, CertificateCheck, check_certificate
from deid_audit.context import has_run_out
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, SignatureError
from deid_audit.evidence import FileProblem, compare_files, parse_statement
from deid_audit.findings import CaseRecord, Finding, Outcome, SignerInfo
from deid_audit.policy import judge

Status = Literal["ok", "failed", "skipped"]
STATEMENT_FILE, ATTESTATION_FILE = "evidence.json", "attestation.dsse.json"
LARGEST_CERTIFICATE_BYTES = 64 << 20
CHECKS = FACTS | {
    "statement.parsed": "the statement is complete and in its exact form",
    "statement.sibling": "evidence.json beside the certificate is the attached one",
    "statement.signer": "the statement names the one who signed",
    "statement.verdict": "the verdict follows from the measurements, the answers and the policy",
    "attestation.readable": "the attestation beside the certificate is in its one exact form",
    "attestation.same": "the attestation holds the attached statement",
    "attestation.signed": "the attestation is signed by those who signed the certificate, and nobody else",
    "files.compared": "the files are those of the statement",
}
_OF_ATTESTATION = [check for check in CHECKS if check.startswith("attestation.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its id in `CHECKS`, how it came out, and what was found."""

    id: str
    status: Status
    detail: str

    @property
    def title(self) -> str:
        return CHECKS[self.id]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """Every check of `CHECKS` in order; whether the evidence holds, and the exit status, are derived.

    `checked_on` is the day (UTC) that a stated validity is held against; `statement_sha256` is of the attached
    statement's bytes, empty without one.
    """

    checks: tuple[Check, ...]
    signer: SignerInfo | None
    case: CaseRecord | None
    file_problems: tuple[FileProblem, ...]
    files_compared: int
    checked_on: date
    statement_sha256: str = ""

    @property
    def verdict(self) -> Outcome | None:
        """The recorded verdict, and only when it follows from the recorded measurements."""
        derived = any(check.id == "statement.verdict" and check.status == "ok" for check in self.checks)
        return self.case.verdict.outcome if self.case is not None and derived else None

    @property
    def holds(self) -> bool:
        """Whether every check was made and came out; skipped may be only what `_may_be_skipped` says."""
        made = [check.id for check in self.checks] == list(CHECKS)
        return made and all(
            check.status == "ok" or (check.status == "skipped" and check.id in self._may_be_skipped)
            for check in self.checks
        )

    @property
    def _may_be_skipped(self) -> set[str]:
        """Of the files that may be absent beside the certificate; an attestation that was read is checked in full."""
        skipped = {check.id for check in self.checks if check.status == "skipped"}
        return {"statement.sibling", *(_OF_ATTESTATION if skipped.issuperset(_OF_ATTESTATION) else ())}

    @property
    def exit_code(self) -> int:
        """0 authentic, trusted, PASSED and the files as stated; 3 not PASSED, or no longer valid; 1 anything else."""
        if not self.holds:
            return 1
        return 0 if self.verdict is Outcome.PASSED and not self.ran_out else 3

    @property
    def ran_out(self) -> str:
        """The last day on which a release may rest on this certificate, where it has passed; else empty."""
        until = None if self.case is None else valid_until(self.case.context)
        return until if until is not None and has_run_out(until, self.checked_on) else ""

    @property
    def conclusion(self) -> str:
        """The result in one plain sentence."""
        if self.exit_code == 0:
            return f"Authentic, from an issuer you trust, PASSED, and every file is the certified one.{self._caveat}"
        if self.exit_code == 3:
            verdict = f"the verdict is {self.verdict}: not to be released"
            if self.verdict is Outcome.PASSED:
                verdict = f"its steward stated that it is valid until {self.ran_out}: not to be released any more"
            return f"Authentic and from an issuer you trust, but {verdict}.{self._caveat}"
        bad = [check for check in self.checks if check.status == "failed"] or [
            check for check in self.checks if check.status == "skipped" and check.id not in self._may_be_skipped
        ]
        return f"Does not hold: {bad[0].detail if bad else 'not every check was made'}."

    @property
    def _caveat(self) -> str:
        """A key made on the spot is trusted on the reader's word alone; say so."""
        if self.case is None or self.case.signer.verified_issuer:
            return ""
        return " The key was made on the spot: who issued this is as sure as the way its certificate came to you."


def _today() -> date:
    return datetime.now(UTC).date()


def verify(
    certificate: Path,
    *,
    release: Path | None,
    trust: Sequence[Path],
    attestation: Path | None = None,
    today: Callable[[], date] = _today,
) -> VerifyReport:
    """Run every check on `certificate`.

    1. The PDF: readable, signed once, unchanged, certified, by a trusted issuer, with one statement attached.
    2. The statement: in its exact form, the same as evidence.json beside the certificate, naming the signer.
    3. The verdict: judged again from the statement's measurements and answers with the statement's policy.
    4. The attestation: `attestation`, else attestation.dsse.json beside the certificate, where it stands: in its exact
       form, of the attached statement, signed by those who signed the PDF.
    5. The files: in `release`, else in release/ (PASSED) or withheld/ (otherwise) beside the certificate.

    Raises:
        EvidenceError: the certificate's file cannot be read.
        SignatureError: a file in `trust` cannot be read or holds no certificate.
    """
    pdf = _read_certificate(certificate)
    examined = check_certificate(pdf, [_read_trust(path) for path in trust])
    return _Verification(certificate, release, attestation, examined, today()).run()


def _read_certificate(path: Path) -> bytes:
    next_step = "give the path of a certificate.pdf"
    try:
        data = _read_limited(path)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"the certificate cannot be read: {why}", next_step=next_step) from None
    if len(data) > LARGEST_CERTIFICATE_BYTES:
        raise EvidenceError("the file is larger than a certificate can be", next_step=next_step)
    return data


def _read_limited(path: Path) -> bytes:
    """At most a byte more than the largest certificate: no file given here may fill the memory."""
    with path.open("rb") as stream:
        return stream.read(LARGEST_CERTIFICATE_BYTES + 1)


def _read_trust(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SignatureError(
            f"a trusted certificate cannot be read: {why}", next_step="give the issuer's certificate with --trust"
        ) from None


@dataclass(slots=True)
class _Verification:
    """The checks after the signature's, in order; a check without its ground is skipped, in words."""

    certificate: Path
    release: Path | None
    attestation: Path | None
    examined: CertificateCheck
    today: date
    checks: list[Check] = field(default_factory=list)
    case: CaseRecord | None = None
    envelope: Envelope | None = None
    problems: tuple[FileProblem, ...] = ()
    compared: int = 0

    def run(self) -> VerifyReport:
        for fact in self.examined.facts:
            status: Status = "skipped" if fact.holds is None else "ok" if fact.holds else "failed"
            self.checks.append(Check(id=fact.id, status=status, detail=fact.words))
        steps: dict[str, Callable[[], str]] = {
            "statement.parsed": self._parsed,
            "statement.sibling": self._sibling,
            "statement.signer": self._signer,
            "statement.verdict": self._verdict,
            "attestation.readable": self._readable,
            "attestation.same": self._same,
            "attestation.signed": self._signed,
            "files.compared": self._files,
        }
        for check_id, step in steps.items():
            self.checks.append(_outcome_of(check_id, step))
        return VerifyReport(
            checks=tuple(self.checks),
            signer=self.examined.signer,
            case=self.case,
            file_problems=self.problems,
            files_compared=self.compared,
            checked_on=self.today,
            statement_sha256="" if self.examined.statement is None else sha256_bytes(self.examined.statement),
        )

    def _statement(self) -> bytes:
        if self.examined.statement is None:
            raise _Skipped("there is no statement to read")
        return self.examined.statement

    def _read_case(self) -> CaseRecord:
        if self.case is None:
            raise _Skipped("there is no statement that could be read")
        return self.case

    def _parsed(self) -> str:
        self.case = parse_statement(self._statement())
        return f"case {self.case.case_id}, issued {self.case.issued_at}"

    def _sibling(self) -> str:
        path = self.certificate.parent / STATEMENT_FILE
        if not path.exists():
            raise _Skipped("no evidence.json stands beside the certificate; the attached one was used")
        if path.read_bytes() != self._statement():
            raise EvidenceError("evidence.json beside the certificate is not the attached statement")
        return "the same bytes"

    def _signer(self) -> str:
        case = self._read_case()
        if self.examined.signer is None:
            raise _Skipped("the signer could not be read")
        if case.signer.fingerprint_sha256 != self.examined.signer.fingerprint_sha256:
            raise EvidenceError(
                f"the statement names another signer ({case.signer.name}) than the one who signed"
                f" ({self.examined.signer.name})"
            )
        return case.signer.name

    def _verdict(self) -> str:
        case = self._read_case()
        again = judge(case.measurements, case.policy, case.context, on=_day_of(case))
        findings = [_facts(one) for one in again.findings] == [_facts(one) for one in case.verdict.findings]
        answers = [_answer_facts(one) for one in again.answers] == [_answer_facts(one) for one in case.verdict.answers]
        if not findings or not answers:
            raise EvidenceError(
                f"the measurements come to {again.outcome} with other findings than the recorded {case.verdict.outcome}"
            )
        return f"{again.outcome} by policy {case.policy.id}, version {case.policy.version}"

    def _readable(self) -> str:
        path = self.attestation or self.certificate.parent / ATTESTATION_FILE
        if self.attestation is None and not path.exists():
            raise _Skipped(f"no {ATTESTATION_FILE} stands beside the certificate: not there, not compared")
        try:
            data = _read_limited(path)
        except OSError as error:
            raise EvidenceError(f"the attestation cannot be read: {error.strerror or 'input/output error'}") from None
        self.envelope = read_envelope(data)
        return f"signatures: {len(self.envelope.signatures)}"

    def _read_attestation(self) -> Envelope:
        if self.envelope is None:
            raise _Skipped("there is no attestation that could be read")
        return self.envelope

    def _same(self) -> str:
        if self._read_attestation().payload != self._statement():
            raise EvidenceError("the attestation is of another statement than the attached one")
        return "the same bytes"

    def _signed(self) -> str:
        return _check_signers(self._read_attestation(), self.examined.signer_certificates)

    def _files(self) -> str:
        case = self._read_case()
        folder = files_folder(self.certificate, self.release, case)
        if not folder.is_dir():
            raise _Skipped(f"files not compared: there is no folder {case.outputs_folder}/; give it with --release")
        self.problems = tuple(compare_files(case, folder))
        self.compared = len(case.outputs)
        if self.problems:
            listed = "; ".join(f"{problem.name} {problem.kind}" for problem in self.problems)
            raise EvidenceError(listed)
        return f"{len(case.outputs)} files, none changed, missing or added"


def files_folder(certificate: Path, release: Path | None, case: CaseRecord) -> Path:
    """Where the files of a case are looked for: in `release`, else beside the certificate."""
    return release or certificate.parent / case.outputs_folder


def _check_signers(envelope: Envelope, certificates: Sequence[x509.Certificate]) -> str:
    """Words, where exactly the holders of these certificates signed the envelope in this order; else EvidenceError."""
    if not certificates:
        raise _Skipped("the signer could not be read")
    if [one.keyid for one in envelope.signatures] != [key_id(one) for one in certificates]:
        raise EvidenceError("the attestation is not signed by exactly those who signed the certificate")
    if not all(check_signature(envelope, one) for one in certificates):
        raise EvidenceError("a signature of the attestation does not fit")
    return "by the same key" if len(certificates) == 1 else f"by the same {len(certificates)} keys"


def _facts(finding: Finding) -> tuple[object, ...]:
    """A finding without its words, which another version may put differently."""
    return (finding.rule, finding.outcome, finding.scope, finding.observed, finding.sample_size, finding.noise_floor)


def _answer_facts(finding: AnswerFinding) -> tuple[object, ...]:
    return (finding.asked, finding.outcome, finding.answer)


def _day_of(case: CaseRecord) -> date:
    try:
        return datetime.fromisoformat(case.issued_at).astimezone(UTC).date()
    except ValueError:
        raise EvidenceError("issued_at is not a time") from None


class _Skipped(Exception):
    """A check that cannot be made, in words."""


def _outcome_of(check_id: str, step: Callable[[], str]) -> Check:
    try:
        return Check(id=check_id, status="ok", detail=step())
    except _Skipped as reason:
        return Check(id=check_id, status="skipped", detail=str(reason))
    except EvidenceError as error:
        return Check(id=check_id, status="failed", detail=str(error))
    except OSError as error:
        return Check(id=check_id, status="failed", detail=f"cannot be read: {error.strerror or 'input/output error'}")
