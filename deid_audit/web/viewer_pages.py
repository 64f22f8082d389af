"""The pages of a viewer test: who sits down, one page a line-up, and the end. Nobody is told what was right.

Only the line-up that is being answered has addresses for its clip and pictures; every answer is kept as it comes.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import Route

from deid_audit.pipeline.viewer_tests import Showing
from deid_audit.viewers.plan import LineUp
from deid_audit.viewers.sittings import CONFIDENCES, GROUPS, Answer, Sitting, Sittings
from deid_audit.viewers.storing import save
from deid_audit.web.pages import html, own_files
from deid_audit.web.viewer_words import WORDS


class ViewerPages:
    """One test in one browser: the viewer who sits there now, and the line-up that they see."""

    def __init__(
        self,
        showing: Showing,
        *,
        finished: threading.Event,
        now: Callable[[], datetime],
        seconds: Callable[[], float],
    ) -> None:
        self._showing, self._finished = showing, finished
        self._now, self._seconds = now, seconds
        self._sittings = showing.sittings
        self._sitting: Sitting | None = None
        self._line_ups = {one.number: one for one in showing.plan.line_ups}
        self._shown_since: tuple[int, float] | None = None

    @property
    def sittings(self) -> Sittings:
        """All sittings so far, the earlier ones among them."""
        return self._sittings

    def app(self) -> Starlette:
        """The pages, to be put behind a guard."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/begin", self._begin, methods=["POST"]),
                Route("/answer", self._answer, methods=["POST"]),
                Route("/next", self._next, methods=["POST"]),
                Route("/end", self._end, methods=["POST"]),
                Route("/clip/{line_up:int}", self._clip),
                Route("/picture/{line_up:int}/{place:int}", self._picture),
                *own_files("viewer.css", "viewer.js", "icon.svg"),
            ]
        )

    async def _page(self, request: Request) -> Response:
        if self._sitting is None:
            return self._begin_page(request)
        current = self._current()
        if current is None:
            return html(request, "viewer_end.html.j2", {"words": WORDS, "ended": False})
        if self._shown_since is None or self._shown_since[0] != current.number:
            self._shown_since = (current.number, self._seconds())
        return self._line_up_page(request, current, FormData())

    def _begin_page(self, request: Request, problem: str = "") -> Response:
        values = {"words": WORDS, "problem": problem, "groups": GROUPS}
        return html(request, "viewer_begin.html.j2", values, status=400 if problem else 200)

    def _line_up_page(self, request: Request, current: LineUp, sent: FormData, problem: str = "") -> Response:
        """The line-up, with what was sent where it could not be taken."""
        sitting = self._sitting
        assert sitting is not None  # whoever sees a line-up sits there
        values = {
            "words": WORDS,
            "problem": problem,
            "sent": {name: sent.get(name, "") for name in _fields(len(current.pictures))},
            "number": current.number,
            "progress": WORDS["progress"].format(at=len(sitting.answers) + 1, count=len(self._line_ups)),
            "places": range(1, len(current.pictures) + 1),
            "confidences": CONFIDENCES,
        }
        return html(request, "viewer_line_up.html.j2", values, status=400 if problem else 200)

    async def _begin(self, request: Request) -> Response:
        form = await request.form()
        try:
            wanted = Sitting.model_validate(
                {
                    "viewer": str(form.get("viewer", "")).strip(),
                    "group": form.get("group"),
                    "started_at": self._now().astimezone(UTC).isoformat(timespec="seconds"),
                }
            )
        except ValidationError as error:
            field = error.errors()[0]["loc"][0]
            return self._begin_page(request, WORDS["bad_code" if field == "viewer" else "bad_group"])
        known = self._sittings.of(wanted.viewer)
        if known is not None and len(known.answers) == len(self._line_ups):
            return self._begin_page(request, WORDS["sat"])
        if known is not None and known.group != wanted.group:
            return self._begin_page(request, WORDS["other_group"])
        self._sitting = known or wanted
        return _to_the_page()

    async def _answer(self, request: Request) -> Response:
        form = await request.form()
        current = self._current()
        if self._sitting is None or current is None or form.get("line_up") != str(current.number):
            return _to_the_page()  # sent twice, or from a page that is past
        ranking = _ranking(form, len(current.pictures))
        among, confidence = form.get("among"), str(form.get("confidence", ""))
        problem = ""
        if ranking is None:
            problem = WORDS["bad_ranking"]
        elif among not in ("yes", "no"):
            problem = WORDS["bad_among"]
        elif confidence not in map(str, CONFIDENCES):
            problem = WORDS["bad_confidence"]
        if ranking is None or problem:
            return self._line_up_page(request, current, form, problem)
        since = self._seconds() if self._shown_since is None else self._shown_since[1]
        answer = Answer(
            line_up=current.number,
            ranking=ranking,
            among_them=among == "yes",
            confidence=int(confidence),
            seconds=round(max(0.0, self._seconds() - since), 1),
        )
        self._sitting = self._sitting.answered(answer)
        self._sittings = self._sittings.with_sitting(self._sitting)
        save(self._showing.answers_file, self._sittings, "the answers")
        return _to_the_page()

    async def _next(self, request: Request) -> Response:
        if self._current() is None:
            self._sitting = None
        return _to_the_page()

    async def _end(self, request: Request) -> Response:
        self._finished.set()
        return html(request, "viewer_end.html.j2", {"words": WORDS, "ended": True})

    async def _clip(self, request: Request) -> Response:
        current = self._current()
        if current is None or request.path_params["line_up"] != current.number:
            return Response(status_code=404)
        return FileResponse(self._showing.clips[current.video], media_type="video/mp4")

    async def _picture(self, request: Request) -> Response:
        current, place = self._current(), request.path_params["place"]
        if current is None or request.path_params["line_up"] != current.number:
            return Response(status_code=404)
        if not 1 <= place <= len(current.pictures):
            return Response(status_code=404)
        return Response(self._showing.pictures[current.pictures[place - 1]], media_type="image/jpeg")

    def _current(self) -> LineUp | None:
        """The line-up that the viewer sees now; None where nobody sits there, or all is answered."""
        if self._sitting is None:
            return None
        order, done = self._showing.plan.order_for(self._sitting.viewer), len(self._sitting.answers)
        return self._line_ups[order[done]] if done < len(order) else None


def _to_the_page() -> Response:
    return RedirectResponse("/", status_code=303)


def _fields(size: int) -> tuple[str, ...]:
    return (*(f"rank_{place}" for place in range(1, size + 1)), "among", "confidence")


def _ranking(form: FormData, size: int) -> tuple[int, ...] | None:
    """The places from the likeliest on; None unless every picture has a rank of its own."""
    ranks = {str(form.get(f"rank_{place}", "")): place for place in range(1, size + 1)}
    if set(ranks) != {str(rank) for rank in range(1, size + 1)}:
        return None
    return tuple(ranks[str(rank)] for rank in range(1, size + 1))
