"""Key: 32 random bytes that live in one locked page, never in a Python object that cannot be overwritten.

`memfd_secret` memory cannot be read even through /proc/PID/mem; where the kernel lacks it, an anonymous page is
locked and kept out of core dumps and child processes.
"""

import ctypes
import mmap
import os
import secrets
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from deid_audit.errors import VaultError

KEY_BYTES = 32
_SYS_MEMFD_SECRET = 447
_MADV_DONTFORK, _MADV_DONTDUMP = 10, 16
_libc = ctypes.CDLL(None, use_errno=True)


class SecretKey:
    """A 256-bit key in a page of its own; `view` is the key itself, not a copy.

    Attributes:
        key_id: A random name, derived from nothing: it tells keys apart and says nothing about this one.
        storage: Where the key lives, in words for the record.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """A fresh random key, or the one that the file behind `descriptor` holds; VaultError when it holds no key."""
        self._live_in(*_secret_page())
        if descriptor is None:
            self._fill()
        else:
            self._fill_from(descriptor)

    @classmethod
    def lent_by(cls, descriptor: int) -> Self:
        """The parent's key, in a child that was given what `lent` yields: its very page, else a page of our own.

        The page is the parent's to overwrite. The descriptor is used up.

        Raises:
            VaultError: no key came through the pipe.
        """
        key = cls.__new__(cls)
        try:
            if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
                key._live_in(*_secret_page())
                if os.readv(descriptor, [key.view]) != KEY_BYTES:
                    raise VaultError("the key did not reach the process that was to use it", next_step="run again")
            else:
                page = mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED)
                _advise(page, _MADV_DONTFORK)
                key._live_in(page, "the parent's memfd_secret page", None)
        finally:
            os.close(descriptor)
        return key

    @contextmanager
    def lent(self) -> Iterator[int]:
        """A descriptor that a child may inherit, for `lent_by`: the page itself where it is memfd_secret.

        Elsewhere a pipe that holds the 32 bytes: the system's buffer of it is then one more copy, until they are read.
        """
        self.require_own_process()
        if self._descriptor is not None:
            yield self._descriptor
            return
        ours, theirs = os.pipe()
        try:
            try:
                os.write(theirs, self.view)
            finally:
                os.close(theirs)
            yield ours
        finally:
            os.close(ours)

    def _live_in(self, page: mmap.mmap, storage: str, descriptor: int | None) -> None:
        self.key_id = secrets.token_hex(8)
        self._pid = os.getpid()
        self._page, self.storage, self._descriptor = page, storage, descriptor
        self._anchor = (ctypes.c_char * mmap.PAGESIZE).from_buffer(page)
        self.address = ctypes.addressof(self._anchor)
        if descriptor is not None:
            weakref.finalize(self, os.close, descriptor)

    @property
    def view(self) -> memoryview:
        """The key's bytes in place."""
        self.require_own_process()
        return memoryview(self._page)[:KEY_BYTES]

    def require_own_process(self) -> None:
        """Raises VaultError in a forked child: the page is not inherited, so a look at it would be a crash."""
        if os.getpid() != self._pid:
            raise VaultError("the vault belongs to another process", next_step="open a vault in each process")

    @property
    def pages(self) -> range:
        """The addresses of the key's own page."""
        return range(self.address, self.address + mmap.PAGESIZE)

    def overwrite(self) -> None:
        """Sets the whole page to zero, in place; may be repeated."""
        ctypes.memset(self.address, 0, mmap.PAGESIZE)

    def reads_zero(self) -> bool:
        """Whether every byte of the page reads zero now."""
        return not any(memoryview(self._page))

    def _fill(self) -> None:
        """`getrandom` writes straight into the page: no copy of the key is ever made."""
        filled = _libc.getrandom(ctypes.c_void_p(self.address), ctypes.c_size_t(KEY_BYTES), 0)
        if filled != KEY_BYTES or not any(self.view):
            raise VaultError("the system gave no random key", next_step="check that getrandom works on this machine")

    def _fill_from(self, descriptor: int) -> None:
        """The system reads straight into the page; a file with more or fewer bytes holds no key."""
        if os.fstat(descriptor).st_size != KEY_BYTES or os.readv(descriptor, [self.view]) != KEY_BYTES:
            raise VaultError(f"the key file does not hold {KEY_BYTES} bytes", next_step="give the right key file")


def _secret_page() -> tuple[mmap.mmap, str, int | None]:
    """The page, where that is in words, and the descriptor by which a child can map the very same page."""
    descriptor = _libc.syscall(_SYS_MEMFD_SECRET, os.O_CLOEXEC)
    if descriptor >= 0:
        try:
            os.ftruncate(descriptor, mmap.PAGESIZE)
            page = mmap.mmap(descriptor, mmap.PAGESIZE, mmap.MAP_SHARED)
        except OSError:
            os.close(descriptor)
        else:
            _advise(page, _MADV_DONTFORK)
            return page, "one memfd_secret page: locked, in no core dump, unreadable to other processes", descriptor
    page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    apart = _advise(page, _MADV_DONTDUMP) and _advise(page, _MADV_DONTFORK)
    words = "out of core dumps and child processes" if apart else "not kept out of core dumps"
    return page, f"one anonymous page, {'locked' if _lock(page) else 'NOT locked: it may be swapped'}, {words}", None


def _advise(page: mmap.mmap, advice: int) -> bool:
    try:
        page.madvise(advice)
    except OSError:
        return False
    return True


def _lock(page: mmap.mmap) -> bool:
    anchor = (ctypes.c_char * mmap.PAGESIZE).from_buffer(page)
    return bool(_libc.mlock(ctypes.c_void_p(ctypes.addressof(anchor)), ctypes.c_size_t(mmap.PAGESIZE)) == 0)
