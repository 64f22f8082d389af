"""From a video to one person's movement: body, both hands and face mesh of every frame, without any smoothing.

First the person is found in the first video; then each video is watched by fresh, equal detectors inside the same
windows, since crop and mode move landmarks by themselves. Frames are streamed; no picture is kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import NotEnoughFaces
from deid_audit.frames import Float, Frame, Image
from deid_audit.measure.motion_points import VISIBLE_CUT
from deid_audit.measure.motion_tracks import BODY_POINTS, FACE_POINTS, HAND_POINTS, MotionTracks
from deid_audit.pipeline.measuring import window_around
from deid_audit.pipeline.staging import uninterrupted
from deid_audit.progress import Progress, Step
from deid_audit.video.reader import SourceVideo, read_frames
from deid_audit.vision.detectors import Detections, MediaPipeDetector
from deid_audit.vision.hands import MovingHands, by_side
from deid_audit.vision.keypoint_detectors import Window
from deid_audit.vision.mesh import FaceMesh, box_of, quarter_turn
from deid_audit.vision.pose import MovingBody

_SURE = 0.6  # of a face: below, BlazeFace sees some in hands and folds
_LOOK_EVERY = 15  # frames between two looks for other people
_FARTHEST = 2.0  # box widths that a face can have moved while it was lost
_WRISTS = (15, 16)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Person:
    """Who is followed: face boxes (n, 4) px, NaN where no face is found, and the head's quarter turns (n,) in degrees.

    `window_xyxy` holds the body when `others` are in view; None is the whole frame.
    """

    boxes: NDArray[np.float32]
    turns: NDArray[np.float32]
    others: bool
    window_xyxy: Window | None

    def at(self, rows: NDArray[np.intp]) -> "Person":
        """The same person for other frames: those of the given numbers."""
        return Person(boxes=self.boxes[rows], turns=self.turns[rows], others=self.others, window_xyxy=self.window_xyxy)

    def arrays(self) -> list[NDArray[np.float32]]:
        """Those that tell where the face was, for whoever must overwrite them."""
        return [self.boxes, self.turns]


def wipe(arrays: Iterable[NDArray[Any]]) -> None:
    """Overwrites what was seen of somebody; a signal waits until all of it is."""
    with uninterrupted():
        for array in arrays:
            array.fill(0)


def find_person(source: SourceVideo, progress: Progress) -> Person:
    """The face that is largest where one is first seen, followed through the video.

    Where others are seen, body and hands are looked for around this face alone. After an error nothing seen is left.

    Raises:
        NotEnoughFaces: others are in view and this one's face is lost in most frames: who is meant is not certain.
    """
    count = source.facts.frame_count
    boxes, turns = np.full((count, 4), np.nan, np.float32), np.zeros(count, np.float32)
    try:
        return _followed(source, boxes, turns, progress)
    except BaseException:  # a signal, too
        wipe((boxes, turns))
        raise


def _followed(
    source: SourceVideo, boxes: NDArray[np.float32], turns: NDArray[np.float32], progress: Progress
) -> Person:
    """Fills `boxes` and `turns`."""
    detector, mesh = MediaPipeDetector(min_score=_SURE), FaceMesh(video=True)
    last: Float | None = None  # landmarks (478, 3)
    near: Float | None = None  # the last known box
    others = 0
    with progress.step(f"finding the person, {source.label}", len(boxes)) as step:
        for frame in read_frames(source):
            box = None if last is None else box_of(last[:, :2])
            if box is None or frame.index % _LOOK_EVERY == 0:
                found = detector.detect(frame.image_rgb)
                others += len(found.boxes_xyxy) > 1
                box = _chosen(found, near) if box is None else box
            turn = quarter_turn(last)
            last = None if box is None else mesh.landmarks(frame.image_rgb, box, turn_degrees=turn)
            if last is not None:
                near = box_of(last[:, :2])
                boxes[frame.index], turns[frame.index] = near, quarter_turn(last)
            step.advance()
    mesh.close()
    if others > 1 and np.isfinite(boxes[:, 0]).mean() < 0.5:
        raise NotEnoughFaces(
            f"{source.label} shows more than one person, and the largest face is lost in most frames",
            next_step="cut both videos alike to the subject, or to a part in which the face is seen",
        )
    several = others > 1  # once can be a mistake
    return Person(
        boxes=boxes, turns=turns, others=several, window_xyxy=window_around(boxes, source) if several else None
    )


def trace(frames: Iterable[Frame], times_s: tuple[float, ...], person: Person, step: Step) -> MotionTracks:
    """The person's movement in `frames` at `times_s`; `person` is for these frames. After an error nothing is left."""
    count = len(times_s)
    tracks = MotionTracks(
        times_s=np.array(times_s, np.float64),
        body_xy=np.full((count, BODY_POINTS, 2), np.nan),
        body_visibility=np.zeros((count, BODY_POINTS)),
        left_hand_xy=np.full((count, HAND_POINTS, 2), np.nan),
        right_hand_xy=np.full((count, HAND_POINTS, 2), np.nan),
        face_xy=np.full((count, FACE_POINTS, 2), np.nan),
    )
    try:
        _fill(tracks, frames, person, step)
    except BaseException:  # a signal, too
        wipe(tracks.arrays())
        raise
    return tracks


def _fill(tracks: MotionTracks, frames: Iterable[Frame], person: Person, step: Step) -> None:
    body, hands, mesh = MovingBody(), MovingHands(), FaceMesh(video=True)
    for frame in frames:
        at = frame.index
        square, corner = _squared(frame.image_rgb, person.window_xyxy)
        found = body.find(square)
        wrists = np.full((2, 2), np.nan)
        if found is not None:
            tracks.body_xy[at], tracks.body_visibility[at] = found.xy + corner, found.visibility
            seen = found.visibility[list(_WRISTS)] >= VISIBLE_CUT
            wrists = np.where(seen[:, None], found.xy[list(_WRISTS)], np.nan)
        for side, hand in zip(
            (tracks.left_hand_xy, tracks.right_hand_xy), by_side(hands.find(square), wrists), strict=True
        ):
            if hand is not None:
                side[at] = hand + corner
        if np.isfinite(person.boxes[at]).all():
            turn = float(person.turns[at])
            points = mesh.landmarks(frame.image_rgb, person.boxes[at], turn_degrees=turn)
            if points is not None:
                tracks.face_xy[at] = points[:, :2]
        step.advance()
    for detector in (body, hands, mesh):
        detector.close()


def picked(tracks: MotionTracks, rows: NDArray[np.intp], times_s: NDArray[np.float64]) -> MotionTracks:
    """The tracks of some frames only, at the given times."""
    return MotionTracks(
        times_s=times_s,
        body_xy=tracks.body_xy[rows],
        body_visibility=tracks.body_visibility[rows],
        left_hand_xy=tracks.left_hand_xy[rows],
        right_hand_xy=tracks.right_hand_xy[rows],
        face_xy=tracks.face_xy[rows],
    )


def _chosen(found: Detections, near: Float | None) -> Float | None:
    """The largest face, or, once one was followed, the one nearest to where it was."""
    if not len(found.boxes_xyxy):
        return None
    boxes = found.boxes_xyxy
    if near is None:
        return np.asarray(boxes[np.argmax((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))])
    far = np.hypot(*((boxes[:, :2] + boxes[:, 2:] - near[:2] - near[2:]) / 2).T)
    return np.asarray(boxes[np.argmin(far)]) if far.min() <= _FARTHEST * (near[2] - near[0]) else None


def _squared(image_rgb: Image, window_xyxy: Window | None) -> tuple[Image, NDArray[np.float64]]:
    """The window, or all, at the top left of a black square, and where its corner lies in the picture."""
    left, top, right, bottom = window_xyxy or (0, 0, image_rgb.shape[1], image_rgb.shape[0])
    shown = image_rgb[top:bottom, left:right]
    side = max(shown.shape[:2])
    square = np.zeros((side, side, 3), np.uint8)
    square[: shown.shape[0], : shown.shape[1]] = shown
    return square, np.array((left, top), np.float64)
