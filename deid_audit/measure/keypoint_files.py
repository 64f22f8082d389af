"""The released videos' keypoints as files, for who shares movement alone: COCO's JSON, or one row a frame as CSV.

Comes after the verdict, from the tracks that were measured; nothing of an original is in them. Written frame by frame.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from deid_audit.measure.keypoints import KEYPOINT_NAMES, PoseTrack

METHOD_TEXT = (
    "The subject's keypoints on the released video were released as files, too: what the keypoints' detector found in "
    "the written file, smoothed as it smooths. They hold no picture, and movement alone (gait, posture, proportions of "
    "the body) can identify a person; that was not measured."
)
_DIGITS = 2
# COCO's own 19 lines between the 17 points, counted from 1 (person_keypoints_val2017.json).
_SKELETON = (
    *((16, 14), (14, 12), (17, 15), (15, 13), (12, 13), (6, 12), (7, 13), (6, 7), (6, 8), (7, 9)),
    *((8, 10), (9, 11), (2, 3), (1, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 7)),
)


def coco_lines(track: PoseTrack, times_s: Sequence[float], *, name: str, size: tuple[int, int]) -> Iterator[str]:
    """A COCO keypoint data set of one person: an image a frame, an annotation a frame in which somebody was found.

    Args:
        track: What was found in every frame.
        times_s: Every frame's seconds from the first; image `n` is frame n, counted from 1.
        name: File name of the released video.
        size: Its width and height, px.

    Flags are 0 not found, 1 found with less than the detector's cut of visibility (not labelled visible), 2 visible.
    """
    category = {
        "id": 1,
        "name": "person",
        "supercategory": "person",
        "keypoints": [point.replace(" ", "_") for point in KEYPOINT_NAMES],
        "skeleton": [list(pair) for pair in _SKELETON],
    }
    info = {"description": f"Keypoints of {name}: {track.traits.method}", "video": name}
    yield f'{{"info": {json.dumps(info)},\n"categories": [{json.dumps(category)}],\n"images": [\n'
    width, height = size
    yield from _listed(
        {"id": at + 1, "file_name": name, "width": width, "height": height, "frame": at, "time_s": round(time, 6)}
        for at, time in enumerate(times_s)
    )
    yield '],\n"annotations": [\n'
    yield from _listed(_annotation(track, int(at)) for at in np.flatnonzero(track.found))
    yield "]}\n"


def csv_rows(track: PoseTrack, times_s: Sequence[float]) -> Iterator[str]:
    """A header, then a row a frame: number from 0, seconds, and x px, y px, visibility of each of the 17 keypoints.

    What was not found is empty.
    """
    points = [point.replace(" ", "_") for point in KEYPOINT_NAMES]
    columns = [f"{point}_{what}" for point in points for what in ("x_px", "y_px", "visibility")]
    yield ",".join(["frame", "time_s", *columns]) + "\n"
    for at, (row, time) in enumerate(zip(track.keypoints, times_s, strict=True)):
        cells = [_cell(value) for point in row for value in (point if np.isfinite(point).all() else [np.nan] * 3)]
        yield ",".join([str(at), f"{time:.6f}", *cells]) + "\n"


def _annotation(track: PoseTrack, at: int) -> dict[str, Any]:
    row = track.keypoints[at].astype(float)
    found, visible = np.isfinite(row).all(axis=1), track.visible[at]
    flags = np.where(visible, 2, np.where(found, 1, 0))
    flat = [
        one
        for (x, y, _), flag in zip(row, flags, strict=True)
        for one in ((round(x, _DIGITS), round(y, _DIGITS), int(flag)) if flag else (0, 0, 0))
    ]
    places = row[found, :2]
    low, span = places.min(axis=0), np.ptp(places, axis=0)
    area = float(track.area[at])
    return {
        "id": at + 1,
        "image_id": at + 1,
        "category_id": 1,
        "iscrowd": 0,
        "num_keypoints": int(found.sum()),
        "keypoints": flat,
        "bbox": [round(float(one), _DIGITS) for one in (*low, *span)],
        "area": round(area, _DIGITS) if np.isfinite(area) else round(float(span.prod()), _DIGITS),
        "score": round(float(row[found, 2].mean()), 4),
    }


def _listed(items: Iterator[dict[str, Any]]) -> Iterator[str]:
    before = ""
    for item in items:
        yield before + json.dumps(item, allow_nan=False)
        before = ",\n"
    yield "\n"


def _cell(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.4g}" if 0 <= value <= 1 else f"{value:.{_DIGITS}f}"
