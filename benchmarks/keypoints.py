"""Our evaluation of keypoints against pycocotools' own loops: the same numbers, and how long each takes.

    python benchmarks/keypoints.py --frames 3000 --draws 5

Simulated people, one a frame, some of them lost. Three things: each frame's OKS, against pycocotools' loop over images;
AP and AR, which pycocotools computes for us, too; and the same for drawn frames, as an interval needs them 2000 times.
"""

import argparse
import contextlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from deid_audit.measure.keypoint_intervals import evaluate_frames
from deid_audit.measure.keypoints import OKS_CUT, PoseTrack, coco_evaluation, oks_per_frame

CUTS = {"50": 0, "75": 5, "95": 9}


def people(frames: int) -> tuple[PoseTrack, PoseTrack]:
    """The same person in the original and a little moved; every 40th frame loses them."""
    rng = np.random.default_rng(0)
    points = rng.uniform(100, 600, (frames, 17, 3)).astype(np.float32)
    points[..., 2] = rng.uniform(0.3, 1, (frames, 17))
    moved = points + np.concatenate((rng.normal(0, 6, (frames, 17, 2)), np.zeros((frames, 17, 1))), axis=2)
    moved[::40] = np.nan
    area = rng.uniform(2e4, 6e4, frames).astype(np.float32)
    return PoseTrack(keypoints=points, area=area), PoseTrack(keypoints=moved.astype(np.float32), area=area)


def plain(original: PoseTrack, other: PoseTrack, rows: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
    """pycocotools from annotations to AP and AR, with the OKS of every frame (k,), NaN where it compares nobody."""

    def dataset(track: PoseTrack, *, truth: bool) -> COCO:
        notes: list[dict[str, Any]] = []
        for image, at in enumerate(rows):
            points = track.keypoints[at].astype(np.float64)
            if not np.isfinite(points).all():
                continue
            shown = points[:, 2] >= track.traits.visible_cut
            flat = np.column_stack((points[:, :2], np.where(shown, 2.0 if truth else 1.0, 0.0))).ravel().tolist()
            low, high = points[:, :2].min(0), points[:, :2].max(0)
            notes.append(
                {
                    "id": len(notes) + 1, "image_id": image, "category_id": 1, "iscrowd": 0, "keypoints": flat,
                    "num_keypoints": int(shown.sum()), "bbox": [*low, *(high - low)], "area": float(track.area[at]),
                    "score": float(points[:, 2].mean()),
                }
            )  # fmt: skip
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(len(rows))],
            "categories": [{"id": 1, "name": "person"}], "annotations": notes,
        }  # fmt: skip
        coco.createIndex()
        return coco

    with contextlib.redirect_stdout(io.StringIO()):
        evaluator = COCOeval(dataset(original, truth=True), dataset(other, truth=False), "keypoints")
        evaluator.params.areaRng, evaluator.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluator.params.maxDets = [20]
        evaluator.evaluate()
        evaluator.accumulate()
    found = [np.asarray(evaluator.ious[image, 1]) for image in range(len(rows))]
    values = {}
    for name, array in (("ap", evaluator.eval["precision"]), ("ar", evaluator.eval["recall"])):
        values[name] = float(array[array > -1].mean())
        for cut, at in CUTS.items():
            values[name + cut] = float(array[at][array[at] > -1].mean())
    return values, np.array([one[0, 0] if one.size else np.nan for one in found])


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of processor time, which other jobs on the machine do not lengthen as they do the clock's."""
    started = time.process_time()
    found = call()
    return time.process_time() - started, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args()
    original, other = people(given.frames)
    every, rng = np.arange(given.frames), np.random.default_rng(1)
    theirs, (values, per_image) = timed(lambda: plain(original, other, every))
    ours, oks = timed(lambda: oks_per_frame(original, other))
    known = np.isfinite(per_image)
    print("| | pycocotools, s | ours, s | times sooner | largest difference |\n| --- | --- | --- | --- | --- |")
    apart = np.abs(per_image - oks)[known].max()
    print(f"| OKS of {given.frames} frames | {theirs:.3f} | {ours:.4f} | {theirs / ours:.0f} | {apart:.1e} |")
    mine, evaluation = timed(lambda: coco_evaluation(original, other))
    apart = abs(values["ap"] - float(evaluation["precision"].mean()))
    print(f"| AP and AR, by pycocotools in both | {theirs:.3f} | {mine:.3f} | {theirs / mine:.1f} | {apart:.1e} |")
    scores = np.where(other.found, other.keypoints[:, :, 2].astype(np.float64).mean(axis=1), np.nan)
    slow, quick, worst = 0.0, 0.0, 0.0
    for _ in range(given.draws):
        rows = rng.integers(given.frames, size=given.frames)
        one, (values, _) = timed(lambda rows=rows: plain(original, other, rows))
        two, found = timed(lambda rows=rows: evaluate_frames(oks, scores, rows, oks_cut=OKS_CUT))
        slow, quick = slow + one, quick + two
        worst = max(worst, *(abs(found[name] - value) for name, value in values.items()))
    slow, quick = slow / given.draws, quick / given.draws
    print(f"| AP and AR of a draw of the interval | {slow:.3f} | {quick:.4f} | {slow / quick:.0f} | {worst:.1e} |")


if __name__ == "__main__":
    main()
