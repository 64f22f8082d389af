"""Spectra of a point's movement: windows of even samples from uneven frame times, their mean power, and its peak.

Shared by the head tremor that a policy gates (`tremor.py`) and the tremors of an exam (`exam/`). It knows no body part
and decides nothing: "stands out" is a height over the spectrum's own trend and a share of the band.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.stats import theilslopes

BAND_HZ = (3.0, 12.0)
HALF_WIDTH_HZ = 0.5
MIN_SECONDS = 3.0
PEAK_FACTOR = 10.0
PEAK_FACTOR_SHORT = 20.0
MIN_BAND_SHARE = 1 / 3
_ENOUGH_WINDOWS = 3
_WINDOW_SECONDS = 4.0
_MAX_GAP_FRAMES = 3.5
_TREND_FROM_HZ = 2.0
_PEAK_CLEARANCE_HZ = 0.75
_FFT_POINTS_PER_HZ = 20

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spectrum:
    """Mean-square movement per Hz, all axes added: `power` (k,) in px²/Hz at `hz` (k,), from `windows` windows."""

    hz: Signal
    power: Signal
    windows: int

    def amplitude(self, centre_hz: float) -> float:
        """Amplitude in px of a sinusoid with the power within 0.5 Hz of `centre_hz`."""
        near = np.abs(self.hz - centre_hz) <= HALF_WIDTH_HZ
        return float(np.sqrt(2 * self.power[near].sum() * (self.hz[1] - self.hz[0])))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Windows:
    """Fourier lines of each window, complex `lines` (windows, k, axes) at `hz` (k,); a window lasts `seconds`."""

    hz: Signal
    lines: NDArray[np.complex128]
    scale: float
    seconds: float

    def powers(self) -> Signal:
        """Power of each window, all axes added: (windows, k) px²/Hz."""
        return np.asarray(2 * (np.abs(self.lines) ** 2).sum(axis=2) / self.scale)

    def spectrum(self) -> Spectrum:
        return Spectrum(hz=self.hz, power=np.mean(self.powers(), axis=0), windows=len(self.lines))


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


def pieces_of(times_s: Signal, rate_hz: float) -> list[NDArray[np.intp]]:
    """Row numbers of each piece of `times_s` (n,); a piece ends where more than two frames in a row are missing."""
    return list(np.split(np.arange(len(times_s)), np.flatnonzero(np.diff(times_s) > _MAX_GAP_FRAMES / rate_hz) + 1))


def windows_of(xy: Signal, times_s: Signal, rate_hz: float) -> Windows | None:
    """Half-overlapping Hann windows of up to 4 s of positions (n, axes) px; None without 3 s in one piece.

    Positions are interpolated (cubic) onto an even grid; a straight line of least squares is taken off each window.
    Windows never reach across pieces.
    """
    pieces = [
        piece
        for piece in pieces_of(times_s, rate_hz)
        if len(piece) > 3 and _seconds(times_s[piece], rate_hz) >= MIN_SECONDS - 0.5 / rate_hz
    ]
    if not pieces:
        return None
    longest = max(_seconds(times_s[piece], rate_hz) for piece in pieces)
    size = round(min(_WINDOW_SECONDS, longest) * rate_hz)
    window = np.hanning(size + 1)[:-1]
    points = int(_FFT_POINTS_PER_HZ * rate_hz)
    lines = []
    for piece in pieces:
        start, end = times_s[piece[0]], times_s[piece[-1]]
        grid = start + np.arange(int((end - start) * rate_hz + 1e-6) + 1) / rate_hz
        even = CubicSpline(times_s[piece], xy[piece], axis=0)(grid)
        if len(even) < size:
            continue
        starts = sorted({*range(0, len(even) - size + 1, max(1, size // 2)), len(even) - size})
        for first in starts:
            part = even[first : first + size]
            level = (part - _line(part)) * window[:, None]
            lines.append(np.fft.rfft(level, n=points, axis=0))
    if not lines:
        return None
    return Windows(
        hz=np.fft.rfftfreq(points, 1 / rate_hz),
        lines=np.stack(lines),
        scale=rate_hz * float((window**2).sum()),
        seconds=size / rate_hz,
    )


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


def _seconds(times_s: Signal, rate_hz: float) -> float:
    """Duration of a piece, its last frame included."""
    return float(times_s[-1] - times_s[0] + 1 / rate_hz)


def _line(part: Signal) -> Signal:
    """The straight line of least squares through (n, axes) positions."""
    x = np.arange(len(part)) - (len(part) - 1) / 2
    return np.asarray(part.mean(axis=0) + np.outer(x, (x @ part) / (x @ x)))


def _refined(hz: Signal, power: Signal, at: int) -> float:
    """Frequency of a local maximum between grid points: the parabola through three log powers."""
    left, middle, right = np.log(np.maximum(power[at - 1 : at + 2], np.finfo(float).tiny))
    bend = left - 2 * middle + right
    shift = 0.0 if bend == 0 else 0.5 * (left - right) / bend
    return float(hz[at] + shift * (hz[1] - hz[0]))
