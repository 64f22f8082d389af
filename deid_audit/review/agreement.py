"""How far two readings agree: Cohen's kappa over the stretches of the queue, and where they differ.

Each stretch has one category a reading: the strictest of what was decided about it, or nothing. A region drawn where
the ledger has no face is no stretch: it counts nowhere here, and is carried out all the same.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deid_audit.review.places import overlaps
from deid_audit.review.queue import Item
from deid_audit.review.records import Decision

NOTHING = "nothing"
CATEGORIES = (NOTHING, "clear", "reswap", "conceal", "wrong_person")
"""From the least to the strictest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of `items` stretches both readings said the same of all but `differing`; `kappa` is None for `because`."""

    items: int
    differing: tuple[Item, ...]
    kappa: float | None
    because: str = ""


def agreement(items: Sequence[Item], first: Sequence[Decision], second: Sequence[Decision]) -> Agreement:
    """What two readings' decisions come to over the stretches that both were shown."""
    pairs = [(category(item, first), category(item, second)) for item in items]
    kappa, because = cohens_kappa(pairs)
    differing = tuple(item for item, (one, other) in zip(items, pairs, strict=True) if one != other)
    return Agreement(items=len(items), differing=differing, kappa=kappa, because=because)


def category(item: Item, decisions: Sequence[Decision]) -> str:
    """What was decided about a stretch: the strictest of the decisions that are about any part of it."""
    kinds = [one.kind for one in decisions if about(one, item)]
    return max(kinds, key=CATEGORIES.index, default=NOTHING)


def about(decision: Decision, item: Item) -> bool:
    """Whether a decision is about any part of a stretch: of its track, of the place of a drawn region, or of all."""
    if decision.video != item.video:
        return False
    if decision.last_frame < item.first_frame or item.last_frame < decision.first_frame:
        return False
    if decision.track is not None:
        return decision.track == item.track
    if decision.box_xyxy is None or item.box_xyxy is None:
        return True
    return overlaps(item.box_xyxy, decision.box_xyxy)


def cohens_kappa(pairs: Sequence[tuple[str, str]]) -> tuple[float | None, str]:
    """Cohen's kappa (1960) of two raters' categories, or None and why there is none.

    >>> cohens_kappa([("a", "a"), ("a", "b"), ("b", "b"), ("b", "b")])
    (0.5, '')
    """
    count = len(pairs)
    if not count:
        return None, "there is nothing that both could decide about"
    observed = sum(one == other for one, other in pairs) / count
    ones, others = (Counter(pair[at] for pair in pairs) for at in (0, 1))
    expected = sum(ones[name] * others[name] for name in ones) / count**2
    if expected >= 1:
        return None, f"both said the same ({pairs[0][0]}) of every stretch: agreement by chance alone would be 1"
    return (observed - expected) / (1 - expected), ""
