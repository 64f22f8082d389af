"""A reviewer with a page: what a job, or `review`, hands in to have a reading made."""

import threading
from collections.abc import Callable

from deid_audit.pipeline.reviewing import Pending
from deid_audit.review.records import Reading
from deid_audit.web.desk import Desk
from deid_audit.web.pictures import Pictures
from deid_audit.web.review_pages import ReviewPages
from deid_audit.web.serving import serve


def review_on_a_page(
    pending: Pending,
    *,
    announce: Callable[[str], None],
    can_reswap: bool = True,
    draft: Reading | None = None,
    keep: Callable[[Reading], None] = lambda reading: None,
    not_by: frozenset[str] = frozenset(),
) -> Reading:
    """Serves the job's review page until the reviewer finishes; gives the reading.

    `announce` gets the address to open; `keep` the reading after each change, and once more when the page ends without
    being finished. `not_by` are the names of those who may not make this reading, since they made the other one.

    Raises:
        VideoError: a video is not what it was any more.
        BaseException: whatever a signal's handler, or `keep`, raises.
    """
    finished = threading.Event()
    read: list[Reading] = []

    def kept(reading: Reading) -> None:
        keep(reading)
        read[:] = [reading]

    desk = Desk(pending, can_reswap=can_reswap, draft=draft, keep=kept, not_by=not_by)
    with Pictures(pending) as pictures:
        try:
            serve(ReviewPages(desk, pictures, finished).app(), finished=finished, announce=announce)
        except BaseException:
            desk.pause()
            raise
    return read[0]
