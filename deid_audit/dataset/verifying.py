"""`deid-audit verify SET`: the set's statement, its signature, every file, and every case with all of its own checks.

Trust comes from the verifier alone. A case's key that was made on the spot is known by the set's statement, which names
its certificate: whoever trusts the set's signer has that person's word for it. Without that word it is not trusted.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from deid_audit.attestation import ATTESTATION_FILE, check_signature, key_id, read_envelope
from deid_audit.certificate.keys import describe_certificate
from deid_audit.certificate.trust import Trust, load_anchors
from deid_audit.certificate.vouching import vouched_for
from deid_audit.dataset.documents import SetCheck, SetVerified
from deid_audit.dataset.packaging import PAGES, SET_ATTESTATION, SET_STATEMENT, SIGNER, bag_faults
from deid_audit.dataset.record import CaseEntry, DataSetRecord, parse_set_statement
from deid_audit.dataset.summary import rule_summaries, set_bound
from deid_audit.digests import sha256_bytes
from deid_audit.errors import DeidAuditError, EvidenceError
from deid_audit.evidence import CERTIFICATE, STATEMENT_FILE, parse_statement
from deid_audit.files import read_at_most
from deid_audit.findings import CaseRecord
from deid_audit.pipeline.bag import PAYLOAD
from deid_audit.pipeline.standing import was_revoked
from deid_audit.pipeline.verify import verify
from deid_audit.policy import judge

_LARGEST_BYTES = 256 << 20
_LISTED = 5


def set_folder(path: Path) -> Path | None:
    """The package that is meant by its folder or by its pages in it; None for anything else, such as a certificate."""
    folder = path.parent if path.name == PAGES else path
    return folder if folder.is_dir() and (folder / SET_STATEMENT).exists() else None


def verify_set(
    folder: Path, *, trust: Trust, today: Callable[[], date] = lambda: datetime.now(UTC).date()
) -> SetVerified:
    """Every check on a data set's package; one that could not be made is `skipped`, and does not hold.

    1. The statement in its exact form, signed by who stands in it, whom you trust.  2. Every file of the bag, none
    more.  3. Every released case: all checks of `verify`.  4. Every withheld case: statement, verdict, attestation.
    5. Worst, mean and bound follow from the cases' statements.
    """
    return _Walk(folder, trust, today).run()


class _Skipped(Exception):
    """A check that cannot be made, in words."""


class _Walk:
    """The checks in order, each on what those before it have read."""

    def __init__(self, folder: Path, trust: Trust, today: Callable[[], date]) -> None:
        self.folder, self.trust, self.today = folder, trust, today
        self.record: DataSetRecord | None = None
        self.signer: x509.Certificate | None = None
        self.cases: list[CaseRecord] = []
        self.checks: list[SetCheck] = []
        self.fallen: list[str] = []  # released cases that are authentic and no longer stand

    def run(self) -> SetVerified:
        steps: dict[str, Callable[[], str]] = {
            "set.statement": self._statement,
            "set.signed": self._signed,
            "set.trusted": self._trusted,
            "set.files": self._files,
            "set.released": self._released,
            "set.withheld": self._withheld,
            "set.summary": self._summary,
        }
        for name, step in steps.items():
            self.checks.append(self._outcome(name, step))
        return self._report()

    def _outcome(self, name: str, step: Callable[[], str]) -> SetCheck:
        try:
            return SetCheck(id=name, status="ok", detail=step())
        except _Skipped as reason:
            return SetCheck(id=name, status="skipped", detail=str(reason))
        except DeidAuditError as error:
            return SetCheck(id=name, status="failed", detail=str(error))
        except OSError as error:
            why = error.strerror or "input/output error"
            return SetCheck(id=name, status="failed", detail=f"cannot be read: {why}")

    def _read_record(self) -> DataSetRecord:
        if self.record is None:
            raise _Skipped("there is no statement that could be read")
        return self.record

    def _statement(self) -> str:
        self.record = parse_set_statement(_read(self.folder / SET_STATEMENT))
        return f"data set {self.record.set_id}, issued {self.record.issued_at}, {len(self.record.cases)} cases"

    def _signed(self) -> str:
        record = self._read_record()
        envelope = read_envelope(_read(self.folder / SET_ATTESTATION))
        if envelope.payload != _read(self.folder / SET_STATEMENT):
            raise EvidenceError("the attestation is of another statement than the one beside it")
        own = load_anchors(_read(self.folder / SIGNER))[0]
        if own.fingerprint(hashes.SHA256()).hex() != record.signer.fingerprint_sha256:
            raise EvidenceError("the statement names another signer than signer.crt")
        if [one.keyid for one in envelope.signatures] != [key_id(own)] or not check_signature(envelope, own):
            raise EvidenceError("the statement is not signed by the one that it names")
        self.signer = own
        return describe_certificate(own, verified_issuer=False).name

    def _trusted(self) -> str:
        record = self._read_record()
        if self.signer is None:
            raise _Skipped("the signature does not hold")
        who = f"{record.signer.name}, fingerprint {record.signer.fingerprint_sha256}"
        moment = datetime.fromisoformat(record.issued_at).astimezone(UTC)
        if not vouched_for(self.signer, self.trust.anchors, moment):
            raise EvidenceError(f"signed by someone you did not say you trust ({who})")
        if fault := self.trust.fault_of("steward", self.signer):
            raise EvidenceError(f"{fault} ({who})")
        if was_revoked(self.signer, moment, self.trust):
            raise EvidenceError(f"the key was revoked before it signed ({who})")
        return who

    def _files(self) -> str:
        record = self._read_record()
        faults = bag_faults(self.folder, record.manifests)
        present = {one.name for one in (self.folder / PAYLOAD).iterdir()}
        faults += [f"{name}: a case that the statement does not name" for name in sorted(present - _ids(record))]
        if faults:
            raise EvidenceError(_some(faults))
        return f"every file is as the manifests say, none missing or added; what {PAGES} shows is not read"

    def _released(self) -> str:
        released = [one for one in self._read_record().cases if one.outcome == "released"]
        faults = []
        for entry in released:
            case_folder = self.folder / PAYLOAD / entry.case_id
            if sha256_bytes(_read(case_folder / CERTIFICATE)) != entry.certificate_sha256:
                faults.append(f"{entry.case_id}: another certificate than the statement names")
                continue
            report = verify(
                case_folder / CERTIFICATE, release=None, trust=self._trust_for(entry, case_folder), today=self.today
            )
            if report.exit_code == 3:
                self.fallen.append(f"{entry.case_id}: {report.conclusion}")
            elif report.exit_code or report.statement_sha256 != entry.statement_sha256:
                said = report.conclusion if report.exit_code else "another statement than the data set's names"
                faults.append(f"{entry.case_id}: {said}")
            if report.case is not None:
                self._take(report.case, entry)
        if faults:
            raise EvidenceError(_some(faults))
        return f"{len(released)} cases, each with all its own checks"

    def _trust_for(self, entry: CaseEntry, case_folder: Path) -> Trust:
        """With the case's own key, where the set's trusted signer names its certificate; a trust file's roles stay."""
        own = load_anchors(_read(case_folder / SIGNER))[0]
        vouched = own.fingerprint(hashes.SHA256()).hex() == entry.signer_sha256
        trusted = any(one.id == "set.trusted" and one.status == "ok" for one in self.checks)
        if not (vouched and trusted) or self.trust.sha256 is not None:
            return self.trust
        return replace(self.trust, anchors=(*self.trust.anchors, own))

    def _withheld(self) -> str:
        withheld = [one for one in self._read_record().cases if one.outcome == "withheld"]
        faults = []
        for entry in withheld:
            try:
                self._look_at_withheld(entry)
            except DeidAuditError as error:
                faults.append(f"{entry.case_id}: {error}")
        if faults:
            raise EvidenceError(_some(faults))
        return f"{len(withheld)} cases: statement, verdict and attestation; their videos and certificates are not here"

    def _look_at_withheld(self, entry: CaseEntry) -> None:
        case_folder = self.folder / PAYLOAD / entry.case_id
        data = _read(case_folder / STATEMENT_FILE)
        if sha256_bytes(data) != entry.statement_sha256:
            raise EvidenceError("another statement than the data set's names")
        case = parse_statement(data)
        on = datetime.fromisoformat(case.issued_at).astimezone(UTC).date()
        if judge(case.measurements, case.policy, case.context, on=on).outcome != case.verdict.outcome:
            raise EvidenceError("the verdict does not follow from the measurements")
        own = load_anchors(_read(case_folder / SIGNER))[0]
        envelope = read_envelope(_read(case_folder / ATTESTATION_FILE))
        if own.fingerprint(hashes.SHA256()).hex() != entry.signer_sha256 or envelope.payload != data:
            raise EvidenceError("the attestation is of another statement, or by another signer")
        if not check_signature(envelope, own):
            raise EvidenceError("the signature of its attestation does not fit")
        self._take(case, entry)

    def _take(self, case: CaseRecord, entry: CaseEntry) -> None:
        record = self._read_record()
        if (case.case_id, case.verdict.outcome) != (entry.case_id, entry.verdict):
            raise EvidenceError(f"{entry.case_id}: its statement is of another case, or has another verdict")
        if case.policy.sha256 != record.policy_sha256:
            raise EvidenceError(f"{entry.case_id}: judged by another policy than the data set's")
        self.cases.append(case)

    def _summary(self) -> str:
        record = self._read_record()
        if len(self.cases) < sum(one.verdict is not None for one in record.cases):
            raise _Skipped("not every case's statement could be read")
        ordered = sorted(self.cases, key=lambda one: one.case_id)
        if (
            rule_summaries(ordered) != record.rules
            or set_bound(ordered, not_made=len(record.cases) - len(ordered)) != record.bound
        ):
            raise EvidenceError("worst, mean or bound do not follow from the cases' statements")
        groups = "the groups, and " if record.subgroups else ""
        return (
            f"worst, mean and bound follow from {len(ordered)} statements; {groups}what was found across the set, are "
            "the issuer's word: no original is here"
        )

    def _report(self) -> SetVerified:
        unmet = [one for one in self.checks if one.status != "ok"]
        counts = {"released": 0, "withheld": 0, "not made": 0}
        for entry in self.record.cases if self.record is not None else ():
            counts[entry.outcome] += 1
        if unmet:
            code, said = 1, f"Does not hold: {unmet[0].detail}."
        elif self.fallen:
            code, said = 3, f"Authentic, but released cases no longer stand: {_some(self.fallen)}"
        elif not counts["released"]:
            code, said = 3, "Authentic and from an issuer you trust, but no case of it is released."
        else:
            code = 0
            said = (
                f"Authentic, from an issuer you trust: {counts['released']} cases are released and every file is the "
                f"certified one; {counts['withheld']} are withheld and {counts['not made']} were not made."
            )
        return SetVerified(
            ok=code == 0,
            conclusion=said,
            exit_code=code,
            set_id=None if self.record is None else self.record.set_id,
            checks=tuple(self.checks),
            released=counts["released"],
            withheld=counts["withheld"],
            not_made=counts["not made"],
        )


def _ids(record: DataSetRecord) -> set[str]:
    return {one.case_id for one in record.cases if one.verdict is not None}


def _some(faults: list[str]) -> str:
    more = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
    return "; ".join(faults[:_LISTED]) + more


def _read(path: Path) -> bytes:
    data = None if path.is_symlink() else read_at_most(path, _LARGEST_BYTES)
    if data is None:
        raise EvidenceError(f"{path.name} is a link, or larger than it can be")
    return data
