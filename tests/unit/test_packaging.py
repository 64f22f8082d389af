"""The release as a bag: outside tools accept it and see changes; the same case gives the same bytes; no stray words."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import bagit
import pytest
from rocrate.rocrate import ROCrate

from deid_audit import __version__
from deid_audit.digests import sha256_bytes, sha256_file
from deid_audit.errors import EvidenceError
from deid_audit.evidence import parse_statement
from deid_audit.findings import JobKind
from deid_audit.pipeline.issuing import issue
from deid_audit.pipeline.packaging import write_release, write_withheld
from tests.unit.certificates import ISSUED, certified_case, figures, signer
from tests.unit.releases import FILM, lay_out, released, turn_bit, write_bag

BAG = {
    "data/case-0001-01.mp4",
    "data/case-0001-02.mp4",
    "data/ro-crate-metadata.json",
    "README.txt",
    "VERIFY.txt",
    "verify.sh",
    "bagit.txt",
    "bag-info.txt",
    "manifest-sha256.txt",
    "tagmanifest-sha256.txt",
}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_of_the_release_is_an_output_with_its_digest_and_role(tmp_path: Path) -> None:
    outputs = write_bag(tmp_path / "release", videos=2)
    written = files(tmp_path / "release")
    assert set(written) == BAG
    assert {one.name: (one.sha256, one.size_bytes) for one in outputs} == {
        name: (sha256_bytes(data), len(data)) for name, data in written.items()
    }
    assert [one.name for one in outputs if one.role == "video"] == [f"data/case-0001-0{n}.mp4" for n in (1, 2)]
    assert outputs[0].role == "video"  # the certificate lists them in this order
    roles = {one.name: one.role for one in outputs}
    assert roles["tagmanifest-sha256.txt"] == "manifest" and roles["verify.sh"] == "script"
    assert written["data/case-0001-01.mp4"] == FILM + b"\0"


def test_the_statement_names_every_file_of_the_bag(tmp_path: Path) -> None:
    lay_out(tmp_path)
    case = parse_statement((tmp_path / "evidence.json").read_bytes())
    assert {one.name: one.sha256 for one in case.outputs} == {
        name: sha256_bytes(data) for name, data in files(tmp_path / "release").items()
    }


def test_a_file_that_changes_before_it_is_certified_ends_the_job(tmp_path: Path) -> None:
    outputs = write_bag(tmp_path / "release")
    turn_bit(tmp_path / "release" / "data" / "case-0001-01.mp4", 100)
    case = certified_case(released()[0].verdict.outcome).model_copy(update={"outputs": outputs})
    with pytest.raises(EvidenceError, match="changed while"):
        issue(tmp_path, case, figures(), signer(), issued_at=ISSUED)
    assert not (tmp_path / "attestation.dsse.json").exists()


def test_withheld_videos_stand_alone(tmp_path: Path) -> None:
    (tmp_path / "c-01.mp4").write_bytes(FILM)
    outputs = write_withheld(tmp_path / "withheld", [tmp_path / "c-01.mp4"])
    assert files(tmp_path / "withheld") == {"c-01.mp4": FILM}
    assert [(one.name, one.role, one.sha256) for one in outputs] == [("c-01.mp4", "video", sha256_bytes(FILM))]


def test_the_same_case_gives_the_same_bytes(tmp_path: Path) -> None:
    assert write_bag(tmp_path / "a", videos=2) == write_bag(tmp_path / "b", videos=2)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_the_bag_says_what_is_known_and_names_nobody(tmp_path: Path) -> None:
    write_bag(tmp_path / "release")
    written = files(tmp_path / "release")
    payload = [data for name, data in written.items() if name.startswith("data/")]
    assert written["bagit.txt"] == b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
    assert written["bag-info.txt"].decode() == (
        f"Bag-Software-Agent: deid-audit {__version__}\n"
        "Bagging-Date: 2026-01-02\n"
        "External-Identifier: case-0001\n"
        f"Payload-Oxum: {sum(map(len, payload))}.2\n"
    )
    assert "data/case-0001-01.mp4" in written["manifest-sha256.txt"].decode()
    listed = re.findall(r"^[0-9a-f]{64}  (.*)$", written["tagmanifest-sha256.txt"].decode(), flags=re.MULTILINE)
    assert listed == sorted(set(written) - {"tagmanifest-sha256.txt"} - {n for n in written if n.startswith("data/")})


@pytest.mark.parametrize("kind", ["swap", "conceal"])
@pytest.mark.parametrize("covered", [True, False])
def test_covered_text_is_told_of_where_the_release_describes_itself(
    tmp_path: Path, kind: JobKind, *, covered: bool
) -> None:
    (tmp_path / "c-01.mp4").write_bytes(FILM)
    write_release(
        tmp_path / "release", [tmp_path / "c-01.mp4"], case_id="c", kind=kind, issued_at=ISSUED.isoformat(),
        text_covered=covered,
    )  # fmt: skip
    graph = json.loads((tmp_path / "release" / "data" / "ro-crate-metadata.json").read_text())["@graph"]
    [description] = [one["description"] for one in graph if one["@id"] == "./"]
    for text in ((tmp_path / "release" / "README.txt").read_text(), description):
        words = " ".join(text.split())
        assert ("Lines of burned-in text were covered. Nothing else" in words) is covered
        assert "Nothing else in the picture was changed." in words
        assert max(map(len, (tmp_path / "release" / "README.txt").read_text().splitlines())) <= 120


# -- outside tools ----------------------------------------------------------------------------------------------------


def test_bagit_finds_the_bag_complete_and_valid(tmp_path: Path) -> None:
    write_bag(tmp_path / "release", videos=2)
    bag = bagit.Bag(str(tmp_path / "release"))
    bag.validate()
    assert bag.version_info == (1, 0)
    assert bag.info["External-Identifier"] == "case-0001"


@pytest.mark.parametrize("name", sorted(BAG - {"data/case-0001-02.mp4", "bagit.txt", "tagmanifest-sha256.txt"}))
def test_bagit_catches_a_turned_bit_in_every_file(tmp_path: Path, name: str) -> None:
    write_bag(tmp_path / "release")
    turn_bit(tmp_path / "release" / name, 8 * 20)
    with pytest.raises(bagit.BagError):
        bagit.Bag(str(tmp_path / "release")).validate()


def test_bagit_catches_an_added_and_a_missing_file(tmp_path: Path) -> None:
    write_bag(tmp_path / "a")
    (tmp_path / "a" / "data" / "extra.mp4").write_bytes(b"x")
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(tmp_path / "a")).validate()
    write_bag(tmp_path / "b")
    (tmp_path / "b" / "VERIFY.txt").unlink()
    with pytest.raises(bagit.BagValidationError):
        bagit.Bag(str(tmp_path / "b")).validate()


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs coreutils' sha256sum")
def test_sha256sum_accepts_both_manifests_and_sees_a_change(tmp_path: Path) -> None:
    write_bag(tmp_path / "release")
    command = ["sha256sum", "--check", "--strict", "manifest-sha256.txt", "tagmanifest-sha256.txt"]

    def status() -> int:
        return subprocess.run(command, cwd=tmp_path / "release", capture_output=True, check=False).returncode

    assert status() == 0
    turn_bit(tmp_path / "release" / "README.txt", 9)
    assert status() == 1


def test_rocrate_reads_the_crate_and_finds_the_videos(tmp_path: Path) -> None:
    write_bag(tmp_path / "release", videos=2)
    data = tmp_path / "release" / "data"
    crate = ROCrate(str(data))
    assert crate.root_dataset["datePublished"] == ISSUED.isoformat()
    assert crate.root_dataset["identifier"] == "case-0001"
    videos = {one.id: one for one in crate.data_entities}
    assert set(videos) == {"case-0001-01.mp4", "case-0001-02.mp4"}
    for name, one in videos.items():
        assert one.type == "File" and one["encodingFormat"] == "video/mp4"
        assert one["contentSize"] == str((data / name).stat().st_size)
        assert one["sha256"] == sha256_file(data / name)
    assert set(crate.root_dataset["hasPart"]) == set(videos.values())


def test_the_crate_is_linked_as_the_specification_demands(tmp_path: Path) -> None:
    """RO-Crate 1.1: a flat graph, its descriptor about the root, everything referred to is described, no author."""
    write_bag(tmp_path / "release")
    text = (tmp_path / "release" / "data" / "ro-crate-metadata.json").read_text()
    graph = {one["@id"]: one for one in json.loads(text)["@graph"]}
    descriptor = graph["ro-crate-metadata.json"]
    assert descriptor["about"] == {"@id": "./"}
    assert descriptor["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert {"name", "description", "datePublished", "hasPart"} <= set(graph["./"])
    assert [part["@id"] in graph for part in graph["./"]["hasPart"]] == [True]
    assert not {"author", "creator", "publisher", "license"} & set(graph["./"])
