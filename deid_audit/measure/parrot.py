"""draft core"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from deid_audit.measure.gallery_attack import Search

Rows = NDArray[np.float64]


def neighbour_search(probes: Rows, people: Sequence[Rows]) -> Search:
    """kNN with one neighbour: each probe's distance to the nearest picture of each person, the first the subject."""
    nearest = [np.linalg.norm(probes[:, None] - rows, axis=2).min(axis=1) for rows in people]
    return Search(own=nearest[0], others=np.stack(nearest[1:], axis=1))


def discriminant_search(probes: Rows, people: Sequence[Rows]) -> Search:
    """Fisher's linear discriminant: the less likely a person, the farther; everybody as likely before."""
    labels = np.repeat(np.arange(len(people)), [len(rows) for rows in people])
    rows = np.concatenate(people)
    away = np.concatenate([one - one.mean(axis=0) for one in people])
    shrinkage = float(ledoit_wolf_shrinkage(away, assume_centered=True))
    learnt = LinearDiscriminantAnalysis(
        solver="lsqr", shrinkage=shrinkage, priors=np.full(len(people), 1 / len(people))
    )
    scores = learnt.fit(rows, labels).decision_function(probes)
    return Search(own=-scores[:, 0], others=-scores[:, 1:])
