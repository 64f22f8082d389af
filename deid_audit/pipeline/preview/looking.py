"""The second look at the videos: how sharp the faces are, whether a body is in view, tiles for the contact sheet."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from deid_audit.frames import Float, Image, TrackedFace
from deid_audit.ledger import State
from deid_audit.measure.residue import belongs
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.preview.sheet import Tile, make_tile
from deid_audit.pipeline.rendering import region_of
from deid_audit.progress import Step
from deid_audit.render.conceal import grown
from deid_audit.video.reader import read_frames
from deid_audit.vision.looks import AuditSearch
from deid_audit.vision.pose import BodyPose, PoseTracker

_INNER = 0.7
_SIDE_PX = 48  # what is smaller is soft, however it was filmed
_FINE_SIGMA_PX = 1.5
_HIPS = (11, 12)  # of COCO's 17
Window = tuple[int, int, int, int]


@dataclass(slots=True, eq=False)
class Looked:
    """What the second look at one video saw; `in_view` has one entry for each frame that was searched for a body."""

    sharpness: dict[tuple[int, int], float] = field(default_factory=dict)
    in_view: list[bool] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)


def look_again(
    video: CastVideo,
    *,
    bodies_in: Collection[int],
    window: Window | None,
    tiles_of: Collection[int],
    names: Sequence[tuple[str, Collection[int]]],
    audit: AuditSearch,
    step: Step,
) -> Looked:
    """Decodes the video once more.

    Frames `bodies_in` are searched for the body of the person in `window`, frames `tiles_of` become tiles; `names`
    has each person's tracks.
    """
    looked = Looked()
    times = video.source.times_s
    for frame in read_frames(video.source):
        faces = video.faces.frames[frame.index]
        for face in faces:
            if not face.filled and (sharp := sharpness_of(frame.image_rgb, face.box_xyxy)) is not None:
                looked.sharpness[frame.index, face.track_id] = sharp
        if frame.index in bodies_in:
            tracker = PoseTracker(window_xyxy=window)  # a fresh one: frames this far apart have nothing in common
            pose = tracker.track(frame.image_rgb)
            tracker.close()
            looked.in_view.append(body_in_view(pose, frame.image_rgb.shape[1], frame.image_rgb.shape[0]))
        if frame.index in tiles_of:
            named = [(_name(face.track_id, names), face.box_xyxy) for face in faces]
            for box in audit.detect(frame.image_rgb).boxes_xyxy:  # one more family, so that the sheet shows no face
                named.append(("" if _tracked(box, faces) else "not tracked", box))
            caption = f"{video.source.label}, {times[frame.index]:.1f} s"
            looked.tiles.append(make_tile(frame.image_rgb, named, caption))
        step.advance()
    return looked


def sharpness_of(image_rgb: Image, box_xyxy: Float) -> float | None:
    """The face's fine structure as a share of its contrast, about 0.3 as filmed; None for a face under 69 px.

    Of the inner 70 % of the box: the background's edges do not blur with a face that moves.
    """
    left, top, right, bottom = (max(0, round(float(edge))) for edge in grown(box_xyxy, _INNER))
    inner = image_rgb[top:bottom, left:right]
    if min(inner.shape[:2]) < _SIDE_PX:
        return None
    grey = cv2.cvtColor(inner, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    fine = small - cv2.GaussianBlur(small, (0, 0), _FINE_SIGMA_PX)
    return float(fine.std() / max(float(small.std()), 1.0))


def body_in_view(pose: BodyPose | None, width: int, height: int) -> bool:
    """Whether both hips lie inside the picture: the detector also says where they would be outside."""
    if pose is None:
        return False
    hips = pose.keypoints[list(_HIPS), :2]
    return bool(((hips >= 0) & (hips < (width, height))).all())


def _tracked(box_xyxy: Float, faces: Sequence[TrackedFace]) -> bool:
    """Whether what the audit's detector sees lies under the cover of a tracked face, as the audit itself decides it."""
    return any(belongs(box_xyxy, region_of(face, State.CONCEALED, "", is_subject=False)) for face in faces)


def _name(track: int, names: Sequence[tuple[str, Collection[int]]]) -> str:
    """`person 1, track 3`, or only the track of a face that belongs to nobody known."""
    person = next((name for name, tracks in names if track in tracks), None)
    return f"track {track}" if person is None else f"{person}, track {track}"
