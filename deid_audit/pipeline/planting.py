"""The known faces that test the audit itself: the demo's two portraits, with the box of each face."""

import numpy as np

from deid_audit.errors import StageError
from deid_audit.measure.canaries import Flock, KnownFace
from deid_audit.pipeline.demo_clips import donor_portrait, subject_portrait
from deid_audit.pipeline.engines import Engines
from deid_audit.vision.mesh import FaceMesh, box_of


def known_faces(engines: Engines, *, seed: int, videos: int) -> Flock:
    """The faces to be pasted into frames of this job; StageError when a portrait shows none."""
    mesh = FaceMesh(video=False)
    faces = []
    for portrait in (subject_portrait(), donor_portrait()):
        boxes = engines.leading.detect(portrait).boxes_xyxy
        points = mesh.landmarks(portrait, boxes[0]) if len(boxes) else None
        if points is None:
            raise StageError("no face in the demo portrait", next_step="install deid-audit again with its constraints")
        faces.append(KnownFace(image_rgb=portrait, box_xyxy=np.asarray(box_of(points[:, :2]), np.float32)))
    mesh.close()
    return Flock(faces=faces, seed=seed, videos=videos)
