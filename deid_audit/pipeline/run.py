"""The main job: subject and donor videos in, a release with its certificate out, or a refusal with reasons.

The one file that shows the whole flow. Every exit, also by error and signal, destroys what the vault holds.
"""

from collections.abc import Callable, Sequence
from datetime import datetime

from deid_audit.certificate.keys import Signer
from deid_audit.certificate.media_keys import MediaSigner
from deid_audit.evidence import STATEMENT_FILE
from deid_audit.faces import align, track
from deid_audit.findings import ErasureRecord, Measurement, measured
from deid_audit.pipeline import ladder
from deid_audit.pipeline.beside import beside_of
from deid_audit.pipeline.burned_in import COVER_TEXT
from deid_audit.pipeline.cast import Role, analyse, describe_photo, named_by, open_videos, refuse_same_person, strangers
from deid_audit.pipeline.choosing import METHOD_TEXT as CHOICE_METHOD
from deid_audit.pipeline.companions import METHOD_TEXT as COMPANIONS_METHOD
from deid_audit.pipeline.companions import Companion, refuse_unfit, train_companions
from deid_audit.pipeline.concluding import Examined, JobResult, StageRow, audio_written, conclude
from deid_audit.pipeline.donor_pack import METHOD_TEXT as PACK_METHOD
from deid_audit.pipeline.donor_pack import DonorPack
from deid_audit.pipeline.donors import Donor, FilmedDonor, pack_facts, packed_donor, read_packs
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.finishing import with_gallery
from deid_audit.pipeline.job import now, prepare
from deid_audit.pipeline.keeping import keeping, references_row
from deid_audit.pipeline.keypoint_backends import as_asked, backend_for
from deid_audit.pipeline.marking import marker_for
from deid_audit.pipeline.outsider import NO_PRIOR, outsider_of
from deid_audit.pipeline.planting import known_faces
from deid_audit.pipeline.reckoning import distances_of, plots, reckon
from deid_audit.pipeline.resuming import destroyed, resumable
from deid_audit.pipeline.reviewing import Reviewing
from deid_audit.pipeline.rounds import Rounds, watched_and_reviewed
from deid_audit.pipeline.staging import WORK, interruptible, staged
from deid_audit.pipeline.strangers import gather_strangers
from deid_audit.pipeline.training import TrainedPair, learning_curve, train_pair, wipe_arrays_with
from deid_audit.pipeline.training_process import METHOD_TEXT as PROCESS_METHOD
from deid_audit.pipeline.training_process import TrainingProcess
from deid_audit.pipeline.viewer_scores import viewer_rows
from deid_audit.pipeline.voicing import METHOD_TEXT as SOUND_METHOD
from deid_audit.pipeline.voicing import Voice, open_with_sound, refuse_by_policy
from deid_audit.progress import Progress
from deid_audit.render import blend
from deid_audit.settings import AudioChoice, RunSettings
from deid_audit.swap import prior, train
from deid_audit.timing import Timer
from deid_audit.vault import Vault
from deid_audit.video import marking, reader, writer
from deid_audit.video.encoding import LOSSLESS, USUAL
from deid_audit.video.reader import SourceVideo


def run(
    settings: RunSettings,
    *,
    signer: Signer | None,
    progress: Progress,
    clock: Callable[[], datetime] = now,
    references_passphrase: bytes | None = None,
    media_signer: MediaSigner | None = None,
    reviewing: Reviewing | None = None,
) -> JobResult:
    """The whole job; `references_passphrase` is for what is kept for a recheck, where that was asked for.

    `media_signer` marks the written videos, where that was asked for; `reviewing` shows them to people before anything
    is destroyed.

    0. Refuse what cannot work: policy, output folder, device, unreadable videos.  1. Find faces, name the subject.
    2. Train the pair.  3. Render.  4. Measure the written files; let people look.  5. Destroy.  6. Judge.  7. Issue.

    Raises:
        DeidAuditError: with the exit code and the next step; nothing is left at `settings.out`.
    """
    timer = Timer()
    job = prepare("swap", settings, signer=signer, progress=progress, clock=clock)
    refuse_by_policy(job.policy, settings.audio)
    keypoints = as_asked(backend_for(settings.keypoints, job.device), job.policy)
    marker = marker_for("swap", media_signer)
    with (
        job.logged(),
        interruptible(),
        keeping(settings, job, references_passphrase) as kept,
        staged(settings.out, force=settings.force) as partial,
        resumable(settings, job) as resuming,
    ):
        with timer.of("reading"):
            subjects = open_with_sound(settings.subjects, settings.audio, digest_key=job.digest_key, progress=progress)
            packs = read_packs(settings)
            beside = beside_of(
                subjects, dicom=settings.dicom, lossless=settings.lossless, keypoints=settings.release_keypoints
            )
            filmed = [] if packs else open_videos(settings.donors, who="donor", digest_key=job.digest_key)
            others_given = open_videos(settings.other_donors, who="other donor", digest_key=job.digest_key)
        engines = load_engines(job.device, thorough=job.thorough, attacker=settings.attacker)
        with (
            Vault(partial / WORK, run_id=settings.case_id, clock=clock) as vault,
            TrainingProcess(vault, resuming, device=job.device, threads=int(job.environment["threads"])) as trainee,
        ):
            if resuming is not None:
                resuming.find()
            with timer.of("finding faces"):
                photo = describe_photo(settings.subject_photo, engines)
                subject = analyse(
                    subjects, who="subject", engines=engines, progress=progress,
                    photo=photo, chosen=settings.subject_tracks, clock=timer.watch("finding faces"),
                )  # fmt: skip
                wipe_arrays_with(vault, "tracked faces of the subject", subject.arrays())
                if photo is not None:
                    wipe_arrays_with(vault, "descriptor of the subject's photo", [photo])
                donor = _donor(subject, packs, filmed, engines, progress, timer)
                wipe_arrays_with(vault, "tracked faces of the donor", donor.arrays())
                refuse_same_person(subject.average, donor.average)
                other_donors = _other_donors(others_given, engines, vault, progress, timer)
                refuse_unfit(subject, donor, other_donors)
            with timer.of("training"):
                pair = train_pair(
                    subject,
                    donor,
                    settings=settings,
                    device=job.device,
                    engines=engines,
                    vault=vault,
                    trainee=trainee,
                    progress=progress,
                    resuming=resuming,
                )
                companions = train_companions(
                    subject,
                    other_donors,
                    settings=settings,
                    device=job.device,
                    engines=engines,
                    vault=vault,
                    trainee=trainee,
                    progress=progress,
                )
                trainee.end()
            gallery = gather_strangers(
                settings.strangers, subject, donor.average, engines=engines, progress=progress,
                outsider=outsider_of(pair.model) or NO_PRIOR,
            )  # fmt: skip
            wipe_arrays_with(vault, "faces of strangers", gallery.arrays())
            canaries = known_faces(engines, seed=settings.seed, videos=len(subject.videos))
            watched, review = watched_and_reviewed(
                Rounds(
                    folder=partial / "rendered",
                    subject=subject,
                    pair=pair,
                    companions=companions,
                    settings=settings,
                    engines=engines,
                    canaries=canaries,
                    keypoints=keypoints,
                    marker=marker,
                    voice=Voice.begin(settings.audio, vault),
                    vault=vault,
                    progress=progress,
                    timer=timer,
                ),
                reviewing,
                job,
            )
            others = strangers(subject, *donor.roles)
            wipe_arrays_with(vault, "descriptors of other people", [others])
            around_donor = donor.around(engines=engines, progress=progress)
            wipe_arrays_with(vault, "descriptors around the donor's face", [around_donor])
            measurements = reckon(
                watched, pair.donor_descriptors, others, canaries.seen,
                around_donor=around_donor, gallery=gallery, attacker=engines.attacker_words, audit=engines.audit,
            )  # fmt: skip
            drawings = plots(watched, pair.donor_descriptors)
            distances = distances_of(watched, pair.donor_descriptors, others)
            watched = with_gallery(watched, distances)
            kept.seal(watched, pair.donor_descriptors, measurements)
            with timer.of("destroying"):
                erasure = kept.recorded(destroyed(vault, resuming))
        measurements += [*_erasure_measurements(erasure), references_row(erasure), *viewer_rows(None)]
        result = conclude(
            partial,
            job,
            Examined(
                originals=subjects,
                donors=[*donor.facts, *(video.facts for video in others_given)],
                watched=watched,
                distances=distances,
                measurements=measurements,
                plots=drawings,
                erasure=erasure,
                review=review,
            ),
            making=_stages(
                timer,
                subject,
                donor,
                pair,
                companions,
                settings,
                named_by(photo, settings.subject_tracks),
                marked=marker is not None,
                audio=audio_written(settings.audio, watched),
            ),
            timer=timer,
            learning_curve=learning_curve(pair.readings),
            from_pack=donor.pack is not None,
            audio=settings.audio,
            media_mark=marker.record if marker is not None else None,
            profile=settings.profile,
            beside=beside,
        )
        kept.bind(partial / STATEMENT_FILE)
        return result


def _donor(
    subject: Role,
    packs: Sequence[DonorPack],
    filmed: Sequence[SourceVideo],
    engines: Engines,
    progress: Progress,
    timer: Timer,
) -> Donor:
    """The pack that fits, where packs were given; else whom the videos show."""
    if packs:
        return packed_donor(subject, packs, progress=progress)
    clock = timer.watch("finding faces")
    return FilmedDonor(role=analyse(filmed, who="donor", engines=engines, progress=progress, clock=clock))


def _other_donors(
    given: Sequence[SourceVideo], engines: Engines, vault: Vault, progress: Progress, timer: Timer
) -> list[Role]:
    """One role a video: each is the donor of another person."""
    roles: list[Role] = []
    for at, video in enumerate(given, start=1):
        clock = timer.watch("finding faces")
        roles.append(analyse([video], who=f"other donor {at}", engines=engines, progress=progress, clock=clock))
        wipe_arrays_with(vault, f"tracked faces of other donor {at}", roles[-1].arrays())
    return roles


def _erasure_measurements(erasure: ErasureRecord) -> list[Measurement]:
    values = {"complete": erasure.complete, "key_on_disk": erasure.key_on_disk}
    method = "the vault's own checks"
    return [
        measured(f"erasure.{name}", "run", "run", float(value), sample_size=1, method=method)
        for name, value in values.items()
    ]


def _stages(
    timer: Timer,
    subject: Role,
    donor: Donor,
    pair: TrainedPair,
    companions: Sequence[Companion],
    settings: RunSettings,
    named: str,
    *,
    marked: bool,
    audio: AudioChoice,
) -> list[StageRow]:
    """The stages that made the videos; the measures and what follows are the same for every job.

    `audio` is what became of sound, which `settings` only ask for.
    """
    seconds = timer.seconds
    packed: list[StageRow] = []
    if donor.pack is not None:
        begun = f"{PACK_METHOD} {train.PACKED_METHOD_TEXT}" + (f" {CHOICE_METHOD}" if donor.chosen else "")
        packed.append(("donor's pack", begun, 0.0, pack_facts(donor.pack, donor.chosen)))
    told = (train.METHOD_TEXT, *((prior.METHOD_TEXT,) if pair.model.preset.prior else ()), PROCESS_METHOD)
    said = f"{writer.method_text(LOSSLESS if settings.lossless else USUAL)} {SOUND_METHOD[audio]}"
    written = f"{said} {marking.METHOD_TEXT}" if marked else said
    others: dict[str, int | str] = {
        "other_people": len(subject.others),
        "other_people_swapped": len(companions),
        "burned_in_text": settings.burned_in_text,
    }
    covers = [COVER_TEXT] if settings.burned_in_text == "cover" else []
    rendered = (blend.METHOD_TEXT, ladder.METHOD_TEXT, *covers)
    return [
        (
            "video",
            f"{reader.METHOD_TEXT} {written}",
            seconds["reading"],
            {"audio": settings.audio, "lossless": settings.lossless},
        ),
        ("faces", track.METHOD_TEXT, seconds["finding faces"], {"subject_named_by": named}),
        ("alignment", align.METHOD_TEXT, 0.0, {}),
        *packed,
        ("swap", " ".join(told), seconds["training"], {**pair.facts, "seed": settings.seed}),
        *((f"swap of {one.name}", COMPANIONS_METHOD, one.pair.seconds, dict(one.pair.facts)) for one in companions),
        ("render", " ".join(rendered), seconds["rendering"], others),
    ]
