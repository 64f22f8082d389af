"""What an inspection found, as numbers and words: no picture, no path, no value of a tag."""

from dataclasses import dataclass

from deid_audit.faces.subject import MINIMUM_FACES
from deid_audit.findings import Stretch, VideoFacts
from deid_audit.pipeline.preview.hard import Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonSeen:
    """One person over all videos: `tracks[v]` are the ids in video v + 1; frames are counted where really seen."""

    name: str
    tracks: tuple[tuple[int, ...], ...]
    frames: int
    median_height_px: float
    landmark_share: float
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HardPart:
    """Frames that are hard for one reason, and where they are."""

    reason: Reason
    frames: int
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a run would do with one video, as far as it shows without a swap.

    `to_swap` and `covered` are frames in which the person is swapped or covered; `reasons` says why covered.
    """

    video: int
    frames: int
    to_swap: int
    covered: int
    longest_covered_s: float
    reasons: dict[str, int]

    @property
    def covered_share(self) -> float:
        return self.covered / self.frames


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What the person's faces would give to training; heights and angles are of the usable faces, None without any."""

    usable: int
    median_height_px: float | None
    yaw_from_degrees: float | None
    yaw_to_degrees: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitting:
    """The policy that fits what is in the picture, by `in_view` of `looked_at` frames with a body, and its limits."""

    looked_at: int
    in_view: int
    policy: str
    covered_share: float
    longest_covered_s: float
    least_to_swap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """The whole preview. `subject` is the person a run takes, None where it takes nobody and `refusal` says why.

    Hard parts, expectations, material and fitting are about `about`: the subject, else the person seen most.
    """

    videos: tuple[VideoFacts, ...]
    people: tuple[PersonSeen, ...]
    unnamed_tracks: int
    unnamed_frames: int
    subject: str | None
    refusal: str
    next_step: str
    about: str | None
    hard: tuple[HardPart, ...]
    expected: tuple[Expected, ...]
    material: Material | None
    fitting: Fitting | None
    run_seconds: float | None
    tiles: int

    @property
    def can_start(self) -> bool:
        """Whether a run would get as far as training."""
        return self.subject is not None and self.material is not None and self.material.usable >= MINIMUM_FACES

    @property
    def misses(self) -> tuple[str, ...]:
        """What the fitting policy is expected to object to, in words."""
        if self.fitting is None:
            return ()
        limit, out = self.fitting, []
        for one in self.expected:
            where = f"video {one.video}"
            if one.covered_share > limit.covered_share:
                out.append(f"{where}: covered in {one.covered_share:.1%}, at most {limit.covered_share:.0%} is allowed")
            if one.longest_covered_s > limit.longest_covered_s:
                out.append(
                    f"{where}: covered for {one.longest_covered_s:.1f} s on end, "
                    f"at most {limit.longest_covered_s:g} s is allowed"
                )
            if one.to_swap < limit.least_to_swap:
                out.append(f"{where}: {one.to_swap} frames to swap, at least {limit.least_to_swap} are needed")
        return tuple(out)
