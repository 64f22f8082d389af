"""Verify a certificate: signatures, statement, attestation, verdict, files, status: every check run and told in words.

What a board runs, offline and years later. It trusts the certificates it is given and the bytes it reads; a check
that could not be made is `skipped`, and what was skipped never counts as held. It changes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography import x509

from deid_audit.answers import AnswerFinding
from deid_audit.attestation import ATTESTATION_FILE, Envelope, check_signature, key_id, read_envelope
from deid_audit.certificate.checking import CertificateCheck, SignedBy, check_certificate
from deid_audit.certificate.crls import read_crls
from deid_audit.certificate.trust import Trust, load_trust_file, trust_of
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError, SettingsError, SignatureError
from deid_audit.evidence import STATEMENT_FILE, FileProblem, compare_files, parse_statement
from deid_audit.files import read_at_most
from deid_audit.findings import CaseRecord, Finding
from deid_audit.pipeline.checks import Check, Status, VerifyReport
from deid_audit.pipeline.standing import StatusFile, Withdrawn, read_status, require_same, status_beside, who_withdrew
from deid_audit.policy import judge

LARGEST_CERTIFICATE_BYTES = 64 << 20


def _today() -> date:
    return datetime.now(UTC).date()


def verify(
    certificate: Path,
    *,
    release: Path | None,
    trust: Trust,
    attestation: Path | None = None,
    status: Path | None = None,
    today: Callable[[], date] = _today,
) -> VerifyReport:
    """Run every check on `certificate`.

    1. The PDF: readable, certified by a trusted steward, decided at most once by a trusted chair, otherwise unchanged,
       with one statement attached.
    2. The statement: in its exact form, the same as evidence.json beside the certificate, naming the steward.
    3. The verdict: judged again from the statement's measurements and answers with the statement's policy.
    4. The attestation: `attestation`, else attestation.dsse.json beside the certificate, where it stands: in its exact
       form, of the attached statement, signed by those who signed the PDF.
    5. The files: in `release`, else in release/ (PASSED) or withheld/ (otherwise) beside the certificate.
    6. The status: `status`, else status.dsse.json beside the certificate, where it stands: in its exact form, of this
       statement, signed by somebody who may withdraw it. One that is there is never passed over.

    Raises:
        EvidenceError: the certificate's file cannot be read.
    """
    pdf = read_certificate(certificate)
    return verify_bytes(
        pdf, certificate, release=release, trust=trust, attestation=attestation, status=status, today=today
    )


def verify_bytes(
    pdf: bytes,
    certificate: Path,
    *,
    release: Path | None,
    trust: Trust,
    attestation: Path | None = None,
    status: Path | None = None,
    today: Callable[[], date] = _today,
) -> VerifyReport:
    """Like `verify`, for the bytes that `read_certificate` gave: what is signed next is what was checked."""
    examined = check_certificate(pdf, trust)
    return _Verification(certificate, release, attestation, status, examined, today(), trust).run()


def read_certificate(path: Path) -> bytes:
    """The certificate's bytes; EvidenceError when there are none, or too many."""
    next_step = "give the path of a certificate.pdf"
    try:
        data = read_at_most(path, LARGEST_CERTIFICATE_BYTES)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"the certificate cannot be read: {why}", next_step=next_step) from None
    if data is None:
        raise EvidenceError("the file is larger than a certificate can be", next_step=next_step)
    return data


def read_trust(
    certificates: Sequence[Path],
    trust_file: Path | None,
    *,
    timestamps: Sequence[Path] = (),
    crls: Sequence[Path] = (),
) -> Trust:
    """Whom to trust: a trust file's people and roles, or whoever these certificates vouch for.

    Args:
        certificates: anchors of signers, without a trust file.
        trust_file: the verifier's trust.toml.
        timestamps: anchors of timestamp authorities, without a trust file.
        crls: revocation lists, beside those that a trust file names.

    Raises:
        SettingsError: both are given, or the trust file or a list cannot be taken.
        SignatureError: a certificate cannot be read, or is none.
    """
    lists = read_crls(crls)
    if trust_file is None:
        clocks = trust_of([_read_trusted(path) for path in timestamps]).anchors
        trust = trust_of([_read_trusted(path) for path in certificates])
        return trust.with_timestamp_anchors(clocks).with_crls(lists)
    if certificates or timestamps:
        raise SettingsError(
            f"{'--trust' if certificates else '--trust-tsa'} and --trust-file exclude each other",
            next_step="put the anchor in the trust file",
        )
    return load_trust_file(trust_file).with_crls(lists)


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
    attestation: Path | None
    status: Path | None
    examined: CertificateCheck
    today: date
    trust: Trust
    checks: list[Check] = field(default_factory=list)
    case: CaseRecord | None = None
    envelope: Envelope | None = None
    status_file: StatusFile | None = None
    withdrawn: Withdrawn | None = None
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
            "attestation.readable": self._readable,
            "attestation.same": self._same,
            "attestation.signed": self._signed,
            "files.compared": self._files,
            "status.readable": self._status_readable,
            "status.same": self._status_same,
            "status.signed": self._status_signed,
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
            trust_sha256=self.trust.sha256,
            statement_sha256="" if self.examined.statement is None else sha256_bytes(self.examined.statement),
            withdrawn=self.withdrawn,
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

    def _readable(self) -> str:
        path = self.attestation or self.certificate.parent / ATTESTATION_FILE
        if self.attestation is None and not path.exists():
            raise _Skipped(f"no {ATTESTATION_FILE} stands beside the certificate: not there, not compared")
        try:
            data = read_at_most(path, LARGEST_CERTIFICATE_BYTES) or b""  # one that is larger is none
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
        attests = [one.certificate for one in self.examined.signers if one.role == "steward" or approves(one)]
        return _check_signers(self._read_attestation(), attests)

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

    def _status_readable(self) -> str:
        self.status = self.status or status_beside(self.certificate)
        if self.status is None:
            raise _NotApplicable("no status file here: whether it was withdrawn elsewhere is not known")
        self.status_file = read_status(self.status)
        return f"signed on {self.status_file.withdrawal.withdrawn_at}, as it states"

    def _read_status(self) -> StatusFile:
        if self.status is None:
            raise _NotApplicable("no status file here")
        if self.status_file is None:
            raise _Skipped("there is no status file that could be read")
        return self.status_file

    def _status_same(self) -> str:
        status, case = self._read_status(), self._read_case()
        return require_same(status, case_id=case.case_id, statement_sha256=sha256_bytes(self._statement()))

    def _status_signed(self) -> str:
        status = self._read_status()
        if self.checks[-1].status != "ok":  # the check before this one
            raise _Skipped("it is not known to be of this certificate")
        self.withdrawn = who_withdrew(status, self.examined, self.trust)
        return self.withdrawn.words


def files_folder(certificate: Path, release: Path | None, case: CaseRecord) -> Path:
    """Where the files of a case are looked for: in `release`, else beside the certificate."""
    return release or certificate.parent / case.outputs_folder


def approves(signer: SignedBy) -> bool:
    """Whether this is a chair who approves: only then do they sign the attestation, too."""
    return signer.decision is not None and signer.decision.approves


def _check_signers(envelope: Envelope, certificates: Sequence[x509.Certificate]) -> str:
    """Words, where exactly the holders of these certificates signed the envelope in this order; else EvidenceError."""
    if not certificates:
        raise _Skipped("the signer could not be read")
    if [one.keyid for one in envelope.signatures] != [key_id(one) for one in certificates]:
        raise EvidenceError(
            "the attestation is not signed by exactly those who stand for the certificate: the steward, and the chair "
            "who approves"
        )
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


class _NotApplicable(Exception):
    """A check of something that is not there and need not be, in words."""


def _outcome_of(check_id: str, step: Callable[[], str]) -> Check:
    try:
        return Check(id=check_id, status="ok", detail=step())
    except _Skipped as reason:
        return Check(id=check_id, status="skipped", detail=str(reason))
    except _NotApplicable as reason:
        return Check(id=check_id, status="not_applicable", detail=str(reason))
    except EvidenceError as error:
        return Check(id=check_id, status="failed", detail=str(error))
    except OSError as error:
        return Check(id=check_id, status="failed", detail=f"cannot be read: {error.strerror or 'input/output error'}")
