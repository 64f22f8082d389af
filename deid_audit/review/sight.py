"""Which frames of the release somebody really saw: what was shown, without what changed afterwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from deid_audit.ledger import LedgerFrame
from deid_audit.review.records import Shown


@dataclass(slots=True)
class Sight:
    """The frames seen, as (video, frame)."""

    frames: set[tuple[int, int]] = field(default_factory=set)

    def add(self, shown: Iterable[Shown], ledgers: Sequence[Sequence[LedgerFrame]]) -> None:
        """What a reading was shown; frames that the ledgers do not have do not count."""
        for one in shown:
            last = min(one.last_frame, len(ledgers[one.video - 1]) - 1) if one.video <= len(ledgers) else -1
            self.frames |= {(one.video, frame) for frame in range(one.first_frame, last + 1)}

    def forget_changed(self, video: int, before: Sequence[LedgerFrame], after: Sequence[LedgerFrame]) -> None:
        """Takes back the frames in which something else is done about a face than when they were seen."""
        for old, new in zip(before, after, strict=True):
            if _done(old) != _done(new):
                self.frames.discard((video, new.index))


def _done(frame: LedgerFrame) -> list[tuple[object, ...]]:
    return [(region.track_id, region.state, region.rung, region.box_xyxy) for region in frame.regions]


def merged(frames: Iterable[tuple[int, int]]) -> tuple[Shown, ...]:
    """Frames, as (video, frame), as the fewest stretches.

    >>> [(one.video, one.first_frame, one.last_frame) for one in merged([(1, 4), (1, 3), (2, 0), (1, 6)])]
    [(1, 3, 4), (1, 6, 6), (2, 0, 0)]
    """
    found: list[list[int]] = []
    for video, frame in sorted(set(frames)):
        if found and found[-1][0] == video and found[-1][2] == frame - 1:
            found[-1][2] = frame
        else:
            found.append([video, frame, frame])
    return tuple(Shown(video=video, first_frame=first, last_frame=last) for video, first, last in found)
