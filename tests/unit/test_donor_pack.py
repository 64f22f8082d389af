"""The pack's file: what goes in comes out, and nothing that does not hold is read."""

import io
import json
import pickle
import random
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deid_audit.certificate.tables import video_rows
from deid_audit.digests import sha256_bytes, sha256_file
from deid_audit.errors import PackError, SettingsError, StageError
from deid_audit.faces.choose import shared_neutral
from deid_audit.pipeline import preparing
from deid_audit.pipeline.donor_pack import is_pack, read_pack
from deid_audit.pipeline.donors import PackedDonor, pack_facts, read_packs
from deid_audit.pipeline.issuing import not_assessed
from deid_audit.pipeline.staging import staged_file
from deid_audit.pipeline.training import donor_prior
from deid_audit.progress import SilentProgress
from deid_audit.settings import make_prepare_settings, make_settings
from deid_audit.swap.augment import face_set
from deid_audit.swap.reuse import shapes_of
from tests.fakes import make_case
from tests.unit.donor_packs import FACES, SIZE, material, pack_at, rewritten


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packs") / "d.pack"
    pack_at(path)
    return path


@pytest.fixture
def pack(whole: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    path = tmp_path / "d.pack"
    path.write_bytes(whole.read_bytes())
    return path


def test_what_goes_in_comes_out(whole: Path) -> None:
    before, read = material(), read_pack(whole)
    assert read.sha256 == sha256_file(whole) and read.manifest.licence == "CC0"
    np.testing.assert_array_equal(read.material.features, before.features)
    np.testing.assert_array_equal(read.material.descriptors, before.descriptors)
    assert read.around.shape == (9, 128) and read.average.shape == (128,)
    # what training sees is the same to the last bit, and so is what the swap begins from
    neutral = shared_neutral(before.features, before.features)
    priors = [donor_prior(one.portraits, one.crops, neutral, SIZE) for one in (before, read.material)]
    for mine, other in zip(*(prior.arrays() for prior in priors), strict=True):
        np.testing.assert_array_equal(mine, other)
    trained_on = [
        face_set(one.crops, one.attention, prior, "cpu").planes.numpy()
        for one, prior in zip((before, read.material), priors, strict=True)
    ]
    np.testing.assert_array_equal(*trained_on)


def test_the_same_content_makes_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    pack_at(tmp_path / "again.pack")
    assert (tmp_path / "again.pack").read_bytes() == whole.read_bytes()


def test_a_person_can_look_inside_with_what_every_machine_has(whole: Path) -> None:
    with zipfile.ZipFile(whole) as opened:
        manifest = json.loads(opened.read("manifest.json"))
        assert set(opened.namelist()) == {"manifest.json", *manifest["parts"]}
        for name, part in manifest["parts"].items():
            assert sha256_bytes(opened.read(name)) == part["sha256"]
        crops = np.load(io.BytesIO(opened.read("faces/crops.npy")), allow_pickle=False)
    assert crops.shape[0] == manifest["faces"] == FACES


def test_a_full_disk_leaves_no_half_a_pack(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with (
            pytest.raises(StageError, match="File too large"),
            staged_file(tmp_path / "d.pack", force=False) as under_way,
        ):
            pack_at(under_way.path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []


def test_two_prepares_with_one_seed_and_steps_give_the_same_weights() -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    made = []
    for seed in (3, 3, 4):
        asked = make_prepare_settings(videos=(Path("d.mp4"),), out=Path("d.pack"), iterations=2, seed=seed)
        made.append(preparing._pretrain("micro64", material(), asked, "cpu", SilentProgress()).weights)
    torch.set_num_threads(threads)
    first, again, other = made
    assert set(first) == set(shapes_of("micro64"))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["encoder.stages.0.weight"], other["encoder.stages.0.weight"])


def _npy(array: Any, *, allow_pickle: bool = False) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=allow_pickle)
    return stream.getvalue()


def _with_header(text: bytes) -> bytes:
    """An array's file that begins as numpy's do, with this header."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def _restate(name: str, data: bytes) -> Callable[[dict[str, Any]], object]:
    """The manifest made to agree with other bytes: what a forger would do."""
    part = {"sha256": sha256_bytes(data), "size_bytes": len(data)}
    return lambda said: said["parts"].update({name: part})


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the pack was unpickled",))


AVERAGE = "faces/average.npy"
FORGED = {
    "a pickle": pickle.dumps(_Evil()),
    "an array of objects": _npy(np.array([_Evil()], dtype=object), allow_pickle=True),
    "another shape": _npy(np.zeros(127, np.float32)),
    "another type": _npy(np.zeros(128, np.float64)),
    "what is no number": _npy(np.full(128, np.nan, np.float32)),
    "a header that is no Python": _with_header(b"{'descr': (\n"),
    "a header that cannot be a dictionary": _with_header(b"{[]: 1}\n"),
    "fewer bytes than stated": _npy(np.zeros(128, np.float32))[:-4],
}


@pytest.mark.parametrize("case", FORGED)
def test_a_part_that_is_not_what_a_run_needs_is_refused(pack: Path, case: str) -> None:
    rewritten(pack, manifest=_restate(AVERAGE, FORGED[case]), parts={AVERAGE: FORGED[case]})
    with pytest.raises(PackError, match="damaged") as caught:
        read_pack(pack)
    assert caught.value.exit_code == 1 and caught.value.next_step


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"parts": {AVERAGE: _npy(np.zeros(128, np.float32))}}, "average.npy has not the sha256"),
        ({"parts": {AVERAGE: b"short"}}, "average.npy has not the size"),
        ({"parts": {AVERAGE: None}}, "parts are not those"),
        ({"parts": {"subject.npy": b"somebody"}}, "parts are not those"),
        ({"parts": {"manifest.json": b"{"}}, "cut off or changed"),
        ({"parts": {"manifest.json": b"[]"}}, "is no donor's pack"),
        ({"parts": {"manifest.json": None}}, "has no manifest"),
        ({"manifest": lambda said: said.update(pack_version=1)}, "has version 1, expected 2"),
        ({"manifest": lambda said: said.update(preset="giant512")}, "preset that this version does not know"),
        ({"manifest": lambda said: said.update(preset="lite64")}, "has not the shape"),
        ({"manifest": lambda said: said.update(faces=39)}, "parts that a run needs"),
        ({"manifest": lambda said: said.update(note="more")}, "manifest does not hold at note"),
        ({"manifest": lambda said: said.update(consent="x" * 501)}, "manifest does not hold at consent"),
        ({"manifest": lambda said: said.update(licence="one\ntwo")}, "manifest does not hold at licence"),
        ({"manifest": lambda said: said.update(pack_version="\x1b[31m")}, "has version unknown, expected 2"),
        ({"manifest": lambda said: said.pop("seed")}, "manifest does not hold at seed"),
    ],
)
def test_a_pack_that_does_not_hold_is_refused(pack: Path, spoil: dict[str, Any], said: str) -> None:
    rewritten(pack, **spoil)
    with pytest.raises(PackError, match=said):
        read_pack(pack)


def test_a_pack_cut_off_anywhere_or_with_a_changed_byte_in_a_part_is_refused(pack: Path) -> None:
    data, chance = pack.read_bytes(), random.Random(1)
    with zipfile.ZipFile(pack) as opened:
        starts = [entry.header_offset + 30 + len(entry.filename) + 128 for entry in opened.infolist()]
    for length in (2, 30, *(chance.randrange(len(data)) for _ in range(5)), len(data) - 1):
        pack.write_bytes(data[:length])
        with pytest.raises(PackError):
            read_pack(pack)
    for place in chance.sample(starts, 6):
        pack.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        with pytest.raises(PackError):
            read_pack(pack)


def test_a_compressed_part_is_refused(pack: Path) -> None:
    """Its size would be bounded by nothing."""
    with zipfile.ZipFile(pack) as opened:
        content = {name: opened.read(name) for name in opened.namelist()}
    with zipfile.ZipFile(pack, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, data in content.items():
            opened.writestr(name, data)
    with pytest.raises(PackError, match="damaged"):
        read_pack(pack)


def test_a_pack_with_few_faces_is_refused(tmp_path: Path) -> None:
    pack_at(tmp_path / "few.pack", faces=FACES - 1)
    with pytest.raises(PackError, match="parts that a run needs"):
        read_pack(tmp_path / "few.pack")


@pytest.mark.parametrize(
    ("part", "array", "said"),
    [
        ("portraits/masks.npy", np.zeros((2, 320, 320), np.uint8), "portraits do not belong together"),
        ("portraits/features.npy", np.zeros((4, 956), np.float32), "portraits do not belong together"),
        ("portraits/crops.npy", np.zeros((3, 300, 300, 3), np.uint8), "has not the shape"),
        ("portraits/features.npy", np.full((3, 956), np.inf, np.float32), "holds what is no number"),
        ("portraits/features.npy", None, "parts that a run needs"),
    ],
)
def test_portraits_that_a_run_cannot_use_are_refused(pack: Path, part: str, array: Any, said: str) -> None:
    if array is None:
        rewritten(pack, manifest=lambda manifest: manifest["parts"].pop(part), parts={part: None})
    else:
        rewritten(pack, manifest=_restate(part, _npy(array)), parts={part: _npy(array)})
    with pytest.raises(PackError, match=said):
        read_pack(pack)


def test_a_pack_without_any_portrait_is_refused(pack: Path) -> None:
    empty = {
        "portraits/crops.npy": _npy(np.zeros((0, 320, 320, 3), np.uint8)),
        "portraits/masks.npy": _npy(np.zeros((0, 320, 320), np.uint8)),
        "portraits/features.npy": _npy(np.zeros((0, 956), np.float32)),
    }
    restate = [_restate(name, data) for name, data in empty.items()]
    rewritten(pack, manifest=lambda manifest: [one(manifest) for one in restate], parts=empty)
    with pytest.raises(PackError, match="portraits do not belong together"):
        read_pack(pack)


def test_a_pack_of_which_nothing_was_said_says_so(whole: Path) -> None:
    facts = pack_facts(read_pack(whole), None)
    assert (facts["licence"], facts["consent"], facts["pack_sha256"]) == ("CC0", "not stated", sha256_file(whole))


def test_a_certificate_names_what_a_pack_leaves_open_and_only_then() -> None:
    with_pack = set(not_assessed("swap", from_pack=True)) - set(not_assessed("swap"))
    assert len(with_pack) == 3
    for word in ("linked", "pseudonym", "recover", "licence"):
        assert any(word in line for line in with_pack)


def test_a_packed_video_is_said_to_be_in_the_pack_under_a_label_of_our_own(whole: Path) -> None:
    donors = PackedDonor(pack=read_pack(whole)).facts
    assert [facts.label for facts in donors] == ["donor video 1"]
    rows = video_rows(make_case(donors=donors))
    assert [row[-1] for row in rows if row[0] == "donor video 1"] == ["in the donor's pack"]
    assert [row[-1] for row in rows].count("in the list of files") == len(rows) - 1 - len(make_case().originals)


def _asked(*donors: Path, preset: str = "auto") -> Any:
    return make_settings(
        subjects=(Path("s.mp4"),), donors=donors, policy="release", out=Path("out"), case_id="c", preset=preset
    )


def test_a_pack_is_told_from_a_video_by_its_first_bytes(whole: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.pack"
    film.write_bytes(b"\x00\x00\x00\x20ftypisom")
    assert is_pack(whole) and not is_pack(film) and not is_pack(tmp_path / "none")
    with pytest.raises(PackError, match="a donor's pack is at a URL"):  # not taken for a film
        is_pack(Path("s3://bucket/donor.pack"))
    assert not is_pack(Path("s3://bucket/donor.mp4"))
    assert read_packs(_asked(film)) == []
    with pytest.raises(SettingsError, match="a donor's pack and a video"):
        read_packs(_asked(whole, film))


def test_another_preset_than_the_packs_is_refused(whole: Path) -> None:
    assert len(read_packs(_asked(whole, preset="micro64"))) == 1
    with pytest.raises(SettingsError, match="preset micro64, but --preset asks for hq128") as caught:
        read_packs(_asked(whole, preset="hq128"))
    assert caught.value.exit_code == 2 and caught.value.next_step


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"out": Path("d.mp4")}, "--out must end in .pack"),
        ({"licence": ""}, "--licence"),
        ({"consent": "two\nlines"}, "--consent"),
        ({"consent": "x" * 501}, "--consent"),
        ({"videos": ()}, "--videos"),
        ({"iterations": 1, "train_seconds": 1.0}, "exclude each other"),
    ],
)
def test_options_of_prepare_that_cannot_be_used(change: dict[str, Any], option: str) -> None:
    good: dict[str, Any] = {"videos": (Path("d.mp4"),), "out": Path("d.pack"), "licence": "CC0", "consent": "yes"}
    assert make_prepare_settings(**good).licence == "CC0"
    with pytest.raises(SettingsError, match=option):
        make_prepare_settings(**good | change)
