"""Sound through whole commands: masked, stated and verified; refused where the policy does not allow it."""

from pathlib import Path

import av
import numpy as np
import pytest

from deid_audit.video.reader import open_video
from deid_audit.video.sound import read_sound
from tests.e2e.short_clips import FRAMES, SENTINEL
from tests.e2e.typed import EASY_POLICY, deid_audit, run_arguments
from tests.e2e.warm import WarmCommand
from tests.schemas import document_in
from tests.unit.made_sounds import spoken

pytestmark = pytest.mark.e2e
RULE = '\n[[rules]]\nmetric = "voice.sound"\nof = "swapped"\nop = "at_most"\nlimit = 1\nwhy = "t"\nsource = "t"\n'


def with_sound(source: Path, target: Path) -> Path:
    """The same pictures, and somebody who speaks; the sound's stream carries a name."""
    sound = (spoken(FRAMES / 25, rate=48_000) * 32767).astype(np.int16)
    with av.open(str(source)) as opened, av.open(str(target), "w") as container:
        pictures = container.add_stream_from_template(opened.streams.video[0])
        heard = container.add_stream("aac", rate=48_000, layout="mono")
        heard.metadata["handler_name"] = f"microphone of {SENTINEL}"
        for packet in opened.demux(video=0):
            if packet.dts is not None:
                packet.stream = pictures
                container.mux(packet)
        for at in range(0, len(sound), 1024):
            block = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], format="s16", layout="mono")
            block.sample_rate, block.pts = 48_000, at
            container.mux(heard.encode(block))
        container.mux(heard.encode(None))
    return target


def test_a_masked_voice_is_released_stated_and_verified(clips: tuple[Path, Path], tmp_path: Path) -> None:
    subject = with_sound(clips[0], tmp_path / "with-sound.mp4")
    (tmp_path / "easy.toml").write_text(EASY_POLICY + RULE)
    out = tmp_path / "out"
    asked = ("--audio", "mask", "--policy", tmp_path / "easy.toml", "--case-id", "c1", "--json")
    done = deid_audit(*run_arguments((subject, clips[1]), out, *asked))
    assert done.returncode == 0, done.stderr
    assert document_in(done.stdout)["verdict"] == "PASSED"

    film = out / "release" / "data" / "c1-01.mp4"
    before, after = open_video(subject, label="a"), open_video(film, label="b")
    assert after.facts.inventory.audio_streams == 1
    one, other = (np.concatenate(list(read_sound(v, rate=16_000, channels=1)), axis=1)[0] for v in (before, after))
    count = min(len(one), len(other))
    assert abs(np.corrcoef(one[:count], other[:count])[0, 1]) < 0.3
    assert SENTINEL.encode() not in film.read_bytes()
    assert not list(out.rglob("*.wav")) and "The voice is masked" in (out / "release" / "README.txt").read_text()

    predicate = document_in((out / "evidence.json").read_text())["predicate"]
    values = {row["metric"]: row["value"] for row in predicate["measurements"] if row["of"] == "swapped"}
    assert (values["voice.sound"], values["voice.same_wave"], values["residue.audio_streams"]) == (1, 0, 0)
    [stage] = [row for row in predicate["stages"] if row["stage"] == "video"]
    assert stage["settings"] == {"audio": "mask", "lossless": False} and "McAdams" in stage["method"]
    assert any("speech content" in one for one in predicate["not_assessed"])
    kinds = [row["kind"] for row in predicate["erasure"]["artefacts"]]
    assert "numbers of the voice's mask" in kinds
    verified = deid_audit("verify", out / "certificate.pdf", "--trust", out / "signer.crt", "--json")
    assert verified.returncode == 0, verified.stdout


def test_a_kept_voice_is_refused_before_any_work(clips: tuple[Path, Path], tmp_path: Path, warm: WarmCommand) -> None:
    for policy in ("release", "strict", "concealment"):
        done = warm.run(*run_arguments(clips, tmp_path / "out", "--audio", "keep", "--policy", policy))
        assert done.status == 2, done.stderr
        assert f"the policy {policy} does not allow --audio keep" in done.stderr and "--audio drop" in done.stderr
        assert "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []
