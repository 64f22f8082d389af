"""Training in a process of its own: the same model bit for bit, its end on the record, and nothing left of it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from deid_audit.errors import DefectElsewhere, Interrupted, NotEnoughFaces, StageError, VaultError, describe_defect
from deid_audit.faces.align import apply, attention_map
from deid_audit.faces.choose import features_of
from deid_audit.pipeline import learning
from deid_audit.pipeline.cast import Material, ProbeFrame
from deid_audit.pipeline.lessons import Lesson
from deid_audit.pipeline.staging import interruptible
from deid_audit.pipeline.training import prepare_faces, shown
from deid_audit.pipeline.training_process import TrainingProcess
from deid_audit.progress import SilentProgress
from deid_audit.swap.convert import load_model, prepare_runtime
from deid_audit.swap.networks import PRESETS
from deid_audit.swap.train import train
from deid_audit.vault import Vault
from deid_audit.vault.child import CHILD_GONE
from deid_audit.vault.cipher import CiphertextFile
from tests.conftest import Portrait, Portraits
from tests.unit.swap_faces import crops_of, probe_of
from tests.unit.taught import taught_in_a_thread
from tests.unit.vault_building import failing, files_in, gone, is_there, new_vault

MODEL = "swap model of the subject"


def material_of(person: Portrait) -> Material:
    crops = crops_of(person, 4)
    points = [apply(face.frame_to_crop, person.landmarks_xy) for face in crops]
    return Material(
        crops=crops,
        portraits=crops_of(person, 2, size=320),
        attention=[attention_map(one, face.mask.shape[0]) for one, face in zip(points, crops, strict=True)],
        features=features_of(crops),
        probe=[ProbeFrame(window_rgb=person.image_rgb.copy(), landmarks_xy=person.landmarks_xy)],
        descriptors=np.ones((4, 128), np.float32),
    )


def lesson_of(portraits: Portraits, **changes: Any) -> Lesson:
    return replace(
        Lesson(
            who=("subject", "donor"), own=material_of(portraits.hopper), given=material_of(portraits.astronaut),
            preset="micro64", face_px=50.0, seconds=1.0, iterations=3, seed=7, start=None, digest_key=None,
        ),
        **changes,
    )  # fmt: skip


class Heard(SilentProgress):
    """What the person who waits is shown."""

    def __init__(self) -> None:
        self.titles: list[tuple[str, int | None]] = []
        self.done = 0
        self.noted: list[str] = []

    @contextmanager
    def step(self, title: str, total: int | None) -> Iterator["Heard"]:  # type: ignore[override]
        self.titles.append((title, total))
        yield self

    def advance(self, units: int = 1) -> None:
        self.done += units

    def note(self, text: str) -> None:
        self.noted.append(text)


def started(vault: Vault) -> TrainingProcess:
    return TrainingProcess(vault, None, device="cpu", threads=torch.get_num_threads())


def temporary_files() -> set[str]:
    return {str(path) for folder in ("/dev/shm", os.environ.get("TMPDIR", "/tmp")) for path in Path(folder).iterdir()}


def test_the_model_is_bit_for_bit_what_training_here_makes_and_the_process_is_gone(
    portraits: Portraits, tmp_path: Path
) -> None:
    lesson, heard = lesson_of(portraits), Heard()
    before = temporary_files()
    with new_vault(tmp_path) as vault:
        with started(vault) as trainee:
            told = trainee.learn(lesson, MODEL, progress=heard, keeps=False)
            pid = trainee.pid
            assert is_there(pid)
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert str(tmp_path).encode() not in arguments
            [left] = files_in(tmp_path)
            trainee.end()
        assert gone(pid, 0)
        ciphertext = left.read_bytes()
        model = load_model(vault.read(MODEL), "cpu")
    record = vault.destroy()
    assert record.complete, failing(record)
    [end] = [check for check in record.checks if check.check == CHILD_GONE]
    assert end.observed == f"process {pid} ended with status 0; no process of this number and start is left"
    assert "whether and when it did was not looked at" in record.not_shown[-1]
    held = {artefact.kind.removesuffix(", in the process that trained") for artefact in record.artefacts}
    assert held == {
        *(f"{what} of the {who}" for what in ("training tensor", "mean face", "face crops", "face shapes",
          "probe frames", "training descriptors") for who in ("subject", "donor")),
        MODEL,
    }  # fmt: skip
    assert (heard.titles, heard.done) == ([("training micro64", 3)], 3)
    assert len(heard.noted) == 3 and heard.noted[-1] == told.learned.readings[-1].text
    assert told.learned.steps == told.learned.planned_steps == 3
    assert told.learned.readings[-1].step == 3
    assert np.isfinite(told.learned.readings[-1].values["to_original_p05"])
    assert told.prepared.probe_faces == 1
    # nothing of it in plain anywhere
    weights = next(iter(model.parameters())).numpy().tobytes()
    assert weights not in ciphertext and lesson.own.crops[0].crop_rgb[40].tobytes() not in ciphertext
    new = {name for name in temporary_files() - before if Path(name).is_file()}
    assert not [name for name in new if weights[:64] in Path(name).read_bytes()]
    # the same steps in this process
    prepare_runtime("cpu")
    priors, faces = prepare_faces(lesson.own, lesson.given, PRESETS["micro64"], "cpu", face_px=50.0)
    with SilentProgress().step("", 3) as step:
        here = train(
            PRESETS["micro64"], faces, priors, steps=3, seed=7, device="cpu", probe=probe_of(), step=step
        )  # fmt: skip
    pairs = list(zip(here.model.state_dict().items(), model.state_dict().items(), strict=True))
    assert len(pairs) == 24
    for (name, mine), (_, theirs) in pairs:
        assert torch.equal(mine, theirs), name
    for side, prior in here.model.priors.items():
        for mine, theirs in zip(prior.arrays(), model.priors[side].arrays(), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_a_process_that_dies_is_one_clear_error(portraits: Portraits, tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault, started(vault) as trainee:
        os.kill(trainee.pid, signal.SIGKILL)
        with pytest.raises(StageError, match=r"the process that trains the model was ended by SIGKILL$") as caught:
            trainee.learn(lesson_of(portraits), MODEL, progress=Heard(), keeps=False)
        assert "memory ran out" in caught.value.next_step
        trainee.end()
    record = vault.destroy()
    assert failing(record) == [CHILD_GONE] and not record.complete
    assert any("ended with status -9; no process" in check.observed for check in record.checks)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interruption_while_it_works_ends_it(
    portraits: Portraits, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """The signal comes while the run waits for the process, which a terminal's Ctrl-C does not reach."""
    stop = threading.Timer(0.5, lambda: os.kill(os.getpid(), number))
    with pytest.raises(Interrupted) as caught, interruptible(), new_vault(tmp_path) as vault, started(vault) as trainee:
        assert os.getpgid(trainee.pid) != os.getpgid(0)
        stop.start()
        trainee.learn(lesson_of(portraits, iterations=10_000), MODEL, progress=Heard(), keeps=False)
    assert caught.value.exit_code == code
    assert gone(trainee.pid, 0)
    assert not (tmp_path / "vault").exists()


def test_our_errors_arrive_as_they_were_raised(
    portraits: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = replace(material_of(portraits.hopper), probe=[])
    with (
        pytest.raises(NotEnoughFaces, match="no held-out frame shows a face") as caught,
        taught_in_a_thread(monkeypatch, tmp_path) as (_, trainee),
    ):
        trainee.learn(lesson_of(portraits, own=nobody), MODEL, progress=Heard(), keeps=False)
    assert caught.value.next_step == "give more videos of the subject"
    assert caught.value.exit_code == 3


def test_a_defect_is_told_with_its_place_and_its_traceback(
    portraits: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("somebody's name")

    monkeypatch.setattr(learning, "make_probe", broken)
    with (
        pytest.raises(DefectElsewhere, match=r"(?s)Traceback.*somebody's name") as caught,
        taught_in_a_thread(monkeypatch, tmp_path) as (_, trainee),
    ):
        trainee.learn(lesson_of(portraits), MODEL, progress=Heard(), keeps=False)
    words = describe_defect(caught.value)
    assert words.startswith("RuntimeError in deid_audit/pipeline/learning.py, line ") and "name" not in words


def test_what_was_handed_over_is_wiped_there_and_two_lessons_leave_two_models(
    portraits: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Lesson] = []
    whole = learning._learn
    monkeypatch.setattr(learning, "_learn", lambda lesson, *rest: (taken.append(lesson), whole(lesson, *rest)))
    lesson, heard = lesson_of(portraits), Heard()
    with taught_in_a_thread(monkeypatch, tmp_path) as (_, trainee):
        for number in (2, 3):
            who = (f"person {number}", f"other donor {number}")
            again = replace(lesson, who=who, iterations=1)
            trainee.learn(again, f"swap model of the person {number}", progress=heard, keeps=False)
        trainee.end()
        assert len(files_in(tmp_path)) == 2
    assert heard.titles == [("training micro64, person 2", 1), ("training micro64, person 3", 1)]
    assert [one.who[0] for one in taken] == ["person 2", "person 3"]
    for one in taken:
        for who, theirs, mine in (("s", one.own, lesson.own), ("d", one.given, lesson.given)):
            for after, before in zip(shown(who, theirs).values(), shown(who, mine).values(), strict=True):
                assert [array.shape for array in after] == [array.shape for array in before]
                assert any(array.any() for array in before) and not any(array.any() for array in after)


def test_the_storages_fault_is_the_runs(portraits: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process writes no file: a full disk is met here, and leaves nothing."""

    def full(self: CiphertextFile, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(CiphertextFile, "write", full)
    with taught_in_a_thread(monkeypatch, tmp_path) as (_, trainee):
        with pytest.raises(VaultError, match="to storage: No space left on device"):
            trainee.learn(lesson_of(portraits, iterations=1), MODEL, progress=Heard(), keeps=False)
        assert files_in(tmp_path) == []
