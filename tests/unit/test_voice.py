"""The mask of a voice and what is measured of it, against vowels whose pitch and formants are known."""

import numpy as np
import pytest

from deid_audit.findings import Measurement
from deid_audit.voice.listening import Heard, lag_s, median_shift, syllables
from deid_audit.voice.masking import FORMANT_FACTOR, MCADAMS, SEMITONES, MaskParameters, masked, moved
from deid_audit.voice.measures import KEPT, MASKED, measure_voice
from deid_audit.voice.pitch import PITCH_FRAME, pitch_of
from deid_audit.voice.speaker import Voiceprint, distance
from deid_audit.voice.spectrum import RATE, Samples, cepstra_of, filters_of, frames_of, poles_of, prediction

from .made_sounds import clicks, spoken, vowel

A = (700.0, 1200.0, 2600.0)


def heard(sound: Samples) -> Heard:
    one = Heard()
    one.add(sound)
    return one


def mask(sound: Samples, *numbers: float, blocks: int = 1) -> Samples:
    parameters = MaskParameters(np.array(numbers))
    return np.concatenate(list(masked(np.array_split(sound, blocks), parameters)))


def rows_of(before: Samples, after: Samples, asked: str = "mask") -> dict[tuple[str, str], Measurement]:
    rows = measure_voice([(before, after)], asked=asked, scope="video 1")  # type: ignore[arg-type]
    return {(row.metric.removeprefix("voice."), row.of): row for row in rows}


@pytest.mark.parametrize("pitch_hz", [80.0, 120.0, 210.0, 320.0])
def test_pitch_is_measured_within_a_hertz(pitch_hz: float) -> None:
    assert np.nanmedian(heard(vowel(pitch_hz, A)).pitch_hz()) == pytest.approx(pitch_hz, abs=1)


@pytest.mark.parametrize(("pitch_hz", "formants"), [(120, A), (100, (500, 1500, 2500)), (110, (300, 2300, 3000))])
def test_formants_are_measured_within_a_few_hertz(pitch_hz: float, formants: tuple[float, ...]) -> None:
    assert np.nanmedian(heard(vowel(pitch_hz, formants)).formants_hz(), axis=0) == pytest.approx(formants, abs=20)


def test_noise_and_silence_have_no_pitch() -> None:
    noise = (0.1 * np.random.default_rng(0).normal(size=RATE)).astype(np.float32)
    assert np.isfinite(pitch_of(frames_of(noise, PITCH_FRAME, 160))).mean() < 0.05
    assert not np.isfinite(pitch_of(np.zeros((3, PITCH_FRAME)))).any()


def test_prediction_finds_a_filter_and_roots_give_it_back() -> None:
    truth = np.array([1, -1.2, 0.9, -0.3])
    from scipy.signal import lfilter  # noqa: PLC0415

    sound = lfilter([1], truth, np.random.default_rng(1).normal(size=RATE))
    found = prediction(frames_of(sound.astype(np.float32), RATE, RATE), 3)
    assert found[0] == pytest.approx(truth, abs=0.02)
    assert filters_of(poles_of(found)) == pytest.approx(found, abs=1e-9)
    assert moved(found, 1.0, 1.0) == pytest.approx(found, abs=1e-9)  # nothing asked for, nothing moved


@pytest.mark.parametrize("mcadams", [0.6, 0.7, 0.85])
@pytest.mark.parametrize("factor", [1.0, 1.1])
def test_the_mask_moves_formants_as_predicted(mcadams: float, factor: float) -> None:
    angles = np.array(A) * 2 * np.pi / RATE
    predicted = angles**mcadams * factor * RATE / (2 * np.pi)
    found = np.nanmedian(heard(mask(vowel(120, A), mcadams, 1.25, factor)).formants_hz(), axis=0)
    assert found == pytest.approx(predicted, rel=0.04)


@pytest.mark.parametrize("semitones", [-5.0, -2.5, 2.5, 5.0])
def test_the_mask_moves_pitch_by_the_factor_and_keeps_every_sample(semitones: float) -> None:
    sound, factor = vowel(150, A, 3.01), 2 ** (semitones / 12)
    other = mask(sound, 0.8, factor, 1.0)
    assert len(other) == len(sound)
    assert np.nanmedian(heard(other).pitch_hz()) == pytest.approx(150 * factor, rel=0.01)


def test_blocks_do_not_show_in_the_sound() -> None:
    sound = spoken(2.0)
    whole = mask(sound, 0.8, 1.25, 1.1)
    for blocks in (2, 7, 400):
        assert mask(sound, 0.8, 1.25, 1.1, blocks=blocks) == pytest.approx(whole, abs=1e-5)
    assert mask(np.zeros(0, np.float32), 0.8, 1.25, 1.1).shape == (0,)
    assert len(mask(sound[:100], 0.8, 1.25, 1.1)) == 100


def test_a_click_stays_where_it_was() -> None:
    sound = clicks((0.5, 1.3), 2.0, rate=RATE)
    other = mask(sound, 0.7, 1.3, 1.1)
    loud = np.flatnonzero(np.abs(other) > 0.3 * np.abs(other).max()) / RATE
    assert np.abs(loud[:, None] - [0.5, 1.3]).min(axis=1).max() < 0.025
    assert {round(one, 1) for one in loud} == {0.5, 1.3}


def test_numbers_are_drawn_anew_within_their_ranges_and_can_be_wiped() -> None:
    drawn = np.array([MaskParameters.draw().values for _ in range(50)])
    assert len(np.unique(drawn[:, 0])) == 50
    assert drawn[:, 0].min() >= MCADAMS[0] and drawn[:, 0].max() <= MCADAMS[1]
    semitones = np.abs(12 * np.log2(drawn[:, 1]))
    assert semitones.min() >= SEMITONES[0] - 1e-9 and semitones.max() <= SEMITONES[1] + 1e-9
    assert set(np.sign(np.log(drawn[:, 1]))) == {-1, 1}
    assert np.exp(np.abs(np.log(drawn[:, 2]))).min() >= FORMANT_FACTOR[0] - 1e-9
    assert (MaskParameters.draw(seed=3).values == MaskParameters.draw(seed=3).values).all()


# -- what is measured -------------------------------------------------------------------------------------------------


def test_a_masked_voice_is_far_from_its_own_and_says_it_at_the_same_time() -> None:
    sound = spoken(6.0)
    rows = rows_of(sound, mask(sound, 0.7, 1.25, 1.1))
    assert rows["sound", "swapped"].value == MASKED
    assert rows["same_wave", "swapped"].value == 0
    ours, halves = rows["distance", "swapped"].value, rows["distance", "original"].value
    assert ours is not None and halves is not None and ours > 10 * halves
    assert rows["pitch_moved", "swapped"].value == 1
    assert (rows["formants_moved", "swapped"].value or 0) >= 2
    assert (rows["envelope_r", "swapped"].value or 0) > 0.9
    assert rows["rate_ratio", "swapped"].value == pytest.approx(1, abs=0.1)
    assert (rows["lag_ms", "swapped"].value or 0) <= 10


def test_a_voice_that_was_not_masked_counts_as_kept_whatever_was_asked_for() -> None:
    sound = spoken(6.0)
    nearly = (0.5 * sound + 0.001 * np.random.default_rng(0).normal(size=len(sound))).astype(np.float32)
    for asked in ("mask", "keep"):
        rows = rows_of(sound, nearly, asked)
        assert rows["sound", "swapped"].value == KEPT
        assert rows["same_wave", "swapped"].value == 1
        assert rows["pitch_moved", "swapped"].value == 0
    partly = mask(sound, 0.7, 1.25, 1.1)
    partly[: 2 * RATE] = sound[: 2 * RATE]  # a mask that came too late
    assert rows_of(sound, partly)["sound", "swapped"].value == KEPT


def test_no_number_that_would_undo_the_mask_is_measured() -> None:
    sound = spoken(6.0)
    rows = [rows_of(sound, mask(sound, 0.7, factor, 1.1)) for factor in (1.2, 1.3)]
    for one in rows:  # whether it moved, and no more: not by how much, which way, or from where
        assert one["pitch_moved", "swapped"].value == 1
        assert one["formants_moved", "swapped"].value in (1, 2, 3)
        assert {key for row in one.values() for key in row.detail} == {"same"}


def test_silence_and_clicks_have_no_voice_to_be_told_by() -> None:
    # a lone click of a millisecond is nearly the same wave in any voice: nothing shows that the mask was there
    for sound, state in ((np.zeros(3 * RATE, np.float32), MASKED), (clicks((0.5, 1.3), 3.0, rate=RATE), KEPT)):
        rows = rows_of(sound, mask(sound, 0.7, 1.25, 1.1))
        assert rows["sound", "swapped"].value == state
        for name in ("same_wave", "distance", "pitch_moved", "formants_moved"):
            row = rows[name, "swapped"]
            assert row.absent and row.not_measured_because == "no voice was found in the original's sound"


def whispered(seconds: float = 6.0) -> Samples:
    """Noise at the pace of syllables: an audible voice without a pitch."""
    time = np.arange(int(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).normal(size=len(time))
    return (0.1 * noise * np.maximum(0, np.sin(2 * np.pi * 3 * time))).astype(np.float32)


def test_a_voice_without_pitch_that_was_not_masked_counts_as_kept() -> None:
    sound = whispered()
    rows = rows_of(sound, sound)
    assert rows["same_wave", "swapped"].absent  # no half second is voiced
    state = rows["sound", "swapped"]
    assert (state.value, state.detail) == (KEPT, {"same": 1.0})
    assert "no voice was found in the original, so every audible half second counts" in state.method


@pytest.mark.parametrize("numbers", [(0.6, 1.3, 1.1), (0.85, 1.16, 1.05), (0.85, 0.866, 0.96)])
def test_a_masked_voice_without_pitch_counts_as_masked(numbers: tuple[float, ...]) -> None:
    sound = np.concatenate([np.zeros(2 * RATE, np.float32), whispered()])  # a silent half second says nothing
    state = rows_of(sound, mask(sound, *numbers))["sound", "swapped"]
    assert (state.value, state.detail) == (MASKED, {"same": 0.0})


def test_what_is_heard_but_cannot_be_compared_counts_as_kept() -> None:
    sound = whispered(0.4)
    state = rows_of(sound, mask(sound, 0.7, 1.25, 1.1))["sound", "swapped"]
    assert (state.value, state.detail) == (KEPT, {}) and "no whole half second is audible" in state.method


def test_a_delay_is_found_and_syllables_are_counted() -> None:
    sound = spoken(4.0)
    late = np.concatenate([np.zeros(RATE // 10, np.float32), sound])[: len(sound)]
    before, after = heard(sound).envelope_db(), heard(late).envelope_db()
    assert lag_s(before, after) == pytest.approx(0.1, abs=0.01)
    assert syllables(before) == pytest.approx(16, abs=1)
    assert syllables(np.zeros(0)) == 0
    assert np.isnan(lag_s(np.zeros(1000), after))


def test_a_shift_is_the_median_over_frames_that_both_have() -> None:
    before, after = np.array([[100.0], [100], [np.nan], [50]]), np.array([[200.0], [220], [300], [np.nan], [1]])
    (shift,), count = median_shift(before, after)
    assert (np.exp(shift), count) == (pytest.approx(np.sqrt(2.0 * 2.2)), 2)
    (nothing,), count = median_shift(before[2:3], after[2:3])
    assert np.isnan(nothing) and count == 0


def test_the_distance_needs_enough_speech() -> None:
    one, other = Voiceprint(), Voiceprint()
    one.add(np.random.default_rng(0).normal(size=(Voiceprint.LEAST_FRAMES - 1, 19)))
    other.add(np.random.default_rng(1).normal(size=(100, 19)))
    assert np.isnan(distance(one, other))
    one.add(np.zeros((1, 19)))
    assert np.isfinite(distance(one, other))


def test_cepstra_do_not_hear_loudness() -> None:
    frames = frames_of(vowel(120, A, 1.0), 480, 160)
    assert cepstra_of(frames * 0.5) == pytest.approx(cepstra_of(frames), abs=0.02)
    assert cepstra_of(frames).shape[1] == 19
