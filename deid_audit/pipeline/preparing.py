"""Prepares a donor's pack: what a run needs of a donor, with an encoder and decoder trained on the donor alone.

There is no subject yet, so nothing here is secret, encrypted or destroyed; the donor's face is in the pack in plain.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deid_audit import __version__
from deid_audit.digests import sha256_file
from deid_audit.errors import VideoAccessError
from deid_audit.faces.choose import shared_neutral
from deid_audit.pipeline.cast import Material, analyse, face_height, open_videos
from deid_audit.pipeline.donor_pack import Manifest, PackedVideo, arrays_of, write_pack
from deid_audit.pipeline.donors import FilmedDonor
from deid_audit.pipeline.engines import load_engines
from deid_audit.pipeline.job import now
from deid_audit.pipeline.staging import interruptible, staged_file
from deid_audit.pipeline.training import DEFAULT_SECONDS, choose_preset, donor_prior
from deid_audit.progress import Progress
from deid_audit.settings import PrepareSettings
from deid_audit.swap.augment import CROP_MARGIN, face_set
from deid_audit.swap.convert import pick_device, prepare_runtime
from deid_audit.swap.networks import PRESETS
from deid_audit.swap.reuse import Weights, weights_of
from deid_audit.swap.train import steps_for, train_donor
from deid_audit.video.places import sha256_of
from deid_audit.video.reader import SourceVideo


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedPack:
    """A pack that stands at `out`."""

    out: Path
    sha256: str
    manifest: Manifest


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Pretrained:
    weights: Weights
    steps: int
    seconds: float


def prepare_donor(
    settings: PrepareSettings, *, progress: Progress, clock: Callable[[], datetime] = now
) -> PreparedPack:
    """Makes a pack of one donor's videos.

    1. Find the faces.  2. Gather crops and descriptors.  3. Train on them alone.  4. Write.

    Raises:
        DeidAuditError: with the exit code and the next step; nothing is left at `settings.out`.
    """
    device = pick_device(settings.device)
    with interruptible(), staged_file(settings.out, force=settings.force) as unfinished:
        sources = open_videos(settings.videos, who="donor", digest_key=None)
        threads = prepare_runtime(device)
        engines = load_engines(device)
        donor = FilmedDonor(role=analyse(sources, who="donor", engines=engines, progress=progress))
        budget = settings.train_seconds or DEFAULT_SECONDS
        preset, _ = choose_preset(settings.preset, device, face_height(donor.role), budget)
        size = round(PRESETS[preset].size * CROP_MARGIN)
        material = donor.material(size, who="donor", near=None, engines=engines, progress=progress)
        around = donor.around(engines=engines, progress=progress)
        trained = _pretrain(preset, material, settings, device, progress)
        manifest = write_pack(
            unfinished.path,
            arrays_of(material, donor.average, around, trained.weights),
            tool_version=__version__,
            created=clock().isoformat(),
            preset=preset,
            seed=settings.seed,
            steps=trained.steps,
            training_seconds=round(trained.seconds, 1),
            device=device,
            threads=threads,
            licence=settings.licence,
            consent=settings.consent,
            videos=tuple(PackedVideo(sha256=_sha256(source), facts=source.facts) for source in sources),
        )
        sha256 = sha256_file(unfinished.path)
    return PreparedPack(out=settings.out, sha256=sha256, manifest=manifest)


def _pretrain(name: str, material: Material, settings: PrepareSettings, device: str, progress: Progress) -> _Pretrained:
    preset = PRESETS[name]
    size = material.crops[0].mask.shape[0]
    neutral = shared_neutral(material.features, material.features)
    prior = donor_prior(material.portraits, material.crops, neutral, size)
    faces = face_set(material.crops, material.attention, prior, device)
    budget = settings.train_seconds or DEFAULT_SECONDS
    steps = settings.iterations or steps_for(budget, preset, {"donor": faces}, device)
    started = time.perf_counter()
    with progress.step(f"training {name} on the donor", steps) as step:
        model = train_donor(preset, faces, steps=steps, seed=settings.seed, device=device, step=step)
    return _Pretrained(weights=weights_of(model), steps=steps, seconds=time.perf_counter() - started)


def _sha256(source: SourceVideo) -> str:
    try:
        return sha256_of(source.path, source.label)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise VideoAccessError(f"{source.label} cannot be read any more: {why}", next_step="run again") from None
