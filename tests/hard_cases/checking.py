"""A finished job held against the truth: is every face gone, nobody recognised, and no swap on the wrong person.

Stands outside the job: it has the original and the written video, the ledger's CSV, the truth where the clip was made,
and searches of its own. It decides nothing about a release.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import cv2
import numpy as np

from deid_audit.frames import Float, Image
from tests.hard_cases.ledgers import Box, Said, SaidFrame
from tests.hard_cases.scenes import TrueFace, face_mask

MATCH = 0.6  # dlib's own cut for one person
# Of 42 faces cut by the border, a pillar or another person, no one of the 7 shown by up to 0.35 matched the subject at
# 0.6 (from 0.45 on they do) and CenterFace found 3; of the 35 shown by more it found 33.
LEAST_VISIBLE = 0.3
# In 405 faces of eight clips a cover changed all of a face, and a swap 0.56 to 0.65 of it, except where it was pasted
# in the wrong place (0.17, 0.47); what was only encoded again has 0.00.
LEAST_SWAPPED, LEAST_COVERED = 0.5, 0.9
# Between two real men of one skin colour a swap changed 0.09 to 0.43 of the ellipse that a detector gave.
FOUND, LEAST_SWAPPED_FOUND = "found in the original", 0.05
_HANDLED = ("swapped", "concealed")
_SHOWN = ("swapped", "undecided")
Search = Callable[[Image], Float]
Describe = Callable[[Image, Box], Float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A face that is there and was left as it was, or in part; `said` is what the ledger has at its centre."""

    frame: int
    person: str
    kind: str
    height_px: float
    visible: float
    changed: float
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unaccounted:
    """A face that a search of the written video found where the ledger has no covered or swapped region."""

    frame: int
    detector: str
    box_xyxy: Box
    at_a_face: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A face in the written video that is still the subject's; `against` is `original` or `gallery`."""

    frame: int
    against: str
    distance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPerson:
    """A swap of the subject that lies on somebody else."""

    frame: int
    person: str


@dataclass(slots=True, kw_only=True)
class Report:
    """All that was found in one video; `seen` true faces were looked at, `partly` of them too little visible."""

    clip: str
    frames: int = 0
    seen: int = 0
    partly: int = 0
    states: Counter[str] = field(default_factory=Counter)
    rungs: Counter[str] = field(default_factory=Counter)
    misses: list[Miss] = field(default_factory=list)
    unaccounted: list[Unaccounted] = field(default_factory=list)
    matches: list[Match] = field(default_factory=list)
    undecided: list[int] = field(default_factory=list)
    wrong_person: list[WrongPerson] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing at all was found."""
        return not (self.misses or self.unaccounted or self.matches or self.undecided or self.wrong_person)

    def document(self) -> dict[str, Any]:
        """Everything as JSON values."""
        return {**asdict(self), "states": dict(self.states), "rungs": dict(self.rungs), "clean": self.clean}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watch:
    """How one video is looked at: `searches` by name with every how many frames each looks.

    `describe` gives the descriptor (128,) of the face in a box; `gallery` (n, 128) are the subject's originals and
    `cut` the distance that means the subject, None without one. `subject` is the name in the truth, None where the
    truth does not know who is who.
    """

    searches: tuple[tuple[str, Search, int], ...] = ()
    describe: Describe | None = None
    describe_every: int = 1
    gallery: Float | None = None
    cut: float | None = None
    subject: str | None = None


def check(
    clip: str,
    pairs: Iterable[tuple[Image, Image]],
    ledger: Sequence[SaidFrame],
    truth: Sequence[Sequence[TrueFace]] | None,
    watch: Watch,
) -> Report:
    """Looks at every frame of a video: `pairs` are original and written pictures.

    Without `truth` (a real clip) nothing can be said of missed faces and wrong persons. ValueError when the numbers of
    frames differ.
    """
    report = Report(clip=clip, frames=len(ledger))
    known: Sequence[Sequence[TrueFace] | None] = truth if truth is not None else [None] * len(ledger)
    for index, ((original, written), said, faces) in enumerate(zip(pairs, ledger, known, strict=True)):
        report.states[said.state] += 1
        report.rungs.update(f"{region.rung or 'none'}" for region in said.regions if region.subject)
        if said.state == "undecided" or any(region.state == "undecided" for region in said.regions):
            report.undecided.append(index)
        if faces is not None:
            _look_at_faces(report, index, original, written, said, faces)
            _look_for_wrong_person(report, index, said, faces, watch.subject)
        _search(report, index, written, said, faces, watch)
        if watch.describe is not None and index % watch.describe_every == 0:
            _recognise(report, index, original, written, said, watch)
    return report


def changed_share(original: Image, written: Image, face: TrueFace, in_front: Sequence[TrueFace]) -> float:
    """How much of the face's visible part is another picture now, about [0, 1].

    A pixel has changed when it differs by more than 15 % of the face's brightness, at least by 5 of 255, after both
    pictures were smoothed: an encoder's and a dark camera's noise stays below.
    """
    outline = np.array(face.outline_xy)
    mask = face_mask(outline, original.shape)
    for other in in_front:
        mask &= ~face_mask(np.array(other.outline_xy), original.shape)
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 1.0
    window = slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)
    sigma = max(0.8, face.height_px / 60)
    before, after = (
        cv2.GaussianBlur(picture[window].astype(np.float32), (0, 0), sigma) for picture in (original, written)
    )
    part = mask[window]
    least = max(5.0, 0.15 * float(before[part].mean()))
    changed = (np.abs(before - after).max(2) > least) & part
    area = float(cv2.contourArea(cv2.convexHull(outline.astype(np.float32))))
    return float(changed.sum()) / max(1.0, min(float(part.sum()), face.visible * area))


def _look_at_faces(
    report: Report, index: int, original: Image, written: Image, said: SaidFrame, faces: Sequence[TrueFace]
) -> None:
    for number, face in enumerate(faces):
        report.seen += 1
        if face.visible < LEAST_VISIBLE:
            report.partly += 1
            continue
        changed = changed_share(original, written, face, faces[number + 1 :])
        swapped = [one for one in said.regions if one.state in _SHOWN and _belongs(face.box_xyxy, one.box_xyxy)]
        least = LEAST_SWAPPED_FOUND if face.kind == FOUND else LEAST_SWAPPED
        if changed >= (least if swapped else LEAST_COVERED):
            continue
        here = [region.state for region in said.regions if _holds(region, _centre(face.box_xyxy))]
        report.misses.append(
            Miss(
                frame=index,
                person=face.person,
                kind=face.kind,
                height_px=round(face.height_px, 1),
                visible=round(face.visible, 2),
                changed=round(changed, 2),
                said=" + ".join(here) or "nothing",
            )
        )


def _look_for_wrong_person(
    report: Report, index: int, said: SaidFrame, faces: Sequence[TrueFace], subject: str | None
) -> None:
    """A swap of the subject belongs to the foremost face at its centre."""
    if subject is None:
        return
    for region in said.regions:
        if not (region.subject and region.state in _SHOWN):
            continue
        x, y = _centre(region.box_xyxy)
        owner = None
        for face in faces:
            inside = cv2.pointPolygonTest(cv2.convexHull(np.array(face.outline_xy, np.float32)), (x, y), False) >= 0
            if inside and face.visible >= 0.1:
                owner = face
        if owner is not None and owner.person != subject:
            report.wrong_person.append(WrongPerson(frame=index, person=owner.person))


def _search(
    report: Report, index: int, written: Image, said: SaidFrame, faces: Sequence[TrueFace] | None, watch: Watch
) -> None:
    for name, search, every in watch.searches:
        if index % every:
            continue
        for box in search(written):
            found: Box = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
            if any(region.state in _HANDLED and _belongs(found, region.box_xyxy) for region in said.regions):
                continue
            near = None if faces is None else any(_belongs(found, face.box_xyxy) for face in faces)
            report.unaccounted.append(Unaccounted(frame=index, detector=name, box_xyxy=found, at_a_face=near))


def _recognise(report: Report, index: int, original: Image, written: Image, said: SaidFrame, watch: Watch) -> None:
    assert watch.describe is not None
    shown = [(region.box_xyxy, True) for region in said.regions if region.state in _SHOWN]
    shown += [(found.box_xyxy, False) for found in report.unaccounted if found.frame == index]
    for box, swapped in shown:
        after = watch.describe(written, box)
        if after is None:
            continue
        before = watch.describe(original, box) if swapped else None
        if before is not None and float(np.linalg.norm(after - before)) < MATCH:
            distance = round(float(np.linalg.norm(after - before)), 3)
            report.matches.append(Match(frame=index, against="original", distance=distance))
        if watch.gallery is not None and len(watch.gallery) and watch.cut is not None:
            nearest = float(np.linalg.norm(watch.gallery - after, axis=1).min())
            if nearest < watch.cut:
                report.matches.append(Match(frame=index, against="gallery", distance=round(nearest, 3)))


def _centre(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _holds(region: Said, point: tuple[float, float]) -> bool:
    x0, y0, x1, y1 = region.box_xyxy
    dx, dy = 0.1 * (x1 - x0), 0.1 * (y1 - y0)
    return x0 - dx <= point[0] <= x1 + dx and y0 - dy <= point[1] <= y1 + dy


def _belongs(box: Box, region: Box) -> bool:
    """As in the certificate: the centre in the region's box enlarged by a tenth, or an overlap of 0.3."""
    dx, dy = 0.1 * (region[2] - region[0]), 0.1 * (region[3] - region[1])
    x, y = _centre(box)
    if region[0] - dx <= x <= region[2] + dx and region[1] - dy <= y <= region[3] + dy:
        return True
    wide = max(0.0, min(box[2], region[2]) - max(box[0], region[0]))
    high = max(0.0, min(box[3], region[3]) - max(box[1], region[1]))
    union = _area(box) + _area(region) - wide * high
    return union > 0 and wide * high / union >= 0.3


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
