"""What a reviewer clears is looked at once more: a face there that measures as a person of the videos is not cleared.

Between a reading and what follows from it. The recogniser is the audit's; a place that it cannot describe is left to
the reviewer, which is what a clear is for.
"""

from collections.abc import Sequence

import numpy as np

from deid_audit.frames import Float, Image
from deid_audit.measure.identity import MATCH_CUT
from deid_audit.pipeline.engines import Engines
from deid_audit.review.applying import Frame, Orders
from deid_audit.review.places import Box
from deid_audit.video.reader import SourceVideo, frames_at
from deid_audit.vision.mesh import FaceMesh


def refuse_own_faces(
    orders: Orders, released: Sequence[SourceVideo], averages: Sequence[Float], engines: Engines
) -> Orders:
    """The orders without the clears of faces within 0.6 of anybody's average; `averages` are descriptors (128,).

    Looks at the written files. In a frame without face regions every face that a detector of the audit, or the second
    opinion, sees is described.
    """
    refused: dict[tuple[Frame, Box | None], str] = {}
    mesh = FaceMesh(video=False)
    for number, video in enumerate(released, start=1):
        wanted = sorted(frame for at, frame in orders.clears if at == number)
        pictures = frames_at(video.path, wanted, label=video.label) if wanted else ()
        for index, (_, image_rgb) in zip(wanted, pictures, strict=True):
            for clear in orders.clears[number, index]:
                nearest = _nearest(image_rgb, index, clear.box_xyxy, averages, engines, mesh)
                if nearest < MATCH_CUT:
                    refused[(number, index), clear.box_xyxy] = (
                        f"in frame {index} the face there measures as a person of these videos (distance "
                        f"{nearest:.2f}); it can be covered, not cleared"
                    )
    mesh.close()
    return orders.without(refused)


def _nearest(
    image_rgb: Image, index: int, box: Box | None, averages: Sequence[Float], engines: Engines, mesh: FaceMesh
) -> float:
    """The smallest distance of any description of the face in the box to any average; infinite without one."""
    boxes: list[Float] = [np.array(box, np.float32)] if box is not None else []
    if box is None:
        boxes += [*engines.audit.see(image_rgb, index).boxes_xyxy, *engines.second.detect(image_rgb).boxes_xyxy]
    chips: list[Image | None] = []
    for one in boxes:
        points = mesh.landmarks(image_rgb, one)
        chips.append(engines.recognizer.chip(image_rgb, one, None if points is None else points[:, :2]))
    rows = engines.recognizer.describe(chips)
    distances = [float(np.linalg.norm(row - average)) for row in rows for average in averages]
    rows.fill(0)
    return min((value for value in distances if np.isfinite(value)), default=float("inf"))
