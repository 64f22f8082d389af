"""Paper-side types: numbers, digests and words that may reach a verdict, a statement or a certificate.

No pixels here: this module knows the standard library and pydantic only. Everything is frozen, unknown keys are
refused, NaN and infinity are refused: what could not be measured is None with a reason.
"""

import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from deid_audit.answers import Answer, AnswerFinding, RequiredAnswer
from deid_audit.catalog import METRICS
from deid_audit.digests import sha256_bytes
from deid_audit.records import Interval as Interval  # noqa: PLC0414  (to be had here, where they are looked for)
from deid_audit.records import ModelFile as ModelFile  # noqa: PLC0414
from deid_audit.records import Outcome as Outcome  # noqa: PLC0414
from deid_audit.records import OutputFile as OutputFile  # noqa: PLC0414
from deid_audit.records import ReviewRecord as ReviewRecord  # noqa: PLC0414
from deid_audit.records import SignerInfo as SignerInfo  # noqa: PLC0414
from deid_audit.records import StageProfile as StageProfile  # noqa: PLC0414
from deid_audit.records import Strict as Strict  # noqa: PLC0414
from deid_audit.records import TextRegion as TextRegion  # noqa: PLC0414
from deid_audit.records import VideoFacts as VideoFacts  # noqa: PLC0414
from deid_audit.records import VideoInventory as VideoInventory  # noqa: PLC0414

Of = Literal["swapped", "masked", "blurred", "pixelated", "reencoded", "original", "donor", "run"]
Operator = Literal["above", "below", "at_least", "at_most"]
Bound = Literal["value", "lower95", "upper95"]
JobKind = Literal["swap", "conceal", "audit", "reviewed"]
"""What made the videos: this tool's swap or covering, another tool, or an earlier job that people covered further."""
SUBJECT_SCOPE = "subject"


def video_scope(number: int) -> str:
    """The scope of one subject video, counted from 1; all the subject's videos together are `SUBJECT_SCOPE`."""
    return f"video {number}"


class Measurement(Strict):
    """One number about the release, or why there is none.

    `absent` says that the thing itself was looked for in the original and is not there (a still face, no tremor):
    that is a finding; `not_measured_because` without `absent` is a gap. `noise_floor` is the same metric of the
    null edit. `detail` holds numbers that explain the value (a cut, a false match rate).
    """

    metric: str = Field(description="Name in docs/metrics.md, where its unit stands.")
    of: Of = Field(description="Whose pictures were measured.")
    scope: str = Field(description="`video 1`, `subject` (all videos together) or `run`.")
    value: float | None = Field(default=None, description="The number, in the metric's unit; null when not measured.")
    sample_size: int = Field(default=0, ge=0, description="Count of what the value was computed from.")
    interval: Interval | None = Field(default=None, description="95 % interval of the value; null without one.")
    no_interval_because: str = Field(default="", description="Why there is no interval, in words; empty if untold.")
    noise_floor: float | None = Field(default=None, description="The same metric of the null edit.")
    absent: bool = Field(default=False, description="Looked for in the original, and not there.")
    not_measured_because: str | None = Field(default=None, description="Why there is no value, in words.")
    method: str = Field(default="", description="How it was measured, in words.")
    detail: dict[str, float] = Field(default_factory=dict, description="Numbers that explain the value, by name.")

    @model_validator(mode="after")
    def _value_or_reason(self) -> "Measurement":
        if self.metric not in METRICS:
            raise ValueError(f"unknown metric {self.metric!r}")
        if (self.value is None) == (self.not_measured_because is None):
            raise ValueError(f"{self.metric}: exactly one of value and not_measured_because")
        if self.interval is not None and (self.value is None or self.no_interval_because):
            raise ValueError(f"{self.metric}: an interval without a value, or with a reason for having none")
        if self.absent and self.value is not None:
            raise ValueError(f"{self.metric}: absent and measured")
        return self


def measured(
    metric: str,
    of: Of,
    scope: str,
    value: float,
    *,
    sample_size: int,
    method: str = "",
    noise_floor: float | None = None,
    detail: dict[str, float] | None = None,
    interval: tuple[Interval | None, str] = (None, ""),
) -> Measurement:
    """A Measurement of `value`; NaN or infinity becomes "not measured", never a number that could pass.

    `interval` is the interval, or None and why there is none.
    """
    floor = noise_floor if noise_floor is not None and math.isfinite(noise_floor) else None
    if not math.isfinite(value):
        return not_measured(metric, of, scope, "the computation gave no finite number", method=method)
    return Measurement(
        metric=metric,
        of=of,
        scope=scope,
        value=float(value),
        sample_size=sample_size,
        interval=interval[0],
        no_interval_because=interval[1]
        or ("" if interval[0] or metric not in METRICS else METRICS[metric].no_interval),
        noise_floor=floor,
        method=method,
        detail=detail or {},
    )


def not_measured(
    metric: str, of: Of, scope: str, because: str, *, absent: bool = False, method: str = ""
) -> Measurement:
    """A Measurement without a value; `absent` when the thing itself is not in the original."""
    return Measurement(metric=metric, of=of, scope=scope, not_measured_because=because, absent=absent, method=method)


class Rule(Strict):
    """One line of a policy: the worst video's `metric` of `of` must stand `op` `limit`.

    `if_absent = "skip"` lets a rule rest where the original does not have what it is about; without it, absent is
    INDETERMINATE like everything else that has no value. `bound` holds an end of the 95 % interval against the limit
    instead of the value; without an interval the rule is INDETERMINATE. `if_missed = "indeterminate"` is for controls:
    a control that does not hold says that the measure cannot be trusted, not that the release is bad.
    """

    metric: str = Field(description="Name in docs/metrics.md, where its unit stands.")
    of: Of = Field(description="Whose pictures must meet the limit.")
    op: Operator = Field(description="How the value must stand to the limit.")
    limit: float = Field(description="The limit, in the metric's unit.")
    bound: Bound = Field(
        default="value", description="What is held against the limit: the value, or an end of its interval."
    )
    min_sample_size: int = Field(default=1, ge=1, description="Smaller samples are INDETERMINATE.")
    if_absent: Literal["fail_closed", "skip"] = Field(
        default="fail_closed", description="What to do where the original has nothing of the kind."
    )
    if_missed: Literal["failed", "indeterminate"] = Field(default="failed", description="What a missed limit comes to.")
    why: str = Field(min_length=1, description="Why the rule is there.")
    source: str = Field(min_length=1, description="Where the limit comes from.")


class Policy(Strict):
    """A policy as read from its file; `sha256` is of the file's exact bytes."""

    id: str = Field(description="The policy's name.")
    version: str = Field(description="The policy's version.")
    title: str = Field(description="What it asks for, in one line.")
    sha256: str = Field(description="SHA-256 of the policy file, hex.")
    rules: tuple[Rule, ...] = Field(min_length=1, description="Every rule; all that apply must hold.")
    answers: tuple[RequiredAnswer, ...] = Field(default=(), description="What the steward must answer.")


class Finding(Strict):
    """What one rule came to: the worst scope's value against the limit, and the reason in words."""

    rule: Rule = Field(description="The rule that was judged.")
    outcome: Outcome = Field(description="What it came to.")
    scope: str | None = Field(
        default=None, description="Where the worst value was found; null where nothing was measured."
    )
    observed: float | None = Field(
        default=None, description="What was held against the limit at worst, in the metric's unit."
    )
    sample_size: int = Field(default=0, description="Count of what it was computed from.")
    interval: Interval | None = Field(default=None, description="95 % interval of the value; null without one.")
    noise_floor: float | None = Field(default=None, description="The same metric of the null edit.")
    reason: str = Field(description="The outcome in words, for people.")


class Verdict(Strict):
    """All findings of a policy; `outcome` is derived: FAILED beats INDETERMINATE beats PASSED.

    Answers can undo a pass and never make one: some rule must hold by what was measured.
    """

    policy_id: str = Field(description="The name of the policy that was applied.")
    policy_version: str = Field(description="Its version.")
    policy_sha256: str = Field(description="SHA-256 of its file, hex.")
    findings: tuple[Finding, ...] = Field(description="What each rule came to, in the policy's order.")
    answers: tuple[AnswerFinding, ...] = Field(default=(), description="What each question to the steward came to.")

    @property
    def outcome(self) -> Outcome:
        of_rules = {finding.outcome for finding in self.findings}
        outcomes = of_rules | {finding.outcome for finding in self.answers}
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        if Outcome.PASSED not in of_rules or Outcome.INDETERMINATE in outcomes:
            return Outcome.INDETERMINATE
        return Outcome.PASSED


class Stretch(Strict):
    """A part of released video number `video` (from 1), in seconds from its first frame."""

    video: int = Field(description="Number of the released video, from 1.")
    from_s: float = Field(description="First moment, in seconds from the first frame.")
    to_s: float = Field(description="Last moment, in seconds from the first frame.")


class Moment(Strict):
    """One frame of released video number `video` (from 1)."""

    video: int = Field(description="Number of the released video, from 1.")
    frame: int = Field(description="Number of the frame, from 0.")
    time_s: float = Field(description="Its time, in seconds from the first frame.")


class Explanation(Strict):
    """Why a rule is not met, for the steward: where in the videos, what stands behind it, and what to do next.

    `stretches` are the worst of `stretch_count`; `placeless` says why there are none. `also` is what the other
    videos that do not meet the rule came to. `picture` names a file of the steward's folder.
    """

    finding: Finding = Field(description="The finding that is explained.")
    also: tuple[str, ...] = Field(default=(), description="What the other videos that miss the limit came to.")
    noticed: tuple[str, ...] = Field(default=(), description="What stands behind it, in words.")
    stretches: tuple[Stretch, ...] = Field(default=(), description="The worst places, in the order of time.")
    stretch_count: int = Field(default=0, description="How many places there are in all.")
    placeless: str = Field(default="", description="Why there is no place; empty when there are.")
    worst: Moment | None = Field(default=None, description="The worst frame; null when there is none.")
    picture: str | None = Field(default=None, description="Its picture's file in the folder audit/why.")
    next_steps: tuple[str, ...] = Field(min_length=1, description="What to do next, in words.")

    @model_validator(mode="after")
    def _place_or_reason(self) -> "Explanation":
        if bool(self.stretches) == bool(self.placeless):
            raise ValueError(f"{self.finding.rule.metric}: exactly one of stretches and placeless")
        return self

    @property
    def where(self) -> str:
        """`video 1: 3.2-4.1 s, 7.0-7.4 s (and 3 more)`, or why there is no such place."""
        by_video: dict[int, list[str]] = {}
        for one in self.stretches:
            by_video.setdefault(one.video, []).append(f"{one.from_s:.1f}-{one.to_s:.1f} s")
        more = self.stretch_count - len(self.stretches)
        places = "; ".join(f"{video_scope(number)}: {', '.join(times)}" for number, times in by_video.items())
        return (places or self.placeless) + (f" (and {more} more)" if more else "")


class StageRecord(Strict):
    """One stage that ran: its own method sentence, its settings and its seconds."""

    stage: str = Field(description="Name of the stage.")
    method: str = Field(description="What it does, in words.")
    seconds: float = Field(description="Time it took, in seconds.")
    settings: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="What it was set to, by name."
    )


class LedgerSummary(Strict):
    """One video's ledger in counts: `states` and `cleared_by` count frames, `rungs` and `decided_by` face regions."""

    frames: int = Field(ge=0, description="Frames decoded of the written video; the states add up to it.")
    states: dict[str, int] = Field(description="Frames by state; every state is named.")
    regions: int = Field(ge=0, description="Face regions in all frames; the rungs add up to it.")
    rungs: dict[str, int] = Field(description="Face regions by how far the remedies went; `none tried` for the rest.")
    decided_by: dict[str, int] = Field(description="Face regions by who decided on them.")
    cleared_by: dict[str, int] = Field(description="Frames without a face region by who cleared them.")


class LedgerRecord(Strict):
    """The ledger as the statement holds it: counts a video, and the digest of the file with every frame."""

    sha256: str = Field(description="SHA-256 of the steward's frames.csv, hex.")
    videos: tuple[LedgerSummary, ...] = Field(description="Counts a video, in the order of the written videos.")


class ErasedArtefact(Strict):
    """One artefact the vault registered: where it lived, its size, the sha256 of its *ciphertext* if on disk."""

    kind: str = Field(description="What it was: weights, face crops and so on.")
    storage: Literal["encrypted file", "memory", "key file"] = Field(description="Where it lived.")
    size_bytes: int = Field(description="Size, in bytes.")
    ciphertext_sha256: str | None = Field(default=None, description="SHA-256 of the ciphertext, hex; null in memory.")
    header_hex: str | None = Field(default=None, description="First bytes of the ciphertext, hex; null in memory.")


class ErasureCheck(Strict):
    """One thing that was tried after destruction, and whether it came out as it must."""

    check: str = Field(description="What was tried.")
    holds: bool = Field(description="Whether it came out as it must.")
    observed: str = Field(description="What was seen, in words.")


class ErasureRecord(Strict):
    """What was encrypted from birth, how it was destroyed, what was tried afterwards, and what that does not show."""

    cipher: str = Field(description="Name of the cipher.")
    key_id: str = Field(description="A name for the key that says nothing about it.")
    key_storage: str = Field(description="Where the key was kept, in words.")
    created_at: str = Field(description="When the vault was opened, UTC.")
    destroyed_at: str = Field(description="When the key was destroyed, UTC.")
    artefacts: tuple[ErasedArtefact, ...] = Field(description="Everything that was kept and destroyed.")
    checks: tuple[ErasureCheck, ...] = Field(description="What was tried after the destruction.")
    environment: dict[str, str] = Field(description="Facts about the process and its machine, by name.")
    not_shown: tuple[str, ...] = Field(description="What the checks do not show.")
    references_kept: bool = Field(default=False, description="Whether descriptors were kept, encrypted, for a recheck.")

    @property
    def complete(self) -> bool:
        return bool(self.checks) and all(check.holds for check in self.checks)

    @property
    def key_on_disk(self) -> bool:
        """Whether a key stood in a file."""
        return any(artefact.storage == "key file" for artefact in self.artefacts)


class MediaMark(Strict):
    """The C2PA mark that every written video carries: what it says, who signed it, with which library."""

    digital_source_type: str = Field(description="IPTC's digital source type of the videos, as its URI.")
    signer: SignerInfo = Field(description="Whose key signed the marks; another key than the certificate's.")
    library: str = Field(description="Name and version of the library that wrote the marks.")


class CaseRecord(Strict):
    """Everything a statement says about one case, before it becomes bytes."""

    kind: JobKind = Field(description="What made the released videos.")
    case_id: str = Field(description="Name of the case in all outputs.")
    tool_version: str = Field(description="Version of deid-audit.")
    issued_at: str = Field(description="When the statement was made, UTC, by the signer's clock.")
    signer: SignerInfo = Field(description="Who signs.")
    policy: Policy = Field(description="The policy, in full.")
    verdict: Verdict = Field(description="What the policy's rules came to.")
    outputs_folder: Literal["release", "withheld"] = Field(description="Where the videos stand.")
    outputs: tuple[OutputFile, ...] = Field(description="Every file of that folder.")
    originals: tuple[VideoFacts, ...] = Field(description="The subject's videos before.")
    donors: tuple[VideoFacts, ...] = Field(description="The videos of the face put on; empty without.")
    rendered: tuple[VideoFacts, ...] = Field(description="The written videos, in the originals' order.")
    measurements: tuple[Measurement, ...] = Field(description="Everything that was measured, or why not.")
    ledger: LedgerRecord = Field(description="What was done about every frame, in counts.")
    stages: tuple[StageRecord, ...] = Field(description="What was done, in order.")
    erasure: ErasureRecord = Field(description="How what could undo the swap was destroyed.")
    environment: dict[str, str] = Field(description="Software and machine, by name.")
    models: tuple[ModelFile, ...] = Field(description="Model files of others that took part.")
    figures: tuple["FigureDigest", ...] = Field(description="The certificate's pictures.")
    not_assessed: tuple[str, ...] = Field(min_length=1, description="What was not looked at, in words.")
    context: tuple[Answer, ...] = Field(default=(), description="The steward's answers; nothing checked them.")
    burned_in_text: tuple[TextRegion, ...] = Field(default=(), description="Lines of standing text, covered or left.")
    media_mark: MediaMark | None = Field(default=None, description="The mark in the videos; null without.")
    review: ReviewRecord | None = Field(default=None, description="Who looked at the videos; null: nobody was asked.")
    profile: tuple[StageProfile, ...] = Field(default=(), description="Where the time went; empty unless asked for.")
    log_checkpoint: str = Field(
        default="",
        pattern=r"^$|^[^\n]+\n[0-9]+\n[A-Za-z0-9+/]{43}=\n\n— [^\n]+ [A-Za-z0-9+/]+={0,2}\n$",
        description="The issuer's log just before this case's end, a signed note; empty without.",
    )


class FigureDigest(Strict):
    """A picture of the certificate by name, sha256 of its bytes, what it shows and the words that go with it."""

    name: str = Field(description="Name of the picture.")
    sha256: str = Field(description="SHA-256 of its bytes, hex.")
    kind: Literal["plot", "released frame"] = Field(description="A plot, or a picture from the released file.")
    caption: str = Field(description="What is printed below it.")
    alt: str = Field(description="What is read aloud in its place.")
    csv_sha256: str | None = Field(default=None, description="SHA-256 of the plot's CSV in audit/, hex; null without.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A picture for the certificate: bytes made by `measure.figures`, and the words that go with it."""

    name: str
    media_type: Literal["image/svg+xml", "image/png"]
    data: bytes
    kind: Literal["plot", "released frame"]
    caption: str
    alt: str
    csv: str | None = None

    @property
    def digest(self) -> FigureDigest:
        """What the statement says of it."""
        return FigureDigest(
            name=self.name,
            sha256=sha256_bytes(self.data),
            kind=self.kind,
            caption=self.caption,
            alt=self.alt,
            csv_sha256=None if self.csv is None else sha256_bytes(self.csv.encode()),
        )


CaseRecord.model_rebuild()
