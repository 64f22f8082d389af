"""A4, the outsider's inversion: from a swapped face back to who was under it, learnt on strangers.

An intruder without the run's weights swaps strangers' pictures to the same donor, learns by ridge regression how the
originals' descriptors follow from the swapped faces, and applies that to the release. Takes features made elsewhere.
Compare arXiv 2210.10651, 2412.07260 and 2207.03666, which train deep networks on large sets; this does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.gallery_attack import LEAST_STRANGERS, Search, nearer, wins
from deid_audit.measure.identity import described
from deid_audit.measure.intervals import Clusters, Statistics, bootstrap
from deid_audit.measure.sampled import SampledFaces, Strangers

NAME = "attack.inversion.auc"
NOT_HERE = "cannot be tried on this release"
FOUND_FROM = 0.6  # an inversion that finds strangers less often than this does not work, and its failing says little
METHOD_TEXT = (
    "A4: an intruder without this run's weights poses and pastes the donor's mean face on the strangers' pictures, "
    "learns by ridge regression how each original's descriptor follows from the swapped picture's (dlib) and its "
    "FaceMesh landmarks, applies that to the released frames and searches the gallery. Whoever the subject is compared "
    "with was not in the training. The donor's mean face is this run's, chosen near the subject's pose and "
    f"colours, which helps the intruder a little. Its control: strangers that were left out are found; up to "
    f"{FOUND_FROM} the inversion does not work, and its failing says little. Not tried: a deep network trained on a "
    "large public set, or on swaps by a trained model."
)
_METHOD = (
    "ridge regression from the swapped face (dlib descriptor, {axes} principal axes of its FaceMesh landmarks) to the "
    "stranger's average dlib descriptor, on {pictures} pictures of {people} strangers swapped to the donor's posed "
    "mean face; cosine distance from the mean of those trained on, who are others than those compared"
)
_DESCRIPTOR = 128
_SHAPE_AXES = 20
_ALPHAS = np.logspace(-4, 1, 11)
_FOLDS = 5
_MOST_GROUPS = 20
_SHUFFLES = 5
_SEED = 20221019
_LEAST_PROBES = 5
_LEAST_SPREAD = 1e-3  # features that spread less are the same for everybody: noise is not blown up

Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inverted:
    """What the inversion finds, over its shuffles: each a chance in [0, 1].

    `chances` (p, n): that the subject's entry is nearer to probe p than stranger n's. `averaged` (n,): the same of the
    average of all inverted probes. `found`: that a stranger's own entry is nearer to their swapped pictures than that
    of another who was left out with them.
    """

    chances: Rows
    averaged: Rows
    found: float


def measure_inversion(scope: str, samples: Sequence[SampledFaces], own: Float, strangers: Strangers) -> Measurement:
    """`attack.inversion.auc` in this scope; `own` float32 (m, 128) are the subject's described originals."""
    because = f"{NOT_HERE}: {strangers.not_swapped_because}" if strangers.not_swapped_because else ""
    probes, people = _finite(np.concatenate([one.released for one in samples])), _trainable(strangers)
    if not because and len(people) < LEAST_STRANGERS:
        because = (
            f"{len(people)} strangers with pictures that could be swapped; at least {LEAST_STRANGERS} are needed: give "
            "pictures with --strangers"
        )
    if not because and (len(probes) < _LEAST_PROBES or not len(own)):
        because = f"{len(probes)} sampled released frames and {len(own)} originals could be described"
    if because:
        return not_measured(NAME, "swapped", scope, because)
    entries = np.stack([entry for entry, _ in people])
    swapped = [rows for _, rows in people]
    inverted = invert(probes, own.astype(np.float64).mean(axis=0), entries, swapped)
    columns = inverted.chances.mean(axis=0)

    def statistics(drawn: NDArray[np.intp]) -> Statistics:
        return {"auc": float(columns[drawn].mean())}

    method = _METHOD.format(axes=_SHAPE_AXES, pictures=sum(map(len, swapped)), people=len(people))
    if not inverted.found > FOUND_FROM:
        method += (
            f"; it finds left-out strangers with a chance of {inverted.found:.2f} only, so its failing says little"
        )
    detail = {
        "people": float(len(people)),
        "pictures": float(sum(map(len, swapped))),
        "strangers_found": inverted.found,
        "all_frames_averaged": float(inverted.averaged.mean()),
    }
    return measured(
        NAME, "swapped", scope, float(columns.mean()), sample_size=len(probes), method=method, detail=detail,
        interval=bootstrap(statistics, Clusters(labels=np.arange(len(people)), unit="people")).of("auc"),
    )  # fmt: skip


def _finite(rows: Float) -> Rows:
    return described(rows).astype(np.float64)


def _trainable(strangers: Strangers) -> list[tuple[Rows, Rows]]:
    """Entry (128,) and swapped features (k, 1084) of each stranger who has both."""
    templates = strangers.templates.astype(np.float64)
    pairs = [(entry, _finite(rows)) for entry, rows in zip(templates, strangers.swapped, strict=False)]
    return [(entry, rows) for entry, rows in pairs if len(rows) and np.isfinite(entry).all()]


def invert(probes: Rows, own: Rows, entries: Rows, swapped: Sequence[Rows]) -> Inverted:
    """Searches a gallery of `own` (128,) and `entries` (n, 128) with inverted `probes` (p, d), n at least 4.

    `swapped` are each stranger's features (k, d), of which the first 128 numbers are a descriptor. The strangers are
    parted at random into groups of two or more; each group is compared by an inversion trained on all others, so that
    neither it nor the subject is nearer for having been learnt. That is done five times.
    """
    count = len(entries)
    chances, averaged = np.zeros((len(probes), count)), np.zeros(count)
    found: list[float] = []
    generator = np.random.default_rng(_SEED)
    groups = max(2, min(_MOST_GROUPS, count // 2))
    for _ in range(_SHUFFLES):
        for group in np.array_split(generator.permutation(count), groups):
            rest = np.setdiff1d(np.arange(count), group)
            inversion = _Inversion(entries[rest], [swapped[at] for at in rest])
            rows = inversion.of(probes)
            for at in group:
                one = inversion.search(rows, own, entries[[at]])
                chances[:, at] += wins(one)[:, 0] / _SHUFFLES
                averaged[at] += nearer(inversion.search(rows.mean(axis=0, keepdims=True), own, entries[[at]]))
                others = entries[group[group != at]]
                found.append(nearer(inversion.search(inversion.of(swapped[at]), entries[at], others)))
    return Inverted(chances=chances, averaged=averaged / _SHUFFLES, found=float(np.mean(found)))


class _Inversion:
    """Ridge regression from swapped faces to entries, its strength chosen on people that were left out."""

    def __init__(self, entries: Rows, swapped: Sequence[Rows]) -> None:
        whole = np.concatenate(swapped)
        self._means = whole.mean(axis=0)
        _, _, axes = np.linalg.svd(whole[:, _DESCRIPTOR:] - self._means[_DESCRIPTOR:], full_matrices=False)
        self._axes = axes[:_SHAPE_AXES].T
        self._scales = np.ones(2)
        blocks = self._blocks(whole)
        # descriptor and geometry count alike, whatever their units
        self._scales = np.array([max(float(np.sqrt((block**2).sum(axis=1).mean())), _LEAST_SPREAD) for block in blocks])
        inputs = self._inputs(whole)
        people = np.repeat(np.arange(len(swapped)), [len(rows) for rows in swapped])
        self.centre = entries.mean(axis=0)
        targets = entries[people] - self.centre
        # a person with many pictures must not count for many people
        weights = 1 / np.bincount(people)[people]
        folds = people % min(_FOLDS, len(swapped))
        errors = np.zeros(len(_ALPHAS))
        for fold in np.unique(folds):
            kept = folds != fold
            maps = _ridge(inputs[kept], targets[kept], weights[kept])
            left = inputs[~kept] @ maps - targets[~kept]
            errors += (weights[~kept][:, None] * left**2).sum(axis=(1, 2))
        self._map = _ridge(inputs, targets, weights)[int(errors.argmin())]

    def of(self, features: Rows) -> Rows:
        """What stood under the swapped faces (k, d), as far as is learnt: (k, 128) away from the mean person."""
        return np.asarray(self._inputs(features) @ self._map)

    def search(self, rows: Rows, own: Rows, others: Rows) -> Search:
        """Cosine distances of inverted `rows` (k, 128) to the entries, seen from the mean person trained on.

        What is not learnt shrinks towards the mean, so Euclidean distance would favour whoever is most usual.
        """
        return Search(
            own=_cosine_distances(rows, (own - self.centre)[None])[:, 0],
            others=_cosine_distances(rows, others - self.centre),
        )

    def _blocks(self, features: Rows) -> tuple[Rows, Rows]:
        away = features - self._means
        return away[:, :_DESCRIPTOR], away[:, _DESCRIPTOR:] @ self._axes

    def _inputs(self, features: Rows) -> Rows:
        blocks = self._blocks(features)
        return np.hstack([block / scale for block, scale in zip(blocks, self._scales, strict=True)])


def _ridge(inputs: Rows, targets: Rows, weights: Rows) -> Rows:
    """The weighted ridge solutions (a, f, 128) at each of the strengths, from one decomposition of the Gram matrix."""
    weighted = inputs * weights[:, None]
    values, vectors = np.linalg.eigh(weighted.T @ inputs)
    turned = vectors.T @ (weighted.T @ targets)
    shrunk = turned / (np.maximum(values, 0) + _ALPHAS[:, None] * weights.sum())[..., None]
    return np.asarray(vectors @ shrunk)


def _cosine_distances(rows: Rows, entries: Rows) -> Rows:
    """(k, n); 1 where a row or an entry is no direction at all."""
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(entries, axis=1)
    return np.asarray(1 - np.divide(rows @ entries.T, lengths, out=np.zeros_like(lengths), where=lengths > 1e-9))
