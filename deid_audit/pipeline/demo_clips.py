"""Two exam-like clips from two public-domain portraits that the dependencies ship, moved by known amounts.

Subject: matplotlib's portrait of Grace Hopper (US Navy); donor: scikit-image's portrait of Eileen Collins (NASA).
Each still is triangulated over its FaceMesh landmarks and moved: talking, blinking, brows, head turns, and for the
subject a 5 Hz head tremor. Motion is a plain function of time, so a clip is the same on every machine.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from deid_audit.errors import StageError
from deid_audit.findings import VideoFacts, VideoInventory
from deid_audit.frames import Frame, Image
from deid_audit.progress import Progress, Step
from deid_audit.video.reader import SourceVideo
from deid_audit.video.writer import write_video
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.mesh import FACE_OVAL, FaceMesh

FRAME_RATE = 25
TREMOR_HZ = 5.0
Points = NDArray[np.float64]
_BLINK_SECONDS = 0.36
_UPPER_LIDS = (
    *((246, 7), (161, 163), (160, 144), (159, 145), (158, 153), (157, 154), (173, 155)),
    *((466, 249), (388, 390), (387, 373), (386, 374), (385, 380), (384, 381), (398, 382)),
)
_BROWS = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46, 300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
_INNER_LIPS = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
_IRIS_FROM = 468


@dataclass(frozen=True, slots=True, kw_only=True)
class Motion:
    """What one portrait does: each is a function of time in seconds.

    `mouth` and `brow` in shares of the inter-ocular distance, `blink` in [0, 1], `yaw`, `pitch` and `roll` in
    degrees, `shift` a sideways movement of the head in shares of the inter-ocular distance.
    """

    mouth: Callable[[float], float]
    blink: Callable[[float], float]
    brow: Callable[[float], float]
    yaw: Callable[[float], float]
    pitch: Callable[[float], float]
    roll: Callable[[float], float]
    shift: Callable[[float], float]


def _bumps(t: float, at: tuple[float, ...], seconds: float) -> float:
    """Smooth bumps of height 1 centred at the given times, repeated every 8 s."""
    phases = [abs((t - centre + 4) % 8 - 4) / (seconds / 2) for centre in at]
    return max((np.cos(np.pi * phase) + 1) / 2 if phase < 1 else 0.0 for phase in phases)


def _talk(t: float, syllables_hz: float) -> float:
    """Mouth opening of someone who talks in phrases: syllables under a slow envelope."""
    phrase = max(0.0, np.sin(2 * np.pi * t / 4 + 0.6)) ** 0.5
    return float(
        phrase * (0.5 + 0.5 * np.sin(2 * np.pi * syllables_hz * t)) * (0.75 + 0.25 * np.sin(2 * np.pi * 0.9 * t))
    )


SUBJECT_MOTION = Motion(
    mouth=lambda t: 0.20 * _talk(t, 2.3),
    blink=lambda t: _bumps(t, (0.9, 2.8, 4.1, 6.5), _BLINK_SECONDS),
    brow=lambda t: 0.0,  # hers are hidden behind the rim of her glasses
    yaw=lambda t: 8 * np.sin(2 * np.pi * t / 5.3),
    pitch=lambda t: 1.5 * np.sin(2 * np.pi * t / 3.7 + 1),
    roll=lambda t: 2 * np.sin(2 * np.pi * t / 6.1),
    shift=lambda t: 0.030 * np.sin(2 * np.pi * TREMOR_HZ * t),
)
DONOR_MOTION = Motion(
    mouth=lambda t: 0.24 * _talk(t + 1.1, 1.7),
    blink=lambda t: _bumps(t, (0.5, 1.9, 3.6, 5.3, 7.0), 0.5),
    brow=lambda t: 0.10 * _bumps(t, (1.2, 4.5, 6.4), 1.4),
    yaw=lambda t: 14 * np.sin(2 * np.pi * t / 4.1),
    pitch=lambda t: 5 * np.sin(2 * np.pi * t / 2.9),
    roll=lambda t: 3 * np.sin(2 * np.pi * t / 5.0),
    shift=lambda t: 0.06 * np.sin(2 * np.pi * t / 7.0),
)


def subject_portrait() -> Image:
    """Grace Hopper, US Navy photograph, public domain, from matplotlib's sample data: uint8 (960, 540, 3).

    Lit more brightly and shown at 0.6 in an upright frame whose edges are continued: half a body, as in an exam. On
    the bare, darker bust MediaPipe Pose sets the nose 18 px too high (cap, glasses) but not on any swapped face, so
    that no swap could keep its keypoints; COCO's tolerance also grows with the body shown.
    """
    import matplotlib  # noqa: PLC0415

    path = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"
    bust = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
    brighter = np.round(255 * (np.arange(256) / 255) ** 0.7).astype(np.uint8)
    bust = cv2.resize(cv2.LUT(bust, brighter), None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    left, above = 117, 40
    edges = (above, 960 - above - bust.shape[0], left, 540 - left - bust.shape[1])
    return np.ascontiguousarray(cv2.copyMakeBorder(bust, *edges, cv2.BORDER_REPLICATE))


def donor_portrait() -> Image:
    """Eileen Collins, NASA photograph, public domain, from scikit-image's data: uint8 (512, 512, 3)."""
    from skimage import data  # noqa: PLC0415

    return np.ascontiguousarray(data.astronaut())


class MovingPortrait:
    """A still that can be shown at any time of a motion."""

    def __init__(self, portrait_rgb: Image, motion: Motion) -> None:
        self._image, self._motion = portrait_rgb, motion
        boxes = MediaPipeDetector().detect(portrait_rgb).boxes_xyxy
        mesh = FaceMesh(video=False)
        found = mesh.landmarks(portrait_rgb, boxes[0]) if len(boxes) else None
        mesh.close()
        if found is None:
            raise StageError("no face in the demo portrait", next_step="install deid-audit again with its constraints")
        face = found[:_IRIS_FROM].astype(np.float64)
        self._unit = float(np.linalg.norm(face[263, :2] - face[33, :2]))
        self._centre = face[list(FACE_OVAL), :2].mean(0)
        height, width = portrait_rgb.shape[:2]
        outline = face[list(FACE_OVAL)]
        rings, depths, follow = [face[:, :2]], [face[:, 2]], [np.ones(len(face))]
        for reach, share, depth in ((1.25, 1.0, 0.9), (1.6, 0.75, 0.6), (2.3, 0.25, 0.3)):
            rings.append(self._centre + (outline[::2, :2] - self._centre) * reach)
            depths.append(outline[::2, 2] * depth)
            follow.append(np.full(len(outline[::2]), share))
        top_bottom = [(x, y) for x in np.linspace(0, width - 1, 6) for y in (0, height - 1)]
        sides = [(x, y) for y in np.linspace(0, height - 1, 6)[1:-1] for x in (0, width - 1)]
        border = np.array(top_bottom + sides)
        ring_xy = np.concatenate(rings[1:])
        inside = ((ring_xy > 2) & (ring_xy < (width - 3, height - 3))).all(1)
        self._points = np.concatenate((face[:, :2], ring_xy[inside], border))
        self._depth = np.concatenate((depths[0], np.concatenate(depths[1:])[inside], np.zeros(len(border))))
        self._follow = np.concatenate((follow[0], np.concatenate(follow[1:])[inside], np.zeros(len(border))))
        triangles = Delaunay(self._points).simplices
        # far ones first: where a turned head folds over itself, the nearer skin is drawn last
        self._triangles = triangles[np.argsort(-self._depth[triangles].mean(1), kind="stable")]
        self._grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)

    def points_at(self, t: float, *, lids: bool = True) -> Points:
        """Where every control point stands at `t` seconds: expression first, then the head's own movement."""
        moved, unit, motion = self._points.copy(), self._unit, self._motion
        jaw = motion.mouth(t) * unit
        mouth_y = self._points[list(_INNER_LIPS), 1].mean()
        chin_y = self._points[152, 1]
        half_mouth = abs(self._points[308, 0] - self._points[78, 0]) / 2
        face = slice(0, _IRIS_FROM)
        drop = np.clip((self._points[face, 1] - mouth_y) / (chin_y - mouth_y), 0, 1)
        beside = np.exp(-(((self._points[face, 0] - self._points[14, 0]) / (1.6 * half_mouth)) ** 2))
        lower = self._points[face, 1] > mouth_y
        moved[face, 1] += np.where(lower, jaw * beside * (1 - 0.35 * drop), 0)
        upper_lip = np.exp(-(((self._points[face] - self._points[13]) / (0.6 * half_mouth)) ** 2).sum(1))
        moved[face, 1] -= np.where(lower, 0, 0.15 * jaw * upper_lip)
        brows = self._points[list(_BROWS)]
        from_brow = np.linalg.norm(self._points[face, None] - brows[None], axis=2).min(1) / unit
        above_eye = self._points[face, 1] < self._points[[33, 263], 1].mean() - 0.06 * unit
        moved[face, 1] -= np.where(above_eye, motion.brow(t) * unit * np.exp(-((from_brow / 0.25) ** 2)), 0)
        closed = 0.92 * motion.blink(t) if lids else 0.0
        for upper, below in _UPPER_LIDS:
            moved[upper] += closed * (moved[below] - moved[upper])
        return self._turn(moved, t)

    def _turn(self, points: Points, t: float) -> Points:
        yaw, pitch, roll = (np.deg2rad(angle(t)) for angle in (self._motion.yaw, self._motion.pitch, self._motion.roll))
        offset = points - self._centre
        x, y, z = offset[:, 0], offset[:, 1], self._depth
        turned_x = x * np.cos(yaw) - z * np.sin(yaw)
        turned_y = y * np.cos(pitch) - z * np.sin(pitch)
        rolled = np.stack(
            (turned_x * np.cos(roll) - turned_y * np.sin(roll), turned_x * np.sin(roll) + turned_y * np.cos(roll)), 1
        )
        rolled[:, 0] += self._motion.shift(t) * self._unit
        return np.asarray(points + self._follow[:, None] * (rolled - offset))

    def at(self, t: float) -> Image:
        """The picture at `t` seconds, uint8 of the portrait's size."""
        points = self.points_at(t)
        height, width = self._image.shape[:2]
        owner = np.zeros((height, width), np.int32)
        corners = np.round(points[self._triangles] * 16).astype(np.int32)
        for number, corner in enumerate(corners):
            cv2.fillConvexPoly(owner, corner, number, lineType=cv2.LINE_8, shift=4)
        ones = np.ones((len(self._triangles), 3, 1))
        target = np.concatenate((points[self._triangles], ones), 2)
        target += np.eye(3) * 1e-9  # a closed eye's triangles have no area; they cover no pixel either
        to_source = np.linalg.solve(target, self._points[self._triangles]).astype(np.float32)
        affine = to_source[owner]
        source = self._grid[..., :1] * affine[..., 0, :] + self._grid[..., 1:] * affine[..., 1, :] + affine[..., 2, :]
        picture = cv2.remap(
            self._image, source[..., 0], source[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
        )
        return self._with_lids(self._with_open_mouth(picture, points, t), points, t)

    def _with_lids(self, picture: Image, points: Points, t: float) -> Image:
        """Lays skin over a closing eye and draws the lashes on its edge: a still has no lid to lower."""
        closed = self._motion.blink(t)
        if closed <= 0.02:
            return picture
        open_points = self.points_at(t, lids=False)
        shown = picture.astype(np.float32)
        for lids, below in ((_UPPER_LIDS[:7], (119, 120)), (_UPPER_LIDS[7:], (348, 349))):
            upper = [pair[0] for pair in lids]
            order = np.argsort(points[upper, 0])
            edge, crease = points[upper][order], open_points[upper][order] - (0, 0.03 * self._unit)
            cover = np.zeros(picture.shape[:2], np.uint8)
            lid = np.concatenate((crease, edge[::-1]))
            cv2.fillPoly(cover, [np.round(lid * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
            x, y = np.round(self._points[list(below)].mean(0)).astype(int)
            skin = self._image[y - 3 : y + 4, x - 3 : x + 4].reshape(-1, 3).mean(0) * 0.94
            soft = cv2.GaussianBlur(cover, (0, 0), 0.02 * self._unit)[..., None].astype(np.float32) / 255
            shown += (skin.astype(np.float32) - shown) * soft * min(1.0, closed * 1.3)
            lashes = np.zeros(picture.shape[:2], np.uint8)
            cv2.polylines(lashes, [np.round(edge * 16).astype(np.int32)], False, 255, 2, cv2.LINE_AA, 4)
            shown += (np.array((58, 34, 30), np.float32) - shown) * (
                lashes[..., None].astype(np.float32) / 255 * closed * 0.8
            )
        return np.ascontiguousarray((shown + 0.5).clip(0, 255).astype(np.uint8))

    def _with_open_mouth(self, picture: Image, points: Points, t: float) -> Image:
        """Darkens what opens below the teeth or between the lips: a still has nothing behind them."""
        opened = self._motion.mouth(t)
        lower = points[list(_INNER_LIPS[:11])]
        beside = np.sin(np.linspace(0, np.pi, len(lower)))  # nothing opens at the corners
        upper = lower - np.stack((np.zeros(len(lower)), opened * self._unit * beside), 1)
        cover = np.zeros(picture.shape[:2], np.uint8)
        opening = np.concatenate((lower, upper[::-1]))
        cv2.fillPoly(cover, [np.round(opening * 16).astype(np.int32)], 255, lineType=cv2.LINE_AA, shift=4)
        strength = float(np.clip((opened - 0.02) / 0.06, 0, 1)) * 0.9
        soft = cv2.GaussianBlur(cover, (0, 0), 1.0)[..., None].astype(np.float32) / 255 * strength
        dark = np.array((46, 18, 18), np.float32)
        return np.ascontiguousarray((picture + (dark - picture) * soft + 0.5).clip(0, 255).astype(np.uint8))


def frames_of(portrait_rgb: Image, motion: Motion, seconds: float) -> Iterator[Frame]:
    """The clip's frames at 25 a second; `pts` counts in 1/25 s."""
    moving = MovingPortrait(portrait_rgb, motion)
    for index in range(round(seconds * FRAME_RATE)):
        yield Frame(index=index, pts=index, image_rgb=moving.at(index / FRAME_RATE))


def planned(label: str, portrait_rgb: Image, pts: Sequence[int], time_base: Fraction) -> SourceVideo:
    """What the writer must know of a clip that does not exist yet: size and clock."""
    height, width = portrait_rgb.shape[:2]
    facts = VideoFacts(
        label=label,
        keyed_digest="",
        width=width,
        height=height,
        frame_count=len(pts),
        duration_s=float((pts[-1] - pts[0] + 1) * time_base),
        time_base=str(time_base),
        variable_rate=False,
        rotation=0,
        codec="made",
        inventory=VideoInventory(audio_streams=0, subtitle_streams=0, data_streams=0, metadata_keys=()),
    )
    return SourceVideo(path=Path(label), label=label, facts=facts, time_base=time_base, pts=tuple(pts))


def write_demo_clips(folder: Path, progress: Progress, *, seconds: float = 8.0) -> tuple[Path, Path]:
    """Writes `subject.mp4` and `donor.mp4` into `folder` and gives their paths."""
    paths = (folder / "subject.mp4", folder / "donor.mp4")
    stills = ((subject_portrait(), SUBJECT_MOTION), (donor_portrait(), DONOR_MOTION))
    for path, (portrait, motion) in zip(paths, stills, strict=True):
        instants = range(round(seconds * FRAME_RATE))
        plan = planned(f"demo {path.stem}", portrait, instants, Fraction(1, FRAME_RATE))
        with progress.step(f"making the {path.stem} clip", plan.facts.frame_count) as step:
            write_video(path, counted(frames_of(portrait, motion, seconds), step), like=plan)
    return paths


def counted(frames: Iterator[Frame], step: Step) -> Iterator[Frame]:
    """The frames, each advancing the step."""
    for frame in frames:
        step.advance()
        yield frame
