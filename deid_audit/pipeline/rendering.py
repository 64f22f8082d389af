"""Pass 3: every frame of a subject video swapped, concealed or clear, written to a file, with a reason for each region.

Fail closed: any failed check, and any exception while a face is swapped, covers the region; the decoded frame is
never the fallback.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import DeidAuditError
from deid_audit.faces.align import align
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.engines import Engines
from deid_audit.progress import Step
from deid_audit.render.blend import SteadyColour, masks_agree, paste
from deid_audit.render.conceal import mask, release_box
from deid_audit.swap.convert import swap_face
from deid_audit.swap.networks import SwapModel
from deid_audit.video.reader import read_frames
from deid_audit.video.writer import write_video
from deid_audit.vision.mesh import FaceMesh, box_of

_LEAST_DISTANCE = 0.605  # to the same frame's original: the audit's 0.6 and a little for the encoder
METHOD_TEXT = (
    "The subject's face is covered in black, not swapped, in every frame in which it has no landmarks of its own, is "
    "too small, may be somebody else, the net's mask does not fit it, no landmarks are found on the swapped face, or "
    f"the swapped face's descriptor lies within {_LEAST_DISTANCE} of the same frame's original before encoding (the "
    "same recogniser as in the audit). Every other face is covered in all frames."
)
_WRONG_PERSON = 0.75  # the original of a frame this far from the subject's average may be somebody else
_LEAST_MASK_AGREEMENT = 0.6
SMALLEST_SWAP_PX = 24


@dataclass(slots=True, eq=False)
class RenderedPass:
    """What pass 3 leaves behind for the measures: the ledger and the originals' descriptors (n, 128), NaN rows."""

    ledger: list[LedgerFrame] = field(default_factory=list)
    original_descriptors: list[Float] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Renderer:
    cast: CastVideo
    subject_average: Float
    model: SwapModel
    engines: Engines
    colour: SteadyColour
    mesh: FaceMesh
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
            try:
                swapped, reason, descriptor = self._swap(frame, subject)
            except DeidAuditError:
                raise
            except Exception as error:  # whatever goes wrong inside a swap, the region is covered
                swapped, reason = None, f"the swap failed ({type(error).__name__})"
            image = mask(image, release_box(subject.box_xyxy)) if swapped is None else swapped
            regions.append(
                region_of(subject, State.CONCEALED if swapped is None else State.SWAPPED, reason, is_subject=True)
            )
        for face in self.cast.faces.frames[frame.index]:
            if face is not subject:
                image = mask(image, release_box(face.box_xyxy))
        return image, [*regions, *covered_beside(self.cast, frame.index)], descriptor

    def _swap(self, frame: Frame, face: TrackedFace) -> tuple[Image | None, str, Float]:
        """The frame with the face swapped, or None and why not; and the original face's descriptor."""
        recognizer = self.engines.recognizer
        original = recognizer.describe([recognizer.chip(frame.image_rgb, face.box_xyxy, face.landmarks_xy)])[0]
        landmarks_xy = face.landmarks_xy
        why_not = unfit(face, original, self.subject_average)
        if why_not or landmarks_xy is None:
            return None, why_not, original
        aligned = align(frame.index, frame.image_rgb, landmarks_xy, self.model.preset.size)
        made = swap_face(self.model, aligned)
        pasted = paste(frame.image_rgb, landmarks_xy, aligned, made, self.colour)
        if (agreement := masks_agree(aligned, made)) < _LEAST_MASK_AGREEMENT:
            return None, f"the net's mask fits the face by {agreement:.2f} only", original
        points = self.mesh.landmarks(pasted, box_of(landmarks_xy))
        if points is None:
            return None, "no landmarks found on the swapped face", original
        rendered = recognizer.describe([recognizer.chip(pasted, face.box_xyxy, points[:, :2])])[0]
        distance = float(np.linalg.norm(rendered - original))
        near = not distance > _LEAST_DISTANCE  # written so that NaN is near
        return (
            (None if near else pasted),
            f"{'too near the original' if near else 'distance'}: {distance:.2f}",
            original,
        )


def unfit(face: TrackedFace, descriptor: Float, subject_average: Float) -> str:
    """Why this face must not be swapped, as far as it shows before a swap is made; empty when one may be tried."""
    if face.landmarks_xy is None:
        return f"no landmarks: {face.source}"
    if face.filled:
        return f"no landmarks of its own: {face.source}"
    if float(np.ptp(face.box_xyxy[[1, 3]])) < SMALLEST_SWAP_PX:
        return f"face under {SMALLEST_SWAP_PX} px"
    if not np.linalg.norm(descriptor - subject_average) < _WRONG_PERSON:
        return "not surely the subject"
    return ""


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
        decided_by=f"blazeface + facemesh ({face.source})",
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
        subject_average=subject_average,
        model=model,
        engines=engines,
        colour=SteadyColour(facts.frame_count / max(facts.duration_s, 1e-6)),
        mesh=FaceMesh(video=False),
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
