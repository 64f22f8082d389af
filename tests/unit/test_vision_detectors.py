"""Three detectors on two portraits, on pictures without anyone, and over changing picture sizes."""

import cv2
import numpy as np
import pytest

from deid_audit.errors import StageError
from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import (
    CenterFaceDetector,
    FaceDetector,
    HogDetector,
    MediaPipeDetector,
    MmodDetector,
    iou_matrix,
)
from tests.conftest import Portraits

KINDS = (MediaPipeDetector, HogDetector, CenterFaceDetector)


def _nobody(size: int) -> dict[str, Image]:
    noise = np.random.default_rng(3).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return {"black": np.zeros_like(noise), "grey": np.full_like(noise, 128), "noise": noise}


def test_the_three_are_of_three_families() -> None:
    assert len({kind.family for kind in KINDS}) == len({kind.name for kind in KINDS}) == 3


@pytest.mark.parametrize("kind", KINDS)
def test_each_portrait_has_one_face_where_the_mesh_has_it(kind: type[FaceDetector], portraits: Portraits) -> None:
    detector = kind()
    for person in portraits:
        found = detector.detect(person.image_rgb)
        assert found.boxes_xyxy.shape == (1, 4)
        assert found.boxes_xyxy.dtype == found.scores.dtype == np.float32
        # CenterFace, the auditor, draws its box around the face as the mesh does; the others add or cut forehead
        least = 0.8 if kind is CenterFaceDetector else 0.6
        assert iou_matrix(found.boxes_xyxy, person.box_xyxy[None])[0, 0] > least


def test_detectors_agree_with_each_other(portraits: Portraits) -> None:
    for person in portraits:
        boxes = np.concatenate([kind().detect(person.image_rgb).boxes_xyxy for kind in KINDS])
        assert iou_matrix(boxes, boxes).min() > 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [240, 480])
def test_nobody_is_found_where_nobody_is(kind: type[FaceDetector], size: int) -> None:
    detector = kind()
    for name, image in _nobody(size).items():
        found = detector.detect(image)
        assert found.boxes_xyxy.shape == (0, 4), name
        assert found.scores.shape == (0,), name


@pytest.mark.parametrize("kind", KINDS)
def test_a_detector_does_not_remember_the_sizes_it_has_seen(kind: type[FaceDetector], portraits: Portraits) -> None:
    used = kind()
    whole = portraits.astronaut.image_rgb
    for image in (whole, whole[:300], whole[:, :400], np.zeros((240, 250, 3), np.uint8), cv2.resize(whole, (800, 640))):
        shown = np.ascontiguousarray(image)
        seen, expected = used.detect(shown), kind().detect(shown)
        np.testing.assert_array_equal(seen.boxes_xyxy, expected.boxes_xyxy)
        np.testing.assert_array_equal(seen.scores, expected.scores)


def test_two_faces_come_best_first(portraits: Portraits) -> None:
    both = np.zeros((600, 1024, 3), np.uint8)
    both[:600, :512] = portraits.hopper.image_rgb
    both[:512, 512:] = portraits.astronaut.image_rgb
    expected = np.stack((portraits.hopper.box_xyxy, portraits.astronaut.box_xyxy + np.float32((512, 0, 512, 0))))
    for kind in KINDS:
        found = kind().detect(both)
        assert len(found.scores) >= 2
        assert np.all(np.diff(found.scores) <= 0)
        assert iou_matrix(expected, found.boxes_xyxy).max(1).min() > 0.5


def test_centerface_sees_a_picture_of_any_size_at_its_own_scale(portraits: Portraits) -> None:
    whole = portraits.hopper.image_rgb
    cut = np.ascontiguousarray(whole[:-13, :-21])
    assert cut.shape[0] % 32
    assert cut.shape[1] % 32
    below, right = -cut.shape[0] % 32, -cut.shape[1] % 32
    padded = cv2.copyMakeBorder(cut, 0, below, 0, right, cv2.BORDER_CONSTANT)
    detector = CenterFaceDetector()
    np.testing.assert_array_equal(detector.detect(cut).boxes_xyxy, detector.detect(padded).boxes_xyxy)
    np.testing.assert_allclose(detector.detect(cut).boxes_xyxy, detector.detect(whole).boxes_xyxy, atol=1)


def test_centerface_keeps_boxes_inside_the_picture(portraits: Portraits) -> None:
    left, top, right, bottom = portraits.hopper.box_xyxy.astype(int)
    cut = np.ascontiguousarray(portraits.hopper.image_rgb[top + 25 : bottom, left:right])
    boxes = CenterFaceDetector().detect(cut).boxes_xyxy
    assert len(boxes)
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= cut.shape[1]
    assert boxes[:, 3].max() <= cut.shape[0]


def test_an_audit_without_numbers_is_an_error_not_an_empty_result(
    portraits: Portraits, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def setInput(self, blob: Float) -> None:  # noqa: N802
            self.cells = blob.shape[2] // 4, blob.shape[3] // 4

        def forward(self, names: tuple[str, ...]) -> tuple[Float, ...]:
            return tuple(np.full((1, 2, *self.cells), np.nan, np.float32) for _ in names)

    monkeypatch.setattr(cv2.dnn, "readNetFromONNX", lambda path: Broken())
    with pytest.raises(StageError, match="not numbers"):
        CenterFaceDetector().detect(portraits.astronaut.image_rgb)


def _iou_by_counting(first: Float, second: Float) -> float:
    """Cells of a grid inside both boxes over cells inside either: whole-numbered boxes only."""
    rows, columns = np.mgrid[:40, :40]

    def inside(box: Float) -> np.ndarray:
        return (columns >= box[0]) & (columns < box[2]) & (rows >= box[1]) & (rows < box[3])

    either = (inside(first) | inside(second)).sum()
    return float((inside(first) & inside(second)).sum() / either) if either else 0.0


def test_iou_is_what_counting_pixels_gives() -> None:
    rng = np.random.default_rng(5)
    corners = rng.integers(0, 15, (12, 2))
    boxes = np.concatenate((corners, corners + rng.integers(0, 20, (12, 2))), axis=1).astype(np.float32)
    counted = [[_iou_by_counting(a, b) for b in boxes[4:]] for a in boxes[:8]]
    np.testing.assert_allclose(iou_matrix(boxes[:8], boxes[4:]), counted, atol=1e-12)
    assert len({round(value, 6) for row in counted for value in row}) > 10


def test_iou_of_nothing_has_no_pairs() -> None:
    nothing = np.zeros((0, 4), np.float32)
    assert iou_matrix(nothing, np.zeros((3, 4), np.float32)).shape == (0, 3)
    assert iou_matrix(np.zeros((3, 4), np.float32), nothing).shape == (3, 0)


def test_dlibs_cnn_gives_boxes_of_the_picture_it_was_shown_also_when_it_looks_at_a_smaller_one(
    portraits: Portraits,
) -> None:
    detector, person = MmodDetector(), portraits.astronaut
    found = detector.detect(person.image_rgb)  # 512 x 512 px, brought to 480 x 480
    assert found.boxes_xyxy.shape == (1, 4)
    assert iou_matrix(found.boxes_xyxy, person.box_xyxy[None])[0, 0] > 0.5
    assert found.scores[0] >= 0.5
    assert detector.detect(np.zeros((240, 320, 3), np.uint8)).boxes_xyxy.shape == (0, 4)
    assert MmodDetector(min_score=2.0).detect(person.image_rgb).boxes_xyxy.shape == (0, 4)
