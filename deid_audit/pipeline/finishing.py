"""The ledger's last word: what the search of the written file confirms, what it overturns, and whether it adds up.

Between watching and judging. A region or frame can only get worse here; nothing is made clear that pass 1 did not
call clear.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from deid_audit.digests import sha256_lines
from deid_audit.errors import EvidenceError
from deid_audit.findings import LedgerRecord, LedgerSummary
from deid_audit.ledger import DISTANCE_IN_FILE, LedgerFrame, Region, State, count_states, csv_lines
from deid_audit.measure.detail import COVERED_BELOW
from deid_audit.measure.expression import mouth_errors
from deid_audit.measure.identity import MATCH_CUT, FrameDistances, distances_to_original
from deid_audit.measure.residue import unaccounted_places
from deid_audit.pipeline.measuring import Observed
from deid_audit.pipeline.reckoning import Watched
from deid_audit.vision.detectors import Detections, HogDetector

METHOD_TEXT = (
    "The ledger is final after the written file was searched. A frame without a face is clear only if two families of "
    f"detectors agreed on the original and {HogDetector.name} sees none in the written file either; where it sees one, "
    "the frame is undecided, also where a person drew a cover. So is every shown face, whosever it is, that cannot be "
    f"compared with its own original or is nearer to it than {MATCH_CUT}, and every covered face of whose fine picture "
    f"{COVERED_BELOW} or more is left."
)


def finished_ledger(ledger: Sequence[LedgerFrame], observed: Observed) -> tuple[LedgerFrame, ...]:
    """The ledger after the audit of the written file; what was not looked at becomes undecided."""
    distances = distances_to_original(observed.descriptors)
    errors = mouth_errors(observed.original_face, observed.released_face, observed.compared)
    finished = []
    for position, frame in enumerate(ledger):
        looked = observed.regions[position] if position < len(observed.regions) else ()
        boxes = observed.detections[position] if position < len(observed.detections) else None
        regions = []
        for at, region in enumerate(frame.regions):
            key = (frame.index, -1 if region.track_id is None else region.track_id)
            distance = math.nan
            if region.state is State.SWAPPED:
                distance = float(distances[position]) if region.is_subject else observed.beside.get(key, math.nan)
            regions.append(
                judged(region, distance=distance, detail=looked[at].detail if at < len(looked) else math.nan)
            )
        done = replace(frame, regions=tuple(regions))
        done = done if frame.found else confirmed(done, observed.second_look.get(frame.index))
        finished.append(
            replace(
                done,
                expression_error=None if math.isnan(errors[position]) else float(errors[position]),
                unaccounted_faces=None if boxes is None else len(unaccounted_places(boxes, done)),
            )
        )
    return tuple(finished)


def judged(region: Region, *, distance: float, detail: float) -> Region:
    """One region after the search; `distance` to its own original and `detail` left of it, NaN where unknown."""
    state, reason = region.state, region.reason
    if state is State.SWAPPED and not distance >= MATCH_CUT:  # written so that NaN is near
        state = State.UNDECIDED
        reason = "the face in the written file could not be compared with the original"
        if distance < MATCH_CUT:
            reason = f"the face in the written file matches the original: {distance:.2f}"
    if state is State.CONCEALED and not detail < COVERED_BELOW:
        state = State.UNDECIDED
        reason = f"the cover does not hide the face in the written file: {detail:.2f} of the fine picture left"
    seen = {DISTANCE_IN_FILE: distance, "fine picture left": detail}
    numbers = tuple((name, value) for name, value in seen.items() if math.isfinite(value))
    return replace(region, state=state, reason=reason, numbers=(*region.numbers, *numbers))


def confirmed(frame: LedgerFrame, again: Detections | None) -> LedgerFrame:
    """A frame in which none was found, after the family that cleared it looked at the written file; None: it did not.

    What was drawn stays.
    """
    if again is None:
        return replace(frame, cleared_by=())
    if not len(again.boxes_xyxy):
        first = [name for name in frame.cleared_by if name != HogDetector.name]
        return replace(frame, cleared_by=(*first, f"{HogDetector.name} (written file, too)"))
    regions = []
    for box, score in zip(again.boxes_xyxy.tolist(), again.scores.tolist(), strict=True):
        regions.append(
            Region(
                track_id=None,
                is_subject=False,
                state=State.UNDECIDED,
                reason="a face is seen in the written file where none was seen in the original",
                decided_by=HogDetector.name,
                box_xyxy=(box[0], box[1], box[2], box[3]),
                numbers=(("score", score),),
            )
        )
    return replace(frame, regions=(*frame.regions, *regions), cleared_by=())


def with_gallery(videos: Sequence[Watched], distances: Sequence[FrameDistances]) -> list[Watched]:
    """The videos with the distance of every shown face of the subject to the nearest original in its numbers."""
    out = []
    for video, known in zip(videos, distances, strict=True):
        ledger = tuple(
            replace(
                frame,
                regions=tuple(_with(region, float(known.to_gallery[frame.index])) for region in frame.regions),
            )
            for frame in video.ledger
        )
        out.append(replace(video, ledger=ledger))
    return out


def _with(region: Region, to_gallery: float) -> Region:
    compared = any(name == DISTANCE_IN_FILE for name, _ in region.numbers)
    if not (region.is_subject and compared and math.isfinite(to_gallery)):
        return region
    return replace(region, numbers=(*region.numbers, ("distance to nearest original", to_gallery)))


def refuse_incomplete(videos: Sequence[Watched]) -> None:
    """EvidenceError unless every ledger has each frame once that was decoded of the original and the written file."""
    for number, video in enumerate(videos, start=1):
        frames = len(video.ledger)
        counted = {
            "the written file": video.released.facts.frame_count,
            "the original": len(video.observed.poses["original"].area),
            "the search": len(video.observed.detections),
        }
        for what, count in counted.items():
            if count != frames:
                raise EvidenceError(
                    f"video {number}: the ledger holds {frames} frames, {what} has {count}",
                    next_step="report this: no certificate is issued on a ledger that does not add up",
                )
        if [frame.index for frame in video.ledger] != list(range(frames)):
            raise EvidenceError(
                f"video {number}: the ledger does not hold every frame once", next_step="report this as a bug"
            )


def ledger_record(ledgers: Sequence[Sequence[LedgerFrame]]) -> LedgerRecord:
    """The ledgers in counts, and the digest of the CSV file that the steward gets of them."""
    return LedgerRecord(sha256=sha256_lines(csv_lines(ledgers)), videos=tuple(_summary(ledger) for ledger in ledgers))


def _summary(ledger: Sequence[LedgerFrame]) -> LedgerSummary:
    regions = [region for frame in ledger for region in frame.regions]
    return LedgerSummary(
        frames=len(ledger),
        states={state.value: count for state, count in count_states(ledger).items()},
        regions=len(regions),
        rungs=dict(Counter("none tried" if region.rung is None else region.rung.value for region in regions)),
        decided_by=dict(Counter(region.decided_by.partition(": ")[0] or "nobody" for region in regions)),
        cleared_by=dict(Counter(" + ".join(frame.cleared_by) or "nobody" for frame in ledger if not frame.found)),
    )
