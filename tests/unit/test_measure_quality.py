"""Seam, colour and sharpness by hand, against scikit-image and SciPy, and planted faults that must fail the policy."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import scipy.ndimage
import skimage.color
from numpy.typing import NDArray

from deid_audit.findings import Measurement
from deid_audit.frames import Image
from deid_audit.measure.appearance import REACH, SECTORS, Appearance, Look, appearance_of, fine_contrast, look_at
from deid_audit.measure.intervals import clusters_of
from deid_audit.measure.quality import METHOD_TEXT, measure_quality, quality_signals, seam
from deid_audit.policy import load_policy
from deid_audit.vision.mesh import FACE_OVAL
from tests.conftest import Portrait, Portraits

N = 60
ALL = np.ones(N, np.bool_)


def appearance(looks: list[Look | None]) -> Appearance:
    return appearance_of(looks, np.zeros((len(looks), 478, 3), np.float32))


def plain(colour: float = 0.0, fine: float = 2.0, step: float = 0.0, at: int = 10) -> Look:
    steps = np.zeros((SECTORS, len(REACH)), np.float16)
    steps[:, at] = step
    return Look(skin_lab=np.array((50.0 + colour, 10.0, 10.0)), fine=fine, steps=steps)


def values(original: Appearance, released: Appearance, **masks: NDArray[np.bool_]) -> dict[str, Measurement]:
    compared = masks.get("compared", np.ones(len(original.fine), np.bool_))
    uncovered = masks.get("uncovered", compared)
    rows = measure_quality(
        original, released, original, compared, uncovered, "video 1", clusters_of([np.arange(len(compared)) / 25])
    )
    return {row.metric: row for row in rows}


def limit(metric: str) -> float:
    [rule] = [rule for rule in load_policy("strict").rules if rule.metric == metric]
    return rule.limit


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_known_numbers() -> None:
    # the colour alternates by 3 and 5 round 4: median 4, departure 1; the seam is 6 in every fifth frame, else 1
    released = [plain(3 + 2 * (at % 2), fine=1.5, step=6.0 if at % 5 == 0 else 1.0) for at in range(N)]
    found = values(appearance([plain()] * N), appearance(list(released)))
    assert found["quality.colour"].value == pytest.approx(4)
    assert found["quality.colour_drift"].value == pytest.approx(1)
    assert found["quality.sharpness"].value == pytest.approx(0.75)
    assert found["quality.seam"].value == pytest.approx(6) and found["quality.seam"].detail["median"] == 1
    assert {row.sample_size for row in found.values()} == {N}
    assert found["quality.colour"].noise_floor == 0 and found["quality.sharpness"].noise_floor == 1


def test_an_edge_that_the_original_has_near_the_line_is_no_seam() -> None:
    original = appearance([plain(step=8.0, at=10)])
    for at, expected in ((10, 0.0), (12, 0.0), (13, 8.0)):
        assert seam(original, appearance([plain(step=8.0, at=at)]))[0] == expected
    # 9.5 beside 8: 1.5 new, and a tenth of 8 is not seen
    assert seam(original, appearance([plain(step=9.5)]))[0] == pytest.approx(0.7, abs=0.01)
    # the other way round, or into nothing: only the first is an edge that is new
    assert seam(original, appearance([plain(step=-3.0, at=10)]))[0] == pytest.approx(2.2, abs=0.01)
    assert seam(original, appearance([plain()]))[0] == 0.0
    half = plain(step=8.0, at=20)
    half.steps[: SECTORS // 2] = 0
    assert seam(original, appearance([half]))[0] == 4.0


def test_frames_out_of_question_do_not_count() -> None:
    original = appearance([plain()] * N)
    released = appearance([plain(9.0, step=9.0) if at < 20 else plain() for at in range(N)])
    later = np.arange(N) >= 20
    assert values(original, released, compared=later)["quality.colour"].value == 0
    assert values(original, released, compared=ALL, uncovered=later)["quality.seam"].value == 0
    few = values(original, released, compared=np.arange(N) < 9)
    assert all(row.value is None and "9 swapped frames" in (row.not_measured_because or "") for row in few.values())
    lost = values(original, appearance([None] * N))
    assert all(row.value is None and not row.absent for row in lost.values())


def test_an_original_without_fine_contrast_has_no_sharpness() -> None:
    found = values(appearance([plain(fine=0.0)] * N), appearance([plain()] * N))
    assert found["quality.sharpness"].value is None and found["quality.colour"].value == 0


# -- outside references ----------------------------------------------------------------------------------------------


def test_the_skin_colour_agrees_with_scikit_image(portraits: Portraits) -> None:
    one = portraits.astronaut
    flat = np.full_like(one.image_rgb, (198, 152, 127))
    seen = look_at(flat, one.landmarks_xy)
    assert seen is not None and seen.fine == 0 and np.abs(seen.steps).max() < 1e-3
    assert seen.skin_lab == pytest.approx(skimage.color.rgb2lab(flat[:1, :1])[0, 0], abs=0.1)


def test_the_fine_contrast_agrees_with_scipy(portraits: Portraits) -> None:
    left, top, right, bottom = portraits.hopper.box_xyxy.astype(int)
    crop = np.ascontiguousarray(portraits.hopper.image_rgb[top:bottom, left:right])
    inside = np.zeros(crop.shape[:2], np.uint8)
    inside[20:-20, 20:-20] = 255
    grey = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float64)
    smooth = scipy.ndimage.gaussian_filter(grey, 1.5, truncate=4, mode="mirror")
    expected = np.sqrt(((scipy.ndimage.laplace(smooth, mode="mirror") * 1.5**2)[inside > 0] ** 2).mean())
    assert fine_contrast(crop, inside, 1.5) == pytest.approx(expected, rel=0.01)


def test_a_step_is_the_difference_of_its_two_sides_as_scikit_image_has_it(portraits: Portraits) -> None:
    one = portraits.astronaut
    inside, outside = (198, 152, 127), (180, 140, 120)
    image = np.full_like(one.image_rgb, outside)
    cv2.fillPoly(image, [np.round(grown_outline(one, 1.1)).astype(np.int32)], inside)
    seen = look_at(image, one.landmarks_xy)
    assert seen is not None
    pair = skimage.color.rgb2lab(np.array([[inside, outside]], np.uint8))[0]
    expected = pair[1, 0] - pair[0, 0]
    steps = seen.steps.astype(np.float64)
    assert steps.min(axis=1) == pytest.approx(np.full(SECTORS, expected), rel=0.1)
    assert REACH[steps.mean(axis=0).argmin()] == pytest.approx(1.1, abs=0.03)


# -- planted faults --------------------------------------------------------------------------------------------------


def grown_outline(one: Portrait, factor: float) -> NDArray[np.float64]:
    outline = one.landmarks_xy[list(FACE_OVAL)].astype(np.float64)
    return outline.mean(0) + (outline - outline.mean(0)) * factor


def inside_of(one: Portrait, factor: float) -> NDArray[np.bool_]:
    canvas = np.zeros(one.image_rgb.shape[:2], np.uint8)
    cv2.fillPoly(canvas, [np.round(grown_outline(one, factor)).astype(np.int32)], 1)
    return canvas[..., None] > 0


def encoded_again(image_rgb: Image) -> Image:
    """A codec's losses, as the null edit has them."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB))


def planted(one: Portrait, released: Image) -> dict[str, Measurement]:
    before, after = look_at(one.image_rgb, one.landmarks_xy), look_at(encoded_again(released), one.landmarks_xy)
    return values(appearance([before] * N), appearance([after] * N))


def missed(found: dict[str, Measurement]) -> set[str]:
    out = set()
    for metric, row in found.items():
        assert row.value is not None
        holds = row.value >= limit(metric) if metric == "quality.sharpness" else row.value <= limit(metric)
        if not holds:
            out.add(metric)
    return out


@pytest.mark.parametrize("who", ["hopper", "astronaut"])
@pytest.mark.parametrize("scale", [1.0, 0.6])
def test_the_null_edit_passes_and_each_planted_fault_fails(portraits: Portraits, who: str, scale: float) -> None:
    one: Portrait = getattr(portraits, who).resized(scale)
    side = float(np.ptp(one.box_xyxy[[1, 3]]))
    assert missed(planted(one, one.image_rgb)) == set()

    lighter = np.clip(one.image_rgb.astype(np.int16) + 18, 0, 255).astype(np.uint8)
    assert "quality.seam" in missed(planted(one, np.where(inside_of(one, 1.15), lighter, one.image_rgb)))

    cast = np.clip(one.image_rgb * np.array((0.9, 1.0, 1.1)), 0, 255).astype(np.uint8)
    assert missed(planted(one, cast)) == {"quality.colour"}, "the whole picture, hence without a seam"

    blurred = cv2.GaussianBlur(one.image_rgb, (0, 0), side / 40)
    soft = np.where(inside_of(one, 1.0), blurred, one.image_rgb)
    assert missed(planted(one, soft)) - {"quality.seam"} == {"quality.sharpness"}, "its edge may show as well"


def test_a_colour_that_comes_and_goes_fails(portraits: Portraits) -> None:
    one = portraits.astronaut
    bright = np.clip(one.image_rgb.astype(np.int16) + 15, 0, 255).astype(np.uint8)
    pair = [look_at(image, one.landmarks_xy) for image in (one.image_rgb, bright)]
    found = values(appearance([pair[0]] * N), appearance([pair[at // 5 % 2] for at in range(N)]))
    assert "quality.colour_drift" in missed(found)


def test_a_large_face_is_measured_as_a_small_one(portraits: Portraits) -> None:
    one = portraits.hopper.resized(2.0)
    looks = [look_at(each.image_rgb, each.landmarks_xy) for each in (one, portraits.hopper.resized(1.0))]
    assert looks[0] is not None and looks[1] is not None
    assert looks[0].skin_lab == pytest.approx(looks[1].skin_lab, abs=1.0)


def test_a_face_out_of_the_picture_has_no_look(portraits: Portraits) -> None:
    one = portraits.astronaut
    assert look_at(one.image_rgb, one.landmarks_xy + np.float32(5000)) is None
    assert look_at(one.image_rgb, one.landmarks_xy * np.float32(0.01)) is None


def test_what_locating_reads_is_what_is_measured() -> None:
    original = appearance([plain()] * N)
    released = appearance([plain(at / 10) for at in range(N)])
    signals = quality_signals(original, released, ALL, ALL)
    assert np.median(signals["colour"]) == values(original, released)["quality.colour"].value
    wiped = replace(released)
    for array in wiped.arrays():
        array[:] = 0
    assert "frozen face" in METHOD_TEXT
