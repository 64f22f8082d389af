"""Heads by bodies: a real person's head holds the face, once for each person; what is no person has none."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest

from deid_audit.errors import StageError
from deid_audit.vision.heads import HeadFinder
from tests.conftest import Portraits


@pytest.fixture(scope="module")
def finder() -> Iterator[HeadFinder]:
    found = HeadFinder()
    yield found
    found.close()


def test_the_head_of_a_person_holds_the_face(portraits: Portraits, finder: HeadFinder) -> None:
    for portrait in portraits:
        head = finder.find(portrait.image_rgb).boxes_xyxy[0]
        assert (head[:2] <= portrait.box_xyxy[:2]).all() and (portrait.box_xyxy[2:] <= head[2:]).all()
        assert np.ptp(head[[1, 3]]) < 2.2 * np.ptp(portrait.box_xyxy[[1, 3]])


def test_a_plain_frame_holds_no_head(finder: HeadFinder) -> None:
    assert not len(finder.find(np.full((300, 500, 3), 90, np.uint8), several=True).boxes_xyxy)


def test_squares_find_each_head_once(portraits: Portraits, finder: HeadFinder) -> None:
    wide = np.full((512, 1300, 3), 118, np.uint8)
    wide[:, :512] = wide[:, 760:1272] = portraits.astronaut.image_rgb
    heads = finder.find(wide, several=True).boxes_xyxy
    assert len(heads) == 2
    for left in (0, 760):
        face = portraits.astronaut.box_xyxy + np.float32((left, 0, left, 0))
        assert any((head[:2] <= face[:2]).all() and (face[2:] <= head[2:]).all() for head in heads)


def test_values_that_are_not_numbers_stop_the_run(finder: HeadFinder, monkeypatch: pytest.MonkeyPatch) -> None:
    point = SimpleNamespace(x=float("nan"), y=0.5)
    person = SimpleNamespace(score=[0.9], location_data=SimpleNamespace(relative_keypoints=[point] * 4))
    graph = SimpleNamespace(process=lambda image: SimpleNamespace(detections=[person]))
    monkeypatch.setattr(finder, "_graph", graph)
    with pytest.raises(StageError, match="not numbers"):
        finder.find(np.zeros((20, 20, 3), np.uint8))
