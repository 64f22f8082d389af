"""Face landmarks on small, turned and absent faces; body keypoints in COCO's order."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from deid_audit.vision.mesh import FACE_OVAL, FIVE_POINTS, LANDMARK_COUNT, FaceMesh, box_of
from deid_audit.vision.pose import PoseTracker
from tests.conftest import Portraits

LEFT_EYE, RIGHT_EYE = 1, 2
LEFT_SHOULDER, RIGHT_SHOULDER = 5, 6


@pytest.mark.parametrize("face_px", [20, 30, 60])
def test_small_faces_get_landmarks(portraits: Portraits, static_mesh: FaceMesh, face_px: int) -> None:
    for person in portraits:
        small = person.resized(face_px / float(np.ptp(person.box_xyxy[[1, 3]])))
        assert abs(float(np.ptp(small.box_xyxy[[1, 3]])) - face_px) < 1
        points = static_mesh.landmarks(small.image_rgb, small.box_xyxy)
        assert points is not None
        assert points.shape == (LANDMARK_COUNT, 3)
        assert points.dtype == np.float32
        assert np.abs(points[:, :2] - small.landmarks_xy).mean() < 0.03 * face_px


def test_nobody_has_no_landmarks(static_mesh: FaceMesh) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (240, 240, 3), dtype=np.uint8)
    box = np.float32((60, 60, 180, 180))
    assert static_mesh.landmarks(np.zeros_like(noise), box) is None
    assert static_mesh.landmarks(noise, box) is None


def test_a_box_too_small_to_hold_a_face_has_no_landmarks(portraits: Portraits, static_mesh: FaceMesh) -> None:
    left, top = portraits.hopper.box_xyxy[:2]
    assert static_mesh.landmarks(portraits.hopper.image_rgb, np.float32((left, top, left + 2, top + 2))) is None


@pytest.mark.parametrize("degrees", [30.0, -30.0, 90.0, -90.0])
def test_a_turned_head_is_found_by_turning_the_crop(
    portraits: Portraits, static_mesh: FaceMesh, degrees: float
) -> None:
    for person in portraits:
        height, width = person.image_rgb.shape[:2]
        centre = tuple(float(v) for v in (person.box_xyxy[:2] + person.box_xyxy[2:]) / 2)
        turn = cv2.getRotationMatrix2D(centre, -degrees, 1.0)
        tilted = cv2.warpAffine(person.image_rgb, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
        truth = person.landmarks_xy @ turn[:, :2].T + turn[:, 2]
        points = static_mesh.landmarks(tilted, box_of(truth), turn_degrees=degrees)
        assert points is not None
        face_px = float(np.ptp(person.box_xyxy[[1, 3]]))
        assert np.abs(points[:, :2] - truth).mean() < 0.01 * face_px
        # a mesh that came back in the turned crop's coordinates would be this far off
        assert np.abs(person.landmarks_xy - truth).mean() > 0.05 * face_px


def test_depth_is_in_pixels_and_the_nose_is_nearest(portraits: Portraits, static_mesh: FaceMesh) -> None:
    one, half = portraits.hopper, portraits.hopper.resized(0.5)
    depth = static_mesh.landmarks(one.image_rgb, one.box_xyxy)
    depth_half = static_mesh.landmarks(half.image_rgb, half.box_xyxy)
    assert depth is not None
    assert depth_half is not None
    assert depth[1, 2] < depth[list(FACE_OVAL), 2].min()
    assert np.ptp(depth_half[:, 2]) == pytest.approx(np.ptp(depth[:, 2]) / 2, rel=0.1)


def test_the_named_points_are_where_their_names_say(portraits: Portraits) -> None:
    for person in portraits:
        points = person.landmarks_xy
        outer_right, inner_right, outer_left, inner_left, nose = points[list(FIVE_POINTS)]
        assert outer_left[0] < inner_left[0] < nose[0] < inner_right[0] < outer_right[0]
        assert nose[1] > max(inner_left[1], inner_right[1])
        outline = points[list(FACE_OVAL)]
        inside = np.delete(points, FACE_OVAL, axis=0)
        hull = cv2.convexHull(outline)
        assert min(cv2.pointPolygonTest(hull, tuple(map(float, point)), True) for point in inside) > -2


def test_box_of_holds_all_points() -> None:
    np.testing.assert_array_equal(box_of(np.float32([[3, 9], [5, 1], [4, 4]])), np.float32([3, 1, 5, 9]))


@pytest.fixture
def tracker() -> Iterator[PoseTracker]:
    pose = PoseTracker()
    yield pose
    pose.close()


def test_keypoints_are_in_cocos_order(portraits: Portraits, tracker: PoseTracker) -> None:
    person = portraits.astronaut
    pose = tracker.track(person.image_rgb)
    assert pose is not None
    points = pose.keypoints
    assert points.shape == (17, 3)
    # left is the person's own: on the right of the picture of somebody who looks at the camera
    assert points[LEFT_SHOULDER, 0] > points[RIGHT_SHOULDER, 0] + 50
    assert points[LEFT_EYE, 0] > points[RIGHT_EYE, 0]
    assert points[[LEFT_SHOULDER, RIGHT_SHOULDER], 1].min() > points[:5, 1].max()
    np.testing.assert_allclose(points[0, :2], person.landmarks_xy[1], atol=10)
    assert points[:, 2].min() >= 0
    assert points[:, 2].max() <= 1
    height, width = person.image_rgb.shape[:2]
    assert 0.2 * height * width < pose.area_px2 < 0.8 * height * width


def test_a_window_gives_keypoints_of_the_whole_frame(portraits: Portraits, tracker: PoseTracker) -> None:
    whole = np.zeros((700, 900, 3), np.uint8)
    whole[100:612, 300:812] = portraits.astronaut.image_rgb
    windowed = PoseTracker(window_xyxy=(300, 100, 812, 612))
    inside, alone = windowed.track(whole), tracker.track(portraits.astronaut.image_rgb)
    windowed.close()
    assert inside is not None
    assert alone is not None
    np.testing.assert_allclose(inside.keypoints[:, :2], alone.keypoints[:, :2] + np.float32((300, 100)), atol=1e-2)
    assert inside.area_px2 == alone.area_px2


def test_no_person_has_no_pose(tracker: PoseTracker) -> None:
    assert tracker.track(np.zeros((240, 320, 3), np.uint8)) is None
