"""Gathers other people for the gallery of the attacks: those the steward names, two portraits, and the videos' own.

Who looks like the subject or the donor may be them and is left out, and nobody counts twice. File names go nowhere.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from deid_audit.errors import DeidAuditError, SettingsError
from deid_audit.faces.photo import read_picture
from deid_audit.frames import Float, Image
from deid_audit.measure.sampled import NO_FEATURES, Strangers, evenly
from deid_audit.measure.texture import inner_chip
from deid_audit.pipeline.cast import Role
from deid_audit.pipeline.demo_clips import donor_portrait, subject_portrait
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.outsider import Outsider, swapped_features
from deid_audit.progress import Progress
from deid_audit.video.reader import open_video, read_frames
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import MATCH_DISTANCE

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEOS = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"})
_FRAMES_A_VIDEO = 8
_MOST_SWAPPED = 16
_GIVEN, _SHIPPED, _SEEN = "given", "shipped portraits", "others in these videos"


def refuse_bad_folder(folder: Path | None) -> None:
    """SettingsError for a folder of strangers that is none, or holds no picture and no video."""
    if folder is None:
        return
    if not folder.is_dir():
        raise SettingsError("--strangers is not a folder", next_step="give a folder of pictures or videos of others")
    if not any(_people_in(folder)):
        raise SettingsError(
            "--strangers holds no picture and no video",
            next_step="put one person in each file, or several files of one person in a folder of theirs",
        )


def gather_strangers(
    folder: Path | None,
    subject: Role,
    donor: Float | None,
    *,
    engines: Engines,
    progress: Progress,
    outsider: Outsider | str,
) -> Strangers:
    """One entry a person; `donor` is the donor's average descriptor (128,), if there is a donor.

    `outsider` swaps their pictures as an intruder could, or is the reason in words why nobody can.

    A file in the folder is a person, a folder in it is one person with several files. A picture or frame counts where
    one face is seen in it. Files that cannot be used are counted in a message.
    """
    swaps = None if isinstance(outsider, str) else outsider
    people = [_described([portrait], engines, _SHIPPED, swaps) for portrait in (subject_portrait(), donor_portrait())]
    people += [] if folder is None else _given(folder, engines, swaps, progress)
    people += [_Person(rows=other.average[None], source=_SEEN) for other in subject.others]
    near = [subject.average] if donor is None else [subject.average, donor]
    known, twice = _told_apart([one for one in people if len(one.rows)])
    if twice:
        progress.say(f"{twice} given strangers look like another one and count as the same person")
    kept = [one for one in known if all(np.linalg.norm(one.rows.mean(axis=0) - of) >= MATCH_DISTANCE for of in near)]
    return Strangers(
        rows=tuple(one.rows for one in kept),
        inside=tuple(one.inside for one in kept),
        sources=tuple(one.source for one in kept),
        attacker=() if engines.attacker is None else tuple(one.attacker for one in kept),
        left_out=len(known) - len(kept),
        swapped=() if swaps is None else tuple(one.swapped for one in kept),
        not_swapped_because=outsider if isinstance(outsider, str) else "",
    )


def _given(folder: Path, engines: Engines, swaps: Outsider | None, progress: Progress) -> list["_Person"]:
    """Everybody in the folder, also those in whose files no single face is found."""
    groups, people = list(_people_in(folder)), []
    with progress.step("strangers", len(groups)) as step:
        for files in groups:
            people.append(_described(_pictures_of(files), engines, _GIVEN, swaps))
            step.advance()
    if unusable := sum(not len(one.rows) for one in people):
        progress.say(f"{unusable} of {len(groups)} given strangers show no single face that could be described")
    return people


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Person:
    """One stranger: descriptors (k, 128), grey chips, and the named recogniser's rows (k, d) of the same pictures.

    `swapped` (j, 1084) is of at most 16 of them, swapped by the outsider.
    """

    rows: Float
    source: str
    inside: tuple[Image, ...] = ()
    attacker: Float = field(default_factory=lambda: np.empty((0, 0), np.float32))
    swapped: Float = field(default_factory=NO_FEATURES.copy)


def _told_apart(people: Sequence[_Person]) -> tuple[list[_Person], int]:
    """Everybody once: who is as near to an earlier one as two pictures of one person are is left out and counted."""
    kept: list[_Person] = []
    averages: list[Float] = []
    for one in people:
        average = one.rows.mean(axis=0)
        if all(np.linalg.norm(average - other) >= MATCH_DISTANCE for other in averages):
            kept.append(one)
            averages.append(average)
    return kept, len(people) - len(kept)


def _people_in(folder: Path) -> Iterator[list[Path]]:
    """The files of each person, in the order of their names; a folder that cannot be opened holds nobody.

    Raises:
        SettingsError: the folder itself cannot be opened.
    """
    known = PICTURES | VIDEOS
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        why = error.strerror or "it cannot be read"
        raise SettingsError(f"--strangers cannot be opened: {why}", next_step="check the folder") from None
    for entry in entries:
        try:
            files = sorted(entry.iterdir()) if entry.is_dir() else [entry]
            kept = [path for path in files if path.is_file() and path.suffix.lower() in known]
        except OSError:
            continue
        if kept:
            yield kept


def _pictures_of(files: Sequence[Path]) -> Iterator[Image]:
    """Pictures, and frames spread over the videos; what cannot be read shows nothing."""
    for path in files:
        try:
            if path.suffix.lower() in PICTURES:
                yield read_picture(path, what="a stranger's picture")
                continue
            source = open_video(path, label="a stranger's video")
            wanted = set(evenly(source.facts.frame_count, _FRAMES_A_VIDEO).tolist())
            for frame in read_frames(source):
                if frame.index in wanted:
                    yield frame.image_rgb
        except (DeidAuditError, OSError):
            continue


def _described(pictures: Iterable[Image], engines: Engines, source: str, outsider: Outsider | None) -> _Person:
    """What the pictures in which one face is seen show of it, and what is seen of them when the outsider swaps them."""
    mesh = FaceMesh(video=False)
    kept: list[tuple[Image, Float]] = []  # whole pictures, until all are there: they give the neutral shape
    whole, inside, attacked = [], [], []
    for image in pictures:
        boxes = engines.leading.detect(image).boxes_xyxy
        points = mesh.landmarks(image, boxes[0]) if len(boxes) == 1 else None
        if points is not None:
            whole.append(engines.recognizer.chip_from_mesh(image, points[:, :2]))
            inside.append(inner_chip(image, points[:, :2]))
            if outsider is not None and len(kept) < _MOST_SWAPPED:
                kept.append((image, np.ascontiguousarray(points[:, :2])))
            if engines.attacker is not None:
                attacked.append(engines.attacker.describe(image, points[:, :2]))
    recognizer = engines.recognizer
    swapped = swapped_features(outsider, kept, mesh, recognizer) if outsider is not None else NO_FEATURES.copy()
    mesh.close()
    rows = np.stack(attacked) if attacked else np.empty((0, 0), np.float32)
    return _Person(rows=recognizer.describe(whole), source=source, inside=tuple(inside), attacker=rows, swapped=swapped)
