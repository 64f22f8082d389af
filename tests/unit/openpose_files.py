"""OpenPose's JSON output, written by code as `--write_json` writes it: one file a frame."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# where each of COCO's 17 keypoints stands among OpenPose's points
BODY_25 = (0, 16, 15, 18, 17, 5, 2, 6, 3, 7, 4, 12, 9, 13, 10, 14, 11)
COCO_18 = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)
PLACES = {25: BODY_25, 18: COCO_18}
_REST = ("face_keypoints_2d", "hand_left_keypoints_2d", "hand_right_keypoints_2d")
_REST_3D = tuple(f"{part}_keypoints_3d" for part in ("pose", "face", "hand_left", "hand_right"))


def person_json(keypoints: NDArray[np.float32], *, points: int = 25, version: float = 1.3) -> dict[str, Any]:
    """One person (17, 3) in COCO's order; a point of confidence 0 is written as 0, 0, 0, as OpenPose does."""
    row = np.zeros((points, 3))
    row[list(PLACES[points])] = np.where(keypoints[:, 2:] > 0, keypoints, 0)
    if keypoints[[5, 6], 2].min() > 0:
        row[1] = keypoints[[5, 6]].mean(axis=0)  # the neck, in both formats
    flat = [0 if one == 0 else float(f"{one:.6g}") for one in row.ravel()]
    if version < 1:
        return {"pose_keypoints": flat}
    tracked = {"person_id": [-1]} if version >= 1.3 else {}
    return {**tracked, "pose_keypoints_2d": flat, **{name: [] for name in (*_REST, *_REST_3D)}}


def write_frames(
    folder: Path,
    frames: Sequence[Sequence[NDArray[np.float32]]],
    *,
    points: int = 25,
    version: float = 1.3,
    name: str = "exam_",
    first: int = 0,
) -> Path:
    """One file a frame, `<name><12 digits>_keypoints.json`, compact as OpenPose writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    for at, people in enumerate(frames, start=first):
        document = {"version": version, "people": [person_json(one, points=points, version=version) for one in people]}
        text = json.dumps(document, separators=(",", ":"))
        (folder / f"{name}{at:012d}_keypoints.json").write_text(text)
    return folder


def standing(x: float = 200.0, y: float = 60.0, *, head: float = 40.0, confidence: float = 0.8) -> NDArray[np.float32]:
    """A person (17, 3) whose face's centre is at x, y: `head` px high, eyes 0.4 heads apart, torso 2.5 heads long."""
    places = np.array(
        [
            *((0, 0.1), (0.2, -0.1), (-0.2, -0.1), (0.4, 0), (-0.4, 0)),
            *((0.9, 1), (-0.9, 1), (1.1, 2), (-1.1, 2), (1.1, 3), (-1.1, 3)),
            *((0.5, 3.5), (-0.5, 3.5), (0.5, 5), (-0.5, 5), (0.5, 6.5), (-0.5, 6.5)),
        ]
    )
    return np.column_stack((places * head + (x, y), np.full(17, confidence))).astype(np.float32)


def face_box(x: float = 200.0, y: float = 60.0, *, head: float = 40.0) -> NDArray[np.float32]:
    """The face box (4,) of `standing`."""
    return np.array([x - head / 2, y - head / 2, x + head / 2, y + head / 2], np.float32)
