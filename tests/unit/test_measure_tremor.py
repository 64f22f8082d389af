"""Head tremor on synthetic movement of known frequency and amplitude, and on noise that must not be called tremor."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import welch

from deid_audit.catalog import METRICS
from deid_audit.findings import Measurement
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.tremor import head_spectrum, measure_tremor

Signal = NDArray[np.float64]


def signals(head_xy: Signal) -> FaceSignals:
    zero = np.zeros(len(head_xy))
    return FaceSignals(mouth=zero, eye=zero, brow=zero, yaw=zero, head_xy=head_xy, interocular_px=zero + 60)


def times(seconds: float, fps: float = 25.0) -> Signal:
    return np.arange(round(seconds * fps)) / fps


def tremor(at: Signal, hz: float = 5.0, px: float = 2.0) -> Signal:
    return np.column_stack((px * np.sin(2 * np.pi * hz * at), 0.5 * px * np.sin(2 * np.pi * hz * at + 1)))


def slow_head(at: Signal) -> Signal:
    return np.column_stack((30 * np.sin(2 * np.pi * 0.2 * at), 8 * np.sin(2 * np.pi * 0.35 * at)))


def jitter(count: int, px: float = 0.05, seed: int = 0) -> Signal:
    return np.random.default_rng(seed).normal(0, px, (count, 2))


def run(
    original: Signal,
    released: Signal,
    at: Signal,
    *,
    noise: Signal | None = None,
    compared: NDArray[np.bool_] | None = None,
) -> tuple[Measurement, Measurement]:
    null = original + (jitter(len(at), 0.02) if noise is None else noise)
    used = np.ones(len(at), bool) if compared is None else compared
    ratio, hz_error = measure_tremor(signals(original), signals(released), signals(null), at, used, "video 1")
    assert {ratio.metric, hz_error.metric} == {name for name in METRICS if name.startswith("motion.")}
    return ratio, hz_error


@pytest.mark.parametrize(("hz", "fps"), [(5.0, 25.0), (4.2, 29.97), (10.5, 25.0), (4.0, 15.0), (3.6, 10.0)])
@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3])
def test_the_ratio_of_known_amplitudes(hz: float, fps: float, factor: float) -> None:
    at = times(8, fps)
    ratio, hz_error = run(
        slow_head(at) + tremor(at, hz), slow_head(at) + tremor(at, hz, 2.0 * factor), at, noise=jitter(len(at), 0.02)
    )
    assert ratio.value == pytest.approx(factor, rel=0.02)
    assert ratio.detail["peak_hz"] == pytest.approx(hz, abs=0.05)
    assert ratio.detail["original_amplitude_px"] == pytest.approx(2 * np.hypot(1, 0.5), rel=0.05)
    assert ratio.noise_floor == pytest.approx(1, abs=0.02)
    assert hz_error.value == pytest.approx(0, abs=0.02)


def test_a_shifted_frequency_is_an_error_in_hz() -> None:
    at = times(8)
    ratio, hz_error = run(tremor(at, 5.0), tremor(at, 6.5), at)
    assert hz_error.value == pytest.approx(1.5, abs=0.05)
    assert (ratio.value or 0) < 0.1


def test_smoothing_over_two_frames_each_side_erases_5_hz_at_25_fps() -> None:
    at = times(8)
    original = slow_head(at) + tremor(at) + jitter(len(at), 0.05, 3)
    padded = np.pad(original, ((2, 2), (0, 0)), mode="edge")
    smoothed = np.mean([padded[shift : shift + len(at)] for shift in range(5)], axis=0)
    ratio, hz_error = run(original, smoothed, at)
    assert ratio.value == pytest.approx(0, abs=0.03)
    assert hz_error.value is None
    assert not hz_error.absent


def test_variable_timestamps_are_followed() -> None:
    rng = np.random.default_rng(2)
    at = np.cumsum(rng.uniform(0.025, 0.055, 200))
    ratio, hz_error = run(slow_head(at) + tremor(at), slow_head(at) + tremor(at, px=1.0), at)
    assert ratio.value == pytest.approx(0.5, rel=0.02)
    assert ratio.detail["peak_hz"] == pytest.approx(5.0, abs=0.05)
    assert hz_error.value == pytest.approx(0, abs=0.02)


def test_concealed_frames_are_left_out_and_pieces_are_not_joined() -> None:
    at = times(10)
    hidden = (at >= 4.5) & (at < 5.5)
    released = tremor(at)
    released[hidden] = 500.0
    ratio, _ = run(tremor(at), released, at, compared=~hidden)
    assert ratio.value == pytest.approx(1, rel=0.02)
    assert ratio.sample_size == int((~hidden).sum())


def test_movement_below_the_null_edits_noise_is_absent_with_both_numbers() -> None:
    at = times(8)
    original = tremor(at, px=1.0)
    ratio, hz_error = run(original, original, at, noise=0.5 * tremor(at + 0.1, px=1.0))
    assert ratio.absent
    assert hz_error.absent
    assert "1.12 px" in (ratio.not_measured_because or "")
    assert "0.56 px" in (ratio.not_measured_because or "")


def test_movement_spread_over_the_band_is_not_a_tremor() -> None:
    at = times(8)
    chord = np.sum([tremor(at, hz, 1.0) for hz in (3.7, 5.5, 7.3, 9.1, 10.9)], axis=0) + jitter(len(at))
    assert all(row.absent for row in run(chord, chord, at))


@pytest.mark.parametrize(("seconds", "fps"), [(2.5, 25.0), (8.0, 7.0), (0.04, 25.0)])
def test_too_short_or_too_slow_a_video_is_a_gap_not_an_absence(seconds: float, fps: float) -> None:
    at = times(seconds, fps)
    for row in run(tremor(at, 3.2), tremor(at, 3.2), at):
        assert row.value is None
        assert not row.absent


def test_a_head_found_in_short_pieces_only_is_a_gap() -> None:
    at = times(12)
    compared = (at % 3) < 2
    for row in run(tremor(at), tremor(at), at, compared=compared):
        assert row.value is None
        assert not row.absent


def test_a_still_head_is_absent() -> None:
    at = times(8)
    still = np.zeros((len(at), 2))
    assert all(row.absent for row in run(still, still, at, noise=still))


def coloured(rng: np.random.Generator, count: int, exponent: float) -> Signal:
    """Noise whose power falls with frequency to the power of `exponent`: 0 white, 1 pink, 2 and 3 slow movement."""
    hz = np.fft.rfftfreq(4 * count, 1 / 25)
    gain = np.concatenate(([0.0], hz[1:] ** (-exponent / 2)))
    noise = np.fft.irfft(gain * (rng.normal(size=len(hz)) + 1j * rng.normal(size=len(hz))))[:count]
    return np.asarray(noise / noise.std())


def talking(rng: np.random.Generator, at: Signal) -> Signal:
    """Irregular nods of syllable length, about two a second."""
    moved = np.zeros(len(at))
    for _ in range(round(2 * at[-1])):
        centre, width = rng.uniform(0, at[-1]), rng.uniform(0.08, 0.3)
        moved += rng.normal(0, 2) * np.exp(-(((at - centre) / width) ** 2))
    return moved


@pytest.mark.parametrize("kind", [0, 1, 2, 3, "talking"])
@pytest.mark.parametrize("seconds", [4, 8])
def test_noise_slow_movement_and_talking_are_rarely_called_tremor(kind: int | str, seconds: int) -> None:
    at = times(seconds)
    called = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        colour = 2 if isinstance(kind, str) else kind
        head = np.column_stack([5 * coloured(rng, len(at), colour) for _ in range(2)])
        if kind == "talking":
            head[:, 1] += talking(rng, at)
            head += rng.normal(0, 0.15, head.shape)
        ratio, _ = run(head, head, at, noise=rng.normal(0, 0.05, head.shape))
        called += not ratio.absent
    assert called < 4


def test_a_tremor_within_slow_movement_and_jitter_is_found_nearly_always() -> None:
    at, found = times(8), 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        head = np.column_stack([3 * coloured(rng, len(at), 3) for _ in range(2)]) + jitter(len(at), 0.1, seed)
        ratio, _ = run(head + tremor(at, px=1.0), head + tremor(at, px=1.0), at)
        found += ratio.value is not None
    assert found >= 38


def test_the_spectrum_equals_scipys_welch() -> None:
    at = times(8)
    head = slow_head(at) + tremor(at) + jitter(len(at), 0.3)
    ours = head_spectrum(head, at, 25.0)
    hz, theirs = welch(head, 25.0, "hann", nperseg=100, noverlap=50, nfft=500, detrend="linear", axis=0)
    assert ours is not None
    np.testing.assert_allclose(ours.hz, hz)
    np.testing.assert_allclose(ours.power[1:-1], theirs.sum(axis=1)[1:-1], rtol=1e-6)
