"""What the review page says of a job without pictures: the queue in portions, a thinned timeline, people, one frame.

As values for JSON, of bounded size however long the videos are; nothing here keeps a state.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.pipeline.reviewing import Pending
from deid_audit.review.agreement import about, agreement
from deid_audit.review.queue import Item, queue
from deid_audit.review.records import Decision

PORTION = 60
MOST_COLUMNS = 1200
MOST_PEOPLE = 60
STATES = tuple(State)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which stretches of the queue are wanted: of one video (0: all), undecided ones only, undecided upon only.

    `differing` are those of which the two readings that a resolution shows said different things.
    """

    video: int = 0
    undecided: bool = False
    open: bool = False
    differing: bool = False


class Overview:
    """Everything that is computed once of a job that waits."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._items = queue(pending.ledgers)
        self._differing = _differing(pending, self._items)
        self._distances = [[frame.distance for frame in ledger] for ledger in pending.ledgers]
        self._states = [bytes(STATES.index(frame.state) for frame in ledger) for ledger in pending.ledgers]
        self._people = [_people(number, ledger) for number, ledger in enumerate(pending.ledgers, start=1)]

    @property
    def undecided(self) -> int:
        """How many stretches are undecided by the job."""
        return sum(one.state is State.UNDECIDED for one in self._items)

    @property
    def differing(self) -> int:
        """How many stretches two readings differ about; 0 where there are not two to resolve."""
        return len(self._differing)

    def portion(self, wanted: Filter, decisions: Sequence[Decision], offset: int) -> dict[str, Any]:
        """The next stretches of the queue from `offset` on, and how many there are in all."""
        found = [at for at in range(len(self._items)) if self._fits(at, wanted, decisions)]
        rows = [self._row(at, decisions) for at in found[offset : offset + PORTION]]
        return {"total": len(found), "offset": offset, "items": rows}

    def timeline(self, video: int, columns: int) -> dict[str, Any]:
        """Frames of a video gathered in at most `columns`: the smallest distance and the states of each.

        `states` are bits in the order of `names`.
        """
        states, distances = self._states[video - 1], self._distances[video - 1]
        count = max(1, min(columns, MOST_COLUMNS, len(states)))
        edges = [at * len(states) // count for at in range(count + 1)]
        parts = list(pairwise(edges))
        return {
            "frames": len(states),
            "names": [state.value for state in STATES],
            "distances": [_smallest(distances[first:end]) for first, end in parts],
            "states": [sum(1 << state for state in set(states[first:end])) for first, end in parts],
        }

    def people(self, video: int, decisions: Sequence[Decision]) -> dict[str, Any]:
        """The people's stretches of a video with what was decided about each, the subject's first, then the longest."""
        found = self._people[video - 1]
        decided: dict[int | None, list[str]] = {}
        for one in decisions:
            if one.video == video and one.kind not in (kinds := decided.setdefault(one.track, [])):
                kinds.append(one.kind)
        rows = [{**one, "decided": decided.get(one["track"], [])} for one in found[:MOST_PEOPLE]]
        return {"total": len(found), "people": rows}

    def face_of(self, video: int, track: int) -> tuple[int, tuple[float, float, float, float]] | None:
        """A frame of a tracked stretch and the face's box there, to know the person by; None without the track."""
        for one in self._people[video - 1]:
            if one["track"] == track:
                frame = int(one["face_frame"])
                regions = self._pending.ledgers[video - 1][frame].regions
                return frame, next(region.box_xyxy for region in regions if region.track_id == track)
        return None

    def frame(self, video: int, frame: int) -> dict[str, Any]:
        """What was done about one frame, in words and numbers."""
        entry = self._pending.ledgers[video - 1][frame]
        facts = self._pending.released[video - 1].facts
        return {
            "width": facts.width,
            "height": facts.height,
            "time_s": round(entry.time_s, 3),
            "state": entry.state.value,
            "cleared_by": list(entry.cleared_by),
            "distance": entry.distance,
            "expression_error": entry.expression_error,
            "unaccounted_faces": entry.unaccounted_faces,
            "regions": [_region(one) for one in entry.regions],
        }

    def _fits(self, at: int, wanted: Filter, decisions: Sequence[Decision]) -> bool:
        item = self._items[at]
        return (
            wanted.video in (0, item.video)
            and not (wanted.undecided and item.state is not State.UNDECIDED)
            and not (wanted.differing and at not in self._differing)
            and not (wanted.open and any(about(one, item) for one in decisions))
        )

    def _row(self, at: int, decisions: Sequence[Decision]) -> dict[str, Any]:
        item = self._items[at]
        return {
            "number": at,
            "video": item.video,
            "first": item.first_frame,
            "last": item.last_frame,
            "from_s": round(self._pending.ledgers[item.video - 1][item.first_frame].time_s, 2),
            "track": item.track,
            "state": item.state.value,
            "reason": item.reason,
            "distance": _smallest(self._distances[item.video - 1][item.first_frame : item.last_frame + 1]),
            "decided": [one.kind for one in decisions if about(one, item)],
            "differs": at in self._differing,
        }


def decision_row(decision: Decision) -> dict[str, Any]:
    """A decision as the page lists it."""
    return {
        "number": decision.number,
        "video": decision.video,
        "first": decision.first_frame,
        "last": decision.last_frame,
        "kind": decision.kind,
        "track": decision.track,
        "box": decision.box_xyxy,
        "note": decision.note,
        "reviewer": decision.reviewer,
    }


def _differing(pending: Pending, items: Sequence[Item]) -> frozenset[int]:
    """The places in the queue of what a resolution is for; a later round's readings are of other pictures."""
    readings = {one.role: one.decisions for one in pending.readings}
    if pending.role != "resolution" or pending.round > 1 or not {"first", "second"} <= readings.keys():
        return frozenset()
    found = set(agreement(items, readings["first"], readings["second"]).differing)
    return frozenset(at for at, one in enumerate(items) if one in found)


def _people(video: int, ledger: Sequence[LedgerFrame]) -> list[dict[str, Any]]:
    regions: dict[int, list[tuple[int, Region]]] = {}
    for frame in ledger:
        for region in frame.regions:
            if region.track_id is not None:
                regions.setdefault(region.track_id, []).append((frame.index, region))
    rows = [
        {
            "video": video,
            "track": track,
            "whose": _whose(found[0][1]),
            "frames": len({frame for frame, _ in found}),
            "first": found[0][0],
            "last": found[-1][0],
            "states": dict(Counter(region.state.value for _, region in found).most_common()),
            "face_frame": max(found, key=lambda pair: _area(pair[1].box_xyxy))[0],
        }
        for track, found in regions.items()
    ]
    return sorted(rows, key=lambda row: (row["whose"] != "subject", -row["frames"], row["track"]))


def _region(region: Region) -> dict[str, Any]:
    return {
        "track": region.track_id,
        "whose": _whose(region),
        "state": region.state.value,
        "reason": region.reason,
        "decided_by": region.decided_by,
        "rung": "" if region.rung is None else region.rung.value,
        "numbers": [[name, value] for name, value in region.numbers],
        "box": region.box_xyxy,
    }


def _whose(region: Region) -> str:
    return "subject" if region.is_subject else "another person" if region.is_known else "not known whose"


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _smallest(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)
