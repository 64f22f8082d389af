"""dataset.toml is read strictly, a folder becomes one, and what it proposes can be read again."""

from pathlib import Path

import pytest

from deid_audit.dataset.manifest import read_manifest, settings_of, toml_text
from deid_audit.dataset.proposing import propose
from deid_audit.errors import DataSetError, SettingsError
from tests.unit.data_sets import write_files, write_set


def test_a_set_is_read_and_gives_each_case_its_settings(tmp_path: Path) -> None:
    path = write_set(tmp_path, ["Ada", "Bob"], more='keypoints = "rtmpose:m.onnx"\nseed = 7')
    manifest = read_manifest(path)
    settings = settings_of(manifest, 2, folder=tmp_path, out=tmp_path / "out", case_id="case-1")
    assert settings.subjects == (tmp_path / "Bob/a.mp4",)
    assert settings.donors == (tmp_path / "donors/one.mp4",)
    assert (settings.iterations, settings.seed, settings.policy) == (3, 7, "release-face")
    assert settings.keypoints.path == tmp_path / "m.onnx"


def test_urls_stand_as_they_are(tmp_path: Path) -> None:
    photo = 'photo = "s3://bucket/Ada.png"'
    manifest = read_manifest(
        write_set(tmp_path, ["Ada"], more='context = "s3://bucket/context.toml"', of_subjects=photo)
    )
    settings = settings_of(manifest, 1, folder=tmp_path, out=tmp_path / "out", case_id="case-1")
    assert settings.subject_photo == Path("s3://bucket/Ada.png")
    assert settings.context == Path("s3://bucket/context.toml")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (("schema = 1", "schema = 2"), "schema: "),
        (("seed = 7", "seeds = 7"), "seeds: Extra inputs"),
        (("seed = 7", 'seed = "7"'), "seed: "),
        (('title = "A set for tests"', 'title = ""'), "title: "),
        (('name = "Bob"', 'name = "Ada"'), "subject 1 and subject 2 have the same name"),
        (('videos = ["Bob/a.mp4"]', 'videos = ["Ada/./a.mp4"]'), "listed twice, for subject 1 and subject 2"),
        (('videos = ["Bob/a.mp4"]', "videos = []"), "subject 2, videos: "),
        (('videos = ["Bob/a.mp4"]', ""), "subject 2, videos: Field required"),
        (('donors = ["donors/one.mp4"]', ""), "subject 1 has no donor"),
        (("seed = 7", 'different_people = [["Ada", "Eve"]]'), "somebody who is no subject"),
        (("seed = 7", "seed = "), "not TOML"),
    ],
)
def test_what_is_wrong_is_said_by_number_and_without_a_name(tmp_path: Path, edit: tuple[str, str], said: str) -> None:
    path = write_set(tmp_path, ["Ada", "Bob"], more="seed = 7")
    text = path.read_text()
    assert edit[0] in text
    path.write_text(text.replace(*edit, 1))
    with pytest.raises(DataSetError, match=said) as refused:
        read_manifest(path)
    assert refused.value.next_step
    assert "Ada" not in str(refused.value) and "Bob" not in str(refused.value)


def test_a_setting_that_run_would_refuse_is_refused(tmp_path: Path) -> None:
    manifest = read_manifest(write_set(tmp_path, ["Ada"], more='preset = "huge"'))
    with pytest.raises(SettingsError, match="--preset"):
        settings_of(manifest, 1, folder=tmp_path, out=tmp_path / "out", case_id="case-1")


def test_folders_become_a_set_that_can_be_read_again(tmp_path: Path) -> None:
    write_files(
        tmp_path, "Jane Doe/walk.MP4", "Jane Doe/b/tap.mov", "Jim/x.mkv", "empty/notes.txt", "loose.mp4",
        "donors/d.mp4", "strangers/s.mp4", "context.toml", ".hidden/x.mp4",
    )  # fmt: skip
    proposal = propose(tmp_path)
    manifest = proposal.manifest
    assert not proposal.bids
    assert {one.name: one.videos for one in manifest.subjects} == {
        "Jane Doe": ["Jane Doe/b/tap.mov", "Jane Doe/walk.MP4"],
        "Jim": ["Jim/x.mkv"],
    }
    assert manifest.donors == ["donors/d.mp4"] and manifest.context == "context.toml"
    assert [line.split(" ")[0] for line in proposal.noticed] == ["1", "1"]
    assert not any("Jane" in line for line in proposal.noticed)
    text = toml_text(manifest, head=("a proposal",))
    assert 'policy = "release"' in text and 'keypoints = "mediapipe"' in text
    (tmp_path / "dataset.toml").write_text(text)
    assert read_manifest(tmp_path / "dataset.toml") == manifest


def test_a_bids_tree_with_groups_and_donors_in_turn(tmp_path: Path) -> None:
    write_files(
        tmp_path, "sub-01/ses-01/video/a.mp4", "sub-01/ses-02/video/a.mp4", "sub-02/ses-01/video/a.mp4",
        "sub-03/ses-01/video/a.mp4", "other/x.mp4", "donors/p/1.mp4", "donors/p/2.mp4", "donors/q.mp4",
    )  # fmt: skip
    table = "participant_id\tage\tsex\tskin_tone\nsub-01\t47\tF\tn/a\nsub-02\t91\tM\t4\n"
    (tmp_path / "participants.tsv").write_text(table)
    proposal = propose(tmp_path)
    one, two, three = proposal.manifest.subjects
    assert proposal.bids and [len(each.videos) for each in (one, two, three)] == [2, 1, 1]
    assert (one.age_band, one.sex, one.skin_tone) == ("40-49", "F", None)
    assert (two.age_band, two.sex, two.skin_tone) == ("90 or more", "M", "4")
    assert three.sex is None and any("1 subjects have no row" in line for line in proposal.noticed)
    assert one.donors == ["donors/p/1.mp4", "donors/p/2.mp4"] and two.donors == ["donors/q.mp4"]
    assert three.donors == one.donors and proposal.manifest.donors == []


def test_packs_are_one_choice_for_everybody(tmp_path: Path) -> None:
    write_files(tmp_path, "a/x.mp4", "donors/1.pack", "donors/2.pack", "donors/film.mp4")
    assert propose(tmp_path).manifest.donors == ["donors/1.pack", "donors/2.pack"]


@pytest.mark.parametrize("table", ["a\tb\n1\t2\n", "participant_id,sex\n"])
def test_a_table_of_another_form_is_refused(tmp_path: Path, table: str) -> None:
    write_files(tmp_path, "a/x.mp4")
    (tmp_path / "participants.tsv").write_text(table)
    with pytest.raises(DataSetError, match="participant_id"):
        propose(tmp_path)


def test_a_folder_without_subjects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataSetError, match="no folder with a video"):
        propose(tmp_path)
    with pytest.raises(DataSetError, match="cannot be looked at"):
        propose(tmp_path / "none")
