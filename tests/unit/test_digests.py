"""Digests: the published vectors, and files read as their bytes."""

import io
from pathlib import Path

from deid_audit.digests import keyed_digest_streams, sha256_bytes, sha256_file


def test_sha256_of_the_fips_180_example(tmp_path: Path) -> None:
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert sha256_bytes(b"abc") == sha256_file(path) == expected


def test_a_file_longer_than_one_block_is_read_whole(tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000
    path = tmp_path / "long"
    path.write_bytes(data)
    assert sha256_file(path) == sha256_bytes(data)
    path.write_bytes(data[:-1] + b"x")
    assert sha256_file(path) != sha256_bytes(data)


def test_hmac_of_rfc_4231_test_case_2() -> None:
    expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    pieces = [b"what do ya want ", b"for nothing?"]
    assert keyed_digest_streams(map(io.BytesIO, pieces), b"Jefe") == expected
    assert keyed_digest_streams(map(io.BytesIO, pieces), b"jefe") != expected
