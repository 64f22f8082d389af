"""How many frames are in which state, from the ledger alone; for each video and for all of them.

It counts what was decided; whether the decisions were right is `residue`'s question.
"""

from collections.abc import Sequence

from deid_audit.findings import SUBJECT_SCOPE, Measurement, measured, not_measured, video_scope
from deid_audit.ledger import LedgerFrame, State, count_states, longest_concealed_s

METHOD_TEXT = (
    "Coverage: every decoded frame has one state, the worst of its face regions; frames are counted, none is left out. "
    "The longest concealed stretch is within one video. What is covered beside the subject's face (other people, and "
    "hands or things that were taken for a face) is counted by frames, too."
)
_METHOD = "ledger of frame states"


def measure_coverage(videos: Sequence[Sequence[LedgerFrame]]) -> list[Measurement]:
    """Frames per state, the shares with the subject's face and with anything else concealed, the longest stretch."""
    out: list[Measurement] = []
    for number, frames in enumerate(videos, start=1):
        out += _of_scope(video_scope(number), [frames])
    return [*out, *_of_scope(SUBJECT_SCOPE, videos)]


def _of_scope(scope: str, videos: Sequence[Sequence[LedgerFrame]]) -> list[Measurement]:
    frames = [frame for video in videos for frame in video]
    count = len(frames)

    def row(name: str, value: float) -> Measurement:
        return measured(f"coverage.{name}", "swapped", scope, value, sample_size=count, method=_METHOD)

    out = [row("frames", count), *(row(state.value, number) for state, number in count_states(frames).items())]
    if not count:
        names = ("coverage.concealed_share", "coverage.other_covers_share", "coverage.longest_concealed_s")
        return [*out, *(not_measured(name, "swapped", scope, "no frames", method=_METHOD) for name in names)]
    concealed = sum(frame.subject_concealed for frame in frames)
    others = sum(any(not one.is_subject and one.state is State.CONCEALED for one in frame.regions) for frame in frames)
    longest = max(longest_concealed_s(video) for video in videos)
    return [
        *out,
        row("concealed_share", concealed / count),
        row("other_covers_share", others / count),
        row("longest_concealed_s", longest),
    ]
