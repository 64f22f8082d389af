"""Pass 4: measures the *written file*, decoded again, beside the original, the null edit and the paper's controls.

Controls and null edit go through the same encoder in memory and never become a file.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Float, Frame, Image
from deid_audit.ledger import LedgerFrame, State
from deid_audit.measure.appearance import LOOK_POINTS, Appearance, look_at
from deid_audit.measure.canaries import Flock
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.fidelity import SURROUNDING, OutsideSimilarity
from deid_audit.measure.flicker import FlickerTrack, flicker_track
from deid_audit.measure.identity import VideoDescriptors
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.measure.outside import Surroundings
from deid_audit.measure.sampled import SampledFaces
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.landmark_track import LandmarkTrack
from deid_audit.pipeline.outsider import Outsider
from deid_audit.pipeline.rendering import RenderedPass, subject_boxes
from deid_audit.pipeline.searching import Descriptions, RegionSeen, ReleasedSearch
from deid_audit.pipeline.surroundings import Rebuild, SampledFrames
from deid_audit.progress import Progress
from deid_audit.render.conceal import CONTROLS, grown
from deid_audit.video.encoding import Encoding
from deid_audit.video.reader import SourceVideo, read_frames
from deid_audit.video.writer import roundtrip
from deid_audit.vision.detectors import Detections, share_inside
from deid_audit.vision.keypoint_detectors import (
    KeypointBackend,
    KeypointDetector,
    KeypointTraits,
    MediaPipePose,
    Window,
)
from deid_audit.vision.mesh import LANDMARK_COUNT, FaceMesh, quarter_turn
from deid_audit.vision.standing_text import StandingText, TextStretch

_CONTROL_BOX = 1.15  # landmarks end at the skin; a face box of the field's tools is a little wider
_SAMPLE_FRAMES = 3
_AROUND_SEAM = 1.5  # times the face's box: as far as a seam is looked for, and a little more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """All that was seen of one video, as arrays; nothing here is a verdict.

    `compared` (n,) marks the frames whose subject is swapped, `uncovered` those without a cover near their face;
    `ledger` is the one they were watched by, `turns` (n,) the quarter turns in degrees of the subject's head.
    `appearance` has original, swapped and reencoded. `seen_by`, `second_look`, `regions` and `beside` are
    `ReleasedSearch`'s; what is missing there was not looked at.
    """

    descriptors: VideoDescriptors
    poses: dict[Of, PoseTrack]
    original_face: FaceSignals
    released_face: FaceSignals
    reencoded_face: FaceSignals
    appearance: Mapping[Of, Appearance]
    flicker: Mapping[Of, FlickerTrack]
    compared: NDArray[np.bool_]
    uncovered: NDArray[np.bool_]
    detections: list[Float]
    samples: list[tuple[int, Image, Float]]
    seen_by: list[tuple[tuple[str, ...], ...]] = field(default_factory=list)
    second_look: Mapping[int, Detections] = field(default_factory=dict)
    regions: list[tuple[RegionSeen, ...]] = field(default_factory=list)
    beside: Mapping[tuple[int, int], float] = field(default_factory=dict)
    outside: Surroundings = field(default_factory=Surroundings)
    sampled: SampledFaces = field(default_factory=SampledFaces)
    ledger: Sequence[LedgerFrame] = ()
    turns: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    text_left: tuple[TextStretch, ...] = ()
    text_covered: tuple[TextStretch, ...] = ()
    ssim_outside: Mapping[Of, NDArray[np.float64]] = field(default_factory=dict)
    search_seconds: float = 0.0
    canary_seconds: float = 0.0

    def arrays(self) -> list[NDArray[Any]]:
        """The descriptors, chips and landmarks that are kept, for whoever must overwrite them at the end."""
        looks = [array for one in self.appearance.values() for array in one.arrays()]
        return [*self.descriptors.arrays(), *self.outside.arrays(), *self.sampled.arrays(), *looks]


class Watcher:
    """Pose and face landmarks of one rendition of a video; both sides get the same boxes (n, 4), turns and modes."""

    def __init__(
        self,
        turns: NDArray[np.int16],
        boxes: Float,
        detector: KeypointDetector | None,
        *,
        face: bool,
        lends: bool = False,
    ) -> None:
        self._boxes, self._turns = boxes, turns
        self._detector = detector
        self._mesh = FaceMesh(video=True) if face else None
        self.face = LandmarkTrack(lends=lends)

    def see(self, frame: Frame) -> NDArray[np.float32]:
        """Adds the next frame; gives its face landmarks (478, 3), NaN where none."""
        if self._detector is not None:
            self._detector.add(frame.image_rgb, self._boxes[frame.index])
        points = None
        if self._mesh is not None and np.isfinite(self._boxes[frame.index]).all():
            turn = float(self._turns[frame.index])
            points = self._mesh.landmarks(frame.image_rgb, self._boxes[frame.index], turn_degrees=turn)
        found = np.full((LANDMARK_COUNT, 3), np.nan, np.float32) if points is None else points
        self.face.add(found)
        return found

    def look(self, frame: Frame, landmarks: NDArray[np.float32], *, wanted: bool) -> None:
        """Adds how the frame's face looks under the original's `landmarks` (478, 2 or 3), where it is wanted."""
        if wanted and bool(np.isfinite(landmarks[list(LOOK_POINTS)]).all()):
            self.face.looked(look_at(frame.image_rgb, landmarks[:, :2]))

    def appearance(self) -> Appearance:
        return self.face.appearance()

    def pose_track(self, traits: KeypointTraits) -> PoseTrack | None:
        """The body's keypoints, None when the detector knows nothing of this rendition; asked for once."""
        if self._detector is None:
            return None
        keypoints, area = self._detector.finish()
        return PoseTrack(keypoints=keypoints, area=area, traits=traits)

    def signals(self) -> FaceSignals:
        return self.face.signals()

    def wipe(self) -> None:
        """Overwrites the landmarks, once everything that is kept of them was taken."""
        self.face.wipe()


def observe(
    cast: CastVideo,
    released: SourceVideo,
    done: RenderedPass,
    *,
    engines: Engines,
    canaries: Flock,
    progress: Progress,
    keypoints: KeypointBackend | None = None,
    rebuild: tuple[Rebuild, int] | None = None,
    outsider: Outsider | None = None,
) -> Observed:
    """Watches the released file beside the original, then null edit and controls of the original.

    On a few frames the `canaries` are released, which shows what the audit can see there. `keypoints` is who finds the
    body's keypoints, MediaPipe when left out. `rebuild` is the subject's decoder with its crop's side, where this run
    has one: what an insider could do before it is destroyed. `outsider` is who can only imitate the swap, where the
    donor's side of it is known.
    """
    keypoints = keypoints or MediaPipePose()
    boxes, turns = subject_boxes(done.ledger), _turns_of(cast)
    swapped = subject_swapped(done.ledger)
    window = pose_window(cast, boxes)
    sides: tuple[Of, ...] = ("original", "swapped")
    original_watch, released_watch = (
        Watcher(turns, boxes, keypoints.start(side, window_xyxy=window), face=True, lends=side == "original")
        for side in sides
    )
    sampled = _sample_indices(swapped)
    subject = Descriptions(engines.recognizer)
    search = ReleasedSearch(engines, canaries, done)
    around = SampledFrames(cast, swapped, engines, rebuild, outsider)
    samples: list[tuple[int, Image, Float]] = []
    text = StandingText(released.times_s)
    outside, outside_null = (OutsideSimilarity(boxes=_left_out(done)) for _ in range(2))
    count = cast.source.facts.frame_count
    with progress.step(f"measuring, {cast.source.label}", count) as step:
        for before, after in zip(read_frames(cast.source), read_frames(released), strict=True):
            known = original_watch.see(before)
            points = released_watch.see(after)
            for watch, frame in ((original_watch, before), (released_watch, after)):
                watch.look(frame, known, wanted=bool(swapped[after.index]))
            search.see(before, after)
            around.see(before, after, points)
            outside.compare(before, after)
            text.see(after)
            subject.add(subject_chip(engines, after, boxes, points) if swapped[after.index] else None)
            if after.index in sampled:
                samples.append((after.index, after.image_rgb.copy(), boxes[after.index]))
            step.advance()
        step.note(f"independent search {search.seconds:.1f} s, known faces {search.canary_seconds:.1f} s")
    search.close()
    null_edit = keypoints.start("reencoded", window_xyxy=window)
    watched: dict[Of, PoseTrack | None] = {
        "original": original_watch.pose_track(keypoints.traits),
        "swapped": released_watch.pose_track(keypoints.traits),
    }
    seen = (original_watch.face, swapped)
    watcher = Watcher(turns, boxes, null_edit, face=True)
    reencoded = _watch_rendition(cast, boxes, watcher, "reencoded", progress, around, done.encoding, seen, outside_null)
    watched["reencoded"] = reencoded.pose_track(keypoints.traits)
    controls: tuple[Of, ...] = ("masked", "blurred", "pixelated")
    for name in controls:
        detector = keypoints.start(name, window_xyxy=window)
        if detector is None and name == "masked":  # nothing else is seen of a black box
            continue
        watcher = Watcher(turns, boxes, detector, face=False)
        rendition = _watch_rendition(cast, boxes, watcher, name, progress, around, done.encoding)
        watched[name] = rendition.pose_track(keypoints.traits)
    poses: dict[Of, PoseTrack] = {name: track for name, track in watched.items() if track is not None}
    looks: dict[Of, Appearance] = {
        "original": original_watch.appearance(),
        "swapped": released_watch.appearance(),
        "reencoded": reencoded.appearance(),
    }
    faces = [watch.signals() for watch in (original_watch, released_watch, reencoded)]
    for watch in (original_watch, released_watch, reencoded):
        watch.wipe()
    times_s = np.array(released.times_s)
    others: tuple[Of, ...] = ("swapped", "reencoded")
    return Observed(
        descriptors=VideoDescriptors(
            swapped=subject.rows(),
            original=np.stack(done.original_descriptors),
            subject_swapped=swapped,
            times_s=times_s,
            others=search.others.rows(),
            other_frames=np.array(search.other_frames, np.intp),
        ),
        poses=poses,
        original_face=faces[0],
        released_face=faces[1],
        reencoded_face=faces[2],
        appearance=looks,
        flicker={
            of: flicker_track(
                looks["original"].points_xy, looks[of].points_xy, faces[0].interocular_px, times_s, swapped
            )
            for of in others
        },
        compared=swapped,
        uncovered=swapped & ~np.array([_cover_near(frame) for frame in done.ledger]),
        detections=[sighted.boxes_xyxy for sighted in search.sighted],
        samples=samples,
        seen_by=[sighted.seen_by for sighted in search.sighted],
        second_look=search.second_look,
        regions=search.regions,
        beside=search.distances_beside(),
        outside=around.around(),
        sampled=around.sampled(),
        ledger=tuple(done.ledger),
        turns=turns,
        text_left=text.finish(),
        text_covered=tuple(done.text),
        ssim_outside={"swapped": outside.row(), "reencoded": outside_null.row()},
        search_seconds=search.seconds,
        canary_seconds=search.canary_seconds,
    )


def _watch_rendition(
    cast: CastVideo,
    boxes: NDArray[np.float32],
    watcher: Watcher,
    of: Of,
    progress: Progress,
    around: SampledFrames,
    encoding: Encoding,
    known: tuple[LandmarkTrack, NDArray[np.bool_]] | None = None,
    outside: OutsideSimilarity | None = None,
) -> Watcher:
    """The original under a control, or untouched (the null edit), through the encoder in memory, watched.

    `known` are the original's landmarks and the wanted frames: with them, how the face looks there is kept, too;
    `outside` collects how the rest of the picture looks.
    """
    control = CONTROLS.get(of)
    name = "null edit" if of == "reencoded" else of
    with progress.step(f"{name}, {cast.source.label}", cast.source.facts.frame_count) as step:
        edited = _edited(read_frames(cast.source), boxes, control)
        if outside is not None:
            edited = outside.remembering(edited)
        for frame in roundtrip(edited, like=cast.source, encoding=encoding):
            watcher.see(frame)
            if outside is not None:
                outside.compare_remembered(frame)
            if of != "masked":  # a black box shows no face to describe
                around.see_edited(of, frame)
            if known is not None:
                face, wanted = known
                watcher.look(frame, face.under(frame.index), wanted=bool(wanted[frame.index]))
            step.advance()
    return watcher


def subject_swapped(ledger: Sequence[LedgerFrame]) -> NDArray[np.bool_]:
    """In which frames (n,) the subject's face is swapped."""
    return np.array([any(r.is_subject and r.state is State.SWAPPED for r in f.regions) for f in ledger], np.bool_)


def subject_chip(engines: Engines, after: Frame, boxes: Float, points: NDArray[np.float32]) -> Image | None:
    """The chip of the subject's released face in its box of `boxes` (n, 4); `points` (478, 3) are its landmarks."""
    found = points[:, :2] if np.isfinite(points).all() else None
    return engines.recognizer.chip(after.image_rgb, boxes[after.index], found)


def _left_out(done: RenderedPass) -> list[list[Float]]:
    """What was meant to change in every frame: the faces' surroundings, and text that is covered."""
    text = [(one, np.array(one.box_xyxy, np.float32)) for one in done.text]
    return [
        [grown(np.array(region.box_xyxy, np.float32), SURROUNDING) for region in frame.regions]
        + [box for one, box in text if one.first <= frame.index <= one.last]
        for frame in done.ledger
    ]


def _turns_of(cast: CastVideo) -> NDArray[np.int16]:
    faces = (cast.person_face(index) for index in range(cast.source.facts.frame_count))
    return np.array([quarter_turn(None if one is None else one.landmarks_xy) for one in faces], np.int16)


def _cover_near(frame: LedgerFrame) -> bool:
    """Whether something beside the subject's face is covered, so near that its edge could pass for a seam."""
    mine = [grown(np.array(r.box_xyxy, np.float32), _AROUND_SEAM) for r in frame.regions if r.is_subject]
    covers = [np.array(r.box_xyxy, np.float32) for r in frame.regions if r.state is State.CONCEALED]
    return any(share_inside(cover, box) > 0 for box in mine for cover in covers)


def _edited(
    frames: Iterable[Frame], boxes: NDArray[np.float32], control: Callable[[Image, Float], Image] | None
) -> Iterator[Frame]:
    for frame in frames:
        box = boxes[frame.index]
        if control is None or not np.isfinite(box).all():
            yield frame
        else:
            yield Frame(index=frame.index, pts=frame.pts, image_rgb=control(frame.image_rgb, grown(box, _CONTROL_BOX)))


def pose_window(cast: CastVideo, boxes: NDArray[np.float32]) -> Window | None:
    """The part of the frame that holds the subject's body; None (all of it) when nobody else was seen.

    Pose follows one person: with others in view it is shown six head widths around the subject's head.
    """
    others = any(face.track_id in cast.others for row in cast.faces.frames for face in row)
    return window_around(boxes, cast.source) if others else None


def window_around(boxes: NDArray[np.float32], source: SourceVideo) -> Window | None:
    """The part of the frame within six head widths around one person's face boxes (n, 4); None without a box."""
    known = boxes[np.isfinite(boxes).all(1)]
    if not len(known):
        return None
    (left, top), (right, bottom) = known[:, :2].min(0).tolist(), known[:, 2:].max(0).tolist()
    head = float(np.median(known[:, 2] - known[:, 0]))
    width, height = source.facts.width, source.facts.height
    return (
        int(max(0, left - 2.5 * head)),
        int(max(0, top - head)),
        int(min(width, right + 2.5 * head)),
        int(min(height, bottom + 9 * head)),
    )


def _sample_indices(swapped: NDArray[np.bool_]) -> set[int]:
    """Three swapped frames spread over the video, for the certificate's pictures."""
    usable = np.flatnonzero(swapped)
    if not len(usable):
        return set()
    return {int(usable[round(share * (len(usable) - 1))]) for share in np.linspace(0.1, 0.9, _SAMPLE_FRAMES)}
