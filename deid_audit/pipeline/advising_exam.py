"""What to do where the released video does not show what an examination of the original shows.

A part of `advising`, which knows all families.
"""

from deid_audit.pipeline.locating import Fault
from deid_audit.pipeline.unmet import Case, Words, train_longer


def exam(case: Case) -> Words:
    """Blinks that are lost or added; every other measure is told by its own reason."""
    if case.fault is Fault.MISSING:
        return [], [
            "See the reason above: a larger, steadier or longer view of the part that moves makes it measurable."
        ]
    if case.name.startswith("rerating"):
        return [], ["Look at the clips on which the raters differ most; the videos themselves may pass."]
    if not case.name.startswith("blinks_"):
        return [], [train_longer(case)]
    noticed = []
    blinks, kept = case.detail.get("original_blinks"), case.detail.get("kept")
    if blinks is not None and kept is not None:
        noticed.append(f"{kept:.0f} of the original's {blinks:.0f} blinks are found in the released video")
    steps = ["Look at the moments named above: glasses, hair or a turned head hide the lids from the landmarks."]
    if case.kind == "swap":
        steps.append("Give donor footage that blinks and closes the eyes for a moment.")
    return noticed, [*steps, train_longer(case)]
