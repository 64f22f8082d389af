"""The base of all paper-side records, the outcomes that they can have, and the facts about files and intervals."""

from collections.abc import Collection
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deid_audit.errors import EvidenceError


class Strict(BaseModel):
    """Frozen, no unknown keys, no NaN: the base of everything that is written to or read from a file."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def expect_keys(table: object, keys: Collection[str], where: str, next_step: str) -> None:
    """EvidenceError unless `table`, called `where`, is a JSON object with exactly these keys."""
    if not isinstance(table, dict):
        raise EvidenceError(f"{where} is not a JSON object", next_step=next_step)
    if missing := sorted(set(keys) - set(table)):
        raise EvidenceError(f"{where} lacks {missing[0]}", next_step=next_step)
    if unknown := sorted(set(table) - set(keys)):
        raise EvidenceError(f"{where} has the unknown key {unknown[0]!r:.60}", next_step=next_step)


def line_fault(text: str, longest: int) -> str:
    """Why this text cannot stand in something that is signed, as one line of at most `longest` letters; else empty."""
    if len(text) > longest:
        return f"has {len(text)} characters, {longest} are allowed"
    # Control characters, line breaks, and marks that turn the direction of writing are none of them printable.
    if not text.isprintable():
        return "holds characters that cannot be printed"
    if not text.strip() or text != text.strip():
        return "is empty, or begins or ends with a space"
    return ""


class Outcome(StrEnum):
    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class Interval(Strict):
    """A 95 % interval by resampling whole clusters; `clusters` is how many there were, of what kind `unit` says."""

    low: float = Field(description="Lower end, in the metric's unit.")
    high: float = Field(description="Upper end, in the metric's unit.")
    clusters: int = Field(ge=1, description="How many clusters were resampled.")
    unit: str = Field(description="What a cluster is: seconds, videos, people.")


class VideoInventory(Strict):
    """What a file carries beside its pictures: streams by kind, metadata keys (names only), chapters."""

    audio_streams: int = Field(description="Number of sound streams.")
    subtitle_streams: int = Field(description="Number of subtitle streams.")
    data_streams: int = Field(description="Number of other streams.")
    metadata_keys: tuple[str, ...] = Field(
        description="Names of the tags, without their values; `other 1`, `other 2` ... for those that are not usual."
    )


class VideoFacts(Strict):
    """One video in numbers. `label` is "subject video 2"; sizes are of the upright picture, in px.

    For an original `keyed_digest` is an HMAC under a key that stays with the steward; for a released file it is
    empty and the statement's subject carries the plain sha256.
    """

    label: str = Field(description="What the video is called here: `subject video 1`.")
    keyed_digest: str = Field(description="HMAC of an original's bytes, hex; else empty.")
    width: int = Field(description="Width of the upright picture, in pixels.")
    height: int = Field(description="Height of the upright picture, in pixels.")
    frame_count: int = Field(description="Number of frames.")
    duration_s: float = Field(description="Duration, in seconds.")
    time_base: str = Field(description="Unit of the timestamps, a fraction of a second.")
    variable_rate: bool = Field(description="Whether the time between frames varies.")
    rotation: int = Field(description="Rotation that a player must apply, in degrees.")
    codec: str = Field(description="Name of the video codec.")
    interlaced: bool = Field(default=False, description="Whether a frame holds two fields of different instants.")
    inventory: VideoInventory = Field(description="What the file carries beside its pictures.")


class TextRegion(Strict):
    """A line of burned-in text in released video number `video`: where it stands and when, never what it says."""

    video: int = Field(description="Number of the released video, from 1.")
    box_xyxy: tuple[int, int, int, int] = Field(description="Left, top, right and bottom, in pixels.")
    first_frame: int = Field(description="First frame of its stretch, from 0.")
    last_frame: int = Field(description="Last frame of its stretch.")
    covered: bool = Field(description="Whether it was filled black in all of these frames; else it is left as it is.")


class OutputFile(Strict):
    """One file of the release (or withheld) folder, by name and sha256."""

    name: str = Field(description="Path of the file in that folder, its parts joined by `/`.")
    sha256: str = Field(description="SHA-256 of the file, hex.")
    size_bytes: int = Field(description="Size, in bytes.")
    role: Literal["video", "dicom", "keypoints", "readme", "script", "metadata", "manifest"] = Field(
        description="What the file is for."
    )


class ModelFile(Strict):
    """A third-party model file that took part: pinned by sha256, with its licence and what it was used for."""

    name: str = Field(description="Name of the model.")
    sha256: str = Field(description="SHA-256 of the file, hex.")
    licence: str = Field(description="Its licence.")
    used_for: str = Field(description="What it was used for.")


class TimedPart(Strict):
    """Seconds that threads spent in one part of a pass, over all its frames."""

    part: str = Field(description="Name of the part.")
    seconds: float = Field(ge=0, description="Time that threads spent in it, in seconds.")


class StageProfile(Strict):
    """Where the time of one pass went. Parts run side by side: together they may come to more than the pass took."""

    stage: str = Field(description="Name of the pass.")
    frames: int = Field(ge=0, description="Frames that went through it, of all videos and rounds.")
    seconds: float = Field(ge=0, description="Time from its beginning to its end, in seconds.")
    parts: tuple[TimedPart, ...] = Field(description="Its parts, the longest first.")


class SignerInfo(Strict):
    """Who signs: `verified_issuer` is False for a key made on the spot."""

    name: str = Field(description="Name in the signer's certificate.")
    fingerprint_sha256: str = Field(description="SHA-256 of the certificate (DER), hex.")
    not_after: str = Field(description="Last valid second of the certificate, UTC.")
    verified_issuer: bool = Field(
        description="Whether the key came from a file or a token; in verify, whether it is trusted."
    )


class ReadingRecord(Strict):
    """One person's look at the videos: who, when, what they decided, how much they were shown."""

    reviewer: str = Field(description="Who read: a name or initials, as the reviewer gave it; nothing checked it.")
    role: Literal["first", "second", "resolution"] = Field(description="Which reading it was.")
    started_at: str = Field(description="When it began, UTC.")
    finished_at: str = Field(description="When it was finished, UTC.")
    decisions: dict[str, int] = Field(description="How many decisions of each kind.")
    frames_shown: int = Field(ge=0, description="Frames that were sent to the reviewer as pictures.")


class ReviewRecord(Strict):
    """People who looked at the videos before they were judged, and how far two of them agree.

    `kappa` is Cohen's, over `stretches` of the first look, before anything was changed.
    """

    file_sha256: str = Field(description="SHA-256 of the review file (audit/review.json), hex.")
    readings: tuple[ReadingRecord, ...] = Field(min_length=1, description="The readings, in their order.")
    frames: int = Field(ge=0, description="Frames of all videos.")
    frames_shown: int = Field(
        ge=0, description="Frames that a reader was shown as they are released; of two, the fewer."
    )
    stretches: int = Field(ge=0, description="Stretches of the queue that the readers could decide about.")
    kappa: float | None = Field(default=None, ge=-1, le=1, description="Agreement of two readings; null without.")
    no_kappa_because: str = Field(default="", description="Why there is no kappa, in words.")
    unresolved: int = Field(ge=0, description="Differences of two readers that nobody resolved: the stricter counted.")
    refused: int = Field(ge=0, description="Decisions that were not carried out.")

    @property
    def readers(self) -> int:
        """How many people read independently, and were shown frames: a later look, or a resolution, is none more."""
        return len({one.role for one in self.readings if one.role != "resolution" and one.frames_shown})
