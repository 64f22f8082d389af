"""What a finished job says of its videos: the ledger's CSV read row by row, and the cut that the statement names.

Read with nothing of the package's own, so that the checker stands on the files alone.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One region as the ledger has it; `state` is swapped, concealed, undecided, ..."""

    state: str
    subject: bool
    rung: str
    reason: str
    box_xyxy: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidFrame:
    """One frame as the ledger has it."""

    time_s: float
    state: str
    regions: tuple[Said, ...]


def read_ledger(path: Path) -> dict[int, list[SaidFrame]]:
    """The frames of every video, by the video's number; ValueError where a frame is left out."""
    found: dict[int, dict[int, SaidFrame]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            frames = found.setdefault(int(row["video"]), {})
            index = int(row["frame"])
            before = frames[index].regions if index in frames else ()
            frames[index] = SaidFrame(time_s=float(row["time_s"]), state=row["state"], regions=before + _region(row))
    for number, frames in found.items():
        if sorted(frames) != list(range(len(frames))):
            raise ValueError(f"video {number}: the ledger leaves frames out")
    return {number: [frames[index] for index in range(len(frames))] for number, frames in found.items()}


def _region(row: dict[str, str]) -> tuple[Said, ...]:
    if not row["region_state"]:
        return ()
    box = (float(row["x0"]), float(row["y0"]), float(row["x1"]), float(row["y1"]))
    return (
        Said(
            state=row["region_state"],
            subject=row["subject"] == "yes",
            rung=row["rung"],
            reason=row["reason"],
            box_xyxy=box,
        ),
    )


def gallery_cut(statement: Path) -> float | None:
    """The distance below which a face in the written files is the subject's, as calibrated by the job; None without."""
    return _cut_in(json.loads(statement.read_text(encoding="utf-8")))


def _cut_in(value: object) -> float | None:
    """The cut of the first measurement of gallery matches anywhere in the document."""
    if isinstance(value, dict):
        if value.get("name") == "residue.gallery_matches" and isinstance(value.get("detail"), dict):
            cut = value["detail"].get("cut")
            return float(cut) if cut else None
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            cut = _cut_in(one)
            if cut is not None:
                return cut
    return None


def videos_of(out: Path) -> list[Path]:
    """The written videos of a finished folder, released or withheld, in the order of the ledger."""
    folder = out / "release" if (out / "release").is_dir() else out / "withheld"
    return sorted(folder.glob("*.mp4"))
