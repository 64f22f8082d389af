"""Hands around a face: found on a real clip, not found on portraits."""

from collections.abc import Iterator

import numpy as np
import pytest

from deid_audit.frames import Frame
from deid_audit.render.occlusion import comes_from_outside
from deid_audit.video.reader import open_video, read_frames
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.hands import HAND_LANDMARK_COUNT, HandFinder
from deid_audit.vision.mesh import FACE_OVAL, FaceMesh
from tests.conftest import Portraits
from tests.sample_clips import sample


@pytest.fixture
def finder() -> Iterator[HandFinder]:
    made = HandFinder()
    yield made
    made.close()


def test_a_portrait_has_no_hand_in_front_of_its_face(portraits: Portraits, finder: HandFinder) -> None:
    for person in portraits:
        outline = person.landmarks_xy[list(FACE_OVAL)]
        for _ in range(3):
            assert not any(comes_from_outside(hand, outline) for hand in finder.find(person.image_rgb, person.box_xyxy))


def test_a_box_of_no_size_has_no_hands(portraits: Portraits, finder: HandFinder) -> None:
    assert finder.find(portraits.hopper.image_rgb, np.float32((10, 10, 11, 11))) == []


@pytest.mark.samples
def test_a_thumb_in_front_of_a_real_face_is_found_and_comes_from_outside(
    finder: HandFinder, static_mesh: FaceMesh
) -> None:
    clip = sample("hard_occlusion/mediapipe_womanI_thumb_over_face.mp4")
    frames: dict[int, Frame] = {}
    for frame in read_frames(open_video(clip, label="clip")):
        frames[frame.index] = frame
        if frame.index == 104:
            break
    box = MediaPipeDetector().detect(frames[0].image_rgb).boxes_xyxy[0]
    assert finder.find(frames[0].image_rgb, box) == []
    for index in (100, 102, 104):
        image = frames[index].image_rgb
        found = finder.find(image, box)
        points = static_mesh.landmarks(image, box)
        assert points is not None
        outline = points[list(FACE_OVAL), :2]
        assert len(found) == 1
        assert found[0].shape == (HAND_LANDMARK_COUNT, 2)
        assert comes_from_outside(found[0], outline)
        thumb_x, thumb_y = found[0][4]
        assert outline[:, 0].min() < thumb_x < outline[:, 0].max()
        assert outline[:, 1].min() < thumb_y < outline[:, 1].max()
