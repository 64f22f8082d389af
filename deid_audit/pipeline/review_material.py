"""What a reviewer of a finished OUT is shown: its videos beside the originals, which are known by their keyed digests.

The model is gone by then: what a reading asks for can only be covered (`run --from-review`).
"""

from collections.abc import Sequence
from pathlib import Path

from deid_audit.errors import EvidenceError, SettingsError
from deid_audit.findings import CaseRecord
from deid_audit.ledger_file import read_ledger_file
from deid_audit.pipeline.finished_out import LEDGER_FILE, WHOLE, FinishedOut
from deid_audit.pipeline.reviewing import Pending
from deid_audit.progress import Progress
from deid_audit.review.records import Reading, Role
from deid_audit.video.pairing import align_frames, pair_frames
from deid_audit.video.places import keyed_digest_of
from deid_audit.video.reader import SourceVideo, open_video


def pending_of(
    finished: FinishedOut,
    originals: Sequence[Path],
    *,
    role: Role,
    readings: tuple[Reading, ...],
    progress: Progress,
) -> Pending:
    """OUT as a job that waits for a reading in this role; `originals` in any order, each known by its digest.

    Raises:
        EvidenceError: the steward's folder is incomplete, or not that of the statement.
        SettingsError: a video is none of this case's originals, or one is missing.
        VideoError: a video cannot be decoded.
    """
    case = finished.case
    ledger = finished.named(LEDGER_FILE, case.ledger.sha256)
    if ledger is None:
        raise EvidenceError(f"the folder has no {LEDGER_FILE}", next_step=WHOLE)
    before = matched_originals(finished, originals)
    with progress.step("reading the videos", 2 * len(before)) as step:
        opened = []
        for number, (original, released) in enumerate(zip(before, finished.videos, strict=True), start=1):
            pair = [open_video(original, label=f"original video {number}")]
            step.advance()
            pair.append(open_video(released, label=f"released video {number}"))
            step.advance()
            opened.append(pair)
    return Pending(
        case_id=case.case_id,
        role=role,
        round=1,
        originals=tuple(_frame_for_frame(case, *pair) for pair in opened),
        released=tuple(released for _, released in opened),
        ledgers=read_ledger_file(ledger.decode()),
        ledger_sha256=case.ledger.sha256,
        readings=readings,
    )


def matched_originals(finished: FinishedOut, given: Sequence[Path], *, option: str = "--originals") -> list[Path]:
    """The videos that were given with `option`, in the case's order, each known by its keyed digest.

    Raises:
        SettingsError: a video is none of this case's originals, or one is missing.
        EvidenceError: the steward's folder has no key.
    """
    case, key = finished.case, finished.digest_key()
    next_step = f"give every original of the job with {option}, the very files that the job was given"
    left = {number: facts.keyed_digest for number, facts in enumerate(case.originals, start=1)}
    found: dict[int, Path] = {}
    for position, path in enumerate(given, start=1):
        try:
            digest = keyed_digest_of(path, f"{option}, number {position}", key)
        except OSError as error:
            why = error.strerror or "input/output error"
            raise SettingsError(f"{option}, number {position}: cannot be read: {why}", next_step=next_step) from None
        number = next((one for one, stated in left.items() if stated == digest), None)
        if number is None:
            again = any(facts.keyed_digest == digest for facts in case.originals)
            what = "was given twice" if again else "is none of the originals of this case, byte for byte"
            raise SettingsError(f"{option}, number {position}: this video {what}", next_step=next_step)
        found[number] = path
        del left[number]
    if left:
        raise SettingsError(
            f"{len(left)} of {len(case.originals)} originals are missing: {', '.join(f'video {one}' for one in left)}",
            next_step=next_step,
        )
    return [found[number] for number in sorted(found)]


def _frame_for_frame(case: CaseRecord, original: SourceVideo, released: SourceVideo) -> SourceVideo:
    """The original as the job compared it: an audit may have paired the frames by time."""
    aligned = any(stage.settings.get("align") for stage in case.stages)
    return (align_frames if aligned else pair_frames)(original, released)
