"""`donor prepare` and a run with its pack, at half size and with a few steps: enough for every stage to do its work."""

import io
import json
import signal
import zipfile
from pathlib import Path

import numpy as np
import pytest

from deid_audit.digests import sha256_file
from tests.e2e.warm import Done, WarmCommand, arguments, assert_one_message
from tests.schemas import document_in
from tests.unit.media_keys import marked_with, read_mark

pytestmark = pytest.mark.e2e
LICENCE, CONSENT = "public domain (NASA)", "agreed to be shown"


@pytest.fixture(scope="module")
def prepared(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Done]:
    """Prepared before the subject is seen by anything."""
    pack = tmp_path_factory.mktemp("packs") / "d.pack"
    words = ("--licence", LICENCE, "--consent", CONSENT, "--iterations", 2, "--json")
    return pack, warm.run("donor", "prepare", clips[1], "--out", pack, *words)


def parts_of(pack: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(pack) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_pack_says_what_it_is_and_holds_the_donor_only(
    prepared: tuple[Path, Done], clips: tuple[Path, Path], warm: WarmCommand
) -> None:
    pack, done = prepared
    assert done.status == 0, done.stderr
    said = document_in(done.stdout)
    assert (said["sha256"], said["videos"]) == (sha256_file(pack), [sha256_file(clips[1])])
    assert (said["licence"], said["consent"], said["steps"]) == (LICENCE, CONSENT, 2)
    assert [path.name for path in pack.parent.iterdir()] == ["d.pack"]
    parts = parts_of(pack)
    of_faces = {"crops", "masks", "attention", "features", "descriptors", "average", "around"}
    assert {name for name in parts if name.startswith("faces/")} == {f"faces/{name}.npy" for name in of_faces}
    large = {f"portraits/{name}.npy" for name in ("crops", "masks", "features")}
    assert {name for name in parts if name.startswith("portraits/")} == large
    others = [name for name in parts if not name.startswith(("faces/", "portraits/")) and name != "manifest.json"]
    assert all(name.startswith(("weights/encoder.", "weights/decoders.donor.")) for name in others)
    assert not [name for name in parts if "subject" in name or ".fold." in name or ".unfold." in name]
    assert "subject" not in parts["manifest.json"].decode()


@pytest.mark.soak
def test_the_same_seed_and_steps_give_the_same_pack(
    prepared: tuple[Path, Done], clips: tuple[Path, Path], warm: WarmCommand, tmp_path: Path
) -> None:
    """Bit for bit, but for the time it was made and took; another seed gives other weights of the same faces."""
    first = parts_of(prepared[0])
    for seed in (0, 1):
        again = tmp_path / f"{seed}.pack"
        assert warm.run("donor", "prepare", clips[1], "--out", again, "--iterations", 2, "--seed", seed).status == 0
        other = parts_of(again)
        assert set(other) == set(first)
        changed = {name.split("/")[0] for name in first if first[name] != other[name]} - {"manifest.json"}
        assert changed == ({"weights"} if seed else set())


def test_a_run_with_a_pack_needs_no_donor_video_and_says_so(
    prepared: tuple[Path, Done], clips: tuple[Path, Path], warm: WarmCommand, tmp_path: Path
) -> None:
    pack, out = prepared[0], tmp_path / "out"
    before = (sha256_file(pack), pack.stat().st_mtime_ns)
    pack.chmod(0o444)
    twin = tmp_path / "twin.pack"
    twin.write_bytes(pack.read_bytes())
    (tmp_path / "keys").mkdir()
    done = warm.run(*arguments(clips[0], pack, out, "--donor", twin, "--json", *marked_with(tmp_path / "keys")))
    assert done.status == 3, done.stderr
    assert "donor's pack 1 of 2 was taken (pack 1: identity " in done.stderr
    assert "donor video" not in done.stderr
    assert (sha256_file(pack), pack.stat().st_mtime_ns) == before
    assert [path.name for path in pack.parent.iterdir()] == ["d.pack"]
    training = document_in(done.stdout)["training"]
    assert training["preset_because"] == "the donor's pack is of it"
    case = document_in((out / "evidence.json").read_text())["predicate"]
    [stage] = [one for one in case["stages"] if one["stage"] == "donor's pack"]
    told = stage["settings"]
    assert (told["pack_sha256"], told["licence"], told["consent"]) == (before[0], LICENCE, CONSENT)
    assert told["weights_from_pack"] is True and told["chosen"].startswith("donor's pack 1 of 2 was taken")
    assert [one for one in case["not_assessed"] if "pseudonym" in one] and [v["label"] for v in case["donors"]]
    # the pair's own model is still born encrypted, and destroyed
    kinds = {one["kind"]: one["storage"] for one in case["erasure"]["artefacts"]}
    assert kinds["swap model of the subject"] == "encrypted file"
    assert case["erasure"]["checks"] and all(check["holds"] for check in case["erasure"]["checks"])
    weights = [np.load(io.BytesIO(data)) for name, data in parts_of(pack).items() if name.startswith("weights/")]
    assert all(array.any() for array in weights if array.ndim > 1)
    if case["media_mark"] is not None:  # the extra [c2pa] is there
        [video] = (out / "withheld").iterdir()
        [manifest] = read_mark(video)["manifests"].values()
        assert manifest["title"] == video.name and "ingredients" not in manifest
        assert "compositeSynthetic" in json.dumps(manifest)
        assert case["media_mark"]["digital_source_type"].endswith("/compositeSynthetic")


def test_a_damaged_pack_and_another_preset_are_refused_before_any_work(
    prepared: tuple[Path, Done], clips: tuple[Path, Path], warm: WarmCommand, tmp_path: Path
) -> None:
    broken, out = tmp_path / "in" / "d.pack", tmp_path / "out"
    broken.parent.mkdir()
    broken.write_bytes(prepared[0].read_bytes()[:-1000])
    assert_one_message(warm.run(*arguments(clips[0], broken, out)), 1, "the donor's pack is damaged", broken)
    done = warm.run(*arguments(clips[0], prepared[0], out, "--preset", "lite64"))
    assert_one_message(done, 2, "the donor's pack is of the preset micro64", prepared[0])
    assert "finding faces" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_prepare_that_is_stopped_leaves_nothing(clips: tuple[Path, Path], warm: WarmCommand, tmp_path: Path) -> None:
    running = warm.start("donor", "prepare", clips[1], "--out", tmp_path / "d.pack", "--iterations", 1000)
    while not list(tmp_path.iterdir()) and not running.ended(0.02):
        continue
    running.kill(signal.SIGINT)
    assert running.wait(60).status == 130
    assert list(tmp_path.iterdir()) == []
