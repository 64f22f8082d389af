"""Digests of files and bytes: sha256 for what leaves, a keyed HMAC for what stays.

A plain hash of an original would let anyone who holds that original link it to the release; so originals are
named by an HMAC under a key that stays with the steward.
"""

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

_CHUNK_BYTES = 1 << 20


def sha256_bytes(data: bytes) -> str:
    """Hex SHA-256 of `data` (FIPS 180-4).

    >>> sha256_bytes(b"abc")[:16]
    'ba7816bf8f01cfea'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes, read in blocks; raises OSError as `open` does."""
    with path.open("rb") as stream:
        return sha256_stream(stream)


def sha256_stream(stream: BinaryIO) -> str:
    """Hex SHA-256 of what is left to read of a stream, read in blocks."""
    digest = hashlib.sha256()
    while block := stream.read(_CHUNK_BYTES):
        digest.update(block)
    return digest.hexdigest()


def sha256_lines(lines: Iterable[str]) -> str:
    """Hex SHA-256 of a text in UTF-8 that comes line by line, as `sha256_bytes` gives it of the whole.

    >>> sha256_lines(["a", "bc"]) == sha256_bytes(b"abc")
    True
    """
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode())
    return digest.hexdigest()


def keyed_digest_streams(streams: Iterable[BinaryIO], key: bytes) -> str:
    """Hex HMAC-SHA-256 (RFC 2104) of what is left to read of these streams, one after the other, in blocks."""
    digest = hmac.new(key, digestmod=hashlib.sha256)
    for stream in streams:
        while block := stream.read(_CHUNK_BYTES):
            digest.update(block)
    return digest.hexdigest()
