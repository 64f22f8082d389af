"""How a page is made: its template with the guard's word, and its style and script from a table of names."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from deid_audit.certificate.filling import filled
from deid_audit.resources import resource_dir

_FOLDER = "review"
_MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


def html(request: Request, template: str, values: dict[str, Any], *, status: int = 200) -> HTMLResponse:
    """`templates/review/TEMPLATE`, filled; it finds the guard's word for its forms as `csrf`."""
    return HTMLResponse(filled(f"{_FOLDER}/{template}", {"csrf": request.state.csrf, **values}), status_code=status)


def own_files(*names: str) -> list[Route]:
    """One route each for these files of `templates/review`, read now: no address of a request becomes a path."""
    return [_route(name) for name in names]


def _route(name: str) -> Route:
    data = (resource_dir("templates") / _FOLDER / name).read_bytes()
    media_type = _MEDIA_TYPES[name.rpartition(".")[2]]

    def answer(request: Request) -> Response:
        return Response(data, media_type=media_type)

    return Route(f"/{name}", answer)
