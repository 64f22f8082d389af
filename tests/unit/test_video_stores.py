"""A store that speaks S3, on loopback: originals are read by ranges where they lie, outputs are written there."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("s3fs", reason="needs the extra [s3]")
pytest.importorskip("moto", reason="needs moto, which [dev] brings")

import s3fs

from deid_audit.context import read_context
from deid_audit.dataset.copying import package_place
from deid_audit.errors import SettingsError, StageError, VideoAccessError
from deid_audit.faces.photo import read_picture
from deid_audit.pipeline.delivering import delivered
from deid_audit.pipeline.job import now, read_answers
from deid_audit.pipeline.staging import staged
from deid_audit.video.reader import open_video, read_frames
from tests.unit.bucket_server import BUCKET, Bucket, serving
from tests.unit.made_videos import make_video, picture
from tests.unit.test_dataset_copying import OTHER, SET, files_of, package

LABEL = "subject video 1"
READ_AHEAD = 4 << 20


@pytest.fixture(scope="module")
def served() -> Iterator[Bucket]:
    with pytest.MonkeyPatch.context() as patch, serving(patch.setenv) as bucket:
        yield bucket


@pytest.fixture
def bucket(served: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Empty, and every folder for temporary files is the test's own."""
    (tmp_path / "here").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    yield served
    served.refuses = lambda method, key: False
    served.fetched.clear()
    store = s3fs.S3FileSystem()
    store.invalidate_cache()
    if found := store.find(BUCKET):
        store.rm(found)


def put(name: str, data: bytes) -> Path:
    s3fs.S3FileSystem().pipe_file(f"{BUCKET}/{name}", data)
    return Path(f"s3://{BUCKET}/{name}")


def names() -> list[str]:
    store = s3fs.S3FileSystem()
    store.invalidate_cache()
    return sorted(name.removeprefix(f"{BUCKET}/") for name in store.find(BUCKET))


def test_an_original_is_read_by_ranges_and_never_laid_on_a_disk(bucket: Bucket, tmp_path: Path) -> None:
    """Between its pictures and its index lie 24 MiB that nobody has to fetch."""
    plain = make_video(tmp_path / "v.mp4", range(0, 400, 40))
    data = plain.read_bytes()
    at = data.index(b"moov") - 4
    gap = (24 << 20).to_bytes(4, "big") + b"free"
    path = put("exam one.mp4", data[:at] + gap + bytes((24 << 20) - len(gap)) + data[at:])
    here, there = open_video(plain, label=LABEL), open_video(path, label=LABEL)
    for one, other in zip(read_frames(here), read_frames(there), strict=True):
        assert np.array_equal(one.image_rgb, other.image_rgb)
    parts = [size for key, _, size in bucket.fetched if key == "exam one.mp4"]
    assert parts and min(parts) > 0 and max(parts) <= READ_AHEAD + (1 << 20)
    first_pass = {first for _, first, _ in bucket.fetched}
    assert max(first_pass) > 20 << 20 and sum(parts) < 24 << 20  # the index was sought, and the gap left out
    assert not any((tmp_path / "temporary").iterdir()) and not any((tmp_path / "here").iterdir())


def test_no_file_of_this_machine_is_open_while_an_original_is_read(bucket: Bucket, tmp_path: Path) -> None:
    path = put("a.mp4", make_video(tmp_path / "v.mp4", range(0, 400, 40)).read_bytes())
    before = set(Path("/proc/self/fd").iterdir())
    video = open_video(path, label=LABEL, digest_key=b"k" * 32)
    files = [
        one.resolve()
        for _ in read_frames(video)
        for one in set(Path("/proc/self/fd").iterdir()) - before
        if one.is_file()  # also one that was deleted while it is open
    ]
    assert not files and video.facts.keyed_digest


def test_a_photo_and_the_answers_may_be_there(bucket: Bucket, tmp_path: Path) -> None:
    from PIL import Image as Pillow  # noqa: PLC0415

    Pillow.fromarray(picture(seed=3)).save(tmp_path / "p.png")
    assert np.array_equal(read_picture(put("p.png", (tmp_path / "p.png").read_bytes())), picture(seed=3))
    with pytest.raises(SettingsError, match="is not a picture"):
        read_picture(put("text.png", b"no picture"))
    with pytest.raises(VideoAccessError, match="the subject's photo does not exist at its URL"):
        read_picture(Path(f"s3://{BUCKET}/none.png"))
    answers = put("answers.toml", b'recipient = "a registry"\n')
    assert read_context(answers, on=now().date(), read=read_answers) == {"recipient": "a registry"}
    with pytest.raises(VideoAccessError, match="the context file does not exist at its URL"):
        read_context(Path(f"s3://{BUCKET}/none.toml"), on=now().date(), read=read_answers)


def deliver(*, force: bool = False) -> None:
    with delivered(Path(f"s3://{BUCKET}/study/case"), force=force) as place, staged(place, force=force) as partial:
        (partial / "release").mkdir()
        (partial / "release" / "c1-01.mp4").write_bytes(b"film" * 1000)
        for name in ("evidence.json", "certificate.pdf"):
            (partial / name).write_text(name)


WHOLE = [f"study/case/{name}" for name in ("certificate.pdf", "evidence.json", "release/c1-01.mp4")]


def test_an_output_is_written_there_and_replaced_on_request(bucket: Bucket, tmp_path: Path) -> None:
    put("study/case2/other.txt", b"a neighbour whose name begins alike")
    deliver()
    assert names() == sorted([*WHOLE, "study/case2/other.txt"])
    with pytest.raises(SettingsError, match="exists already"):
        deliver()
    deliver(force=True)
    assert names() == sorted([*WHOLE, "study/case2/other.txt"])
    assert not any((tmp_path / "here").iterdir())


def test_a_store_that_refuses_midway_is_left_as_it_was_found(bucket: Bucket, tmp_path: Path) -> None:
    bucket.refuses = lambda method, key: method == "PUT" and key.endswith("certificate.pdf")
    with pytest.raises(StageError, match=r"--out could not be written at its URL \(PermissionError\)") as caught:
        deliver()
    assert "case.upload" in caught.value.next_step and BUCKET not in str(caught.value)
    assert names() == [] and (tmp_path / "here" / "case.upload" / "certificate.pdf").exists()


@pytest.mark.parametrize(
    ("refuses", "words"), [("PUT", r"written at its URL \(PermissionError\)"), ("GET", r"read at its URL")]
)
def test_no_permission_is_known_before_any_work(bucket: Bucket, refuses: str, words: str, tmp_path: Path) -> None:
    bucket.refuses = lambda method, key: method == refuses
    with pytest.raises(StageError, match=words):
        deliver()
    assert not any((tmp_path / "here").iterdir())


def test_a_bucket_that_does_not_exist_is_not_made(bucket: Bucket, tmp_path: Path) -> None:
    with (
        pytest.raises(StageError, match=r"written at its URL \(FileNotFoundError\)"),
        delivered(Path("s3://nobodys/case"), force=False),
    ):
        raise AssertionError("work was begun")
    listed: list[Any] = s3fs.S3FileSystem().ls("")
    assert listed == [BUCKET] and not any((tmp_path / "here").iterdir())


def test_a_sets_package_is_copied_there_and_replaces_its_own_alone(bucket: Bucket, tmp_path: Path) -> None:
    url, made = f"s3://{BUCKET}/study", package(tmp_path / "set")
    package_place(url, SET).take(made)
    assert names() == [f"study/{name}" for name in files_of(made)]
    package_place(url, SET).take(package(tmp_path / "set", words="signed later"))
    assert s3fs.S3FileSystem().cat(f"{BUCKET}/study/dataset.dsse.json") == b"signed later"
    put("case/.deid-audit-partial", b"")  # an output's own marker is empty
    for place, mine in ((f"s3://{BUCKET}/case", SET), (url, OTHER)):
        with pytest.raises(SettingsError, match="no package of this data set"):
            package_place(place, mine)
