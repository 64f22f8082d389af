"""Scan: does this process's own memory hold another copy of a secret?

Reads every readable range that can hold data of the program (anonymous or writable), in chunks, without copying
the secret. It sees this process only: no other process, no swap file, no GPU memory, no keys derived from it.
"""

import ctypes
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_CHUNK_BYTES = 4 << 20
_PAGE_BYTES = 4096
_MARKER_BYTES = 32


class _IoVec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryScan:
    """What a search of the process's memory found.

    `marker_found` tells whether the search found a random marker that was planted for it: without that, "no copy"
    would mean nothing. `unreadable_bytes` could not be looked at.
    """

    copies: int
    marker_found: bool
    scanned_bytes: int
    unreadable_bytes: int


def search_own_memory(secret: memoryview, *, except_at: range) -> MemoryScan:
    """Counts copies of `secret` in this process's memory outside the addresses `except_at`.

    Raises:
        OSError: the list of memory ranges cannot be read (not Linux, or /proc is not mounted).
    """
    marker = bytearray(secrets.token_bytes(_MARKER_BYTES))
    buffer = bytearray(_CHUNK_BYTES)
    anchor = (ctypes.c_char * _CHUNK_BYTES).from_buffer(buffer)
    own = range(ctypes.addressof(anchor), ctypes.addressof(anchor) + _CHUNK_BYTES)
    copies = scanned = unreadable = 0
    marker_found = False
    try:
        for start, stop in _without(_data_ranges(), own, except_at):
            overlap = len(secret) - 1  # so that a copy across two chunks is seen whole
            position = start
            while position < stop:
                wanted = min(_CHUNK_BYTES, stop - position)
                got = _read(own.start, position, wanted)
                if got <= 0:
                    unreadable += min(_PAGE_BYTES, stop - position)
                    position += _PAGE_BYTES - position % _PAGE_BYTES
                    continue
                scanned += got
                copies += _count(buffer, secret, got)
                marker_found = marker_found or buffer.find(marker, 0, got) >= 0
                at_end = position + got >= stop
                position += got if at_end or got <= overlap else got - overlap
    finally:
        ctypes.memset(own.start, 0, _CHUNK_BYTES)
    return MemoryScan(copies=copies, marker_found=marker_found, scanned_bytes=scanned, unreadable_bytes=unreadable)


def _count(buffer: bytearray, secret: memoryview, length: int) -> int:
    found, at = 0, buffer.find(secret, 0, length)
    while at >= 0:
        found += 1
        at = buffer.find(secret, at + 1, length)
    return found


def _read(to_address: int, from_address: int, length: int) -> int:
    """process_vm_readv on oneself: allowed also to a process that is not dumpable, unlike /proc/self/mem."""
    local, remote = _IoVec(to_address, length), _IoVec(from_address, length)
    libc = ctypes.CDLL(None, use_errno=True)
    libc.process_vm_readv.restype = ctypes.c_ssize_t
    return int(
        libc.process_vm_readv(
            os.getpid(),
            ctypes.byref(local),
            ctypes.c_ulong(1),
            ctypes.byref(remote),
            ctypes.c_ulong(1),
            ctypes.c_ulong(0),
        )
    )


def _data_ranges() -> Iterator[tuple[int, int]]:
    """Readable ranges of /proc/self/maps that can hold data: not program files mapped read-only, not devices."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        fields = line.split(maxsplit=5)
        name = fields[5] if len(fields) > 5 else ""
        is_file = name.startswith("/")
        if not fields[1].startswith("r") or name.startswith(("/dev/nvidia", "/dev/dri", "[vvar", "[vsyscall")):
            continue
        if is_file and "w" not in fields[1]:
            continue
        start, stop = (int(edge, 16) for edge in fields[0].split("-"))
        yield start, stop


def _without(ranges: Iterator[tuple[int, int]], *holes: range) -> Iterator[tuple[int, int]]:
    for piece in ranges:
        pieces = [piece]
        for hole in holes:
            pieces = [
                part
                for start, stop in pieces
                for part in ((start, min(stop, hole.start)), (max(start, hole.stop), stop))
                if part[0] < part[1]
            ]
        yield from pieces
