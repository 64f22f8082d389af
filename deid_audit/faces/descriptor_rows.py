"""One person's descriptors over a whole video, in blocks: an array for each would take a third more memory."""

import mmap

import numpy as np

from deid_audit.frames import Float

_BLOCK, _ROW = 256, 128  # 128 kB


def _mapped(rows: int) -> Float:
    """Zeros (rows, 128) in pages of their own, given back when the array goes: the heap would keep what it has had."""
    return np.frombuffer(mmap.mmap(-1, max(rows, 1) * _ROW * 4), np.float32)[: rows * _ROW].reshape(rows, _ROW)


class DescriptorRows:
    """Descriptors (128,) of one person, one a frame from the first on; NaN in a frame that has none."""

    def __init__(self) -> None:
        self._blocks: list[Float] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, frame_index: int) -> Float:
        """The row of a frame: no copy, whoever fills it changes what is kept."""
        if not 0 <= frame_index < self._count:
            raise IndexError(f"{frame_index} of {self._count} descriptors")
        return np.asarray(self._blocks[frame_index // _BLOCK][frame_index % _BLOCK])

    def known(self, frame_index: int) -> Float | None:
        """The row of a frame; None where there is none."""
        row = self[frame_index]
        return None if np.isnan(row).any() else row

    def add(self, row: Float | None) -> Float:
        """Takes a copy of the next frame's row, NaN for None; hands back where it is kept."""
        if self._count % _BLOCK == 0:
            self._blocks.append(_mapped(_BLOCK))
        self._count += 1
        kept = self[self._count - 1]
        kept[:] = np.nan if row is None else row
        return kept

    def all(self) -> Float:
        """All rows (n, 128), copied."""
        if not self._blocks:
            return np.empty((0, 128), np.float32)
        return np.concatenate(self._blocks)[: self._count].copy()

    def taken(self) -> Float:
        """All rows (n, 128), which are no longer here: each block goes as it is copied, so that none is held twice."""
        rows, at = _mapped(self._count), 0
        self._blocks.reverse()
        while self._blocks:
            block = self._blocks.pop()
            rows[at : at + _BLOCK] = block[: self._count - at]
            block.fill(0)
            at += _BLOCK
        self._count = 0
        return rows

    def wipe(self) -> None:
        """Overwrites every row."""
        for block in self._blocks:
            block.fill(0)
