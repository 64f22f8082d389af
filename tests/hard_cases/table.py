"""What was found, as a Markdown table and as JSON: one row a clip, and the list behind every number that is not 0."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.hard_cases.checking import Report

HEAD = (
    *("clip", "job", "frames", "states", "subject's rungs", "missed", "unaccounted", "matches", "undecided"),
    *("wrong person", "job's own audit", "verdict", "s", "audit's share"),
)
_LISTED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One clip: what was done with it, and what was found; `report` is None where the job refused it, `note` says why.

    `seconds` and `audit_share` are those of the whole job, which may have had several clips. `own` is what the job's
    own audit found in this clip, by kind; None where it was not measured.
    """

    clip: str
    job: str
    verdict: str
    report: Report | None = None
    seconds: float | None = None
    audit_share: float | None = None
    own: dict[str, float | None] = field(default_factory=dict)
    note: str = ""


def markdown(rows: Sequence[Row]) -> str:
    """The table, and below it what is behind the numbers."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + " --- |" * len(HEAD)]
    lines += ["| " + " | ".join(_cells(row)) + " |" for row in rows]
    found = [line for row in rows for line in _behind(row)]
    return "\n".join([*lines, *(["", *found] if found else [])]) + "\n"


def documents(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Everything as JSON values."""
    return [
        {
            "clip": row.clip,
            "job": row.job,
            "verdict": row.verdict,
            "seconds": row.seconds,
            "audit_share": row.audit_share,
            "own_audit": row.own,
            "note": row.note,
            "report": row.report.document() if row.report else None,
        }
        for row in rows
    ]


def _cells(row: Row) -> list[str]:
    seconds = "" if row.seconds is None else f"{row.seconds:.0f}"
    share = "" if row.audit_share is None else f"{row.audit_share:.0%}"
    report = row.report
    if report is None:
        return [row.clip, row.job, *[""] * 9, row.verdict, seconds, share]
    counts = (report.misses, report.unaccounted, report.matches, report.undecided, report.wrong_person)
    return [
        *(row.clip, row.job, str(report.frames), _tally(report.states), _tally(report.rungs)),
        *(str(len(found)) for found in counts),
        *(_own(row), row.verdict, seconds, share),
    ]


def _own(row: Row) -> str:
    """`0` where everything was measured and nothing found, else each kind with what was found."""
    if row.own and all(found == 0 for found in row.own.values()):
        return "0"
    kinds = ((name, found) for name, found in row.own.items() if found != 0)
    return ", ".join(f"{name}: {'not measured' if found is None else f'{found:g}'}" for name, found in kinds) or "–"


def _tally(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.most_common() if count) or "–"


def _behind(row: Row) -> list[str]:
    """One line for each kind of finding."""
    said = [f"- {row.clip}: {row.note}"] if row.note else []
    if row.report is None:
        return said
    misses: dict[tuple[str, str], list[int]] = {}
    for miss in row.report.misses:
        misses.setdefault((miss.person, f"{miss.kind}, {miss.said} in the ledger"), []).append(miss.frame)
    said += [f"- {row.clip}: missed {person} ({kind}), frames {_frames(at)}" for (person, kind), at in misses.items()]
    unaccounted: dict[str, list[int]] = {}
    for found in row.report.unaccounted:
        where = {True: "at a face", False: "where no face is", None: "truth unknown"}[found.at_a_face]
        unaccounted.setdefault(f"{found.detector}, {where}", []).append(found.frame)
    said += [f"- {row.clip}: unaccounted ({how}), frames {_frames(at)}" for how, at in unaccounted.items()]
    for against in ("original", "gallery"):
        near = [match for match in row.report.matches if match.against == against]
        if near:
            least = min(match.distance for match in near)
            frames = _frames([match.frame for match in near])
            said.append(f"- {row.clip}: matches the {against}, from {least:.2f}, frames {frames}")
    if row.report.undecided:
        said.append(f"- {row.clip}: undecided, frames {_frames(row.report.undecided)}")
    if row.report.wrong_person:
        who = sorted({wrong.person for wrong in row.report.wrong_person})
        frames = _frames([wrong.frame for wrong in row.report.wrong_person])
        said.append(f"- {row.clip}: swap on {', '.join(who)}, frames {frames}")
    return said


def _frames(frames: Sequence[int]) -> str:
    """Stretches of frames, `3-9, 12`, the first few."""
    stretches: list[list[int]] = []
    for frame in sorted(set(frames)):
        if stretches and frame == stretches[-1][1] + 1:
            stretches[-1][1] = frame
        else:
            stretches.append([frame, frame])
    texts = [str(first) if first == last else f"{first}-{last}" for first, last in stretches]
    more = f" and {len(texts) - _LISTED} more stretches" if len(texts) > _LISTED else ""
    return ", ".join(texts[:_LISTED]) + more
