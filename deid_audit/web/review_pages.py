"""The addresses of the review page: what each answers, from desk, overview and pictures; no decision is made here."""

import threading
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from deid_audit.measure.identity import MATCH_CUT
from deid_audit.web.desk import KINDS, SIDES, Desk, NotTaken, Side
from deid_audit.web.overview import Filter, Overview, decision_row
from deid_audit.web.pages import html, own_files
from deid_audit.web.pictures import Pictures

_KIND_WORDS = {
    "clear": "Clear",
    "conceal": "Conceal",
    "wrong_person": "Wrong person",
    "reswap": "Swap again",
}


class ReviewPages:
    """What the browser of one reviewer may ask for."""

    def __init__(self, desk: Desk, pictures: Pictures, finished: threading.Event) -> None:
        self._desk, self._pictures, self._finished = desk, pictures, finished
        self._pending = desk.pending
        self._overview = Overview(desk.pending)

    def app(self) -> Starlette:
        """The pages, to stand behind a guard."""
        return Starlette(
            routes=[
                Route("/", self._page),
                Route("/begin", self._begin, methods=["POST"]),
                Route("/queue", self._queue),
                Route("/timeline", self._timeline),
                Route("/people", self._people),
                Route("/face", self._face),
                Route("/frame", self._frame),
                Route("/about", self._about),
                Route("/standing", self._standing),
                Route("/decide", self._decide, methods=["POST"]),
                Route("/undo", self._undo, methods=["POST"]),
                Route("/finish", self._finish, methods=["POST"]),
                *own_files("review.css", "review.js", "answers.js", "screen.js", "timeline.js", "icon.svg"),
            ]
        )

    def _page(self, request: Request) -> Response:
        return self._begun(request) if self._desk.reviewer else self._asking(request, "")

    def _asking(self, request: Request, problem: str) -> Response:
        values = {"pending": self._pending, "problem": problem}
        return html(request, "begin.html.j2", values, status=422 if problem else 200)

    def _begun(self, request: Request) -> Response:
        videos = [
            {"number": number, "width": one.facts.width, "height": one.facts.height, "frames": one.facts.frame_count}
            for number, one in enumerate(self._pending.released, start=1)
        ]
        earlier = [(one, [decision_row(row) for row in one.decisions]) for one in self._pending.readings]
        values = {
            "pending": self._pending,
            "reviewer": self._desk.reviewer,
            "videos": videos,
            "earlier": earlier,
            "kinds": {kind: _KIND_WORDS[kind] for kind in KINDS if kind != "reswap" or self._desk.can_reswap},
            "words": _KIND_WORDS,
            "undecided": self._overview.undecided,
            "differing": self._overview.differing,
            "cut": f"{MATCH_CUT:g}",
        }
        return html(request, "review.html.j2", values)

    async def _begin(self, request: Request) -> Response:
        try:
            self._desk.begin(str((await request.form()).get("reviewer", "")).strip())
        except NotTaken as refused:
            return self._asking(request, str(refused))
        return RedirectResponse("/", status_code=303)

    def _queue(self, request: Request) -> Response:
        wanted = Filter(
            video=_number(request, "video", 0, len(self._pending.ledgers)),
            undecided=request.query_params.get("undecided") == "1",
            open=request.query_params.get("open") == "1",
            differing=request.query_params.get("differing") == "1",
        )
        offset = _number(request, "offset", 0, 1 << 31)
        return JSONResponse(self._overview.portion(wanted, self._desk.decisions, offset))

    def _timeline(self, request: Request) -> Response:
        return JSONResponse(self._overview.timeline(self._video(request), _number(request, "columns", 1, 1 << 16)))

    def _people(self, request: Request) -> Response:
        return JSONResponse(self._overview.people(self._video(request), self._desk.decisions))

    def _face(self, request: Request) -> Response:
        video = self._video(request)
        found = self._overview.face_of(video, _number(request, "track", 0, 1 << 31))
        if found is None:
            raise HTTPException(404)
        return _picture(self._pictures.face(video, _side(request), *found))

    def _frame(self, request: Request) -> Response:
        video, side, frame = self._video(request), _side(request), self._frame_number(request)
        data = self._pictures.frame(video, side, frame)
        self._desk.was_sent(video, frame, side)
        return _picture(data)

    def _about(self, request: Request) -> Response:
        return JSONResponse(self._overview.frame(self._video(request), self._frame_number(request)))

    def _standing(self, request: Request) -> Response:
        return JSONResponse(self._stands())

    async def _decide(self, request: Request) -> Response:
        form = await request.form()
        said = {name: str(form.get(name, "")) for name in ("kind", "video", "first", "last", "track", "box", "note")}

        def take() -> None:
            box = [float(edge) for edge in said["box"].split(",")] if said["box"] else None
            if box is not None and (len(box) != 4 or not all(abs(edge) < 1e6 for edge in box)):
                raise ValueError("no box")
            self._desk.decide(
                said["kind"],
                video=int(said["video"]),
                frames=(int(said["first"]), int(said["last"])),
                track=int(said["track"]) if said["track"] else None,
                box_xyxy=None if box is None else (box[0], box[1], box[2], box[3]),
                note=said["note"],
            )

        return self._changed(take)

    async def _undo(self, request: Request) -> Response:
        number = str((await request.form()).get("number", ""))
        return self._changed(lambda: self._desk.undo(int(number)))

    async def _finish(self, request: Request) -> Response:
        answer = self._changed(self._desk.finish)
        if answer.status_code == 200:
            self._finished.set()
        return answer

    def _changed(self, change: Callable[[], object]) -> Response:
        """How the reading stands after a change, or why it was not made."""
        try:
            change()
        except NotTaken as refused:
            return JSONResponse({"problem": str(refused)}, status_code=422)
        except ValueError:
            return JSONResponse({"problem": "Frames and boxes must be numbers."}, status_code=422)
        return JSONResponse(self._stands())

    def _stands(self) -> dict[str, Any]:
        done, total = self._desk.progress()
        shown = [[one.video, one.first_frame, one.last_frame] for one in self._desk.shown()]
        return {
            "decisions": [decision_row(one) for one in self._desk.decisions],
            "shown": shown,
            "frames_shown": done,
            "frames": total,
        }

    def _video(self, request: Request) -> int:
        return _number(request, "video", 1, len(self._pending.ledgers))

    def _frame_number(self, request: Request) -> int:
        return _number(request, "frame", 0, len(self._pending.ledgers[self._video(request) - 1]) - 1)


def _picture(data: bytes) -> Response:
    return Response(data, media_type="image/jpeg")


def _side(request: Request) -> Side:
    found = next((side for side in SIDES if side == request.query_params.get("side")), None)
    if found is None:
        raise HTTPException(404)
    return found


def _number(request: Request, name: str, least: int, most: int) -> int:
    """A whole number of the address; whoever gives another one gets nothing."""
    text = request.query_params.get(name, "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else -1
    if not least <= number <= most:
        raise HTTPException(404)
    return number
