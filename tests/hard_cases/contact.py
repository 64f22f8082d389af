"""A contact sheet of every concealed stretch of one video, for a person to look at; it shows originals, so keep it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from deid_audit.frames import Image
from tests.hard_cases.ledgers import SaidFrame

_HIGH = 200
_COLOURS = {"swapped": (60, 220, 60), "concealed": (255, 140, 0), "undecided": (255, 0, 0)}


@dataclass(slots=True, eq=False)
class _Stretch:
    first: int
    last: int
    reasons: tuple[str, ...]
    pictures: list[Image] = field(default_factory=list)


class Stretches:
    """Frames in a row that are concealed for the same reasons: begin, middle and end of each, before and after."""

    def __init__(self, ledger: Sequence[SaidFrame]) -> None:
        self._ledger = ledger
        self._stretches: list[_Stretch] = []
        for index, frame in enumerate(ledger):
            reasons = tuple(sorted({_short(region.reason) for region in frame.regions if region.state != "swapped"}))
            if not reasons:
                continue
            before = self._stretches[-1] if self._stretches else None
            if before is not None and before.last == index - 1 and before.reasons == reasons:
                before.last = index
            else:
                self._stretches.append(_Stretch(index, index, reasons))

    @property
    def rows(self) -> int:
        """How many stretches there are."""
        return len(self._stretches)

    def see(self, index: int, original: Image, written: Image) -> None:
        """Keeps the pictures of a frame that a row of the sheet shows."""
        for stretch in self._stretches:
            if index in {stretch.first, (stretch.first + stretch.last) // 2, stretch.last}:
                both = [_drawn(picture, self._ledger[index]) for picture in (original, written)]
                stretch.pictures.append(np.concatenate(both, axis=1))

    def write(self, path: Path) -> None:
        """Writes the sheet, a row a stretch; nothing where nothing was concealed."""
        rows = []
        for stretch in self._stretches:
            row = np.concatenate([*stretch.pictures, *[stretch.pictures[-1] * 0] * (3 - len(stretch.pictures))], axis=1)
            title = np.full((22, row.shape[1], 3), 255, np.uint8)
            text = f"frames {stretch.first}-{stretch.last}: {'; '.join(stretch.reasons)}"
            cv2.putText(title, text, (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
            rows += [title, row]
        if rows:
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), np.concatenate(rows)[:, :, ::-1])


def _short(reason: str) -> str:
    """The reason without its number."""
    return reason.split(":", maxsplit=1)[0].rstrip(" 0123456789.")


def _drawn(picture: Image, frame: SaidFrame) -> Image:
    shown = picture.copy()
    for region in frame.regions:
        left, top, right, bottom = (round(edge) for edge in region.box_xyxy)
        cv2.rectangle(shown, (left, top), (right, bottom), _COLOURS.get(region.state, (255, 255, 255)), 2)
    wide = round(shown.shape[1] * _HIGH / shown.shape[0])
    return np.asarray(cv2.resize(shown, (wide, _HIGH), interpolation=cv2.INTER_AREA))
