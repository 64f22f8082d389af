"""The part of pass 4 that needs no originals: faces and text of the released files found once more.

Part of a recheck. Same boxes, turns, detectors and recogniser as when the certificate was issued; what an original's
picture is needed for is left out, and nothing is judged.
"""

from collections.abc import Sequence

import numpy as np

from deid_audit.errors import EvidenceError
from deid_audit.findings import Measurement, video_scope
from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame
from deid_audit.measure.controls import measure_controls
from deid_audit.measure.gallery import gallery_matches
from deid_audit.measure.identity import VideoDescriptors, distances_to_original, measure_identity
from deid_audit.measure.residue import measure_breadth, measure_residue
from deid_audit.measure.text_left import measure_text
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.keeping import gallery_cut, ledgers_of
from deid_audit.pipeline.measuring import subject_chip, subject_swapped
from deid_audit.pipeline.rendering import RenderedPass, subject_boxes
from deid_audit.pipeline.searching import Descriptions, ReleasedSearch
from deid_audit.pipeline.watching import Watcher
from deid_audit.progress import Progress
from deid_audit.vault.references import References, VideoReferences
from deid_audit.video.reader import SourceVideo, read_frames
from deid_audit.video.writer import leftover_metadata_keys, leftover_streams
from deid_audit.vision.looks import Sighted
from deid_audit.vision.standing_text import StandingText

_NOBODY: Float = np.empty((0, 128), np.float32)
_GONE = ("identity.to_original.mean", "identity.to_original.sd")  # of renditions: they need the original's pictures


def measure_again(
    kept: References,
    videos: Sequence[SourceVideo],
    *,
    sounds: Sequence[bool],
    engines: Engines,
    progress: Progress,
) -> list[Measurement]:
    """Identity, the gallery, residue, burned-in text and the breadth of the audit, of the files as they stand.

    `sounds` says of which videos the certificate accounts for the sound.

    Raises:
        EvidenceError: a file has other frames than the references are of.
    """
    seen: list[tuple[VideoDescriptors, list[Sighted], Sequence[LedgerFrame], int]] = []
    for number, (video, known) in enumerate(zip(videos, kept.videos, strict=True), start=1):
        frames = video.facts.frame_count
        if frames != len(known.original):
            raise EvidenceError(f"released video {number} has {frames} frames, its references {len(known.original)}")
        seen.append(_watch(video, known, engines, progress))
    descriptors = [one for one, *_ in seen]
    found = [row for row in measure_identity(descriptors, kept.donor, _NOBODY) if row.of == "swapped"]
    found += gallery_matches(descriptors, gallery_cut(kept.head.thresholds))
    found += [row for row in measure_controls(descriptors, ()) if row.metric not in _GONE]
    audit = engines.audit
    searched = sum(len(sighted) for _, sighted, *_ in seen)
    found += measure_breadth([look.name for look in audit.looks], sorted(audit.families), searched)
    for number, (video, (one, sighted, ledger, lines)) in enumerate(zip(videos, seen, strict=True), start=1):
        [text] = measure_text(lines, 0, len(ledger), video_scope(number))
        found.append(text.model_copy(update={"detail": {}}))  # which lines were covered, the file does not tell
        found += measure_residue(
            scope=video_scope(number),
            detections=[each.boxes_xyxy for each in sighted],
            seen_by=[each.seen_by for each in sighted],
            frames=ledger,
            distances_to_original=distances_to_original(one),
            searched_with=audit.words,
            leftover_streams=leftover_streams(video.facts.inventory, sound_asked=sounds[number - 1]),
            leftover_keys=leftover_metadata_keys(video.facts),
        )
    for one in descriptors:
        for rows in (one.swapped, one.others):
            rows.fill(0)
    return found


def _watch(
    video: SourceVideo, kept: VideoReferences, engines: Engines, progress: Progress
) -> tuple[VideoDescriptors, list[Sighted], Sequence[LedgerFrame], int]:
    """One file from end to end, as `measuring.observe` sees its released side; the last is its lines of text."""
    ledger, final = ledgers_of(kept, video.times_s)
    boxes, swapped = subject_boxes(ledger), subject_swapped(ledger)
    watcher = Watcher(kept.turns, boxes, None, face=True)
    search = ReleasedSearch(engines, None, RenderedPass(ledger=list(ledger)))
    subject = Descriptions(engines.recognizer)
    text = StandingText(video.times_s)
    with progress.step(f"measuring again, {video.label}", video.facts.frame_count) as step:
        for frame in read_frames(video):
            points = watcher.see(frame)
            search.see(None, frame)
            text.see(frame)
            subject.add(subject_chip(engines, frame, boxes, points) if swapped[frame.index] else None)
            step.advance()
    search.close()
    watcher.wipe()
    descriptors = VideoDescriptors(
        swapped=subject.rows(),
        original=kept.original,
        subject_swapped=swapped,
        times_s=np.array(video.times_s),
        others=search.others.rows(),
        other_frames=np.array(search.other_frames, np.intp),
    )
    return descriptors, search.sighted, final, len(text.finish())
