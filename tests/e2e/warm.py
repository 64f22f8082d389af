"""A process that has loaded the package and forks for every command: each runs as typed, but starts at once.

As a script it is that process: a request on standard input as one JSON line, then on standard output the child's
process id and, when the child has ended, its status. As a module it is the tests' side of it.
"""

import functools
import importlib
import itertools
import json
import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

NOBODY = 65534


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended; `status` is negative when a signal ended it."""

    status: int
    stdout: str
    stderr: str


class Hung(AssertionError):
    """The command did not end in its time and was killed."""


class Running:
    """A command under way, `pid` is its process; `said` is what it has printed on standard error so far."""

    def __init__(self, warm: "WarmCommand", pid: int, folder: Path) -> None:
        self._warm, self.pid, self._folder = warm, pid, folder

    @property
    def said(self) -> str:
        return (self._folder / "stderr").read_text(errors="replace")

    def kill(self, number: int = signal.SIGKILL) -> None:
        os.kill(self.pid, number)

    def ended(self, within_s: float) -> bool:
        return self._warm.has_answered(within_s)

    def wait(self, timeout_s: float) -> Done:
        if not self.ended(timeout_s):
            self.kill()
            self._warm.answer()
            raise Hung(f"no end after {timeout_s} s; it said: {self.said[-500:]}")
        return Done(
            status=int(self._warm.answer()),
            stdout=(self._folder / "stdout").read_text(errors="replace"),
            stderr=self.said,
        )


class WarmCommand:
    """Starts `deid-audit` commands one after another from one warm process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait(30)

    def start(
        self,
        *arguments: object,
        user: int | None = None,
        largest_file: int | None = None,
        temporary: Path | None = None,
        killed_at: str | None = None,
    ) -> Running:
        """Starts a command, as another user or with a limit on what a file may hold where given.

        `temporary` is its folder for temporary files. `killed_at`, as `module:function#5`, is where it kills itself:
        SIGKILL as that function is called for the fifth time, for moments that cannot be seen from outside.
        """
        request = {
            "arguments": [str(argument) for argument in arguments],
            "folder": str(self._folder),
            "user": user,
            "largest_file": largest_file,
            "temporary": None if temporary is None else str(temporary),
            "killed_at": killed_at,
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        return Running(self, int(self.answer()), self._folder)

    def run(self, *arguments: object, timeout_s: float = 120, user: int | None = None) -> Done:
        """Runs a command to its end; Hung when that takes longer than `timeout_s`."""
        return self.start(*arguments, user=user).wait(timeout_s)

    def has_answered(self, within_s: float) -> bool:
        assert self._server.stdout is not None
        return bool(select.select([self._server.stdout], [], [], within_s)[0])

    def answer(self) -> str:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        assert line, "the warm process has ended"
        return line


def assert_one_message(done: Done, status: int, message: str, *unsaid: Path) -> None:
    """The status, one error with one next step and nothing else but progress, no result, no path of an input."""
    said = done.stderr.splitlines()
    assert done.status == status, done.stderr
    assert [line for line in said if line.startswith("error: ")] == [line for line in said if "error" in line.lower()]
    assert sum(line.startswith("error: ") for line in said) == 1, done.stderr
    assert message in next(line for line in said if line.startswith("error: "))
    assert sum(line.startswith("next: ") and len(line) > 12 for line in said) == 1
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not [path for path in unsaid if str(path) in done.stderr]


def arguments(subject: Path, donor: Path, out: Path, *more: object) -> tuple[object, ...]:
    return ("run", "--subject", subject, "--donor", donor, "--out", out, "--iterations", 3, *more)


def _become(request: dict[str, object]) -> None:
    """The child's own output files, user and limits; its arguments as if typed."""
    folder = Path(str(request["folder"]))
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, descriptor)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if request["largest_file"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(str(request["largest_file"])),) * 2)
    if request["user"] is not None:
        os.setgroups([])
        os.setgid(int(str(request["user"])))
        os.setuid(int(str(request["user"])))
    if request["temporary"] is not None:
        os.environ["TMPDIR"], tempfile.tempdir = str(request["temporary"]), None
    if request["killed_at"] is not None:
        _kill_at(str(request["killed_at"]))
    sys.argv = ["deid-audit", *map(str, request["arguments"])]  # type: ignore[call-overload]


def _kill_at(place: str) -> None:
    """Puts a SIGKILL before one call of a function."""
    module, name, count = re.fullmatch(r"([\w.]+):([\w.]+)#(\d+)", place).groups()  # type: ignore[union-attr]
    *outer, last = name.split(".")
    owner = functools.reduce(getattr, outer, importlib.import_module(module))
    real, calls = getattr(owner, last), itertools.count(1)

    def called(*given: object, **named: object) -> object:
        if next(calls) == int(count):
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **named)

    setattr(owner, last, called)


def _end_with(main: Callable[[], None]) -> None:
    """Ends the child as the command says, without the second in which the interpreter takes torch apart."""
    status: object = 70
    try:
        main()
    except SystemExit as end:
        status = end.code
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status if isinstance(status, int) else int(status is not None))


def _serve() -> None:
    import deid_audit.pipeline.run  # noqa: F401, PLC0415  (the point of this process: loaded once)
    from deid_audit.__main__ import main  # noqa: PLC0415
    from deid_audit.certificate.readiness import sample_page  # noqa: PLC0415
    from deid_audit.swap.convert import prepare_runtime  # noqa: PLC0415

    # What is loaded late is loaded here, too: a child that becomes another user may not be able to.
    sample_page(b"{}", issued_at=datetime.now(UTC))
    prepare_runtime("cpu")
    datetime.strptime("2026-01-02", "%Y-%m-%d")  # loads its own module at the first use: the log reads times
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            _end_with(main)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    _serve()
