"""Who looked at the videos, in sentences for certificate and report: each reading, how far two agree, what stayed open.

From the statement's record alone; without one it says that nobody was asked.
"""

from deid_audit.certificate.strings import REVIEW_KINDS, REVIEW_ROLES, TEXT
from deid_audit.findings import CaseRecord, ReviewRecord
from deid_audit.records import ReadingRecord


def review_sentences(case: CaseRecord) -> list[str]:
    """One sentence a reading, then those about all of them; "not done" without a review."""
    review = case.review
    if review is None:
        return [TEXT["review_none"]]
    if review.kappa is None:
        agreed = TEXT["review_no_kappa"].format(why=review.no_kappa_because)
    else:
        agreed = TEXT["review_kappa"].format(kappa=f"{review.kappa:.2f}", stretches=review.stretches)
    return [
        *(_reading(one, review) for one in review.readings),
        TEXT["review_seen"].format(shown=review.frames_shown, frames=review.frames),
        agreed,
        TEXT["review_open"].format(unresolved=review.unresolved, refused=review.refused),
    ]


def _reading(one: ReadingRecord, review: ReviewRecord) -> str:
    counts = [f"{count} {REVIEW_KINDS.get(kind, kind)}" for kind, count in sorted(one.decisions.items())]
    return TEXT["review_reading"].format(
        role=REVIEW_ROLES[one.role],
        reviewer=one.reviewer,
        started=one.started_at,
        finished=one.finished_at,
        shown=one.frames_shown,
        frames=review.frames,
        decisions=", ".join(counts) or TEXT["review_no_decision"],
    )
