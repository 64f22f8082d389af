"""What a statement, a log and a policy are told of a review: people, times and counts; no note, and no decision."""

from collections import Counter
from collections.abc import Sequence

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.records import ReadingRecord, ReviewRecord
from deid_audit.review.agreement import Agreement
from deid_audit.review.records import Reading

METHOD_TEXT = (
    "People looked at the released videos beside the originals before anything was destroyed and before the policy "
    "judged. What they wanted covered, or said is another person's, was covered; what they wanted swapped again was "
    "begun one step harder; the changed videos were rendered and measured again. Nothing was uncovered. A clear counts "
    "only in frames that were shown to whoever cleared them, and only where the tool saw no face that it could "
    "describe, or saw one where its first search saw none: a face that matches its original, or that measures as a "
    "person of these videos, stays undecided. The search of the written file is not told of a clear: what it finds "
    "counts. Who looked is what the reviewers say of themselves. A second reading is blind to the first, and somebody "
    "else resolves what they differ in; where nobody resolved it, the face is covered, and not cleared."
)
NOT_DONE = "nobody was asked to look at the videos"
_METHOD = "the review file"


def record_of(
    readings: Sequence[Reading],
    *,
    file_sha256: str,
    frames: int,
    frames_shown: int,
    agreed: Agreement,
    unresolved: int,
    refused: int,
) -> ReviewRecord:
    """The record of finished readings; `frames_shown` counts those that every reader was shown as they are released."""
    return ReviewRecord(
        file_sha256=file_sha256,
        readings=tuple(_reading(one) for one in readings),
        frames=frames,
        frames_shown=frames_shown,
        stretches=agreed.items,
        kappa=agreed.kappa,
        no_kappa_because=agreed.because,
        unresolved=unresolved,
        refused=refused,
    )


def _reading(one: Reading) -> ReadingRecord:
    if one.finished_at is None:
        raise ValueError("a reading that was not finished is no evidence")
    return ReadingRecord(
        reviewer=one.reviewer,
        role=one.role,
        started_at=one.started_at.isoformat(),
        finished_at=one.finished_at.isoformat(),
        decisions=dict(sorted(Counter(decision.kind for decision in one.decisions).items())),
        frames_shown=sum(stretch.last_frame - stretch.first_frame + 1 for stretch in one.shown),
    )


def measure_review(record: ReviewRecord | None) -> list[Measurement]:
    """How many people read, the share of frames they saw, how far two agree; without a review nobody did."""
    names = ("review.frames_shown_share", "review.agreement_kappa")
    readers = 0 if record is None else record.readers
    out = [measured("review.readers", "run", "run", readers, sample_size=1, method=_METHOD)]
    if record is None:
        return out + [not_measured(name, "run", "run", NOT_DONE) for name in names]
    share = record.frames_shown / record.frames if record.frames else float("nan")
    out.append(measured(names[0], "run", "run", share, sample_size=record.frames, method=_METHOD))
    if record.kappa is None:
        return [*out, not_measured(names[1], "run", "run", record.no_kappa_because, method=_METHOD)]
    return [*out, measured(names[1], "run", "run", record.kappa, sample_size=record.stretches, method=_METHOD)]
