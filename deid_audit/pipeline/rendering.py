"""Pass 3: every frame of a subject video swapped, concealed or clear, written to a file, with a reason for each region.

Fail closed: any failed check, and any exception while a face is swapped, covers the region; the decoded frame is
never the fallback.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import DeidAuditError
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import LedgerFrame, Region, Rung, State
from deid_audit.overlap import ahead, frames_that_fit, mapped
from deid_audit.pipeline.burned_in import boxes_in, text_covered
from deid_audit.pipeline.cast import CastVideo, depth_of, frame_rate_of
from deid_audit.pipeline.certainty import Certainty
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.ladder import Attempt, FaceSwapper
from deid_audit.progress import Step
from deid_audit.render.blend import SteadyColour
from deid_audit.render.conceal import mask, release_box
from deid_audit.swap.networks import SwapModel
from deid_audit.timing import Stopwatch
from deid_audit.vault import Vault
from deid_audit.video.encoding import USUAL, Encoding
from deid_audit.video.reader import read_frames
from deid_audit.video.sound import SoundTrack
from deid_audit.video.writer import write_video
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.hands import HandFinder
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import Recognizer
from deid_audit.vision.standing_text import TextStretch

_MOST_COVERED = 0.2  # of a face's box: what is left beside another's cover could be neither judged nor described
_BATCHES = 2  # of the frames that may be held at once: so many originals are described together

Descriptors = tuple[Float | None, ...]
"""Of one frame's faces before the swap, (128,) each, by part; None where there is no face, or it is described later."""


@dataclass(slots=True, eq=False)
class RenderedPass:
    """What pass 3 leaves behind for the measures: the ledger and the originals' descriptors (n, 128), NaN rows.

    `beside` holds the originals' descriptors of swapped faces that are not the subject's, by frame and track; without
    one the audit cannot judge such a face, and it becomes undecided. `described` has all that were made, for a second
    round. `encoding` is how the file was written; controls and null edit are made alike. `text` is the burned-in text
    that is covered.
    """

    ledger: list[LedgerFrame] = field(default_factory=list)
    original_descriptors: list[Float] = field(default_factory=list)
    beside: dict[tuple[int, int], Float] = field(default_factory=dict)
    described: list[Descriptors] = field(default_factory=list)
    encoding: Encoding = USUAL
    text: Sequence[TextStretch] = ()

    def wiped_with(self, vault: Vault, number: int, frames: int) -> None:
        """Registers the descriptors that video `number` of so many frames will have with the vault."""
        vault.register_memory(f"original descriptors, video {number}", frames * 128 * 4, self.wipe)

    def wipe(self) -> None:
        """Overwrites every descriptor."""
        made = (row for rows in self.described for row in rows if row is not None)
        for row in (*self.original_descriptors, *self.beside.values(), *made):
            row.fill(0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One person of a video whose face is swapped: the video with this person's tracks, and their face's swapper."""

    cast: CastVideo
    swapper: FaceSwapper
    describer: Recognizer


@dataclass(slots=True, eq=False)
class _Renderer:
    parts: Sequence[Part]
    done: RenderedPass
    step: Step
    again: Mapping[int, Sequence[Region]] = field(default_factory=dict)
    harder: Mapping[tuple[int, int], Rung] = field(default_factory=dict)
    known: Sequence[Descriptors] = ()
    clock: Stopwatch = field(default_factory=Stopwatch)

    @property
    def cast(self) -> CastVideo:
        return self.parts[0].cast

    def frames(self) -> Generator[Frame, None, None]:
        """Decoding, describing and swapping in threads of their own; whoever takes the frames encodes beside them."""
        source = self.cast.source
        depth = depth_of(source)
        with (
            ahead(self.clock.each("decode", read_frames(source)), depth) as decoded,
            ahead(self._described(decoded), depth) as described,
            ahead(mapped(self._rendered, zip(described, source.times_s, strict=True)), depth) as rendered,
        ):
            for frame in rendered:
                self.step.advance()
                yield frame

    def _described(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, Descriptors]]:
        """The frames with the descriptors of the faces that a swap is tried for, made for several frames at once."""
        if self.known:
            yield from zip(frames, self.known, strict=True)
            return
        facts, coming = self.cast.source.facts, iter(frames)
        size = _BATCHES * frames_that_fit(facts.width, facts.height)
        while batch := list(islice(coming, size)):
            with self.clock.part("describe"):
                rows = self._describe(batch)
            self.done.described += rows
            batch.reverse()
            for row in rows:
                yield batch.pop(), row

    def _describe(self, batch: Sequence[Frame]) -> list[Descriptors]:
        faces = [[part.cast.person_face(frame.index) for part in self.parts] for frame in batch]
        recognizer = self.parts[0].describer
        try:
            chips = [
                None if face is None else recognizer.chip(frame.image_rgb, face.box_xyxy, face.landmarks_xy)
                for frame, row in zip(batch, faces, strict=True)
                for face in row
            ]
            rows = recognizer.describe(chips)
        except DeidAuditError:
            raise
        except Exception:  # each face is then described by itself, and covered where that fails again
            return [(None,) * len(row) for row in faces]
        # copies, or the rows of one frame would keep all others of the batch, also when they are wiped
        described = iter(rows)
        copies = [
            tuple(None if face is None else made.copy() for face, made in zip(row, described, strict=False))
            for row in faces
        ]
        rows.fill(0)
        return copies

    def _rendered(self, shown: tuple[tuple[Frame, Descriptors], float]) -> Frame:
        (frame, descriptors), time_s = shown
        with self.clock.part("swap net and paste"):
            image, regions, descriptor = self._render(frame, descriptors)
        self.done.ledger.append(
            LedgerFrame(
                index=frame.index,
                time_s=time_s,
                regions=tuple(regions),
                cleared_by=self.cast.faces.cleared_by[frame.index],
            )
        )
        self.done.original_descriptors.append(descriptor)
        image = text_covered(image, frame.index, self.done.text)
        return Frame(index=frame.index, pts=frame.pts, image_rgb=image)

    def _render(self, frame: Frame, described: Descriptors) -> tuple[Image, list[Region], Float]:
        """The frame as released, its regions with the subject's first, and the subject's original descriptor (128,)."""
        casts = [part.cast for part in self.parts]
        faces = [cast.person_face(frame.index) for cast in casts]
        again = self.again.get(frame.index, ())
        beside = [
            *covered_beside(casts, faces, frame.index),
            *(replace(region, state=State.CONCEALED) for region in again if region.track_id is None),
        ]
        attempts: list[Attempt | None] = []
        covers: list[Float] = []
        text = boxes_in(frame.index, self.done.text)
        for part, face, known in zip(self.parts, faces, described, strict=True):
            if face is None:
                attempts.append(None)
                continue
            least = self.harder.get((frame.index, face.track_id), Rung.SWAP)
            tried = part.swapper.attempt(frame, face, others_beside(part.cast, face), known, least)
            for reason in _why_covered(
                face, again, text
            ):  # the attempt was made all the same: later frames build on it
                tried = replace(tried, image_rgb=None, rung=Rung.COVER, reason=reason)
            attempts.append(tried)
            if tried.image_rgb is None:
                covers += [release_box(one.box_xyxy) for one in (face, *part.cast.same_face(face))]
        covers += [release_box(np.array(region.box_xyxy, np.float32)) for region in beside]
        withdrawn = withdraw(frame.image_rgb, faces, attempts, covers)
        image, regions = frame.image_rgb, []
        for at, (face, attempt) in enumerate(zip(faces, attempts, strict=True)):
            if face is None or attempt is None:
                continue
            shown = None if at in withdrawn else attempt.image_rgb
            state = State.CONCEALED if shown is None else State.SWAPPED
            if shown is not None:
                if image is frame.image_rgb:
                    image = shown
                else:  # only what the swap changed: an earlier person's swapped face stays where it is
                    image = np.where(_changed(shown, frame.image_rgb)[..., None], shown, image)
                if at:
                    self.done.beside[frame.index, face.track_id] = attempt.original
            rung = attempt.rung if state is State.SWAPPED else Rung.COVER
            region = region_of(face, state, withdrawn.get(at, attempt.reason), is_subject=at == 0)
            regions.append(replace(region, rung=rung, numbers=attempt.numbers))
        for box in covers:
            image = mask(image, box)
        original = attempts[0].original if attempts[0] is not None else np.full(128, np.nan, np.float32)
        return image, [*regions, *beside], original


def _why_covered(face: TrackedFace, again: Sequence[Region], text: Sequence[Float]) -> list[str]:
    """Why a face is covered whatever its swap is like: what an earlier round left undecided, and covered text on it."""
    reasons = [region.reason for region in again if region.track_id == face.track_id]
    if _hidden_share(face.box_xyxy, text) > _MOST_COVERED:
        reasons.append("a line of text that lies on it is covered")
    return reasons


def withdraw(
    image_rgb: Image, faces: Sequence[TrackedFace | None], attempts: Sequence[Attempt | None], covers: list[Float]
) -> dict[int, str]:
    """The swaps that must not be shown beside what else is in the frame, by their place, and why; fills `covers`.

    Each cover that is added may reach into another face, so they are looked at until nothing changes.
    """
    reasons: dict[int, str] = {}
    shown = {
        at: (face.box_xyxy, attempt.image_rgb)
        for at, (face, attempt) in enumerate(zip(faces, attempts, strict=True))
        if face is not None and attempt is not None and attempt.image_rgb is not None
    }
    several = len(shown) > 1  # one swap alone, the usual case, needs no comparing of whole pictures
    changed = {at: _changed(swapped, image_rgb) for at, (_, swapped) in shown.items()} if several else {}
    while True:
        found = ""
        for at, (box, _) in shown.items():
            if _hidden_share(box, covers) > _MOST_COVERED:
                found = "the cover of another face reaches into it"
            elif any((changed[at] & changed[earlier]).any() for earlier in shown if earlier < at):
                # where two meet, the later paste would bring back the original's pixels at its soft edge
                found = "the swap of another face reaches into it"
            if found:
                break
        if not found:
            return reasons
        reasons[at] = found
        covers.append(release_box(box))
        del shown[at]


def _changed(shown_rgb: Image, image_rgb: Image) -> NDArray[np.bool_]:
    """The pixels (H, W) that a swap has changed."""
    return np.asarray((shown_rgb != image_rgb).any(2))


def _hidden_share(box_xyxy: Float, covers: Sequence[Float]) -> float:
    """The share of the box that the covers hide together."""
    left, top = (float(edge) for edge in box_xyxy[:2])
    size = np.maximum(np.ceil(box_xyxy[2:] - box_xyxy[:2]), 1).astype(int)
    hidden = np.zeros((size[1], size[0]), np.bool_)
    for x0, y0, x1, y1 in covers:
        rows = slice(max(0, int(np.floor(y0 - top))), max(0, int(np.ceil(y1 - top))))
        hidden[rows, max(0, int(np.floor(x0 - left))) : max(0, int(np.ceil(x1 - left)))] = True
    return float(hidden.mean())


def others_beside(cast: CastVideo, face: TrackedFace) -> list[TrackedFace]:
    """The other faces of this face's frame: not the face itself, found twice."""
    same = [face, *cast.same_face(face)]
    return [one for one in cast.faces.frames[face.frame_index] if not any(one is mine for mine in same)]


def covered_beside(casts: Sequence[CastVideo], faces: Sequence[TrackedFace | None], index: int) -> list[Region]:
    """All faces of frame `index` but those that a swap is tried for: covered, whatever becomes of the swaps.

    `faces[i]` is the one that is tried for `casts[i]`.
    """
    tried = [
        one
        for cast, face in zip(casts, faces, strict=True)
        if face is not None
        for one in (face, *cast.same_face(face))
    ]
    found: list[Region] = []
    for face in casts[0].faces.frames[index]:
        if any(face is one for one in tried):
            continue
        mine, known = face.track_id in casts[0].tracks, face.track_id in casts[0].others
        why = "second sighting" if mine else "not the subject" if known else "nobody known"
        found.append(region_of(face, State.CONCEALED, why, is_subject=mine, is_known=mine or known))
    return found


def region_of(face: TrackedFace, state: State, reason: str, *, is_subject: bool, is_known: bool = True) -> Region:
    """The ledger's entry of one tracked face."""
    left, top, right, bottom = (float(edge) for edge in face.box_xyxy)
    return Region(
        track_id=face.track_id,
        is_subject=is_subject,
        state=state,
        reason=reason,
        decided_by=f"{MediaPipeDetector.name} + FaceMesh: {face.source}",
        box_xyxy=(left, top, right, bottom),
        is_known=is_known,
    )


def part_of(
    cast: CastVideo,
    average: Float,
    others: Sequence[Float],
    *,
    model: SwapModel,
    engines: Engines,
    clock: Stopwatch | None = None,
) -> Part:
    """The part of one person in one video; `average` and `others` are descriptors (128,) of them and everyone else."""
    clock = clock or Stopwatch()
    return Part(
        cast=cast,
        swapper=FaceSwapper(
            certainty=Certainty(average=average, others=others),
            model=model,
            recognizer=clock.timed("check", engines.recognizer),
            colour=SteadyColour(frame_rate_of(cast.source)),
            mesh=clock.timed("check", FaceMesh(video=False)),
            hands=clock.timed("hands", HandFinder()),
        ),
        describer=engines.recognizer,
    )


def render_video(
    parts: Sequence[Part],
    path: Path,
    done: RenderedPass,
    *,
    step: Step,
    again: Mapping[int, Sequence[Region]] | None = None,
    harder: Mapping[tuple[int, int], Rung] | None = None,
    sound: SoundTrack | None = None,
    known: Sequence[Descriptors] = (),
    clock: Stopwatch | None = None,
) -> None:
    """Writes the released video to `path` and its ledger into `done`; the file is complete or not there.

    The first of the `parts` is the subject; faces that belong to none of them are covered. `again` are regions
    by frame that are covered whatever their swap is like: what an earlier round's audit left undecided, or a reviewer
    wants covered; `harder` is the first rung to try, by frame and track. `known` are an earlier round's descriptors.
    """
    source = parts[0].cast.source
    clock = clock or Stopwatch()
    done.described += known
    renderer = _Renderer(
        parts=parts, done=done, step=step, again=again or {}, harder=harder or {}, known=known, clock=clock
    )
    try:
        with (
            closing(renderer.frames()) as frames,
            clock.running(source.facts.frame_count),
            clock.part("encode"),
        ):
            write_video(path, clock.each(None, frames), like=source, encoding=done.encoding, sound=sound)
    finally:
        for part in parts:
            part.swapper.close()
    if len(done.ledger) != source.facts.frame_count:
        raise DeidAuditError(f"{source.label}: {len(done.ledger)} of {source.facts.frame_count} frames rendered")


def undecided_of(frame: LedgerFrame) -> list[Region]:
    """The regions of one frame that are undecided."""
    return [region for region in frame.regions if region.state is State.UNDECIDED]


def subject_boxes(ledger: Sequence[LedgerFrame]) -> NDArray[np.float32]:
    """The subject's box of every frame float32 (n, 4), NaN where the subject has none; the first where seen twice."""
    boxes = np.full((len(ledger), 4), np.nan, np.float32)
    for row, frame in zip(boxes, ledger, strict=True):
        mine = [region for region in frame.regions if region.is_subject]
        if mine:
            row[:] = mine[0].box_xyxy
    return boxes
