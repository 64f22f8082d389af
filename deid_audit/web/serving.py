"""A page on the loopback for as long as somebody works on it: on a port of its own, quiet, gone when the work ends.

The server has a thread; the caller's thread waits for the end, so that Ctrl-C and SIGTERM come where they always do.
"""

import socket
import threading
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from deid_audit.errors import StageError
from deid_audit.web.guard import HOST, Guard

# The page that says "finished" still fetches its style.
_LAST_WORDS_S = 1.0
_GRACE_S = 3


def serve(app: ASGIApp, *, finished: threading.Event, announce: Callable[[str], None]) -> None:
    """Serves `app` behind a guard until `finished` is set.

    `announce` is called with the address to open, and, from the server's thread, with a fresh one whenever somebody
    comes back with one that was used.

    Raises:
        StageError: there is no port to be had on 127.0.0.1.
        BaseException: what a page raised, which ends the serving, or what a signal's handler raised.
    """
    import uvicorn  # noqa: PLC0415  (heavy)

    listening = _listening()
    watched = _Watched(app, finished)
    guard = Guard(watched, port=listening.getsockname()[1], announce=announce)
    # No word of its own: a line of a server's log has addresses, and an error's has what was in the frame.
    config = uvicorn.Config(
        guard, log_config=None, log_level="critical", access_log=False, lifespan="off", ws="none",
        server_header=False, timeout_graceful_shutdown=_GRACE_S,
    )  # fmt: skip
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="page", daemon=True)
    thread.start()
    try:
        announce(guard.address)
        finished.wait()
        if watched.raised is None:
            threading.Event().wait(_LAST_WORDS_S)
    finally:
        server.should_exit = True
        thread.join(2 * _GRACE_S)
        listening.close()
    if watched.raised is not None:
        raise watched.raised


class _Watched:
    """The pages, whose first error is kept and ends the serving: nobody reads a server's log here."""

    def __init__(self, app: ASGIApp, finished: threading.Event) -> None:
        self._app, self._finished = app, finished
        self.raised: BaseException | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self.raised = self.raised or error
            self._finished.set()
            raise


def _listening() -> socket.socket:
    """A socket that listens on a free port of the loopback."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.bind((HOST, 0))
        made.listen()
    except OSError as error:
        made.close()
        why = error.strerror or "error"
        raise StageError(
            f"no page can be served on {HOST}: {why}", next_step="allow programs to listen on the loopback"
        ) from None
    return made
