"""Channel: objects from one process of ours to another through a socket, the bytes of arrays without a copy of them.

Both ends are this program, so what comes is unpickled. An array travels from its own memory and lands in memory that
becomes the array; only what is small and no picture is copied on its way.
"""

import pickle
import socket
import struct
import traceback
from dataclasses import dataclass
from typing import Any, Self

from deid_audit import errors
from deid_audit.errors import DefectElsewhere, DeidAuditError, describe_defect

_LENGTH = struct.Struct("<Q")


class HungUp(Exception):
    """The other end is gone: it has ended, or was ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """An error on its way: one of ours by its class, words and next step, else what is known of a defect."""

    kind: str
    message: str
    next_step: str
    words: str
    trace: str

    @classmethod
    def of(cls, error: Exception) -> Self:
        """What to send of an error that is being handled."""
        ours = isinstance(error, DeidAuditError)
        return cls(
            kind=type(error).__name__ if ours else "",
            message=str(error) if ours else "",
            next_step=error.next_step if isinstance(error, DeidAuditError) else "",
            words=describe_defect(error),
            trace="".join(traceback.format_exception(error)),
        )

    def as_error(self) -> Exception:
        """The same error here; a defect with its traceback as text."""
        kind = getattr(errors, self.kind, DeidAuditError) if self.kind else None
        if kind is None:
            return DefectElsewhere(self.words, self.trace)
        error: DeidAuditError = kind(self.message, next_step=self.next_step)
        return error


class Channel:
    """One end of a connection; messages arrive whole and in order."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, message: object) -> None:
        """Returns once all of it has been handed to the system; HungUp where nobody is there to take it."""
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
        parts = [memoryview(head), *(buffer.raw() for buffer in buffers)]
        lengths = b"".join(_LENGTH.pack(length) for length in (len(parts), *(part.nbytes for part in parts)))
        try:
            self._connection.sendall(lengths)
            for part in parts:
                self._connection.sendall(part)
        except ConnectionError:
            raise HungUp from None

    def receive(self) -> Any:
        """The next message; HungUp when there will be none."""
        [count] = self._lengths(1)
        head, *buffers = [self._exactly(length) for length in self._lengths(count)]
        return pickle.loads(head, buffers=buffers)

    def _lengths(self, count: int) -> list[int]:
        return [length for (length,) in _LENGTH.iter_unpack(self._exactly(count * _LENGTH.size))]

    def _exactly(self, size: int) -> bytearray:
        whole = bytearray(size)
        rest = memoryview(whole)
        while rest:
            try:
                got = self._connection.recv_into(rest)
            except ConnectionError:
                got = 0
            if not got:
                raise HungUp
            rest = rest[got:]
        return whole
