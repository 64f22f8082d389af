"""The photo that names the subject: read, described, and refused when it does not show one face."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from deid_audit.errors import SettingsError
from deid_audit.faces.photo import photo_descriptor
from deid_audit.frames import Float, Image
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.recognizer import Recognizer
from tests.conftest import Portraits


@pytest.fixture(scope="module")
def detector() -> MediaPipeDetector:
    return MediaPipeDetector()


def saved(path: Path, image_rgb: Image) -> Path:
    cv2.imwrite(str(path), cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    return path


def test_the_face_is_described_whatever_the_size_and_format(
    tmp_path: Path, portraits: Portraits, detector: MediaPipeDetector, recognizer: Recognizer
) -> None:
    def described(path: Path) -> Float:
        return photo_descriptor(path, detector=detector, recognizer=recognizer)

    hopper = described(saved(tmp_path / "a.png", portraits.hopper.image_rgb))
    large = described(saved(tmp_path / "b.jpg", np.repeat(np.repeat(portraits.hopper.image_rgb, 4, 0), 4, 1)))
    other = described(saved(tmp_path / "c.png", portraits.astronaut.image_rgb))
    assert np.linalg.norm(hopper - large) < 0.3
    assert np.linalg.norm(hopper - other) > 0.6


def test_what_is_no_photo_of_one_person_is_refused_without_its_name(
    tmp_path: Path, portraits: Portraits, detector: MediaPipeDetector, recognizer: Recognizer
) -> None:
    hopper, astronaut = (cv2.resize(one.image_rgb, (400, 480)) for one in portraits)
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "empty.jpg").touch()
    for path, words in (
        (saved(tmp_path / "two.png", np.hstack((hopper, astronaut))), "shows 2 faces"),
        (saved(tmp_path / "grey.png", np.full((200, 200, 3), 90, np.uint8)), "shows 0 faces"),
        (tmp_path / "text.jpg", "not a picture"),
        (tmp_path / "empty.jpg", "not a picture"),
        (tmp_path / "none.jpg", "not a file"),
        (tmp_path, "not a file"),
    ):
        with pytest.raises(SettingsError, match=words) as refused:
            photo_descriptor(path, detector=detector, recognizer=recognizer)
        assert refused.value.next_step and str(tmp_path) not in str(refused.value)
