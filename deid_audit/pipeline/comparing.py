"""The ledger of a video that another tool made: what that tool did about every face the original shows.

Takes the place of rendering in an audit. Fail closed: a face that is neither surely covered nor surely another one is
undecided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from deid_audit.frames import Float, Frame, TrackedFace
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.detail import COVERED_BELOW, detail_kept
from deid_audit.measure.identity import MATCH_CUT
from deid_audit.overlap import ahead
from deid_audit.pipeline.cast import CastVideo, depth_of
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.rendering import RenderedPass, region_of
from deid_audit.progress import Step
from deid_audit.timing import Stopwatch
from deid_audit.video.reader import SourceVideo, read_frames
from deid_audit.vision.mesh import FaceMesh, quarter_turn

METHOD_TEXT = (
    "What was done about each face of the original was read off the released video: concealed, if less than "
    f"{COVERED_BELOW} of the fine picture is left (correlation, low frequencies removed) and what is left does not "
    f"match the original; swapped, if a face is shown there whose descriptor lies {MATCH_CUT} or more from the same "
    "frame's original; undecided in every other case, also where a face is shown that matches or cannot be described. "
    "“Swapped” here says that another face is shown, not how it came there."
)


@dataclass(slots=True, eq=False)
class _Comparer:
    cast: CastVideo
    engines: Engines
    mesh: FaceMesh
    beside: dict[tuple[int, int], Float]

    def compare(self, before: Frame, after: Frame, time_s: float) -> tuple[LedgerFrame, Float]:
        """The frame's entry, and the descriptor of the subject's original face (128,), NaN where there is none."""
        subject = self.cast.person_face(before.index)
        descriptor = np.full(128, np.nan, np.float32)
        regions: list[Region] = []
        found_twice = [] if subject is None else self.cast.same_face(subject)
        row = [face for face in self.cast.faces.frames[before.index] if not any(face is one for one in found_twice)]
        # the subject's first: that place of the written file is described and compared with `descriptor`
        for face in sorted(row, key=lambda face: face is not subject):
            state, reason, original = self._judge(before, after, face)
            mine = face.track_id in self.cast.tracks
            if face is subject:
                descriptor = original
            elif state is State.SWAPPED and mine:
                state, reason = State.UNDECIDED, f"second sighting of the subject, {reason}"
            elif state is State.SWAPPED:
                self.beside[before.index, face.track_id] = original
            known = mine or face.track_id in self.cast.others
            regions.append(region_of(face, state, reason, is_subject=mine, is_known=known))
        entry = LedgerFrame(
            index=before.index,
            time_s=time_s,
            regions=tuple(regions),
            cleared_by=self.cast.faces.cleared_by[before.index],
        )
        return entry, descriptor

    def _judge(self, before: Frame, after: Frame, face: TrackedFace) -> tuple[State, str, Float]:
        """What became of one face; the subject's own distance is judged again later, on all frames alike."""
        original = self._describe(before, face.box_xyxy, face.landmarks_xy)
        turn = quarter_turn(face.landmarks_xy)
        points = self.mesh.landmarks(after.image_rgb, face.box_xyxy, turn_degrees=turn)
        shown = self._describe(after, face.box_xyxy, None if points is None else points[:, :2])
        distance = float(np.linalg.norm(shown - original))
        kept = detail_kept(before.image_rgb, after.image_rgb, face.box_xyxy)
        seen = f"{kept:.2f} of the fine picture left"
        if np.isfinite(distance):
            seen += f", descriptor at {distance:.2f}"
        matches = distance < MATCH_CUT
        if face.track_id not in self.cast.tracks and matches:
            return State.UNDECIDED, f"shown as in the original: {seen}", original
        if kept < COVERED_BELOW and not matches:
            return State.CONCEALED, seen, original
        if np.isfinite(distance):
            return State.SWAPPED, f"a face is shown: {seen}", original
        return State.UNDECIDED, f"neither covered nor to be compared: {seen}", original

    def _describe(self, frame: Frame, box_xyxy: Float, landmarks_xy: Float | None) -> Float:
        recognizer = self.engines.recognizer
        return np.asarray(recognizer.describe([recognizer.chip(frame.image_rgb, box_xyxy, landmarks_xy)])[0])


def compare_videos(
    cast: CastVideo,
    released: SourceVideo,
    *,
    engines: Engines,
    step: Step,
    drawn: Mapping[int, Sequence[Region]] | None = None,
    clock: Stopwatch | None = None,
) -> RenderedPass:
    """The ledger of `released` beside the original it was made from, and the original's descriptors.

    `drawn` are covers by frame; those that are no tracked face's join the ledger, to be searched like any cover.
    """
    done = RenderedPass()
    comparer = _Comparer(cast, engines, FaceMesh(video=False), done.beside)
    clock, depth = clock or Stopwatch(), depth_of(cast.source)
    with (
        clock.running(cast.source.facts.frame_count),
        ahead(clock.each("decode", read_frames(cast.source)), depth) as befores,
        ahead(clock.each("decode", read_frames(released)), depth) as afters,
    ):
        for before, after, time_s in zip(befores, afters, cast.source.times_s, strict=True):
            with clock.part("compare"):
                entry, descriptor = comparer.compare(before, after, time_s)
                more = (one for one in (drawn or {}).get(before.index, ()) if one.track_id is None)
                entry = replace(entry, regions=(*entry.regions, *more))
            done.ledger.append(entry)
            done.original_descriptors.append(descriptor)
            step.advance()
    comparer.mesh.close()
    return done
