"""An inspection in words, for the terminal: no path, and of tags only the names."""

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deid_audit.findings import Stretch, VideoFacts
    from deid_audit.pipeline.preview.report import Inspection, PersonSeen

_LISTED = 4
_LABEL = 20
_SOUND = "sound (unless --audio asks for it)"
Row = tuple[str, str]


def print_result(result: "Inspection") -> None:
    """The preview for people: one block a question, and at the end whether a run could start."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(highlight=False, width=None if sys.stdout.isatty() else 100)
    for title, rows in _blocks(result):
        if rows:
            console.print(title, style="bold")
        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True, min_width=_LABEL)
        grid.add_column()
        for label, text in rows:
            grid.add_row(f"  {label}", Text(text))
        console.print(grid)
    console.print()
    for line in _conclusion(result):
        console.print(line, style="bold")


def _blocks(result: "Inspection") -> Iterator[tuple[str, list[Row]]]:
    from deid_audit.pipeline.preview.hard import WORDS  # noqa: PLC0415

    yield "videos", [(f"video {at}", _video_words(one)) for at, one in enumerate(result.videos, start=1)]
    yield "people", list(_people(result))
    about = f" of {result.about}" if result.about else ""
    yield (
        f"hard parts{about}",
        [(_counted(one.frames, "frame"), f"{WORDS[one.reason]}; {_places(one.stretches)}") for one in result.hard],
    )
    yield f"what a run would do with {result.about}", list(_outlook(result))


def _video_words(facts: "VideoFacts") -> str:
    carried = facts.inventory
    counts = ((carried.audio_streams, _SOUND), (carried.subtitle_streams, "subtitles"), (carried.data_streams, "data"))
    streams = [f"{number} x {kind}" for number, kind in counts if number]
    dropped = [f"streams: {', '.join(streams)}"] if streams else []
    dropped += [f"tags: {', '.join(carried.metadata_keys)}"] if carried.metadata_keys else []
    rate = facts.frame_count / max(facts.duration_s, 1e-6)
    return (
        f"{facts.width}x{facts.height}, {facts.frame_count} frames, {facts.duration_s:.1f} s, {rate:.4g} frames/s"
        f"{' on average, uneven' if facts.variable_rate else ''}"
        + (f"; a run drops {'; '.join(dropped)}" if dropped else "; nothing beside the pictures")
    )


def _people(result: "Inspection") -> Iterator[Row]:
    for one in result.people:
        yield (
            one.name + (" (subject)" if one.name == result.subject else ""),
            f"median face {one.median_height_px:.0f} px high, landmarks in {one.landmark_share:.0%}; "
            f"{_counted(one.frames, 'frame')}; {_places(one.stretches)}; {_tracks(one)}",
        )
    if result.unnamed_tracks:
        yield (
            "unnamed",
            (
                f"{_counted(result.unnamed_tracks, 'track')} in {_counted(result.unnamed_frames, 'frame')}, too short "
                "or without landmarks: a run covers them"
            ),
        )
    if not result.people and not result.unnamed_tracks:
        yield "nobody", "no face was found in any frame; that is no proof that there is none"


def _tracks(person: "PersonSeen") -> str:
    """The person's tracks in the form of --subject-track."""
    named = [f"{video}:{track}" for video, tracks in enumerate(person.tracks, start=1) for track in tracks]
    more = f" (and {len(named) - _LISTED} more)" if len(named) > _LISTED else ""
    return f"{'track' if len(named) == 1 else 'tracks'} {', '.join(named[:_LISTED])}{more}"


def _places(stretches: "Sequence[Stretch]") -> str:
    """`video 1: 3.2-4.1 s, 7.0-7.4 s (and 3 more)`: the longest, in the order of time."""
    longest = sorted(stretches, key=lambda one: one.from_s - one.to_s)[:_LISTED]
    by_video: dict[int, list[str]] = {}
    for one in sorted(longest, key=lambda one: (one.video, one.from_s)):
        by_video.setdefault(one.video, []).append(f"{one.from_s:.1f}-{one.to_s:.1f} s")
    places = "; ".join(f"video {number}: {', '.join(times)}" for number, times in by_video.items())
    more = len(stretches) - len(longest)
    return places + (f" (and {more} more)" if more else "")


def _outlook(result: "Inspection") -> Iterator[Row]:
    from deid_audit.faces.subject import MINIMUM_FACES  # noqa: PLC0415

    for one in result.expected:
        words = f"video {one.video}: {one.covered} of {one.frames} frames ({one.covered_share:.1%})"
        if one.covered:
            words += f", longest {one.longest_covered_s:.1f} s; "
            words += ", ".join(f"{reason}: {count}" for reason, count in one.reasons.items())
        yield "covers", words
    if (faces := result.material) is not None:
        words = f"{_counted(faces.usable, 'usable face')}, at least {MINIMUM_FACES} are needed"
        if faces.usable:
            words += (
                f"; median {faces.median_height_px:.0f} px high, turned from {faces.yaw_from_degrees:.0f} to "
                f"{faces.yaw_to_degrees:.0f} degrees"
            )
        yield "learns from", words
    if (fit := result.fitting) is not None:
        yield "policy", f"--policy {fit.policy}: a body is in view in {fit.in_view} of {fit.looked_at} frames looked at"
        for text in result.misses:
            yield "may miss it", text
    if result.run_seconds is not None:
        minutes = max(1, round(result.run_seconds / 60))
        yield "takes", f"about {minutes} min on this machine, a rough guess, and the donor's videos on top"


def _conclusion(result: "Inspection") -> Iterator[str]:
    if result.tiles:
        yield f"The contact sheet shows {_counted(result.tiles, 'frame')}; it is for you only."
    if result.can_start:
        yield f"A run could start: it would take {result.subject} as the subject."
        return
    yield f"A run could not start: {result.refusal or 'too few usable faces'}."
    yield f"next: {result.next_step or 'give more or better videos of the subject'}"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
