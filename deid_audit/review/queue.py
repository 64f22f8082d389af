"""In which order to look: stretches of frames in which the same thing was done about a face, worst first."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from deid_audit.ledger import LedgerFrame, State

# Numbers come to 3 at most: they order what was decided about, and nothing stands above what is undecided.
_STATE_SCORES = {State.UNDECIDED: 8.0, State.CONCEALED: 2.0, State.SWAPPED: 1.0, State.REVIEWED: 0.5, State.CLEAR: 0.0}
_FAR = 1.2  # a distance between descriptors from which on nothing is worth a look


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A stretch of consecutive frames in which one track (None: no tracked face) has one state for one reason.

    `box_xyxy` is of its middle frame, in px of the shown frame, None without a face region; `score` grows with need.
    """

    video: int
    first_frame: int
    last_frame: int
    track: int | None
    state: State
    reason: str
    score: float
    box_xyxy: tuple[float, float, float, float] | None


def queue(ledgers: Sequence[Sequence[LedgerFrame]]) -> tuple[Item, ...]:
    """All stretches of all videos, worst first; `ledgers[i]` is of video i + 1, fresh or read back from its file."""
    items = [item for number, ledger in enumerate(ledgers, start=1) for item in _stretches(number, ledger)]
    return tuple(
        sorted(items, key=lambda one: (-one.score, one.video, one.first_frame, -1 if one.track is None else one.track))
    )


_Key = tuple[int | None, State, str]
_Box = tuple[float, float, float, float] | None


def _stretches(video: int, ledger: Sequence[LedgerFrame]) -> Iterator[Item]:
    running: dict[_Key, list[tuple[int, _Box, float]]] = {}
    for frame in ledger:
        worse = _worse(frame)
        seen: dict[_Key, tuple[int, _Box, float]] = {}
        for region in frame.regions:
            key = (region.track_id, region.state, _kind_of(region.reason))
            seen.setdefault(key, (frame.index, region.box_xyxy, _STATE_SCORES[region.state] + worse))
        if not frame.found:
            state = State.CLEAR if frame.is_cleared else State.UNDECIDED
            key = (None, state, "no face" if frame.is_cleared else "not cleared by two detectors")
            seen[key] = (frame.index, None, _STATE_SCORES[state] + worse)
        for key in [key for key in running if key not in seen]:
            yield _item(video, key, running.pop(key))
        for key, one in seen.items():
            running.setdefault(key, []).append(one)
    for key, found in running.items():
        yield _item(video, key, found)


def _kind_of(reason: str) -> str:
    """The reason without its number, which differs from frame to frame: `distance: 0.71` is `distance`."""
    head, _, tail = reason.rpartition(": ")
    return head if head and any(letter.isdigit() for letter in tail) else reason


def _worse(frame: LedgerFrame) -> float:
    """What the frame's own numbers add: a face near its original, a mouth that moves otherwise, a face left over."""
    distance = frame.distance
    near = 0.0 if distance is None else max(0.0, _FAR - distance) / _FAR
    return near + min(1.0, frame.expression_error or 0.0) + min(1, frame.unaccounted_faces or 0)


def _item(video: int, key: _Key, found: Sequence[tuple[int, _Box, float]]) -> Item:
    track, state, reason = key
    return Item(
        video=video,
        first_frame=found[0][0],
        last_frame=found[-1][0],
        track=track,
        state=state,
        reason=reason,
        score=round(max(score for _, _, score in found), 4),
        box_xyxy=found[len(found) // 2][1],
    )
