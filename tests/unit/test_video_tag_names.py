"""Names of tags are free text: a person's in one reaches no inventory, no statement; and it still counts."""

from pathlib import Path

import pytest
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from deid_audit.evidence import build_statement
from deid_audit.findings import VideoFacts
from deid_audit.video.reader import open_video
from deid_audit.video.tag_names import listed
from deid_audit.video.writer import CONTAINER_KEYS, leftover_metadata_keys
from tests.fakes import make_case
from tests.unit.made_videos import make_video, picture

NAME = "Patient Jane Doe"


def facts_of(path: Path | str) -> VideoFacts:
    return open_video(Path(path), label="subject video 1").facts


@pytest.mark.parametrize(
    "key",
    [
        "title", "Title", "DURATION", "title-eng", "chapter.title", "GPSLatitude", "Creation Time", "handler_name",
        "com.apple.quicktime.location.ISO6709", "com.android.version", "_STATISTICS_TAGS",
    ],
)  # fmt: skip
def test_usual_names_stand_as_they_are(key: str) -> None:
    assert listed([key]) == (key,)


@pytest.mark.parametrize(
    "key",
    [
        NAME, "jane", f"com.apple.quicktime.{NAME}", f"chapter.{NAME}", "title-ann", "title-Jane", "jane-eng",
        f"dicom.{NAME}", "dicom.PatientName", "title Jane", "other 1", "", "chapter.", "-eng",
    ],
)  # fmt: skip
def test_any_other_name_is_a_number(key: str) -> None:
    assert listed([key]) == ("other 1",)


def test_as_many_are_listed_as_there_are() -> None:
    assert listed(["title", "b", "a", "a", "other 1"]) == ("other 1", "other 2", "other 3", "title")
    assert set(listed(CONTAINER_KEYS)) == CONTAINER_KEYS


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_name_in_a_videos_key_reaches_no_statement_and_counts_as_left(tmp_path: Path, suffix: str) -> None:
    options = {"movflags": "use_metadata_tags"} if suffix == "mp4" else {}
    tags = {"title": "x", NAME: "y", "Jane": "z"}
    path = make_video(tmp_path / f"v.{suffix}", range(0, 200, 40), tags=tags, options=options)
    assert b"jane" in path.read_bytes().lower()
    facts = facts_of(path)
    assert {"title", "other 1", "other 2"} <= set(facts.inventory.metadata_keys)
    statement = build_statement(make_case().model_copy(update={"originals": (facts,)}))
    assert b"other 1" in statement and b"jane" not in statement.lower()
    assert {"title", "other 1", "other 2"} <= set(leftover_metadata_keys(facts))


def test_a_name_in_any_pictures_key_reaches_no_statement_and_counts(tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number, keys in enumerate([["Title"], [], [NAME, "Comment"]]):
        tags = PngInfo()
        for key in keys:
            tags.add_text(key, "x")
        Pillow.fromarray(picture(seed=number)).save(tmp_path / "frames" / f"{number}.png", pnginfo=tags)
    facts = facts_of(f"{tmp_path / 'frames'}@25")
    assert {"Title", "Comment", "other 1"} <= set(facts.inventory.metadata_keys)
    statement = build_statement(make_case().model_copy(update={"originals": (facts,)}))
    assert b"other 1" in statement and b"jane" not in statement.lower()
