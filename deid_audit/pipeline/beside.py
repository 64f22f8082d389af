"""What stands in a release beside the videos, where it was asked for: DICOM files, and keypoints.

Both are made after the verdict, for a release only: what is withheld is withheld in every form.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deid_audit.measure import keypoint_files
from deid_audit.pipeline.reckoning import Watched
from deid_audit.settings import KeypointFile
from deid_audit.video import dicom_out
from deid_audit.video.dicom_out import DicomFacts, is_endoscopic, refuse_unfit, write_dicom
from deid_audit.video.reader import SourceVideo

DicomKind = Literal["endoscopic", "photographic"]
StageRow = tuple[str, str, float, dict[str, str | int | float | bool | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedBeside:
    """One more file of the release: its name in the folder of the videos, what for, and who writes it."""

    name: str
    role: Literal["dicom", "keypoints"]
    write: Callable[[Path], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What was asked for: `dicom[i]` is the kind of DICOM file of video i, None for none; `keypoints` of all videos."""

    dicom: tuple[DicomKind | None, ...] = ()
    keypoints: tuple[KeypointFile, ...] = ()

    def stages(self) -> list[StageRow]:
        """What the certificate says of it."""
        rows: list[StageRow] = []
        if any(self.dicom):
            rows.append(("DICOM", dicom_out.METHOD_TEXT, 0.0, {"videos": sum(map(bool, self.dicom))}))
        if self.keypoints:
            rows.append(("released keypoints", keypoint_files.METHOD_TEXT, 0.0, {"formats": ", ".join(self.keypoints)}))
        return rows

    def files(self, watched: Sequence[Watched], *, case_id: str, issued_at: str) -> list[ReleasedBeside]:
        """What is to be written for these videos."""
        found: list[ReleasedBeside] = []
        kinds = self.dicom or (None,) * len(watched)
        for number, (video, kind) in enumerate(zip(watched, kinds, strict=True), start=1):
            stem = video.released.path.stem
            if kind is not None:
                facts = DicomFacts(
                    case_id=case_id,
                    number=number,
                    issued_at=issued_at,
                    text_seen=bool(video.observed.text_left),
                    endoscopic=kind == "endoscopic",
                )
                found.append(ReleasedBeside(name=f"{stem}.dcm", role="dicom", write=_dicom(video.released, facts)))
            found += [
                ReleasedBeside(name=_KEYPOINTS[form].format(stem), role="keypoints", write=_keypoints(video, form))
                for form in self.keypoints
            ]
        return found


NOTHING_BESIDE = Beside()
_KEYPOINTS: dict[KeypointFile, str] = {"coco": "{}.keypoints.json", "csv": "{}.keypoints.csv"}


def beside_of(
    originals: Sequence[SourceVideo], *, dicom: bool | None, lossless: bool, keypoints: Sequence[KeypointFile]
) -> Beside:
    """What a job was asked for; `dicom` None is a DICOM file for each original that is one.

    Raises:
        VideoError: DICOM has no place for what would be written of an original.
    """
    kinds: list[DicomKind | None] = []
    for video in originals:
        wanted = bool(video.dicom_class) if dicom is None else dicom
        if wanted:
            refuse_unfit(video, lossless=lossless)
        kind: DicomKind = "endoscopic" if is_endoscopic(video.dicom_class) else "photographic"
        kinds.append(kind if wanted else None)
    return Beside(dicom=tuple(kinds), keypoints=tuple(dict.fromkeys(keypoints)))


def _dicom(released: SourceVideo, facts: DicomFacts) -> Callable[[Path], None]:
    return lambda target: write_dicom(target, released, facts)


def _keypoints(video: Watched, kind: KeypointFile) -> Callable[[Path], None]:
    released, track = video.released, video.observed.poses["swapped"]

    def write(target: Path) -> None:
        size = (released.facts.width, released.facts.height)
        lines = (
            keypoint_files.csv_rows(track, released.times_s)
            if kind == "csv"
            else keypoint_files.coco_lines(track, released.times_s, name=released.path.name, size=size)
        )
        with target.open("w", encoding="utf-8", newline="") as out:
            out.writelines(lines)

    return write
