"""Short-time spectra of speech: frames, linear prediction, its poles as formants, cepstra on the mel scale.

Everything is at 16 kHz, where the constants of speech processing are at home. Makhoul 1975 (linear prediction), Davis
and Mermelstein 1980 (cepstra).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct

RATE = 16_000
FORMANTS = 3
_ORDER_OF_FORMANTS = 12  # two poles for each of five formants below 5.5 kHz, and two for the slope
_LEAST_HZ, _WIDEST_HZ = 150.0, 500.0  # below: the voice's own slope; wider than that: no resonance
_MEL_BANDS, _CEPSTRA = 26, 20

Samples = NDArray[np.float32]
Rows = NDArray[np.float64]


def frames_of(samples: Samples, length: int, hop: int) -> Rows:
    """All whole frames, (n, length), one every `hop` samples; none of a piece shorter than a frame."""
    if len(samples) < length:
        return np.zeros((0, length))
    return np.lib.stride_tricks.sliding_window_view(samples, length)[::hop].astype(np.float64)


def prediction(frames: Rows, order: int) -> Rows:
    """Linear prediction of windowed frames (n, length) by autocorrelation: filters (n, order + 1), the first column 1.

    All roots lie inside the unit circle; of a silent frame the filter is 1, 0, 0.
    """
    size = 1 << (2 * frames.shape[1] - 1).bit_length()
    power = np.abs(np.fft.rfft(frames, size)) ** 2
    lags = np.fft.irfft(power)[:, : order + 1]
    error = lags[:, 0] * (1 + 1e-6) + 1e-9  # a floor of noise: pure tones and silence stay solvable
    filters = np.zeros((len(frames), order + 1))
    filters[:, 0] = 1
    for step in range(1, order + 1):  # Levinson and Durbin, all frames at once
        reflection = -np.einsum("nk,nk->n", filters[:, :step], lags[:, step:0:-1]) / error
        filters[:, 1 : step + 1] += reflection[:, None] * filters[:, step - 1 :: -1][:, :step]
        error *= 1 - reflection**2
    return filters


def poles_of(filters: Rows) -> NDArray[np.complex128]:
    """The roots (n, order) of prediction filters (n, order + 1)."""
    order = filters.shape[1] - 1
    companion = np.zeros((len(filters), order, order))
    companion[:, 0] = -filters[:, 1:]
    companion[:, np.arange(1, order), np.arange(order - 1)] = 1
    return np.linalg.eigvals(companion).astype(np.complex128)


def filters_of(poles: NDArray[np.complex128]) -> Rows:
    """The real filters (n, order + 1) with these roots (n, order), which come in conjugate pairs."""
    filters = np.zeros((poles.shape[0], poles.shape[1] + 1), np.complex128)
    filters[:, 0] = 1
    for at in range(poles.shape[1]):
        filters[:, 1 : at + 2] -= poles[:, at : at + 1] * filters[:, : at + 1]
    return np.ascontiguousarray(filters.real)


def formants_of(frames: Rows) -> Rows:
    """Hz of the lowest three resonances of each frame (n, length), (n, 3); NaN where there are fewer."""
    lifted = np.diff(frames, axis=1, prepend=frames[:, :1]) * 0.97 + 0.03 * frames  # pre-emphasis
    poles = poles_of(prediction(lifted * np.hamming(frames.shape[1]), _ORDER_OF_FORMANTS))
    found = np.full((len(frames), FORMANTS), np.nan)
    for row, roots in zip(found, poles, strict=True):
        hertz = np.angle(roots) * RATE / (2 * np.pi)
        width = -np.log(np.maximum(np.abs(roots), 1e-9)) * RATE / np.pi
        lowest = np.sort(hertz[(hertz > _LEAST_HZ) & (width < _WIDEST_HZ)])[:FORMANTS]
        row[: len(lowest)] = lowest
    return found


def cepstra_of(frames: Rows) -> Rows:
    """Mel-frequency cepstra (n, 19) of frames (n, length), without the first, which is only loudness."""
    power = np.abs(np.fft.rfft(frames * np.hamming(frames.shape[1]), 512)) ** 2
    return np.asarray(dct(np.log(power @ _mel_bank().T + 1e-10), norm="ortho", axis=1)[:, 1:_CEPSTRA])


def _mel_bank() -> Rows:
    """Triangles (26, 257), evenly spaced on the mel scale from 0 to 8 kHz."""
    mel = np.linspace(0, 2595 * np.log10(1 + RATE / 2 / 700), _MEL_BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    bins = np.fft.rfftfreq(512, 1 / RATE)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)), np.float64)
