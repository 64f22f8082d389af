"""Verify a certificate: signatures, statement, verdict and files, every check run and reported in words.

What a board runs, offline and years later. It trusts the certificates it is given and the bytes it reads; a check
that could not be made is `skipped`, and what was skipped never counts as held. It changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal

from deid_audit.answers import AnswerFinding, valid_until
from deid_audit.certificate.checking import FACTS, CertificateCheck, SignedBy, check_certificate
from deid_audit.certificate.decisions import Decision
from deid_audit.certificate.trust import Trust, load_trust_file, trust_of
from deid_audit.context import has_run_out
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, SettingsError, SignatureError
from deid_audit.evidence import FileProblem, compare_files, parse_statement
from deid_audit.findings import CaseRecord, Finding, Outcome
from deid_audit.policy import judge

Status = Literal["ok", "failed", "skipped", "not_applicable"]
STATEMENT_FILE = "evidence.json"
LARGEST_CERTIFICATE_BYTES = 64 << 20
CHECKS = FACTS | {
    "statement.parsed": "the statement is complete and in its exact form",
    "statement.sibling": "evidence.json beside the certificate is the attached one",
    "statement.signer": "the statement names the one who signed",
    "statement.verdict": "the verdict follows from the measurements, the answers and the policy",
    "files.compared": "the files are those of the statement",
}


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
    statement's bytes, empty without one; `trust_sha256` is the trust file's.
    """

    checks: tuple[Check, ...]
    signers: tuple[SignedBy, ...]
    case: CaseRecord | None
    file_problems: tuple[FileProblem, ...]
    files_compared: int
    checked_on: date
    trust_sha256: str | None = None
    statement_sha256: str = ""

    @property
    def verdict(self) -> Outcome | None:
        """The recorded verdict, and only when it follows from the recorded measurements."""
        derived = any(check.id == "statement.verdict" and check.status == "ok" for check in self.checks)
        return self.case.verdict.outcome if self.case is not None and derived else None

    @property
    def holds(self) -> bool:
        """Whether every check was made and came out.

        Only an absent sibling evidence.json may be skipped, and only a chair's signature that nobody demands and that
        is not there may be what a check would have been about.
        """
        made = [check.id for check in self.checks] == list(CHECKS)
        return made and all(check.status == "ok" or check in self._excused for check in self.checks)

    @property
    def _excused(self) -> tuple[Check, ...]:
        return tuple(
            check
            for check in self.checks
            if (check.id == "statement.sibling" and check.status == "skipped")
            or (check.id.startswith("approval.") and check.status == "not_applicable")
        )

    @property
    def decision(self) -> Decision | None:
        """The chair's decision, where the chair has signed; it counts only where the evidence holds."""
        return next((one.decision for one in self.signers if one.role == "chair"), None)

    @property
    def refused(self) -> bool:
        return self.decision is not None and not self.decision.approves

    @property
    def unmet(self) -> tuple[Check, ...]:
        """What does not hold, failed checks first, then those that could not be made."""
        failed = [check for check in self.checks if check.status == "failed"]
        return (*failed, *(one for one in self.checks if one.status == "skipped" and one not in self._excused))

    @property
    def exit_code(self) -> int:
        """0 authentic, trusted, PASSED and the files as stated; 3 not PASSED, refused or run out; 1 anything else."""
        if not self.holds:
            return 1
        return 0 if self.verdict is Outcome.PASSED and not self.ran_out and not self.refused else 3

    @property
    def ran_out(self) -> str:
        """The last day on which a release may rest on this certificate, where it has passed; else empty."""
        until = None if self.case is None else valid_until(self.case.context)
        return until if until is not None and has_run_out(until, self.checked_on) else ""

    @property
    def conclusion(self) -> str:
        """The result in one plain sentence."""
        if self.exit_code == 0:
            approved = "" if self.decision is None else f" approved by the chair{self._conditions},"
            return (
                f"Authentic, from an issuer you trust, PASSED,{approved} and every file is the certified one."
                f"{self._caveat}"
            )
        if self.exit_code == 3:
            return f"Authentic and from an issuer you trust, but {self._why_not}.{self._caveat}"
        return f"Does not hold: {self.unmet[0].detail if self.unmet else 'not every check was made'}."

    @property
    def _why_not(self) -> str:
        if self.verdict is not Outcome.PASSED:
            return f"the verdict is {self.verdict}: not to be released"
        if self.refused:
            return f"the chair of the ethics board refused the release{self._conditions}: not to be released"
        return f"its steward stated that it is valid until {self.ran_out}: not to be released any more"

    @property
    def _conditions(self) -> str:
        stated = None if self.decision is None else self.decision.conditions
        return "" if stated is None else f" (conditions: {stated})"

    @property
    def _caveat(self) -> str:
        """A key made on the spot is trusted on the reader's word alone; say so."""
        if self.case is None or self.case.signer.verified_issuer:
            return ""
        return " The key was made on the spot: who issued this is as sure as the way its certificate came to you."


def _today() -> date:
    return datetime.now(UTC).date()


def verify(
    certificate: Path, *, release: Path | None, trust: Trust, today: Callable[[], date] = _today
) -> VerifyReport:
    """Run every check on `certificate`.

    1. The PDF: readable, certified by a trusted steward, decided at most once by a trusted chair, otherwise unchanged,
       with one statement attached.
    2. The statement: in its exact form, the same as evidence.json beside the certificate, naming the steward.
    3. The verdict: judged again from the statement's measurements and answers with the statement's policy.
    4. The files: in `release`, else in release/ (PASSED) or withheld/ (otherwise) beside the certificate.

    Raises:
        EvidenceError: the certificate's file cannot be read.
    """
    return verify_bytes(read_certificate(certificate), certificate, release=release, trust=trust, today=today)


def verify_bytes(
    pdf: bytes, certificate: Path, *, release: Path | None, trust: Trust, today: Callable[[], date] = _today
) -> VerifyReport:
    """Like `verify`, for the bytes that `read_certificate` gave: what is signed next is what was checked."""
    return _Verification(certificate, release, check_certificate(pdf, trust), today(), trust.sha256).run()


def read_certificate(path: Path) -> bytes:
    """The certificate's bytes; EvidenceError when there are none, or too many."""
    next_step = "give the path of a certificate.pdf"
    try:
        with path.open("rb") as stream:
            data = stream.read(LARGEST_CERTIFICATE_BYTES + 1)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"the certificate cannot be read: {why}", next_step=next_step) from None
    if len(data) > LARGEST_CERTIFICATE_BYTES:
        raise EvidenceError("the file is larger than a certificate can be", next_step=next_step)
    return data


def read_trust(certificates: Sequence[Path], trust_file: Path | None) -> Trust:
    """Whom to trust: a trust file's people and roles, or whoever these certificates vouch for.

    Raises:
        SettingsError: both are given, or the trust file cannot be taken.
        SignatureError: a certificate cannot be read, or is none.
    """
    if trust_file is None:
        return trust_of([_read_trusted(path) for path in certificates])
    if certificates:
        raise SettingsError("--trust and --trust-file exclude each other", next_step="put the anchor in the trust file")
    return load_trust_file(trust_file)


def _read_trusted(path: Path) -> bytes:
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
    examined: CertificateCheck
    today: date
    trust_sha256: str | None
    checks: list[Check] = field(default_factory=list)
    case: CaseRecord | None = None
    problems: tuple[FileProblem, ...] = ()
    compared: int = 0

    def run(self) -> VerifyReport:
        for fact in self.examined.facts:
            unseen: Status = "not_applicable" if fact.moot else "skipped"
            status: Status = unseen if fact.holds is None else "ok" if fact.holds else "failed"
            self.checks.append(Check(id=fact.id, status=status, detail=fact.words))
        steps: dict[str, Callable[[], str]] = {
            "statement.parsed": self._parsed,
            "statement.sibling": self._sibling,
            "statement.signer": self._signer,
            "statement.verdict": self._verdict,
            "files.compared": self._files,
        }
        for check_id, step in steps.items():
            self.checks.append(_outcome_of(check_id, step))
        return VerifyReport(
            checks=tuple(self.checks),
            signers=self.examined.signers,
            case=self.case,
            file_problems=self.problems,
            files_compared=self.compared,
            checked_on=self.today,
            trust_sha256=self.trust_sha256,
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
        steward = self.examined.signer("steward")
        if steward is None:
            raise _Skipped("the signer could not be read")
        if case.signer.fingerprint_sha256 != steward.info.fingerprint_sha256:
            raise EvidenceError(
                f"the statement names another signer ({case.signer.name}) than the one who signed ({steward.info.name})"
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
