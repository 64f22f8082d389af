"""`dataset init`: a folder of subjects, or a BIDS-like tree, becomes a dataset.toml to look through and correct.

Looks at names of folders and files only; no video is opened. What could not be placed is told, never guessed.
"""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from deid_audit.dataset.manifest import COLUMNS, Manifest, SubjectEntry
from deid_audit.errors import DataSetError
from deid_audit.files import read_at_most

VIDEO_SUFFIXES = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".avi", ".mts", ".m2ts", ".webm", ".mpg", ".mpeg", ".wmv", ".ogv")
)
PARTICIPANTS = "participants.tsv"
CONTEXT = "context.toml"
_LARGEST_TABLE_BYTES = 16 << 20
_NOT_SUBJECTS = frozenset({"donor", "donors", "strangers", "derivatives", "sourcedata", "code", "stimuli"})
_DECADE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a folder came to: the manifest, and what was noticed, each a sentence without a name."""

    manifest: Manifest
    bids: bool
    noticed: tuple[str, ...]


def propose(root: Path) -> Proposal:
    """A data set from the folders below `root`: one a subject, or BIDS's sub-XX with sessions below.

    Raises:
        DataSetError: there is no such folder, no subject or no donor in it, or its participants.tsv is no table.
    """
    try:
        folders = sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("."))
        loose = [one for one in root.iterdir() if one.suffix.lower() in VIDEO_SUFFIXES]
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise DataSetError(f"the folder cannot be looked at: {why}", next_step="give the data set's folder") from None
    bids = any(_is_bids(one) for one in folders)
    subjects = [one for one in folders if (_is_bids(one) if bids else one.name.lower() not in _NOT_SUBJECTS)]
    groups, noticed = _groups(root)
    donors = _donors(folders)
    entries: list[SubjectEntry] = []
    without = unnamed = 0
    for folder in subjects:
        videos = _videos(folder, root)
        if not videos:
            without += 1
            continue
        at = len(entries)
        dealt = [] if len(donors) < 2 else donors[at % len(donors)]
        row = groups.get(folder.name, {})
        unnamed += bool(groups) and not row
        said = {"name": folder.name, "videos": videos, "donors": dealt, **row}
        try:
            entries.append(SubjectEntry.model_validate(said))
        except ValidationError:
            raise DataSetError(
                "a name of a folder, a file or a group is too long or holds characters that cannot be printed",
                next_step="rename it, and run this again",
            ) from None
    if not entries:
        raise DataSetError(
            "no folder with a video was found: one folder a subject is looked for, or sub-01/ses-01/video",
            next_step="give the folder in which the subjects' folders stand",
        )
    if loose:
        noticed.append(f"{len(loose)} videos stand in no subject's folder and were left out")
    if without:
        noticed.append(f"{without} folders hold no video and were left out")
    if unnamed:
        noticed.append(f"{unnamed} subjects have no row in {PARTICIPANTS}")
    if not donors:
        noticed.append("no donor was found in donors/: name one in `donors` before the check")
    elif len(donors) > 1:
        noticed.append(f"{len(donors)} donors were dealt out in turn: one donor for one subject is a pseudonym of them")
    manifest = Manifest(
        schema=1,
        title="Exam videos",
        policy="release",
        donors=donors[0] if len(donors) == 1 else [],
        context=CONTEXT if (root / CONTEXT).is_file() else None,
        keypoints="mediapipe",
        subject=entries,
    )
    return Proposal(manifest=manifest, bids=bids, noticed=tuple(noticed))


def _is_bids(folder: Path) -> bool:
    return re.fullmatch(r"sub-[A-Za-z0-9]+", folder.name) is not None


def _videos(folder: Path, root: Path) -> list[str]:
    """Below a folder, in the order of their paths; links to folders are not followed."""
    found = (one for one in folder.rglob("*") if one.suffix.lower() in VIDEO_SUFFIXES and one.is_file())
    return [one.relative_to(root).as_posix() for one in sorted(found) if not one.name.startswith(".")]


def _donors(folders: list[Path]) -> list[list[str]]:
    """Each donor's files: all packs together are one choice; else a folder, or a single video, is one donor."""
    place = next((one for one in folders if one.name.lower() in ("donor", "donors")), None)
    if place is None:
        return []
    root = place.parent
    packs = sorted(one.relative_to(root).as_posix() for one in place.rglob("*.pack"))
    if packs:
        return [packs]
    people = [_videos(one, root) for one in sorted(place.iterdir()) if one.is_dir()]
    single = [one for one in sorted(place.iterdir()) if one.suffix.lower() in VIDEO_SUFFIXES and one.is_file()]
    return [*(one for one in people if one), *([one.relative_to(root).as_posix()] for one in single)]


def _groups(root: Path) -> tuple[dict[str, dict[str, str]], list[str]]:
    """The optional columns of participants.tsv by participant; an `age` in years becomes a band of ten."""
    path = root / PARTICIPANTS
    if not path.is_file():
        return {}, []
    try:
        text = (read_at_most(path, _LARGEST_TABLE_BYTES) or b"").decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise DataSetError(f"{PARTICIPANTS} is not text in UTF-8", next_step="save it again, or move it away") from None
    reader = csv.DictReader(io.StringIO(text), delimiter="\t")
    if "participant_id" not in (reader.fieldnames or ()):
        raise DataSetError(
            f"{PARTICIPANTS} has no column participant_id", next_step="separate its columns by tabs, as BIDS does"
        )
    rows = {}
    for row in reader:
        said = {name: (row.get(name) or "").strip() for name in COLUMNS}
        said["age_band"] = said["age_band"] or _band((row.get("age") or "").strip())
        rows[row["participant_id"]] = {name: text for name, text in said.items() if text and text != "n/a"}
    given = [name for name in COLUMNS if any(name in row for row in rows.values())]
    return rows, [f"groups were read from {PARTICIPANTS}: {', '.join(given) or 'none of ' + ', '.join(COLUMNS)}"]


def _band(age: str) -> str:
    """
    >>> _band("47"), _band("n/a"), _band("93")
    ('40-49', '', '90 or more')
    """
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", age):
        return ""
    low = int(float(age)) // _DECADE * _DECADE
    return f"{low}-{low + _DECADE - 1}" if low < 90 else "90 or more"
