"""Covering without a swap: every face of a video under a mask, a blur or tiles, and no file when one was missed.

The same search for faces as the main job; nobody is told apart, and no model is trained. A certificate, when asked
for, comes from the audit.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from deid_audit.certificate.keys import Signer
from deid_audit.certificate.media_keys import MediaSigner
from deid_audit.errors import NotCovered, NotEnoughFaces
from deid_audit.faces.track import METHOD_TEXT as FACES_METHOD
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float, Frame, Image
from deid_audit.ledger import LedgerFrame, State, count_states
from deid_audit.measure.residue import belongs
from deid_audit.pipeline.auditing import audit
from deid_audit.pipeline.cast import find_faces
from deid_audit.pipeline.concluding import JobResult
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.job import now
from deid_audit.pipeline.marking import marker_for
from deid_audit.pipeline.rendering import region_of
from deid_audit.pipeline.staging import interruptible, staged_file
from deid_audit.pipeline.voicing import METHOD_TEXT as SOUND_METHOD
from deid_audit.progress import Progress
from deid_audit.render.conceal import METHODS, release_box
from deid_audit.settings import AuditSettings, ConcealSettings
from deid_audit.swap.convert import pick_device, prepare_runtime
from deid_audit.video.marking import METHOD_TEXT as MARK_METHOD
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import check_same_timing, method_text, write_video

METHOD_TEXT = (
    "Every face found in any frame was covered with {method} over its box enlarged by a third, also in the frames "
    "before it was first and after it was last seen; nobody was told apart and no face was swapped. " + FACES_METHOD
)
_LISTED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Concealed:
    """A finished job: `written` is False when the certificate's verdict kept the file back."""

    out: Path
    written: bool
    method: str
    states: dict[State, int]
    certified: JobResult | None


def conceal(
    settings: ConcealSettings,
    *,
    signer: Signer | None,
    progress: Progress,
    clock: Callable[[], datetime] = now,
    media_signer: MediaSigner | None = None,
) -> Concealed:
    """Covers every face of one video; `media_signer` marks the file, where that was asked for.

    1. Find the faces.  2. Cover, write and mark.  3. Search the written file with another family of detectors.  4. On
    request, audit it against the original by a policy.

    Raises:
        NotEnoughFaces: no frame shows a face, so nothing was covered.
        NotCovered: the written file shows a face outside the covered regions.
        DeidAuditError: with the exit code and the next step; in every case nothing is left at `settings.out`.
    """
    device = pick_device(settings.device)
    marker = marker_for("conceal", media_signer)
    with interruptible(), ExitStack() as stack:
        unfinished = stack.enter_context(staged_file(settings.out, force=settings.force))
        source = open_video(settings.video, label="the video")
        prepare_runtime(device)
        engines = load_engines(device, thorough=settings.thorough)
        ledger = _cover(source, unfinished.path, settings.method, engines, progress)
        if marker is not None:  # without a title: the name of this file is anybody's, and may be changed
            marker.mark(unfinished.path, label="the covered video")
        written = open_video(unfinished.path, label="the covered video")
        check_same_timing(source, written)
        _search(written, ledger, engines, progress)
        certified = None
        if settings.certificate is not None:
            certified = audit(
                AuditSettings(
                    originals=(settings.video,),
                    released=(unfinished.path,),
                    subject_photo=settings.subject_photo,
                    subject_tracks=settings.subject_tracks,
                    policy=settings.policy,
                    out=settings.certificate,
                    case_id=settings.case_id,
                    context=settings.context,
                    device=settings.device,
                    thorough=settings.thorough,
                    log=settings.log,
                    force=settings.force,
                ),
                signer=signer,
                progress=progress,
                clock=clock,
                made_with=_method(settings.method, marked=marker is not None),
                media_mark=marker.record if marker is not None else None,
            )
            unfinished.keep = certified.case.outputs_folder == "release"
    return Concealed(
        out=settings.out,
        written=unfinished.keep,
        method=settings.method,
        states=count_states(ledger),
        certified=certified,
    )


def _method(method: str, *, marked: bool) -> str:
    """How the file was made, for its certificate."""
    said = f"{METHOD_TEXT.format(method=method)} {method_text()} {SOUND_METHOD['drop']}"
    return f"{said} {MARK_METHOD}" if marked else said


def _cover(source: SourceVideo, path: Path, method: str, engines: Engines, progress: Progress) -> Sequence[LedgerFrame]:
    faces = find_faces(source, engines=engines, progress=progress)
    if not any(faces.frames):
        raise NotEnoughFaces(
            "no face was found in any frame, so nothing was covered; that is no proof that there is none",
            next_step="give a video in which the face can be seen",
        )
    ledger = [covered_entry(index, time_s, faces, method) for index, time_s in enumerate(source.times_s)]
    with progress.step(f"covering, {source.label}", source.facts.frame_count) as step:

        def covered() -> Iterator[Frame]:
            for frame in read_frames(source):
                image = with_cover(frame.image_rgb, [face.box_xyxy for face in faces.frames[frame.index]], method)
                step.advance()
                yield Frame(index=frame.index, pts=frame.pts, image_rgb=image)

        write_video(path, covered(), like=source)
    return ledger


def covered_entry(index: int, time_s: float, faces: VideoFaces, method: str) -> LedgerFrame:
    """The ledger's entry of a frame in which every face is covered."""
    regions = tuple(region_of(face, State.CONCEALED, method, is_subject=False) for face in faces.frames[index])
    return LedgerFrame(index=index, time_s=time_s, regions=regions, cleared_by=faces.cleared_by[index])


def with_cover(image_rgb: Image, boxes_xyxy: Sequence[Float], method: str) -> Image:
    """The frame with these boxes covered, each enlarged by a third."""
    for box in boxes_xyxy:
        image_rgb = METHODS[method](image_rgb, release_box(box))
    return image_rgb


def _search(written: SourceVideo, ledger: Sequence[LedgerFrame], engines: Engines, progress: Progress) -> None:
    """NotCovered when the audit sees a face that no region holds, or a frame is undecided or not confirmed clear."""
    missed: list[float] = [entry.time_s for entry in ledger if entry.state is State.UNDECIDED]
    with progress.step(f"checking, {written.label}", written.facts.frame_count) as step:
        for frame, entry in zip(read_frames(written), ledger, strict=True):
            found = engines.audit.see(frame.image_rgb, frame.index).boxes_xyxy
            if not entry.regions:
                found = np.concatenate((found, engines.second.detect(frame.image_rgb).boxes_xyxy))
            if any(not any(belongs(box, region) for region in entry.regions) for box in found):
                missed.append(entry.time_s)
            step.advance()
    if missed:
        times = ", ".join(f"{time:.2f}" for time in sorted(missed)[:_LISTED])
        more = " and more" if len(missed) > _LISTED else ""
        raise NotCovered(
            f"{len(missed)} of {len(ledger)} frames may show a face that is not covered (at {times} s{more}): no file "
            "was written",
            next_step="look at these moments; cut them out, or give the video at a larger size",
        )
