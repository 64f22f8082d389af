"""Strangers: what a folder may hold, who counts twice, and who is left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest

from deid_audit.errors import SettingsError
from deid_audit.frames import Float
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.strangers import _people_in, _Person, _told_apart, gather_strangers, refuse_bad_folder
from deid_audit.progress import SilentProgress, Step
from tests.conftest import Portraits


@dataclass
class Saying(SilentProgress):
    """Keeps what was said, and which steps were shown."""

    said: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, title: str, total: int | None) -> Iterator[Step]:
        self.steps.append(title)
        with super().step(title, total) as step:
            yield step

    def say(self, text: str) -> None:
        self.said.append(text)


@dataclass
class Nobody:
    """A subject who looks like nobody, alone in the videos."""

    average: Float = field(default_factory=lambda: np.full(128, 9, np.float32))
    others: tuple[()] = ()


def someone(seed: int, noise: float = 0.0) -> _Person:
    centre = np.random.default_rng(seed).normal(size=128)
    row = centre / np.linalg.norm(centre) * 0.6 + noise
    return _Person(rows=row[None].astype(np.float32), source="given")


def test_who_was_filed_twice_counts_once() -> None:
    kept, twice = _told_apart([someone(1), someone(2), someone(1, 0.01), someone(3)])
    assert (len(kept), twice) == (3, 1)


def test_a_file_is_a_person_and_a_folder_is_one(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.PNG", "c.mp4", "notes.txt", "dora/1.jpg", "dora/2.jpg", "empty/readme.md"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    assert [[path.name for path in files] for files in _people_in(tmp_path)] == [
        ["a.jpg"], ["b.PNG"], ["c.mp4"], ["1.jpg", "2.jpg"],
    ]  # fmt: skip
    refuse_bad_folder(tmp_path)


def test_a_folder_that_is_none_or_holds_nobody_is_refused_before_any_work(tmp_path: Path) -> None:
    for folder, words in ((tmp_path / "nowhere", "not a folder"), (tmp_path, "no picture and no video")):
        with pytest.raises(SettingsError, match=words):
            refuse_bad_folder(folder)


def test_portraits_are_described_and_what_cannot_be_used_is_counted(
    engines: Engines, portraits: Portraits, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "again.png"), portraits.hopper.image_rgb[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((80, 80, 3), 120, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    progress = Saying()
    found = gather_strangers(  # type: ignore[arg-type]
        tmp_path, Nobody(), None, engines=engines, progress=progress, outsider="nobody swaps here"
    )
    assert progress.steps == ["strangers"]
    assert found.sources == ("shipped portraits", "shipped portraits")  # the given one is one of the two
    assert all(chips for chips in found.inside) and found.left_out == 0
    said = " ".join(progress.said)
    assert "3 of 4 given strangers show no single face" in said and "1 given strangers look like another" in said
    like_hopper = Nobody(average=found.rows[0].mean(axis=0))
    without = gather_strangers(  # type: ignore[arg-type]
        None, like_hopper, None, engines=engines, progress=progress, outsider="nobody swaps here"
    )
    assert (len(without.rows), without.left_out) == (1, 1)
    assert progress.steps == ["strangers"], "no folder was given, and no step is shown"
