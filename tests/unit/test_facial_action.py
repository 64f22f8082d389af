"""Action units and blendshapes beside a comparison of movement; MediaPipe's task is a stand-in, no model file is here.

Skipped is what only a real FaceLandmarker model could show: that MediaPipe reads it and names its scores so.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deid_audit.errors import SettingsError, TableFileError
from deid_audit.frames import Frame, Image
from deid_audit.measure.exam.action_units import compare_action_units
from deid_audit.pipeline.facial_action import blendshape_table, table_agreement
from deid_audit.pipeline.tracing import Person
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import SourceVideo
from deid_audit.vision import blendshapes
from deid_audit.vision.blendshapes import Blendshapes
from tests.fakes import make_video_facts
from tests.unit.test_exam_tables import openface

COUNT = 24


class StandIn:
    """Answers as FaceLandmarker does: jawOpen is the picture's brightness; a black picture shows nobody."""

    closed = False

    def detect(self, picture: Any) -> Any:
        level = float(picture.numpy_view().mean()) / 255
        shapes = [
            SimpleNamespace(category_name="jawOpen", score=level),
            SimpleNamespace(category_name="_neutral", score=0.1),
        ]
        seen = level > 0
        return SimpleNamespace(face_landmarks=[[]] if seen else [], face_blendshapes=[shapes] if seen else [])

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Blendshapes:
    monkeypatch.setattr(blendshapes, "_landmarker", lambda data: StandIn())
    (tmp_path / "face.task").write_bytes(b"a stand-in")
    return Blendshapes(tmp_path / "face.task")


def frames(dark: int = -1) -> Iterator[Frame]:
    for index in range(COUNT):
        image: Image = np.full((60, 80, 3), 0 if index == dark else 10 * (1 + index % 12), np.uint8)
        yield Frame(index=index, pts=index, image_rgb=image)


def table(model: Blendshapes, dark: int = -1) -> Any:
    source = SourceVideo(
        path=Path("no.mp4"), label="a video", facts=make_video_facts(frame_count=COUNT),
        time_base=Fraction(1, 25), pts=tuple(range(COUNT)),
    )  # fmt: skip
    boxes = np.tile(np.array([20, 10, 50, 45], np.float32), (COUNT, 1))
    boxes[5] = np.nan
    person = Person(boxes=boxes, turns=np.zeros(COUNT, np.float32), others=False, window_xyxy=None)
    rows = np.arange(2, COUNT)
    return blendshape_table(source, frames(dark), person, rows, model, "tests", SilentProgress())


def test_scores_stand_at_the_compared_frames_and_agree_with_themselves(model: Blendshapes) -> None:
    one, other = table(model), table(model, dark=8)
    assert len(one.frames) == COUNT - 2 and one.scale == "0 to 1"
    assert one.units["jawOpen"][0] == pytest.approx(30 / 255) and np.isnan(one.units["jawOpen"][3])
    assert np.isnan(other.units["jawOpen"][6])
    found = {value.name: value for value in compare_action_units(one, other)}
    assert found["jawopen_pcc"].value == pytest.approx(1) and found["jawopen_rmse"].value == 0
    assert found["jawopen_pcc"].sample_size == COUNT - 4


def test_a_model_that_is_missing_or_none_is_refused_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="the blendshape model: No such file") as missing:
        Blendshapes(tmp_path / "Mustermann.task")
    assert "Mustermann" not in str(missing.value) and missing.value.next_step
    (tmp_path / "no.task").write_bytes(b"no model")
    with pytest.raises(SettingsError, match=r"no FaceLandmarker \.task file"):
        Blendshapes(tmp_path / "no.task")


def test_a_model_without_blendshapes_is_refused(model: Blendshapes, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = SimpleNamespace(face_landmarks=[[]], face_blendshapes=[])
    monkeypatch.setattr(StandIn, "detect", lambda self, picture: bare)
    with pytest.raises(SettingsError, match="landmarks and no blendshapes"):
        table(model)


def test_two_tables_of_action_units_are_compared_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    ramp = [(1.0, k / 10) for k in range(13)]
    one, other = openface(tmp_path, ramp, "a.csv"), openface(tmp_path, [(a, b + 1) for a, b in ramp], "b.csv")
    found = {value.name: value.value for value in table_agreement((one, other))}
    assert found["au12_pcc"] == pytest.approx(1) and found["au12_rmse"] == pytest.approx(1)
    (tmp_path / "c.csv").write_text("frame\n1\n")
    with pytest.raises(TableFileError):
        table_agreement((one, tmp_path / "c.csv"))
