"""Clinicians' blinded ratings as measurements: how far the released clips are rated as the originals, or "not done"."""

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.measure.exam.rerating import NOT_DONE, Ratings, rerating_values

METHOD_TEXT = (
    "Ratings: weighted kappa (Cohen 1968), linear and quadratic, of the scores 0 to 4 that raters gave the released "
    "clips against those they gave the originals, from the steward's table; its intervals draw whole clips again. "
    "Whether raters were blinded and clips shuffled cannot be seen in a table."
)
_METHOD = "scores of the steward's table, each clip, rater and item once original and once released"


def measure_rerating(ratings: Ratings | None) -> list[Measurement]:
    """Both kappas over all pairs; those of each item, with their numbers of pairs, are the details."""
    values = {one.name: one for one in rerating_values(ratings)}
    out = []
    for weights in ("linear", "quadratic"):
        name = f"rerating_kappa_{weights}"
        metric, whole = f"exam.{name}", values[name]
        if whole.value is None:
            out.append(not_measured(metric, "swapped", "run", whole.reason, absent=whole.reason == NOT_DONE))
            continue
        detail = {} if whole.low is None or whole.high is None else {"low95": whole.low, "high95": whole.high}
        for key, one in values.items():
            if key.startswith(f"{name}.") and one.value is not None:
                item = key.removeprefix(f"{name}.")
                detail |= {f"item {item}": one.value, f"item {item}: pairs": float(one.sample_size)}
        out.append(
            measured(
                metric, "swapped", "run", whole.value, sample_size=whole.sample_size, method=_METHOD, detail=detail
            )
        )
    return out
