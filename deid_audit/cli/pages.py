"""Pages of this machine as the commands announce them, and the one on which a run that waits is read."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from deid_audit.pipeline.reviewing import Pending, Reviewing
    from deid_audit.review.records import Reading, Role

_COMING_BACK = "  (it works once; where the browser was closed, open it again, and a fresh address is told here)"


def announce(address: str, *, whom: str = "") -> None:
    """Tells on standard error where the page is, for `whom`, and how one comes back to it."""
    typer.echo(f"{whom}open in a browser of this machine: {address}\n{_COMING_BACK}", err=True)


def page_for_reviewers() -> "Reviewing":
    """Shows a waiting run's job on pages of this machine; whoever made the first reading cannot make the second.

    What a page raises ends the page and not the run, which may have trained for hours: another page is announced, and
    goes on with what was decided.
    """
    from deid_audit.errors import DeidAuditError, Interrupted, describe_defect  # noqa: PLC0415
    from deid_audit.web.reviewing import review_on_a_page  # noqa: PLC0415

    readers: dict[Role, str] = {}

    def reviewing(pending: "Pending") -> "Reading":
        who = {"first": "the first reader", "second": "a second reader", "resolution": "whoever resolves"}[pending.role]
        not_by = frozenset({readers["first"]}) if pending.role == "second" and "first" in readers else frozenset()
        draft: Reading | None = None
        announced = False

        def tell(address: str) -> None:
            nonlocal announced
            announce(address, whom=f"for {who}, round {pending.round}: ")
            announced = True

        def keep(reading: "Reading") -> None:
            nonlocal draft
            draft = reading

        while draft is None or draft.finished_at is None:
            announced = False
            try:
                review_on_a_page(pending, announce=tell, draft=draft, keep=keep, not_by=not_by)
            except Interrupted:
                raise
            except Exception as error:
                if not announced:  # no page at all: a next one would fare no better
                    raise
                said = f"{error}; {error.next_step}" if isinstance(error, DeidAuditError) else describe_defect(error)
                typer.echo(f"the page ended: {said}", err=True)
                typer.echo("the run waits on; what was decided is kept for a new page", err=True)
        readers[pending.role] = draft.reviewer
        return draft

    return reviewing
