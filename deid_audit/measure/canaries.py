"""What the audit itself would have seen: known faces pasted into copies of released frames, and how many were found.

Pastes and counts; the detector is handed in, and which frames take part is the caller's. Nothing pasted leaves memory.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float, Image

KINDS = ("upright", "border-cut", "turned 30", "turned 90", "turned 180", "low contrast")
UPRIGHT_PX = (12, 16, 20, 24, 32, 48, 96, 200)
OTHER_PX = (32, 96)
_UPRIGHT_EACH, _OTHER_EACH = 10, 4
PASTES = len(UPRIGHT_PX) * _UPRIGHT_EACH + (len(KINDS) - 1) * len(OTHER_PX) * _OTHER_EACH
COUNTED_FROM_PX = 32
FOUND_SHARE = 0.9
_LEAST_PASTED = 5
_A_FRAME, _FRAMES = 5, 30
_TRIES = 30
_HEAD_PER_FACE = 1.5
_FOUND_IOU = 0.3
_CUT_SHARE = 0.35
_LOW_CONTRAST = 0.3
METHOD_TEXT = (
    "The audit's own reach: two public-domain portraits (Grace Hopper, Eileen Collins) are pasted in memory into "
    f"copies of frames of the written file, at most {PASTES} times, where no other face is: upright at heights of "
    f"{', '.join(map(str, UPRIGHT_PX))} px (the face as its landmarks have it, without hair), and at {OTHER_PX[0]} and "
    f"{OTHER_PX[1]} px also cut by {_CUT_SHARE:.0%} at the border, turned by 30, 90 and 180 degrees, and at "
    f"{_LOW_CONTRAST:.0%} of the contrast. One is found when a box of the audit, by the looks that it takes in every "
    f"frame, overlaps it by {_FOUND_IOU} (intersection over union). The smallest face is the least height from which "
    f"at least {FOUND_SHARE:.0%} of the upright ones are found at every height. The pasted faces are not encoded, and "
    "two people are not all people: a real face may be harder."
)
_METHOD = "two portraits pasted into frames of the written file, found at IoU >= 0.3 by: {}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KnownFace:
    """A portrait uint8 (H, W, 3) and the face's box float32 (4,) xyxy px in it."""

    image_rgb: Image
    box_xyxy: Float


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """One pasted face: its kind, the height of the whole face in px, and whether the audit's detector found it."""

    kind: str
    height_px: int
    found: bool


@dataclass(slots=True, eq=False)
class Flock:
    """The faces of one job that wait to be pasted, and what became of those that were; the same for the same seed."""

    faces: Sequence[KnownFace]
    seed: int
    videos: int = 1
    seen: list[Canary] = field(default_factory=list)
    _random: np.random.Generator = field(init=False)
    _waiting: list[tuple[str, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        plan = [("upright", px) for px in UPRIGHT_PX for _ in range(_UPRIGHT_EACH)]
        plan += [(kind, px) for kind in KINDS[1:] for px in OTHER_PX for _ in range(_OTHER_EACH)]
        self._waiting = [plan[at] for at in self._random.permutation(len(plan))]

    def state(self) -> tuple[list[Canary], list[tuple[str, int]], dict[str, object]]:
        """What has been seen, what waits, and the dice: `restore` takes them back."""
        return list(self.seen), list(self._waiting), dict(self._random.bit_generator.state)

    def restore(self, state: tuple[list[Canary], list[tuple[str, int]], dict[str, object]]) -> None:
        """Forgets what was pasted since `state()`."""
        self.seen[:], self._waiting[:] = state[:2]
        self._random.bit_generator.state = state[2]

    def forget(self, pasted: Sequence[Canary]) -> None:
        """Lets these wait again, since the file that they were pasted into does not stay."""
        gone = {id(one) for one in pasted}
        self.seen[:] = [one for one in self.seen if id(one) not in gone]
        self._waiting += [(one.kind, one.height_px) for one in pasted]

    def frames_of(self, frame_count: int) -> set[int]:
        """In which frames of a video of this length faces are pasted: spread evenly, fewer with more videos."""
        return {round(at) for at in np.linspace(0, frame_count - 1, -(-_FRAMES // self.videos)).tolist()}

    def release(self, image_rgb: Image, taken_xyxy: Sequence[Float], detect: Callable[[Image], Float]) -> None:
        """Pastes what fits into a copy of one frame, away from the boxes `taken_xyxy`, and looks what is found.

        `detect` gives the boxes float (n, 4) of an image. A face that fits nowhere waits for another frame.
        """
        image, taken = image_rgb.copy(), list(taken_xyxy)
        put: list[tuple[str, int, Float]] = []
        for kind, height_px in list(self._waiting):
            if len(put) == _A_FRAME:
                break
            box = self._paste(image, kind, height_px, taken)
            if box is not None:
                put.append((kind, height_px, box))
                self._waiting.remove((kind, height_px))
        if not put:
            return
        boxes = detect(image)
        for kind, height_px, box in put:
            found = any(_iou(box, one) >= _FOUND_IOU for one in boxes)
            self.seen.append(Canary(kind=kind, height_px=height_px, found=found))

    def _paste(self, image: Image, kind: str, height_px: int, taken: list[Float]) -> Float | None:
        """Draws one face into `image` where nothing is `taken`; its box in the frame, None where there is no room."""
        face = self.faces[int(self._random.integers(len(self.faces)))]
        head, cover, size = _cut_out(face, kind, height_px)
        rows, columns = image.shape[:2]
        half = np.array((head.shape[1], head.shape[0])) / 2
        for _ in range(_TRIES):
            low, high = half, np.array((columns, rows)) - half
            if kind == "border-cut":
                beyond = size[0] / 2 - _CUT_SHARE * size[0]
                x = beyond if self._random.random() < 0.5 else columns - beyond
                low, high = np.array((x, half[1])), np.array((x, rows - half[1]))
            if (high < low).any():
                return None
            centre = np.round(self._random.uniform(low, high))
            patch = np.concatenate((centre - half, centre + half))
            if any(_touch(patch, one) for one in taken):
                continue
            _draw(image, head, cover, (int(centre[0] - half[0]), int(centre[1] - half[1])))
            taken.append(patch.astype(np.float32))
            box = np.concatenate((centre - size / 2, centre + size / 2))
            return np.asarray(np.clip(box, 0, (columns, rows, columns, rows)), np.float32)
        return None


def measure_canaries(seen: Sequence[Canary], searched_with: str) -> list[Measurement]:
    """Recall of the audit, and the smallest upright face it finds; `detail` has recall and count by kind and height."""
    detail: dict[str, float] = {}
    method = _METHOD.format(searched_with)
    for kind in KINDS:
        for px in UPRIGHT_PX if kind == "upright" else OTHER_PX:
            rows = [one.found for one in seen if (one.kind, one.height_px) == (kind, px)]
            detail[f"{kind} {px} px: pasted"] = float(len(rows))
            if rows:
                detail[f"{kind} {px} px: found"] = float(sum(rows))
    names = ("audit.canary_recall", "audit.smallest_face_px")
    counted = [one.found for one in seen if one.height_px >= COUNTED_FROM_PX]
    if len(counted) < _LEAST_PASTED:
        because = f"only {len(counted)} faces of {COUNTED_FROM_PX} px or more could be pasted: no room in the frames"
        return [not_measured(name, "run", "run", because, method=method) for name in names]
    recall = measured(
        names[0], "run", "run", sum(counted) / len(counted), sample_size=len(counted), method=method, detail=detail
    )
    smallest = smallest_height(seen)
    upright = sum(one.kind == "upright" for one in seen)
    if smallest is None:
        because = f"at no height were {FOUND_SHARE:.0%} of the upright faces found"
        return [recall, not_measured(names[1], "run", "run", because, method=method)]
    return [recall, measured(names[1], "run", "run", smallest, sample_size=upright, method=method, detail=detail)]


def smallest_height(seen: Sequence[Canary]) -> int | None:
    """The least upright height px from which on at least 0.9 are found at every height that was pasted 5 times.

    >>> smallest_height([Canary(kind="upright", height_px=px, found=px > 16) for px in (12, 16, 20, 24)] * 5)
    20
    """
    smallest = None
    for px in sorted(UPRIGHT_PX, reverse=True):
        rows = [one.found for one in seen if one.kind == "upright" and one.height_px == px]
        if len(rows) < _LEAST_PASTED:
            continue
        if sum(rows) < FOUND_SHARE * len(rows):
            break
        smallest = px
    return smallest


def _cut_out(face: KnownFace, kind: str, height_px: int) -> tuple[Image, Float, Float]:
    """The head at its size and turn: picture (h, w, 3), cover (h, w, 1) in [0, 1], and the face's size (w, h) px."""
    size = (face.box_xyxy[2:] - face.box_xyxy[:2]).astype(np.float64)
    scale = height_px / size[1]
    turn = float(kind.removeprefix("turned ")) if kind.startswith("turned ") else 0.0
    side = int(np.ceil(_HEAD_PER_FACE * float(np.hypot(*(size * scale)) if turn % 90 else (size * scale).max()))) + 2
    face_to_patch = cv2.getRotationMatrix2D(tuple(map(float, (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2)), turn, scale)
    face_to_patch[:, 2] += side / 2 - (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
    source = face.image_rgb
    if scale < 1:  # what lies between the pixels would alias
        source = cv2.GaussianBlur(source, (0, 0), 0.45 / scale)
    head = cv2.warpAffine(source, face_to_patch, (side, side), borderMode=cv2.BORDER_REPLICATE)
    across = _HEAD_PER_FACE * size * scale / 2 * 0.95
    cover = np.zeros((side, side), np.float32)
    cv2.ellipse(cover, ((side / 2, side / 2), tuple(map(float, 2 * across)), -turn), 1.0, -1)
    cover = cv2.GaussianBlur(cover, (0, 0), max(0.6, 0.04 * height_px))
    if kind == "low contrast":
        mean = head.reshape(-1, 3).mean(0)
        head = np.round(mean + (head - mean) * _LOW_CONTRAST).astype(np.uint8)
    turned, (wide, high) = np.deg2rad(turn), size * scale
    outer = np.hypot((wide * np.cos(turned), wide * np.sin(turned)), (high * np.sin(turned), high * np.cos(turned)))
    return head, cover[..., None], outer


def _draw(image: Image, head: Image, cover: Float, at_xy: tuple[int, int]) -> None:
    """Blends the head into the image; what lies outside the frame is cut."""
    left, top = (max(0, edge) for edge in at_xy)
    right, bottom = min(image.shape[1], at_xy[0] + head.shape[1]), min(image.shape[0], at_xy[1] + head.shape[0])
    part = (slice(top - at_xy[1], bottom - at_xy[1]), slice(left - at_xy[0], right - at_xy[0]))
    below = image[top:bottom, left:right].astype(np.float32)
    image[top:bottom, left:right] = np.round(below + (head[part] - below) * cover[part]).astype(np.uint8)


def _touch(first_xyxy: Float, second_xyxy: Float) -> bool:
    return bool((first_xyxy[:2] < second_xyxy[2:]).all() and (second_xyxy[:2] < first_xyxy[2:]).all())


def _iou(first_xyxy: Float, second_xyxy: Float) -> float:
    shared = np.clip(np.minimum(first_xyxy[2:], second_xyxy[2:]) - np.maximum(first_xyxy[:2], second_xyxy[:2]), 0, None)
    areas = [float((box[2:] - box[:2]).prod()) for box in (first_xyxy, second_xyxy)]
    return float(shared.prod()) / max(1e-9, sum(areas) - float(shared.prod()))
