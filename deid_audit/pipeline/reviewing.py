"""The seam between a job and the people who look at its videos: what they are shown, and the reading they give back.

The job waits here with the model in memory. Whoever shows the videos (a page, a test) is handed in: the pipeline knows
no server.
"""

from collections.abc import Callable
from dataclasses import dataclass

from deid_audit.ledger import LedgerFrame
from deid_audit.review.queue import FrameNumbers
from deid_audit.review.records import Reading, Role
from deid_audit.video.reader import SourceVideo


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pending:
    """A job that waits for one reading.

    `originals[i]`, `released[i]`, `ledgers[i]` and `numbers[i]` are of video i + 1. `readings` are the earlier ones
    that this reader may see: none for a first or a second reading in round 1, for later rounds and a resolution all.
    `refused` says of earlier decisions, in words, why they were not carried out. In `round` 2 and later the videos
    show what became of the decisions; the job asks again until a reading has no decisions.
    """

    case_id: str
    role: Role
    round: int
    originals: tuple[SourceVideo, ...]
    released: tuple[SourceVideo, ...]
    ledgers: tuple[tuple[LedgerFrame, ...], ...]
    ledger_sha256: str
    numbers: tuple[tuple[FrameNumbers, ...], ...]
    readings: tuple[Reading, ...] = ()
    refused: tuple[str, ...] = ()


Reviewing = Callable[[Pending], Reading]
"""Shows a pending job to a reviewer and gives back the finished reading in the asked role; its decisions are new ones.

It raises what ends the job (`Interrupted`, or a `DeidAuditError` when the page was closed): nothing is released then.
"""
