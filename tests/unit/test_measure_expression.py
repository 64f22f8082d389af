"""Expression on a made face whose mouth, lids, brows and pose are known exactly."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import pearsonr

from deid_audit.catalog import METRICS
from deid_audit.findings import Measurement
from deid_audit.measure.expression import (
    PARTS,
    FaceSignals,
    correlation,
    face_signals,
    measure_expression,
    movement_error,
)
from deid_audit.measure.intervals import clusters_of

Signal = NDArray[np.float64]
EYE_DISTANCE = 100.0


def expression_rows(
    original: FaceSignals, released: FaceSignals, reencoded: FaceSignals, compared: NDArray[np.bool_], scope: str
) -> list[Measurement]:
    seconds = clusters_of([np.arange(len(compared)) / 25])
    return measure_expression(original, released, reencoded, compared, scope, seconds)


def made_face(mouth: Signal, eye: Signal, brow: Signal) -> NDArray[np.float64]:
    """FaceMesh landmarks (n, 478, 3) in px of a slightly crooked frontal face, 100 px between outer eye corners."""
    points = np.zeros((len(mouth), 478, 3))
    corners = {33: (-50, 0), 133: (-20, 0), 362: (20, 0), 263: (50, 0)}
    rigid = {10: (0, -80), 2: (6, 40), 168: (0, 0), 6: (0, 8), 197: (0, 15), 234: (-70, 20), 454: (70, 20)}
    for index, (x, y) in {**corners, **rigid}.items():
        points[:, index, :2] = (x, y)
    for x, above, below in ((-37, 159, 145), (-31, 158, 153), (31, 385, 380), (37, 386, 374)):
        points[:, [above, below], 0] = x
        points[:, above, 1], points[:, below, 1] = -eye / 2, eye / 2
    for side, indices in ((-35, (105, 66, 107)), (35, (334, 296, 336))):
        for offset, index in zip((-8, 0, 8), indices, strict=True):
            points[:, index, 0], points[:, index, 1] = side + offset, -brow
    points[:, 13, 1], points[:, 14, 1] = 60 - mouth / 2, 60 + mouth / 2
    return points


def turned(points: NDArray[np.float64], yaw_degrees: Signal, roll_degrees: float = 0.0) -> NDArray[np.float64]:
    yaw, roll = np.radians(yaw_degrees), np.radians(roll_degrees)
    x, y, z = np.moveaxis(points, 2, 0)
    x, z = x * np.cos(yaw)[:, None] - z * np.sin(yaw)[:, None], x * np.sin(yaw)[:, None] + z * np.cos(yaw)[:, None]
    return np.stack((x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll), z), axis=2)


def signals(**parts: Signal) -> FaceSignals:
    count = len(next(iter(parts.values())))
    filled = {part: parts.get(part, np.zeros(count)) for part in PARTS}
    return FaceSignals(**filled, head_xy=np.zeros((count, 2)), interocular_px=np.full(count, 60.0))


def find(rows: list[Measurement], name: str) -> Measurement:
    (row,) = [row for row in rows if row.metric == f"expression.{name}"]
    return row


ALL = np.ones(100, bool)
T = np.arange(100) / 25
WAVE = 5 * np.sin(2 * np.pi * T)
JITTER = np.random.default_rng(0).normal(0, 0.1, 100)


@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_signals_of_a_made_face_do_not_depend_on_size_yaw_or_roll(scale: float) -> None:
    mouth, eye, brow = np.array([0.0, 12, 30]), np.array([8.0, 0, 10]), np.array([25.0, 30, 22])
    yaw = np.array([0.0, 30, -45])
    landmarks = turned(made_face(mouth, eye, brow), yaw, roll_degrees=20) * scale + (300, 200, 0)
    found = face_signals(landmarks.astype(np.float32))
    np.testing.assert_allclose(found.mouth, mouth, atol=1e-3)
    np.testing.assert_allclose(found.eye, eye, atol=1e-3)
    np.testing.assert_allclose(found.brow, brow, atol=1e-3)
    np.testing.assert_allclose(found.yaw, yaw, atol=1e-3)
    np.testing.assert_allclose(found.interocular_px, EYE_DISTANCE * scale, rtol=1e-5)


def test_the_head_position_follows_the_head_and_not_the_mouth() -> None:
    still, talking = np.zeros(2), np.array([0.0, 40.0])
    points = made_face(talking, still + 8, still + 25)
    points[1] += (3, -2, 0)
    head = face_signals(points.astype(np.float32)).head_xy
    np.testing.assert_allclose(head[1] - head[0], (3, -2), atol=1e-4)


def test_frames_without_landmarks_stay_nan() -> None:
    points = made_face(np.zeros(2), np.zeros(2) + 8, np.zeros(2) + 25)
    points[1] = np.nan
    found = face_signals(points.astype(np.float32))
    for part in PARTS:
        assert np.isfinite(getattr(found, part)).tolist() == [True, False]
    with pytest.raises(ValueError, match="478"):
        face_signals(np.zeros((2, 468, 3), np.float32))


def test_hand_computed_error_offset_correlation_and_range() -> None:
    original = signals(mouth=WAVE)
    rows = expression_rows(original, signals(mouth=0.5 * WAVE + 7), signals(mouth=WAVE + JITTER), ALL, "video 1")
    assert find(rows, "mouth_offset").value == pytest.approx(7)
    assert find(rows, "mouth_mae").value == pytest.approx(np.abs(0.5 * WAVE).mean())
    assert find(rows, "mouth_r").value == pytest.approx(1)
    assert find(rows, "mouth_range_ratio").value == pytest.approx(0.5)
    floor = find(rows, "mouth_mae").noise_floor
    assert floor == pytest.approx(movement_error(WAVE, WAVE + JITTER))
    assert find(rows, "mouth_r").noise_floor == pytest.approx(pearsonr(WAVE, WAVE + JITTER).statistic)


def test_a_small_error_where_a_mouth_opens_and_shuts_moves_no_other_frame() -> None:
    """Half of the time shut, half open: the median of either side lies anywhere between, and says nothing."""
    original = np.repeat((0.0, 20.0), 50)
    released = original + 3  # anatomy: the lips' gap is wider throughout
    released[49] += 8  # and one frame is wrong, with which the released median jumps from 13 by 4
    assert np.median(released) - np.median(original) == pytest.approx(7)
    assert movement_error(original, released) == pytest.approx(8 / 100)
    rows = expression_rows(signals(mouth=original), signals(mouth=released), signals(mouth=original), ALL, "video 1")
    assert find(rows, "mouth_offset").value == pytest.approx(3)
    assert find(rows, "mouth_mae").value == pytest.approx(8 / 100)


def test_correlation_equals_scipy() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=50), rng.normal(size=50)
    assert correlation(a, b) == pytest.approx(pearsonr(a, b).statistic)


def test_a_frozen_mask_scores_no_correlation_no_range_and_an_error() -> None:
    rows = expression_rows(signals(eye=WAVE), signals(eye=WAVE * 0 + 4), signals(eye=WAVE + JITTER), ALL, "video 1")
    assert find(rows, "eye_r").value == 0
    assert find(rows, "eye_range_ratio").value == 0
    assert (find(rows, "eye_mae").value or 0) > 3


def test_a_still_face_has_an_error_but_neither_correlation_nor_range() -> None:
    rng = np.random.default_rng(1)
    original = signals(brow=rng.normal(0, 0.2, 100))
    reencoded = signals(brow=original.brow + JITTER)
    rows = expression_rows(original, signals(brow=rng.normal(0, 0.2, 100)), reencoded, ALL, "video 1")
    for name in ("brow_r", "brow_range_ratio"):
        row = find(rows, name)
        assert row.absent
        assert row.not_measured_because is not None
        assert f"{original.brow.std():.2f} %" in row.not_measured_because
        assert f"{JITTER.std():.2f} %" in row.not_measured_because
    assert find(rows, "brow_mae").value is not None


def test_without_a_null_edit_movement_is_a_gap_and_never_absent() -> None:
    nothing = signals(mouth=np.full(100, np.nan))
    rows = expression_rows(signals(mouth=WAVE), signals(mouth=WAVE), nothing, ALL, "video 1")
    row = find(rows, "mouth_r")
    assert row.value is None
    assert not row.absent
    assert find(rows, "mouth_mae").value == 0


@pytest.mark.parametrize(("kept", "measurable"), [(9, False), (49, False), (50, True)])
def test_too_few_frames_with_landmarks_on_both_sides_are_a_gap(kept: int, measurable: bool) -> None:
    released = WAVE.copy()
    released[kept:] = np.nan
    rows = expression_rows(signals(yaw=WAVE), signals(yaw=released), signals(yaw=WAVE + JITTER), ALL, "video 1")
    row = find(rows, "yaw_mae")
    assert (row.value is not None) is measurable
    assert not row.absent
    if measurable:
        assert row.detail["frames_lost"] == 100 - kept


def test_concealed_frames_are_not_compared() -> None:
    released = WAVE.copy()
    released[:30] += 50
    compared = np.arange(100) >= 30
    rows = expression_rows(
        signals(mouth=WAVE), signals(mouth=released), signals(mouth=WAVE + JITTER), compared, "video 1"
    )
    assert find(rows, "mouth_mae").value == pytest.approx(0)
    assert find(rows, "mouth_mae").sample_size == 70


@pytest.mark.parametrize("compared", [ALL, ~ALL])
def test_every_expression_metric_is_there(compared: NDArray[np.bool_]) -> None:
    still = signals(mouth=np.zeros(100))
    rows = expression_rows(still, still, still, compared, "video 1")
    assert {row.metric for row in rows} == {name for name in METRICS if name.startswith("expression.")}
