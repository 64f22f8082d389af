"""Pass 3: every frame of a subject video swapped, concealed or clear, written to a file, with a reason for each region.

Fail closed: any failed check, and any exception while a face is swapped, covers the region; the decoded frame is
never the fallback.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import DeidAuditError
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.ladder import FaceSwapper
from deid_audit.progress import Step
from deid_audit.render.blend import SteadyColour
from deid_audit.render.conceal import mask, release_box
from deid_audit.swap.networks import SwapModel
from deid_audit.video.reader import read_frames
from deid_audit.video.writer import write_video
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.mesh import FaceMesh


@dataclass(slots=True, eq=False)
class RenderedPass:
    """What pass 3 leaves behind for the measures: the ledger and the originals' descriptors (n, 128), NaN rows.

    `beside` holds the originals' descriptors of swapped faces that are not the subject's, by frame and track; without
    one the audit cannot judge such a face, and it becomes undecided.
    """

    ledger: list[LedgerFrame] = field(default_factory=list)
    original_descriptors: list[Float] = field(default_factory=list)
    beside: dict[tuple[int, int], Float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class _Renderer:
    cast: CastVideo
    swapper: FaceSwapper
    done: RenderedPass
    step: Step

    def frames(self) -> Iterator[Frame]:
        for frame, time_s in zip(read_frames(self.cast.source), self.cast.source.times_s, strict=True):
            image, regions, descriptor = self._render(frame)
            self.done.ledger.append(
                LedgerFrame(
                    index=frame.index,
                    time_s=time_s,
                    regions=tuple(regions),
                    cleared_by=self.cast.faces.cleared_by[frame.index],
                )
            )
            self.done.original_descriptors.append(descriptor)
            self.step.advance()
            yield Frame(index=frame.index, pts=frame.pts, image_rgb=image)

    def _render(self, frame: Frame) -> tuple[Image, list[Region], Float]:
        image = frame.image_rgb
        subject = self.cast.person_face(frame.index)
        descriptor = np.full(128, np.nan, np.float32)
        regions: list[Region] = []
        if subject is not None:
            attempt = self.swapper.attempt(frame, subject)
            descriptor = attempt.original
            image = mask(image, release_box(subject.box_xyxy)) if attempt.image_rgb is None else attempt.image_rgb
            state = State.CONCEALED if attempt.image_rgb is None else State.SWAPPED
            region = region_of(subject, state, attempt.reason, is_subject=True)
            regions.append(replace(region, rung=attempt.rung, numbers=attempt.numbers))
        for face in self.cast.faces.frames[frame.index]:
            if face is not subject:
                image = mask(image, release_box(face.box_xyxy))
        return image, [*regions, *covered_beside(self.cast, frame.index)], descriptor


def covered_beside(cast: CastVideo, index: int) -> list[Region]:
    """All faces of frame `index` but the subject's: covered, whatever becomes of the swap."""
    found: list[Region] = []
    subject = cast.person_face(index)
    for face in cast.faces.frames[index]:
        if face is not subject:
            mine = face.track_id in cast.tracks
            why = "second sighting" if mine else "not the subject"
            found.append(region_of(face, State.CONCEALED, why, is_subject=mine))
    return found


def region_of(face: TrackedFace, state: State, reason: str, *, is_subject: bool) -> Region:
    """The ledger's entry of one tracked face."""
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    return Region(
        track_id=face.track_id,
        is_subject=is_subject,
        state=state,
        reason=reason,
        decided_by=f"{MediaPipeDetector.name} + FaceMesh: {face.source}",
        box_xyxy=(left, top, right, bottom),
    )


def render_video(
    cast: CastVideo, path: Path, *, subject_average: Float, model: SwapModel, engines: Engines, step: Step
) -> RenderedPass:
    """Writes the released video to `path` and gives its ledger; the file is complete or not there."""
    done = RenderedPass()
    facts = cast.source.facts
    renderer = _Renderer(
        cast=cast,
        swapper=FaceSwapper(
            person_average=subject_average,
            model=model,
            recognizer=engines.recognizer,
            colour=SteadyColour(facts.frame_count / max(facts.duration_s, 1e-6)),
            mesh=FaceMesh(video=False),
        ),
        done=done,
        step=step,
    )
    write_video(path, renderer.frames(), like=cast.source)
    if len(done.ledger) != facts.frame_count:
        raise DeidAuditError(f"{cast.source.label}: {len(done.ledger)} of {facts.frame_count} frames rendered")
    return done


def subject_boxes(done: RenderedPass) -> NDArray[np.float32]:
    """The subject's box of every frame float32 (n, 4), NaN where the subject has none."""
    boxes = np.full((len(done.ledger), 4), np.nan, np.float32)
    for row, frame in zip(boxes, done.ledger, strict=True):
        for region in frame.regions:
            if region.is_subject:
                row[:] = region.box_xyxy
    return boxes
