"""The hard cases: each is a few seconds of somebody in front of a quiet wall, and something that goes wrong.

The subject is Grace Hopper in all of them, so that one model serves all; she is seen in each long enough to be known.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.pipeline.demo_clips import DONOR_MOTION, SUBJECT_MOTION
from tests.hard_cases.people import RATE, Look, Person, cameraman, collins, drawn_hand, hopper
from tests.hard_cases.scenes import (
    SIZE,
    HardClip,
    Layer,
    Place,
    TrueFace,
    clip_of,
    composed,
    placed,
    room,
    thing,
    turned,
)

SUBJECT = "hopper"
_Made = tuple[Image, tuple[TrueFace, ...]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Setting:
    """Picture size, and who is beside the subject: made people unless real ones are given."""

    size: tuple[int, int] = SIZE
    other: Person | None = None
    hand: Look | None = None

    def one_at(self, person: Person, t: float, place: Place, kind: str = "") -> Layer:
        return placed(person, t, place, self.size, kind)

    def someone(self) -> Person:
        return self.other or collins()


def _times(seconds: float) -> Iterator[tuple[float, float]]:
    """(seconds, share of the whole in [0, 1]) of every frame."""
    count = round(seconds * RATE)
    for index in range(count):
        yield index / RATE, index / max(1, count - 1)


def _ramp(share: float, start: float, end: float) -> float:
    """0 before `start`, 1 after `end`, smooth between."""
    s = min(1.0, max(0.0, (share - start) / (end - start)))
    return s * s * (3 - 2 * s)


def clean(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject alone, talking: training material, and the control."""
    for t, _ in _times(seconds):
        yield composed(room(here.size), [here.one_at(hopper(), t, Place(x=0.5))])


def crossing(here: Setting, seconds: float) -> Iterator[_Made]:
    """Two people change sides twice: the subject passes in front, then the other one."""
    for t, share in _times(seconds):
        there = _ramp(share, 0.12, 0.44) - _ramp(share, 0.56, 0.88)
        kind = "crossing" if 0 < there < 1 else "two people"
        subject = here.one_at(hopper(), t, Place(x=0.26 + 0.48 * there, height=0.30), kind)
        other = here.one_at(here.someone(), t, Place(x=0.74 - 0.48 * there, height=0.28), kind)
        yield composed(room(here.size), [other, subject] if share < 0.5 else [subject, other])


def late_entrant(here: Setting, seconds: float) -> Iterator[_Made]:
    """Somebody walks in after two thirds of the clip and stays."""
    for t, share in _times(seconds):
        layers = [here.one_at(hopper(), t, Place(x=0.4))]
        if share > 0.64:
            x = 1.15 - 0.37 * _ramp(share, 0.64, 0.85)
            layers.append(here.one_at(here.someone(), t, Place(x=x, y=0.42, height=0.24), "late entrant"))
        yield composed(room(here.size), layers)


def profile(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject turns to 55 degrees to both sides; behind stands a man in profile."""
    turning = hopper(replace(SUBJECT_MOTION, yaw=_far_yaw))
    for t, _ in _times(seconds):
        kind = "turned over 35 degrees" if abs(_far_yaw(t)) > 35 else "frontal"
        other = here.one_at(cameraman(), t, Place(x=0.16, y=0.38, height=0.15), "profile")
        yield composed(room(here.size), [other, here.one_at(turning, t, Place(x=0.58), kind)])


def _far_yaw(t: float) -> float:
    return float(55 * np.sin(2 * np.pi * t / 3.0))


def hand_over_face(here: Setting, seconds: float) -> Iterator[_Made]:
    """A finger comes up to the nose twice; the second time the hand covers half the face and sweeps across."""
    hand = here.hand or drawn_hand()
    for t, share in _times(seconds):
        up = _ramp(share, 0.12, 0.25) - _ramp(share, 0.38, 0.48) + _ramp(share, 0.55, 0.68) - _ramp(share, 0.88, 0.99)
        high = 0.47 if share < 0.5 else 0.36
        sweep = 0.0 if share < 0.5 else 0.10 * np.sin((share - 0.6) * 16)
        layers = [here.one_at(hopper(), t, Place(x=0.5), "hand over face" if up > 0.6 else "frontal")]
        if up > 0:
            layers.append(thing(hand, Place(x=0.5 + float(sweep), y=1.1 - (1.1 - high) * up, height=0.85), here.size))
        yield composed(room(here.size), layers)


def border_cut(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject slides half out on the left, comes back, and rises half out at the top."""
    for t, share in _times(seconds):
        left = _ramp(share, 0.12, 0.28) - _ramp(share, 0.40, 0.54)
        above = _ramp(share, 0.62, 0.74) - _ramp(share, 0.86, 0.98)
        place = Place(x=0.5 - 0.5 * left, y=0.46 - 0.45 * above)
        kind = "border-cut" if max(left, above) > 0.5 else "frontal"
        yield composed(room(here.size), [here.one_at(hopper(), t, place, kind)])


def small_faces(here: Setting, seconds: float) -> Iterator[_Made]:
    """Behind the subject somebody walks about at 60, 45, 30 and 20 px."""
    for t, share in _times(seconds):
        px = (60, 45, 30, 20)[min(3, int(share * 4))]
        place = Place(x=0.84 - 0.08 * float(np.sin(3 * t)), y=0.34, height=px / 480)
        other = here.one_at(here.someone(), t, place, f"{px} px")
        yield composed(room(here.size), [other, here.one_at(hopper(), t, Place(x=0.36))])


def motion_blur(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject shakes the whole body from side to side so fast that the film smears it."""
    before = 0.5
    for t, share in _times(seconds):
        fast = _ramp(share, 0.2, 0.3) - _ramp(share, 0.8, 0.9)
        x = 0.5 + 0.16 * fast * float(np.sin(2 * np.pi * 1.6 * t))
        layer = here.one_at(hopper(), t, Place(x=x), "motion blur" if fast > 0.5 else "frontal")
        reach = max(1, round(abs(x - before) * here.size[0]))
        kernel = np.full((1, reach), 1 / reach, np.float32)
        smeared = replace(
            layer, image_rgb=cv2.filter2D(layer.image_rgb, -1, kernel), cover=cv2.filter2D(layer.cover, -1, kernel)
        )
        before = x
        yield composed(room(here.size), [smeared])


def dim(here: Setting, seconds: float) -> Iterator[_Made]:
    """The light goes down to a tenth, with the noise of a camera in the dark; two people."""
    noise = np.random.default_rng(5)
    for t, share in _times(seconds):
        down = _ramp(share, 0.2, 0.4) - _ramp(share, 0.85, 0.98)
        kind = "dim" if down > 0.5 else "frontal"
        subject = here.one_at(hopper(), t, Place(x=0.38), kind)
        other = here.one_at(here.someone(), t, Place(x=0.78, y=0.40, height=0.20), kind)
        picture, faces = composed(room(here.size), [other, subject])
        dark = 255 * (picture.astype(np.float32) / 255) ** (1 + 0.9 * down) * (1 - 0.80 * down)
        dark += noise.normal(0, 1 + 5 * down, picture.shape)
        yield dark.clip(0, 255).astype(np.uint8), faces


def person_turned(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject's whole body turns in the picture: upright, lying at 90 degrees, upside down, and back."""
    for t, share in _times(seconds):
        turn = 90 * (_ramp(share, 0.18, 0.28) + _ramp(share, 0.46, 0.56) - 2 * _ramp(share, 0.78, 0.92))
        near = round(turn / 90) * 90
        kind = f"turned {near}" if abs(turn - near) < 10 else "turning"
        yield composed(room(here.size), [here.one_at(hopper(), t, Place(x=0.5, y=0.5, turn=turn), kind)])


def cuts(here: Setting, seconds: float) -> Iterator[_Made]:
    """Hard cuts between five shots: the subject, another one at the same place, both, nobody, the subject near."""
    for t, share in _times(seconds):
        shot = min(4, int(share * 5))
        shots: tuple[list[tuple[Person, Place]], ...] = (
            [(hopper(), Place(x=0.5))],
            [(here.someone(), Place(x=0.5))],
            [(here.someone(), Place(x=0.3, height=0.26)), (hopper(), Place(x=0.72, height=0.26))],
            [],
            [(hopper(), Place(x=0.45, y=0.5, height=0.5))],
        )
        layers = [here.one_at(person, t, place, f"shot {shot + 1}") for person, place in shots[shot]]
        yield composed(room(here.size, number=shot), layers)


def flash(here: Setting, seconds: float) -> Iterator[_Made]:
    """For three frames each: another person's face on the right, then the subject's own in a mirror."""
    for index, (t, share) in enumerate(_times(seconds)):
        layers = [here.one_at(hopper(), t, Place(x=0.36))]
        first, second = round(0.4 * seconds * RATE), round(0.7 * seconds * RATE)
        if first <= index < first + 3:
            layers.insert(0, here.one_at(here.someone(), t, Place(x=0.82, y=0.4, height=0.22), "three frames"))
        if second <= index < second + 3:
            layers[:0] = _mirrored(here, here.one_at(hopper(), t, Place(x=0.82, y=0.34, height=0.17)), "in a mirror")
        assert share >= 0
        yield composed(room(here.size), layers)


def picture_on_wall(here: Setting, seconds: float) -> Iterator[_Made]:
    """A framed photo of the subject hangs behind the subject all the time."""
    for t, _ in _times(seconds):
        photo = here.one_at(hopper(), 0.4, Place(x=0.82, y=0.34, height=0.17))
        yield composed(
            room(here.size), [*_framed(here, photo, "photo on the wall"), here.one_at(hopper(), t, Place(x=0.36))]
        )


def behind_object(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject walks behind a pillar that hides up to two thirds of the face, stays, and walks on."""
    width, height = here.size
    pillar = np.zeros((height, width), np.float32)
    pillar[:, round(0.52 * width) : round(0.66 * width)] = 1
    grain = np.repeat(np.linspace(70, 110, width, dtype=np.float32)[None, :, None], 3, 2).repeat(height, 0)
    for t, share in _times(seconds):
        x = 0.32 + 0.23 * _ramp(share, 0.15, 0.40) + 0.27 * _ramp(share, 0.65, 0.9)
        subject = here.one_at(hopper(), t, Place(x=x), "behind a pillar" if 0.42 < x < 0.76 else "frontal")
        yield composed(room(here.size), [subject, Layer(image_rgb=grain.astype(np.uint8), cover=pillar)])


def turned_away(here: Setting, seconds: float) -> Iterator[_Made]:
    """The subject turns away until only the back of the head is seen, and back again."""

    def yaw(t: float) -> float:
        return 55 * (_ramp(t / seconds, 0.15, 0.32) - _ramp(t / seconds, 0.7, 0.87))

    turning = hopper(replace(SUBJECT_MOTION, yaw=yaw))
    for t, share in _times(seconds):
        hidden = _ramp(share, 0.28, 0.4) - _ramp(share, 0.62, 0.74)
        subject = here.one_at(turning, t, Place(x=0.5), "turned away" if hidden > 0 else "turning")
        layers = [subject]
        if hidden > 0:
            layers.append(_hair(here, subject, hidden))
        yield composed(room(here.size), layers)


def _hair(here: Setting, subject: Layer, hidden: float) -> Layer:
    """The back of a head that comes round from the side: grey hair over the whole head when `hidden` is 1."""
    assert subject.outline_xy is not None
    low, high = subject.outline_xy.min(0), subject.outline_xy.max(0)
    centre, half = (low + high) / 2, (high - low) / 2 * (1.45, 1.25)
    cover = np.zeros(here.size[::-1], np.float32)
    at = centre + np.array(((1 - hidden) * 2.1 * half[0], -0.05 * half[1]))
    cv2.ellipse(cover, (tuple(map(float, at)), tuple(map(float, 2 * half)), 0.0), 1.0, -1)
    rows, columns = np.mgrid[: here.size[1], : here.size[0]]
    strands = 118 + 26 * np.sin(columns * 0.9 + 4 * np.sin(rows * 0.05)) * np.cos(rows * 0.11)
    image = np.repeat(strands[..., None], 3, 2).clip(0, 255).astype(np.uint8)
    return Layer(image_rgb=image, cover=cover * (subject.cover if hidden < 1 else 1))


def _framed(here: Setting, layer: Layer, kind: str) -> list[Layer]:
    """A frame on the wall that shows only what of the layer lies inside it."""
    assert layer.outline_xy is not None
    low, high = layer.outline_xy.min(0), layer.outline_xy.max(0)
    centre, half = (low + high) / 2, (high - low) / 2 * (1.5, 1.6)
    left, top = (int(edge) for edge in centre - half)
    right, bottom = (int(edge) for edge in centre + half)
    wood, glass = np.zeros(here.size[::-1], np.float32), np.zeros(here.size[::-1], np.float32)
    cv2.rectangle(wood, (left - 6, top - 6), (right + 6, bottom + 6), 1.0, -1)
    cv2.rectangle(glass, (left, top), (right, bottom), 1.0, -1)
    plain = np.full((*here.size[::-1], 3), (92, 66, 44), np.uint8)
    paper = np.full((*here.size[::-1], 3), (200, 204, 208), np.uint8)
    return [
        Layer(image_rgb=plain, cover=wood),
        Layer(image_rgb=paper, cover=glass),
        replace(layer, cover=np.asarray(layer.cover * glass, np.float32), kind=kind),
    ]


def _mirrored(here: Setting, layer: Layer, kind: str) -> list[Layer]:
    """The same as in a mirror: left and right changed around the face's middle."""
    assert layer.outline_xy is not None
    middle = float((layer.outline_xy[:, 0].min() + layer.outline_xy[:, 0].max()) / 2)
    flip = np.array(((-1.0, 0.0, 2 * middle), (0.0, 1.0, 0.0)))
    outline = layer.outline_xy * (-1, 1) + (2 * middle, 0)
    image = cv2.warpAffine(layer.image_rgb, flip, here.size, borderMode=cv2.BORDER_REPLICATE)
    cover: Float = cv2.warpAffine(layer.cover, flip, here.size)
    return _framed(here, replace(layer, image_rgb=image, cover=cover, outline_xy=outline), kind)


def _whole_video(quarters: int) -> Callable[[Setting, float], HardClip]:
    def make(here: Setting, seconds: float) -> HardClip:
        return turned(clip_of("upright", SUBJECT, clean(here, seconds)), f"video_{90 * quarters}", quarters)

    return make


# name: (how it is made, its length in seconds)
CASES: dict[str, tuple[Callable[[Setting, float], Iterator[_Made]], float]] = {
    "clean": (clean, 4.0),
    "crossing": (crossing, 5.0),
    "late_entrant": (late_entrant, 3.0),
    "profile": (profile, 3.0),
    "hand_over_face": (hand_over_face, 4.0),
    "border_cut": (border_cut, 4.0),
    "small_faces": (small_faces, 4.0),
    "motion_blur": (motion_blur, 3.0),
    "dim": (dim, 3.0),
    "person_turned": (person_turned, 4.0),
    "cuts": (cuts, 5.0),
    "flash": (flash, 3.0),
    "picture_on_wall": (picture_on_wall, 3.0),
    "behind_object": (behind_object, 3.0),
    "turned_away": (turned_away, 3.0),
}
TURNED = {"video_90": _whole_video(1), "video_180": _whole_video(2)}


def made(name: str, here: Setting | None = None, *, seconds: float | None = None) -> HardClip:
    """One case by its name; KeyError for a name that is not there."""
    setting = here or Setting()
    if name in TURNED:
        return TURNED[name](setting, seconds or 3.0)
    make, usual = CASES[name]
    return clip_of(name, SUBJECT, make(setting, seconds or usual))


def donor(seconds: float = 5.0, size: tuple[int, int] = SIZE) -> HardClip:
    """The donor alone: Eileen Collins."""
    here = Setting(size=size)
    frames = (
        composed(room(size, number=1), [here.one_at(collins(DONOR_MOTION), t, Place(x=0.5))])
        for t, _ in _times(seconds)
    )
    return clip_of("donor", "collins", frames)
