"""Whether a head tremor of the original is still there, as strong and as fast, in the released video.

Takes the head's position from `expression.FaceSignals` and the frames' times, and compares spectra between 3 and
12 Hz (`spectra.py`). It does not diagnose: "present" means a narrow peak above the original's own noise, nothing more.
"""

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.spectra import (
    MIN_BAND_SHARE,
    MIN_SECONDS,
    Peak,
    Signal,
    Spectrum,
    band,
    strongest_peak,
    windows_of,
)

MIN_RATE_HZ = 8.0
NOISE_FACTOR = 3.0
METHOD_TEXT = (
    "Head tremor: position of rigid face points (MediaPipe FaceMesh), both axes, averaged spectra of half overlapping "
    "windows of up to 4 s between 3 and 12 Hz (less where the frame rate is low). Called present when the original has "
    "a peak ten times above the spectrum's trend (twenty with fewer than three windows) that holds a third of the "
    "band's power within 0.5 Hz on each side and three times the null edit's amplitude there; then the released "
    "amplitude around that frequency and the released peak's frequency are compared. Where the timestamps vary, "
    "positions are interpolated onto an even grid, the same on both sides."
)
_METHOD = "FaceMesh rigid points; cubic spline to the median frame rate, Hann windows of up to 4 s, half overlapping"
_NAMES = ("motion.head_tremor_ratio", "motion.head_tremor_hz_error")


def head_spectrum(head_xy: Signal, times_s: Signal, rate_hz: float) -> Spectrum | None:
    """Averaged spectrum of the head's position (n, 2) px at `times_s` (n,); None without 3 s in one piece."""
    windows = windows_of(head_xy, times_s, rate_hz)
    return windows.spectrum() if windows else None


def measure_tremor(
    original: FaceSignals,
    released: FaceSignals,
    reencoded: FaceSignals,
    times_s: Signal,
    compared: NDArray[np.bool_],
    scope: str,
) -> list[Measurement]:
    """Amplitude ratio and frequency difference of the head tremor in one video; absent where the original has none.

    `times_s` (n,) are the frames' times; `compared` (n,) marks the frames whose subject is swapped. Only frames in
    which the head is found in all three videos count.
    """

    def gap(because: str) -> list[Measurement]:
        return [not_measured(name, "swapped", scope, because, method=_METHOD) for name in _NAMES]

    steps = np.diff(times_s)
    if not len(steps) or not np.median(steps) > 0:
        return gap("the video has too few frames with a time of their own")
    rate = float(1 / np.median(steps))
    if rate < MIN_RATE_HZ:
        return gap(f"{rate:.1f} frames a second cannot show 3 Hz and more; at least {MIN_RATE_HZ:.0f} are needed")
    tracks = [signals.head_xy for signals in (original, released, reencoded)]
    used = compared & np.isfinite(np.hstack(tracks)).all(axis=1)
    times = times_s[used]
    spectra = [head_spectrum(track[used], times, rate) for track in (*tracks, tracks[2] - tracks[0])]
    before, after, null, noise = spectra
    if before is None or after is None or null is None or noise is None:
        return gap(f"no {MIN_SECONDS:.0f} s in one piece in which the head is found in original and released video")

    peak = strongest_peak(before, rate)
    why_absent = _why_absent(peak, before, noise, rate)
    if peak is None or why_absent:
        return [not_measured(name, "swapped", scope, why_absent, absent=True, method=_METHOD) for name in _NAMES]
    amplitude = before.amplitude(peak.hz)
    count = int(used.sum())
    detail = {
        "peak_hz": peak.hz,
        "original_amplitude_px": amplitude,
        "released_amplitude_px": after.amplitude(peak.hz),
        "noise_amplitude_px": noise.amplitude(peak.hz),
        "frame_rate_hz": rate,
    }
    ratio, floor = after.amplitude(peak.hz) / amplitude, null.amplitude(peak.hz) / amplitude
    out = [
        measured(
            _NAMES[0], "swapped", scope, ratio, sample_size=count, method=_METHOD, noise_floor=floor, detail=detail
        )
    ]
    found, of_null = strongest_peak(after, rate), strongest_peak(null, rate)
    if found is None or not found.stands_out:
        because = f"the released head has no peak that stands out; the original's is at {peak.hz:.1f} Hz"
        return [*out, not_measured(_NAMES[1], "swapped", scope, because, method=_METHOD)]
    return [
        *out,
        measured(
            _NAMES[1],
            "swapped",
            scope,
            abs(found.hz - peak.hz),
            sample_size=count,
            method=_METHOD,
            noise_floor=abs(of_null.hz - peak.hz) if of_null else None,
            detail={**detail, "released_peak_hz": found.hz},
        ),
    ]


def _why_absent(peak: Peak | None, before: Spectrum, noise: Spectrum, rate_hz: float) -> str:
    low, high = band(rate_hz)
    where = f"between {low:.0f} and {high:.1f} Hz"
    if peak is None:
        return f"the original's head has no peak {where}"
    if not peak.stands_out:
        return (
            f"the original's head has no peak {where} that stands out: the strongest, at {peak.hz:.1f} Hz, is "
            f"{peak.over_trend:.1f} times the trend ({peak.needed:.0f} needed) and holds {peak.band_share:.0%} of the "
            f"band's power ({MIN_BAND_SHARE:.0%} needed)"
        )
    amplitude, floor = before.amplitude(peak.hz), noise.amplitude(peak.hz)
    if not amplitude > NOISE_FACTOR * floor:
        return (
            f"the original's head moves by {amplitude:.2f} px at {peak.hz:.1f} Hz, its null-edit noise is "
            f"{floor:.2f} px: not more than {NOISE_FACTOR:.0f} times the noise"
        )
    return ""
