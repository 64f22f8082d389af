"""A3, the parrot: an attacker who imitates the swap, learns people from the imitations, and names who was released.

Parrot recognition (Newton, Sweeney and Malin 2005, doi 10.1109/TKDE.2005.32) learns from pictures that were protected
as the release was. One run releases one subject, so nobody else's release is at hand; strangers can only be swapped as
an outsider swaps, with the donor's mean face. Learning the subject from the *release* and the strangers from
*imitations* would tell the two ways of swapping apart, not people, and always succeed. So everybody, the subject too, is
learnt from imitations, and the release is only probed. What that is blind to: what a trained network leaves of the
subject under the mask and the imitation does not. What it sees besides the face: hair, outline, light and pose, which
no swap removes; how much that is, the imitations of held-out frames say. Takes features made elsewhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float
from deid_audit.measure.gallery_attack import (
    Search,
    bounds_over_people,
    excess,
    halves,
    joined,
    nearer,
    no_test,
    rank_rate,
)
from deid_audit.measure.identity import described
from deid_audit.measure.intervals import bootstrap, clusters_of
from deid_audit.measure.inversion import NOT_HERE
from deid_audit.measure.learning import Fold, folds_of, pictures_each, too_few
from deid_audit.measure.sampled import SampledFaces, Strangers, evenly

NAMES = ("attack.parrot.auc", "attack.parrot.rank1", "attack.parrot.excess")
_DESCRIPTOR = 128
_MOST_LEARNT = 16
_LEAST_PROBES = 5

Rows = NDArray[np.float64]
Learner = Callable[[Rows, Sequence[Rows]], Search]


def neighbour_search(probes: Rows, people: Sequence[Rows]) -> Search:
    """kNN with one neighbour: each probe's distance to the nearest picture of each person, the first the subject.

    Everybody needs the same number of pictures: the nearest of many is nearer.
    """
    nearest = [np.linalg.norm(probes[:, None] - rows, axis=2).min(axis=1) for rows in people]
    return Search(own=nearest[0], others=np.stack(nearest[1:], axis=1))


def discriminant_search(probes: Rows, people: Sequence[Rows]) -> Search:
    """LDA: the less a probe speaks for a person, the farther; the first is the subject, all as likely beforehand.

    The spread within people is pooled and shrunk as Ledoit and Wolf say (2004, doi 10.1016/S0047-259X(03)00096-4).
    """
    labels = np.repeat(np.arange(len(people)), [len(rows) for rows in people])
    away = np.concatenate([rows - rows.mean(axis=0) for rows in people])
    shrinkage = float(ledoit_wolf_shrinkage(away, assume_centered=True))
    prior = np.full(len(people), 1 / len(people))
    learnt = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage, priors=prior)
    scores = learnt.fit(np.concatenate(people), labels).decision_function(probes)
    return Search(own=-scores[:, 0], others=-scores[:, 1:])


LEARNERS: dict[str, Learner] = {"kNN": neighbour_search, "LDA": discriminant_search}

