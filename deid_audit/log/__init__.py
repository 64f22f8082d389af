"""Stage: what happened to every case, in a log that cannot be changed without a trace where a checkpoint was kept."""

from deid_audit.log.events import (
    Approved,
    Event,
    RefusedByChair,
    Reviewed,
    RunEnded,
    RunRefused,
    RunStarted,
    Verified,
    WeightsDestroyed,
    Withdrawn,
)
from deid_audit.log.journal import Journal
from deid_audit.log.storage import log_folder

__all__ = [
    "Approved",
    "Event",
    "Journal",
    "RefusedByChair",
    "Reviewed",
    "RunEnded",
    "RunRefused",
    "RunStarted",
    "Verified",
    "WeightsDestroyed",
    "Withdrawn",
    "log_folder",
]
