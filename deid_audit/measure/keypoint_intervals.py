"""Intervals of AP, AR and the share at OKS 0.95: COCO's evaluation of one person a frame, over drawn frames.

pycocotools takes a second for an evaluation and 2000 draws need 2000: the same sums are made here from each frame's
score and OKS. Where they do not give what pycocotools gives for all frames, there is no interval.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.intervals import Bounds, Clusters, Statistics, bootstrap

OKS_CUTS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_CUT_OF = {"50": 0, "75": 5, "95": 9}
_AGREES_TO = 1e-9


def evaluate_frames(
    oks: NDArray[np.float64], scores: NDArray[np.float64], rows: NDArray[np.intp], *, oks_cut: float
) -> Statistics:
    """AP and AR at each cut and over all, and the share of frames of at least `oks_cut`, of the drawn `rows` (k,).

    `oks` (n,) is NaN where the original shows nobody; `scores` (n,) is NaN where nobody was found. One person a frame.

    >>> values = evaluate_frames(np.array([1.0, 0.0]), np.array([0.9, np.nan]), np.arange(2), oks_cut=0.95)
    >>> values["ar"], values["oks_ge_95"]
    (0.5, 0.5)
    """
    truth, score = oks[rows], scores[rows]
    persons = int(np.isfinite(truth).sum())
    if not persons:
        return dict.fromkeys(
            (*(f"{kind}{cut}" for kind in ("ap", "ar") for cut in ("", *_CUT_OF)), "oks_ge_95"), np.nan
        )
    found = np.flatnonzero(np.isfinite(score))
    best_first = found[np.argsort(-score[found], kind="stable")]
    hit = truth[best_first] >= OKS_CUTS[:, None]  # NaN compares False: somebody found where nobody is
    true = np.cumsum(hit, axis=1)
    recall = true / persons
    precision = true / (np.arange(1, len(best_first) + 1) + np.spacing(1)) if len(best_first) else np.empty(hit.shape)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    average, reached = np.zeros(len(OKS_CUTS)), np.zeros(len(OKS_CUTS))
    for number in range(len(OKS_CUTS)):
        at = np.searchsorted(recall[number], _RECALLS, side="left")
        average[number] = envelope[number, at[at < len(best_first)]].sum() / len(_RECALLS)
        reached[number] = recall[number, -1] if len(best_first) else 0.0
    known = truth[np.isfinite(truth)]
    return {
        "ap": float(average.mean()),
        "ar": float(reached.mean()),
        **{f"ap{cut}": float(average[at]) for cut, at in _CUT_OF.items()},
        **{f"ar{cut}": float(reached[at]) for cut, at in _CUT_OF.items()},
        "oks_ge_95": float((known >= oks_cut).mean()),
    }


def keypoint_bounds(
    oks: NDArray[np.float64],
    scores: NDArray[np.float64],
    clusters: Clusters,
    *,
    oks_cut: float,
    values: Mapping[str, float],
) -> Bounds:
    """Intervals of all keypoint metrics; `values` are pycocotools' for all frames, which these sums must give, too."""
    own = evaluate_frames(oks, scores, np.arange(len(oks)), oks_cut=oks_cut)
    strange = [name for name, value in own.items() if not abs(value - values[name]) <= _AGREES_TO]
    if strange:
        because = f"the frames' own sums do not give pycocotools' {strange[0]}"
        return Bounds(by_name={}, because=dict.fromkeys(own, because))
    return bootstrap(lambda rows: evaluate_frames(oks, scores, rows, oks_cut=oks_cut), clusters)
