"""Paper-side types: numbers, digests and words that may reach a verdict, a statement or a certificate.

No pixels here: this module knows the standard library and pydantic only. Everything is frozen, unknown keys are
refused, NaN and infinity are refused: what could not be measured is None with a reason.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deid_audit.catalog import METRICS

Of = Literal["swapped", "masked", "blurred", "pixelated", "reencoded", "original", "donor", "run"]
Operator = Literal["above", "below", "at_least", "at_most"]
JobKind = Literal["swap", "conceal", "audit"]
"""What made the released videos: this tool's swap, this tool's covering, or another tool whose output was judged."""
SUBJECT_SCOPE = "subject"


def video_scope(number: int) -> str:
    """The scope of one subject video, counted from 1; all the subject's videos together are `SUBJECT_SCOPE`."""
    return f"video {number}"


class Strict(BaseModel):
    """Frozen, no unknown keys, no NaN: the base of everything that is written to or read from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Measurement(Strict):
    """One number about the release, or why there is none.

    `absent` says that the thing itself was looked for in the original and is not there (a still face, no tremor):
    that is a finding; `not_measured_because` without `absent` is a gap. `noise_floor` is the same metric of the
    null edit. `detail` holds numbers that explain the value (a cut, a false match rate).
    """

    metric: str
    of: Of
    scope: str
    value: float | None = None
    sample_size: int = Field(default=0, ge=0)
    noise_floor: float | None = None
    absent: bool = False
    not_measured_because: str | None = None
    method: str = ""
    detail: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _value_or_reason(self) -> "Measurement":
        if self.metric not in METRICS:
            raise ValueError(f"unknown metric {self.metric!r}")
        if (self.value is None) == (self.not_measured_because is None):
            raise ValueError(f"{self.metric}: exactly one of value and not_measured_because")
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
) -> Measurement:
    """A Measurement of `value`; NaN or infinity becomes "not measured", never a number that could pass."""
    floor = noise_floor if noise_floor is not None and math.isfinite(noise_floor) else None
    if not math.isfinite(value):
        return not_measured(metric, of, scope, "the computation gave no finite number", method=method)
    return Measurement(
        metric=metric,
        of=of,
        scope=scope,
        value=float(value),
        sample_size=sample_size,
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
    INDETERMINATE like everything else that has no value.
    """

    metric: str
    of: Of
    op: Operator
    limit: float
    min_sample_size: int = Field(default=1, ge=1)
    if_absent: Literal["fail_closed", "skip"] = "fail_closed"
    why: str = Field(min_length=1)
    source: str = Field(min_length=1)


class Policy(Strict):
    """A policy as read from its file; `sha256` is of the file's exact bytes."""

    id: str
    version: str
    title: str
    sha256: str
    rules: tuple[Rule, ...] = Field(min_length=1)


class Outcome(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Finding(Strict):
    """What one rule came to: the worst scope's value against the limit, and the reason in words."""

    rule: Rule
    outcome: Outcome
    scope: str | None = None
    observed: float | None = None
    sample_size: int = 0
    noise_floor: float | None = None
    reason: str


class Verdict(Strict):
    """All findings of a policy; `outcome` is derived: FAILED beats INDETERMINATE beats PASSED."""

    policy_id: str
    policy_version: str
    policy_sha256: str
    findings: tuple[Finding, ...]

    @property
    def outcome(self) -> Outcome:
        outcomes = {finding.outcome for finding in self.findings}
        if Outcome.FAILED in outcomes:
            return Outcome.FAILED
        if Outcome.PASSED not in outcomes or Outcome.INDETERMINATE in outcomes:
            return Outcome.INDETERMINATE
        return Outcome.PASSED


class Stretch(Strict):
    """A part of released video number `video` (from 1), in seconds from its first frame."""

    video: int
    from_s: float
    to_s: float


class Moment(Strict):
    """One frame of released video number `video` (from 1)."""

    video: int
    frame: int
    time_s: float


class Explanation(Strict):
    """Why a rule is not met, for the steward: where in the videos, what stands behind it, and what to do next.

    `stretches` are the worst of `stretch_count`; `placeless` says why there are none. `also` is what the other
    videos that do not meet the rule came to. `picture` names a file of the steward's folder.
    """

    finding: Finding
    also: tuple[str, ...] = ()
    noticed: tuple[str, ...] = ()
    stretches: tuple[Stretch, ...] = ()
    stretch_count: int = 0
    placeless: str = ""
    worst: Moment | None = None
    picture: str | None = None
    next_steps: tuple[str, ...] = Field(min_length=1)

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


class VideoInventory(Strict):
    """What a file carries beside its pictures: streams by kind, metadata keys (names only), chapters."""

    audio_streams: int
    subtitle_streams: int
    data_streams: int
    metadata_keys: tuple[str, ...]


class VideoFacts(Strict):
    """One video in numbers. `label` is "subject video 2"; sizes are of the upright picture, in px.

    For an original `keyed_digest` is an HMAC under a key that stays with the steward; for a released file it is
    empty and the statement's subject carries the plain sha256.
    """

    label: str
    keyed_digest: str
    width: int
    height: int
    frame_count: int
    duration_s: float
    time_base: str
    variable_rate: bool
    rotation: int
    codec: str
    inventory: VideoInventory


class OutputFile(Strict):
    """One file of the release (or withheld) folder, by name and sha256."""

    name: str
    sha256: str
    size_bytes: int
    role: Literal["video", "readme", "manifest"]


class StageRecord(Strict):
    """One stage that ran: its own method sentence, its settings and its seconds."""

    stage: str
    method: str
    seconds: float
    settings: dict[str, str | int | float | bool | None] = Field(default_factory=dict)


class ErasedArtefact(Strict):
    """One artefact the vault registered: where it lived, its size, the sha256 of its *ciphertext* if on disk."""

    kind: str
    storage: Literal["encrypted file", "memory"]
    size_bytes: int
    ciphertext_sha256: str | None = None
    header_hex: str | None = None


class ErasureCheck(Strict):
    """One thing that was tried after destruction, and whether it came out as it must."""

    check: str
    holds: bool
    observed: str


class ErasureRecord(Strict):
    """What was encrypted from birth, how it was destroyed, what was tried afterwards, and what that does not show."""

    cipher: str
    key_id: str
    key_storage: str
    created_at: str
    destroyed_at: str
    artefacts: tuple[ErasedArtefact, ...]
    checks: tuple[ErasureCheck, ...]
    environment: dict[str, str]
    not_shown: tuple[str, ...]

    @property
    def complete(self) -> bool:
        return bool(self.checks) and all(check.holds for check in self.checks)


class SignerInfo(Strict):
    """Who signs: `verified_issuer` is False for a key made on the spot."""

    name: str
    fingerprint_sha256: str
    not_after: str
    verified_issuer: bool


class CaseRecord(Strict):
    """Everything a statement says about one case, before it becomes bytes."""

    kind: JobKind
    case_id: str
    tool_version: str
    issued_at: str
    signer: SignerInfo
    policy: Policy
    verdict: Verdict
    outputs_folder: Literal["release", "withheld"]
    outputs: tuple[OutputFile, ...]
    originals: tuple[VideoFacts, ...]
    donors: tuple[VideoFacts, ...]
    rendered: tuple[VideoFacts, ...]
    measurements: tuple[Measurement, ...]
    stages: tuple[StageRecord, ...]
    erasure: ErasureRecord
    environment: dict[str, str]
    models: tuple["ModelFile", ...]
    figures: tuple["FigureDigest", ...]
    not_assessed: tuple[str, ...] = Field(min_length=1)


class ModelFile(Strict):
    """A third-party model file that took part: pinned by sha256, with its licence and what it was used for."""

    name: str
    sha256: str
    licence: str
    used_for: str


class FigureDigest(Strict):
    """A picture of the certificate by name, sha256 of its bytes, and whether it shows released pixels or a plot."""

    name: str
    sha256: str
    kind: Literal["plot", "released frame"]


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


CaseRecord.model_rebuild()
