"""Options that several commands share, so that one name means one thing, and what `--json` prints."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

CaseId = Annotated[str | None, typer.Option("--case-id", help="Name of the case in all outputs; random when left out.")]
SignerKey = Annotated[
    str | None,
    typer.Option(
        "--signer",
        metavar="P12|PEM|pkcs11:URI",
        help="Who signs: a key file, or a key on a token; without it a key made on the spot.",
    ),
]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        metavar="FILE",
        readable=False,
        help="The signer's passphrase, or the token's PIN; else DEID_AUDIT_PASSPHRASE or a prompt.",
    ),
]
Audio = Annotated[
    Literal["drop", "mask", "keep"],
    typer.Option(
        "--audio",
        help="Sound: leave it out, mask the voice (what is said stays), or keep it, each only as far as the policy "
        "allows. See docs/voice.md.",
    ),
]
MediaKeyFile = Annotated[
    Path | None,
    typer.Option(
        "--c2pa",
        metavar="P12|PEM",
        readable=False,
        help="Mark each video as made by a machine (C2PA), signed with this media key; see: keys new --role media. Its "
        "certificate's name stands in every video. Needs: pip install deid-audit[c2pa].",
    ),
]
MediaPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--c2pa-passphrase-file",
        metavar="FILE",
        readable=False,
        help="The media key's passphrase; else DEID_AUDIT_C2PA_PASSPHRASE or a prompt.",
    ),
]
CrlFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--crl",
        metavar="FILE",
        readable=False,
        help="A revocation list (PEM or DER) of who issued a certificate that is used here; may be repeated.",
    ),
]
TimestampSource = Annotated[
    str | None,
    typer.Option(
        "--tsa",
        metavar="URL|TSA.p12",
        help="Who timestamps the signature (RFC 3161): an authority's address, the only use of a network, or a key of "
        "keys new --role tsa, which is no more than the issuer's own clock.",
    ),
]
TimestampPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--tsa-passphrase-file",
        metavar="FILE",
        readable=False,
        help="The passphrase of TSA.p12; else DEID_AUDIT_TSA_PASSPHRASE or a prompt.",
    ),
]
TrustedTimestamps = Annotated[
    list[Path] | None,
    typer.Option(
        "--trust-tsa",
        metavar="CRT",
        readable=False,
        help="A timestamp authority's certificate that you trust, or its issuer's; may be repeated.",
    ),
]
ContextFile = Annotated[
    Path | None,
    typer.Option(
        "--context",
        metavar="FILE.toml",
        readable=False,
        help="The steward's answers, printed on the certificate: never a patient's name. See: policy questions.",
    ),
]
Trusted = Annotated[
    list[Path] | None,
    typer.Option("--trust", metavar="CRT", readable=False, help="A certificate you trust as issuer; may be repeated."),
]
TrustFile = Annotated[
    Path | None,
    typer.Option(
        "--trust-file",
        metavar="TRUST.toml",
        readable=False,
        help="Instead of --trust: whom you trust in which role, and whether a chair has to sign. See docs/trust.md.",
    ),
]
ReleaseFolder = Annotated[
    Path | None,
    typer.Option(
        "--release", metavar="DIR", readable=False, help="The files; else release/ or withheld/ beside the certificate."
    ),
]
AttestationFile = Annotated[
    Path | None,
    typer.Option(
        "--attestation",
        metavar="FILE",
        readable=False,
        help="The attestation; else attestation.dsse.json beside the certificate, where it stands.",
    ),
]
StatusFile = Annotated[
    Path | None,
    typer.Option(
        "--status",
        metavar="FILE",
        readable=False,
        help="A status file (a withdrawal); else status.dsse.json beside the certificate, where it stands.",
    ),
]
Device = Annotated[str, typer.Option("--device", metavar="auto|cpu|cuda", help="Where the networks run.")]
SubjectPhoto = Annotated[
    Path | None,
    typer.Option(
        "--subject-photo",
        metavar="PICTURE",
        readable=False,
        help="A photo of the subject alone: says who it is where several people are in the videos.",
    ),
]
SubjectTrack = Annotated[
    list[str] | None,
    typer.Option(
        "--subject-track",
        metavar="VIDEO:TRACK",
        help="A track of the subject, as `inspect` prints them (1:0): says who it is. May be repeated.",
    ),
]
Attacker = Annotated[
    str | None,
    typer.Option(
        "--attacker",
        metavar="KIND:MODEL.onnx",
        help="One more recogniser for the attacks, of yours: arcface:FILE or sface:FILE.",
    ),
]
Strangers = Annotated[
    Path | None,
    typer.Option(
        "--strangers",
        metavar="DIR",
        help="Pictures or videos of other people, one person a file or folder: the gallery of the attacks.",
    ),
]
LogFolder = Annotated[
    Path | None,
    typer.Option(
        "--log",
        metavar="DIR",
        readable=False,
        help="The log's folder; else DEID_AUDIT_LOG, else deid-audit/log in the user's state folder.",
    ),
]
Thorough = Annotated[
    bool, typer.Option("--thorough", help="Search the written file with more detectors, scales and mirrored; slow.")
]
Keypoints = Annotated[
    str,
    typer.Option(
        "--keypoints",
        metavar="mediapipe|openpose:PATH|rtmpose:MODEL.onnx",
        help="Who finds the body's keypoints: MediaPipe, an installed OpenPose, or a model of yours.",
    ),
]
ReleaseKeypoints = Annotated[
    list[str] | None,
    typer.Option(
        "--release-keypoints",
        metavar="coco|csv",
        help="Put the subject's keypoints on the released video into the release, too; may be repeated. Movement can "
        "identify a person: see docs/formats.md.",
    ),
]
KeypointsOrFiles = Annotated[
    list[str] | None,
    typer.Option(
        "--keypoints",
        metavar="mediapipe|openpose:PATH|rtmpose:MODEL.onnx|openpose-json:DIR_ORIGINAL:DIR_RELEASED",
        help="Who finds the body's keypoints. OpenPose's JSON files: two folders for each --original, in order.",
    ),
]
Preset = Annotated[
    str,
    typer.Option("--preset", metavar="auto|micro64|lite64|original64|hq128|hq256", help="Size of the swap model."),
]
TrainSeconds = Annotated[
    float | None,
    typer.Option(
        "--train-seconds", help="Training budget; turned into steps at the start. Default 90, with a pack 60."
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option("--iterations", help="Training steps, instead of a time; repeats a run exactly on a CPU."),
]
Seed = Annotated[int, typer.Option("--seed", help="Seed of everything random in training.")]
ResumeKey = Annotated[
    Path | None,
    typer.Option(
        "--resume-key",
        metavar="FILE",
        readable=False,
        help="Keep training in an encrypted checkpoint, OUT.checkpoint, its key in FILE (made if it is not there): "
        "the same command goes on after an interruption. Both are destroyed at the end; the certificate tells of them.",
    ),
]
KeepReferences = Annotated[
    Path | None,
    typer.Option(
        "--keep-references",
        metavar="FILE",
        readable=False,
        help="Keep the descriptors of subject and donor in FILE, encrypted, for `recheck`: biometric templates, and "
        "the certificate says that they were kept. Not inside --out.",
    ),
]
ReferencesPassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--references-passphrase-file",
        metavar="FILE",
        readable=False,
        help="The references' passphrase; else DEID_AUDIT_REFERENCES_PASSPHRASE or a prompt.",
    ),
]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier output at --out.")]
Profile = Annotated[
    bool,
    typer.Option("--profile", help="Print how long each part of each pass took, and keep it in the statement."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
OutFolder = Annotated[
    Path,
    typer.Option(
        "--out",
        metavar="DIR|URL",
        readable=False,
        help="Where the result appears; must not exist. At a URL: see docs/formats.md.",
    ),
]


def print_json(document: Mapping[str, Any]) -> None:
    """The one JSON document that a command prints for `--json`."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
