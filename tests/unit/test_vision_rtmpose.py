"""RTMPose-style models: a model made by code finds a bright patch, and what is no such model is refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from deid_audit.errors import SettingsError, StageError
from deid_audit.frames import Float
from deid_audit.vision import rtmpose
from deid_audit.vision.onnx_network import onnx_network
from deid_audit.vision.pose import BodyPose
from deid_audit.vision.rtmpose import RtmPose, keypoints_in_box
from tests.unit.onnx_files import write_simcc_model
from tests.unit.openpose_files import face_box, standing


def patch_at(x: int, y: int, *, width: int = 640, height: int = 480) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    cv2.circle(image, (x, y), 6, (255, 255, 255), -1)
    return cv2.GaussianBlur(image, (0, 0), 3)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_simcc_model(tmp_path_factory.mktemp("onnx") / "end2end.onnx")


@pytest.mark.parametrize("box", [(100, 50, 400, 450), (200, 100, 500, 200), (-40, 0, 700, 480)])
@pytest.mark.parametrize("spot", [(250, 150), (390, 190)])
def test_a_place_in_the_input_comes_back_as_the_place_in_the_frame(
    model: Path, box: tuple[int, ...], spot: tuple[int, int]
) -> None:
    network = onnx_network(model, "cpu")
    found = keypoints_in_box(network, (192, 256), patch_at(*spot), np.array(box, np.float32))
    # a pixel of the input is up to 740 * 1.5 / 192 = 5.8 of the frame, and the bright row is found to half of it
    np.testing.assert_allclose(found[:, :2], np.tile(spot, (17, 1)), atol=4)
    assert (np.diff(found[:, 2]) >= 0).all() and found[:, 2].min() >= 0 and found[:, 2].max() <= 1


def test_the_box_is_padded_and_keeps_its_shape(model: Path) -> None:
    """What lies beyond the box by a quarter of it on each side is still seen; what lies farther is not."""
    network = onnx_network(model, "cpu")
    box = np.array([300, 200, 360, 280], np.float32)  # 3 to 4, as the input: seen are 90 x 120 px around 330, 240
    near = keypoints_in_box(network, (192, 256), patch_at(290, 190), box)
    np.testing.assert_allclose(near[0, :2], (290, 190), atol=1)
    far = keypoints_in_box(network, (192, 256), patch_at(100, 100), box)
    assert (np.abs(far[:, :2] - (330, 240)) <= (45.5, 60.5)).all()


@pytest.mark.parametrize(("width", "height", "points"), [(192, 256, 17), (288, 384, 26), (192, 256, 133)])
def test_published_sizes_and_point_sets_are_known(tmp_path: Path, width: int, height: int, points: int) -> None:
    traits = RtmPose(write_simcc_model(tmp_path / "m.onnx", width=width, height=height, points=points)).traits
    assert f"{width}x{height}" in traits.method and traits.visible_cut == 0.3
    assert "person mask" in traits.text and "0.3" in traits.text and "noise floor" in traits.text
    assert len(traits.settings["model_sha256"]) == 64 and traits.settings["model_sha256"][:16] in traits.text


def test_whom_mediapipe_loses_is_lost_and_its_mask_is_the_area(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses = [BodyPose(keypoints=standing(200, 100), area_px2=1234.0), None]

    class Tracker:
        def __init__(self, *, window_xyxy: object) -> None:
            assert window_xyxy == (0, 0, 400, 480)

        def track(self, image_rgb: np.ndarray) -> BodyPose | None:
            return poses.pop(0)

        def close(self) -> None:
            assert not poses

    monkeypatch.setattr(rtmpose, "PoseTracker", Tracker)
    detector = RtmPose(model).start("swapped", window_xyxy=(0, 0, 400, 480))
    for _ in range(2):
        detector.add(patch_at(210, 160), face_box())
    keypoints, area = detector.finish()
    np.testing.assert_allclose(keypoints[0, :, :2], np.tile((210, 160), (17, 1)), atol=2)
    assert np.isnan(keypoints[1]).all()
    np.testing.assert_array_equal(area, np.array([1234, np.nan], np.float32))


def test_hardly_anything_visible_takes_the_window_or_all_of_the_frame() -> None:
    hidden = standing(confidence=0.1)
    image = np.zeros((480, 640, 3), np.uint8)
    assert rtmpose._box(hidden, image, None).tolist() == [0, 0, 640, 480]
    assert rtmpose._box(hidden, image, (10, 20, 300, 400)).tolist() == [10, 20, 300, 400]
    seen = standing(200, 60)
    assert rtmpose._box(seen, image, None).tolist() == [*seen[:, :2].min(axis=0), *seen[:, :2].max(axis=0)]


def test_what_is_no_such_model_is_a_wrong_option(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("not a model")
    others = {
        "read": tmp_path / "nowhere.onnx",
        "not a SimCC model": tmp_path / "text.onnx",
        "of input 192x256": write_simcc_model(tmp_path / "size.onnx", width=128, height=128),
        "COCO's keypoints first": write_simcc_model(tmp_path / "points.onnx", points=15),
        "SimCC": write_simcc_model(tmp_path / "bins.onnx", bins=1),
    }
    for said, path in others.items():
        with pytest.raises(SettingsError, match=said) as caught:
            RtmPose(path)
        assert "simcc_x" in caught.value.next_step and str(tmp_path) not in str(caught.value)


def test_numbers_that_are_none_end_in_one_clear_error(model: Path) -> None:
    network = onnx_network(model, "cpu")

    class Broken:
        run_by = "a test"

        def run(self, blob: Float) -> list[Float]:
            return [np.full_like(one, np.nan) for one in network.run(blob)]

    broken = Broken()
    with pytest.raises(StageError, match="not numbers"):
        keypoints_in_box(broken, (192, 256), patch_at(200, 200), np.array([100, 50, 400, 450], np.float32))
