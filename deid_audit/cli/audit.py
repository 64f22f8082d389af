"""`deid-audit audit`: judges what another tool made of a video, with the measures and evidence of the main job."""

import functools
import secrets
from pathlib import Path
from typing import Annotated

import typer

from deid_audit.cli.options import (
    Attacker,
    CaseId,
    ContextFile,
    CrlFiles,
    Device,
    Force,
    Json,
    KeepReferences,
    KeypointsOrFiles,
    LogFolder,
    OutFolder,
    PassphraseFile,
    Profile,
    ReferencesPassphraseFile,
    ReleaseKeypoints,
    SignerKey,
    Strangers,
    SubjectPhoto,
    SubjectTrack,
    Thorough,
    TimestampPassphraseFile,
    TimestampSource,
)
from deid_audit.cli.report import perform, references_passphrase_of


def audit(
    original: Annotated[
        list[Path],
        typer.Option(
            "--original",
            metavar="VIDEO",
            readable=False,
            help="A video of the subject, unchanged; repeatable, one person.",
        ),
    ],
    released: Annotated[
        list[Path],
        typer.Option(
            "--released",
            metavar="VIDEO",
            readable=False,
            help="What a tool made of it; one for each --original, in order.",
        ),
    ],
    out: OutFolder,
    donor: Annotated[
        list[Path] | None,
        typer.Option(
            "--donor", metavar="VIDEO", readable=False, help="A video of the face put on, if known; repeatable."
        ),
    ] = None,
    policy: Annotated[
        str, typer.Option("--policy", metavar="NAME|FILE", help="A shipped policy or a file; see: policy list.")
    ] = "external",
    subject_photo: SubjectPhoto = None,
    subject_track: SubjectTrack = None,
    case_id: CaseId = None,
    signer: SignerKey = None,
    passphrase_file: PassphraseFile = None,
    crl: CrlFiles = None,
    tsa: TimestampSource = None,
    tsa_passphrase_file: TimestampPassphraseFile = None,
    context: ContextFile = None,
    device: Device = "auto",
    align: Annotated[
        bool, typer.Option("--align", help="Pair the frames by time, where the tool changed the frame rate.")
    ] = False,
    ratings: Annotated[
        Path | None,
        typer.Option(
            "--ratings",
            metavar="CSV",
            readable=False,
            help="Clinicians' blinded ratings of original and released clips, for the certificate; see: ratings.",
        ),
    ] = None,
    viewer_test: Annotated[
        Path | None,
        typer.Option(
            "--viewer-test",
            metavar="RESULT",
            readable=False,
            help="What `viewer-test score` wrote of these released videos; goes into the statement.",
        ),
    ] = None,
    strangers: Strangers = None,
    attacker: Attacker = None,
    keep_references: KeepReferences = None,
    references_passphrase_file: ReferencesPassphraseFile = None,
    thorough: Thorough = False,
    keypoints: KeypointsOrFiles = None,
    release_keypoints: ReleaseKeypoints = None,
    log: LogFolder = None,
    profile: Profile = False,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Judge the output of any tool against the original: a face swap, a blurred copy, a mask.

    The same measures and evidence as the main job. How the video was made, and what that tool kept, is not known and
    not assessed. Exit status 0 when the policy passed; 3 when everything was done and it did not.
    """
    from deid_audit.pipeline.auditing import audit as audit_pipeline  # noqa: PLC0415  (heavy)
    from deid_audit.settings import make_audit_settings  # noqa: PLC0415

    settings = make_audit_settings(
        originals=tuple(original), released=tuple(released), donors=tuple(donor or ()),
        subject_photo=subject_photo, subject_tracks=tuple(subject_track or ()), policy=policy, out=out,
        case_id=case_id or f"case-{secrets.token_hex(4)}", signer=signer, passphrase_file=passphrase_file,
        crls=tuple(crl or ()), tsa=tsa, tsa_passphrase_file=tsa_passphrase_file, viewer_test=viewer_test,
        context=context, device=device, align=align, ratings=ratings, strangers=strangers, attacker=attacker,
        thorough=thorough, keypoints=tuple(keypoints or ()), release_keypoints=tuple(release_keypoints or ()),
        log=log, profile=profile, force=force,
        keep_references=keep_references, references_passphrase_file=references_passphrase_file,
    )  # fmt: skip
    job = functools.partial(audit_pipeline, references_passphrase=references_passphrase_of(settings))
    raise typer.Exit(perform(job, settings, as_json=as_json))
