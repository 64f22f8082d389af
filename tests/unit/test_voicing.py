"""The sound of a run: what a policy allows, what is written, what is found in the written file, what is wiped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deid_audit.errors import SettingsError, VideoError
from deid_audit.findings import Measurement, Outcome
from deid_audit.pipeline.issuing import not_assessed
from deid_audit.pipeline.voicing import METHOD_TEXT, Voice, audited_sound, open_with_sound, refuse_by_policy
from deid_audit.policy import judge, load_policy
from deid_audit.progress import SilentProgress
from deid_audit.settings import AudioChoice
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.sound import read_sound
from deid_audit.video.writer import write_video
from deid_audit.voice.masking import MaskParameters
from tests.fakes import make_measurements, make_policy, make_rule

from .made_sounds import spoken, video_with_sound
from .made_videos import make_video

MASK = Voice(choice="mask", parameters=MaskParameters(np.array([0.7, 1.25, 1.1])))
KEEP = Voice(choice="keep", parameters=MASK.parameters)
DROP = Voice(choice="drop", parameters=MASK.parameters)


@pytest.fixture
def source(tmp_path: Path) -> SourceVideo:
    return open_video(video_with_sound(tmp_path / "v.mkv", spoken(2.0, rate=48_000)), label="subject video 1")


def written(source: SourceVideo, voice: Voice) -> SourceVideo:
    path = source.path.with_name("out.mp4")
    write_video(path, read_frames(source), like=source, sound=voice.track(source))
    return open_video(path, label="released video 1")


def values(rows: tuple[Measurement, ...]) -> dict[str, float | None]:
    return {row.metric.removeprefix("voice."): row.value for row in rows if row.of == "swapped"}


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        ("release", {"drop", "mask"}),
        ("release-face", {"drop", "mask"}),
        ("expert-determination", {"drop", "mask"}),
        ("strict", {"drop"}),
        ("concealment", {"drop"}),  # without a rule nothing is allowed
        ("external", {"drop"}),
        ("aies2020", {"drop"}),
    ],
)
@pytest.mark.parametrize("choice", ["drop", "mask", "keep"])
def test_shipped_policies_allow_no_more_than_a_masked_voice(
    policy: str, allowed: set[str], choice: AudioChoice
) -> None:
    if choice in allowed:
        return refuse_by_policy(load_policy(policy), choice)
    with pytest.raises(SettingsError, match=f"^the policy {policy} does not allow --audio {choice}$") as caught:
        refuse_by_policy(load_policy(policy), choice)
    assert caught.value.exit_code == 2 and "--audio drop" in caught.value.next_step
    return None


def test_a_policy_of_ones_own_can_allow_a_kept_voice() -> None:
    refuse_by_policy(make_policy([make_rule("voice.sound", "at_most", 2)]), "keep")
    for rules in ([make_rule("voice.sound", "at_most", 1)], [make_rule("voice.same_wave", "at_most", 1)]):
        with pytest.raises(SettingsError):
            refuse_by_policy(make_policy(rules), "keep")


def test_a_masked_voice_is_written_and_found_to_be_another(source: SourceVideo) -> None:
    released = written(source, MASK)
    found = values(MASK.measure(source, released, "video 1"))
    assert (found["sound"], found["same_wave"], found["pitch_moved"]) == (1, 0, 1)
    before, after = (
        np.concatenate(list(read_sound(one, rate=48_000, channels=1)), axis=1)[0] for one in (source, released)
    )
    assert abs(np.corrcoef(before, after[: len(before)])[0, 1]) < 0.3
    assert (
        judge(make_measurements(swapped={"voice.sound": found["sound"]}), load_policy("release")).outcome
        is Outcome.PASSED
    )


def test_a_kept_voice_is_as_it_was_and_does_not_pass_where_it_may_not(source: SourceVideo) -> None:
    found = values(KEEP.measure(source, written(source, KEEP), "video 1"))
    assert (found["sound"], found["same_wave"], found["pitch_moved"], found["formants_moved"]) == (2, 1, 0, 0)
    rows = make_measurements(swapped={"voice.sound": found["sound"]})
    assert judge(rows, load_policy("release")).outcome is Outcome.FAILED


def test_a_file_that_holds_the_original_voice_counts_as_kept_though_masked_was_asked_for(source: SourceVideo) -> None:
    assert values(MASK.measure(source, written(source, KEEP), "video 1"))["sound"] == 2


def test_sound_where_none_may_be_ends_the_run(source: SourceVideo) -> None:
    with pytest.raises(VideoError, match="holds 1 sound streams"):
        DROP.measure(source, written(source, KEEP), "video 1")
    with pytest.raises(VideoError, match="holds 0 sound streams"):
        MASK.measure(source, written(source, DROP), "video 1")


def test_sound_of_another_length_ends_the_run(source: SourceVideo, tmp_path: Path) -> None:
    short = video_with_sound(tmp_path / "short.mkv", spoken(1.5, rate=48_000))
    with pytest.raises(VideoError, match=r"has sound of 1\.50 s instead of 2\.00 s"):
        KEEP.measure(source, open_video(short, label="released video 1"), "video 1")


def test_dropped_or_missing_sound_is_none_and_said(source: SourceVideo, tmp_path: Path) -> None:
    [row] = DROP.measure(source, written(source, DROP), "video 1")
    assert row.value == 0 and "left out" in row.method
    silent = open_video(make_video(tmp_path / "silent.mp4", range(0, 400, 40)), label="subject video 1")
    assert MASK.track(silent) is None and not MASK.carried(silent)
    [row] = MASK.measure(silent, written(silent, MASK), "video 1")
    assert row.value == 0 and "the original has none" in row.method


class Said(SilentProgress):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def say(self, words: str) -> None:
        self.words.append(words)


def test_a_video_without_sound_is_told_before_work(source: SourceVideo, tmp_path: Path) -> None:
    silent = make_video(tmp_path / "silent.mp4", range(0, 400, 40))
    progress = Said()
    for choice, count in (("drop", 0), ("mask", 1)):
        open_with_sound([source.path, silent], choice, digest_key=b"k" * 32, progress=progress)  # type: ignore[arg-type]
        assert len(progress.words) == count
    assert progress.words[0].startswith("subject video 2 has no sound")


def test_the_numbers_of_a_mask_are_wiped_with_the_vault() -> None:
    class Keeper:
        def register_memory(self, kind: str, size: int, wipe: object) -> None:
            self.kind, self.size, self.wipe = kind, size, wipe

    keeper = Keeper()
    voice = Voice.begin("mask", keeper)  # type: ignore[arg-type]
    assert (keeper.kind, keeper.size) == ("numbers of the voice's mask", 24) and voice.parameters.values.all()
    keeper.wipe()  # type: ignore[operator]
    assert not voice.parameters.values.any()


def test_another_tools_sound_counts_as_unmasked(source: SourceVideo) -> None:
    assert audited_sound(source, "video 1")[0].value == 2
    inventory = source.facts.inventory.model_copy(update={"audio_streams": 0})
    mute = replace(source, facts=source.facts.model_copy(update={"inventory": inventory}))
    assert audited_sound(mute, "video 1")[0].value == 0


def test_what_is_not_assessed_says_what_became_of_the_voice() -> None:
    assert any("removed" in one for one in not_assessed("swap"))
    masked, kept = ("\n".join(not_assessed("swap", audio=choice)) for choice in ("mask", "keep"))
    assert "speech content" in masked and "removed, so" not in masked
    assert "the subject's own" in kept and "removed, so" not in kept
    assert "What is said" in METHOD_TEXT["mask"] and "not muted" in METHOD_TEXT["mask"]
