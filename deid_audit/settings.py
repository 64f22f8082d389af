"""The settings of one run, frozen and checked; the command line fills them, the statement records them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deid_audit.errors import SettingsError

Device = Literal["auto", "cpu", "cuda"]
PresetName = Literal["auto", "micro64", "lite64", "original64", "hq128", "hq256"]
AttackerKind = Literal["arcface", "sface"]
AudioChoice = Literal["drop", "mask", "keep"]
KeypointFile = Literal["coco", "csv"]
Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]+$")]  # one line, printable
_Settings = TypeVar("_Settings", bound=BaseModel)
CASE_ID_PATTERN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class _Basic(BaseModel):
    """What every command that reads videos can be asked."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    device: Device = "auto"
    force: bool = False


class _Asked(_Basic):
    """What every command that reads a subject's videos can be asked."""

    subject_photo: Path | None = None
    subject_tracks: tuple[tuple[int, int], ...] = ()


class KeypointChoice(BaseModel):
    """Who finds the body's keypoints: `path` is the program or model, `folders` (original, released) of each video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: Literal["mediapipe", "openpose", "openpose-json", "rtmpose"] = "mediapipe"
    path: Path | None = None
    folders: tuple[tuple[Path, Path], ...] = ()


class _CaseAsked(_Asked):
    """What every command that issues a certificate can be asked."""

    policy: str
    out: Path
    case_id: str
    signer: str | None = None
    passphrase_file: Path | None = None
    crls: tuple[Path, ...] = ()
    tsa: str | None = None
    tsa_passphrase_file: Path | None = None
    context: Path | None = None
    thorough: bool = False
    strangers: Path | None = None
    log: Path | None = None
    attacker: tuple[AttackerKind, Path] | None = None
    keypoints: KeypointChoice = KeypointChoice()
    profile: bool = False


class _Keeping(_CaseAsked):
    """What a command can be asked that releases: keypoints beside the videos, and references that are kept.

    Their passphrase is asked for where no file is named.
    """

    release_keypoints: tuple[KeypointFile, ...] = ()
    keep_references: Path | None = None
    references_passphrase_file: Path | None = None


class _Marking(_Basic):
    """What a command can be asked that writes videos: `c2pa` is the media key's file."""

    c2pa: Path | None = None
    c2pa_passphrase_file: Path | None = None


class RunSettings(_Keeping, _Marking):
    """What `deid-audit run` was asked to do; `train_seconds` and `iterations` exclude each other.

    `dicom` None writes a DICOM file, too, for each original that is one.
    `review`: the run waits for so many `readers` before anything is destroyed.
    """

    subjects: tuple[Path, ...] = Field(min_length=1)
    donors: tuple[Path, ...] = Field(min_length=1)
    preset: PresetName = "auto"
    train_seconds: float | None = Field(default=None, gt=0)
    iterations: int | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)
    resume_key: Path | None = None
    lossless: bool = False
    dicom: bool | None = None
    burned_in_text: Literal["flag", "cover"] = "flag"
    swap_everyone: bool = False
    other_donors: tuple[Path, ...] = ()
    audio: AudioChoice = "drop"
    review: bool = False
    readers: int = Field(default=1, ge=1, le=2)


class PrepareSettings(_Basic):
    """What `deid-audit donor prepare` was asked to do; `licence` and `consent` are the steward's words."""

    videos: tuple[Path, ...] = Field(min_length=1)
    out: Path
    preset: PresetName = "auto"
    licence: Words | None = None
    consent: Words | None = None
    train_seconds: float | None = Field(default=None, gt=0)
    iterations: int | None = Field(default=None, gt=0)
    seed: int = Field(default=0, ge=0)


class AuditSettings(_Keeping):
    """What `deid-audit audit` was asked to do; `released[i]` was made from `originals[i]`."""

    originals: tuple[Path, ...] = Field(min_length=1)
    released: tuple[Path, ...] = Field(min_length=1)
    donors: tuple[Path, ...] = ()
    align: bool = False
    ratings: Path | None = None
    viewer_test: Path | None = None


class ReviewedSettings(AuditSettings, _Marking):
    """What `deid-audit run --from-review` was asked to do: `released` are the videos that were reviewed."""


class ConcealSettings(_CaseAsked, _Marking):
    """What `deid-audit conceal` was asked to do; `certificate` is the folder of the audit, when one is wanted."""

    video: Path
    method: Literal["mask", "blur", "pixelate"] = "mask"
    certificate: Path | None = None


class InspectSettings(_Asked):
    """What `deid-audit inspect` was asked to look at; `out` is the contact sheet, when one is wanted."""

    videos: tuple[Path, ...] = Field(min_length=1)
    out: Path | None = None


def make_settings(**values: object) -> RunSettings:
    """RunSettings from the command line's values; raises SettingsError in the user's words."""
    _refuse_two_budgets(values)
    settings = _checked(RunSettings, values)
    if settings.keypoints.folders:
        raise SettingsError(
            "--keypoints openpose-json is for audit: a run makes the released video itself",
            next_step="give --keypoints openpose:PATH, or audit the release afterwards with OpenPose's files",
        )
    if settings.swap_everyone != bool(settings.other_donors):
        raise SettingsError(
            "--swap-everyone and --other-donor belong together: each other person is swapped to a donor of their own",
            next_step="give both, or neither: then everybody but the subject is covered",
        )
    if settings.readers > 1 and not settings.review:
        raise SettingsError(
            "--readers needs --review: without it nobody is asked to look",
            next_step="give --review too, or leave it out",
        )
    return settings


def make_prepare_settings(**values: object) -> PrepareSettings:
    """PrepareSettings from the command line's values; raises SettingsError in the user's words."""
    _refuse_two_budgets(values)
    settings = _checked(PrepareSettings, values)
    _expect_suffix(settings.out, ".pack")
    return settings


def _refuse_two_budgets(values: dict[str, object]) -> None:
    if values.get("train_seconds") is not None and values.get("iterations") is not None:
        raise SettingsError("--train-seconds and --iterations exclude each other", next_step="give one of them")


def make_audit_settings(**values: object) -> AuditSettings:
    """AuditSettings from the command line's values; raises SettingsError in the user's words."""
    settings = _checked(AuditSettings, values)
    if len(settings.originals) != len(settings.released):
        raise SettingsError(
            f"{len(settings.originals)} originals and {len(settings.released)} released videos were given",
            next_step="give one --released for each --original, in the same order",
        )
    given = len(settings.keypoints.folders)
    if settings.keypoints.backend == "openpose-json" and given != len(settings.originals):
        raise SettingsError(
            f"{len(settings.originals)} originals and {given} --keypoints openpose-json were given",
            next_step="give one for each --original, in the same order",
        )
    return settings


def make_reviewed_settings(**values: object) -> ReviewedSettings:
    """ReviewedSettings from the command line's values; raises SettingsError in the user's words."""
    return _checked(ReviewedSettings, values)


def make_conceal_settings(**values: object) -> ConcealSettings:
    """ConcealSettings from the command line's values; raises SettingsError in the user's words."""
    settings = _checked(ConcealSettings, values)
    _expect_suffix(settings.out, ".mp4")
    if settings.context is not None and settings.certificate is None:
        raise SettingsError(
            "--context needs --certificate: without a certificate there is nothing to print the answers on",
            next_step="give --certificate DIR too, or leave --context out",
        )
    if (settings.crls or settings.tsa is not None) and settings.certificate is None:
        raise SettingsError(
            "--crl and --tsa need --certificate: without a certificate nothing is signed",
            next_step="give --certificate DIR too, or leave them out",
        )
    return settings


def make_inspect_settings(**values: object) -> InspectSettings:
    """InspectSettings from the command line's values; raises SettingsError in the user's words."""
    settings = _checked(InspectSettings, values)
    if settings.out is not None:
        _expect_suffix(settings.out, ".png")
    return settings


def _expect_suffix(out: Path, suffix: str) -> None:
    if out.suffix.lower() != suffix:
        raise SettingsError(
            f"--out must end in {suffix}: that is what is written", next_step=f"name the file FILE{suffix}"
        )


def _track(text: str) -> tuple[int, int]:
    """`2:7` is track 7 of video 2."""
    matched = re.fullmatch(r"([1-9][0-9]{0,5}):([0-9]{1,9})", text)
    if matched is None:
        raise SettingsError(
            "--subject-track must be VIDEO:TRACK, two numbers such as 1:0",
            next_step="deid-audit inspect with the same videos prints the tracks of each person",
        )
    return int(matched[1]), int(matched[2])


def _keypoints(texts: Sequence[str]) -> KeypointChoice:
    """`openpose-json:A:B` is the folders A of the original and B of the released video."""
    backends = {text.partition(":")[0] for text in texts or ("mediapipe",)}
    if len(backends) > 1:
        raise SettingsError(f"--keypoints names {' and '.join(sorted(backends))}", next_step="choose one of them")
    (backend,) = backends
    values = [text.partition(":")[2] for text in texts]
    if backend == "openpose-json":
        pairs = [tuple(value.split(":")) for value in values]
        if not all(len(pair) == 2 and all(pair) for pair in pairs):
            raise SettingsError(
                "--keypoints openpose-json needs two folders with a colon between them and none in their names",
                next_step="give --keypoints openpose-json:DIR_ORIGINAL:DIR_RELEASED for each --original, in order",
            )
        return KeypointChoice(backend=backend, folders=tuple((Path(a), Path(b)) for a, b in pairs))
    needs_path = {"mediapipe": False, "openpose": True, "rtmpose": True}
    if backend not in needs_path or len(values) > 1 or any(bool(one) != needs_path[backend] for one in values):
        raise SettingsError(
            "--keypoints must be mediapipe, openpose:PATH or rtmpose:MODEL.onnx, given once, or for audit "
            "openpose-json:DIR_ORIGINAL:DIR_RELEASED for each video",
            next_step="see docs/keypoints.md for each of them",
        )
    path = Path(values[0]) if values and values[0] else None
    return KeypointChoice.model_validate({"backend": backend, "path": path})


def _attacker(text: str) -> tuple[str, Path]:
    """`arcface:model.onnx` is that kind of model in that file."""
    kind, _, file = text.partition(":")
    if kind not in get_args(AttackerKind) or not file:
        raise SettingsError(
            "--attacker must be arcface:MODEL.onnx or sface:MODEL.onnx",
            next_step="name the kind of recogniser, a colon, and the file of its model",
        )
    return kind, Path(file)


def _checked(model: type[_Settings], values: dict[str, object]) -> _Settings:
    case_id = values.get("case_id")
    named = isinstance(case_id, str) and CASE_ID_PATTERN.fullmatch(case_id) and not case_id.startswith(".")
    if "case_id" in model.model_fields and not named:
        raise SettingsError(
            "--case-id must be 1 to 64 letters, digits, dots, underscores or hyphens, and not start with a dot",
            next_step="leave --case-id out to get a random one",
        )
    if values.get("subject_photo") is not None and values.get("subject_tracks"):
        raise SettingsError("--subject-photo and --subject-track exclude each other", next_step="give one of them")
    if "subject_tracks" in values:
        tracks = cast(Sequence[str], values["subject_tracks"])
        values = {**values, "subject_tracks": tuple(_track(str(text)) for text in tracks)}
    if "keypoints" in values:
        values = {**values, "keypoints": _keypoints(cast(Sequence[str], values["keypoints"]))}
    if values.get("references_passphrase_file") is not None and values.get("keep_references") is None:
        raise SettingsError(
            "--references-passphrase-file needs --keep-references: nothing is kept without it",
            next_step="give --keep-references FILE too, or leave it out",
        )
    if values.get("c2pa_passphrase_file") is not None and values.get("c2pa") is None:
        raise SettingsError(
            "--c2pa-passphrase-file needs --c2pa: without it no video is marked",
            next_step="give --c2pa KEY too, or leave it out",
        )
    if (values.get("crls") or values.get("tsa") is not None) and values.get("signer") is None:
        raise SettingsError(
            "--crl and --tsa need --signer: they are about a signer's key that outlives the run",
            next_step="give --signer too, or leave them out",
        )
    if values.get("attacker") is not None:
        values = {**values, "attacker": _attacker(str(values["attacker"]))}
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(str(part) for part in first["loc"]).replace("_", "-")
        raise SettingsError(f"{option}: {first['msg']}", next_step="see the command with --help") from None
