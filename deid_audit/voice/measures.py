"""What became of the voice: the released file's sound beside the original's, as measurements.

The mask's numbers are secret, and pitch and formants before and after would tell them: so only whether they moved is
measured, never by how much or which way.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.settings import AudioChoice
from deid_audit.voice.listening import Heard, Match, lag_s, median_shift, syllables
from deid_audit.voice.speaker import Voiceprint, distance, together
from deid_audit.voice.spectrum import RATE, Samples

NO_SOUND, MASKED, KEPT = 0, 1, 2
LEAST_SEMITONES, LEAST_FORMANT_SHARE = 1.5, 0.05
MOST_SAME = 0.1
_LEAST_VOICE = 10  # frames, a tenth of a second: less is a click or two
_HALF = RATE // 2
_SILENCE_DB = -60.0  # of full scale, as where loudness is followed
_VOICELESS = "no voice was found in the original's sound"
_METHOD = "written file beside the original, both mixed to one channel at 16 kHz"
_STATE_METHOD = "asked for, and held against the written file's wave"
_NO_VOICE = "no voice was found in the original, so every audible half second counts"
_UNCHECKED = "no voice was found, and no whole half second is audible to compare, so the sound counts as it was"


def sound_row(scope: str, state: int, method: str, detail: dict[str, float] | None = None) -> Measurement:
    """What sound one released video carries: `NO_SOUND`, `MASKED` or `KEPT`."""
    return measured("voice.sound", "swapped", scope, state, sample_size=1, method=method, detail=detail)


def measure_voice(
    pairs: Iterable[tuple[Samples, Samples]], *, asked: AudioChoice, scope: str
) -> tuple[Measurement, ...]:
    """Rows about a released sound: `pairs` are the same stretches of original and released, (n,), in whole seconds.

    A mask that leaves more than a tenth of the voiced half seconds as they were counts as none. Where no half second is
    voiced (a whisper, a voice of breath alone), all audible ones count; a mask that cannot be checked counts as none.
    """
    before, after, match, whispers = Heard(), Heard(), Match(), Match()
    heard = False
    for original, released in pairs:
        voice = before.add(original)
        after.add(released)
        match.add(original, released, voice)
        loud = _audible(original)
        whispers.add(original, released, loud)
        heard |= bool(loud.any())
    same = _share(match)
    rows = [
        _state(match if match.windows else whispers, asked, scope, heard=heard, voiced=match.windows > 0),
        _or_gap("voice.same_wave", scope, same, match.windows, _VOICELESS),
    ]
    rows += _pace(before, after, scope)
    rows += _timbre(before, after, scope)
    return tuple(rows)


def _state(match: Match, asked: AudioChoice, scope: str, *, heard: bool, voiced: bool) -> Measurement:
    """What the half seconds in `match` say; `heard`: there is sound above silence, `voiced`: they hold a voice."""
    same = _share(match)
    masked = asked == "mask" and (not heard if same is None else same <= MOST_SAME)
    words = [_STATE_METHOD] if voiced or not heard else [_STATE_METHOD, _NO_VOICE if match.windows else _UNCHECKED]
    return sound_row(scope, MASKED if masked else KEPT, "; ".join(words), {} if same is None else {"same": same})


def _share(match: Match) -> float | None:
    """How much is still the same wave; None where nothing could be compared."""
    return match.same / match.windows if match.windows else None


def _audible(block: Samples) -> NDArray[np.bool_]:
    """Which half seconds of a block (n,), a shorter last one with them, are louder than silence."""
    parts = (block[at : at + _HALF].astype(np.float64) for at in range(0, len(block), _HALF))
    return np.array([(part**2).mean() > 10 ** (_SILENCE_DB / 10) for part in parts], bool)


def _or_gap(metric: str, scope: str, value: float | None, sample: int, because: str) -> Measurement:
    if value is None:
        return not_measured(metric, "swapped", scope, because, absent=because == _VOICELESS, method=_METHOD)
    return measured(metric, "swapped", scope, value, sample_size=sample, method=_METHOD)


def _pace(before: Heard, after: Heard, scope: str) -> list[Measurement]:
    """Whether loudness rises and falls as before, and when."""
    one, other = before.envelope_db(), after.envelope_db()
    count = min(len(one), len(other))
    one, other = one[:count], other[:count]
    moving = count > 1 and one.std() > 1e-6 and other.std() > 1e-6
    still = "the sound's loudness does not change"
    peaks = syllables(one)
    ratio = syllables(other) / peaks if peaks else None
    lag = abs(lag_s(one, other)) * 1000 if moving else float("nan")
    return [
        _or_gap("voice.envelope_r", scope, float(np.corrcoef(one, other)[0, 1]) if moving else None, count, still),
        _or_gap("voice.lag_ms", scope, lag if moving and np.isfinite(lag) else None, count, still),
        _or_gap("voice.rate_ratio", scope, ratio, peaks, still),
    ]


def _timbre(before: Heard, after: Heard, scope: str) -> list[Measurement]:
    """How far the voice is from the original's, beside how far the original's own halves are, and what moved."""
    if before.voiced_frames < _LEAST_VOICE:
        names = ("voice.distance", "voice.pitch_moved", "voice.formants_moved")
        return [_or_gap(name, scope, None, 0, _VOICELESS) for name in names]
    few = f"fewer than {Voiceprint.LEAST_FRAMES} voiced frames on one side"
    voice, mask = together(before.odd, before.even), together(after.odd, after.even)
    rows = []
    for of, (a, b) in (("swapped", (voice, mask)), ("original", (before.odd, before.even))):
        value = distance(a, b)
        row = _or_gap("voice.distance", scope, value if np.isfinite(value) else None, min(a.count, b.count), few)
        rows.append(row.model_copy(update={"of": of}))
    (pitch,), frames = median_shift(before.pitch_hz()[:, None], after.pitch_hz()[:, None])
    shares, pairs = median_shift(before.formants_hz(), after.formants_hz())
    if not min(frames, pairs):
        gone = "no pitch, or no formants, in the same frames of both"
        return [*rows, *(_or_gap(f"voice.{one}_moved", scope, None, 0, gone) for one in ("pitch", "formants"))]
    semitones = abs(12 * pitch / np.log(2))
    moved = int((np.abs(shares) >= np.log1p(LEAST_FORMANT_SHARE)).sum())
    return [
        *rows,
        _or_gap("voice.pitch_moved", scope, float(semitones >= LEAST_SEMITONES), frames, ""),
        _or_gap("voice.formants_moved", scope, float(moved), pairs, ""),
    ]
