"""What a finished job says of sound and text: what the written files carry, not what was asked for."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deid_audit.pipeline import concluding, run
from deid_audit.pipeline.concluding import Examined, audio_written, conclude
from deid_audit.pipeline.voicing import METHOD_TEXT as SOUND_METHOD
from deid_audit.settings import AudioChoice, RunSettings
from deid_audit.swap.networks import PRESETS
from deid_audit.vision.standing_text import TextStretch
from tests.fakes import make_erasure, make_policy
from tests.unit.certificates import ISSUED, signer
from tests.unit.explaining_cases import seen

LINE = TextStretch(box_xyxy=(4, 4, 60, 20), first=0, last=9)


class _Told(Exception):
    """Ends a job where it has said all that is asked here."""


def told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: AudioChoice, **changes: Any) -> list[Any]:
    """The sound and text that the release's own words are given, and the sound in what was not assessed."""
    told: list[Any] = []

    def write_release(*_: object, audio: AudioChoice, text_covered: bool, **__: object) -> tuple[()]:
        told.extend((audio, text_covered))
        return ()

    def not_assessed(*_: object, audio: AudioChoice, **__: object) -> tuple[str, ...]:
        told.append(audio)
        raise _Told

    monkeypatch.setattr(concluding.packaging, "write_release", write_release)
    monkeypatch.setattr(concluding.issuing, "not_assessed", not_assessed)
    monkeypatch.setattr(concluding.issuing, "passed", lambda _: True)
    carried = changes.pop("carried", (False,))
    (tmp_path / "rendered").mkdir()
    watched = []
    for number, sound in enumerate(carried, start=1):
        one = seen(number, **changes).watched
        released = replace(one.released, path=tmp_path / "rendered" / f"{number}.mp4")
        watched.append(replace(one, released=released, sound_asked=sound))
    job: Any = SimpleNamespace(
        kind="conceal", clock=lambda: ISSUED, policy=make_policy(), context=(), case_id="c", thorough=False,
        signer=signer(), environment={},
    )  # fmt: skip
    examined = Examined(
        originals=(), donors=(), watched=watched, distances=(), measurements=(), plots=(), erasure=make_erasure()
    )
    timer: Any = SimpleNamespace(seconds=dict.fromkeys(("measuring", "destroying"), 0.0))
    with pytest.raises(_Told):
        conclude(tmp_path, job, examined, making=(), timer=timer, audio=asked)
    return told


@pytest.mark.parametrize(
    ("asked", "carried", "said"),
    [
        ("mask", (False,), "drop"),  # the originals have no sound: no voice was masked
        ("keep", (False, False), "drop"),
        ("mask", (False, True), "mask"),
        ("drop", (False,), "drop"),
    ],
)
def test_a_job_says_of_sound_what_its_videos_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: AudioChoice, carried: tuple[bool, ...], said: AudioChoice
) -> None:
    assert told_of(tmp_path, monkeypatch, asked, carried=carried) == [said, False, said]


def test_a_job_tells_the_release_that_text_was_covered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told_of(tmp_path, monkeypatch, "drop", text_covered=(LINE,)) == ["drop", True, "drop"]


def test_the_stages_of_a_run_say_what_became_of_sound_beside_what_was_asked_for() -> None:
    pair: Any = SimpleNamespace(model=SimpleNamespace(preset=PRESETS["micro64"]), facts={})
    timer: Any = SimpleNamespace(seconds=dict.fromkeys(("reading", "finding faces", "training", "rendering"), 0.0))
    subject: Any = SimpleNamespace(others=())
    donor: Any = SimpleNamespace(pack=None)
    settings = RunSettings.model_construct(audio="mask")
    for written in (audio_written("mask", [seen().watched]), "mask"):
        [(_, method, _, facts), *_] = run._stages(
            timer, subject, donor, pair, [], settings, "a test", marked=False, audio=written
        )
        assert SOUND_METHOD[written] in method and (SOUND_METHOD["mask"] in method) is (written == "mask")
        assert facts["audio"] == "mask"
