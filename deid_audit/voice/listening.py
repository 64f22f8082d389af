"""What is heard in a sound, block by block: pitch, formants, loudness over time, and the voice's statistics.

Sound goes through once and is not kept. Two sounds are compared while they go through side by side.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.signal import butter, find_peaks, sosfilt, sosfiltfilt

from deid_audit.voice.pitch import PITCH_FRAME, PITCH_HOP, pitch_of
from deid_audit.voice.speaker import Voiceprint
from deid_audit.voice.spectrum import FORMANTS, RATE, Rows, Samples, cepstra_of, formants_of, frames_of

LOUDNESS_HZ = 200
_SPEECH_FRAME = 480
_QUIETEST_DB = -60.0
_SYLLABLE_DB, _SYLLABLE_S = 3.0, 0.08
_SMOOTHING_S = 0.025
_MATCH_S, _MATCH_LAG_S, _MATCH_R = 0.5, 0.025, 0.5
_VOICED_FRAMES = 5  # of about 47 in half a second: a syllable's vowel
_BAND = butter(2, (150, 4000), "bandpass", fs=RATE, output="sos")  # where syllables are; no rumble
_LOW = butter(4, 1000, fs=RATE, output="sos")  # pitch is looked for in the lowest harmonics


class Heard:
    """One sound; `odd` and `even` are the voice in every other second, two halves of one speaker."""

    def __init__(self) -> None:
        self.samples = 0
        self._pitch_hz: list[NDArray[np.float64]] = []
        self._formants_hz: list[Rows] = []
        self._loudness_db: list[NDArray[np.float64]] = []
        self.odd, self.even = Voiceprint(), Voiceprint()

    def add(self, block: Samples) -> NDArray[np.bool_]:
        """Takes whole seconds (n,), except at the end; says which half seconds hold a voice."""
        step = RATE // LOUDNESS_HZ
        speech = sosfilt(_BAND, block.astype(np.float64)) if len(block) else block
        whole = speech[: len(block) // step * step].reshape(-1, step)
        self._loudness_db.append(10 * np.log10((whole**2).mean(axis=1) + 10 ** (_QUIETEST_DB / 10)))
        deep = sosfiltfilt(_LOW, block).astype(np.float32) if len(block) > PITCH_FRAME else block
        voice: list[bool] = []
        for at in range(0, len(block), RATE):
            second = block[at : at + RATE]
            pitch = pitch_of(frames_of(deep[at : at + RATE], PITCH_FRAME, PITCH_HOP))
            offset = (PITCH_FRAME - _SPEECH_FRAME) // 2  # a short frame in the middle of each long one
            short = frames_of(second[offset:], _SPEECH_FRAME, PITCH_HOP)[: len(pitch)]
            voiced = short[np.isfinite(pitch)]
            formants = np.full((len(pitch), FORMANTS), np.nan)
            formants[np.isfinite(pitch)] = formants_of(voiced)
            self._pitch_hz.append(pitch)
            self._formants_hz.append(formants)
            half = self.odd if (self.samples + at) // RATE % 2 else self.even
            half.add(cepstra_of(voiced))
            middle = len(pitch) // 2
            voice += [bool(np.isfinite(part).sum() >= _VOICED_FRAMES) for part in (pitch[:middle], pitch[middle:])]
        self.samples += len(block)
        return np.array(voice, bool)

    @property
    def voiced_frames(self) -> int:
        return int(np.isfinite(self.pitch_hz()).sum())

    def pitch_hz(self) -> NDArray[np.float64]:
        """Of every frame, one each 10 ms, NaN where not voiced."""
        return np.concatenate([*self._pitch_hz, np.zeros(0)])

    def formants_hz(self) -> Rows:
        """The lowest three of every frame (n, 3), NaN where not voiced or not found."""
        return np.concatenate([*self._formants_hz, np.zeros((0, FORMANTS))])

    def envelope_db(self) -> NDArray[np.float64]:
        """Loudness over time, 200 values a second, smoothed to the pace of syllables; -60 dB is silence."""
        return np.asarray(
            gaussian_filter1d(np.concatenate([*self._loudness_db, np.zeros(0)]), _SMOOTHING_S * LOUDNESS_HZ)
        )


def median_shift(before: Rows, after: Rows) -> tuple[NDArray[np.float64], int]:
    """Median ratio of each column (n, k), as a natural logarithm, and how many rows it rests on at least.

    Of frames in which both have a value: the voiced frames of two sounds are not quite the same ones.
    """
    count = min(len(before), len(after))
    shifts = np.log(after[:count]) - np.log(before[:count])
    known = [column[np.isfinite(column)] for column in shifts.T]
    medians = np.array([np.median(one) if one.size else np.nan for one in known])
    return medians, min((one.size for one in known), default=0)


def syllables(envelope_db: NDArray[np.float64]) -> int:
    """Peaks of loudness that rise by 3 dB from both sides, within 25 dB of the loudest: about one a syllable.

    As de Jong and Wempe 2009, without their look at pitch.
    """
    if not envelope_db.size:
        return 0
    peaks, _ = find_peaks(
        envelope_db,
        height=envelope_db.max() - 25,
        prominence=_SYLLABLE_DB,
        distance=int(_SYLLABLE_S * LOUDNESS_HZ),
    )
    return len(peaks)


def lag_s(before: NDArray[np.float64], after: NDArray[np.float64], most_s: float = 0.5) -> float:
    """By how much `after` comes later, in seconds, where the two envelopes fit best; NaN where one does not change."""
    count = min(len(before), len(after))
    a, b = before[:count] - before[:count].mean(), after[:count] - after[:count].mean()
    most = min(int(most_s * LOUDNESS_HZ), count - 1)
    if count < LOUDNESS_HZ or not a.any() or not b.any():
        return float("nan")
    spectrum = np.fft.rfft(b, 2 * count) * np.conj(np.fft.rfft(a, 2 * count))
    match = np.fft.irfft(spectrum, 2 * count)
    lags = np.arange(-most, most + 1)
    return float(lags[np.argmax(match[lags])] / LOUDNESS_HZ)


class Match:
    """How many half seconds with a voice are still the same wave in another sound, within 25 ms.

    Taps and claps are the same wave in any voice, so what holds no voice does not count.
    """

    def __init__(self) -> None:
        self.windows = self.same = 0

    def add(self, before: Samples, after: Samples, voice: NDArray[np.bool_]) -> None:
        """Takes the same stretch of both, (n,), and which half seconds of it hold a voice."""
        size, reach = int(_MATCH_S * RATE), int(_MATCH_LAG_S * RATE)
        wide = np.pad(after.astype(np.float64), reach)
        for at, held in zip(range(0, min(len(before), len(after)) - size + 1, size), voice, strict=False):
            if not held:
                continue
            self.windows += 1
            one, other = before[at : at + size].astype(np.float64), wide[at : at + size + 2 * reach]
            spectrum = np.fft.rfft(other, 2 * len(other)) * np.conj(np.fft.rfft(one, 2 * len(other)))
            products = np.fft.irfft(spectrum)[: 2 * reach + 1]
            energy = np.cumsum(np.pad(other**2, (1, 0)))
            norm = np.sqrt((energy[size:] - energy[:-size]) * (one**2).sum()) + 1e-9
            self.same += bool((np.abs(products) / norm).max() >= _MATCH_R)
