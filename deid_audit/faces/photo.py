"""A photo that names the subject: one face in it, described as the tracks of a video are."""

from pathlib import Path

import cv2
import numpy as np

from deid_audit.errors import SettingsError
from deid_audit.frames import Float, Image
from deid_audit.video.places import read_small
from deid_audit.video.stores import url_of
from deid_audit.vision.detectors import FaceDetector
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import Recognizer

_LARGEST_BYTES = 64 << 20
_LONGEST_SIDE_PX = 1600


def photo_descriptor(path: Path, *, detector: FaceDetector, recognizer: Recognizer) -> Float:
    """The descriptor (128,) of the one face in a photo.

    Raises:
        SettingsError: the file is no picture, or shows no face, or several.
    """
    image = read_picture(path)
    boxes = detector.detect(image).boxes_xyxy
    if len(boxes) != 1:
        raise SettingsError(
            f"the subject's photo shows {len(boxes)} faces, expected one",
            next_step="give a photo that shows the subject alone, face to the camera",
        )
    mesh = FaceMesh(video=False)
    points = mesh.landmarks(image, boxes[0])
    mesh.close()
    if points is None:
        raise SettingsError(
            "the face in the subject's photo has no landmarks", next_step="give a photo with the face to the camera"
        )
    return np.asarray(recognizer.describe([recognizer.chip_from_mesh(image, points[:, :2])])[0])


def read_picture(path: Path, *, what: str = "the subject's photo") -> Image:
    """RGB, upright (OpenCV applies the orientation a camera noted), brought to at most 1600 px.

    Raises:
        SettingsError: it cannot be read; `what` names the file in the message.
        VideoAccessError: it is at a URL that cannot be reached.
    """
    next_step = "give a JPEG or PNG picture"
    try:
        here = url_of(path) is None
        given = read_small(path, what, _LARGEST_BYTES) if path.is_file() or not here else None
        if given is None:
            raise SettingsError(f"{what} is not a file, or larger than 64 MiB", next_step=next_step)
        data = np.frombuffer(given, np.uint8)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise SettingsError(f"{what} cannot be read: {why}", next_step=next_step) from None
    image = None
    if data.size:
        try:
            image = cv2.imdecode(data, cv2.IMREAD_COLOR)
        except cv2.error:  # more pixels than OpenCV reads
            image = None
    if image is None:
        raise SettingsError(f"{what} is not a picture that can be read", next_step=next_step)
    scale = min(1.0, _LONGEST_SIDE_PX / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
