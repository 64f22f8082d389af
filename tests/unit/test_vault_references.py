"""Kept references: what goes in comes out, and nothing but the right passphrase and the whole file opens them."""

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from deid_audit.errors import SettingsError, VaultError
from deid_audit.vault import references
from deid_audit.vault.references import (
    NOT_SHOWN,
    References,
    ReferencesFile,
    ReferencesHead,
    VideoReferences,
    VideoShape,
    read_references,
    with_references,
)
from tests.fakes import make_erasure
from tests.unit.vault_building import files_in

PASSPHRASE = b"five words nobody would guess"
STATEMENT = "ab" * 32
FRAMES, REGIONS, DONOR = (40, 3), (45, 0), 300


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many guesses a second as a test needs; one test below looks at the real number."""
    monkeypatch.setattr(references, "_SCRYPT_LOG_N", 4)


def a_video(frames: int, regions: int) -> VideoReferences:
    dice = np.random.default_rng(frames)
    original = dice.normal(size=(frames, 128)).astype(np.float32)
    original[0] = np.nan
    return VideoReferences(
        original=original,
        turns=np.full(frames, -90, np.int16),
        boxes=dice.uniform(size=(regions, 4)),
        frame_of=np.arange(regions, dtype=np.int32) % frames,
        states=np.ones((regions, 3), np.uint8),
    )


def what() -> tuple[ReferencesHead, np.ndarray, list[VideoReferences]]:
    videos = [a_video(frames, regions) for frames, regions in zip(FRAMES, REGIONS, strict=True)]
    head = ReferencesHead(
        case_id="c1", tool_version="0.1.0", models={"a": "00"}, thorough=False, thresholds={"match cut": 0.6},
        donor_rows=DONOR, videos=tuple(video.shape for video in videos),
    )  # fmt: skip
    return head, np.random.default_rng(9).normal(size=(DONOR, 128)).astype(np.float32), videos


def kept(path: Path, passphrase: bytes = PASSPHRASE) -> Path:
    head, donor, videos = what()
    with ReferencesFile(path, path.with_name("out"), passphrase) as file:
        file.seal(head, donor, videos)
        for rows in (donor, *(video.original for video in videos)):
            rows.fill(0)  # as the vault does before there is a statement
        assert files_in(path.parent) == []
        file.write(STATEMENT)
        assert not path.exists()
        file.publish()
    return path


def arrays(found: References) -> list[np.ndarray]:
    return [found.donor, *(array for video in found.videos for array in video.arrays())]


def test_what_is_kept_comes_back_and_the_file_shows_nothing_of_it(tmp_path: Path) -> None:
    path = kept(tmp_path / "refs")
    assert files_in(tmp_path) == [path] and path.stat().st_mode & 0o777 == 0o600
    head, donor, videos = what()
    found = read_references(path, PASSPHRASE)
    assert (found.head, found.statement_sha256) == (head, STATEMENT)
    expected = arrays(References(head=head, donor=donor, videos=tuple(videos), statement_sha256=STATEMENT))
    for one, other in zip(arrays(found), expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert one.dtype == other.dtype
    data = path.read_bytes()
    assert b"c1" not in data[48:200] and b"match cut" not in data
    assert donor[0].tobytes() not in data and bytes.fromhex(STATEMENT) not in data
    found.wipe()
    assert not found.donor.any() and not any(video.original.any() for video in found.videos)


def test_two_files_of_one_passphrase_have_two_keys(tmp_path: Path) -> None:
    one, other = (kept(tmp_path / name / "refs") for name in ("a", "b") if not (tmp_path / name).mkdir())
    assert one.read_bytes()[16:] != other.read_bytes()[16:]
    mixed = one.read_bytes()[:48] + other.read_bytes()[48:]
    one.write_bytes(mixed)
    with pytest.raises(VaultError, match="passphrase is not theirs"):
        read_references(one, PASSPHRASE)


@pytest.mark.parametrize("passphrase", [PASSPHRASE[:-1], PASSPHRASE + b" ", b"x"])
def test_another_passphrase_is_refused(tmp_path: Path, passphrase: bytes) -> None:
    with pytest.raises(VaultError, match="passphrase is not theirs"):
        read_references(kept(tmp_path / "refs"), passphrase)


@pytest.mark.parametrize("seed", range(30))
def test_a_flipped_bit_anywhere_is_refused(tmp_path: Path, seed: int) -> None:
    path = kept(tmp_path / "refs")
    data = bytearray(path.read_bytes())
    # the first ten in the header and what follows it, the rest anywhere
    at = random.Random(seed).randrange(104 * 8 if seed < 10 else len(data) * 8)
    data[at // 8] ^= 1 << at % 8
    path.write_bytes(data)
    with pytest.raises(VaultError, match=r"refused|no file of references"):
        read_references(path, PASSPHRASE)


@pytest.mark.parametrize(
    "cut",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data[:48],
        lambda data: data[:20],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: b"X" + data,
    ],
)
def test_a_file_that_was_cut_or_grew_is_refused(tmp_path: Path, cut: Callable[[bytes], bytes]) -> None:
    path = kept(tmp_path / "refs")
    path.write_bytes(cut(path.read_bytes()))
    with pytest.raises(VaultError, match=r"refused|no file of references"):
        read_references(path, PASSPHRASE)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="cannot be read"):
        read_references(tmp_path / "none", PASSPHRASE)
    with pytest.raises(VaultError, match="not a file"):
        read_references(tmp_path, PASSPHRASE)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda plain: plain + b"\0", "length"),
        (lambda plain: plain[:-40], "length or cut"),
        (lambda plain: struct.pack("<I", 1 << 30) + plain[4:], "head"),
        (lambda plain: plain[:4] + b"X" + plain[5:], "json"),
        (lambda plain: plain.replace(b'"donor_rows":300', b'"donor_rows":-12'), "rows"),
        (lambda plain: plain.replace(b'"case_id"', b'"case_ID"'), "an unknown key"),
    ],
)
def test_what_is_authentic_and_of_no_known_form_is_refused(
    tmp_path: Path, change: Callable[[bytes], bytes], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody with the passphrase wrote something else."""
    real = references.decrypt_file

    def other(*arguments: object, **named: object) -> object:
        plain = real(*arguments, **named)  # type: ignore[arg-type]
        changed = change(plain.getvalue())
        assert changed != plain.getvalue(), why
        return type(plain)(changed)

    path = kept(tmp_path / "refs")
    monkeypatch.setattr(references, "decrypt_file", other)
    with pytest.raises(VaultError, match="form that is not known"):
        read_references(path, PASSPHRASE)


def test_a_region_of_no_frame_is_refused(tmp_path: Path) -> None:
    head, donor, [first, second] = what()
    first = replace(first, frame_of=np.full(45, 40, np.int32))
    with ReferencesFile(tmp_path / "refs", tmp_path / "out", PASSPHRASE) as file:
        file.seal(head, donor, [first, second])
        file.write(STATEMENT)
        file.publish()
    with pytest.raises(VaultError, match="form that is not known"):
        read_references(tmp_path / "refs", PASSPHRASE)


def test_arrays_that_are_not_what_the_head_says_are_not_sealed(tmp_path: Path) -> None:
    head, donor, videos = what()
    with ReferencesFile(tmp_path / "refs", tmp_path / "out", PASSPHRASE) as file:
        with pytest.raises(ValueError, match="the head says"):
            file.seal(head, donor[:-1], videos)
        with pytest.raises(ValueError, match="the head says"):
            file.seal(head.model_copy(update={"videos": (VideoShape(frames=41, regions=45),) * 2}), donor, videos)


@pytest.mark.parametrize(
    "place", ["out/refs", "out/audit/refs", "out.partial/refs", "out", "out.checkpoint", "link/refs"]
)
def test_a_place_in_the_output_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "out" / "audit").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(SettingsError, match="may not lie in the output folder"):
        ReferencesFile(tmp_path / place, tmp_path / "out", PASSPHRASE)


def test_what_is_there_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "refs"
    for taken in (path, tmp_path / "refs.new"):
        taken.write_bytes(b"mine")
        with pytest.raises(SettingsError, match="exists already"):
            ReferencesFile(path, tmp_path / "out", PASSPHRASE)
        assert taken.read_bytes() == b"mine"
        taken.unlink()
    with ReferencesFile(path, tmp_path / "out", PASSPHRASE) as file:
        file.seal(*what())
        file.write(STATEMENT)
        path.write_bytes(b"somebody's")  # it came while the job ran
        with pytest.raises(SettingsError, match="exists already"):
            file.publish()
    assert path.read_bytes() == b"somebody's" and files_in(tmp_path) == [path]


def test_a_place_that_cannot_be_written_and_an_empty_passphrase_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not there"):
        ReferencesFile(tmp_path / "none" / "refs", tmp_path / "out", PASSPHRASE)
    with pytest.raises(SettingsError, match="passphrase of the references is empty"):
        ReferencesFile(tmp_path / "refs", tmp_path / "out", b"")


def test_every_way_out_but_publish_leaves_no_file_and_no_key(tmp_path: Path) -> None:
    for steps in (0, 1, 2):
        with pytest.raises(KeyboardInterrupt), ReferencesFile(tmp_path / "refs", tmp_path / "out", PASSPHRASE) as file:
            if steps > 0:
                file.seal(*what())
            if steps > 1:
                file.write(STATEMENT)
                assert [path.name for path in files_in(tmp_path)] == ["refs.new"]
            raise KeyboardInterrupt
        assert files_in(tmp_path) == [] and file._key.reads_zero()


def test_full_storage_is_one_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(references.os, "fsync", full)
    with ReferencesFile(tmp_path / "refs", tmp_path / "out", PASSPHRASE) as file:
        file.seal(*what())
        with pytest.raises(VaultError, match="No space left"):
            file.write(STATEMENT)
    assert files_in(tmp_path) == []


def test_nothing_is_written_that_was_not_sealed(tmp_path: Path) -> None:
    with ReferencesFile(tmp_path / "refs", tmp_path / "out", PASSPHRASE) as file, pytest.raises(VaultError):
        file.write(STATEMENT)


def test_the_key_is_made_as_dear_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    seen: list[dict[str, object]] = []

    def noted(**asked: object) -> Scrypt:
        seen.append(asked)
        return Scrypt(**asked | {"n": 16})  # type: ignore[arg-type]

    monkeypatch.setattr(references, "Scrypt", noted)
    path = kept(tmp_path / "refs")
    assert [(one["n"], one["r"], one["p"], one["length"]) for one in seen] == [(1 << 17, 8, 1, 32)]
    assert len(path.read_bytes()[16:48]) == len(seen[0]["salt"]) == 32  # type: ignore[arg-type]
    read_references(path, PASSPHRASE)
    assert seen[1] == seen[0]


def test_the_record_says_what_was_kept() -> None:
    before = make_erasure()
    after = with_references(before)
    assert after.references_kept and not before.references_kept
    assert after.not_shown == before.not_shown + NOT_SHOWN and "biometric templates" in NOT_SHOWN[0]
    assert after.complete == before.complete
