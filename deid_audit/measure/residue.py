"""What is left in the written file that should not be: faces nobody accounted for, the subject's own, streams, tags.

Takes the boxes of an audit detector of another family (run in `vision` on every frame of the written file), the
ledger, and the distances of the subject's regions. It runs no detector; a search that did not happen has no value.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.identity import MATCH_CUT

MIN_IOU = 0.3
ENLARGED_BY = 0.1
METHOD_TEXT = (
    "Residue: the audit searches the written file with CenterFace in every frame; where it is thorough, also with "
    "CenterFace at up to twice the scale, mirrored and turned by 90, 180 and 270 degrees, with dlib's CNN, and at twice"
    " the scale with the HOG detector that cleared, which can only add faces. The others neither swapped nor cleared. "
    "Whatever one of them takes for a face counts, in a mirror, on a photo, a screen or a printed shirt as well, and "
    "a hand that is taken for one, too: no finding is argued away. A face belongs to a swapped or concealed region of "
    "the same frame when its centre lies in the region's box enlarged by a tenth on each side, or when the boxes "
    "overlap by 0.3 (intersection over union); any other face counts, and so does one in the subject's swapped region "
    "whose descriptor is nearer than 0.6 to the original of that frame. What none of them sees is not counted."
)
_SHOWN = (State.SWAPPED, State.UNDECIDED)  # a face of the subject that is found to match is undecided
_METHOD = f"written file; centre in box +{ENLARGED_BY:.0%} or IoU >= {MIN_IOU}; searched with: "
_INVENTORY = "inventory of the written file"


def measure_residue(
    *,
    scope: str,
    detections: Sequence[Float] | None,
    seen_by: Sequence[Sequence[tuple[str, ...]]],
    searched_with: str,
    frames: Sequence[LedgerFrame],
    distances_to_original: NDArray[np.float64],
    leftover_streams: int,
    leftover_keys: Sequence[str],
) -> list[Measurement]:
    """Faces, streams and metadata keys left in one released video.

    Args:
        scope: The video's scope.
        detections: Boxes of the audit detector, float (k, 4) xyxy px, one array a frame of the written file; None
            when it could not run.
        seen_by: For each of these boxes, which looks of the audit saw it.
        searched_with: The looks in words.
        frames: The video's ledger, in the same order.
        distances_to_original: (n,) distance of the subject's swapped region to its original; NaN where there is none.
        leftover_streams: Audio, subtitle and data streams in the written file, without the sound that was asked for.
        leftover_keys: Metadata keys beyond the container's own; only their number is kept.
    """
    return [
        *_faces(scope, detections, seen_by, _METHOD + searched_with, frames, distances_to_original),
        measured("residue.audio_streams", "swapped", scope, float(leftover_streams), sample_size=1, method=_INVENTORY),
        measured(
            "residue.metadata_keys", "swapped", scope, float(len(leftover_keys)), sample_size=1, method=_INVENTORY
        ),
    ]


def measure_breadth(looks: Sequence[str], families: Sequence[str], frames: int) -> list[Measurement]:
    """How widely the audit looked: looks at a frame, and detector families that neither swapped nor cleared."""
    detail = {f"look: {name}": 1.0 for name in looks} | {f"family: {name}": 1.0 for name in families}
    return [
        measured("audit.looks", "run", "run", len(looks), sample_size=frames, method="; ".join(looks), detail=detail),
        measured("audit.families", "run", "run", len(families), sample_size=frames, method="; ".join(families)),
    ]


def belongs(box_xyxy: Float, region: Region) -> bool:
    """Whether a detected face lies in a region: centre in the enlarged box, or IoU of at least 0.3.

    A box with a NaN belongs nowhere.
    """
    x0, y0, x1, y1 = region.box_xyxy
    dx, dy = ENLARGED_BY * (x1 - x0), ENLARGED_BY * (y1 - y0)
    a0, b0, a1, b1 = (float(edge) for edge in box_xyxy)
    centre_x, centre_y = (a0 + a1) / 2, (b0 + b1) / 2
    if x0 - dx <= centre_x <= x1 + dx and y0 - dy <= centre_y <= y1 + dy:
        return True
    shared = max(0.0, min(x1, a1) - max(x0, a0)) * max(0.0, min(y1, b1) - max(y0, b0))
    union = (x1 - x0) * (y1 - y0) + (a1 - a0) * (b1 - b0) - shared
    return union > 0 and shared / union >= MIN_IOU


def unaccounted_boxes(boxes_xyxy: Float, frame: LedgerFrame) -> list[Float]:
    """The detected faces (k, 4) of one frame that belong to no swapped or concealed region."""
    return [boxes_xyxy[place] for place in unaccounted_places(boxes_xyxy, frame)]


def unaccounted_places(boxes_xyxy: Float, frame: LedgerFrame) -> list[int]:
    """Which of the detected faces (k, 4) of one frame belong to no swapped or concealed region."""
    held = [region for region in frame.regions if region.state in (State.SWAPPED, State.CONCEALED)]
    return [at for at, box in enumerate(boxes_xyxy) if not any(belongs(box, region) for region in held)]


def shows_subject(boxes_xyxy: Float, frame: LedgerFrame) -> bool:
    """Whether a detected face lies where the subject's face is shown, whosever it is now."""
    shown = [region for region in frame.regions if region.is_subject and region.state in _SHOWN]
    return any(belongs(box, region) for box in boxes_xyxy for region in shown)


def faces_elsewhere(boxes_xyxy: Float, frame: LedgerFrame) -> list[Float]:
    """The detected faces (k, 4) of one frame that do not lie where the subject's face is shown."""
    shown = [region for region in frame.regions if region.is_subject and region.state in _SHOWN]
    return [box for box in boxes_xyxy if not any(belongs(box, region) for region in shown)]


def _faces(
    scope: str,
    detections: Sequence[Float] | None,
    seen_by: Sequence[Sequence[tuple[str, ...]]],
    method: str,
    frames: Sequence[LedgerFrame],
    distances: NDArray[np.float64],
) -> list[Measurement]:
    def gap(name: str, because: str) -> Measurement:
        return not_measured(name, "swapped", scope, because, method=method)

    names = ("residue.unaccounted_faces", "residue.subject_faces")
    if detections is None:
        return [gap(name, "the audit detector could not run") for name in names]
    if not frames or not (len(detections) == len(frames) == len(distances)):
        because = f"{len(detections)} frames were searched, {len(distances)} described, {len(frames)} are in the ledger"
        return [gap(name, because) for name in names]

    found = unaccounted = matching = undescribed = 0
    by_look: Counter[str] = Counter()
    for position, (boxes, frame, distance) in enumerate(zip(detections, frames, distances, strict=True)):
        found += len(boxes)
        stray = unaccounted_places(boxes, frame)
        unaccounted += len(stray)
        for place in stray if position < len(seen_by) else ():
            by_look.update(seen_by[position][place])
        if shows_subject(boxes, frame):
            matching += bool(distance < MATCH_CUT)
            undescribed += bool(np.isnan(distance))
    count = len(frames)
    detail = {"faces_found": float(found), "undescribed_frames": float(undescribed), "cut": MATCH_CUT}
    detail |= {f"unaccounted, seen by {look}": float(faces) for look, faces in by_look.items()}
    out = [measured(names[0], "swapped", scope, unaccounted, sample_size=count, method=method, detail=detail)]
    if undescribed and not matching:
        because = f"{undescribed} frames show a swapped face that could not be compared with its original"
        return [*out, gap(names[1], because)]
    return [*out, measured(names[1], "swapped", scope, matching, sample_size=count, method=method, detail=detail)]
