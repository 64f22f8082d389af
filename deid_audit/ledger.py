"""The ledger: the state of every face region and of every decoded frame, with a reason.

Fail closed: a frame has the worst state of its regions, and a frame that nobody decided about is `undecided`. What a
person draws says nothing about the rest of the picture: beside it alone, two detectors still have to clear the frame.
"""

import csv
import struct
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, overload


class Rung(StrEnum):
    """How far the remedies went for a swapped face: the first that its measurements allow; the last is a cover."""

    SWAP = "swap"
    WIDER = "wider mask"
    HARDER = "harder blend"
    COVER = "cover"


class State(StrEnum):
    """What was done about a face region, or about a frame."""

    SWAPPED = "swapped"
    CONCEALED = "concealed"
    CLEAR = "clear"
    REVIEWED = "reviewed"
    UNDECIDED = "undecided"


DISTANCE_IN_FILE = "distance in the written file"
"""Name of a region's number: how far the shown face stands from its own original; what is undecided with it is near."""
DRAWN_BY = "drawn by a reviewer: "
"""Begins `decided_by` of a region that a person drew where the tool found no face."""
_WORST_FIRST = (State.UNDECIDED, State.CONCEALED, State.SWAPPED, State.REVIEWED, State.CLEAR)


class NamedNumbers(Sequence[tuple[str, float]]):
    """Names with their numbers, in a tenth of a kB: the names are held once for the whole ledger.

    Numbers have the four digits of the ledger's file, so that whoever reads it back orders frames in the same way.
    """

    __slots__ = ("_names", "_packed")
    _known: ClassVar[dict[tuple[str, ...], tuple[str, ...]]] = {}

    def __init__(self, pairs: Iterable[tuple[str, float]]) -> None:
        names, values = [], []
        for name, value in pairs:
            names.append(str(name))
            values.append(_as_written(value))
        self._names = self._known.setdefault(tuple(names), tuple(names))
        self._packed = struct.pack(f"={len(values)}d", *values)

    @overload
    def __getitem__(self, at: int) -> tuple[str, float]: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[tuple[str, float], ...]: ...
    def __getitem__(self, at: int | slice) -> tuple[str, float] | tuple[tuple[str, float], ...]:
        return self._pairs()[at]

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        return iter(self._pairs())

    def __eq__(self, other: object) -> bool:
        return self._pairs() == tuple(other) if isinstance(other, (NamedNumbers, tuple)) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._pairs())

    def __repr__(self) -> str:
        return repr(self._pairs())

    def _pairs(self) -> tuple[tuple[str, float], ...]:
        return tuple(zip(self._names, struct.unpack(f"={len(self._names)}d", self._packed), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """One face region of one frame.

    `box_xyxy` is in pixels of the shown frame; `track_id` is None for a region that only one detector saw once.
    `numbers` are what the decision was made by, each with its name; `rung` is None where nothing was tried. `is_known`
    says that it is known whose face it is; one that is nobody's may be the subject's.
    """

    track_id: int | None
    is_subject: bool
    state: State
    reason: str
    decided_by: str
    box_xyxy: tuple[float, float, float, float]
    rung: Rung | None = None
    numbers: Sequence[tuple[str, float]] = ()
    is_known: bool = True

    def __post_init__(self) -> None:
        """The same few words in every frame are held once: a long video has hundreds of thousands of regions."""
        for name in ("reason", "decided_by"):
            object.__setattr__(self, name, sys.intern(str(getattr(self, name))))
        object.__setattr__(self, "numbers", NamedNumbers(self.numbers) if self.numbers else ())

    @property
    def is_drawn(self) -> bool:
        """Whether a person drew it; else the tool found something there."""
        return self.decided_by.startswith(DRAWN_BY)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFrame:
    """One decoded frame: `time_s` from the start; `cleared_by` names the detectors that agreed on no face.

    The written file's own: `expression_error` is how far the subject's mouth is from the original's, in shares of the
    eyes' distance, None where not compared; `unaccounted_faces` counts those that the audit's search found outside of
    every region, None before it searched.
    """

    index: int
    time_s: float
    regions: tuple[Region, ...]
    cleared_by: tuple[str, ...] = ()
    expression_error: float | None = None
    unaccounted_faces: int | None = None

    def __post_init__(self) -> None:
        if self.expression_error is not None:
            object.__setattr__(self, "expression_error", _as_written(self.expression_error))

    @property
    def state(self) -> State:
        """The worst state of the regions; where none was found, `undecided` unless two detectors cleared the frame."""
        states = {region.state for region in self.regions}
        if not self.found:
            states.add(State.CLEAR if self.is_cleared else State.UNDECIDED)
        return next(state for state in _WORST_FIRST if state in states)

    @property
    def is_cleared(self) -> bool:
        """Whether two detectors agreed on no face."""
        return len(set(self.cleared_by)) >= 2

    @property
    def found(self) -> tuple[Region, ...]:
        """The regions that the tool found, without those that a person drew."""
        return tuple(region for region in self.regions if not region.is_drawn)

    @property
    def subject_regions(self) -> tuple[Region, ...]:
        """The subject's regions; where there is none, those of nobody known, which may be the subject's."""
        mine = tuple(region for region in self.regions if region.is_subject)
        return mine or tuple(region for region in self.regions if not region.is_known)

    @property
    def distance(self) -> float | None:
        """How far the subject's shown face stands from the same frame's original; None where not compared."""
        named = (pair for region in self.regions if region.is_subject for pair in region.numbers)
        return min((value for name, value in named if name == DISTANCE_IN_FILE), default=None)

    @property
    def subject_concealed(self) -> bool:
        return any(region.state is State.CONCEALED for region in self.subject_regions)


def count_states(frames: Iterable[LedgerFrame]) -> dict[State, int]:
    """Frames per state; every state is a key, and the values add up to the number of frames."""
    counts = Counter(frame.state for frame in frames)
    return {state: counts[state] for state in State}


def longest_concealed_s(frames: Sequence[LedgerFrame]) -> float:
    """Longest stretch in seconds in which the subject's face is concealed.

    A stretch lasts until the next frame that is not concealed; the last frame lasts as long as the one before it.
    """
    longest = 0.0
    start: float | None = None
    for position, frame in enumerate(frames):
        if not frame.subject_concealed:
            start = None
            continue
        start = frame.time_s if start is None else start
        if position + 1 < len(frames):
            end = frames[position + 1].time_s
        else:
            end = 2 * frame.time_s - frames[position - 1].time_s if position else frame.time_s
        longest = max(longest, end - start)
    return longest


def _as_written(value: float) -> float:
    return float(f"{value:.4g}")


CSV_COLUMNS = (
    *("video", "frame", "time_s", "state", "expression_error", "unaccounted_faces"),
    *("track", "subject", "region_state", "rung", "reason", "decided_by", "numbers", "x0", "y0", "x1", "y1"),
)


class _Line:
    """Hands back what a CSV writer writes."""

    def write(self, text: str) -> str:
        return text


def csv_lines(videos: Sequence[Sequence[LedgerFrame]]) -> Iterator[str]:
    """The ledger as the lines of a CSV file: one a region, and before them one for each frame in which none was found.

    Line by line, since the file of a two-hour video has tens of megabytes.
    """
    writer = csv.writer(_Line(), lineterminator="\n")
    yield str(writer.writerow(CSV_COLUMNS))
    for number, frames in enumerate(videos, start=1):
        for frame in frames:
            error = "" if frame.expression_error is None else f"{frame.expression_error:.4g}"
            strays = "" if frame.unaccounted_faces is None else frame.unaccounted_faces
            head = (number, frame.index, f"{frame.time_s:.6f}", frame.state.value, error, strays)
            if not frame.found:
                reason = "no face" if frame.is_cleared else "not cleared by two"
                yield str(writer.writerow((*head, *("",) * 4, reason, " + ".join(frame.cleared_by), *("",) * 5)))
            for region in frame.regions:
                box = (f"{edge:.1f}" for edge in region.box_xyxy)
                track = "" if region.track_id is None else region.track_id
                subject = "yes" if region.is_subject else "no" if region.is_known else "unknown"
                what = (region.state.value, region.rung.value if region.rung else "", region.reason, region.decided_by)
                numbers = "; ".join(f"{name} {value:.4g}" for name, value in region.numbers)
                yield str(writer.writerow((*head, track, subject, *what, numbers, *box)))
