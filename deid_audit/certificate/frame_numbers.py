"""A job's frames in numbers, read back from the steward's folder: distances, covers and states, frame by frame.

The texts are those that `measure.figures` and `ledger` write, and whoever calls has held them against the statement's
digests. Nothing is judged here: what is chosen is which frames to show.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

WORST, SPREAD = "worst", "spread"
_LEAST_APART_S = 1.0
_LEAST_APART_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameNumbers:
    """One released video frame by frame: seconds, distance to its original (None: not compared), subject covered."""

    times_s: tuple[float, ...]
    distances: tuple[float | None, ...]
    covered: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """A frame's state, and the box of the subject's face in pixels; `whose` is what the ledger says of its owner."""

    state: str
    face_xyxy: tuple[float, float, float, float] | None
    whose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A stretch in which the subject's face is covered, in seconds from the first frame."""

    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A frame to show, by video (from 1) and frame (from 0), and why it is shown."""

    video: int
    frame: int
    why: str
    distance: float | None


def read_distances(text: str) -> FrameNumbers:
    """The CSV behind a figure of distances: `time_s, distance_to_original, concealed`, a row a frame."""
    rows = [(float(time), float(value) if value else None, bool(int(flag))) for time, value, flag in _rows(text)]
    times, distances, covered = zip(*rows, strict=True) if rows else ((), (), ())
    return FrameNumbers(times_s=times, distances=distances, covered=covered)


def read_ledger(text: str) -> list[list[LedgerRow]]:
    """Every frame of every video, from the ledger's CSV, which has a row a face region.

    The face is the subject's first; without one, that of nobody known.
    """
    videos: list[list[LedgerRow]] = []
    for video, frame, _, state, _, _, _, subject, *_, x0, y0, x1, y1 in _rows(text):
        if int(video) > len(videos):
            videos.append([])
        rows = videos[-1]
        if int(frame) == len(rows):
            rows.append(LedgerRow(state=state, face_xyxy=None, whose=""))
        if (subject == "yes" and rows[-1].whose != "yes") or (subject == "unknown" and not rows[-1].whose):
            face = (float(x0), float(y0), float(x1), float(y1))
            rows[-1] = LedgerRow(state=state, face_xyxy=face, whose=subject)
    return videos


def _rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))[1:]


def end_s(times_s: Sequence[float]) -> float:
    """When the last frame ends, which lasts as long as the one before it; 0 for no frame."""
    if len(times_s) < 2:
        return times_s[-1] if times_s else 0.0
    return 2 * times_s[-1] - times_s[-2]


def covers(numbers: FrameNumbers) -> list[Cover]:
    """Every stretch in which the subject is covered, in order; it lasts until the next frame that is not."""
    found: list[Cover] = []
    ends = (*numbers.times_s[1:], end_s(numbers.times_s))
    before = False
    for start, end, covered in zip(numbers.times_s, ends, numbers.covered, strict=True):
        if covered:
            first = found.pop().from_s if before else start
            found.append(Cover(from_s=first, to_s=end))
        before = covered
    return found


def choose(video: int, frame_count: int, numbers: FrameNumbers | None, most: int) -> list[Wanted]:
    """At most `most` frames of a video to show, in order: half the worst, the rest evenly spread from first to last.

    The worst are those nearest to their original, no two within a second or a fiftieth of the video, whichever is
    less; without numbers all are spread.
    """
    worst = [] if numbers is None else _worst(numbers, most // 2)
    chosen = {frame: Wanted(video=video, frame=frame, why=WORST, distance=distance) for frame, distance in worst}
    count = min(most - len(chosen), frame_count)
    for at in range(count):
        frame = round(at * (frame_count - 1) / max(1, count - 1))
        distance = None if numbers is None else numbers.distances[frame]
        chosen.setdefault(frame, Wanted(video=video, frame=frame, why=SPREAD, distance=distance))
    return [chosen[frame] for frame in sorted(chosen)]


def _worst(numbers: FrameNumbers, most: int) -> list[tuple[int, float]]:
    compared = sorted((value, frame) for frame, value in enumerate(numbers.distances) if value is not None)
    apart = min(_LEAST_APART_S, _LEAST_APART_SHARE * end_s(numbers.times_s))
    found: list[tuple[int, float]] = []
    for value, frame in compared:
        if len(found) >= most:
            break
        if all(abs(numbers.times_s[frame] - numbers.times_s[other]) >= apart for other, _ in found):
            found.append((frame, value))
    return found
