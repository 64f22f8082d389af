"""Pitch of a voice: YIN (de Cheveigné and Kawahara 2002) on frames of 64 ms, one every 10 ms."""

import numpy as np
from numpy.typing import NDArray

from deid_audit.voice.spectrum import RATE, Rows

PITCH_FRAME, PITCH_HOP = 1024, RATE // 100
LOWEST_HZ, HIGHEST_HZ = 60.0, 500.0
_THRESHOLD = 0.2  # of the normalised difference: what is not nearly periodic has no pitch
_QUIETEST = 1e-3  # root mean square of full scale, -60 dB


def pitch_of(frames: Rows) -> NDArray[np.float64]:
    """Hz of each frame (n, 1024), NaN where the frame is quiet or not voiced."""
    window = PITCH_FRAME // 2
    longest = int(RATE / LOWEST_HZ) + 1
    heads = frames[:, :window]
    spectrum = np.fft.rfft(frames, 2 * PITCH_FRAME) * np.conj(np.fft.rfft(heads, 2 * PITCH_FRAME))
    products = np.fft.irfft(spectrum)[:, : longest + 1]
    energy = np.cumsum(np.pad(frames**2, ((0, 0), (1, 0))), axis=1)
    shifted = energy[:, window : window + longest + 1] - energy[:, : longest + 1]
    difference = np.maximum(shifted[:, :1] + shifted - 2 * products, 0)
    mean = np.cumsum(difference[:, 1:], axis=1) / np.arange(1, longest + 1)
    difference[:, 0] = 1
    difference[:, 1:] /= np.maximum(mean, 1e-12)
    loud = np.sqrt((frames**2).mean(axis=1)) > _QUIETEST
    return np.array([_first_dip(row) if heard else np.nan for row, heard in zip(difference, loud, strict=True)])


def _first_dip(difference: NDArray[np.float64]) -> float:
    """The first lag whose dip is deep enough: deeper dips at twice the lag are the same pitch an octave lower."""
    low = int(RATE / HIGHEST_HZ)
    below = np.flatnonzero(difference[low:-1] < _THRESHOLD)
    if not below.size:
        return float("nan")
    at = low + int(below[0])
    while at + 1 < len(difference) - 1 and difference[at + 1] < difference[at]:
        at += 1
    before, here, after = difference[at - 1 : at + 2]
    bend = before - 2 * here + after
    beside = 0.5 * (before - after) / bend if bend > 0 else 0.0
    return float(RATE / (at + min(1.0, max(-1.0, beside))))
