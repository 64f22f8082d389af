"""Identification across a data set: does a released video lead to its own subject's original among all subjects'.

Takes descriptors of every subject's originals and released videos, and gives ranks and shares. A person's distance is
the mean over their pictures, as in `gallery_attack`. Memory grows with the number of subjects, never with its square:
a video is held against everybody, and what is kept of that are a few numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float
from deid_audit.vision.recognizer import MATCH_DISTANCE

_BLOCK_ROWS = 1400

Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One released video against everybody: how far its subject's original is, and who else is near.

    `rank` is the own original's place among all, from 1; a tie counts for the other. `near_own` and `near_others` are
    the shares of its faces within dlib's cut of an original of its subject, and of anybody else; `like` is whom of
    these most of them come near, None where nobody. Without an original of its own the first four are None.
    """

    subject: int
    faces: int
    rank: int | None
    to_own: float | None
    to_next: float | None
    near_own: float | None
    near_others: float
    like: int | None

    @property
    def margin(self) -> float:
        """How much nearer the own original is than the nearest other: above 0 it comes first."""
        return 0.0 if self.to_own is None or self.to_next is None else self.to_next - self.to_own


class Entries:
    """Everybody's pictures as one gallery, each person's descriptors (k, 128), at least one; `wipe` overwrites it."""

    def __init__(self, people: Sequence[Float]) -> None:
        self._counts = np.array([len(rows) for rows in people], np.intp)
        self._starts = np.cumsum(self._counts) - self._counts
        self._rows = np.empty((int(self._counts.sum()), 128))
        for start, rows in zip(self._starts, people, strict=True):
            self._rows[start : start + len(rows)] = rows
        self._squares = np.einsum("ij,ij->i", self._rows, self._rows)

    def wipe(self) -> None:
        """Overwrites the descriptors."""
        self._rows.fill(0)
        self._squares.fill(0)

    def distances(self, probes: Float) -> tuple[Distances, Distances]:
        """Of each probe (p, 128) to each person, (p, n) both: the mean over their pictures, and to the nearest one.

        >>> everybody = Entries([np.eye(2, 128) * [[3], [5]], np.zeros((1, 128))])
        >>> everybody.distances(np.zeros((1, 128), np.float32))
        (array([[4., 0.]]), array([[3., 0.]]))
        """
        asked = probes.astype(np.float64)
        own = np.einsum("ij,ij->i", asked, asked)[:, None]
        mean, nearest = np.empty((len(asked), len(self._counts))), np.empty((len(asked), len(self._counts)))
        step = max(1, _BLOCK_ROWS // int(self._counts.max(initial=1)))
        for first in range(0, len(self._counts), step):
            people = slice(first, first + step)
            starts = self._starts[people]
            rows = slice(starts[0], starts[-1] + self._counts[people][-1])
            gaps = np.sqrt(np.maximum(own + self._squares[rows] - 2 * asked @ self._rows[rows].T, 0))
            mean[:, people] = np.add.reduceat(gaps, starts - starts[0], axis=1) / self._counts[people]
            nearest[:, people] = np.minimum.reduceat(gaps, starts - starts[0], axis=1)
        asked.fill(0)
        return mean, nearest


def search_across(released: Sequence[tuple[int, Float]], originals: Sequence[Float]) -> list[Searched]:
    """Every released video, a subject's number and its faces (p, 128), against all `originals` (k, 128) by subject.

    A subject whose originals are empty is in no gallery; their released faces are held against the others' all the
    same. Videos without a face are left out before.
    """
    known = [at for at, rows in enumerate(originals) if len(rows)]
    place = {subject: at for at, subject in enumerate(known)}
    entries = Entries([originals[at] for at in known])
    try:
        found = [_searched(subject, faces, place.get(subject), entries, known) for subject, faces in released]
    finally:
        entries.wipe()
    return found


def unprotected_across(originals: Sequence[Float]) -> tuple[int, int]:
    """The control: of so many subjects' originals, how many find their own subject first, without any protection.

    The later half of a subject's faces searches the earlier halves of everybody's.
    """
    halved = [(rows[: len(rows) // 2], rows[len(rows) // 2 :]) for rows in originals if len(rows) > 1]
    entries = Entries([earlier for earlier, _ in halved])
    try:
        first = sum(
            rank_among(entries.distances(later)[0].mean(axis=0), at) == 1 for at, (_, later) in enumerate(halved)
        )
    finally:
        entries.wipe()
    return first, len(halved)


def resembling_originals(originals: Sequence[Float]) -> float | None:
    """The floor: mean over subjects of the share of their original faces within dlib's cut of somebody else's."""
    known = [rows for rows in originals if len(rows)]
    if len(known) < 2:
        return None
    entries = Entries(known)
    try:
        shares = [_near_others(entries.distances(rows)[1], at).mean() for at, rows in enumerate(known)]
    finally:
        entries.wipe()
    return float(np.mean(shares))


def rank_among(distances: Distances, own: int) -> int:
    """Place of entry `own` among all distances (n,), from 1; a tie counts for the other.

    >>> rank_among(np.array([0.5, 0.7, 0.5]), 0), rank_among(np.array([0.5, 0.7, 0.5]), 1)
    (2, 3)
    """
    return int((distances <= distances[own]).sum())


def _searched(subject: int, faces: Float, own: int | None, entries: Entries, known: Sequence[int]) -> Searched:
    mean, nearest = entries.distances(faces)
    people = mean.mean(axis=0)
    others = np.delete(people, own) if own is not None else people
    near = nearest < MATCH_DISTANCE
    if own is not None:
        near[:, own] = False
    hits = near.sum(axis=0)
    return Searched(
        subject=subject,
        faces=len(faces),
        rank=None if own is None else rank_among(people, own),
        to_own=None if own is None else float(people[own]),
        to_next=None if own is None or not len(others) else float(others.min()),
        near_own=None if own is None else float((nearest[:, own] < MATCH_DISTANCE).mean()),
        near_others=float(near.any(axis=1).mean()),
        like=known[int(hits.argmax())] if hits.any() else None,
    )


def _near_others(nearest: Distances, own: int) -> NDArray[np.bool_]:
    """Which probes (p,) come near somebody who is not `own`; `nearest` is (p, n)."""
    near = nearest < MATCH_DISTANCE
    near[:, own] = False
    return np.asarray(near.any(axis=1))
