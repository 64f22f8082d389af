"""What is held of a long video, kept apart from pictures that come and go: in pages of its own, or in few heaps.

A small piece that stays, on the heap between large ones that go, leaves holes that nothing fits into.
"""

import ctypes
import mmap
import threading

import numpy as np
from numpy.typing import NDArray

_M_ARENA_MAX = -8  # of glibc's malloc.h
_BLOCK, _ALIGNED = 1 << 20, 16


def few_heaps() -> None:
    """Lets all threads of the process share two heaps; glibc gives every thread one, which keeps the most it ever held.

    Does nothing where the C library has no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)


class Pages:
    """Hands out small pieces of blocks of zeros; a block is given back once all its pieces are gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._block: NDArray[np.uint8] = np.empty(0, np.uint8)
        self._used = 0

    def take(self, size: int) -> NDArray[np.uint8]:
        """So many bytes, at most 1 MB, that nobody else has; aligned for numbers."""
        with self._lock:
            if self._used + size > len(self._block):
                self._block, self._used = np.frombuffer(mmap.mmap(-1, _BLOCK), np.uint8), 0
            piece = self._block[self._used : self._used + size]
            self._used += -(-size // _ALIGNED) * _ALIGNED
            return piece
