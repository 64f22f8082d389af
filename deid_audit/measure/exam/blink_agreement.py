"""Whether each blink of the original is there in the released video, at the same instant."""

from dataclasses import dataclass

import numpy as np

from deid_audit.measure.exam.eyes import Closing, Closings, LidTrack, Signal, closings_in, open_level
from deid_audit.measure.exam.sampling import frame_rate

KEPT_DEPTH = 0.5
"""How far a released lid must come down for the blink to count as kept, of the original's way: see docs/metrics.md."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlinkAgreement:
    """The original's `blinks` and, of each, how deep the other video's is: 1 is as deep, 0 is none.

    `added` are closings that only the other video has.
    """

    blinks: tuple[Closing, ...]
    depths: tuple[float, ...]
    added: tuple[Closing, ...]

    @property
    def kept(self) -> tuple[bool, ...]:
        """Of each blink whether it is there."""
        return tuple(depth >= KEPT_DEPTH for depth in self.depths)


def blink_agreement(original: LidTrack, other: LidTrack) -> BlinkAgreement | str:
    """Holds two videos of the same instants against each other; a clause in words where one of them tells no blinks.

    How far lids come down is a share of their own open level, the mean of both eyes, at the deepest within a frame of
    the original's blink: other lids are another length. Where the other face is not seen then, that is 0; so how long
    it is seen is asked of the original alone.
    """
    before, after = closings_in(original), closings_in(other, least_s=0)
    if isinstance(before, str):
        return f"original: {before}"
    if isinstance(after, str):
        return f"released: {after}"
    slack_s = 1 / (frame_rate(original.times_s) or 1.0)
    ways = [_way_down(lids) for lids in (original, other)]
    depths = []
    for one in before.blinks:
        around = (original.times_s >= one.start_s - slack_s) & (original.times_s <= one.end_s + slack_s)
        own, theirs = (way[around & np.isfinite(way)].max(initial=0.0) for way in ways)
        depths.append(float(theirs / own) if own > 0 else 0.0)
    added = tuple(one for one in after.blinks if not _meets_any(one, before, slack_s))
    return BlinkAgreement(blinks=tuple(before.blinks), depths=tuple(depths), added=added)


def _way_down(lids: LidTrack) -> Signal:
    """How far the lids are down (n,), mean of both eyes: 0 is their open level, 1 no opening; NaN where not seen."""
    seen, way = lids.seen, np.full(len(lids.times_s), np.nan)
    times = lids.times_s[seen]
    way[seen] = np.mean([1 - side[seen] / open_level(side[seen], times) for side in (lids.left, lids.right)], axis=0)
    return way


def _meets_any(one: Closing, others: Closings, slack_s: float) -> bool:
    return any(one.start_s - slack_s <= other.end_s and other.start_s <= one.end_s + slack_s for other in others.both)
