"""`deid-audit run`: the main job. The result on standard output, progress and messages on standard error."""

import functools
import secrets
from pathlib import Path
from typing import Annotated, Literal

import typer

from deid_audit.cli.from_review import perform_review
from deid_audit.cli.options import (
    Attacker,
    Audio,
    CaseId,
    ContextFile,
    CrlFiles,
    Device,
    Force,
    Iterations,
    Json,
    KeepReferences,
    Keypoints,
    LogFolder,
    MediaKeyFile,
    MediaPassphraseFile,
    OutFolder,
    PassphraseFile,
    Preset,
    Profile,
    ReferencesPassphraseFile,
    ReleaseKeypoints,
    ResumeKey,
    Seed,
    SignerKey,
    Strangers,
    SubjectPhoto,
    SubjectTrack,
    Thorough,
    TimestampPassphraseFile,
    TimestampSource,
    TrainSeconds,
)
from deid_audit.cli.pages import page_for_reviewers
from deid_audit.cli.report import media_signer_of, perform, references_passphrase_of
from deid_audit.errors import SettingsError


def run(
    ctx: typer.Context,
    subject: Annotated[
        list[Path],
        typer.Option(
            "--subject", metavar="VIDEO", readable=False, help="A video of the subject; repeatable, all of one person."
        ),
    ],
    out: OutFolder,
    donor: Annotated[
        list[Path] | None,
        typer.Option(
            "--donor",
            metavar="VIDEO|PACK",
            readable=False,
            help="A video of the donor; repeatable, all of one person. Or packs: the one that fits is taken. Only "
            "--from-review does without.",
        ),
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME|FILE", help="A shipped policy or a file; see: policy list.")
    ] = "release",
    subject_photo: SubjectPhoto = None,
    subject_track: SubjectTrack = None,
    swap_everyone: Annotated[
        bool,
        typer.Option(
            "--swap-everyone",
            help="Swap the other people, too, each to a donor of their own (--other-donor); each trains as long again.",
        ),
    ] = False,
    other_donor: Annotated[
        list[Path] | None,
        typer.Option(
            "--other-donor",
            metavar="VIDEO",
            readable=False,
            help="A donor for one of the other people; repeatable, each another person.",
        ),
    ] = None,
    audio: Audio = "drop",
    case_id: CaseId = None,
    signer: SignerKey = None,
    passphrase_file: PassphraseFile = None,
    c2pa: MediaKeyFile = None,
    c2pa_passphrase_file: MediaPassphraseFile = None,
    crl: CrlFiles = None,
    tsa: TimestampSource = None,
    tsa_passphrase_file: TimestampPassphraseFile = None,
    context: ContextFile = None,
    device: Device = "auto",
    preset: Preset = "auto",
    train_seconds: TrainSeconds = None,
    iterations: Iterations = None,
    seed: Seed = 0,
    strangers: Strangers = None,
    attacker: Attacker = None,
    resume_key: ResumeKey = None,
    keep_references: KeepReferences = None,
    references_passphrase_file: ReferencesPassphraseFile = None,
    thorough: Thorough = False,
    burned_in_text: Annotated[
        Literal["flag", "cover"],
        typer.Option(
            "--burned-in-text",
            help="Lines of standing text, such as names and dates: flag lists them, cover blackens them, too.",
        ),
    ] = "flag",
    lossless: Annotated[
        bool,
        typer.Option(
            "--lossless",
            help="Write every pixel outside the faces exactly as it was decoded (8-bit RGB in H.264, High 4:4:4 "
            "Predictive): files are 6 to 16 times larger, and browsers do not play them.",
        ),
    ] = False,
    dicom: Annotated[
        bool | None,
        typer.Option(
            "--dicom/--no-dicom",
            help="Put each released video into a DICOM file, too, under a new header; by default where the original "
            "is one. See docs/formats.md.",
        ),
    ] = None,
    keypoints: Keypoints = "mediapipe",
    release_keypoints: ReleaseKeypoints = None,
    review: Annotated[
        bool,
        typer.Option(
            "--review",
            help="Wait, before anything is destroyed, until somebody has looked at the videos on a page of this "
            "machine, which shows originals; what they decide is rendered and measured again.",
        ),
    ] = False,
    readers: Annotated[
        int,
        typer.Option(
            "--readers", min=1, max=2, help="With --review: 2 for a second reading that is blind to the first."
        ),
    ] = 1,
    from_review: Annotated[
        Path | None,
        typer.Option(
            "--from-review",
            metavar="FILE",
            readable=False,
            help="Carry out a finished review of --of OUT, whose model is gone: cover what it asks for, take the other "
            "videos byte for byte, and audit the result against --subject: all originals.",
        ),
    ] = None,
    of: Annotated[
        Path | None,
        typer.Option("--of", metavar="OUT", readable=False, help="With --from-review: the folder that was reviewed."),
    ] = None,
    log: LogFolder = None,
    profile: Profile = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Swap the subject's face to the donor's, measure, judge, and issue a signed certificate.

    Exit status 0 when the policy passed and there is a release; 3 when everything was done and the videos are withheld.
    """  # fmt: skip
    from deid_audit.pipeline.run import run as run_pipeline  # noqa: PLC0415  (heavy)
    from deid_audit.settings import make_settings  # noqa: PLC0415

    if from_review is not None or of is not None:
        raise typer.Exit(perform_review(ctx))
    if not donor:
        raise SettingsError("--donor is missing: a run puts a donor's face on", next_step="give a video or a pack")
    settings = make_settings(
        subjects=tuple(subject), donors=tuple(donor), subject_photo=subject_photo,
        subject_tracks=tuple(subject_track or ()), swap_everyone=swap_everyone, other_donors=tuple(other_donor or ()),
        audio=audio, policy=policy, out=out,
        case_id=case_id or f"case-{secrets.token_hex(4)}", signer=signer, passphrase_file=passphrase_file,
        context=context, c2pa=c2pa, c2pa_passphrase_file=c2pa_passphrase_file,
        crls=tuple(crl or ()), tsa=tsa, tsa_passphrase_file=tsa_passphrase_file,
        device=device, preset=preset, train_seconds=train_seconds, iterations=iterations, seed=seed,
        strangers=strangers, attacker=attacker, resume_key=resume_key, thorough=thorough, lossless=lossless,
        burned_in_text=burned_in_text, review=review, readers=readers,
        dicom=dicom, keypoints=(keypoints,), release_keypoints=tuple(release_keypoints or ()),
        log=log, profile=profile, force=force,
        keep_references=keep_references, references_passphrase_file=references_passphrase_file,
    )  # fmt: skip
    job = functools.partial(
        run_pipeline,
        references_passphrase=references_passphrase_of(settings),
        media_signer=media_signer_of(settings),
        reviewing=page_for_reviewers() if settings.review else None,
    )
    raise typer.Exit(perform(job, settings, as_json=as_json))
