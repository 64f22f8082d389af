"""How well two or more readings of the same things agree: correlation, bias with its limits, ICC(A,1), equivalence.

Plain statistics; knows nothing of videos. Everything but equivalence is made from `Moments`, which add up over blocks
of time, so that whole blocks can be drawn again (`intervals.py`) without going back to the frames.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f as f_distribution
from scipy.stats import t as t_distribution

from deid_audit.measure.intervals import MIN_CLUSTERS

Array = NDArray[np.float64]
LIMITS_Z = 1.96
ALPHA = 0.05
_NOTHING = 1e-12  # of the total sum of squares: less is rounding


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """Of n rows with k simultaneous readings: `count` (...), `sums` (..., k), `products` (..., k, k).

    Readings are best given from a zero near their mean: sums of squares of far ones cancel.
    """

    count: Array
    sums: Array
    products: Array

    @classmethod
    def in_blocks(cls, readings: Array, blocks: NDArray[np.intp], how_many: int) -> Self:
        """Of each block: `readings` (n, ..., k), a row with a NaN left out; `blocks` (n,) numbers below `how_many`."""
        known = np.isfinite(readings).all(axis=-1)
        rows = np.where(known[..., None], readings, 0.0)
        shape = (how_many, *readings.shape[1:-1])
        k = readings.shape[-1]
        made = cls(count=np.zeros(shape), sums=np.zeros((*shape, k)), products=np.zeros((*shape, k, k)))
        np.add.at(made.count, blocks, known.astype(np.float64))
        np.add.at(made.sums, blocks, rows)
        np.add.at(made.products, blocks, rows[..., :, None] * rows[..., None, :])
        return made

    @classmethod
    def of(cls, readings: Array) -> Self:
        """Of all rows of `readings` (n, ..., k) together."""
        blocks = cls.in_blocks(readings, np.zeros(len(readings), np.intp), 1)
        return cls(count=blocks.count[0], sums=blocks.sums[0], products=blocks.products[0])

    def weighted(self, weights: Array) -> Self:
        """The blocks (m, ...) as one, each counted `weights` (m,) times."""
        parts = (np.tensordot(weights, one, axes=1) for one in (self.count, self.sums, self.products))
        return type(self)(**dict(zip(("count", "sums", "products"), parts, strict=True)))


def pearson(moments: Moments) -> Array:
    """Correlation of the first two readings, (...); NaN where one of them does not vary.

    >>> float(pearson(Moments.of(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]]))))
    1.0
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        n = moments.count[..., None, None]
        squares = moments.products - moments.sums[..., :, None] * moments.sums[..., None, :] / n
        first, second, both = squares[..., 0, 0], squares[..., 1, 1], squares[..., 0, 1]
        varies = np.minimum(first, second) > _NOTHING * np.maximum(moments.products[..., 0, 0], 1.0)
        return np.asarray(np.where(varies, np.clip(both / np.sqrt(first * second), -1, 1), np.nan))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MeanSquares:
    """Of a two-way analysis of variance without repetition: between `rows`, between `columns`, and what is left."""

    n: Array
    k: int
    rows: Array
    columns: Array
    error: Array


def mean_squares(moments: Moments) -> MeanSquares:
    """Rows are the things that were read, columns the readers."""
    n, k = moments.count, moments.sums.shape[-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = moments.sums.sum(axis=-1) ** 2 / (n * k)
        total = np.trace(moments.products, axis1=-2, axis2=-1) - centre
        rows = moments.products.sum(axis=(-2, -1)) / k - centre
        columns = (moments.sums**2).sum(axis=-1) / n - centre
        error = total - rows - columns
        error = np.where(error < _NOTHING * np.abs(total), 0.0, error)
        return MeanSquares(n=n, k=k, rows=rows / (n - 1), columns=columns / (k - 1), error=error / ((n - 1) * (k - 1)))


def icc_a1(moments: Moments) -> Array:
    """ICC(A,1): absolute agreement of single readings, two-way model (McGraw and Wong 1996), (...); NaN without spread.

    ICC(2,1) of Shrout and Fleiss 1979.
    """
    found = mean_squares(moments)
    with np.errstate(invalid="ignore", divide="ignore"):
        below = found.rows + (found.k - 1) * found.error + found.k / found.n * (found.columns - found.error)
        return np.asarray(np.where(below > 0, (found.rows - found.error) / below, np.nan))


def icc_a1_interval(moments: Moments) -> tuple[float, float] | None:
    """The 95 % interval of ICC(A,1) by McGraw and Wong 1996, for rows that are independent, if there is one."""
    found = mean_squares(moments)
    n, k = float(found.n), found.k
    rows, columns, error = float(found.rows), float(found.columns), float(found.error)
    value = float(icc_a1(moments))
    if not np.isfinite(value) or n < 2:
        return None
    if value >= 1:
        return 1.0, 1.0
    a = k * value / (n * (1 - value))
    b = 1 + k * value * (n - 1) / (n * (1 - value))
    below = (a * columns) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
    if not below > 0:
        return None
    freedom = (a * columns + b * error) ** 2 / below
    upper_f = float(f_distribution.ppf(0.975, n - 1, freedom))
    lower_f = float(f_distribution.ppf(0.975, freedom, n - 1))
    mixed = k * columns + (k * n - k - n) * error
    low = n * (rows - upper_f * error) / (upper_f * mixed + n * rows)
    high = n * (lower_f * rows - error) / (mixed + n * lower_f * rows)
    return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bland and Altman 1986: mean difference, and between which limits 95 % of the differences are expected."""

    bias: float
    low: float
    high: float


def limits_of_agreement(moments: Moments) -> Limits:
    """Of the second less the first reading, over all that the leading shape holds, pooled; 1.96 standard deviations."""
    n = float(moments.count.sum())
    bias = float((moments.sums[..., 1] - moments.sums[..., 0]).sum()) / n if n else float("nan")
    products = moments.products
    squares = float((products[..., 0, 0] + products[..., 1, 1] - 2 * products[..., 0, 1]).sum())
    spread = np.sqrt(max(0.0, (squares - n * bias**2) / (n - 1))) if n > 1 else float("nan")
    return Limits(bias=bias, low=bias - LIMITS_Z * float(spread), high=bias + LIMITS_Z * float(spread))


@dataclass(frozen=True, slots=True, kw_only=True)
class Equivalence:
    """Two one-sided t tests (Schuirmann 1987): `shown` when the 90 % interval lies between -margin and margin."""

    margin: float
    mean: float
    low: float
    high: float
    p: float
    blocks: int

    @property
    def shown(self) -> bool:
        return self.p < ALPHA


def equivalence(block_means: Array, margin: float) -> Equivalence | str:
    """TOST of the mean of `block_means` (m,), one number a block, against `margin` > 0; in words why there is none.

    A block is one observation, whatever the number of its frames: frames are no independent witnesses.
    """
    means = block_means[np.isfinite(block_means)]
    m = len(means)
    if m < MIN_CLUSTERS:
        return f"{m} seconds; equivalence needs at least {MIN_CLUSTERS}"
    mean, error = float(means.mean()), float(means.std(ddof=1) / np.sqrt(m))
    half = float(t_distribution.ppf(1 - ALPHA, m - 1)) * error
    if error > 0:
        p = float(t_distribution.sf((margin - abs(mean)) / error, m - 1))
    else:
        p = 0.0 if abs(mean) < margin else 1.0
    return Equivalence(margin=margin, mean=mean, low=mean - half, high=mean + half, p=p, blocks=m)
