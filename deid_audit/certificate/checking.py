"""Check a certificate's PDF: every fact about its signatures apart, and `holds` only when all of them do.

Trust comes from what the verifier hands in and from nowhere else: no network, no store of the operating system,
nothing that the PDF says about itself; lists of revoked certificates, too. Files and verdict are `pipeline.verify`'s.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography import x509

from deid_audit.certificate.attachments import read_statement
from deid_audit.certificate.canonical import read_contents
from deid_audit.certificate.crls import CLOCK_TOLERANCE
from deid_audit.certificate.decisions import Decision, parse_reason
from deid_audit.certificate.facts import FACTS, Fact, Moot, NotSo, Unseen, require
from deid_audit.certificate.fields import CHAIR_FIELD, STEWARD_FIELD, TIMESTAMP_FIELD
from deid_audit.certificate.keys import describe_certificate
from deid_audit.certificate.one_signature import OneSignature
from deid_audit.certificate.one_timestamp import ProvenTime, proven_time
from deid_audit.certificate.reading import open_pdf, silence_pyhanko
from deid_audit.certificate.revisions import chair_field_fault, fault_between
from deid_audit.certificate.revocation import Carried, read_carried
from deid_audit.certificate.timestamp_revision import fault_after
from deid_audit.certificate.trust import RoleName, Trust, same_person
from deid_audit.errors import Interrupted
from deid_audit.findings import SignerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedBy:
    """Who signed in a role, and when by their own statement; the chair's decision where it could be read.

    `proven` is the time that a trusted authority asserts, where there is one.
    """

    role: RoleName
    info: SignerInfo
    certificate: x509.Certificate
    signed_at: datetime | None
    decision: Decision | None = None
    proven: ProvenTime | None = None

    @property
    def subject(self) -> str:
        """The name in the certificate (RFC 4514), as a trust file lists it."""
        return self.certificate.subject.rfc4514_string()


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateCheck:
    """All facts of `FACTS`, in that order, with what was read on the way; the steward is the first signer."""

    facts: tuple[Fact, ...]
    signers: tuple[SignedBy, ...]
    statement: bytes | None

    @property
    def holds(self) -> bool:
        if len(self.facts) != len(FACTS):
            return False
        return all(fact.stands for fact in self.facts)

    def facts_of(self, role: RoleName) -> tuple[Fact, ...]:
        """What makes a role's signature that person's word on the statement; the chair's rests on the steward's.

        Whether a key was revoked is not among it: that is a reason to withdraw, and no hindrance.
        """
        of_steward = ("pdf.", "signature.", "statement.")
        of_role = of_steward if role == "steward" else (*of_steward, "approval.")
        found = (fact for fact in self.facts if fact.id.startswith(of_role))
        return tuple(fact for fact in found if not fact.id.endswith(".revocation"))

    def stands_for(self, role: RoleName) -> bool:
        """Whether somebody signed in that role, and all that must hold of that signature does."""
        return self.signer(role) is not None and all(fact.stands for fact in self.facts_of(role))

    def fact(self, fact_id: str) -> Fact:
        """The fact of that id; KeyError when there is none."""
        return {fact.id: fact for fact in self.facts}[fact_id]

    def signer(self, role: RoleName) -> SignedBy | None:
        """Who signed in that role; None when nobody did, or it could not be read."""
        return next((one for one in self.signers if one.role == role), None)


def check_certificate(pdf: bytes, trust: Trust, *, now: datetime | None = None) -> CertificateCheck:
    """Every fact about `pdf`, trusting nobody but those in `trust`.

    Args:
        pdf: the file's bytes.
        trust: the verifier's; without anchors no issuer is known.
        now: the time of checking; the machine's clock when left out.
    """
    silence_pyhanko()
    return _Examination(pdf, trust, now or datetime.now(UTC)).run()


class _Examination:
    """One PDF under examination: `run` goes through the facts in order; a fact that raises does not hold."""

    def __init__(self, pdf: bytes, trust: Trust, now: datetime) -> None:
        self.pdf, self.trust, self.now = pdf, trust, now
        self.facts: dict[str, Fact] = {}
        self.reader: Any = None
        self.steward: OneSignature | None = None
        self.chair: OneSignature | None = None
        self.stamp: Any = None
        self.document_time: ProvenTime | None = None
        self.decision: Decision | None = None
        self.statement: bytes | None = None

    def run(self) -> CertificateCheck:
        steps: dict[str, Callable[[], str]] = {
            "pdf.readable": self._open,
            "signature.present": self._signatures,
            # The times first: certificates are judged at the time that is proven.
            "signature.timestamp": self._stewards(OneSignature.timestamp),
            "approval.timestamp": self._chairs(OneSignature.timestamp),
            "document.timestamp": self._stamped,
            "signature.covers_whole_file": self._coverage,
            "signature.intact": self._stewards(OneSignature.intact),
            "signature.valid": self._stewards(OneSignature.valid),
            "signature.canonical": self._stewards(OneSignature.canonical),
            "signature.certifies": self._certifies,
            "signature.time": self._stewards(OneSignature.time),
            "signature.trusted": self._stewards(OneSignature.trusted),
            "signature.revocation": self._stewards(self._revocation),
            "approval.present": self._demanded,
            "approval.changes": self._changes,
            "approval.intact": self._chairs(OneSignature.intact),
            "approval.valid": self._chairs(OneSignature.valid),
            "approval.canonical": self._chairs(OneSignature.canonical),
            "approval.locks": self._locks,
            "approval.time": self._after_steward,
            "approval.trusted": self._chairs(OneSignature.trusted),
            "approval.revocation": self._chairs(self._revocation),
            "approval.decision": self._decided,
            "roles.satisfied": self._roles,
            "statement.attached": self._attached,
        }
        for fact_id, step in steps.items():
            self._look(fact_id, step)
        signers = (self._signed_by("steward", self.steward), self._signed_by("chair", self.chair))
        return CertificateCheck(
            facts=tuple(self.facts[fact_id] for fact_id in FACTS),
            signers=tuple(one for one in signers if one is not None),
            statement=self.statement,
        )

    def _look(self, fact_id: str, step: Callable[[], str]) -> None:
        readable = self.reader is not None
        needs = {"pdf.readable": True, "signature.present": readable, "statement.attached": readable}
        if not needs.get(fact_id, self.steward is not None):
            self.facts[fact_id] = Fact(id=fact_id, holds=None, words="not looked at: no signature could be read")
            return
        try:
            self.facts[fact_id] = Fact(id=fact_id, holds=True, words=step())
        except NotSo as problem:
            self.facts[fact_id] = Fact(id=fact_id, holds=False, words=str(problem))
        except Unseen as reason:
            self.facts[fact_id] = Fact(id=fact_id, holds=None, words=str(reason))
        except Moot as reason:
            self.facts[fact_id] = Fact(id=fact_id, holds=None, words=str(reason), moot=True)
        except _NoChair:
            # Only where all signatures were read is it known that there is none of a chair.
            alone = self.facts["signature.present"].holds is True
            words = "the chair has not signed" if alone else "not looked at: the signatures could not be told apart"
            moot = alone and not self.trust.demands_chair
            self.facts[fact_id] = Fact(id=fact_id, holds=None, words=words, moot=moot)
        except Interrupted:
            raise
        except Exception as error:  # a damaged file can make any parser raise anything; nothing of it may pass
            words = f"could not be checked: the file is damaged ({type(error).__name__})"
            self.facts[fact_id] = Fact(id=fact_id, holds=False, words=words)

    def _stewards(self, look: Callable[[OneSignature], str]) -> Callable[[], str]:
        return lambda: look(self._of_steward)

    def _chairs(self, look: Callable[[OneSignature], str]) -> Callable[[], str]:
        return lambda: look(self._of_chair)

    @property
    def _of_steward(self) -> OneSignature:
        assert self.steward is not None  # `_look` asks before
        return self.steward

    @property
    def _of_chair(self) -> OneSignature:
        if self.chair is None:
            raise _NoChair
        return self.chair

    def _open(self) -> str:
        reader = open_pdf(self.pdf)
        require("/Pages" in reader.root, "the file has no pages")
        self.reader = reader
        return f"{len(self.pdf)} bytes"

    def _signatures(self) -> str:
        signatures = list(self.reader.embedded_signatures)
        require(bool(signatures), "unsigned: the file carries no signature")
        # The first one is what the issuer made; the facts below are about it also when others follow.
        self.steward = OneSignature(self._up_to(signatures, 0), signatures[0], self.trust, self.now)
        require(len(signatures) <= 3, f"{len(signatures)} signatures where three are the most")
        names = [str(one.field_name) for one in signatures]
        expected = [STEWARD_FIELD, CHAIR_FIELD, TIMESTAMP_FIELD][: len(names)]
        require(names == expected, "signed in another field than the steward's, or the chair's after it")
        kinds = [str(one.sig_object_type) for one in signatures]
        right = kinds == ["/Sig", "/Sig", "/DocTimeStamp"][: len(kinds)]
        require(right, "a signature is a time stamp, not a signer's, or the last one is no time stamp")
        if len(signatures) > 1:
            self.chair = OneSignature(self._up_to(signatures, 1), signatures[1], self.trust, self.now)
        if len(signatures) > 2:
            self.stamp = signatures[2]
        return ("the steward's alone", "the steward's and the chair's", "both, and a timestamp")[len(signatures) - 1]

    def _up_to(self, signatures: list[Any], at: int) -> bytes:
        """The file up to the end of what this signature should cover: of the last one, all of it."""
        last = at == len(signatures) - 1
        return self.pdf if last else self.pdf[: sum([int(number) for number in signatures[at].byte_range][2:])]

    def _stamped(self) -> str:
        """The document timestamp: nothing but it came after the chair, and of all bytes, by whom and when."""
        if self.stamp is None:
            if self.facts["signature.present"].holds is not True:
                raise Unseen("not looked at: the signatures could not be told apart")
            raise Moot("there is none")
        fault = fault_after(self.reader, self._of_chair.embedded, self.stamp)
        require(not fault, fault)
        require(self._of_chair.status().docmdp_ok is True, "changed in a way that the chair's signature does not allow")
        ranges = [int(number) for number in self.stamp.byte_range]
        try:
            token = read_contents(self.pdf, ranges)
        except ValueError as error:
            raise NotSo(str(error)) from None
        content = self.pdf[: ranges[1]] + self.pdf[ranges[2] :]
        signers = [self._of_steward.certificate(), self._of_chair.certificate()]
        trust = self.trust
        found = proven_time(token, content, trust.timestamp_anchors, trust.crls, signers, self.now)
        before = [one.proven.at for one in (self.steward, self.chair) if one is not None and one.proven is not None]
        require(all(found.at >= at - CLOCK_TOLERANCE for at in before), "the timestamp is older than what it covers")
        self.document_time = found
        return found.words

    def _revocation(self, one: OneSignature) -> str:
        carried = read_carried(self.reader.root) if self.reader is not None else Carried()
        return one.revocation(carried, self.document_time)

    def _coverage(self) -> str:
        from pyhanko.sign.validation.status import SignatureCoverageLevel  # noqa: PLC0415

        last = self.stamp or (self.chair or self._of_steward).embedded
        later = int(self.reader.total_revisions) - 1 - int(last.signed_revision)
        require(later == 0, f"changed after signing: {later} later revision(s) were added to the file")
        _, _, start, length = [int(number) for number in last.byte_range]
        extra = len(self.pdf) - start - length
        require(extra <= 0, f"{extra} bytes were appended after the signed part")
        level = last.evaluate_signature_coverage()
        require(level is SignatureCoverageLevel.ENTIRE_FILE, "the signed range does not fit the file")
        return "from the first byte to the last"

    def _certifies(self) -> str:
        from pyhanko.sign.fields import MDPPerm  # noqa: PLC0415
        from pyhanko.sign.validation import read_certification_data  # noqa: PLC0415

        steward = self._of_steward.embedded
        found = read_certification_data(self.reader)
        require(found is not None, "the file is signed but not certified: /DocMDP is missing")
        own = steward.sig_object.container_ref
        require(found.author_sig.container_ref == own, "another signature than the issuer's certifies the file")
        allowed = "the certification allows other later changes than a chair's signature"
        require(found.permission is MDPPerm.FILL_FORMS, allowed)
        fault = chair_field_fault(self.reader.get_historical_root(steward.signed_revision))
        require(not fault, fault)
        return "nothing but the chair's signature may follow"

    def _demanded(self) -> str:
        if self.chair is None and self.facts["signature.present"].holds and self.trust.demands_chair:
            raise NotSo("the chair has not signed, and your trust file demands it")
        return f"signed by {describe_certificate(self._of_chair.certificate(), verified_issuer=False).name}"

    def _changes(self) -> str:
        from pyhanko.sign.validation.status import SignatureCoverageLevel  # noqa: PLC0415

        chair, steward = self._of_chair.embedded, self._of_steward.embedded
        level = steward.evaluate_signature_coverage()
        whole = level is SignatureCoverageLevel.ENTIRE_REVISION
        require(whole, "the steward's signature does not cover all that stood before the chair's")
        fault = fault_between(self.reader, steward, chair)
        require(not fault, fault)
        whole = chair.evaluate_signature_coverage() >= SignatureCoverageLevel.ENTIRE_REVISION
        require(whole, "the chair's signature does not cover all that stood before the timestamp")
        require(self._of_steward.status().docmdp_ok is True, "changed in a way that the certification does not allow")
        return "one revision, and all of it is the chair's signature"

    def _locks(self) -> str:
        from pyhanko.sign.fields import FieldMDPAction, MDPPerm  # noqa: PLC0415

        chair = self._of_chair.embedded
        locks = chair.fieldmdp is not None and chair.fieldmdp.action is FieldMDPAction.ALL
        require(locks and chair.docmdp_level is MDPPerm.NO_CHANGES, "the chair's signature leaves fields open")
        return "no change allowed"

    def _after_steward(self) -> str:
        words = self._of_chair.time()
        before, after = (one.proven.at if one.proven else one.signed_at for one in (self._of_steward, self._of_chair))
        known = before is not None and after is not None and after >= before - CLOCK_TOLERANCE
        require(known, "the chair's time of signing lies before the steward's")
        return words

    def _decided(self) -> str:
        try:
            self.decision = parse_reason(str(self._of_chair.embedded.sig_object["/Reason"]))
        except (ValueError, KeyError) as error:
            stated = "the signature states no decision" if isinstance(error, KeyError) else str(error)
            raise NotSo(stated) from None
        return self.decision.reason

    def _roles(self) -> str:
        if self.facts["signature.present"].holds is not True:
            raise NotSo("the signatures could not be told apart")
        steward = self._of_steward.certificate()
        fault = self.trust.fault_of("steward", steward)
        require(not fault, fault)
        if self.chair is None:
            return "the steward" if self.trust.sha256 else "the steward; you demand no roles"
        chair = self.chair.certificate()
        require(not same_person(steward, chair), "steward and chair are one person: the same name or the same key")
        fault = self.trust.fault_of("chair", chair)
        require(not fault, fault)
        return "the steward and the chair, two people by name and key"

    def _attached(self) -> str:
        try:
            self.statement = read_statement(self.reader.root)
            if self.steward is not None:
                signed = self.reader.get_historical_root(self.steward.embedded.signed_revision)
                require(read_statement(signed) == self.statement, "the attached statement is not the signed one")
        except ValueError as error:
            raise NotSo(str(error)) from None
        return f"{len(self.statement)} bytes"

    def _signed_by(self, role: RoleName, one: OneSignature | None) -> SignedBy | None:
        if one is None:
            return None
        try:
            certificate = one.certificate()
            fact = "signature.trusted" if role == "steward" else "approval.trusted"
            return SignedBy(
                role=role,
                info=describe_certificate(certificate, verified_issuer=self.facts[fact].holds is True),
                certificate=certificate,
                signed_at=one.signed_at,
                decision=self.decision if role == "chair" else None,
                proven=one.proven,
            )
        except Interrupted:
            raise
        except Exception:  # as above: a damaged certificate names nobody
            return None


class _NoChair(Exception):
    """A fact about a chair's signature that is not there."""
