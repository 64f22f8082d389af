"""Judging what another tool made: originals and released videos in, a certificate or a refusal with reasons out.

The same measures, policy and evidence as the main job; nothing is swapped, and what that tool did or kept is not known.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from deid_audit.certificate.keys import Signer
from deid_audit.digests import sha256_file
from deid_audit.errors import VideoError
from deid_audit.evidence import STATEMENT_FILE
from deid_audit.faces import track
from deid_audit.findings import JobKind, MediaMark, not_measured, video_scope
from deid_audit.frames import Float
from deid_audit.ledger import Region
from deid_audit.measure.canaries import Flock
from deid_audit.measure.exam.rerating import read_ratings
from deid_audit.pipeline import comparing
from deid_audit.pipeline.beside import Beside
from deid_audit.pipeline.cast import (
    Role,
    analyse,
    describe_person,
    describe_photo,
    named_by,
    open_videos,
    refuse_same_person,
    strangers,
)
from deid_audit.pipeline.comparing import compare_videos
from deid_audit.pipeline.concluding import Examined, JobResult, StageRow, conclude
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.finishing import finished_ledger, with_gallery
from deid_audit.pipeline.job import Job, now, prepare
from deid_audit.pipeline.keeping import keeping, references_row
from deid_audit.pipeline.keypoint_backends import as_asked, backends_for
from deid_audit.pipeline.measuring import observe
from deid_audit.pipeline.planting import known_faces
from deid_audit.pipeline.reckoning import Watched, distances_of, plots, reckon
from deid_audit.pipeline.reviewing import Reviewed, event_of
from deid_audit.pipeline.staging import WORK, interruptible, staged
from deid_audit.pipeline.strangers import gather_strangers
from deid_audit.pipeline.surroundings import around_the_donor
from deid_audit.pipeline.training import wipe_arrays_with
from deid_audit.pipeline.viewer_scores import read_result, viewer_rows, viewer_stage
from deid_audit.pipeline.voicing import audited_sound
from deid_audit.progress import Progress
from deid_audit.settings import AuditSettings
from deid_audit.timing import Timer
from deid_audit.vault import Vault
from deid_audit.video import pairing, reader
from deid_audit.video.opening import opened
from deid_audit.video.pairing import align_frames, left_out, pair_frames
from deid_audit.video.reader import SourceVideo, open_video
from deid_audit.viewers.outcome import Result
from deid_audit.vision.keypoint_detectors import KeypointBackend

_OTHER_SWAP = "another tool made the videos; how it puts the donor's face on strangers is not known"
_EARLIER_SWAP = "the model of the job that was reviewed is gone, so that it swaps no strangers"
_NOTHING_SWAPPED = "faces were covered; there is no swap to invert"


_OUTSIDER = {"conceal": _NOTHING_SWAPPED, "reviewed": _EARLIER_SWAP, "audit": _OTHER_SWAP}
_NO_ERASURE = {
    "conceal": "no model was trained",
    "reviewed": "an earlier job made the videos; what it destroyed stands in its own certificate",
    "audit": "another tool made the videos; what it kept is not known",
}


class ReworkOf(Protocol):
    """What a review asks of this tool's own videos before they are audited; see `rereleasing.Rework`."""

    @property
    def made_with(self) -> str: ...

    def covers(self, number: int, /) -> Mapping[int, Sequence[Region]]: ...

    def take(self, number: int, target: Path, /) -> bool: ...

    def settled(
        self, watched: Sequence[Watched], averages: Sequence[Float], engines: Engines, /
    ) -> tuple[list[Watched], Reviewed]: ...


_KNOWN_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".dcm"})


def audit(
    settings: AuditSettings,
    *,
    signer: Signer | None,
    progress: Progress,
    clock: Callable[[], datetime] = now,
    made_with: str | None = None,
    media_mark: MediaMark | None = None,
    references_passphrase: bytes | None = None,
    rework: ReworkOf | None = None,
) -> JobResult:
    """The whole audit; `made_with` says how the videos were made, when it was this tool that covered the faces.

    `media_mark` is the mark that it then put into them. `rework` is what a review asks of this tool's own videos.

    `references_passphrase` is for what is kept for a recheck, where that was asked for.

    0. Refuse what cannot work; copy the released files, so that what is judged is what is certified.  1. Find the faces
    of the originals, name the subject.  2. Compare, frame by frame.  3. Measure.  4. Judge.  5. Issue.

    Raises:
        VideoError: a file cannot be read, or its frames are not those of its original.
        DeidAuditError: with the exit code and the next step; nothing is left at `settings.out`.
    """
    timer = Timer()
    ratings = None if settings.ratings is None else read_ratings(settings.ratings)
    kind: JobKind = "conceal" if made_with else "reviewed" if rework else "audit"
    job = prepare(kind, settings, signer=signer, progress=progress, clock=clock)
    with (
        job.logged(),
        interruptible(),
        keeping(settings, job, references_passphrase) as kept,
        staged(settings.out, force=settings.force) as partial,
    ):
        with timer.of("reading"):
            originals, released, paired = _open_pairs(settings, partial / "rendered", job.digest_key, rework)
            tested = _viewer_test(settings, released)
            backends = backends_for(settings.keypoints, paired, released, job.device)
            keypoints = [as_asked(one, job.policy) for one in backends]
            donors = open_videos(settings.donors, who="donor", digest_key=job.digest_key)
        engines = load_engines(job.device, thorough=job.thorough, attacker=settings.attacker)
        with Vault(partial / WORK, run_id=settings.case_id, clock=clock) as vault:
            with timer.of("finding faces"):
                photo = describe_photo(settings.subject_photo, engines)
                subject = analyse(
                    paired, who="subject", engines=engines, progress=progress,
                    photo=photo, chosen=settings.subject_tracks, clock=timer.watch("finding faces"),
                )  # fmt: skip
                wipe_arrays_with(vault, "tracked faces of the subject", subject.arrays())
                if photo is not None:
                    wipe_arrays_with(vault, "descriptor of the subject's photo", [photo])
                finding = timer.watch("finding faces")
                donor = (
                    [analyse(donors, who="donor", engines=engines, progress=progress, clock=finding)] if donors else []
                )
                donor_descriptors = around_donor = np.zeros((0, 128), np.float32)
                for role in donor:
                    refuse_same_person(subject.average, role.average)
                    donor_descriptors = describe_person(role, engines=engines, progress=progress)
                    around_donor = around_the_donor(role, engines=engines, progress=progress)
                    found = [*role.arrays(), donor_descriptors, around_donor]
                    wipe_arrays_with(vault, "tracked faces of the donor", found)
                average = donor[0].average if donor else None
                gallery = gather_strangers(
                    settings.strangers, subject, average, engines=engines, progress=progress,
                    outsider=_OUTSIDER[kind],
                )  # fmt: skip
                wipe_arrays_with(vault, "faces of strangers", gallery.arrays())
            with timer.of("measuring"):
                canaries = known_faces(engines, seed=0, videos=len(subject.videos))
                watched = _compare_and_watch(
                    subject, released, engines, canaries, keypoints, vault, progress, timer, rework
                )
            watched, review = _as_reviewed(rework, watched, subject, engines, job)
            others = strangers(subject, *donor)
            wipe_arrays_with(vault, "descriptors of other people", [others])
            measurements = reckon(
                watched, donor_descriptors, others, canaries.seen,
                around_donor=around_donor, gallery=gallery, attacker=engines.attacker_words, audit=engines.audit,
                ratings=ratings,
            )  # fmt: skip
            drawings = plots(watched, donor_descriptors)
            distances = distances_of(watched, donor_descriptors, others)
            watched = with_gallery(watched, distances)
            kept.seal(watched, donor_descriptors, measurements)
            with timer.of("destroying"):
                erasure = kept.recorded(vault.destroy())
        names = ("erasure.complete", "erasure.key_on_disk")
        measurements += [not_measured(name, "run", "run", _NO_ERASURE[kind]) for name in names]
        measurements.append(references_row(erasure))
        measurements += viewer_rows(None if tested is None else tested[0])
        result = conclude(
            partial,
            job,
            Examined(
                originals=originals,
                donors=[video.facts for video in donors],
                watched=watched,
                distances=distances,
                measurements=measurements,
                plots=drawings,
                erasure=erasure,
                review=review,
            ),
            making=[
                *_stages(
                    timer,
                    paired,
                    made_with or (rework.made_with if rework else None),
                    named_by(photo, settings.subject_tracks),
                    aligned=settings.align,
                ),
                *viewer_stage(tested),
            ],
            timer=timer,
            media_mark=media_mark,
            profile=settings.profile,
            rated=ratings is not None,
            beside=Beside(keypoints=settings.release_keypoints),
        )
        kept.bind(partial / STATEMENT_FILE)
        return result


def _viewer_test(settings: AuditSettings, released: Sequence[SourceVideo]) -> tuple[Result, str] | None:
    if settings.viewer_test is None:
        return None
    return read_result(settings.viewer_test, [sha256_file(video.path) for video in released])


def _open_pairs(
    settings: AuditSettings, folder: Path, digest_key: bytes, rework: ReworkOf | None
) -> tuple[list[SourceVideo], list[SourceVideo], list[SourceVideo]]:
    """Originals, released videos (copied to `folder` under the case's name), and the originals frame for frame."""
    folder.mkdir()
    originals, released, paired = [], [], []
    for number, (before, after) in enumerate(zip(settings.originals, settings.released, strict=True), start=1):
        original = open_video(before, label=f"original video {number}", digest_key=digest_key)
        label = f"released video {number}"
        with opened(after, label):  # a pipe is refused before it is copied; the copy is decoded in full
            pass
        if not after.is_file():
            raise VideoError(f"{label} is not one file of this machine", next_step="give the file that is released")
        suffix = after.suffix.lower() if after.suffix.lower() in _KNOWN_SUFFIXES else ".video"
        copy = folder / f"{settings.case_id}-{number:02d}{suffix}"
        if rework is None or not rework.take(number, copy):
            _copy(after, copy, label)
        shown = open_video(copy, label=label)
        originals.append(original)
        released.append(shown)
        paired.append((align_frames if settings.align else pair_frames)(original, shown))
    return originals, released, paired


def _copy(source: Path, target: Path, label: str) -> None:
    try:
        with source.open("rb") as stream, target.open("wb") as out:
            shutil.copyfileobj(stream, out)
    except OSError as error:
        raise VideoError(
            f"{label} could not be copied: {error.strerror or 'input/output error'}",
            next_step="check the free space where --out stands",
        ) from None


def _compare_and_watch(
    subject: Role,
    released: Sequence[SourceVideo],
    engines: Engines,
    canaries: Flock,
    keypoints: Sequence[KeypointBackend],
    vault: Vault,
    progress: Progress,
    timer: Timer,
    rework: ReworkOf | None,
) -> list[Watched]:
    watched: list[Watched] = []
    for number, (cast, shown, backend) in enumerate(zip(subject.videos, released, keypoints, strict=True), start=1):
        with progress.step(f"comparing, {shown.label}", shown.facts.frame_count) as step:
            drawn = rework.covers(number) if rework is not None else {}
            clock = timer.watch("comparing")
            done = compare_videos(cast, shown, engines=engines, step=step, drawn=drawn, clock=clock)
        done.wiped_with(vault, number, cast.source.facts.frame_count)
        clock = timer.watch("measuring")
        with clock.running(cast.source.facts.frame_count):
            observed = observe(
                cast, shown, done, engines=engines, canaries=canaries, progress=progress, keypoints=backend, clock=clock
            )
        wipe_arrays_with(vault, f"descriptors and landmarks, video {number}", observed.arrays())
        watched.append(
            Watched(
                released=shown,
                ledger=finished_ledger(done.ledger, observed),
                observed=observed,
                voice=audited_sound(shown, video_scope(number)),
            )
        )
    return watched


def _as_reviewed(
    rework: ReworkOf | None, watched: list[Watched], subject: Role, engines: Engines, job: Job
) -> tuple[list[Watched], Reviewed | None]:
    """The videos with what people cleared, where a review is carried out; log and steward are told."""
    if rework is None:
        return watched, None
    everyone = [subject.average, *(person.average for person in subject.others)]
    videos, review = rework.settled(watched, everyone, engines)
    for one in review.refused:
        job.progress.say(f"not carried out: {one}")
    job.journal.append(event_of(job.case_id, review.record))
    return videos, review


def _stages(
    timer: Timer, paired: Sequence[SourceVideo], made_with: str | None, named: str, *, aligned: bool
) -> list[StageRow]:
    seconds = timer.seconds
    method = pairing.ALIGNED_METHOD_TEXT if aligned else pairing.METHOD_TEXT
    not_compared = sum(left_out(video) for video in paired)
    return [
        *([("covering", made_with, 0.0, {})] if made_with else []),
        ("video", reader.METHOD_TEXT, seconds["reading"], {}),
        ("pairing", method, 0.0, {"align": aligned, "original_frames_not_compared": not_compared}),
        ("faces", track.METHOD_TEXT, seconds["finding faces"], {"subject_named_by": named}),
        ("comparison", comparing.METHOD_TEXT, 0.0, {}),
    ]
