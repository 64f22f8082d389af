"""Which frames of the release each reader really saw: what was shown to them, without what changed afterwards."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from deid_audit.ledger import LedgerFrame
from deid_audit.review.records import Reading, Role, Shown

Frames = set[tuple[int, int]]
"""Frames as (video, frame)."""


@dataclass(slots=True)
class Sight:
    """The frames that each reader saw as they are released, and those that changed since they saw them."""

    seen: dict[Role, Frames] = field(default_factory=dict)
    changed: dict[Role, Frames] = field(default_factory=dict)

    @property
    def least(self) -> int:
        """How many frames the reader saw who saw the fewest."""
        return min((len(frames) for frames in self.seen.values()), default=0)

    def add(self, reading: Reading, ledgers: Sequence[Sequence[LedgerFrame]]) -> None:
        """What a reading was shown; frames that the ledgers do not have do not count.

        A resolution, and a look after both readers, is nobody's reading: it stands for a reader where something changed
        after they had seen it.
        """
        shown: Frames = set()
        for one in reading.shown:
            last = min(one.last_frame, len(ledgers[one.video - 1]) - 1) if one.video <= len(ledgers) else -1
            shown |= {(one.video, frame) for frame in range(one.first_frame, last + 1)}
        if reading.role != "resolution":
            self.seen.setdefault(reading.role, set()).update(shown)
            return
        for role, frames in self.seen.items():
            frames.update(shown & self.changed.get(role, set()))

    def forget(self, changed: Iterable[tuple[int, int]]) -> None:
        """Takes back frames that changed since they were seen."""
        gone = set(changed)
        for role, frames in self.seen.items():
            self.changed.setdefault(role, set()).update(frames & gone)
            frames.difference_update(gone)

    def forget_changed(self, video: int, before: Sequence[LedgerFrame], after: Sequence[LedgerFrame]) -> None:
        """Takes back the frames in which something else is done about a face than when they were seen."""
        pairs = zip(before, after, strict=True)
        self.forget((video, new.index) for old, new in pairs if _done(old) != _done(new))


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
