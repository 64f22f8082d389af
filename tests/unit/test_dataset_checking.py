"""`dataset check` finds each fault by what is in the videos; the look at a video is stood in for but in one test."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import fsspec
import numpy as np
import pytest

from deid_audit.dataset import checking, sighting
from deid_audit.dataset.checking import check
from deid_audit.dataset.inputs import Digests
from deid_audit.dataset.manifest import read_manifest, settings_of
from deid_audit.dataset.sighting import Look, Sighted, Someone, people_of, sight, the_one_of
from deid_audit.errors import VideoError
from deid_audit.frames import Float
from deid_audit.pipeline.engines import Engines
from deid_audit.progress import SilentProgress
from tests.conftest import Portraits
from tests.e2e.short_clips import write_pictures
from tests.fakes import make_video_facts
from tests.unit.data_sets import write_set
from tests.unit.made_videos import make_video

NAMES = ["Ada", "Bob"]


def face(person: int, seed: int = 0) -> Float:
    """A descriptor of a made-up person: people are at least 1.4 apart, their sightings within 0.2."""
    row = np.zeros(128, np.float32)
    row[person] = 1
    return np.asarray(row + np.random.default_rng(seed).normal(0, 0.008, 128), np.float32)


def shown(*people: int, each: int = 6) -> Float:
    rows = [face(person, seed) for person in people for seed in range(each)]
    return np.stack(rows) if rows else np.zeros((0, 128), np.float32)


def looking(by_folder: dict[str, Float]) -> Look:
    def look(path: Path, label: str, facts: object = None) -> Sighted:
        found = by_folder.get(f"{path.parent.name}/{path.name}", by_folder.get(path.parent.name))
        if found is None:
            raise VideoError(f"{label} is empty (0 bytes)", next_step="copy the video again")
        return Sighted(facts=make_video_facts(), descriptors=found.copy(), frames=24, seconds_a_frame=0.1)

    return look


def checked(path: Path, by_folder: dict[str, Float]) -> checking.Checked:
    found = check(path, progress=SilentProgress(), look=looking(by_folder))
    assert not any(name in line for line in (*found.problems, *found.noticed) for name in ("Ada", "Bob", "dataset."))
    return found


GOOD = {"Ada": shown(1), "Bob": shown(2), "donors": shown(3)}


def test_a_good_set_is_ready_and_its_time_is_told(tmp_path: Path) -> None:
    found = checked(write_set(tmp_path, NAMES), GOOD)
    assert found.ok and found.problems == () and found.noticed == () and (found.subjects, found.videos) == (2, 2)
    assert found.estimate is not None and len(found.estimate.case_seconds) == 2
    # 200 frames of 640x480 at 0.1 s: 20 s of finding, 1 + 9 + 5 x 0.3072 times, and 90 s of training
    assert found.estimate.case_seconds[0] == pytest.approx(90 + 20 * (10 + 5 * 0.3072), abs=0.1)
    assert "estimate" in found.estimate.basis


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Bob": shown(1)}, "subject 1 and subject 2 look like one person"),
        ({"donors": shown(2)}, "donor 1 looks like subject 2"),
        ({"Ada": shown()}, "subject 1: no face was found"),
        ({"donors": shown()}, "donor 1: no face was found"),
    ],
)
def test_each_mix_up_is_found(tmp_path: Path, changed: dict[str, Float], said: str) -> None:
    found = checked(write_set(tmp_path, NAMES), GOOD | changed)
    assert not found.ok and len(found.problems) == 1 and said in found.problems[0]


def test_a_second_video_of_somebody_else_is_found(tmp_path: Path) -> None:
    path = write_set(tmp_path, NAMES)
    path.write_text(path.read_text().replace('["Bob/a.mp4"]', '["Bob/a.mp4", "Bob/b.mp4"]'))
    shutil.copy(tmp_path / "Bob/a.mp4", tmp_path / "Bob/b.mp4")
    found = checked(path, GOOD | {"Bob/b.mp4": shown(5)})
    assert found.problems == ("subject 2: nobody is in all of the 2 videos: 2 people were seen",)
    assert checked(path, GOOD | {"Bob/b.mp4": shown(5, 2)}).ok


def test_a_file_that_cannot_be_read_is_found_and_the_others_are_still_looked_at(tmp_path: Path) -> None:
    found = checked(write_set(tmp_path, NAMES), {"Bob": shown(3), "donors": shown(3)})
    assert found.estimate is None and len(found.problems) == 2
    assert found.problems[0].startswith("subject 1, video 1 is empty") and "donor 1 looks like" in found.problems[1]


def test_two_who_look_alike_are_two_where_the_steward_says_so(tmp_path: Path) -> None:
    path = write_set(tmp_path, NAMES, more='different_people = [["Bob", "Ada"]]')
    assert checked(path, GOOD | {"Bob": shown(1)}).ok


def test_settings_come_first_and_no_video_is_looked_at(tmp_path: Path) -> None:
    path = write_set(tmp_path, NAMES, more='preset = "huge"')
    found = check(path, progress=SilentProgress(), look=looking({}))
    assert [line.split(":")[0] for line in found.problems] == ["subject 1", "subject 2"] and found.estimate is None
    path = write_set(tmp_path, NAMES, more='context = "none.toml"\nstrangers = "nowhere"', policy="lenient")
    found = check(path, progress=SilentProgress(), look=looking({}))
    assert len(found.problems) == 3, found.problems


def test_too_little_disk_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_set(tmp_path, NAMES)
    monkeypatch.setattr(checking.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10_000})())
    [line] = checked(path, GOOD).problems
    assert "GB of disk will be needed" in line


def test_the_disk_that_counts_is_that_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, out = write_set(tmp_path, NAMES), tmp_path / "elsewhere"

    def usage(place: Path) -> object:
        return type("Usage", (), {"free": 10**12 if place == out else 10_000})()

    monkeypatch.setattr(checking.shutil, "disk_usage", usage)
    assert check(path, out=out, progress=SilentProgress(), look=looking(GOOD)).ok
    assert "beside the set's file" in checked(path, GOOD).problems[0]


def test_pictures_and_urls_are_counted_like_files(tmp_path: Path) -> None:
    """A folder's name with its rate is no file, and a URL lies in no folder."""
    path = write_set(tmp_path, NAMES)
    (tmp_path / "Bob" / "pics").mkdir()
    (tmp_path / "Bob" / "pics" / "1.png").write_bytes(bytes(1000))
    fsspec.filesystem("memory").pipe("/Ada/a.mp4", bytes(3000))
    text = path.read_text().replace("Ada/a.mp4", "memory://Ada/a.mp4").replace("Bob/a.mp4", "Bob/pics@25")
    path.write_text(text)
    found = checked(path, GOOD)
    assert found.ok and found.estimate is not None
    assert found.estimate.disk_bytes == 4000 * 1.5 + 2 * 6_000_000
    subjects = settings_of(read_manifest(path), 1, folder=tmp_path, out=tmp_path / "out", case_id="case-1").subjects
    assert subjects == (Path("memory:/Ada/a.mp4"),)
    settings = [
        settings_of(read_manifest(path), at, folder=tmp_path, out=tmp_path / "out", case_id="case-1") for at in (1, 2)
    ]
    assert len({Digests(b"k" * 32).of_case(one, "subject") for one in settings}) == 2


def test_nothing_of_a_look_or_of_an_average_stays(tmp_path: Path) -> None:
    """What the recogniser gave, the sums that averages come from, and those of people who were not chosen."""
    given: list[Float] = []

    def describe(chips: list[object]) -> Float:
        given.append(shown(1, each=2))
        return given[-1]

    finder = SimpleNamespace(detect=lambda _: SimpleNamespace(boxes_xyxy=[0, 1]))
    recognizer = SimpleNamespace(chip=lambda *_: None, describe=describe)
    video = make_video(tmp_path / "a.mp4", range(0, 200, 40))
    engines = SimpleNamespace(leading=finder, recognizer=recognizer)
    seen = sight(video, label="subject 1, video 1", engines=engines)  # type: ignore[arg-type]
    assert seen.descriptors.shape == (10, 128) and seen.descriptors.any()
    assert len(given) == 5 and not any(rows.any() for rows in given)

    one = Someone(seen=[0])
    one.add(0, face(1))
    one.add(0, face(1, 1))
    assert np.allclose(one.average, (face(1) + face(1, 1)) / 2)
    one.wipe()
    assert not one.average.any() and not one._total.any()


def test_whoever_is_not_chosen_is_wiped_and_the_chosen_when_the_check_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone: list[Someone] = []

    def kept(videos: list[Float]) -> list[Someone]:
        found = people_of(videos)
        everyone.extend(found)
        return found

    monkeypatch.setattr(sighting, "people_of", kept)
    one, _ = the_one_of([shown(1, 2, each=8)], photo=face(1))
    assert [bool(each.average.any()) for each in everyone] == [each is one for each in everyone] and len(everyone) == 2
    everyone.clear()
    checked(write_set(tmp_path, NAMES), GOOD)
    assert len(everyone) == 3 and not any(each.average.any() for each in everyone)


def test_what_was_described_is_wiped(tmp_path: Path) -> None:
    held: list[Float] = []
    look = looking(GOOD)

    def kept(path: Path, label: str, facts: object = None) -> Sighted:
        seen = look(path, label)
        held.append(seen.descriptors)
        return seen

    check(write_set(tmp_path, NAMES), progress=SilentProgress(), look=kept)
    assert len(held) == 3 and not any(rows.any() for rows in held)


def test_people_are_told_apart_and_a_photo_says_which() -> None:
    assert [sum(one.seen) for one in people_of([shown(1, 2), shown(1, each=2)])] == [8, 6]
    one, doubt = the_one_of([shown(1, 2), shown(1, 2)])
    assert one is not None and "two people" in doubt
    one, doubt = the_one_of([shown(1, 2), shown(1, 2)], photo=face(2))
    assert one is not None and not doubt and np.linalg.norm(one.average - face(2)) < 0.2
    assert the_one_of([shown(1)], photo=face(9))[0] is None


def test_a_real_face_is_described(portraits: Portraits, engines: Engines, tmp_path: Path) -> None:
    picture = cv2.resize(portraits.hopper.image_rgb, (256, 300))
    path = write_pictures(tmp_path / "a.mp4", [picture] * 6)
    seen = sight(path, label="subject 1, video 1", engines=engines)
    assert len(seen.descriptors) == 6 and seen.facts.frame_count == 6 and seen.seconds_a_frame > 0
    one, doubt = the_one_of([seen.descriptors])
    assert one is not None and not doubt
