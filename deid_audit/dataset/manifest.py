"""dataset.toml: which subjects, with which videos and donors, by which policy; read strictly, written for `init`.

Names of subjects stay in this file and in the steward's folder. Messages call a subject by its number in the file.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from deid_audit.errors import DataSetError
from deid_audit.files import read_at_most
from deid_audit.records import Strict, line_fault
from deid_audit.settings import RunSettings, make_settings
from deid_audit.toml_table import NotToml, toml_table
from deid_audit.video.places import path_from

MANIFEST_FILE = "dataset.toml"
COLUMNS = ("age_band", "sex", "skin_tone")
_LARGEST_FILE_BYTES = 16 << 20
_LONGEST_WORDS = 200
_NEXT = "compare the file with the example in docs/datasets.md, or propose one anew: deid-audit dataset init"


def _one_line(text: str) -> str:
    if fault := line_fault(text, _LONGEST_WORDS):
        raise ValueError(f"the text {fault}")
    return text


Line = Annotated[str, AfterValidator(_one_line)]


class SubjectEntry(Strict):
    """One subject: paths are as in the file, relative to its folder. The last three say to which groups they belong."""

    model_config = ConfigDict(strict=True)

    name: Line
    videos: list[Line] = Field(min_length=1)
    donors: list[Line] = Field(default=[])
    photo: Line | None = None
    tracks: list[Line] = Field(default=[])
    age_band: Line | None = None
    sex: Line | None = None
    skin_tone: Line | None = None


class Manifest(Strict):
    """A data set as its file says it; `donors` are those of every subject without donors of their own."""

    model_config = ConfigDict(strict=True)

    version: Literal[1] = Field(alias="schema")
    title: Line
    policy: Line = "release"
    donors: list[Line] = Field(default=[])
    context: Line | None = None
    strangers: Line | None = None
    keypoints: Line = "mediapipe"
    audio: Line = "drop"
    burned_in_text: Line = "flag"
    device: Line = "auto"
    preset: Line = "auto"
    train_seconds: float | None = None
    iterations: int | None = None
    seed: int = 0
    lossless: bool = False
    thorough: bool = False
    different_people: list[tuple[Line, Line]] = Field(default=[])
    subjects: list[SubjectEntry] = Field(min_length=1, alias="subject")


def read_manifest(path: Path) -> Manifest:
    """The data set of a dataset.toml; DataSetError for any other form, key, type or contradiction."""
    try:
        data = read_at_most(path, _LARGEST_FILE_BYTES)
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise DataSetError(f"the data set's file: {why}", next_step="check the path of dataset.toml") from None
    if data is None:
        raise DataSetError("the data set's file is larger than 16 MiB", next_step=_NEXT)
    try:
        table = toml_table(data)
    except NotToml as error:
        raise DataSetError(f"the data set's file: {error}", next_step=_NEXT) from None
    pairs = table.get("different_people")
    if isinstance(pairs, list):  # TOML knows no tuples
        table["different_people"] = [tuple(pair) if isinstance(pair, list) else pair for pair in pairs]
    try:
        manifest = Manifest.model_validate(table)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise DataSetError(f"the data set's file: {_place(first['loc'])}{first['msg']:.120}", next_step=_NEXT) from None
    _refuse_contradictions(manifest)
    return manifest


def subject_words(number: int) -> str:
    """What a subject is called in messages: by number in the file, from 1.

    >>> subject_words(3)
    'subject 3'
    """
    return f"subject {number}"


def settings_of(
    manifest: Manifest,
    number: int,
    *,
    folder: Path,
    out: Path,
    case_id: str,
    signer: str | None = None,
    passphrase_file: Path | None = None,
    log: Path | None = None,
) -> RunSettings:
    """The settings of subject `number`'s case (from 1); paths are taken from `folder`, URLs as they are.

    Raises:
        DataSetError: in the words of the settings, with the subject's number.
        SettingsError: what belongs to no subject, such as a signer.
    """
    subject = manifest.subjects[number - 1]

    def at(text: str | None) -> Path | None:
        return None if text is None else path_from(folder, text)

    return make_settings(
        subjects=tuple(path_from(folder, one) for one in subject.videos),
        donors=tuple(path_from(folder, one) for one in subject.donors or manifest.donors),
        subject_photo=at(subject.photo), subject_tracks=tuple(subject.tracks),
        swap_everyone=False, other_donors=(), policy=policy_of(manifest, folder),
        context=at(manifest.context), strangers=at(manifest.strangers), keypoints=(keypoints_of(manifest, folder),),
        audio=manifest.audio, burned_in_text=manifest.burned_in_text, device=manifest.device, preset=manifest.preset,
        train_seconds=manifest.train_seconds, iterations=manifest.iterations, seed=manifest.seed,
        lossless=manifest.lossless, thorough=manifest.thorough, out=out, case_id=case_id, force=True,
        signer=signer, passphrase_file=passphrase_file, log=log,
    )  # fmt: skip


def policy_of(manifest: Manifest, folder: Path) -> str:
    """A shipped policy's name as it is, a file's path from `folder`."""
    named = manifest.policy
    return str(folder / named) if named.endswith(".toml") else named


def keypoints_of(manifest: Manifest, folder: Path) -> str:
    """As `--keypoints` takes it, its path from `folder`.

    >>> from types import SimpleNamespace
    >>> keypoints_of(SimpleNamespace(keypoints="rtmpose:m.onnx"), Path("set"))
    'rtmpose:set/m.onnx'
    """
    backend, colon, path = manifest.keypoints.partition(":")
    return f"{backend}:{folder / path}" if colon else backend


def toml_text(manifest: Manifest, *, head: Sequence[str] = ()) -> str:
    """The file's text, with `head` as comments; what has its default is left out, but for policy and keypoints."""
    said = manifest.model_dump(by_alias=True, exclude_defaults=True)
    subjects = said.pop("subject")
    said = {"schema": 1, "title": manifest.title, "policy": manifest.policy, "keypoints": manifest.keypoints} | said
    lines = [*(f"# {line}" for line in head), *_pairs(said)]
    for subject in subjects:
        lines += ["", "[[subject]]", *_pairs(subject)]
    return "\n".join(lines) + "\n"


def _pairs(table: dict[str, object]) -> list[str]:
    """TOML writes these texts, numbers and lists as JSON does; what cannot be printed was refused before."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in table.items()]


def _place(parts: Sequence[int | str]) -> str:
    """`subject 2, videos: ` for ("subject", 1, "videos")."""
    if len(parts) > 1 and parts[0] == "subject" and isinstance(parts[1], int):
        parts = [subject_words(parts[1] + 1), *parts[2:]]
    return f"{', '.join(map(str, parts))}: " if parts else ""


def _refuse_contradictions(manifest: Manifest) -> None:
    seen_names: dict[str, int] = {}
    seen_videos: dict[str, int] = {}
    for number, subject in enumerate(manifest.subjects, start=1):
        first = seen_names.setdefault(subject.name, number)
        if first != number:
            _refuse(f"{subject_words(first)} and {subject_words(number)} have the same name", "name each once")
        for video in subject.videos:
            place = str(Path(video))
            if place in seen_videos:
                who = f"{subject_words(seen_videos[place])} and {subject_words(number)}"
                _refuse(f"a video is listed twice, for {who}", "list each video once, with the subject it shows")
            seen_videos[place] = number
        if not (subject.donors or manifest.donors):
            _refuse(f"{subject_words(number)} has no donor", "name videos of a donor, or packs, in `donors`")
    unknown = [name for pair in manifest.different_people for name in pair if name not in seen_names]
    if unknown:
        _refuse("different_people names somebody who is no subject", "name two of the subjects as they are named here")


def _refuse(what: str, next_step: str) -> None:
    raise DataSetError(f"the data set's file: {what}", next_step=next_step)
