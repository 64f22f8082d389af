"""What the release did to a human pose detector: the paper's Table 2, in COCO's own evaluation.

Takes pose tracks (made in `vision` on original, released and control videos) and gives AP, AR and the share of frames
that keep OKS 0.95. The original's keypoints are the ground truth; no detector runs here and no limit is judged.
How far single keypoints moved is in `keypoint_errors.py`.
"""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deid_audit.findings import Measurement, Of, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.intervals import Bounds, Clusters
from deid_audit.measure.keypoint_intervals import keypoint_bounds
from deid_audit.vision.keypoint_detectors import MEDIAPIPE, KeypointTraits

KEYPOINT_NAMES = (
    *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder"),
    *("left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip"),
    *("left knee", "right knee", "left ankle", "right ankle"),
)
# COCO's per-keypoint sigmas, from the spread of human annotators (cocodataset.org, keypoints evaluation).
COCO_SIGMAS = np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89]) / 1000
_KAPPAS = 2 * COCO_SIGMAS
OKS_CUT = 0.95
METHOD_TEXT = (
    "The original's visible ones among COCO's 17 keypoints are the truth. OKS is the mean over them of exp(-d² / (2 "
    "area kappa²)) with kappa = 2 sigma (COCO's sigmas) and the original's area; a keypoint that is not found counts "
    "0, and so does a frame in which the person is lost. pycocotools computes AP and AR over all areas, with the mean "
    "visibility of the 17 keypoints as the score of a detection. Nothing is said of fingers or face."
)
_METHOD = "pycocotools COCOeval keypoints, area range all, maxDets 20, score: mean visibility, kappa 2 sigma; "
# Where a detector that loses a single keypoint puts it for pycocotools, which needs a place: so far off it scores 0.
_FAR_PX = -1e6
NOBODY = "no person found in the original"
_THRESHOLDS = (("", None), ("50", 0), ("75", 5), ("95", 9))
_METRICS = (*(f"{kind}{suffix}" for kind in ("ap", "ar") for suffix, _ in _THRESHOLDS), "oks_ge_95")
OKS_METRICS = tuple(f"keypoints.{name}" for name in _METRICS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoseTrack:
    """One person over a video: `keypoints` float32 (n, 17, 3) = x px, y px, visibility 0..1, NaN where not found.

    A single keypoint that was not found is NaN in x and y, with a visibility below the cut. `area` float32 (n,) is the
    person's area in px², NaN where the person was not found; `traits` say how the detector defines both.
    """

    keypoints: Float
    area: Float
    traits: KeypointTraits = MEDIAPIPE

    def __post_init__(self) -> None:
        if self.keypoints.ndim != 3 or self.keypoints.shape[1:] != (17, 3):
            raise ValueError("keypoints must be (n, 17, 3)")
        if self.area.shape != self.keypoints.shape[:1]:
            raise ValueError("area must be (n,)")

    @property
    def found(self) -> NDArray[np.bool_]:
        """(n,): the frames in which the person was found, with at least one keypoint."""
        return np.asarray(np.isfinite(self.keypoints[:, :, :2]).all(axis=2).any(axis=1))

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(n, 17): the keypoints that were found with at least the detector's cut of visibility."""
        seen = np.isfinite(self.keypoints).all(axis=2) & (self.keypoints[:, :, 2] >= self.traits.visible_cut)
        return np.asarray(seen)


def pool(tracks: Sequence[PoseTrack]) -> PoseTrack:
    """The frames of several videos as one track, each frame an image of its own: the subject's scope."""
    keypoints = np.concatenate([np.empty((0, 17, 3), np.float32), *(track.keypoints for track in tracks)])
    area = np.concatenate([np.empty(0, np.float32), *(track.area for track in tracks)])
    return PoseTrack(keypoints=keypoints, area=area, traits=tracks[0].traits if tracks else MEDIAPIPE)


def oks(ground_truth: Float, detected: Float, area: float) -> float:
    """Object keypoint similarity: mean over visible keypoints of exp(-d² / (2 area kappa²)), kappa = 2 sigma.

    Args:
        ground_truth: (17, 3) x px, y px, visibility; at least one keypoint of visibility 0.5 or more, else NaN.
        detected: (17, 3); NaN for a person who was not found, which gives 0.
        area: Area of the person's mask in px².

    >>> truth = np.dstack((np.zeros((1, 17, 2)), np.ones((1, 17)))).astype(np.float32)[0]
    >>> oks(truth, truth, 100.0)
    1.0
    """
    one = PoseTrack(keypoints=ground_truth[None], area=np.array([area], np.float32))
    return float(oks_per_frame(one, PoseTrack(keypoints=detected[None], area=one.area))[0])


def keypoint_similarity(original: PoseTrack, other: PoseTrack) -> NDArray[np.float64]:
    """Each keypoint's term of the OKS, (n, 17): NaN where not visible in the original, 0 where `other` lost it.

    A frame whose original has no mask area scores 0 unless the point stands exactly still.
    """
    if len(original.keypoints) != len(other.keypoints):
        raise ValueError("both tracks must have the same number of frames")
    truth, seen = original.keypoints.astype(np.float64), other.keypoints.astype(np.float64)
    squares = ((truth[:, :, :2] - seen[:, :, :2]) ** 2).sum(axis=2)
    area = np.nan_to_num(original.area.astype(np.float64)) + np.spacing(1)
    similarity = np.where(np.isfinite(squares), np.exp(-squares / (2 * area[:, None] * _KAPPAS**2)), 0.0)
    return np.asarray(np.where(original.visible, similarity, np.nan))


def oks_per_frame(original: PoseTrack, other: PoseTrack) -> NDArray[np.float64]:
    """OKS of every frame, (n,): NaN where the original shows nobody, 0 where `other` lost the person."""
    similarity = keypoint_similarity(original, other)
    visible = np.isfinite(similarity)
    count = visible.sum(axis=1)
    total = np.where(visible, similarity, 0).sum(axis=1)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def measure_keypoints(
    original: PoseTrack, others: Mapping[Of, PoseTrack], scope: str, clusters: Clusters
) -> list[Measurement]:
    """AP, AR and `oks_ge_95` of each method against the original; the null edit's value is the noise floor.

    Intervals for what is released only; `clusters` are those of all frames.

    `sample_size` is the number of frames in which the original shows a person with at least one visible keypoint.
    """
    frames = int(np.isfinite(oks_per_frame(original, original)).sum())
    method = _METHOD + original.traits.method
    if not frames:
        return [not_measured(name, of, scope, NOBODY, method=method) for of in others for name in OKS_METRICS]
    values = {of: _evaluate(original, track) for of, track in others.items()}
    floors = values.get("reencoded", {})
    bounds = {of: _bounds(original, track, values[of], clusters) for of, track in others.items() if of == "swapped"}
    return [
        measured(
            f"keypoints.{name}",
            of,
            scope,
            value,
            sample_size=frames,
            method=method,
            noise_floor=None if of == "reencoded" else floors.get(name),
            detail={"visibility_cut": original.traits.visible_cut, "frames_lost": table["frames_lost"]},
            interval=bounds[of].of(name) if of in bounds else (None, ""),
        )
        for of, table in values.items()
        for name, value in table.items()
        if name != "frames_lost"
    ]


def _bounds(original: PoseTrack, other: PoseTrack, values: Mapping[str, float], clusters: Clusters) -> Bounds:
    # COCO leaves a frame out in which the original's person has no visible keypoint: neither hit nor false alarm
    left_out = original.found & ~original.visible.any(axis=1)
    scores = np.where(other.found & ~left_out, other.keypoints[:, :, 2].astype(np.float64).mean(axis=1), np.nan)
    return keypoint_bounds(oks_per_frame(original, other), scores, clusters, oks_cut=OKS_CUT, values=values)


def _evaluate(original: PoseTrack, other: PoseTrack) -> dict[str, float]:
    per_frame = oks_per_frame(original, other)
    shown = np.isfinite(per_frame)
    evaluation = coco_evaluation(original, other)
    table: dict[str, float] = {}
    for kind, array in (("ap", evaluation["precision"]), ("ar", evaluation["recall"])):
        for suffix, index in _THRESHOLDS:
            part = array if index is None else array[index]
            # pycocotools guards a division with np.spacing(1): a perfect AP is 0.9999999999999998; 12 digits are kept.
            table[f"{kind}{suffix}"] = round(float(part[part > -1].mean()), 12) if (part > -1).any() else float("nan")
    table["oks_ge_95"] = float((per_frame[shown] >= OKS_CUT).mean())
    table["frames_lost"] = float((shown & ~other.found).sum())
    return table


def coco_evaluation(original: PoseTrack, other: PoseTrack) -> dict[str, NDArray[np.float64]]:
    """pycocotools' `precision` (10 OKS cuts, 101 recalls) and `recall` (10 cuts), one person an image.

    A person found where the original shows none is a false positive, as in COCO.
    """
    truths, found = _annotations(original, 2.0), _annotations(other, 1.0)
    # COCOeval prints its progress on standard output, which belongs to the command's result.
    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(_dataset(len(original.area), truths), _dataset(len(original.area), found), "keypoints")
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluator.params.maxDets = [20]
        evaluator.evaluate()
        evaluator.accumulate()
    # axes: OKS cut, recall, category, area range, maxDets; the last three have length 1
    return {"precision": evaluator.eval["precision"][:, :, 0, 0, 0], "recall": evaluator.eval["recall"][:, 0, 0, 0]}


def _dataset(frame_count: int, annotations: list[dict[str, Any]]) -> COCO:
    dataset = COCO()
    for number, annotation in enumerate(annotations, start=1):
        annotation["id"] = number  # COCOeval stores matches by id and reads id 0 as "unmatched"
    dataset.dataset = {
        "images": [{"id": index} for index in range(frame_count)],
        "categories": [{"id": 1, "name": "person"}],
        "annotations": annotations,
    }
    dataset.createIndex()
    return dataset


def _annotations(track: PoseTrack, visible_flag: float) -> list[dict[str, Any]]:
    """One for each frame in which the person was found."""
    visible = track.visible  # of all frames: asked for frame by frame it would take the square of their number
    return [_annotation(track, index, visible[index], visible_flag) for index in np.flatnonzero(track.found)]


def _annotation(track: PoseTrack, index: int, visible: NDArray[np.bool_], visible_flag: float) -> dict[str, Any]:
    points = track.keypoints[index].astype(np.float64)
    low, high = np.nanmin(points[:, :2], axis=0), np.nanmax(points[:, :2], axis=0)
    flags = np.where(visible, visible_flag, 0.0)
    points[:, :2] = np.where(np.isfinite(points[:, :2]), points[:, :2], _FAR_PX)
    return {
        "image_id": int(index),
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": np.column_stack((points[:, :2], flags)).ravel().tolist(),
        "num_keypoints": int(visible.sum()),
        "bbox": [*low.tolist(), *(high - low).tolist()],
        "area": float(np.nan_to_num(track.area[index])),
        "score": float(points[:, 2].mean()),
    }
