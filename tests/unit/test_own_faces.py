"""What a reviewer clears is looked at once more: a face of the videos' people stays undecided, a wall does not."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deid_audit.frames import Float, Image
from deid_audit.ledger import State
from deid_audit.pipeline import own_faces
from deid_audit.pipeline.own_faces import refuse_own_faces
from deid_audit.review.applying import Orders, orders_of
from deid_audit.video.reader import SourceVideo, open_video
from tests.e2e.short_clips import write_pictures
from tests.unit.readings import FALSE_FIND, decided, ledger, reading, region

BOX = (20.0, 20.0, 60.0, 60.0)
SUBJECT = np.zeros(128, np.float32)


class Recognizer:
    """Every chip's descriptor lies at the next distance of the script from the subject's; None: no chip."""

    def __init__(self, *distances: float | None) -> None:
        self.distances = list(distances)

    def chip(self, image_rgb: Image, box_xyxy: Float, landmarks_xy: Float | None) -> Image | None:
        return None if self.distances[0] is None else image_rgb

    def describe(self, chips: Sequence[Image | None]) -> Float:
        rows = np.full((len(chips), 128), np.nan, np.float32)
        for row, _ in zip(rows, chips, strict=True):
            distance = self.distances.pop(0)
            if distance is not None:
                row[:] = 0
                row[0] = distance
        return rows


class Mesh:
    def __init__(self, *, video: bool) -> None: ...

    def landmarks(self, image_rgb: Image, box_xyxy: Float) -> None: ...

    def close(self) -> None: ...


@pytest.fixture
def film(tmp_path: Path) -> SourceVideo:
    path = write_pictures(tmp_path / "v.mp4", [np.full((120, 160, 3), 99, np.uint8)] * 4)
    return open_video(path, label="released video 1")


def engines(*distances: float | None, seen: int = 0) -> Any:
    boxes = np.tile(np.array(BOX, np.float32), (seen, 1)).reshape(-1, 4)
    return SimpleNamespace(
        recognizer=Recognizer(*distances),
        audit=SimpleNamespace(see=lambda image, index: SimpleNamespace(boxes_xyxy=boxes)),
        second=SimpleNamespace(detect=lambda image: SimpleNamespace(boxes_xyxy=boxes[:0])),
    )


def cleared() -> Orders:
    find = region(State.UNDECIDED, FALSE_FIND, track_id=None, is_subject=False, box_xyxy=BOX)
    return orders_of([reading(decided("clear", 1, 2))], [ledger([], [find], [find], cleared_by=("a", "b"))])


@pytest.mark.parametrize(("distance", "stays"), [(0.59, False), (0.61, True), (None, True)])
def test_a_face_near_anybody_of_the_videos_is_not_cleared(
    distance: float | None, stays: bool, film: SourceVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_faces, "FaceMesh", Mesh)
    left = refuse_own_faces(cleared(), [film], [SUBJECT + 9, SUBJECT], engines(0.9, distance))
    assert [*left.clears] == [(1, 1), (1, 2)][: 2 if stays else 1], "frame 2 is the one that the script makes near"
    if not stays:
        [told] = left.refused
        assert told.startswith("decision 1 (clear; video 1, frames 1 to 2): in frame 2 the face there measures as")


def test_in_a_frame_without_regions_every_face_that_is_seen_is_looked_at(
    film: SourceVideo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_faces, "FaceMesh", Mesh)
    whole = orders_of([reading(decided("clear", 0))], [ledger([], cleared_by=("a",))])
    assert whole.clears
    assert not refuse_own_faces(whole, [film], [SUBJECT], engines(0.9, 0.3, seen=2)).clears
    assert refuse_own_faces(whole, [film], [SUBJECT], engines(0.9, 0.8, seen=2)).clears
    assert refuse_own_faces(whole, [film], [SUBJECT], engines(seen=0)).clears


def test_without_a_clear_no_video_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_faces, "FaceMesh", Mesh)
    nothing: Any = SimpleNamespace(path=Path("there is none"), label="none")
    assert refuse_own_faces(Orders(), [nothing], [SUBJECT], engines()) == Orders()
