"""Pastes a swapped face back: warp to the frame, a feathered mask from brow to jaw, colours that do not flicker.

Only the face's bounding area is touched; every other pixel stays as decoded.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import AlignedFace, Float, Image, SwappedFace
from deid_audit.render.matching import continued, lit_as
from deid_audit.vision.colour import ColourStats, colour_stats, recolour
from deid_audit.vision.mesh import FACE_OVAL

METHOD_TEXT = (
    "The swapped face is warped back with the frame's own transform and blended under a feathered mask from forehead "
    "to jaw, wider where the frame asks for it; its colours follow the mean and spread of what is seen of the original "
    "face, averaged over about half a second, and towards its edge the light of the original's rim. Hair or a hat that "
    "reaches into the outline above the brows stays in front, but for the wider masks. A face whose swap fails any "
    "check is covered with black instead."
)
_RIM = (0.93, 1.0)  # of the face's outline
_FEATHER_SHARE = 0.03  # of the face's width


@dataclass(frozen=True, slots=True, kw_only=True)
class Blend:
    """How a face is pasted: `grow` widens the outline, `lift` moves its forehead up by that share of its height.

    `solid` keeps full strength up to the outline and softens outside of it; `keeps_hair` leaves what the swap says
    stands in front.
    """

    grow: float
    lift: float = 0.0
    solid: bool = False
    keeps_hair: bool = True


# the mask reaches a little beyond the outline, so that no rim of the original stays
PLAIN = Blend(grow=1.03)
# Measured on four pairs with little training, before mean faces were posed: the wider mask moves the distance to the
# original by +0.031 where donor and subject look alike and by -0.005, +0.001 and +0.003 elsewhere, and full strength up
# to its edge by 0.009, 0, 0 and 0.002 more; the mesh's mouth, eyes and brows stay. Not taken, since they gave no more:
# 1.2 and 1.3, the donor's own colours (-0.006), a sharper donor (-0.010), a face nearer to the donor's mean (at best
# +0.009, for 9 % of faces).
WIDER = Blend(grow=1.12, lift=0.06, keeps_hair=False)
SOLID = Blend(grow=1.12, lift=0.06, solid=True, keeps_hair=False)


class SteadyColour:
    """Colour statistics averaged over about half a second, so that the pasted face does not flicker."""

    def __init__(self, frame_rate: float) -> None:
        self._share = 1 - float(np.exp(-1 / max(1.0, 0.5 * frame_rate)))
        self._states: dict[str, ColourStats] = {}
        self._last_index = -1

    def follow(self, frame_index: int, original: ColourStats, swapped: ColourStats) -> tuple[ColourStats, ColourStats]:
        """The averaged (original, swapped) statistics up to this frame; a jump in time starts anew.

        Asked about the same frame again, it answers as before: a second try at a frame must not weigh it twice.
        """
        if frame_index == self._last_index:
            return self._states["original"], self._states["swapped"]
        if frame_index - self._last_index > 5:
            self._states = {}
        self._last_index = frame_index
        for name, now in (("original", original), ("swapped", swapped)):
            before = self._states.get(name)
            self._states[name] = now if before is None else before.mixed(now, self._share)
        return self._states["original"], self._states["swapped"]


def paste(
    image_rgb: Image,
    landmarks_xy: Float,
    face: AlignedFace,
    swapped: SwappedFace,
    colour: SteadyColour,
    *,
    blend: Blend = PLAIN,
    kept: Image | None = None,
) -> Image:
    """A copy of the frame uint8 (H, W, 3) in which the swapped face stands in the place of the original one.

    `kept` uint8 (H, W) is 255 where something stands in front of the face: those pixels stay as they are.
    """
    height_px, width_px = image_rgb.shape[:2]
    if blend.keeps_hair and swapped.hair.any():
        kept = _with_hair(kept, swapped.hair, face, (width_px, height_px))
    seen = face.mask
    if kept is not None:
        size = face.mask.shape
        hidden = cv2.warpAffine(kept, face.frame_to_crop, size, flags=cv2.INTER_LINEAR)
        seen = face.mask * (hidden < 64)
    original_stats = colour_stats(face.crop_rgb, seen)
    side = swapped.mask.shape[0]
    own_mask = cv2.resize(face.mask, (side, side), interpolation=cv2.INTER_LINEAR)
    swapped_stats = colour_stats(swapped.crop_rgb, np.minimum(own_mask, swapped.mask))
    target, source = colour.follow(face.frame_index, original_stats, swapped_stats)
    crop = recolour(continued(swapped.crop_rgb, np.clip(2 * swapped.mask - 1, 0, 1)), source, target)
    outline = pasted_outline(landmarks_xy, blend)
    feather = max(1.0, _FEATHER_SHARE * float(np.ptp(outline[:, 0])))
    low = np.floor(outline.min(0) - 4 * feather).astype(int).clip(0)
    high = np.minimum(np.ceil(outline.max(0) + 4 * feather).astype(int) + 1, (width_px, height_px))
    size_px = (int(high[0] - low[0]), int(high[1] - low[1]))
    if min(size_px) <= 0:
        return image_rgb.copy()
    frame_to_swapped = enlarged(face.frame_to_crop, side / face.mask.shape[0])
    crop_to_area = cv2.invertAffineTransform(frame_to_swapped)
    crop_to_area[:, 2] -= low
    area = cv2.warpAffine(crop, crop_to_area, size_px, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    mask = _feathered(outline - low, size_px, feather, solid=blend.solid)
    below = image_rgb[low[1] : high[1], low[0] : high[0]].astype(np.float32)
    face_px = float(np.ptp(outline[:, 0]))
    rim = _rim(landmarks_xy[list(FACE_OVAL)] - low, size_px)
    if kept is not None:
        rim = rim * (kept[low[1] : high[1], low[0] : high[0]] < 64)
    area = lit_as(area.astype(np.float32), below, rim, mask, face_px)
    if kept is not None:
        mask = mask * (1 - kept[low[1] : high[1], low[0] : high[0]].astype(np.float32) / 255)
    result = image_rgb.copy()
    blended = below + (area - below) * mask[..., None]
    result[low[1] : high[1], low[0] : high[0]] = np.clip(blended + 0.5, 0, 255).astype(np.uint8)
    return result


def _with_hair(kept: Image | None, hair: Float, face: AlignedFace, size: tuple[int, int]) -> Image:
    """What stays uint8 (H, W), in a frame of `size`, with the hair (S, S) in [0, 1] that the face's crop shows."""
    whole = np.zeros(size[::-1], np.uint8) if kept is None else kept.copy()
    side = hair.shape[0]
    to_frame = cv2.invertAffineTransform(enlarged(face.frame_to_crop, side / face.mask.shape[0]))
    corners = np.array([(x, y, 1) for x in (-1, side) for y in (-1, side)]) @ to_frame.T
    low = np.floor(corners.min(0)).clip(0, size).astype(int)
    high = (np.ceil(corners.max(0)) + 1).clip(0, size).astype(int)
    if (low < high).all():
        to_frame[1, 2] -= low[1]  # the rows of the crop alone; a column that is not counted from 0 is rounded otherwise
        drawn = cv2.warpAffine(hair * 255, to_frame, (int(high[0]), int(high[1] - low[1])), flags=cv2.INTER_LINEAR)
        part = whole[low[1] : high[1], low[0] : high[0]]
        part[:] = np.maximum(part, drawn[:, low[0] :].astype(np.uint8))
    return whole


def enlarged(frame_to_crop: NDArray[np.float64], times: float) -> NDArray[np.float64]:
    """The transform (2, 3) to a crop of the same part of the frame with `times` as many pixels a side."""
    grown = frame_to_crop * times
    grown[:, 2] += (times - 1) / 2
    return grown


def pasted_outline(landmarks_xy: Float, blend: Blend) -> NDArray[np.float64]:
    """The outline float64 (36, 2) px up to which the swapped face is pasted."""
    outline = landmarks_xy[list(FACE_OVAL)].astype(np.float64)
    centre = outline.mean(0)
    # the outline's first point is the top of the forehead, its 18th the chin
    up = outline[0] - outline[18]
    share = np.clip(((outline - centre) @ up) / max(float(up @ up), 1e-6) * 2, 0, 1)[:, None]
    return np.asarray(centre + (outline - centre) * blend.grow + share * up * blend.lift)


def _rim(outline_xy: NDArray[np.float64] | Float, size: tuple[int, int]) -> Float:
    """The band just inside of the face's outline as float32 (H, W) of 0 and 1: the original's skin beside the paste."""
    canvas = np.zeros((size[1], size[0]), np.uint8)
    centre = outline_xy.mean(0)
    for share, value in ((_RIM[1], 1), (_RIM[0], 0)):
        hull = cv2.convexHull((centre + (outline_xy - centre) * share).astype(np.float32))[:, 0]
        cv2.fillPoly(canvas, [np.round(hull * 16).astype(np.int32)], value, shift=4)
    return canvas.astype(np.float32)


def _feathered(outline_xy: NDArray[np.float64], size: tuple[int, int], feather: float, *, solid: bool) -> Float:
    """The hull of the outline as float32 (H, W) in [0, 1], its edge softened over about two `feather` px.

    `solid`: the edge is softened outside of the outline, inside is 1 everywhere.
    """
    canvas = np.zeros((size[1], size[0]), np.uint8)
    hull = cv2.convexHull(outline_xy.astype(np.float32))[:, 0]
    points = [np.round(hull * 16).astype(np.int32)]
    cv2.fillPoly(canvas, points, 255, lineType=cv2.LINE_AA, shift=4)
    if solid:
        reach = 2 * round(2 * feather) + 1
        canvas = np.asarray(cv2.dilate(canvas, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))), np.uint8)
    return np.asarray(cv2.GaussianBlur(canvas, (0, 0), feather), np.float32) / 255


def masks_agree(face: AlignedFace, swapped: SwappedFace) -> float:
    """Intersection over union of the original's outline and the net's own mask: low when the net made no face."""
    size = face.mask.shape[::-1]
    first, second = face.mask > 0.5, cv2.resize(swapped.mask, size, interpolation=cv2.INTER_AREA) > 0.5
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 0.0
