"""Pass 4: measures the *written file*, decoded again, beside the original, the null edit and the paper's controls.

Controls and null edit go through the same encoder in memory and never become a file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Float, Frame, Image
from deid_audit.ledger import LedgerFrame, State
from deid_audit.measure.appearance import Appearance
from deid_audit.measure.canaries import Flock
from deid_audit.measure.exam.eyes import LidTrack
from deid_audit.measure.exam.kept_face import KeptFace
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.fidelity import SURROUNDING, OutsideSimilarity
from deid_audit.measure.flicker import FlickerTrack, flicker_track
from deid_audit.measure.identity import VideoDescriptors
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.measure.outside import Surroundings
from deid_audit.measure.sampled import SampledFaces
from deid_audit.overlap import ahead, mapped
from deid_audit.pipeline.burned_in import boxes_in
from deid_audit.pipeline.cast import CastVideo, depth_of
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.original_side import OriginalSide
from deid_audit.pipeline.outsider import Outsider
from deid_audit.pipeline.rendering import RenderedPass, subject_boxes
from deid_audit.pipeline.renditions import Renditions
from deid_audit.pipeline.searching import Descriptions, RegionSeen, ReleasedSearch
from deid_audit.pipeline.surroundings import Rebuild, SampledFrames
from deid_audit.pipeline.watching import Watchers
from deid_audit.progress import Progress
from deid_audit.render.conceal import grown
from deid_audit.timing import Stopwatch
from deid_audit.video.reader import SourceVideo, read_frames
from deid_audit.vision.detectors import Detections, share_inside
from deid_audit.vision.keypoint_detectors import (
    KeypointBackend,
    MediaPipePose,
    Window,
)
from deid_audit.vision.mesh import quarter_turn
from deid_audit.vision.standing_text import StandingText, TextStretch

_SAMPLE_FRAMES = 3
_AROUND_SEAM = 1.5  # times the face's box: as far as a seam is looked for, and a little more


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Observed:
    """All that was seen of one video, as arrays; nothing here is a verdict.

    `compared` (n,) marks the frames whose subject is swapped, `uncovered` those without a cover near their face;
    `ledger` is the one they were watched by, `turns` (n,) the quarter turns in degrees of the subject's head.
    `appearance`, `exam_faces` and `lids` (of the compared frames) have original, swapped and reencoded. `seen_by`,
    `second_look`, `regions` and `beside` are `ReleasedSearch`'s; what is missing there was not looked at.
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
    exam_faces: Mapping[Of, KeptFace] = field(default_factory=dict)
    lids: Mapping[Of, LidTrack] = field(default_factory=dict)
    search_seconds: float = 0.0
    canary_seconds: float = 0.0

    def arrays(self) -> list[NDArray[Any]]:
        """The descriptors, chips and landmarks that are kept, for whoever must overwrite them at the end."""
        looks = [array for one in self.appearance.values() for array in one.arrays()]
        exam = [array for one in self.exam_faces.values() for array in one.arrays()]
        return [*self.descriptors.arrays(), *self.outside.arrays(), *self.sampled.arrays(), *looks, *exam]


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
    original_side: OriginalSide | None = None,
    clock: Stopwatch | None = None,
) -> Observed:
    """Watches the released file beside the original, then null edit and controls of the original.

    On a few frames the `canaries` are released, which shows what the audit can see there. `keypoints` is who finds the
    body's keypoints, MediaPipe when left out. `rebuild` is the subject's decoder with its crop's side, where this run
    has one: what an insider could do before it is destroyed. `outsider` is who can only imitate the swap, where the
    donor's side of it is known. `original_side` is what an earlier round saw, or will hold it for a later one.

    Decoding and both sides' landmarks and keypoints run in threads of their own, the search beside them.
    """
    clock, keypoints = clock or Stopwatch(), keypoints or MediaPipePose()
    boxes, turns = subject_boxes(done.ledger), _turns_of(cast)
    swapped = subject_swapped(done.ledger)
    side = OriginalSide() if original_side is None else original_side
    with Watchers(side, turns, boxes, keypoints, pose_window(cast, boxes), clock) as watchers:
        original_watch, released_watch = watchers.of("original"), watchers.of("swapped")
        sampled = _sample_indices(swapped)
        subject = Descriptions(engines.recognizer)
        search = ReleasedSearch(engines, canaries, done, clock)
        around = SampledFrames(cast, swapped, engines, rebuild, outsider)
        samples: list[tuple[int, Image, Float]] = []
        text = StandingText(released.times_s)
        outside, outside_null = (OutsideSimilarity(boxes=_left_out(done)) for _ in range(2))
        count, depth = cast.source.facts.frame_count, depth_of(cast.source)

        def look(pair: tuple[tuple[Frame, NDArray[np.float32]], tuple[Frame, NDArray[np.float32]]]) -> None:
            """What is seen of both sides of one frame together."""
            (before, known), (after, points) = pair
            with clock.part("looks"):
                for watch, frame, own in ((released_watch, after, points), (original_watch, before, known)):
                    watch.keep(frame, own, known, wanted=bool(swapped[after.index]))
            search.see(before, after)
            with clock.part("sampled frames"):
                around.see(before, after, points)
            with clock.part("picture and text"):
                outside.compare(before, after)
                text.see(after)
            with clock.part("chips and descriptors"):
                subject.add(subject_chip(engines, after, boxes, points) if swapped[after.index] else None)
            if after.index in sampled:
                samples.append((after.index, after.image_rgb.copy(), boxes[after.index]))

        with (
            progress.step(f"measuring, {cast.source.label}", count) as step,
            ahead(clock.each("decode", read_frames(cast.source)), depth) as originals,
            ahead(clock.each("decode", read_frames(released)), depth) as written,
            ahead(original_watch.watched(originals), depth) as befores,
            ahead(released_watch.watched(written), depth) as afters,
            ahead(mapped(look, zip(befores, afters, strict=True)), depth) as looked,
        ):
            for _ in looked:
                step.advance()
            step.note(f"independent search {search.seconds:.1f} s, known faces {search.canary_seconds:.1f} s")
        search.close()
        watched: dict[Of, PoseTrack | None] = {
            "original": watchers.pose_of("original", original_watch),
            "swapped": watchers.pose_of("swapped", released_watch),
        }
        names: tuple[Of, ...] = ("reencoded", "masked", "blurred", "pixelated")
        edits = {name: watchers.of(name) for name in names}
        Renditions(
            cast=cast,
            boxes=boxes,
            # of a black box nothing but keypoints is seen
            watchers={of: one for of, one in edits.items() if one.finds_keypoints or of != "masked"},
            original=original_watch.face,
            wanted=swapped,
            around=around,
            outside=outside_null,
            encoding=done.encoding,
            clock=clock,
        ).watch(progress)
        watched |= {of: watchers.pose_of(of, one) for of, one in edits.items()}
        reencoded = edits["reencoded"]
        poses: dict[Of, PoseTrack] = {name: track for name, track in watched.items() if track is not None}
        looks: dict[Of, Appearance] = {
            "original": original_watch.appearance(),
            "swapped": released_watch.appearance(),
            "reencoded": reencoded.appearance(),
        }
        faces = [watch.signals() for watch in (original_watch, released_watch, reencoded)]
        times_s = np.array(released.times_s)
        exam_faces: dict[Of, KeptFace] = {
            "original": original_watch.face.kept_face(),
            "swapped": released_watch.face.kept_face(),
            "reencoded": reencoded.face.kept_face(),
        }
        others: tuple[Of, ...] = ("swapped", "reencoded")
        return Observed(
            descriptors=VideoDescriptors(
                swapped=subject.rows(),
                original=done.described[0].all(),
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
            uncovered=swapped & ~np.array([_cover_near(frame, done.text) for frame in done.ledger]),
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
            exam_faces=exam_faces,
            lids={of: kept.lids(times_s, swapped) for of, kept in exam_faces.items()},
            search_seconds=search.seconds,
            canary_seconds=search.canary_seconds,
        )


def subject_swapped(ledger: Sequence[LedgerFrame]) -> NDArray[np.bool_]:
    """In which frames (n,) the subject's face is swapped."""
    return np.array([any(r.is_subject and r.state is State.SWAPPED for r in f.regions) for f in ledger], np.bool_)


def subject_chip(engines: Engines, after: Frame, boxes: Float, points: NDArray[np.float32]) -> Image | None:
    """The chip of the subject's released face in its box of `boxes` (n, 4); `points` (478, 3) are its landmarks."""
    found = points[:, :2] if np.isfinite(points).all() else None
    return engines.recognizer.chip(after.image_rgb, boxes[after.index], found)


def _left_out(done: RenderedPass) -> list[list[Float]]:
    """What was meant to change in every frame: the faces' surroundings, and text that is covered."""
    return [
        [grown(np.array(region.box_xyxy, np.float32), SURROUNDING) for region in frame.regions]
        + boxes_in(frame.index, done.text)
        for frame in done.ledger
    ]


def _turns_of(cast: CastVideo) -> NDArray[np.int16]:
    faces = (cast.person_face(index) for index in range(cast.source.facts.frame_count))
    return np.array([quarter_turn(None if one is None else one.landmarks_xy) for one in faces], np.int16)


def _cover_near(frame: LedgerFrame, text: Sequence[TextStretch]) -> bool:
    """Whether something beside the subject's face is covered, so near that its edge could pass for a seam."""
    mine = [grown(np.array(r.box_xyxy, np.float32), _AROUND_SEAM) for r in frame.regions if r.is_subject]
    covers = [np.array(r.box_xyxy, np.float32) for r in frame.regions if r.state is State.CONCEALED]
    covers += boxes_in(frame.index, text)
    return any(share_inside(cover, box) > 0 for box in mine for cover in covers)


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
