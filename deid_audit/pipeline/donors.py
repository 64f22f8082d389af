"""Where a run's donor comes from: videos that are looked through now, or a pack that was prepared before.

Both say who it is, give the training material, and what surrounds their face; a pack also gives the weights to begin
from.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from deid_audit.errors import SettingsError
from deid_audit.findings import VideoFacts
from deid_audit.frames import Float
from deid_audit.pipeline.cast import Material, Role, gather_donor
from deid_audit.pipeline.choosing import choose_pack
from deid_audit.pipeline.donor_pack import DonorPack, is_pack, read_pack
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.surroundings import around_the_donor
from deid_audit.progress import Progress
from deid_audit.settings import RunSettings
from deid_audit.swap.augment import CROP_MARGIN


class Donor(Protocol):
    """What a run asks of a donor."""

    @property
    def average(self) -> Float:
        """The average descriptor (128,)."""

    @property
    def roles(self) -> tuple[Role, ...]:
        """Their videos, as looked through; none with a pack."""

    @property
    def facts(self) -> tuple[VideoFacts, ...]:
        """Their videos in numbers."""

    @property
    def pack(self) -> DonorPack | None:
        """The pack they come from."""

    @property
    def chosen(self) -> str | None:
        """Why they were taken, where there were several packs."""

    def arrays(self) -> list[NDArray[Any]]:
        """What is wiped with the vault."""

    def material(self, size: int, *, who: str, near: Float | None, engines: Engines, progress: Progress) -> Material:
        """Crops of `size` px with all that training needs, and portraits, where they can be chosen near `near`."""

    def around(self, *, engines: Engines, progress: Progress) -> Float:
        """Descriptors (n, 128) of what surrounds the face."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilmedDonor:
    """A donor whose videos were given."""

    role: Role
    pack: None = None
    chosen: None = None

    @property
    def average(self) -> Float:
        return self.role.average

    @property
    def roles(self) -> tuple[Role, ...]:
        return (self.role,)

    @property
    def facts(self) -> tuple[VideoFacts, ...]:
        return tuple(video.source.facts for video in self.role.videos)

    def arrays(self) -> list[NDArray[Any]]:
        return self.role.arrays()

    def material(self, size: int, *, who: str, near: Float | None, engines: Engines, progress: Progress) -> Material:
        return gather_donor(
            self.role, who=who, size=size, margin=CROP_MARGIN, engines=engines, progress=progress, near=near
        )

    def around(self, *, engines: Engines, progress: Progress) -> Float:
        return around_the_donor(self.role, engines=engines, progress=progress)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PackedDonor:
    """A donor from a pack; its file is read once and never written."""

    pack: DonorPack
    chosen: str | None = None  # why, where there were several
    roles: tuple[Role, ...] = ()

    @property
    def average(self) -> Float:
        return self.pack.average

    @property
    def facts(self) -> tuple[VideoFacts, ...]:
        videos = enumerate(self.pack.manifest.videos, start=1)
        return tuple(video.facts.model_copy(update={"label": f"donor video {number}"}) for number, video in videos)

    def arrays(self) -> list[NDArray[Any]]:
        return [self.pack.average, self.pack.around]

    def material(self, size: int, *, who: str, near: Float | None, engines: Engines, progress: Progress) -> Material:
        return self.pack.material

    def around(self, *, engines: Engines, progress: Progress) -> Float:
        return self.pack.around.copy()


def read_packs(settings: RunSettings) -> list[DonorPack]:
    """The packs among what was given as the donor, read and checked; none where it is videos.

    Raises:
        SettingsError: packs and videos in one run, or a pack of another preset than was asked for.
        PackError: a pack that does not hold.
    """
    given = [path for path in settings.donors if is_pack(path)]
    if given and len(given) < len(settings.donors):
        raise SettingsError("--donor was given a donor's pack and a video", next_step="give the one or the other")
    packs = [read_pack(path) for path in given]
    for pack in packs:
        if settings.preset not in ("auto", pack.manifest.preset):
            raise SettingsError(
                f"the donor's pack is of the preset {pack.manifest.preset}, but --preset asks for {settings.preset}",
                next_step="leave --preset out, or prepare a pack of that preset",
            )
    return packs


def packed_donor(subject: Role, packs: Sequence[DonorPack], *, progress: Progress) -> PackedDonor:
    """The donor of the one pack, or of the one that fits the subject best."""
    if len(packs) == 1:
        return PackedDonor(pack=packs[0])
    pack, reason = choose_pack(subject, packs, progress=progress)
    return PackedDonor(pack=pack, chosen=reason)


def pack_facts(pack: DonorPack, chosen: str | None) -> dict[str, str | int | float | bool | None]:
    """What the statement says of the pack."""
    manifest = pack.manifest
    return {
        "pack_sha256": pack.sha256,
        "pack_version": manifest.pack_version,
        "made_by": f"deid-audit {manifest.tool_version}",
        "created": manifest.created,
        "licence": manifest.licence or "not stated",
        "consent": manifest.consent or "not stated",
        "preset": manifest.preset,
        "seed": manifest.seed,
        "steps": manifest.steps,
        "faces": manifest.faces,
        "weights_from_pack": True,
        **({} if chosen is None else {"chosen": chosen}),
    }
