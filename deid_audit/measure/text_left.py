"""How many lines of standing text the written file still shows: what the search found, not what is there."""

from deid_audit.findings import Measurement, measured

_METHOD = "standing lines of printed letters in the written file, four frames a second; nothing is read"


def measure_text(left: int, covered: int, frames: int, scope: str) -> list[Measurement]:
    """Lines `left` in one released video of `frames` frames; `covered` ones are told beside them."""
    detail = {"covered": float(covered)}
    return [
        measured("text.regions_left", "swapped", scope, left, sample_size=frames, method=_METHOD, detail=detail),
    ]
