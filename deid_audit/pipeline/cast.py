"""Pass 1 and the training material: who is in the videos, which track is the subject, which crops train the pair.

Crops stay in memory; they and the probe's frames are registered with the vault by the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import NotEnoughFaces, SettingsError
from deid_audit.faces.align import align, apply, attention_map
from deid_audit.faces.behind import hold_hidden
from deid_audit.faces.bridging import bridge_gaps
from deid_audit.faces.choose import away_from, expressions, farthest_points, held_out, pose_features, shared_neutral
from deid_audit.faces.photo import photo_descriptor
from deid_audit.faces.splitting import split_tracks
from deid_audit.faces.subject import MINIMUM_FACES, SMALLEST_FACE_PX, Person, name_person, others_than
from deid_audit.faces.track import VideoFaces, track_faces
from deid_audit.frames import AlignedFace, Float, Image, TrackedFace
from deid_audit.overlap import frames_ahead
from deid_audit.pipeline.engines import Engines
from deid_audit.progress import Progress
from deid_audit.timing import Stopwatch
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.vision.colour import ColourStats, colour_stats, recolour
from deid_audit.vision.detectors import iou_matrix, overlap_of_smaller, share_inside
from deid_audit.vision.recognizer import MATCH_DISTANCE

_TRAINING_FACES = 400
_MOST_CANDIDATES = 10_000  # that they are chosen from: five minutes, or so many frames spread over longer videos
_PORTRAITS = 24
PORTRAIT_PX = 320  # with its margin: 256 px of face, as large as a swap is ever made
_PROBE_FACES = 32
_PROBE_WINDOW_PER_BOX = 2.2
_BRIDGED_S = 2.0  # between two tracks of one person
_HIDDEN_S = 1.0  # of a face that another one hides; as long as the tracker looks for one that is lost
_SAME_FACE = 0.7  # of a second sighting's box
_SAME_FACE_IOU = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CastVideo:
    """One analysed video: its faces, which tracks are the person it was given for, and which are known others'."""

    source: SourceVideo
    faces: VideoFaces
    tracks: frozenset[int]
    others: frozenset[int] = frozenset()

    def person_face(self, index: int) -> TrackedFace | None:
        """The person's face in frame `index`; when two tracks claim it, one with landmarks of its own, the largest."""
        mine = [face for face in self.faces.frames[index] if face.track_id in self.tracks]
        return max(mine, key=_claim, default=None)

    def same_face(self, face: TrackedFace) -> list[TrackedFace]:
        """Other tracks' sightings of this very face of the person: one face that was found twice.

        They lie in its box, or nearly so: what reaches out of it may be a mirror or somebody behind.
        """
        row = [one for one in self.faces.frames[face.frame_index] if one is not face and one.track_id in self.tracks]
        return [one for one in row if _lies_in(one.box_xyxy, face.box_xyxy)]


def _lies_in(box_xyxy: Float, face_xyxy: Float) -> bool:
    overlap = float(iou_matrix(box_xyxy[None], face_xyxy[None])[0, 0])
    return share_inside(box_xyxy, face_xyxy) >= _SAME_FACE or overlap >= _SAME_FACE_IOU


def _claim(face: TrackedFace) -> tuple[bool, float]:
    return face.has_landmarks and not face.filled, float(np.ptp(face.box_xyxy[[1, 3]]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Role:
    """All videos of the subject, or of the donor, and the person in them."""

    videos: tuple[CastVideo, ...]
    average: Float  # (128,) descriptor from mesh points, over all described frames
    others: tuple[Person, ...] = ()  # everybody else who can be told apart in these videos

    def arrays(self) -> list[NDArray[Any]]:
        """Descriptors, boxes and landmarks of everybody in the videos: what must not outlive the run."""
        found: list[NDArray[Any]] = [self.average, *(person.average for person in self.others)]
        for video in self.videos:
            found += video.faces.descriptors.values()
            found += [face.place for row in video.faces.frames for face in row]
        return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProbeFrame:
    """The surroundings of one held-out face: `window_rgb` and the face's landmarks (478, 2) in its pixels."""

    window_rgb: Image
    landmarks_xy: Float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """Crops for training with their attention maps, the pose features they were chosen by, probe frames, chips.

    `portraits` are larger crops (with a donor), of the faces nearest to the pose and expression that were asked for.
    """

    crops: list[AlignedFace]
    portraits: list[AlignedFace]
    attention: list[Float]
    features: NDArray[np.float32]
    probe: list[ProbeFrame]
    descriptors: Float


def open_videos(paths: Sequence[Path], *, who: str, digest_key: bytes | None) -> list[SourceVideo]:
    """Every video of the subject or donor decoded once, so that a bad file stops the job before any work."""
    return [
        open_video(path, label=f"{who} video {number}", digest_key=digest_key)
        for number, path in enumerate(paths, start=1)
    ]


def frame_rate_of(source: SourceVideo) -> float:
    """Frames a second, on average."""
    return source.facts.frame_count / max(source.facts.duration_s, 1e-6)


def depth_of(source: SourceVideo) -> int:
    """How many of its frames may wait between two stages of a pass."""
    return frames_ahead(source.facts.width, source.facts.height)


def find_faces(
    source: SourceVideo, *, engines: Engines, progress: Progress, clock: Stopwatch | None = None
) -> VideoFaces:
    """Tracks every face of one video."""
    frame_rate, count = frame_rate_of(source), source.facts.frame_count
    clock = clock or Stopwatch()
    with progress.step(f"finding faces, {source.label}", count) as step, clock.running(count):
        found = track_faces(
            read_frames(source),
            frame_rate=frame_rate,
            detector=engines.leading,
            second_opinion=engines.second,
            recognizer=engines.recognizer,
            step=step,
            depth=depth_of(source),
            clock=clock,
        )
    return hold_hidden(split_tracks(found), frames=round(frame_rate * _HIDDEN_S))


def analyse(
    sources: Sequence[SourceVideo],
    *,
    who: str,
    engines: Engines,
    progress: Progress,
    photo: Float | None = None,
    chosen: Sequence[tuple[int, int]] = (),
    clock: Stopwatch | None = None,
) -> Role:
    """Tracks every face of every video and names the one person they share; NotEnoughFaces when there is none.

    `photo` (128,) is the descriptor of a photo that says which person it is, `chosen` tracks that do, as (video, id).
    """
    tracked = [find_faces(source, engines=engines, progress=progress, clock=clock) for source in sources]
    person = name_person(tracked, who=who, photo=photo, chosen=chosen)
    others = others_than(person, tracked)
    for tracks, faces in zip(person.tracks, tracked, strict=True):
        for track in tracks:  # the average is made, and of a long video they are much
            faces.described.pop(track)
            faces.descriptors.pop(track).fill(0)
    return Role(videos=videos_of(person, others, sources, tracked), average=person.average, others=tuple(others))


def videos_of(
    person: Person, others: Sequence[Person], sources: Sequence[SourceVideo], tracked: Sequence[VideoFaces]
) -> tuple[CastVideo, ...]:
    """Every video with this person's tracks and those of everybody else who is known, gaps between them bridged."""
    videos = []
    for at, (source, faces) in enumerate(zip(sources, tracked, strict=True)):
        longest = round(frame_rate_of(source) * _BRIDGED_S)
        for one in (person, *others):
            faces = bridge_gaps(faces, one.tracks[at], longest=longest)  # noqa: PLW2901
        known = frozenset(track for other in others for track in other.tracks[at])
        videos.append(CastVideo(source=source, faces=faces, tracks=frozenset(person.tracks[at]), others=known))
    return tuple(videos)


def describe_photo(path: Path | None, engines: Engines) -> Float | None:
    """The descriptor (128,) of the subject's photo; None without one."""
    if path is None:
        return None
    return photo_descriptor(path, detector=engines.leading, recognizer=engines.recognizer)


def named_by(photo: Float | None, chosen: Sequence[tuple[int, int]]) -> str:
    """How the subject was told from others, for the statement."""
    if chosen:
        return "the steward, by track " + ", ".join(f"{video}:{track}" for video, track in chosen)
    return "the one person in all videos" if photo is None else "a photo, within the descriptor's cut of 0.6"


def refuse_same_person(subject: Float, donor: Float, *, who: str = "subject", other: str = "donor") -> None:
    """SettingsError when two average descriptors (128,) match; `who` and `other` name the two people."""
    distance = float(np.linalg.norm(subject - donor))
    if distance < MATCH_DISTANCE:
        raise SettingsError(
            f"the {other} looks like the {who}: distance {distance:.2f}, expected more than {MATCH_DISTANCE}",
            next_step="give videos of another donor",
        )


def usable_frames(video: CastVideo) -> list[int]:
    """Frames with the person's landmarks seen (not interpolated) and the face large enough to teach something."""

    def usable(face: TrackedFace | None) -> bool:
        if face is None or not face.has_landmarks or face.filled:
            return False
        return float(np.ptp(face.box_xyxy[[1, 3]])) >= SMALLEST_FACE_PX

    return [index for index in range(len(video.faces.frames)) if usable(video.person_face(index))]


def face_height(role: Role) -> float:
    """The median height in px of the person's face in the usable frames, forehead to chin; 0 without any."""
    heights = [np.ptp(_box(video, index)[[1, 3]]) for video in role.videos for index in usable_frames(video)]
    return float(np.median(heights)) if heights else 0.0


def _landmarks(video: CastVideo, index: int) -> Float:
    face = video.person_face(index)
    landmarks = None if face is None else face.landmarks_xy
    assert landmarks is not None  # `usable_frames` saw to it
    return landmarks


def gather_subject(role: Role, *, who: str, size: int, margin: float, engines: Engines, progress: Progress) -> Material:
    """Second decode of the subject's videos: training crops, and the probe's frames, which are not trained on."""
    return _gather(role, who=who, size=size, margin=margin, engines=engines, progress=progress, probe=True, near=None)


def gather_donor(
    role: Role, *, who: str, size: int, margin: float, engines: Engines, progress: Progress, near: Float | None
) -> Material:
    """Second decode of the donor's videos: training crops, and portraits in the usual expression of `near` (m, 956).

    None: in the donor's own.
    """
    return _gather(role, who=who, size=size, margin=margin, engines=engines, progress=progress, probe=False, near=near)


def _gather(
    role: Role,
    *,
    who: str,
    size: int,
    margin: float,
    engines: Engines,
    progress: Progress,
    probe: bool,
    near: Float | None,
) -> Material:
    """Crops of the frames that differ most in pose and expression; NotEnoughFaces names the count and the minimum."""
    usable = [(v, index) for v, video in enumerate(role.videos) for index in usable_frames(video)]
    if len(usable) < MINIMUM_FACES:
        raise NotEnoughFaces(
            f"{who}: {len(usable)} usable faces found, at least {MINIMUM_FACES} are needed "
            f"(seen from the front or side, {SMALLEST_FACE_PX} px high or more)",
            next_step=f"give more or better videos of the {who}",
        )
    usable = [usable[at] for at in held_out(len(usable), _MOST_CANDIDATES)]
    aside = set(held_out(len(usable), _PROBE_FACES)) if probe else set()
    rest = [pair for position, pair in enumerate(usable) if position not in aside]
    features = pose_features([_landmarks(role.videos[v], index) for v, index in rest])
    picked = farthest_points(features, _TRAINING_FACES)
    portrayed: list[tuple[int, int]] = []
    if not probe:
        neutral = shared_neutral(features if near is None else near, features)
        distance = away_from(neutral, expressions(features, features))
        portrayed = [rest[position] for position in np.argsort(distance, kind="stable")[:_PORTRAITS]]
    wanted = {rest[position] for position in picked}
    probed = {usable[position] for position in aside}
    crops: dict[tuple[int, int], tuple[AlignedFace, Float, Image | None]] = {}
    portraits: dict[tuple[int, int], AlignedFace] = {}
    windows: dict[tuple[int, int], ProbeFrame] = {}
    for v, video in enumerate(role.videos):
        with progress.step(f"gathering faces, {video.source.label}", video.source.facts.frame_count) as step:
            for frame in read_frames(video.source):
                key = (v, frame.index)
                if key in wanted:
                    points = _landmarks(video, frame.index)
                    face = align(frame.index, frame.image_rgb, points, size, margin=margin)
                    look = attention_map(apply(face.frame_to_crop, points), size)
                    chip = None if probe else engines.recognizer.chip(frame.image_rgb, _box(video, frame.index), points)
                    crops[key] = (face, look, chip)
                if key in portrayed:
                    points = _landmarks(video, frame.index)
                    portraits[key] = align(frame.index, frame.image_rgb, points, PORTRAIT_PX, margin=margin)
                if key in probed:
                    windows[key] = probe_window(frame.image_rgb, _landmarks(video, frame.index))
                step.advance()
    ordered = [crops[rest[position]] for position in picked]
    return Material(
        crops=[face for face, _, _ in ordered],
        portraits=[portraits[key] for key in portrayed],
        attention=[look for _, look, _ in ordered],
        features=features[picked],
        probe=[windows[usable[position]] for position in sorted(aside)],
        descriptors=engines.recognizer.describe([chip for _, _, chip in ordered]),
    )


def describe_person(role: Role, *, engines: Engines, progress: Progress) -> Float:
    """Descriptors (n, 128) of the person on frames spread over all their videos, as the audit makes them."""
    usable = [(v, index) for v, video in enumerate(role.videos) for index in usable_frames(video)]
    every = -(-len(usable) // _TRAINING_FACES) or 1
    wanted = set(usable[::every])
    chips: list[Image | None] = []
    for v, video in enumerate(role.videos):
        with progress.step(f"describing, {video.source.label}", video.source.facts.frame_count) as step:
            for frame in read_frames(video.source):
                if (v, frame.index) in wanted:
                    points = _landmarks(video, frame.index)
                    chips.append(engines.recognizer.chip(frame.image_rgb, _box(video, frame.index), points))
                step.advance()
    return engines.recognizer.describe(chips)


def strangers(*roles: Role) -> Float:
    """Descriptors (n, 128) of other people in the videos: they calibrate the gallery's false match rate.

    Who looks like the role's own person may be their photo on the wall, or a track that holds both: no stranger.
    """
    rows = [
        _apart(video, track)
        for role in roles
        for other in role.others
        if np.linalg.norm(other.average - role.average) >= MATCH_DISTANCE
        for video, tracks in zip(role.videos, other.tracks, strict=True)
        for track in sorted(tracks)
    ]
    return np.concatenate(rows) if rows else np.zeros((0, 128), np.float32)


def _apart(video: CastVideo, track: int) -> Float:
    """The track's descriptors (k, 128) where it touches the person nowhere: where two cross, it may be on either."""
    keep = [
        not any(
            overlap_of_smaller(one.box_xyxy, mine.box_xyxy) > 0
            for one in video.faces.frames[index]
            for mine in video.faces.frames[index]
            if one.track_id == track and mine.track_id in video.tracks
        )
        for index in video.faces.described[track]
    ]
    return video.faces.descriptors[track][keep]


def _box(video: CastVideo, index: int) -> Float:
    face = video.person_face(index)
    assert face is not None
    return face.box_xyxy


def probe_window(image_rgb: Image, landmarks_xy: Float) -> ProbeFrame:
    """The face with its surroundings, copied out of the frame."""
    low, high = landmarks_xy.min(0), landmarks_xy.max(0)
    centre, half = (low + high) / 2, float((high - low).max()) * _PROBE_WINDOW_PER_BOX / 2
    height, width = image_rgb.shape[:2]
    left, top = (max(0, int(edge)) for edge in centre - half)
    right, bottom = min(width, int(centre[0] + half)), min(height, int(centre[1] + half))
    window = np.ascontiguousarray(image_rgb[top:bottom, left:right])
    return ProbeFrame(window_rgb=window, landmarks_xy=(landmarks_xy - (left, top)).astype(np.float32))


def average_colours(faces: Sequence[AlignedFace]) -> ColourStats:
    """The mean over the faces of their skin's statistics."""
    stats = [colour_stats(face.crop_rgb, face.mask) for face in faces]
    return ColourStats(mean=np.mean([s.mean for s in stats], 0), spread=np.mean([s.spread for s in stats], 0))


def with_colours_of(faces: Sequence[AlignedFace], source: ColourStats, target: ColourStats) -> list[AlignedFace]:
    """The faces with `source` statistics moved to `target`, so that the swap need not learn the lighting."""
    return [replace(face, crop_rgb=recolour(face.crop_rgb, source, target)) for face in faces]
