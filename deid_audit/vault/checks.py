"""Checks: what is tried after (and just before) the end of a vault, and how it came out.

Each check returns an ErasureCheck, whatever happens: a check that could not be made does not hold. No check's
words carry a path or a file's name.
"""

import os
import stat
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

from deid_audit.findings import ErasureCheck
from deid_audit.vault.cipher import opens
from deid_audit.vault.key import SecretKey
from deid_audit.vault.scan import search_own_memory

_BLOCK = bytes(1 << 20)
Heads = Sequence[tuple[bytes, bytes]]
"""For each encrypted file its first ciphertext bytes and the context they were made under."""


class Check(StrEnum):
    """What is checked, in the words of the record."""

    WIPED = "every artefact in memory was wiped without an error"
    NO_KEY_COPY = "no copy of the key was found in this process's memory before it was overwritten"
    KEY_ZERO = "the memory that held the key reads zero"
    FILES_GONE = "every encrypted file is gone and cannot be opened again"
    HEADS_REFUSED = "the first bytes kept of each encrypted file are refused with what is left of the key"
    NO_DESCRIPTOR = "no descriptor or memory map of this process points into the vault's folder"
    NO_UNKNOWN_FILE = "the vault's folder held no file that the vault did not write"
    FOLDER_GONE = "the vault's folder is gone"


def run_wipes(wipes: Sequence[Callable[[], None]]) -> ErasureCheck:
    """Calls every wipe, also after one failed."""
    failures = []
    for wipe in wipes:
        try:
            wipe()
        except Exception as error:
            failures.append(type(error).__name__)
    observed = f"{len(wipes) - len(failures)} of {len(wipes)} wipes returned"
    return _result(Check.WIPED, not failures, observed + (f"; raised: {', '.join(failures)}" if failures else ""))


def count_opened(heads: Heads, key: SecretKey) -> int:
    """How many of the kept heads the live key is accepted for: without this, a later refusal would mean nothing."""
    return sum(opens(head, key.view, context) for head, context in heads)


def no_key_copies(key: SecretKey) -> ErasureCheck:
    """Searches this process's memory for the live key, and for a marker that proves the search can find."""
    try:
        scan = search_own_memory(key.view, except_at=key.pages)
    except OSError:
        return _result(Check.NO_KEY_COPY, False, "this process's memory could not be searched on this system")
    found = "found" if scan.marker_found else "NOT found, so the search proves nothing"
    return _result(
        Check.NO_KEY_COPY,
        scan.copies == 0 and scan.marker_found,
        f"{scan.copies} copies in {scan.scanned_bytes} bytes searched ({scan.unreadable_bytes} bytes could not be "
        f"read); a marker planted for the search was {found}",
    )


def key_reads_zero(key: SecretKey) -> ErasureCheck:
    zero = key.reads_zero()
    return _result(Check.KEY_ZERO, zero, "every byte reads zero" if zero else "bytes other than zero are left")


def files_gone(paths: Sequence[Path]) -> ErasureCheck:
    left = sum(_can_be_opened(path) for path in paths)
    return _result(Check.FILES_GONE, left == 0, f"{left} of {len(paths)} could still be opened")


def heads_refused(heads: Heads, opened_before: int, key: SecretKey) -> ErasureCheck:
    opened_now = count_opened(heads, key)
    return _result(
        Check.HEADS_REFUSED,
        opened_now == 0 and opened_before == len(heads),
        f"{opened_before} of {len(heads)} were accepted before the key was overwritten, {opened_now} after",
    )


def no_descriptors(folder: Path) -> ErasureCheck:
    """Also sees files that are unlinked but still open, and files mapped into memory and then closed."""
    return none_held(f"{folder.resolve()}{os.sep}")


def none_held(*places: str) -> ErasureCheck:
    """The same for every path that begins with one of `places`."""
    try:
        targets = [_target(link) for link in Path("/proc/self/fd").iterdir()]
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return _result(Check.NO_DESCRIPTOR, False, "this process's descriptors could not be listed on this system")
    held = sum(target.startswith(places) for target in targets)
    mapped = sum(any(place in line for place in places) for line in lines)
    return _result(Check.NO_DESCRIPTOR, held + mapped == 0, f"{held} descriptors and {mapped} memory maps")


def no_unknown_files(folder: Path, known: set[Path]) -> ErasureCheck:
    """Counts what is in the folder beside the vault's own files, and overwrites and unlinks it."""
    unknown = [
        path for path in folder.rglob("*") if path not in known and not (path.is_dir() and not path.is_symlink())
    ]
    for path in unknown:
        overwrite_and_unlink(path)
    left = sum(os.path.lexists(path) for path in unknown)
    words = f"{len(unknown)} unknown files"
    return _result(
        Check.NO_UNKNOWN_FILE,
        not unknown,
        words if not unknown else f"{words}; {len(unknown) - left} of them were overwritten once and unlinked",
    )


def folder_gone(folder: Path) -> ErasureCheck:
    gone = not os.path.lexists(folder)
    return _result(Check.FOLDER_GONE, gone, "removed" if gone else "still there")


def _result(check: Check, holds: bool, observed: str) -> ErasureCheck:
    return ErasureCheck(check=check.value, holds=holds, observed=observed)


def _can_be_opened(path: Path) -> bool:
    """Fails closed: anything but "it does not exist" counts as still there."""
    try:
        with path.open("rb"):
            return True
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # the descriptor of the listing itself is gone by now
        return ""


def overwrite_and_unlink(path: Path) -> bool:
    """One pass of zeros over a regular file; links and special files are only unlinked, never followed.

    True when there was a regular file, and both were done.
    """
    try:
        status = path.lstat()
        if regular := stat.S_ISREG(status.st_mode):
            descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                for start in range(0, status.st_size, len(_BLOCK)):
                    os.write(descriptor, _BLOCK[: status.st_size - start])
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        path.unlink()
    except OSError:
        return False
    return regular
