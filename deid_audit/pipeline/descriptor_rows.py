"""One face's descriptors of a whole video, in blocks: an array for each of them would take a third more memory."""

import numpy as np

from deid_audit.frames import Float

_BLOCK = 256  # rows, 128 kB


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
            self._blocks.append(np.full((_BLOCK, 128), np.nan, np.float32))
        self._count += 1
        kept = self[self._count - 1]
        if row is not None:
            kept[:] = row
        return kept

    def all(self) -> Float:
        """All rows (n, 128), copied."""
        if not self._blocks:
            return np.empty((0, 128), np.float32)
        return np.concatenate(self._blocks)[: self._count].copy()

    def wipe(self) -> None:
        """Overwrites every row."""
        for block in self._blocks:
            block.fill(0)
