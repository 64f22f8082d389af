"""A run with `--resume-key`: what a checkpoint is bound to, who refuses it, and its end for each way of leaving."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
import torch

from deid_audit.errors import DeidAuditError, Interrupted, SettingsError, StageError
from deid_audit.pipeline import learning, training
from deid_audit.pipeline import resuming as resuming_module
from deid_audit.pipeline.job import Job
from deid_audit.pipeline.resuming import Kept, Resuming, bound_to, destroyed, resumable
from deid_audit.pipeline.training import train_pair
from deid_audit.policy import load_policy
from deid_audit.progress import SilentProgress
from deid_audit.settings import RunSettings
from deid_audit.swap.checkpoint import Binding, faces_digest, load_state, save_state
from deid_audit.swap.train import Faces, Priors, ProbeReading, TrainState, train
from deid_audit.vault import Checkpoint
from tests.conftest import Portraits
from tests.unit.swap_faces import probe_of
from tests.unit.taught import taught_in_a_thread
from tests.unit.test_training import _Heard, _material
from tests.unit.vault_building import files_in, new_vault, next_checkpoint

ENVIRONMENT = {"deid-audit": "0.1.0", "torch": "2", "device": "cpu", "threads": "2"}


def settings_of(folder: Path, **changes: Any) -> RunSettings:
    for name in ("s.mp4", "d.mp4", "p.png"):
        if not (folder / name).exists():
            (folder / name).write_bytes(name.encode())
    values = {
        "subjects": (folder / "s.mp4",), "donors": (folder / "d.mp4",), "policy": "release", "out": folder / "out",
        "case_id": "c", "resume_key": folder / "its.key", "iterations": 12,
    }  # fmt: skip
    return RunSettings(**cast(Any, values | changes))


def job_of(policy: str = "release", **environment: str) -> Job:
    heard = _Heard()
    facts = {"policy": load_policy(policy), "environment": ENVIRONMENT | environment, "device": "cpu"}
    return cast(Job, SimpleNamespace(**facts, progress=heard))


def a_state() -> TrainState:
    return TrainState(
        model={"w": torch.rand(5)}, average={"w": torch.rand(5)}, generator=torch.ones(3, dtype=torch.uint8),
        optimiser={"state": {0: {"step": torch.tensor(6.0)}}, "param_groups": []}, step=6, planned_steps=12,
        seconds=1.5, readings=(ProbeReading(step=6, values={"r": float("nan")}, lacking=("a", "b"), text="t"),),
    )  # fmt: skip


def begin(resuming: Resuming, pair: Faces, priors: Priors, preset: str = "micro64") -> Kept | None:
    resuming.find()
    key = resuming.digest_key
    return resuming.take_up(preset, None if key is None else faces_digest(pair, priors, key), SilentProgress())


def save(resuming: Resuming, state: TrainState) -> None:
    with next_checkpoint(resuming.kept) as stream:
        save_state(state, resuming.binding, cast(BinaryIO, stream))


def kept(folder: Path, pair: Faces, priors: Priors) -> dict[str, bytes]:
    """Leaves what a run that was killed after its first probe leaves."""
    with pytest.raises(Interrupted), resumable(settings_of(folder), job_of()) as resuming:
        assert resuming is not None
        assert begin(resuming, pair, priors) is None
        save(resuming, a_state())
        raise Interrupted("stopped", exit_code=130)
    return {name: (folder / name).read_bytes() for name in ("out.checkpoint", "its.key")}


def left(folder: Path) -> set[str]:
    return {path.name for path in files_in(folder)} - {"s.mp4", "d.mp4", "p.png", "other.mp4"}


def test_without_the_option_nothing_is_kept_and_an_earlier_checkpoint_is_in_the_way(tmp_path: Path) -> None:
    with resumable(settings_of(tmp_path, resume_key=None), job_of()) as resuming:
        assert resuming is None
    assert left(tmp_path) == set()
    (tmp_path / "out.checkpoint").write_bytes(b"x")
    with pytest.raises(SettingsError, match="of an earlier run") as caught:
        resumable(settings_of(tmp_path, resume_key=None), job_of()).__enter__()
    assert "--resume-key" in caught.value.next_step


def test_an_interruption_leaves_both_files_and_says_so(pair: Faces, priors: Priors, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught, resumable(settings_of(tmp_path), job_of()) as resuming:
        assert resuming is not None
        begin(resuming, pair, priors)
        save(resuming, a_state())
        raise Interrupted("stopped", exit_code=143)
    assert left(tmp_path) == {"out.checkpoint", "its.key"}
    for words in (
        str(tmp_path / "out.checkpoint"),
        str(tmp_path / "its.key"),
        "rebuild the subject's face",
        "delete it and its key file",
        "goes on",
    ):
        assert words in caught.value.next_step


def test_an_interruption_before_the_first_checkpoint_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught, resumable(settings_of(tmp_path), job_of()):
        assert left(tmp_path) == {"its.key"}
        raise Interrupted("stopped", exit_code=143)
    assert left(tmp_path) == set()
    assert not caught.value.next_step


def test_what_it_goes_on_from_is_known_and_its_plaintext_wiped_at_once(
    pair: Faces, priors: Priors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process that trains reads the checkpoint again, for itself."""
    kept(tmp_path, pair, priors)
    loaded: list[TrainState] = []

    def load(stream: BytesIO) -> tuple[TrainState, Binding]:
        state, binding = load_state(stream)
        assert all(tensor.any() for tensor in state.tensors())
        loaded.append(state)
        return state, binding

    monkeypatch.setattr(resuming_module, "load_state", load)
    with resumable(settings_of(tmp_path), job_of()) as resuming:
        assert resuming is not None
        assert begin(resuming, pair, priors) == Kept(step=6, planned_steps=12)
        assert not any(tensor.any() for tensor in loaded[0].tensors())
        with new_vault(tmp_path / "memory") as vault:
            record = destroyed(vault, resuming)
    assert record.key_on_disk and record.complete
    assert left(tmp_path) == set()


CHANGES: dict[str, tuple[dict[str, Any], dict[str, str], str]] = {
    "seed": ({"seed": 1}, {}, "another: seed$"),
    "steps": ({"iterations": 13}, {}, "number of steps"),
    "time": ({"iterations": None, "train_seconds": 9.0}, {}, "number of steps.*, time for training"),
    "subject": ({"subjects": ("other.mp4",)}, {}, "subject videos$"),
    "one more": ({"subjects": ("s.mp4", "other.mp4")}, {}, "subject videos$"),
    "donor": ({"donors": ("other.mp4",)}, {}, "donor$"),
    "photo": ({"subject_photo": "p.png"}, {}, "photo of the subject$"),
    "track": ({"subject_tracks": ((1, 0),)}, {}, "subject's tracks$"),
    "torch": ({}, {"torch": "3"}, "version of torch$"),
    "tool": ({}, {"deid-audit": "0.2"}, "version of deid-audit$"),
    "device": ({}, {"device": "cuda"}, "device$"),
    "threads": ({}, {"threads": "1"}, "threads$"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_anything_else_is_refused_and_nothing_is_lost(pair: Faces, priors: Priors, tmp_path: Path, case: str) -> None:
    before = kept(tmp_path, pair, priors)
    (tmp_path / "other.mp4").write_bytes(b"other")
    changes, environment, words = CHANGES[case]
    paths = {
        name: tuple(tmp_path / one for one in value) if isinstance(value, tuple) else tmp_path / value
        for name, value in changes.items() if name in ("subjects", "donors", "subject_photo")
    }  # fmt: skip
    with (
        pytest.raises(SettingsError, match=words) as caught,
        resumable(settings_of(tmp_path, **changes | paths), job_of(**environment)) as resuming,
    ):
        assert resuming is not None
        resuming.find()
    assert caught.value.exit_code == 2 and "delete" in caught.value.next_step
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_other_faces_and_another_preset_are_refused_and_nothing_is_lost(
    pair: Faces, priors: Priors, tmp_path: Path
) -> None:
    before = kept(tmp_path, pair, priors)
    swapped: Faces = {"subject": pair["donor"], "donor": pair["subject"]}
    for faces, preset, words in ((swapped, "micro64", "faces found$"), (pair, "lite64", "another: preset$")):
        with pytest.raises(SettingsError, match=words), resumable(settings_of(tmp_path), job_of()) as resuming:
            assert resuming is not None
            begin(resuming, faces, priors, preset)
        assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_on_cuda_the_same_videos_are_enough(pair: Faces, priors: Priors, tmp_path: Path) -> None:
    job = job_of()
    object.__setattr__(job, "device", "cuda")
    for expected in (None, 6):
        faces = pair if expected is None else {"subject": pair["donor"], "donor": pair["subject"]}
        with pytest.raises(Interrupted), resumable(settings_of(tmp_path), job) as resuming:
            assert resuming is not None
            found = begin(resuming, faces, priors)
            assert (None if found is None else found.step) == expected
            save(resuming, a_state())
            raise Interrupted("stopped", exit_code=130)


def test_digests_of_the_inputs_are_keyed_and_so_no_one_can_link_them(tmp_path: Path) -> None:
    first, again, other = (bound_to(settings_of(tmp_path), ENVIRONMENT, key * 32) for key in ("aa", "aa", "bb"))
    assert first == again
    assert first["subject videos"] != other["subject videos"]
    assert len(first["subject videos"]) == 64


def test_an_input_that_is_gone_is_told(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    (tmp_path / "s.mp4").unlink()
    with pytest.raises(DeidAuditError, match="cannot be read any more") as caught:
        bound_to(settings, ENVIRONMENT, "aa" * 32)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("error", [StageError, ValueError, SystemExit])
def test_an_error_after_training_began_destroys_both(
    pair: Faces, priors: Priors, tmp_path: Path, error: type[BaseException]
) -> None:
    kept(tmp_path, pair, priors)
    job = job_of()
    with pytest.raises(error), resumable(settings_of(tmp_path), job) as resuming:
        assert resuming is not None
        begin(resuming, pair, priors)
        raise error("x")
    assert left(tmp_path) == set()
    assert cast(Any, job.progress).said == []


def test_what_could_not_be_destroyed_is_told(
    pair: Faces, priors: Priors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = job_of()
    with pytest.raises(StageError), resumable(settings_of(tmp_path), job) as resuming:
        assert resuming is not None
        begin(resuming, pair, priors)
        save(resuming, a_state())
        (tmp_path / "its.key").rename(tmp_path / "moved.key")
        raise StageError("x")
    [said] = cast(Any, job.progress).said
    assert "not all of the checkpoint could be destroyed" in said and str(tmp_path / "its.key") in said


def test_an_error_before_training_leaves_an_earlier_checkpoint_and_takes_a_new_key(
    pair: Faces, priors: Priors, tmp_path: Path
) -> None:
    with pytest.raises(StageError), resumable(settings_of(tmp_path), job_of()):
        raise StageError("x")
    assert left(tmp_path) == set()
    before = kept(tmp_path, pair, priors)
    with pytest.raises(StageError), resumable(settings_of(tmp_path), job_of()):
        raise StageError("x")
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_policy_that_allows_no_key_in_a_file_refuses_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="policy strict allows no key") as caught:
        resumable(settings_of(tmp_path), job_of("strict")).__enter__()
    assert caught.value.exit_code == 2 and caught.value.next_step
    assert left(tmp_path) == set()


def test_without_a_checkpoint_the_record_is_the_vaults(tmp_path: Path) -> None:
    with new_vault(tmp_path) as vault:
        record = destroyed(vault, None)
    assert record is vault.destroy() and not record.key_on_disk


@pytest.mark.usefixtures("one_thread")
def test_a_resumed_pair_takes_its_steps_from_the_checkpoint(
    portraits: Portraits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A time budget is timed once; the run that goes on is asked for no timing, and ends as the whole one did."""
    subject = SimpleNamespace(average=np.zeros(128, np.float32))
    timed: list[int] = []

    def pair_of(folder: Path, stop: int | None) -> Any:
        own, given = _material(portraits.hopper), _material(portraits.astronaut, large=2)
        donor = SimpleNamespace(pack=None, average=np.ones(128, np.float32), material=lambda *_, **__: given)
        settings = settings_of(folder, iterations=None, train_seconds=3.0)
        written: list[int] = []

        @contextmanager
        def take(self: Checkpoint) -> Iterator[Any]:
            with whole(self) as file:
                yield file
            written.append(1)
            if len(written) == stop:
                raise Interrupted("stopped", exit_code=130)

        monkeypatch.setattr(training, "gather_subject", lambda *_, **__: own)
        monkeypatch.setattr(Checkpoint, "take", take)
        with (
            resumable(settings, job_of()) as resuming,
            taught_in_a_thread(monkeypatch, folder / "memory", resuming) as (vault, trainee),
        ):
            assert resuming is not None
            resuming.find()
            pair = train_pair(
                *cast(Any, (subject, donor)), settings=settings, vault=vault, trainee=trainee,
                progress=SilentProgress(), device="cpu", engines=cast(Any, SimpleNamespace(recognizer=None)),
                resuming=resuming,
            )  # fmt: skip
            trainee.end()
            return pair, [weights.clone() for weights in pair.model.parameters()]

    whole = Checkpoint.take
    monkeypatch.setattr(training, "face_height", lambda _: 50.0)
    monkeypatch.setattr(learning, "make_probe", lambda *_: SimpleNamespace(frames=()))
    monkeypatch.setattr(learning, "train", lambda *a, **more: train(*a, **more | {"probe": probe_of()}))
    monkeypatch.setattr(learning, "steps_for", lambda *_: timed.append(1) or 5)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    undisturbed, expected = pair_of(tmp_path / "a", None)
    with pytest.raises(Interrupted):
        pair_of(tmp_path / "b", 2)
    assert len(timed) == 2
    resumed, got = pair_of(tmp_path / "b", None)
    assert len(timed) == 2
    assert (undisturbed.facts["resumed_after_step"], resumed.facts["resumed_after_step"]) == (None, 2)
    assert (resumed.facts["steps"], resumed.facts["planned_steps"]) == (5, 5)
    assert all(weights.any() for weights in got)
    for one, other in zip(got, expected, strict=True):
        assert torch.equal(one, other)
