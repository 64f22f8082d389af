"""People put into pictures, the later ones in front of the earlier ones, and what is true of each face.

The truth is counted from the same layers that make the picture: a face's visible share is the share of its outline's
area that lies in the frame and is not covered by a later layer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Frame, Image
from deid_audit.pipeline.demo_clips import FRAME_RATE, planned
from deid_audit.video.writer import write_video
from tests.hard_cases.people import Look, Person

SIZE = (640, 480)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueFace:
    """A face that is there: `box_xyxy` and `outline_xy` of the whole face in px, also where it is hidden or outside.

    `visible` in [0, 1]; `kind` says what makes the moment hard.
    """

    person: str
    kind: str
    box_xyxy: tuple[float, float, float, float]
    outline_xy: tuple[tuple[float, float], ...]
    visible: float

    @property
    def height_px(self) -> float:
        return self.box_xyxy[3] - self.box_xyxy[1]


Truth = tuple[tuple[TrueFace, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HardClip:
    """The pictures of one case and the faces of each, those in front last."""

    name: str
    subject: str
    pictures: tuple[Image, ...]
    truth: Truth

    def written(self, folder: Path, *, name: str = "") -> Path:
        """The clip as a video, 25 frames a second, near-lossless: the encoder is not the hard part."""
        path = folder / f"{name or self.name}.mp4"
        plan = planned(self.name, self.pictures[0], range(len(self.pictures)), Fraction(1, FRAME_RATE))
        frames = (Frame(index=i, pts=i, image_rgb=picture) for i, picture in enumerate(self.pictures))
        write_video(path, frames, like=plan)
        return path


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layer:
    """One thing in a picture, in the picture's own pixels; `outline_xy` is None for what has no face."""

    image_rgb: Image
    cover: Float
    person: str = ""
    kind: str = ""
    outline_xy: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a face's centre stands, in shares of the picture; its height in shares of the picture's; turn clockwise."""

    x: float
    y: float = 0.46
    height: float = 0.32
    turn: float = 0.0


def room(size: tuple[int, int] = SIZE, *, number: int = 0) -> Image:
    """A quiet wall with a skirting and a soft light, another colour for each number; nothing on it is like a face."""
    width, height = size
    colour = np.array(((176, 180, 172), (150, 160, 176), (182, 168, 150), (120, 128, 122))[number % 4], np.float32)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    light = 1 + 0.12 * np.cos((x / width - 0.3 - 0.2 * number) * 2.2) - 0.10 * y / height
    wall = colour * light[..., None]
    wall[int(0.86 * height) :] *= 0.7
    return np.asarray(wall.clip(0, 255), np.uint8)


def placed(person: Person, t: float, place: Place, size: tuple[int, int], kind: str = "") -> Layer:
    """The person at `t` seconds, where the place says."""
    width, height = size
    scale = place.height * height / person.face_px
    first = person.at(0).outline_xy
    centre = (first.min(0) + first.max(0)) / 2
    at = np.array((place.x * width, place.y * height))
    return _warped(person.at(t), scale, place.turn, centre, at, size, person=person.name, kind=kind or "plain")


def thing(look: Look, place: Place, size: tuple[int, int]) -> Layer:
    """A hand or the like: the first point of its outline comes to the place; `height` is that of the whole thing."""
    width, height = size
    scale = place.height * height / look.image_rgb.shape[0]
    at = np.array((place.x * width, place.y * height))
    layer = _warped(look, scale, place.turn, look.outline_xy[0], at, size, person="", kind="")
    return Layer(image_rgb=layer.image_rgb, cover=layer.cover)


def _warped(
    look: Look,
    scale: float,
    turn: float,
    centre: NDArray[np.float64],
    at: NDArray[np.float64],
    size: tuple[int, int],
    *,
    person: str,
    kind: str,
) -> Layer:
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), -turn, scale)
    matrix[:, 2] += at - centre
    image, cover = look.image_rgb, look.cover
    if scale < 0.8:  # what lies between the pixels would alias
        image, cover = (cv2.GaussianBlur(part, (0, 0), 0.45 / scale) for part in (image, cover))
    return Layer(
        image_rgb=cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE),
        cover=cv2.warpAffine(cover, matrix, size, flags=cv2.INTER_LINEAR),
        person=person,
        kind=kind,
        outline_xy=look.outline_xy @ matrix[:, :2].T + matrix[:, 2],
    )


def composed(background: Image, layers: Sequence[Layer]) -> tuple[Image, tuple[TrueFace, ...]]:
    """The picture, and the faces in it, those in front last."""
    picture = background.astype(np.float32)
    owner = np.full(background.shape[:2], -1, np.int32)
    for number, layer in enumerate(layers):
        picture += (layer.image_rgb - picture) * layer.cover[..., None]
        owner[layer.cover > 0.5] = number
    faces = [
        _true_face(layer, layer.outline_xy, owner == number)
        for number, layer in enumerate(layers)
        if layer.outline_xy is not None
    ]
    return np.ascontiguousarray((picture + 0.5).clip(0, 255).astype(np.uint8)), tuple(faces)


def _true_face(layer: Layer, outline: NDArray[np.float64], mine: NDArray[np.bool_]) -> TrueFace:
    shown = face_mask(outline, mine.shape) & mine
    (left, top), (right, bottom) = outline.min(0).tolist(), outline.max(0).tolist()
    area = float(cv2.contourArea(cv2.convexHull(outline.astype(np.float32))))
    return TrueFace(
        person=layer.person,
        kind=layer.kind,
        box_xyxy=(left, top, right, bottom),
        outline_xy=tuple((round(x, 1), round(y, 1)) for x, y in outline.tolist()),
        visible=min(1.0, float(shown.sum()) / max(1.0, area)),
    )


def face_mask(outline_xy: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """The pixels (H, W) of a frame that lie inside an outline."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(outline_xy).astype(np.int32)), 1)
    return np.asarray(mask.astype(bool))


def turned(clip: HardClip, name: str, quarter_turns: int) -> HardClip:
    """The whole video turned clockwise by quarters, its pixels and its truth."""
    height, width = clip.pictures[0].shape[:2]

    def point(x: float, y: float) -> tuple[float, float]:
        wide, high = width, height
        for _ in range(quarter_turns):
            x, y, wide, high = high - 1 - y, x, high, wide
        return x, y

    def face(one: TrueFace) -> TrueFace:
        outline = tuple(point(*xy) for xy in one.outline_xy)
        xs, ys = zip(*outline, strict=True)
        box = (min(xs), min(ys), max(xs), max(ys))
        return TrueFace(
            person=one.person, kind=f"whole video turned {90 * quarter_turns}", box_xyxy=box, outline_xy=outline,
            visible=one.visible,
        )  # fmt: skip

    pictures = tuple(np.ascontiguousarray(np.rot90(picture, -quarter_turns)) for picture in clip.pictures)
    return HardClip(
        name=name,
        subject=clip.subject,
        pictures=pictures,
        truth=tuple(tuple(face(one) for one in faces) for faces in clip.truth),
    )


def clip_of(name: str, subject: str, frames: Iterator[tuple[Image, tuple[TrueFace, ...]]]) -> HardClip:
    """The clip that the frames make."""
    pictures, truth = zip(*frames, strict=True)
    return HardClip(name=name, subject=subject, pictures=pictures, truth=truth)
