"""How far two stretches of speech are from one voice: classical statistics of cepstra, no network.

Diagonal Gaussians of mel cepstra of voiced frames, and their symmetric divergence (Bimbot et al. 1995, second-order
statistics). It hears timbre on average; a recogniser of today, which knows many thousands of speakers, hears more.
"""

import numpy as np
from numpy.typing import NDArray

from deid_audit.voice.spectrum import Rows


class Voiceprint:
    """The cepstra of one voice so far, as sums: nothing of the speech itself is kept."""

    LEAST_FRAMES = 40

    def __init__(self) -> None:
        self.count = 0
        self._sum: NDArray[np.float64] = np.zeros(0)
        self._squares: NDArray[np.float64] = np.zeros(0)

    def add(self, cepstra: Rows) -> None:
        """Takes rows (n, d) of voiced frames."""
        if not len(cepstra):
            return
        if not self.count:
            self._sum, self._squares = np.zeros(cepstra.shape[1]), np.zeros(cepstra.shape[1])
        self.count += len(cepstra)
        self._sum += cepstra.sum(axis=0)
        self._squares += (cepstra**2).sum(axis=0)

    def statistics(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance (d,)."""
        mean = self._sum / self.count
        return mean, np.maximum(self._squares / self.count - mean**2, 1e-6)


def together(one: Voiceprint, other: Voiceprint) -> Voiceprint:
    """Both halves of a voice as one."""
    both = Voiceprint()
    both.count = one.count + other.count
    parts = [part for part in (one, other) if part.count]
    if parts:
        both._sum = np.sum([part._sum for part in parts], axis=0)
        both._squares = np.sum([part._squares for part in parts], axis=0)
    return both


def distance(one: Voiceprint, other: Voiceprint) -> float:
    """Symmetric Kullback-Leibler divergence a dimension, 0 for the same; NaN with fewer than 40 frames on a side.

    >>> a, b = Voiceprint(), Voiceprint()
    >>> a.add(np.tile([[0.0], [2.0]], (50, 1))), b.add(np.tile([[1.0], [3.0]], (50, 1)))
    (None, None)
    >>> distance(a, a), distance(a, b)
    (0.0, 1.0)
    """
    if min(one.count, other.count) < Voiceprint.LEAST_FRAMES:
        return float("nan")
    (mean_a, var_a), (mean_b, var_b) = one.statistics(), other.statistics()
    gap = (mean_a - mean_b) ** 2
    return float((0.5 * ((var_a + gap) / var_b + (var_b + gap) / var_a) - 1).mean())
