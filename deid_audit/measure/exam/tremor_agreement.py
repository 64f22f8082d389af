"""Whether the same tremor is in both videos: its frequency, its power, and whether it keeps step, moment by moment."""

import numpy as np

from deid_audit.measure.exam.tremors import (
    MIN_COHERENCE_WINDOWS,
    Seen,
    looked_at,
    moving_part,
    outstanding_peak,
)
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.intervals import Clusters, bootstrap
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.measure.spectra import HALF_WIDTH_HZ, Peak

_PARTS = (("hand", "left"), ("hand", "right"), ("head", ""), ("jaw", ""))


def tremor_agreement(original: MotionTracks, released: MotionTracks) -> list[ExamValue]:
    """Of each part: difference of the dominant frequencies, ratio of the power, coherence at the original's peak.

    Both videos are read at the same frames. The power is that within 0.5 Hz of the original's peak; the coherence is
    magnitude-squared, both axes taken together.
    """
    out: list[ExamValue] = []
    same_times = len(original) == len(released) and bool(np.array_equal(original.times_s, released.times_s))
    for kind, side in _PARTS:
        frequency, power, coherence = (
            Definition(name=f"{kind}_tremor_{what}", unit=unit, reference=reference)
            for what, unit, reference in (
                ("frequency_difference", "Hz", "Williams 2021"),
                ("power_ratio", "1", "Welch 1967"),
                ("coherence", "1", "Carter 1987"),
            )
        )
        pair = _pair(original, released, kind, side) if same_times else "the frames' times differ between the videos"
        if isinstance(pair, str):
            out += [one.missing(pair, side) for one in (frequency, power, coherence)]
            continue
        before, after, peak = pair
        count = len(before.windows.lines)
        found = outstanding_peak(after.windows.spectrum(), after.rate_hz, f"released {after.part.called}")
        half = 0.5 / before.windows.seconds
        if isinstance(found, Peak):
            error = found.hz - peak.hz
            out.append(frequency.given(error, count, side, (error - half, error + half)))
        else:
            out.append(frequency.missing(found, side, count))
        out += _kept(before, after, peak, power, coherence, side)
    return out


def _pair(original: MotionTracks, released: MotionTracks, kind: str, side: str) -> tuple[Seen, Seen, Peak] | str:
    parts = [moving_part(tracks, kind, side) for tracks in (original, released)]
    if parts[0].length_name != parts[1].length_name:
        return f"the {parts[0].called} is found by its fingers in one video and by the body's wrist in the other"
    both = np.isfinite(np.hstack([part.xy for part in parts])).all(axis=1)
    alone = looked_at(parts[0], original.times_s, both)
    if isinstance(alone, str):
        return f"original: {alone}"
    before, after = (looked_at(part, original.times_s, alone.used) for part in parts)
    if isinstance(before, str) or isinstance(after, str):
        return f"released: {after}"
    if not np.array_equal(before.used, after.used):
        return "the released video repeats frames that the original does not"
    peak = outstanding_peak(before.windows.spectrum(), before.rate_hz, f"original {before.part.called}")
    return peak if isinstance(peak, str) else (before, after, peak)


def _kept(
    before: Seen, after: Seen, peak: Peak, power: Definition, coherence: Definition, side: str
) -> list[ExamValue]:
    hz, count = before.windows.hz, len(before.windows.lines)
    near = np.abs(hz - peak.hz) <= HALF_WIDTH_HZ
    at = int(np.argmin(np.abs(hz - peak.hz)))
    powers = [seen.windows.powers()[:, near].sum(axis=1) for seen in (before, after)]
    lines = [seen.windows.lines[:, at] for seen in (before, after)]
    crossed = (lines[0] * lines[1].conj()).sum(axis=1)
    own = [(np.abs(line) ** 2).sum(axis=1) for line in lines]

    def statistics(rows: "np.ndarray[tuple[int], np.dtype[np.intp]]") -> dict[str, float]:
        scale = own[0][rows].sum() * own[1][rows].sum()
        return {
            "power": float(powers[1][rows].sum() / powers[0][rows].sum()),
            "coherence": float(abs(crossed[rows].sum()) ** 2 / scale) if scale > 0 else float("nan"),
        }

    values = statistics(np.arange(count))
    bounds = bootstrap(statistics, Clusters(labels=np.arange(count), unit="windows"))
    kept = [power.given(values["power"], count, side, bounds.of("power")[0])]
    if count < MIN_COHERENCE_WINDOWS:
        why = f"{count} windows of {before.windows.seconds:.0f} s; coherence needs {MIN_COHERENCE_WINDOWS}"
        return [*kept, coherence.missing(why, side, count)]
    if not np.isfinite(values["coherence"]):
        return [*kept, coherence.missing("the released part does not move at that frequency", side, count)]
    return [*kept, coherence.given(values["coherence"], count, side, bounds.of("coherence")[0])]
