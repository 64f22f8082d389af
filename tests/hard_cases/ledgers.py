"""What a finished job says of its videos: the ledger's CSV read row by row, and the cut that the statement names.

Read with nothing of the package's own, so that the checker stands on the files alone.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

Box = tuple[float, float, float, float]
_OWN_FINDINGS = {
    "residue.unaccounted_faces": "unaccounted",
    "residue.subject_faces": "near the original",
    "residue.gallery_matches": "near the gallery",
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAudit:
    """What the job's own audit says of its written files.

    `cut`: the distance below which a face is the subject's by the gallery, None where it was not calibrated; `found`:
    by video from 1 on, how much of each residue was found, None where it was not measured.
    """

    cut: float | None
    found: dict[int, dict[str, float | None]]


def own_audit(statement: Path) -> OwnAudit:
    """Reads `evidence.json`; raises KeyError where it has no measurements."""
    document = json.loads(statement.read_text(encoding="utf-8"))
    cut: float | None = None
    found: dict[int, dict[str, float | None]] = {}
    for row in document["predicate"]["measurements"]:
        if row["metric"] not in _OWN_FINDINGS or not row["scope"].startswith("video "):
            continue
        name, number = _OWN_FINDINGS[row["metric"]], int(row["scope"].removeprefix("video "))
        found.setdefault(number, {})[name] = row["value"]
        if row["metric"] == "residue.gallery_matches":
            cut = row["detail"].get("cut", cut)
    return OwnAudit(cut=cut, found=found)


def videos_of(out: Path) -> list[Path]:
    """The written videos of a finished folder, released or withheld, in the order of the ledger."""
    folder = out / "release" / "data" if (out / "release").is_dir() else out / "withheld"
    return sorted(folder.glob("*.mp4"))
