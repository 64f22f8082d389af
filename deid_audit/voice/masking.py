"""The mask of a voice: formants moved by the McAdams coefficient and a factor, pitch by another, timing as it was.

As the signal-processing baseline of the VoicePrivacy Challenge (Patino et al. 2021): linear prediction of short frames,
the poles' angles raised to a power, synthesis with the residual. Here the residual is also read faster or slower, a
grain at a time, each placed where it continues the one before (as in WSOLA, Verhelst and Roelands 1993), so that pitch
moves and time does not. Works on blocks of any length and holds under a tenth of a second.
"""

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from scipy.signal import butter, lfilter, sosfilt

from deid_audit.voice.spectrum import RATE, Rows, Samples, filters_of, poles_of, prediction

MCADAMS = (0.6, 0.85)  # lower, vowels and pitch were no longer found in real voices; higher, the voice came near
SEMITONES = (2.5, 5.0)
FORMANT_FACTOR = (1.05, 1.15)
_RANGES = f"up or down by {SEMITONES[0]:g} to {SEMITONES[1]:g} semitones"
METHOD_TEXT = (
    "Voice: mixed to one channel at 16 kHz; in frames of 30 ms the poles of a linear prediction (order 20) had their "
    f"angles raised to a McAdams coefficient between {MCADAMS[0]} and {MCADAMS[1]} and scaled by a factor up to "
    f"{FORMANT_FACTOR[1]} either way, and pitch was moved {_RANGES}, sample for sample at the same time. The three "
    "numbers were drawn once for the case by the operating system's generator and written nowhere; whoever has the "
    "original can find them out, and whoever tries all of them can come near. What is said, how fast, and with which "
    "accent and intonation is kept. Other people's voices, and noises, passed through the same mask. Sound is not "
    "muted where a face is covered."
)

_FRAME, _HOP, _ORDER = 480, 240, 20
_SEARCH = 107  # samples: both ways together the period of the lowest voice, 75 Hz
_REACH = 480  # samples that a grain can read before and after its middle, with the filter's own memory
_LARGEST_RADIUS = 0.985
_SILENCE = 1e-9
_WINDOW = np.sqrt(np.hanning(_FRAME + 1)[:-1])
_NO_RUMBLE = butter(4, 70, "highpass", fs=RATE, output="sos")  # slower than any voice, and too slow for a grain to move


@dataclass(frozen=True, slots=True, eq=False)
class MaskParameters:
    """What one voice is masked with: McAdams coefficient, factors of pitch and of formants, float64 (3,). Secret."""

    values: NDArray[np.float64]

    @classmethod
    def draw(cls, seed: int | None = None) -> "MaskParameters":
        """From the operating system's generator; `seed` is for tests, which must come out the same."""
        rng = np.random.default_rng(secrets.randbits(256) if seed is None else seed)
        semitones = rng.uniform(*SEMITONES) * rng.choice((-1, 1))
        formants = rng.uniform(*FORMANT_FACTOR) ** rng.choice((-1, 1))
        return cls(np.array([rng.uniform(*MCADAMS), 2 ** (semitones / 12), formants]))


def masked(blocks: Iterable[Samples], parameters: MaskParameters) -> Iterator[Samples]:
    """The same sound, (n,) at 16 kHz in blocks, in another voice; as many samples come out as went in."""
    mask = _Mask(parameters)
    for block in blocks:
        if len(block):
            yield mask.take(block)
    yield mask.rest()


class _Mask:
    """`waiting` begins `_REACH` samples before the middle of the next frame; `sum` are samples not finished yet."""

    def __init__(self, parameters: MaskParameters) -> None:
        self._parameters = parameters
        self._waiting: NDArray[np.float64] = np.zeros(_REACH)
        self._rumble = np.zeros((_NO_RUMBLE.shape[0], 2))
        self._tail: NDArray[np.float64] = np.zeros(_HOP)
        self._sum: NDArray[np.float64] = np.zeros(_HOP)
        self._taken = self._given = 0
        self._skip = _HOP  # the first frame begins before the first sample

    def take(self, block: Samples) -> Samples:
        clean, self._rumble = sosfilt(_NO_RUMBLE, block.astype(np.float64), zi=self._rumble)
        self._taken += len(block)
        return self._work(clean)

    def rest(self) -> Samples:
        """What is left, cut to the length that came in."""
        due = self._taken - self._given
        return self._work(np.zeros(2 * _REACH + _HOP))[:due]

    def _work(self, samples: NDArray[np.float64]) -> Samples:
        self._waiting = np.concatenate([self._waiting, samples])
        count = max(0, (len(self._waiting) - 2 * _REACH) // _HOP + 1)
        if not count:
            return np.zeros(0, np.float32)
        reads = np.lib.stride_tricks.sliding_window_view(self._waiting, 2 * _REACH)[: count * _HOP : _HOP]
        middles = reads[:, _REACH - _HOP : _REACH + _HOP]
        before = prediction(middles * np.hanning(_FRAME + 1)[:-1], _ORDER)
        after = moved(before, *self._parameters.values[[0, 2]])
        out = np.empty(count * _HOP)
        for at in range(count):
            grain = self._grain(reads[at], middles[at], before[at], after[at])
            out[at * _HOP : (at + 1) * _HOP] = self._sum
            out[at * _HOP : (at + 1) * _HOP] += grain[:_HOP]
            self._sum = grain[_HOP:]
        self._waiting = self._waiting[count * _HOP :]
        given = np.clip(out[self._skip :], -1, 1).astype(np.float32)
        self._skip = 0
        self._given += len(given)
        return given

    def _grain(self, read: Rows, middle: Rows, before: Rows, after: Rows) -> NDArray[np.float64]:
        """One frame in the other voice, (480,), windowed; read from the residual at the pitch's own speed."""
        energy = float(((middle * _WINDOW**2) ** 2).sum())
        if energy < _SILENCE:
            self._tail = np.zeros(_HOP)
            return np.zeros(_FRAME)
        residual = lfilter(before, [1.0], read)
        pitch = float(self._parameters.values[1])
        lags = int(_SEARCH / pitch)
        places = _REACH + pitch * np.arange(-_HOP - lags, _HOP + lags)
        faster = map_coordinates(residual, places[None], order=3, mode="constant")
        lag = _best(faster[: _HOP + 2 * lags], self._tail)
        excitation = faster[lag : lag + _FRAME]
        self._tail = excitation[_HOP:]
        grain = lfilter([1.0], after, excitation * _WINDOW) * _WINDOW
        loud = float((grain**2).sum())
        return np.asarray(grain * np.sqrt(energy / max(loud, _SILENCE)))


def moved(filters: Rows, mcadams: float, factor: float) -> Rows:
    """Prediction filters (n, order + 1) with the angles of their complex poles raised to `mcadams`, times `factor`."""
    poles = poles_of(filters)
    angle, radius = np.angle(poles), np.minimum(np.abs(poles), _LARGEST_RADIUS)
    turned = np.sign(angle) * np.minimum(np.abs(angle) ** mcadams * factor, 0.97 * np.pi)
    complex_ones = np.abs(poles.imag) > 1e-9
    return filters_of(radius * np.exp(1j * np.where(complex_ones, turned, angle)))


def _best(candidates: NDArray[np.float64], tail: NDArray[np.float64]) -> int:
    """The lag at which the grain continues `tail` best; the middle one where there is nothing to continue."""
    middle = (len(candidates) - len(tail)) // 2
    if not tail.any():
        return middle
    match = np.correlate(candidates, tail, "valid")
    energy = np.convolve(candidates**2, np.ones(len(tail)), "valid")
    return int(np.argmax(match / np.sqrt(energy + _SILENCE)))
