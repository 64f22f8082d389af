"""`--profile`: how long each part of each pass took, as a table on standard error."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from deid_audit.records import StageProfile


def print_profile(profile: "Sequence[StageProfile]") -> None:
    """One row a pass, with its frames a second, and one for each part, with milliseconds a frame and its share.

    The share is of all the time that threads were busy in the pass: side by side that may be more than it took.
    """
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("pass and its parts", "seconds", "ms a frame", "share"):
        table.add_column(title, justify="left" if title.startswith("pass") else "right")
    for stage in profile:
        frames, busy = max(stage.frames, 1), sum(part.seconds for part in stage.parts)
        rate = f", {stage.frames / stage.seconds:.1f} frames/s" if stage.seconds else ""
        table.add_row(
            f"{stage.stage}{rate}", f"{stage.seconds:.1f}", f"{1000 * stage.seconds / frames:.1f}", "", style="bold"
        )
        for part in stage.parts:
            share = f"{part.seconds / busy:.0%}" if busy else ""
            table.add_row(f"  {part.part}", f"{part.seconds:.1f}", f"{1000 * part.seconds / frames:.1f}", share)
    Console(stderr=True, highlight=False).print(table)
