"""Who may talk to a page: the browser that opened the printed address, from this machine, and nobody else.

Stands in front of every page. What is not let in gets an empty 404, the same as for an address that does not exist, so
that it cannot be told what there is. Knows nothing about what the pages show.
"""

import hmac
import secrets
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"
TOKEN, CSRF = "token", "csrf"
MOST_BODY_BYTES = 64 << 10
_FORM = "application/x-www-form-urlencoded"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Nothing to anybody else; with "no-referrer" browsers would hide from the guard itself where a form comes from.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI: lets in whoever has the cookie that the one-time token was exchanged for.

    A browser that was closed has lost its cookie. Whoever brings a used token gets nothing, as everybody does, but
    `announce` gets an address with a fresh one; when that is used, the cookie and the forms' word before it are void.

    A page finds the word that its forms must send back in the field `csrf` as `request.state.csrf`. Requests that
    change something are POSTs of a url-encoded form of at most 64 KiB; there is no other method than GET and POST.
    """

    def __init__(self, app: ASGIApp, *, port: int, announce: Callable[[str], None]) -> None:
        self._app, self._announce = app, announce
        self._hosts = (f"{HOST}:{port}", f"localhost:{port}")
        # Cookies do not know ports: two pages at once must not overwrite each other's.
        self._cookie_name = f"deid_audit_{port}"
        self._cookie, self._csrf = _fresh(), _fresh()
        self._token: str | None = _fresh()
        self._used: list[str] = []

    @property
    def address(self) -> str:
        """The address to open, with the token, which is void once it was used."""
        return f"http://{self._hosts[0]}/?{TOKEN}={self._token or ''}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers nothing, exchanges the token, or hands the request on with `state.csrf` set."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif scope["type"] == "http":
            await self._answer(scope, receive, _Sealed(send))

    async def _answer(self, scope: Scope, receive: Receive, send: "_Sealed") -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        # A name of somebody's that leads here (DNS rebinding), or another page that sends its visitors here.
        if host not in self._hosts or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            await send.nothing()
        elif scope["method"] == "GET" and self._exchanges(scope):
            await send.to_first_page(self._cookie_name, self._cookie)
        elif not self._has_cookie(headers):
            await send.nothing()
        elif scope["method"] == "GET":
            await self._app(self._with_csrf(scope), receive, send)
        elif scope["method"] == "POST" and headers.get("origin") == f"http://{host}":
            body = await _form(headers, receive)
            if body is None or not _same(_field(body, CSRF), self._csrf):
                await send.nothing()
            else:
                await self._app(self._with_csrf(scope), _again(body, receive), send)
        else:
            await send.nothing()

    def _exchanges(self, scope: Scope) -> bool:
        """Whether the request brings the token, which is void from here on; one that was used before brings a fresh."""
        brought = _field(scope["query_string"], TOKEN)
        if scope["path"] != "/":
            return False
        if self._token is not None and _same(brought, self._token):
            self._used.append(self._token)
            self._token = None
            self._cookie, self._csrf = _fresh(), _fresh()
            return True
        if self._token is None and any(_same(brought, one) for one in self._used):
            self._token = _fresh()
            self._announce(self.address)
        return False

    def _has_cookie(self, headers: Headers) -> bool:
        try:
            brought = SimpleCookie(headers.get("cookie", "")).get(self._cookie_name)
        except CookieError:
            return False
        return brought is not None and _same(brought.value, self._cookie)

    def _with_csrf(self, scope: Scope) -> Scope:
        return {**scope, "state": {**scope.get("state", {}), CSRF: self._csrf}}


class _Sealed:
    """A `send` under which every answer has the guard's headers, and one that says "not here" says nothing else."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._silent = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] in (404, 405):
                self._silent = True
                await self.nothing()
                return
            headers = MutableHeaders(raw=list(message["headers"]))
            headers.update(_HEADERS)
            message = {**message, "headers": headers.raw}
        if not self._silent:
            await self._send(message)

    async def nothing(self) -> None:
        await self._empty(404, {})

    async def to_first_page(self, name: str, value: str) -> None:
        """The cookie, and the address without the token, which then stands in no history."""
        await self._empty(303, {"Location": "/", "Set-Cookie": f"{name}={value}; Path=/; HttpOnly; SameSite=Strict"})

    async def _empty(self, status: int, own: dict[str, str]) -> None:
        headers = MutableHeaders({**_HEADERS, **own, "Content-Length": "0"})
        await self._send({"type": "http.response.start", "status": status, "headers": headers.raw})
        await self._send({"type": "http.response.body", "body": b""})


async def _form(headers: Headers, receive: Receive) -> bytes | None:
    """The body of a form; None for anything else, for one that is too long, and where the sender went away."""
    if headers.get("content-type", "").partition(";")[0].strip() != _FORM:
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body, which was read here, once more."""
    left = [body]

    async def replayed() -> Message:
        return {"type": "http.request", "body": left.pop(), "more_body": False} if left else await receive()

    return replayed


def _field(form: bytes, name: str) -> str:
    try:
        found = parse_qs(form.decode("ascii"), max_num_fields=1000).get(name, [])
    except ValueError:
        return ""
    return found[0] if len(found) == 1 else ""


def _fresh() -> str:
    return secrets.token_urlsafe(32)


def _same(brought: str, expected: str) -> bool:
    return hmac.compare_digest(brought.encode(), expected.encode())
