"""Pass 1: who is where in every frame. Detections become tracks with landmarks; gaps are filled from both sides.

Tracks say where faces are, not whose they are (`subject.py`), and nothing here decides what is released.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from scipy.optimize import linear_sum_assignment

from deid_audit.faces.descriptor_rows import DescriptorRows
from deid_audit.faces.follow import EDGE_FRAMES, Recent
from deid_audit.faces.follow import METHOD_TEXT as FOLLOW_METHOD
from deid_audit.faces.hidden import METHOD_TEXT as HIDDEN_METHOD
from deid_audit.faces.hidden import HeadWatch, hidden_heads
from deid_audit.faces.search import EVERY_FRAMES, HarderSearch
from deid_audit.faces.search import METHOD_TEXT as SEARCH_METHOD
from deid_audit.frames import Float, Frame, Image, TrackedFace, packed_place
from deid_audit.overlap import ahead, mapped
from deid_audit.progress import Step
from deid_audit.timing import Stopwatch
from deid_audit.vision.detectors import Detections, FaceDetector, WaryDetector, iou_matrix
from deid_audit.vision.heads import HeadFinder
from deid_audit.vision.mesh import FaceMesh, box_of, roll_of
from deid_audit.vision.recognizer import Recognizer

METHOD_TEXT = (
    f"Faces are found by MediaPipe's full-range detector at a low threshold. {SEARCH_METHOD} They are followed over "
    "time with FaceMesh on a crop of fixed size, looked for again upscaled and turned by 30, 90 and 180 degrees when a "
    f"track is lost, and interpolated from both sides over gaps. {FOLLOW_METHOD} {HIDDEN_METHOD} A frame without a "
    "face needs dlib's HOG detector at a lowered threshold and the body detector to agree."
)
_TURNS = (0.0, 30.0, -30.0, 90.0, -90.0, 180.0)
_SAME_FACE_IOU = 0.25
# The mesh's box in sides of the detector's: 0.89 to 1.36 on 218 faces of ten clips; 0.36 where it fitted half a face.
_SMALLEST, _LARGEST = 0.65, 1.6
# Turned upside down the mesh fits a face as well (157 of 221): nothing but the head's tilt before tells the two apart.
_MOST_ROLL = 60.0
# The second opinion looks lower than at 0, at which the written file is looked at: the encoder moved the scores of 29
# boxes by 0.14 at most. Down to -0.2 it saw nothing in 55 frames of a building site and 12 of a shop without a face.
_WARY_SCORE = -0.15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoFaces:
    """All faces of one video: `frames[i]` are frame i's faces; frames without any name who agreed on that.

    `descriptors[track]` is float32 (n, 128) for the frames `described[track]` of that track.
    """

    frames: tuple[tuple[TrackedFace, ...], ...]
    cleared_by: tuple[tuple[str, ...], ...]
    described: dict[int, tuple[int, ...]]
    descriptors: dict[int, Float]

    def with_more(self, faces: Sequence[TrackedFace]) -> "VideoFaces":
        """The same with these faces added to their frames; a frame with a face is cleared by nobody."""
        if not faces:
            return self
        table = [list(row) for row in self.frames]
        for face in faces:
            table[face.frame_index].append(face)
        cleared = tuple(() if row else names for row, names in zip(table, self.cleared_by, strict=True))
        return replace(self, frames=tuple(map(tuple, table)), cleared_by=cleared)


@dataclass(slots=True, eq=False)
class _Track:
    track_id: int
    mesh: FaceMesh
    box_xyxy: Float
    sightings: dict[int, TrackedFace] = field(default_factory=dict)
    missed: int = 0
    guesses: dict[int, Float] = field(default_factory=dict)  # places by the face's look, no sightings
    look: Image | None = None
    roll: float = 0.0  # degrees clockwise that the head was last tilted by

    def note(self, index: int, face: TrackedFace | None, recent: Recent) -> None:
        """Frame `index` shows this face or none: then it is followed by its look, while that goes without a break."""
        if face is None:
            before = self.guesses.get(index - 1) if self.missed else self.box_xyxy
            guess = None if before is None else recent.on(before, self.look)
            if guess is not None:
                self.guesses[index] = guess
            self.missed += 1
            return
        if not self.sightings:
            self.guesses |= recent.back(face.box_xyxy)
        self.missed, self.box_xyxy, self.look = 0, face.box_xyxy, recent.look_of(face.box_xyxy)
        if (landmarks := face.landmarks_xy) is not None:
            self.roll = roll_of(landmarks)
        self.sightings[index] = face


@dataclass(slots=True)
class _Chips:
    """Face chips wait here until there are enough for a batch."""

    recognizer: Recognizer
    waiting: list[tuple[int, int, Image]] = field(default_factory=list)
    rows: dict[int, DescriptorRows] = field(default_factory=dict)
    frames: dict[int, list[int]] = field(default_factory=dict)

    def add(self, track_id: int, frame_index: int, chip: Image) -> None:
        self.waiting.append((track_id, frame_index, chip))
        if len(self.waiting) >= 16:
            self.flush()

    def flush(self) -> None:
        described = self.recognizer.describe([chip for _, _, chip in self.waiting])
        for (track_id, frame_index, _), row in zip(self.waiting, described, strict=True):
            self.rows.setdefault(track_id, DescriptorRows()).add(row)
            self.frames.setdefault(track_id, []).append(frame_index)
        self.waiting.clear()


def track_faces(
    frames: Iterable[Frame],
    *,
    frame_rate: float,
    detector: FaceDetector,
    second_opinion: WaryDetector,
    recognizer: Recognizer,
    step: Step,
    depth: int = 0,
    clock: Stopwatch | None = None,
) -> VideoFaces:
    """Follows every face through the frames; a track lost for more than a second, or at a cut, ends.

    Frames, detector, tracks and heads run in threads of their own, up to `depth` frames ahead of each other; 0: in one.
    """
    clock = clock or Stopwatch()
    tracks: list[_Track] = []
    active: list[_Track] = []
    cleared: list[tuple[str, ...]] = []
    chips = _Chips(recognizer)
    static_mesh = FaceMesh(video=False)
    search, watch, recent = HarderSearch(detector), HeadWatch(), Recent(round(frame_rate) + 1)
    shots: list[int] = []

    def detected(frame: Frame) -> tuple[Frame, Detections]:
        with clock.part("detector"):
            found = detector.detect(frame.image_rgb)
            if frame.index % EVERY_FRAMES == 0:
                found = search(frame.image_rgb, found, nothing_seen=not len(found.boxes_xyxy))
        return frame, found

    def followed(shown: tuple[Frame, Detections]) -> tuple[Frame, list[TrackedFace]]:
        frame, found = shown
        with clock.part("tracks and mesh"):
            cut = recent.add(frame)
            shots.append(shots[-1] + cut if shots else 0)
            _end([track for track in active if cut], active)
            for track, box, score in _assign(active, tracks, found):
                face = _look(track, frame, box, score, static_mesh)
                track.note(frame.index, face, recent)
                landmarks = None if face is None else face.landmarks_xy
                if landmarks is not None:
                    with clock.part("chips and descriptors"):
                        chip = recognizer.chip_from_mesh(frame.image_rgb, landmarks)
                        chips.add(track.track_id, frame.index, chip)
            _end([track for track in active if track.missed > frame_rate], active)
            seen = [track.sightings[frame.index] for track in active if frame.index in track.sightings]
            with clock.part("second opinion"):
                cleared.append(() if seen else _second_look(frame, detector, second_opinion, tracks))
        return frame, seen

    with (
        ahead(clock.each("decode", frames), depth) as decoded,
        ahead(mapped(detected, decoded), depth) as found,
        ahead(mapped(followed, found), depth) as rows,
    ):
        for frame, seen in rows:
            with clock.part("heads by the body"):
                watch(frame, seen)
            step.advance()
    chips.flush()
    _end(list(active), active)
    static_mesh.close()
    search.close()
    watch.close()
    count = len(cleared)
    table: list[list[TrackedFace]] = [[] for _ in range(count)]
    for track in tracks:
        for face in _fill(track, shots):
            table[face.frame_index].append(face)
    for head in hidden_heads(table, watch.seen, shots, longest_gap=frame_rate, first_track=len(tracks)):
        table[head.frame_index].append(head)
    return VideoFaces(
        frames=tuple(tuple(row) for row in table),
        cleared_by=tuple(() if row else names for row, names in zip(table, cleared, strict=True)),
        described={track: tuple(frames) for track, frames in chips.frames.items()},
        descriptors={track: rows.taken() for track, rows in chips.rows.items()},
    )


def _end(ended: Sequence[_Track], active: list[_Track]) -> None:
    for track in ended:
        track.mesh.close()
        track.look = None
        active.remove(track)


def _assign(
    active: list[_Track], tracks: list[_Track], found: Detections
) -> Iterator[tuple[_Track, Float | None, float]]:
    """Pairs tracks with detections by overlap; a detection without a track starts one, a track may go without."""
    boxes_xyxy, scores = found.boxes_xyxy, found.scores
    overlaps = iou_matrix(np.array([t.box_xyxy for t in active], np.float32).reshape(-1, 4), boxes_xyxy)
    rows, columns = linear_sum_assignment(-overlaps)
    pairs = {int(r): int(c) for r, c in zip(rows, columns, strict=True) if overlaps[r, c] >= _SAME_FACE_IOU}
    existing = list(active)
    for position in range(len(boxes_xyxy)):
        # a second box on a face that already has one is the same face, not a new person
        if position not in pairs.values() and (not overlaps.size or overlaps[:, position].max() < 0.5):
            turn = 0.0 if found.turns is None else float(found.turns[position])
            newcomer = _Track(len(tracks), FaceMesh(video=True), boxes_xyxy[position], roll=turn)
            tracks.append(newcomer)
            active.append(newcomer)
            yield newcomer, boxes_xyxy[position], float(scores[position])
    for row, track in enumerate(existing):
        match = pairs.get(row)
        yield track, (None if match is None else boxes_xyxy[match]), (0.0 if match is None else float(scores[match]))


def _look(track: _Track, frame: Frame, box: Float | None, score: float, static_mesh: FaceMesh) -> TrackedFace | None:
    """Landmarks in the detection's box, else where the track last was; None when there is neither box nor landmarks."""
    search = track.box_xyxy if box is None else box
    points = track.mesh.landmarks(frame.image_rgb, search)
    source = "video mesh"
    if points is None or not _plausible(points, search, track.roll):
        points = None
        for turn in sorted(_TURNS, key=lambda turn: abs(_between(turn, track.roll))):
            candidate = static_mesh.landmarks(frame.image_rgb, search, turn_degrees=turn)
            if candidate is not None and _plausible(candidate, search, track.roll):
                points, source = candidate, f"static mesh, turned {turn:.0f}"
                break
    if points is None and box is None:
        return None
    landmarks = None if points is None else points[:, :2]
    return TrackedFace(
        frame_index=frame.index,
        track_id=track.track_id,
        place=packed_place(search if landmarks is None else box_of(landmarks), landmarks),
        score=score,
        filled=False,
        source=source if points is not None else "detector only",
    )


def _plausible(points: Float, search_xyxy: Float, roll: float) -> bool:
    """Landmarks must sit on the face that was looked for, at about its size, and not stand on their head."""
    box = box_of(points[:, :2])
    side, expected = float((box[2:] - box[:2]).max()), float((search_xyxy[2:] - search_xyxy[:2]).max())
    near = iou_matrix(box[None], search_xyxy[None])[0, 0] > 0.15 and _SMALLEST < side / expected < _LARGEST
    return bool(near and abs(_between(roll_of(points[:, :2]), roll)) < _MOST_ROLL)


def _between(first: float, second: float) -> float:
    """The angle from the second to the first in degrees, in [-180, 180)."""
    return (first - second + 180) % 360 - 180


def _second_look(
    frame: Frame, detector: FaceDetector, second_opinion: WaryDetector, tracks: list[_Track]
) -> tuple[str, ...]:
    """Who agrees that the frame holds no face; a face only the second detector sees becomes a track of its own."""
    found = second_opinion.detect(frame.image_rgb, min_score=_WARY_SCORE)
    for box, score in zip(found.boxes_xyxy, found.scores, strict=True):
        lone = TrackedFace(
            frame_index=frame.index,
            track_id=len(tracks),
            place=packed_place(box, None),
            score=float(score),
            filled=False,
            source=f"{second_opinion.name} only",
        )
        tracks.append(_Track(len(tracks), None, box, {frame.index: lone}))  # type: ignore[arg-type]
    return () if len(found.boxes_xyxy) else (detector.name, second_opinion.name, HeadFinder.name)


def _fill(track: _Track, shots: Sequence[int]) -> Iterator[TrackedFace]:
    """The track's faces with its gaps filled by interpolation; at both ends where it was followed to, and a few frames.

    `shots` numbers each frame's shot: a track lies in one of them.
    """
    seen = sorted(track.sightings)
    for before, after in pairwise(seen):
        first, last = track.sightings[before], track.sightings[after]
        yield first
        for index in range(before + 1, after):
            share = (index - before) / (after - before)
            ends, landmarks = (first.landmarks_xy, last.landmarks_xy), None
            if ends[0] is not None and ends[1] is not None:
                landmarks = ((1 - share) * ends[0] + share * ends[1]).astype(np.float32)
            between = (1 - share) * first.box_xyxy + share * last.box_xyxy
            yield held(first, index, "interpolated", box_xyxy=between, landmarks_xy=landmarks)
    if not seen:
        return
    first, last = track.sightings[seen[0]], track.sightings[seen[-1]]
    yield last
    start, end = min([seen[0], *track.guesses]), max([seen[-1], *track.guesses])
    for index in range(max(0, start - EDGE_FRAMES), seen[0]):
        box = track.guesses.get(max(index, start))
        if shots[index] == shots[seen[0]]:
            yield held(first, index, "before the first sighting", box_xyxy=box)
    for index in range(seen[-1] + 1, min(len(shots), end + 1 + EDGE_FRAMES)):
        box = track.guesses.get(min(index, end))
        if shots[index] == shots[seen[-1]]:
            yield held(last, index, "after the last sighting", box_xyxy=box)


def held(
    face: TrackedFace, index: int, source: str, *, box_xyxy: Float | None = None, landmarks_xy: Float | None = None
) -> TrackedFace:
    """The face in a frame in which it was not seen: at its place, or at `box_xyxy`; `source` says how that is known."""
    return replace(
        face,
        frame_index=index,
        place=packed_place(face.box_xyxy if box_xyxy is None else box_xyxy, landmarks_xy),
        score=0.0,
        filled=True,
        source=source,
    )
