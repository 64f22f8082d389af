"""Whether a head tremor of the original is still there, as strong and as fast, in the released video.

Takes the head's position from `expression.FaceSignals` and the frames' times, and compares spectra between 3 and
12 Hz. It does not diagnose: "present" means a narrow peak above the original's own noise, nothing more.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.stats import theilslopes

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.measure.expression import FaceSignals

BAND_HZ = (3.0, 12.0)
HALF_WIDTH_HZ = 0.5
MIN_RATE_HZ = 8.0
MIN_SECONDS = 3.0
PEAK_FACTOR = 10.0
PEAK_FACTOR_SHORT = 20.0
_ENOUGH_WINDOWS = 3
MIN_BAND_SHARE = 1 / 3
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
_WINDOW_SECONDS = 4.0
_MAX_GAP_FRAMES = 3.5
_TREND_FROM_HZ = 2.0
_PEAK_CLEARANCE_HZ = 0.75
_FFT_POINTS_PER_HZ = 20

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Mean-square movement per Hz, both axes added: `power` (k,) in px²/Hz at `hz` (k,), from `windows` windows."""

    hz: Signal
    power: Signal
    windows: int

    def amplitude(self, centre_hz: float) -> float:
        """Amplitude in px of a sinusoid with the power within 0.5 Hz of `centre_hz`."""
        near = np.abs(self.hz - centre_hz) <= HALF_WIDTH_HZ
        return float(np.sqrt(2 * self.power[near].sum() * (self.hz[1] - self.hz[0])))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The band's strongest peak: its frequency, its height over the trend, its share of the band's power.

    `needed` is the height that counts: an average of few windows has taller chance peaks.
    """

    hz: float
    over_trend: float
    band_share: float
    needed: float

    @property
    def stands_out(self) -> bool:
        return self.over_trend >= self.needed and self.band_share >= MIN_BAND_SHARE


def head_spectrum(head_xy: Signal, times_s: Signal, rate_hz: float) -> Spectrum | None:
    """Averaged spectrum of the head's position (n, 2) px at `times_s` (n,); None without 3 s in one piece.

    A piece ends where more than two frames in a row are missing. Windows never reach across pieces.
    """
    pieces = [
        piece
        for piece in np.split(np.arange(len(times_s)), np.flatnonzero(np.diff(times_s) > _MAX_GAP_FRAMES / rate_hz) + 1)
        if len(piece) > 3 and _seconds(times_s[piece], rate_hz) >= MIN_SECONDS - 0.5 / rate_hz
    ]
    if not pieces:
        return None
    longest = max(_seconds(times_s[piece], rate_hz) for piece in pieces)
    size = round(min(_WINDOW_SECONDS, longest) * rate_hz)
    window = np.hanning(size + 1)[:-1]
    points = int(_FFT_POINTS_PER_HZ * rate_hz)
    powers = []
    for piece in pieces:
        start, end = times_s[piece[0]], times_s[piece[-1]]
        grid = start + np.arange(int((end - start) * rate_hz + 1e-6) + 1) / rate_hz
        even = CubicSpline(times_s[piece], head_xy[piece], axis=0)(grid)
        if len(even) < size:
            continue
        starts = sorted({*range(0, len(even) - size + 1, max(1, size // 2)), len(even) - size})
        for first in starts:
            part = even[first : first + size]
            level = (part - _line(part)) * window[:, None]
            lines = np.abs(np.fft.rfft(level, n=points, axis=0)) ** 2
            powers.append(2 * lines.sum(axis=1) / (rate_hz * (window**2).sum()))
    if not powers:
        return None
    return Spectrum(hz=np.fft.rfftfreq(points, 1 / rate_hz), power=np.mean(powers, axis=0), windows=len(powers))


def strongest_peak(spectrum: Spectrum, rate_hz: float) -> Peak | None:
    """The peak between 3 and 12 Hz that stands highest over the spectrum's trend; None where nothing moves.

    The trend is a robust straight line through log power over log frequency, the peak's surroundings left out, so
    that slow movement, whose power falls steadily with frequency, makes no peak at the band's lower edge.
    """
    low, high = band(rate_hz)
    inside = (spectrum.hz >= low) & (spectrum.hz <= high)
    hz, power = spectrum.hz[inside], spectrum.power[inside]
    if power.max(initial=0) <= 0:
        return None
    inner = np.flatnonzero((power[1:-1] >= power[:-2]) & (power[1:-1] > power[2:])) + 1
    if not len(inner):
        return None
    at = int(inner[np.argmax(power[inner])])
    rest = (spectrum.hz >= _TREND_FROM_HZ) & (spectrum.hz <= high)
    rest &= (np.abs(spectrum.hz - hz[at]) > _PEAK_CLEARANCE_HZ) & (spectrum.power > 0)
    if rest.sum() < 3:
        return None
    slope, intercept, *_ = theilslopes(np.log(spectrum.power[rest]), np.log(spectrum.hz[rest]))
    trend = np.exp(intercept + slope * np.log(hz[at]))
    share = power[np.abs(hz - hz[at]) <= HALF_WIDTH_HZ].sum() / power.sum()
    return Peak(
        hz=_refined(hz, power, at),
        over_trend=float(power[at] / trend),
        band_share=float(share),
        needed=PEAK_FACTOR if spectrum.windows >= _ENOUGH_WINDOWS else PEAK_FACTOR_SHORT,
    )


def band(rate_hz: float) -> tuple[float, float]:
    """The frequencies that can be looked at: 3 to 12 Hz, and below 0.96 of half the frame rate.

    >>> band(25.0), band(12.5)
    ((3.0, 12.0), (3.0, 6.0))
    """
    return BAND_HZ[0], min(BAND_HZ[1], 0.48 * rate_hz)


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


def _seconds(times_s: Signal, rate_hz: float) -> float:
    """Duration of a piece, its last frame included."""
    return float(times_s[-1] - times_s[0] + 1 / rate_hz)


def _line(part: Signal) -> Signal:
    """The straight line of least squares through (n, 2) positions."""
    x = np.arange(len(part)) - (len(part) - 1) / 2
    return np.asarray(part.mean(axis=0) + np.outer(x, (x @ part) / (x @ x)))


def _refined(hz: Signal, power: Signal, at: int) -> float:
    """Frequency of a local maximum between grid points: the parabola through three log powers."""
    left, middle, right = np.log(np.maximum(power[at - 1 : at + 2], np.finfo(float).tiny))
    bend = left - 2 * middle + right
    shift = 0.0 if bend == 0 else 0.5 * (left - right) / bend
    return float(hz[at] + shift * (hz[1] - hz[0]))
