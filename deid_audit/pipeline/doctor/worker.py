"""A process of its own for whatever loads a heavy library, so that a crash or a hang there is an answer here.

The parent writes one request a line, the child one answer a line; both are JSON. A child that died or did not answer
is replaced at the next request. Run as `python -m`, this file is the child.
"""

import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TextIO, cast

from deid_audit.errors import DeidAuditError

_LONGEST_MESSAGE = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a task returned, or why it did not: `error` is empty exactly when it came to its end."""

    value: Any = None
    error: str = ""


class Worker:
    """Runs tasks (`module:function` of this package) in a child process; a context manager that ends the child.

    What the libraries write to temporary and cache folders lands in `folder`, what they print is dropped.
    """

    def __init__(self, folder: Path, *, command: tuple[str, ...] | None = None) -> None:
        # -P: a file of the working folder must not stand in for a library.
        self._command = command or (sys.executable, "-P", "-m", __name__)
        self._environment = os.environ | {"TMPDIR": str(folder), "XDG_CACHE_HOME": str(folder)}
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, task: str, *, timeout_s: float, **arguments: Any) -> Answer:
        """Runs one task; never raises for what happens to it."""
        child = self._living_child()
        request = json.dumps({"task": task, "arguments": arguments}).encode() + b"\n"
        try:
            assert child.stdin is not None
            child.stdin.write(request)
            child.stdin.flush()
            line = _read_line(child, timeout_s)
        except BrokenPipeError:
            line = b""
        except TimeoutError:
            self._end()
            return Answer(error=f"gave no answer within {timeout_s:.0f} s")
        if not line.endswith(b"\n"):
            return Answer(error=self._death())
        return Answer(**json.loads(line))

    def _living_child(self) -> "subprocess.Popen[bytes]":
        if self._child is None or self._child.poll() is not None:
            self._end()
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=self._environment,
            )
        return self._child

    def _death(self) -> str:
        """Ends what is left of the child and says how it died."""
        assert self._child is not None
        try:
            status = self._child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            status = 0
        self._end()
        if status < 0:
            return f"the process was ended by {signal.Signals(-status).name}"
        return f"the process ended with status {status} and gave no answer"

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for stream in (self._child.stdin, self._child.stdout):
                if stream is not None:
                    try:
                        stream.close()
                    except BrokenPipeError:
                        continue
            self._child = None


def _read_line(child: "subprocess.Popen[bytes]", timeout_s: float) -> bytes:
    """One line, or what came before the child's end; TimeoutError."""
    assert child.stdout is not None
    until, line = time.monotonic() + timeout_s, b""
    while not line.endswith(b"\n"):
        if not select.select([child.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
            raise TimeoutError
        piece = os.read(child.stdout.fileno(), 1 << 16)
        if not piece:
            break
        line += piece
    return line


def perform(request: str) -> dict[str, Any]:
    """Runs one request and gives the answer's fields; whatever a library raises becomes words."""
    wanted = json.loads(request)
    module, _, function = wanted["task"].partition(":")
    try:
        task = cast(Callable[..., Any], getattr(importlib.import_module(module), function))
        return {"value": task(**wanted["arguments"])}
    except DeidAuditError as error:
        return {"error": str(error)}
    except Exception as error:
        words = " ".join(str(error).split())[:_LONGEST_MESSAGE]
        return {"error": f"{type(error).__name__}: {words}" if words else type(error).__name__}


def serve(requests: TextIO, answers: TextIO) -> None:
    """Answers until the parent is gone."""
    for request in requests:
        print(json.dumps(perform(request)), file=answers, flush=True)


if __name__ == "__main__":
    # Libraries may print: the answers get a descriptor of their own.
    own = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    serve(sys.stdin, own)
