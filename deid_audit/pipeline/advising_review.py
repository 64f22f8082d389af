"""What to do where a policy asks for people who looked at the videos, and nobody, or not enough, did.

A part of `advising`, which knows all families.
"""

from deid_audit.pipeline.locating import Fault
from deid_audit.pipeline.unmet import Case, Words

_AFTERWARDS = (
    "Or let people look now: deid-audit review OUT --originals VIDEO..., then deid-audit run --from-review; the model "
    "is gone, so what they want changed is covered."
)


def review(case: Case) -> Words:
    """Too few readers, too few frames shown, or two readers who do not agree."""
    if case.fault is Fault.MISSING or case.name == "readers":
        return [], ["Run again with --review, and with --readers 2 where two are asked for.", _AFTERWARDS]
    if case.name == "frames_shown_share":
        return [], ["Have the reviewer step through all frames, not through the queue's beginnings alone.", _AFTERWARDS]
    return ["the two readers do not look for the same things"], [
        "Let both read the same instruction and a few frames together before they begin, and have the videos read anew."
    ]
