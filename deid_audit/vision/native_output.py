"""Keeps what C++ libraries print on standard error (MediaPipe, whatever its log level) off the terminal."""

import os
import sys


def silence_native_stderr() -> None:
    """Points file descriptor 2 at the null device and gives Python's own `sys.stderr` the terminal.

    For the life of the process, and once: MediaPipe prints from its own threads at any time. Called by commands
    before the first model is loaded, never by the library.
    """
    if getattr(sys.stderr, "_deid_audit_detached", False):
        return
    sys.stderr.flush()
    terminal = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    terminal._deid_audit_detached = True  # type: ignore[attr-defined]
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    os.close(null)
    sys.stderr = terminal
