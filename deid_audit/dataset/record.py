"""The data set's statement, as it is signed: which cases, which not and why, worst beside mean, groups, bound, limits.

Numbers, digests and words: no name of a subject, and no group so small that it points at somebody.
"""

from typing import Literal, get_args

from pydantic import Field, ValidationError

from deid_audit.errors import EvidenceError
from deid_audit.evidence import STATEMENT_TYPE, canonical, read_canonical
from deid_audit.findings import Of, Operator, SignerInfo
from deid_audit.records import Outcome, OutputFile, Strict, expect_keys

PREDICATE_TYPE = "urn:deid-audit:dataset:v1"
SMALLEST_GROUP = 10
_NEXT = "ask the issuer for the original data set"
_SHA256 = r"^[0-9a-f]{64}$"


CaseOutcome = Literal["released", "withheld", "not made"]


class CaseEntry(Strict):
    """One subject's case. A withheld one has its statement in the package, for its numbers, and no video or picture."""

    case_id: str = Field(description="Name of the case, random.")
    outcome: CaseOutcome = Field(description="What became of the case.")
    verdict: Outcome | None = Field(description="The verdict; null where no certificate was made.")
    statement_sha256: str | None = Field(pattern=_SHA256, description="SHA-256 of the case's statement, hex; or null.")
    certificate_sha256: str | None = Field(pattern=_SHA256, description="SHA-256 of its certificate, hex; or null.")
    signer_sha256: str | None = Field(pattern=_SHA256, description="SHA-256 of its signer's certificate (DER), hex.")
    videos: int = Field(ge=0, description="How many videos were written; 0 where no certificate was made.")
    withdrawn: bool = Field(description="Whether a status file stood beside its certificate: it is withheld.")
    why: tuple[str, ...] = Field(description="Why it is not released, in words; empty where it is.")


class RuleSummary(Strict):
    """One rule of the policy over all cases with a certificate, released or withheld."""

    metric: str = Field(description="Name in docs/metrics.md, where its unit stands.")
    of: Of = Field(description="Whose pictures were measured.")
    op: Operator = Field(description="How the value must stand to the limit.")
    limit: float = Field(description="The limit, in the metric's unit.")
    subjects: int = Field(description="Subjects with a value.")
    not_measured: int = Field(description="Subjects without one.")
    mean: float | None = Field(
        description="Mean of the subjects' worst values, in the metric's unit; null without any."
    )
    worst: float | None = Field(description="The worst subject's, in the metric's unit; null without any.")
    worst_case: str | None = Field(description="The worst subject's case; null without any.")


class Group(Strict):
    """One group of at least ten subjects."""

    group: str = Field(description="The group, as the steward's table has it.")
    subjects: int = Field(description="Subjects in it.")
    passed: int = Field(description="How many of them passed.")
    low95: float = Field(description="Lower end of the share that passes, one-sided 95 %.")
    high95: float = Field(description="Upper end of the share that passes, one-sided 95 %.")


class WorstGroup(Strict):
    """The group that does worst by one rule."""

    metric: str = Field(description="Name in docs/metrics.md, where its unit stands.")
    of: Of = Field(description="Whose pictures were measured.")
    group: str = Field(description="The group with the worst mean.")
    mean: float = Field(description="Its mean, in the metric's unit.")


class Subgroups(Strict):
    """One column of groups; smaller groups are counted and not named: they could point at somebody."""

    column: Literal["age_band", "sex", "skin_tone"] = Field(description="What the groups are by.")
    groups: tuple[Group, ...] = Field(description="Groups of at least ten subjects.")
    too_small: int = Field(description="Groups of fewer than ten subjects: n too small, nothing is said of them.")
    unknown: int = Field(description="Subjects whose group is not stated.")
    worst: str | None = Field(description="The group of which the smallest share passed; null where fewer than two.")
    worst_by_rule: tuple[WorstGroup, ...] = Field(
        description="The worst group by each rule; empty where fewer than two."
    )


class SetBound(Strict):
    """What so many subjects can show."""

    subjects: int = Field(description="Subjects whose case came to a verdict.")
    not_passed: int = Field(description="How many of them did not pass.")
    upper95: float | None = Field(
        description="Upper end of the share that would not pass, one-sided 95 %; null without."
    )
    words: str = Field(description="What it says, and what it does not.")


class WorstSearched(Strict):
    """The released video whose own original stands out most among all."""

    case_id: str = Field(description="Its case.")
    video: int = Field(ge=1, description="Its number among the case's released videos, from 1.")
    rank: int = Field(ge=1, description="Place of its own subject's original among all, nearest first.")
    to_own: float = Field(description="Mean distance of its faces to its own subject's original.")
    to_next: float = Field(description="The same to the nearest other subject's original.")


class NearShare(Strict):
    """How many released faces come within dlib's cut of 0.6 of some original."""

    share: float | None = Field(description="Mean over subjects of the share of their released faces; null without.")
    low95: float | None = Field(description="Its lower end, one-sided 95 %; null below ten subjects.")
    high95: float | None = Field(description="Its upper end, one-sided 95 %; null below ten subjects.")
    worst_case: str | None = Field(description="The case with the largest share; null where no face comes near.")
    worst_share: float | None = Field(description="The share in its worst video; null where no face comes near.")
    of_case: str | None = Field(description="Whose original it comes near there; null where no face comes near.")


class Identification(Strict):
    """Every released video held against the originals of all subjects whose cases are released, by faces."""

    looked_at: int = Field(ge=0, description="Released videos that were looked at: all.")
    without_face: int = Field(ge=0, description="Of these, videos in whose sampled frames no face was found.")
    not_told: int = Field(ge=0, description="Released subjects who are in no gallery: who they are was not told.")
    gallery: int = Field(ge=0, description="Subjects whose originals every released video was held against.")
    searched: int = Field(ge=0, description="Released videos with a face of these subjects.")
    subjects: int = Field(ge=0, description="The subjects of these videos.")
    faces: int = Field(ge=0, description="Released faces that were compared, of all videos.")
    first: int = Field(ge=0, description="Searched videos that lie nearest to their own subject's original.")
    chance: float | None = Field(description="How often guessing does: one over `gallery`; null below two subjects.")
    rate: float | None = Field(
        description="Rank-1 rate: mean over subjects of the share of their videos; null: n too small, below ten."
    )
    low95: float | None = Field(description="Its lower end, one-sided 95 %; null below ten subjects.")
    high95: float | None = Field(description="Its upper end, one-sided 95 %; null below ten subjects.")
    unprotected_first: int = Field(ge=0, description="The control: subjects whose unprotected faces find themselves.")
    unprotected: int = Field(ge=0, description="Of so many.")
    worst: WorstSearched | None = Field(description="The worst video; null where nobody was searched among others.")
    near_own: NearShare = Field(description="Released faces near an original of their own subject.")
    near_others: NearShare = Field(description="Released faces near an original of another subject.")
    floor: float | None = Field(
        description="Mean over subjects of the share of original faces near another subject's; null below two subjects."
    )
    words: str = Field(description="What was found, and what it does not show.")


class PairTest(Strict):
    """Pairs of released videos of one subject against pairs of two subjects, by the distance of their faces."""

    subjects: int = Field(ge=0, description="Subjects in these pairs.")
    same: int = Field(ge=0, description="Pairs of videos of one subject.")
    different: int = Field(ge=0, description="Pairs of videos of two subjects.")
    auc: float | None = Field(
        description="Chance that a pair of one subject lies nearer than a pair of two: 0.5 links nothing; or null."
    )
    low: float | None = Field(description="Lower end of its 95 % interval, over subjects; or null.")
    high: float | None = Field(description="Upper end; or null.")
    because: str = Field(description="Why there is no chance or no interval; empty where both are.")


class Linkability(Strict):
    """Whether released videos of one subject can be told to belong together by their faces."""

    subjects: int = Field(ge=0, description="Subjects with several released videos that show a face.")
    compared: int = Field(ge=0, description="How many of these were compared: of very many, an even sample.")
    all_pairs: PairTest | None = Field(description="Against all pairs of two subjects; null: nobody has two videos.")
    shared_donors: PairTest | None = Field(
        description="Only subjects whose donor serves another one, too, each against those; null: there are none."
    )
    words: str = Field(description="What was compared and found, and what it does not show.")


class DataSetRecord(Strict):
    """Everything that the statement says of a data set."""

    set_id: str = Field(description="Name of the data set, random.")
    title: str = Field(description="Its title, in the steward's words.")
    tool_version: str = Field(description="Version of deid-audit.")
    issued_at: str = Field(description="When the statement was made, UTC, by the signer's clock.")
    signer: SignerInfo = Field(description="Who signs.")
    policy_id: str = Field(description="Name of the policy of all cases.")
    policy_version: str = Field(description="Its version.")
    policy_sha256: str = Field(pattern=_SHA256, description="SHA-256 of its file, hex.")
    manifests: tuple[OutputFile, ...] = Field(description="The package's manifests, which name every file in it.")
    cases: tuple[CaseEntry, ...] = Field(min_length=1, description="Every case, in the order of their random names.")
    rules: tuple[RuleSummary, ...] = Field(description="Worst subject beside the mean, by each rule of the policy.")
    subgroups: tuple[Subgroups, ...] = Field(description="Groups of subjects; empty without a table of them.")
    bound: SetBound = Field(description="What so many subjects can show.")
    identification: Identification = Field(description="Every released video against every original.")
    linkability: Linkability = Field(description="Whether released videos of one subject can be linked by faces.")
    not_assessed: tuple[str, ...] = Field(min_length=1, description="What was not looked at, in words.")

    @property
    def counts(self) -> dict[str, int]:
        """How many cases came to each outcome, those of which there are none, too."""
        return {name: sum(one.outcome == name for one in self.cases) for name in get_args(CaseOutcome)}


def build_set_statement(record: DataSetRecord) -> bytes:
    """The in-toto Statement v1 about a data set, in canonical JSON; its subjects are the package's manifests."""
    data = canonical(
        {
            "_type": STATEMENT_TYPE,
            "subject": _subjects(record),
            "predicateType": PREDICATE_TYPE,
            "predicate": record.model_dump(mode="json"),
        }
    )
    if parse_set_statement(data) != record:
        raise EvidenceError("the data set does not survive being written and read again", next_step="report this")
    return data


def parse_set_statement(data: bytes) -> DataSetRecord:
    """The record in a statement's bytes; EvidenceError for any other form, spelling, key, type or contradiction."""
    statement = read_canonical(data)
    expect_keys(statement, ("_type", "predicate", "predicateType", "subject"), "the data set's statement", _NEXT)
    if statement["_type"] != STATEMENT_TYPE or statement["predicateType"] != PREDICATE_TYPE:
        raise EvidenceError("this is no statement about a data set", next_step="use the deid-audit that issued it")
    predicate = statement["predicate"]
    if not isinstance(predicate, dict):
        raise EvidenceError("the data set's statement says nothing", next_step=_NEXT)
    try:
        record = DataSetRecord.model_validate_json(canonical(predicate), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("predicate", *first["loc"]))
        raise EvidenceError(f"the data set's statement: {where:.80}: {first['msg']}", next_step=_NEXT) from None
    ids = [one.case_id for one in record.cases]
    released = [one for one in record.cases if one.outcome == "released"]
    faults = {
        "subject and manifests differ": statement["subject"] != _subjects(record),
        "a case is named twice, or out of order": ids != sorted(set(ids)),
        "a case is released that did not pass": any(one.verdict is not Outcome.PASSED for one in released),
        "a case is released that was withdrawn": any(one.withdrawn for one in released),
        "a released case lacks a digest": any(
            None in (one.statement_sha256, one.certificate_sha256, one.signer_sha256) for one in released
        ),
        "a case that is not released lacks a reason": any(
            not one.why for one in record.cases if one.outcome != "released"
        ),
        "a group is smaller than it may be": any(
            group.subjects < SMALLEST_GROUP for table in record.subgroups for group in table.groups
        ),
        "not every released video was looked at": record.identification.looked_at
        != sum(one.videos for one in released),
        "a case was searched that is not released": not _named(record.identification)
        <= {one.case_id for one in released},
        "a rate is given of too few subjects": record.identification.rate is not None
        and record.identification.subjects < SMALLEST_GROUP,
    }
    for fault, present in faults.items():
        if present:
            raise EvidenceError(f"the data set's statement contradicts itself: {fault}", next_step=_NEXT)
    return record


def _named(found: Identification) -> set[str]:
    """The cases that are named in it."""
    named = {one for near in (found.near_own, found.near_others) for one in (near.worst_case, near.of_case) if one}
    return named | ({found.worst.case_id} if found.worst else set())


def _subjects(record: DataSetRecord) -> list[dict[str, object]]:
    return [{"name": one.name, "digest": {"sha256": one.sha256}} for one in record.manifests]
