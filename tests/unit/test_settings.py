"""Settings: each option that cannot be used is refused in the user's words, with exit status 2."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from deid_audit.errors import SettingsError
from deid_audit.settings import KeypointChoice, make_audit_settings, make_conceal_settings, make_settings

GOOD: dict[str, Any] = {
    "subjects": (Path("s.mp4"),),
    "donors": (Path("d.mp4"),),
    "policy": "release",
    "out": Path("out"),
    "case_id": "case-1",
}


def test_defaults() -> None:
    settings = make_settings(**GOOD)
    assert (settings.device, settings.preset, settings.seed, settings.force) == ("auto", "auto", 0, False)
    assert settings.train_seconds is None and settings.iterations is None
    with pytest.raises(ValidationError):
        settings.seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("case_id", ["a", "A.b_c-9", "x" * 64])
def test_case_ids_that_can_name_files(case_id: str) -> None:
    assert make_settings(**GOOD | {"case_id": case_id}).case_id == case_id


@pytest.mark.parametrize("case_id", ["", ".hidden", "..", "a b", "a/b", "é", "x" * 65, "a\n", None, 7])
def test_case_ids_that_cannot(case_id: object) -> None:
    with pytest.raises(SettingsError, match="--case-id") as caught:
        make_settings(**GOOD | {"case_id": case_id})
    assert caught.value.exit_code == 2 and caught.value.next_step


@pytest.mark.parametrize(
    ("change", "option"),
    [
        ({"subjects": ()}, "--subjects"),
        ({"donors": ()}, "--donors"),
        ({"device": "tpu"}, "--device"),
        ({"preset": "huge"}, "--preset"),
        ({"train_seconds": 0}, "--train-seconds"),
        ({"train_seconds": float("nan")}, "--train-seconds"),
        ({"iterations": -1}, "--iterations"),
        ({"iterations": 1, "train_seconds": 1}, "--iterations exclude"),
        ({"seed": -1}, "--seed"),
        ({"colour": "red"}, "--colour"),
    ],
)
def test_options_that_cannot_be_used(change: dict[str, Any], option: str) -> None:
    with pytest.raises(SettingsError) as caught:
        make_settings(**GOOD | change)
    assert option in str(caught.value)
    assert caught.value.exit_code == 2 and caught.value.next_step


def test_tracks_name_a_video_and_a_track() -> None:
    settings = make_settings(**GOOD, subject_tracks=("1:0", "12:345"))
    assert settings.subject_tracks == ((1, 0), (12, 345))


@pytest.mark.parametrize("text", ["", "1", "0:1", "1:-1", "1:x", "1:2:3", " 1:2", "1:2\n", "1:٣"])
def test_what_names_no_track_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="--subject-track must be VIDEO:TRACK"):
        make_settings(**GOOD, subject_tracks=(text,))


def test_a_photo_and_a_track_exclude_each_other() -> None:
    with pytest.raises(SettingsError, match="exclude each other"):
        make_settings(**GOOD, subject_tracks=("1:0",), subject_photo=Path("p.png"))


def test_other_donors_and_swap_everyone_belong_together() -> None:
    donors = {"other_donors": (Path("d2.mp4"),)}
    assert make_settings(**GOOD, swap_everyone=True, **donors).other_donors == (Path("d2.mp4"),)
    for change in ({"swap_everyone": True}, donors):
        with pytest.raises(SettingsError, match="belong together"):
            make_settings(**GOOD, **change)


def test_a_passphrase_for_no_media_key_is_refused() -> None:
    with pytest.raises(SettingsError, match="--c2pa-passphrase-file needs --c2pa"):
        make_settings(**GOOD, c2pa_passphrase_file=Path("p"))
    assert make_settings(**GOOD, c2pa=Path("k.p12"), c2pa_passphrase_file=Path("p")).c2pa == Path("k.p12")


def test_answers_without_a_certificate_have_nowhere_to_stand() -> None:
    asked: dict[str, Any] = {
        "video": Path("v.mp4"), "out": Path("o.mp4"), "policy": "concealment", "case_id": "case-1",
        "context": Path("c.toml"),
    }  # fmt: skip
    with pytest.raises(SettingsError, match="--context needs --certificate") as caught:
        make_conceal_settings(**asked)
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert make_conceal_settings(**asked, certificate=Path("c")).context == Path("c.toml")


AUDIT: dict[str, Any] = {
    "originals": (Path("o.mp4"), Path("p.mp4")),
    "released": (Path("r.mp4"), Path("s.mp4")),
    "policy": "external",
    "out": Path("out"),
    "case_id": "case-1",
}


def test_keypoints_of_each_backend() -> None:
    assert make_settings(**GOOD).keypoints == KeypointChoice()
    assert make_settings(**GOOD, keypoints=("mediapipe",)).keypoints.backend == "mediapipe"
    program = make_settings(**GOOD, keypoints=("openpose:/opt/openpose.bin",)).keypoints
    assert (program.backend, program.path) == ("openpose", Path("/opt/openpose.bin"))
    model = make_audit_settings(**AUDIT, keypoints=("rtmpose:m.onnx",)).keypoints
    assert (model.backend, model.path) == ("rtmpose", Path("m.onnx"))
    files = make_audit_settings(**AUDIT, keypoints=("openpose-json:a:b", "openpose-json:c/d:e")).keypoints
    assert files.folders == ((Path("a"), Path("b")), (Path("c/d"), Path("e")))
    assert make_audit_settings(**AUDIT, keypoints=()).keypoints == KeypointChoice()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (("openpose",), "must be"),
        (("openpose:",), "must be"),
        (("rtmpose",), "must be"),
        (("mediapipe:x",), "must be"),
        (("alphapose:x",), "must be"),
        (("openpose:a", "openpose:b"), "given once"),
        (("openpose:a", "openpose-json:a:b"), "openpose and openpose-json"),
        (("openpose-json:a:b",), "2 originals and 1"),
        (("openpose-json:a", "openpose-json:a:b"), "two folders"),
        (("openpose-json:a:b:c", "openpose-json:a:b"), "two folders"),
        (("openpose-json::b", "openpose-json:a:b"), "two folders"),
    ],
)
def test_keypoints_that_cannot_be_used(texts: tuple[str, ...], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        make_audit_settings(**AUDIT, keypoints=texts)
    assert caught.value.exit_code == 2 and caught.value.next_step


def test_a_run_cannot_have_files_about_a_video_it_has_yet_to_make() -> None:
    with pytest.raises(SettingsError, match="for audit"):
        make_settings(**GOOD, keypoints=("openpose-json:a:b",))
