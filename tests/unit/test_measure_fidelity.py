"""SSIM outside the faces: by hand, against scikit-image, with a face left out, and with a change that must be seen."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.findings import Measurement
from deid_audit.frames import Frame, Image
from deid_audit.measure import fidelity
from deid_audit.measure.fidelity import OutsideSimilarity, measure_fidelity, ssim_outside
from tests.unit.made_videos import picture

GREY: Image = np.ascontiguousarray(picture(120, 80)[..., 1])


def noisy(image: Image, seed: int = 1, sigma: float = 8) -> Image:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def test_as_scikit_image_computes_it() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    for sigma in (1, 8, 40):
        other = noisy(GREY, sigma=sigma)
        expected = metrics.structural_similarity(
            GREY, other, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
        )
        assert ssim_outside(GREY, other, []) == pytest.approx(expected, abs=2e-4)


def test_two_flat_pictures_by_hand() -> None:
    """Without structure only the means count: (2 a b + c1) / (a^2 + b^2 + c1), with c1 = 2.55^2."""
    flat = np.full((30, 40), 100, np.uint8)
    c1 = 2.55**2
    assert ssim_outside(flat, flat + np.uint8(20), []) == pytest.approx(
        (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-4
    )
    assert ssim_outside(flat, flat, []) == pytest.approx(1)


def test_what_happens_inside_a_box_does_not_count_and_beside_it_does() -> None:
    changed = GREY.copy()
    changed[20:60, 30:70] = 0
    face = np.float32([30, 20, 70, 60])
    assert ssim_outside(GREY, changed, [face]) == pytest.approx(1, abs=1e-6)
    assert ssim_outside(GREY, changed, [face - np.float32([0, 0, 5, 0])]) < 0.99
    assert ssim_outside(GREY, changed, []) < 0.9


def test_nothing_left_has_no_value() -> None:
    assert np.isnan(ssim_outside(GREY, GREY, [np.float32([0, 0, 120, 80])]))
    assert np.isnan(ssim_outside(GREY[:8], GREY[:8], []))


def frames(images: list[Image]) -> list[Frame]:
    return [
        Frame(index=at, pts=at, image_rgb=np.ascontiguousarray(np.repeat(image[..., None], 3, axis=2)))
        for at, image in enumerate(images)
    ]


def test_frames_are_compared_with_their_own_originals_also_through_an_encoder_that_lags() -> None:
    before = frames([noisy(GREY, seed) for seed in range(4)])
    side, lagging = (OutsideSimilarity(boxes=[[]] * 4) for _ in range(2))
    for frame in before:
        side.compare(frame, frame)
    for frame in list(lagging.remembering(before)):  # all go in before the first comes out
        lagging.compare_remembered(frame)
    assert side.row() == pytest.approx(1) and lagging.row() == pytest.approx(1)


def rows(released: NDArray[np.float64], null: NDArray[np.float64]) -> dict[str, Measurement]:
    return {row.metric.removeprefix("quality.ssim_"): row for row in measure_fidelity(released, null, "video 1")}


def test_mean_and_worst_frame_with_the_null_edits_beside() -> None:
    found = rows(np.array([0.9, np.nan, 0.5, 1.0]), np.array([0.9, 0.8, np.nan, 1.0]))
    assert found["outside"].value == pytest.approx(0.8) and found["outside"].noise_floor == pytest.approx(0.9)
    worst = found["outside_worst"]
    assert (worst.value, worst.noise_floor, worst.detail) == (0.5, 0.8, {"frame": 2.0})
    assert worst.sample_size == 3 and worst.no_interval_because


def test_a_face_that_fills_every_frame_is_a_gap_with_a_reason() -> None:
    for row in rows(np.full(3, np.nan), np.full(3, np.nan)).values():
        assert row.value is None and row.not_measured_because == "faces and their surroundings fill every frame"


@pytest.mark.parametrize("rows", [1, 7, 64, 500])
def test_how_a_picture_is_cut_into_strips_changes_nothing(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    other, boxes = noisy(GREY), [np.float32([30, 20, 70, 60])]
    expected = ssim_outside(GREY, other, boxes)
    monkeypatch.setattr(fidelity, "_STRIP_ROWS", rows)
    assert ssim_outside(GREY, other, boxes) == pytest.approx(expected, abs=1e-6)
