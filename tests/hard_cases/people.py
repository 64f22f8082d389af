"""Who appears in the hard cases: cut-outs of free portraits and of real clips, each with the outline of the face.

Grace Hopper (US Navy) and Eileen Collins (NASA) are public domain and move as in the demo; scikit-image's cameraman
(CC0 by its photographer, Lav Varshney) stands still, in profile. A person of a real clip moves as filmed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.pipeline.demo_clips import DONOR_MOTION, SUBJECT_MOTION, Motion, MovingPortrait, donor_portrait
from deid_audit.vision.detectors import CenterFaceDetector, MediaPipeDetector
from deid_audit.vision.mesh import FACE_OVAL, FaceMesh

RATE = 25
_BODY_PX = 400  # the last row of a bust goes on below, so that nobody ends in the air

_WALL = (176, 180, 172)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Look:
    """A person at one instant: `image_rgb` (H, W, 3), `cover` float32 (H, W) in [0, 1], `outline_xy` (n, 2) px."""

    image_rgb: Image
    cover: Float
    outline_xy: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """Somebody who can be placed in a scene; `at(t)` is the look after `t` seconds, `face_px` the face's own height."""

    name: str
    at: Callable[[float], Look]
    face_px: float


@cache
def _segmenter() -> object:
    import mediapipe as mp  # noqa: PLC0415  (slow import)

    return mp.solutions.selfie_segmentation.SelfieSegmentation(model_selection=0)


def cover_of(image_rgb: Image) -> Float:
    """Where the person is in a picture, float32 (H, W), with an edge of a few pixels."""
    found = _segmenter().process(image_rgb).segmentation_mask  # type: ignore[attr-defined]
    solid = _largest(np.asarray(found) > 0.5)
    return np.asarray(cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 1.5), np.float32)


def _largest(mask: NDArray[np.bool_]) -> Image:
    """The largest connected part of a mask, as 0 and 1."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()) if count > 1 else 0
    return np.asarray(labels == largest, np.uint8)


def moving(name: str, portrait_rgb: Image, motion: Motion) -> Person:
    """The person of a portrait, cut out, moving like this."""
    cover = cover_of(portrait_rgb)
    # what a turning head pulls in from beside it is wall, not the portrait's flag
    before_wall = portrait_rgb * cover[..., None] + np.array(_WALL, np.float32) * (1 - cover[..., None])
    moving = MovingPortrait(np.ascontiguousarray(before_wall.astype(np.uint8)), motion)
    below = (0, _BODY_PX, 0, 0)
    cover = cv2.copyMakeBorder(cover, *below, cv2.BORDER_REPLICATE)

    @lru_cache(maxsize=200)  # the cases show the same seconds
    def at(t: float) -> Look:
        image = cv2.copyMakeBorder(moving.at(t), *below, cv2.BORDER_REPLICATE)
        return Look(image_rgb=image, cover=cover, outline_xy=moving.points_at(t)[list(FACE_OVAL)])

    return Person(name=name, at=at, face_px=float(np.ptp(at(0).outline_xy[:, 1])))


@cache
def hopper(motion: Motion = SUBJECT_MOTION) -> Person:
    """Grace Hopper, lit more brightly as in the demo, as large as she is mostly shown."""
    import matplotlib  # noqa: PLC0415

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    brighter = np.round(255 * (np.arange(256) / 255) ** 0.7).astype(np.uint8)
    portrait = cv2.LUT(cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB), brighter)
    return moving("hopper", cv2.resize(portrait, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA), motion)


@cache
def collins(motion: Motion = DONOR_MOTION) -> Person:
    """Eileen Collins, at the portrait's own size."""
    return moving("collins", donor_portrait(), motion)


@cache
def cameraman() -> Person:
    """A man in profile who does not move; his camera and its tripod are cut away with the background."""
    from skimage import data  # noqa: PLC0415

    grey = cv2.resize(data.camera(), None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    image = np.ascontiguousarray(np.repeat(grey[..., None], 3, 2))
    left, top, right, bottom = (float(edge) for edge in CenterFaceDetector().detect(image).boxes_xyxy[0])
    look = Look(image_rgb=image, cover=cover_of(image), outline_xy=ellipse_in(left, top, right, bottom))
    return Person(name="cameraman", at=lambda t: look, face_px=bottom - top)


def ellipse_in(left: float, top: float, right: float, bottom: float) -> NDArray[np.float64]:
    """An outline (36, 2) that fills a box."""
    angle = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    centre = np.array(((left + right) / 2, (top + bottom) / 2))
    return centre + np.stack((np.cos(angle) * (right - left) / 2, np.sin(angle) * (bottom - top) / 2), 1)


def filmed(path: Path, *, seconds: float, start_s: float = 0.0) -> Person:
    """The person of a real clip of one person; the film is run forwards and backwards where it is too short."""
    detector, mesh, looks = MediaPipeDetector(), FaceMesh(video=False), []
    for image in _pictures(path, start_s, seconds):
        boxes = detector.detect(image).boxes_xyxy
        points = mesh.landmarks(image, boxes[0]) if len(boxes) else None
        if points is not None:
            outline = points[list(FACE_OVAL), :2].astype(np.float64)
            whole, cover = (
                cv2.copyMakeBorder(part, 0, _BODY_PX, 0, 0, cv2.BORDER_REPLICATE) for part in (image, cover_of(image))
            )
            looks.append(Look(image_rgb=whole, cover=cover, outline_xy=outline))
    mesh.close()
    assert looks, f"no face in {path.name}"
    there_and_back = looks + looks[::-1]
    return Person(
        name=path.stem,
        at=lambda t: there_and_back[round(t * RATE) % len(there_and_back)],
        face_px=float(np.median([np.ptp(look.outline_xy[:, 1]) for look in looks])),
    )


def _pictures(path: Path, start_s: float, seconds: float) -> list[Image]:
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time >= start_s + seconds:
                break
            if frame.time is not None and frame.time >= start_s:
                found.append(np.ascontiguousarray(frame.to_ndarray(format="rgb24")))
    return found


def drawn_hand() -> Look:
    """A hand with a pointing finger, drawn: skin-coloured, shaded, the forearm below. Its outline is the finger tip."""
    high, wide = 900, 260
    cover = np.zeros((high, wide), np.uint8)
    cv2.line(cover, (130, 300), (130, high), 255, 110)
    cv2.ellipse(cover, (130, 270), (80, 95), 0, 0, 360, 255, -1)
    cv2.line(cover, (95, 220), (95, 30), 255, 44)
    cv2.line(cover, (200, 250), (215, 190), 255, 42)
    shade = cv2.GaussianBlur(cover, (0, 0), 14).astype(np.float32) / 255
    image = np.array((212, 160, 132), np.float32) * (0.55 + 0.45 * shade[..., None])
    for x in (95, 130, 165):  # folded fingers
        cv2.line(image, (x, 215), (x - 4, 285), (150, 100, 84), 4, cv2.LINE_AA)
    soft = cv2.GaussianBlur(cover, (0, 0), 1.5).astype(np.float32) / 255
    return Look(image_rgb=image.clip(0, 255).astype(np.uint8), cover=soft, outline_xy=np.array(((95.0, 30.0),)))


def filmed_hand(path: Path) -> Look:
    """The fist and forearm of the woman before a black background, keyed out of one frame: a real hand."""
    image = _pictures(path, 1.9, 0.05)[0]
    part = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(part, [np.array(((180, 720), (180, 480), (350, 0), (545, 0), (545, 150), (455, 235), (445, 720)))], 1)
    key = _largest((image.max(2) > 45) & (part == 1))
    solid = cv2.morphologyEx(key, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    rows, columns = np.nonzero(solid)
    window = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    soft = cv2.GaussianBlur(solid.astype(np.float32), (0, 0), 1.5)[window]
    top = rows.min()
    tip = (float(columns[rows < top + 60].mean() - columns.min()), 60.0)
    bright = np.clip(image[window].astype(np.float32) * 1.3, 0, 255).astype(np.uint8)
    return Look(image_rgb=np.ascontiguousarray(bright), cover=soft, outline_xy=np.array((tip,)))
