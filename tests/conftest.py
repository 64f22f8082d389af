"""Fixtures for all tests: a log of their own, and the two public-domain portraits that dependencies ship."""

from collections.abc import Iterator
from dataclasses import dataclass

# before numpy and torch: it says how their threads wait
import deid_audit  # noqa: F401

# isort: split
import cv2
import numpy as np
import pytest
import skimage.data
from matplotlib import cbook

from deid_audit.frames import Float, Image
from deid_audit.measure.canaries import Flock
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.vision.detectors import MediaPipeDetector
from deid_audit.vision.mesh import FaceMesh, box_of
from deid_audit.vision.recognizer import Recognizer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Portrait:
    """One person: the picture uint8 (H, W, 3) and the mesh's landmarks float32 (478, 2) and box (4,) in its pixels."""

    image_rgb: Image
    landmarks_xy: Float
    box_xyxy: Float

    def resized(self, factor: float) -> "Portrait":
        """The same picture at another scale."""
        image = cv2.resize(self.image_rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        scale = np.float32((image.shape[1] / self.image_rgb.shape[1], image.shape[0] / self.image_rgb.shape[0]))
        landmarks = (self.landmarks_xy + 0.5) * scale - 0.5
        return Portrait(image_rgb=image, landmarks_xy=landmarks, box_xyxy=box_of(landmarks))

    def shifted(self, x: float, y: float) -> "Portrait":
        """The picture moved by whole or broken pixels, its edge repeated."""
        move = np.float64([[1, 0, x], [0, 1, y]])
        height, width = self.image_rgb.shape[:2]
        image = cv2.warpAffine(self.image_rgb, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
        landmarks = self.landmarks_xy + np.float32((x, y))
        return Portrait(image_rgb=image, landmarks_xy=landmarks, box_xyxy=box_of(landmarks))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Portraits:
    """Two different people."""

    hopper: Portrait
    astronaut: Portrait

    def __iter__(self) -> Iterator[Portrait]:
        return iter((self.hopper, self.astronaut))


@pytest.fixture(scope="session", autouse=True)
def log_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests write to a log that goes with them; in the environment, so that processes they start do so, too."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("DEID_AUDIT_LOG", str(tmp_path_factory.mktemp("log") / "log"))
        yield


@pytest.fixture(scope="session")
def static_mesh() -> Iterator[FaceMesh]:
    mesh = FaceMesh(video=False)
    yield mesh
    mesh.close()


@pytest.fixture(scope="session")
def portraits(static_mesh: FaceMesh) -> Portraits:
    hopper = cv2.cvtColor(
        cv2.imread(str(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))), cv2.COLOR_BGR2RGB
    )
    detector = MediaPipeDetector()
    found = []
    for image in (hopper, np.ascontiguousarray(skimage.data.astronaut())):
        points = static_mesh.landmarks(image, detector.detect(image).boxes_xyxy[0])
        assert points is not None
        image.setflags(write=False)
        landmarks = np.ascontiguousarray(points[:, :2])
        found.append(Portrait(image_rgb=image, landmarks_xy=landmarks, box_xyxy=box_of(landmarks)))
    return Portraits(hopper=found[0], astronaut=found[1])


@pytest.fixture(scope="session")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="session")
def engines() -> Engines:
    return load_engines("cpu")


class NoCanaries(Flock):
    """Known faces that are pasted nowhere."""

    def frames_of(self, frame_count: int) -> set[int]:
        return set()
