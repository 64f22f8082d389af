"""Second, unrelated recognisers of the face alone, trained on the originals: OpenCV's LBPH and its Fisherfaces.

They see texture and shades where dlib's descriptor sees shape, and know no faces but those of the gallery.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Image
from deid_audit.measure.gallery_attack import Search
from deid_audit.measure.sampled import evenly

SIDE_PX = 96
MOST_ENTRIES = 4
_OUTER_CORNERS, _CHIN = (33, 263), 152  # of FaceMesh's points
_WIDE, _HIGH, _EYES_AT = 0.6, 0.63, 0.35  # of the chip: between the eyes' corners, from there to the chin, the eyes
_RADIUS, _NEIGHBOURS, _GRID = 1, 8, 8


def inner_chip(image_rgb: Image, landmarks_xy: Float) -> Image:
    """The face as grey uint8 (96, 96), eyes level, contrast evened, black outside the landmarks' hull (478, 2)."""
    points = landmarks_xy[:, :2].astype(np.float64)
    (left, right), chin = points[list(_OUTER_CORNERS)], points[_CHIN]
    middle = (left + right) / 2
    angle = np.arctan2(*(right - left)[::-1])
    # by the larger of width and height, so that a turned face is not blown up to one eye
    size = max(float(np.linalg.norm(right - left)) / _WIDE, float(np.linalg.norm(chin - middle)) / _HIGH, 1e-3)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]) * SIDE_PX / size
    to_chip = np.column_stack((turn, np.array([0.5, _EYES_AT]) * SIDE_PX - turn @ middle))
    grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
    chip = cv2.warpAffine(grey, to_chip, (SIDE_PX, SIDE_PX), borderMode=cv2.BORDER_REPLICATE)
    hull = cv2.convexHull((points @ to_chip[:, :2].T + to_chip[:, 2]).astype(np.float32))[:, 0]
    inside = np.zeros_like(chip)
    cv2.fillConvexPoly(inside, np.round(hull).astype(np.int32), 255)
    return np.asarray(cv2.bitwise_and(cv2.equalizeHist(chip), inside))


def texture_distances(probes: Sequence[Image], entries: Sequence[Image]) -> NDArray[np.float64]:
    """Chi-square distance of LBP histograms of each probe to each entry, (p, e); chips are uint8 (96, 96).

    Source: Ahonen, Hadid and Pietikainen 2006 (doi 10.1109/TPAMI.2006.244), as `cv2.face.LBPHFaceRecognizer` has it.
    """
    face: Any = cv2.face
    recogniser = face.LBPHFaceRecognizer_create(_RADIUS, _NEIGHBOURS, _GRID, _GRID)
    recogniser.train(list(entries), np.arange(len(entries), dtype=np.int32))
    rows = np.full((len(probes), len(entries)), np.inf)
    for row, probe in zip(rows, probes, strict=True):
        collector = face.StandardCollector_create()
        recogniser.predict_collect(probe, collector)
        for entry, distance in collector.getResults():
            row[entry] = distance
    return rows


def texture_search(
    probes: Sequence[Image],
    times_s: NDArray[np.float64],
    own: Sequence[Image],
    own_times_s: NDArray[np.float64],
    strangers: Sequence[Sequence[Image]],
    *,
    apart_s: float,
) -> Search:
    """Each probe's mean distance to own entries of other moments and to each stranger's entries.

    Everybody has at most `MOST_ENTRIES`, spread evenly; own ones are more than `apart_s` from the probe, and a probe
    without any is left out. Times of other videos must lie far apart.
    """
    shown = [[chips[at] for at in evenly(len(chips), MOST_ENTRIES)] for chips in strangers]
    distances = texture_distances(probes, [*own, *(chip for chips in shown for chip in chips)])
    mine, theirs = distances[:, : len(own)], distances[:, len(own) :]
    counts = np.array([len(chips) for chips in shown])
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    kept, means = [], []
    for row, (time_s, to_own) in enumerate(zip(times_s, mine, strict=True)):
        apart = np.flatnonzero(np.abs(own_times_s - time_s) > apart_s)
        if len(apart):
            kept.append(row)
            means.append(float(to_own[apart[evenly(len(apart), MOST_ENTRIES)]].mean()))
    return Search(own=np.array(means, np.float64), others=np.add.reduceat(theirs[kept], starts, axis=1) / counts)


def fisher_search(probes: Sequence[Image], own: Sequence[Image], strangers: Sequence[Sequence[Image]]) -> Search:
    """Distance of each probe to each person's nearest picture, among Fisherfaces learnt from the pictures of all.

    Chips are uint8 (96, 96). Everybody has the same number of pictures, two or more: who has more would be nearer.
    Source: Belhumeur, Hespanha and Kriegman 1997 (doi 10.1109/34.598228), as `cv2.face.FisherFaceRecognizer` has it.
    """
    people = [own, *strangers]
    if len({len(chips) for chips in people}) != 1:
        raise ValueError("everybody needs the same number of pictures")
    face: Any = cv2.face
    recogniser = face.FisherFaceRecognizer_create()
    labels = np.repeat(np.arange(len(people), dtype=np.int32), len(own))
    recogniser.train([chip for chips in people for chip in chips], labels)
    rows = np.full((len(probes), len(people)), np.inf)
    for row, probe in zip(rows, probes, strict=True):
        collector = face.StandardCollector_create()
        recogniser.predict_collect(probe, collector)
        for person, distance in collector.getResults():
            row[person] = min(row[person], distance)
    return Search(own=rows[:, 0], others=rows[:, 1:])
