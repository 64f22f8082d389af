"""The ledger: the state of every face region and of every decoded frame, with a reason.

Fail closed: a frame has the worst state of its regions, and a frame that nobody decided about is `undecided`.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


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
_WORST_FIRST = (State.UNDECIDED, State.CONCEALED, State.SWAPPED, State.REVIEWED, State.CLEAR)


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
    numbers: tuple[tuple[str, float], ...] = ()
    is_known: bool = True

    def __post_init__(self) -> None:
        """The same few words in every frame are held once: a long video has hundreds of thousands of regions."""
        for name in ("reason", "decided_by"):
            object.__setattr__(self, name, sys.intern(str(getattr(self, name))))
        object.__setattr__(self, "numbers", tuple((sys.intern(str(name)), value) for name, value in self.numbers))


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFrame:
    """One decoded frame: `time_s` from the start; `cleared_by` names the detectors that agreed on no face."""

    index: int
    time_s: float
    regions: tuple[Region, ...]
    cleared_by: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """The worst state of the regions; without regions `clear` needs two detectors, else `undecided`."""
        states = {region.state for region in self.regions}
        for state in _WORST_FIRST:
            if state in states:
                return state
        return State.CLEAR if len(set(self.cleared_by)) >= 2 else State.UNDECIDED

    @property
    def subject_regions(self) -> tuple[Region, ...]:
        """The subject's regions; where there is none, those of nobody known, which may be the subject's."""
        mine = tuple(region for region in self.regions if region.is_subject)
        return mine or tuple(region for region in self.regions if not region.is_known)

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


CSV_COLUMNS = (
    *("video", "frame", "time_s", "state", "track", "subject", "region_state", "rung", "reason", "decided_by"),
    *("numbers", "x0", "y0", "x1", "y1"),
)


class _Line:
    """Hands back what a CSV writer writes."""

    def write(self, text: str) -> str:
        return text


def csv_lines(videos: Sequence[Sequence[LedgerFrame]]) -> Iterator[str]:
    """The ledger as the lines of a CSV file: one a region, and one for each frame without a region.

    Line by line, since the file of a two-hour video has tens of megabytes.
    """
    writer = csv.writer(_Line(), lineterminator="\n")
    yield str(writer.writerow(CSV_COLUMNS))
    for number, frames in enumerate(videos, start=1):
        for frame in frames:
            head = (number, frame.index, f"{frame.time_s:.6f}", frame.state.value)
            if not frame.regions:
                reason = "no face" if frame.state is State.CLEAR else "not cleared by two"
                yield str(writer.writerow((*head, *("",) * 4, reason, " + ".join(frame.cleared_by), *("",) * 5)))
            for region in frame.regions:
                box = (f"{edge:.1f}" for edge in region.box_xyxy)
                track = "" if region.track_id is None else region.track_id
                subject = "yes" if region.is_subject else "no" if region.is_known else "unknown"
                what = (region.state.value, region.rung.value if region.rung else "", region.reason, region.decided_by)
                numbers = "; ".join(f"{name} {value:.4g}" for name, value in region.numbers)
                yield str(writer.writerow((*head, track, subject, *what, numbers, *box)))
