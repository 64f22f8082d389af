"""The paper's Figure 4: where the subject's, the donor's and the released faces lie, in two dimensions (t-SNE).

A picture for the eye: t-SNE keeps neighbours together and invents distances. No measurement is taken from it; the
alternative text says who is whose neighbour.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import TSNE

from deid_audit.findings import Figure
from deid_audit.frames import Float
from deid_audit.measure.identity import VideoDescriptors, described, original_rows
from deid_audit.measure.plotting import METHOD_COLOURS, draw, plot, styled, to_csv, to_svg
from deid_audit.measure.sampled import evenly

MOST_EACH = 150
_LEAST = 10
_SEED = 0
_PERPLEXITY = 30.0
_GROUPS = (
    ("original (subject)", "#c25a00", "^"),
    ("donor", "#555555", "s"),
    ("released (swapped)", METHOD_COLOURS["swapped"], "o"),
)


@styled
def embedding_figure(videos: Sequence[VideoDescriptors], donor: Float) -> Figure | None:
    """Up to 150 descriptors each of originals, donor (m, 128) and released frames; None where a group is too small."""
    released = [np.empty((0, 128), np.float32), *(described(video.swapped[video.subject_swapped]) for video in videos)]
    groups = [
        rows[evenly(len(rows), MOST_EACH)]
        for rows in (original_rows(videos), described(donor), np.concatenate(released))
    ]
    if min(len(rows) for rows in groups) < _LEAST:
        return None
    points = embed(np.concatenate(groups))
    labels = np.repeat(np.arange(len(groups)), [len(rows) for rows in groups])
    canvas, (axes,) = draw(1, 1, 3.4)
    for number, (words, colour, marker) in enumerate(_GROUPS):
        mine = points[labels == number]
        filled = colour if marker == "o" else "none"
        axes.scatter(mine[:, 0], mine[:, 1], s=14, marker=marker, edgecolors=colour, facecolors=filled,
                     linewidths=0.7, label=f"{words}, {len(mine)} frames")  # fmt: skip
    axes.set(xticks=[], yticks=[], xlabel="t-SNE, no unit", aspect="equal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.12), ncols=3)
    alone, beside = neighbours(points, labels, 2, 0), neighbours(points, labels, 2, 1)
    return plot(
        "embedding",
        to_svg(canvas),
        "Face descriptors of the subject's originals, of the donor and of the released frames in two dimensions "
        "(t-SNE, seeded). Released faces should lie apart from the subject's and near the donor's. Distances in this "
        "picture mean nothing: it shows who is whose neighbour.",
        "Scatter of three groups. The nearest neighbour outside their own group is the "
        f"donor's for {beside:.0%} of the released frames and the subject's for {alone:.0%}.",
        to_csv(("group", "x", "y"), ((_GROUPS[at][0], x, y) for at, (x, y) in zip(labels, points, strict=True))),
    )


def embed(rows: Float) -> NDArray[np.float64]:
    """t-SNE (van der Maaten and Hinton 2008) of descriptors (n, 128) to (n, 2), the same on every run."""
    perplexity = min(_PERPLEXITY, (len(rows) - 1) / 3)
    # the exact method: the faster one adds in an order that depends on the threads
    model = TSNE(method="exact", init="pca", random_state=_SEED, perplexity=perplexity, max_iter=500)
    return np.asarray(model.fit_transform(rows.astype(np.float64)), np.float64)


def neighbours(points: NDArray[np.float64], labels: NDArray[np.intp], group: int, other: int) -> float:
    """Share of `group`'s points (n, 2) whose nearest point of another group belongs to `other`.

    >>> neighbours(np.array([[0.0, 0], [1, 0], [5, 0]]), np.array([2, 1, 0]), 2, 1)
    1.0
    """
    mine, rest = points[labels == group], points[labels != group]
    nearest = np.linalg.norm(mine[:, None] - rest, axis=2).argmin(axis=1)
    return float((labels[labels != group][nearest] == other).mean())
