"""Figures: the same bytes each time, no date, no pixels in plots, and samples that hold only what was given."""

import csv
import functools
import io

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.errors import StageError
from deid_audit.findings import Figure, Of
from deid_audit.measure.embedding import embed, embedding_figure, neighbours
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.figures import (
    SAMPLE_MAX_PX,
    distance_figure,
    expression_figure,
    keypoint_figure,
    keypoint_frames,
    oks_figure,
    roc_figure,
    sample_frames,
)
from deid_audit.measure.identity import Roc, VideoDescriptors

T = np.arange(60) / 25
METHODS: tuple[Of, ...] = ("swapped", "masked", "blurred", "pixelated", "reencoded")


def face(offset: float) -> FaceSignals:
    wave = np.sin(T * 6) + offset
    return FaceSignals(mouth=wave, eye=wave, brow=wave, yaw=wave, head_xy=np.zeros((60, 2)), interocular_px=np.ones(60))


def distances() -> NDArray[np.float64]:
    values = 0.7 + 0.05 * np.sin(T)
    values[:10] = np.nan
    values[30] = 0.55
    return values


@functools.cache
def plots() -> tuple[Figure, ...]:
    rng = np.random.default_rng(0)
    cuts = np.linspace(0, 1, 11)
    oks: dict[Of, NDArray[np.float64]] = {of: rng.uniform(0.4, 1, 60) for of in METHODS}
    single: dict[Of, NDArray[np.float64]] = {of: rng.uniform(0, 1, (60, 17)) for of in METHODS}
    single["swapped"][:, 16] = np.nan
    return (
        roc_figure(Roc(cuts=cuts, within_donor=np.minimum(1, 2 * cuts), within_original=cuts**2, auc=0.9)),
        distance_figure(2, T, distances(), np.arange(60) < 10),
        oks_figure(oks),
        keypoint_figure(single),
        expression_figure(1, T, face(0), face(3), np.ones(60, bool)),
    )


def rows_of(figure: Figure) -> list[dict[str, str]]:
    assert figure.csv is not None
    return list(csv.DictReader(io.StringIO(figure.csv)))


def test_plots_are_vector_only_undated_and_described() -> None:
    figures = plots()
    assert len({figure.name for figure in figures}) == len(figures)
    for figure in figures:
        text = figure.data.decode()
        assert figure.kind == "plot"
        assert figure.media_type == "image/svg+xml"
        assert figure.caption and figure.alt and figure.csv
        for unwanted in ("<image", "<dc:date>", "<dc:creator>", "<text", "data:"):
            assert unwanted not in text, f"{figure.name} holds {unwanted}"


def test_the_same_numbers_give_the_same_bytes_whatever_the_users_style_is() -> None:
    before = [figure.data for figure in plots()]
    with mpl.rc_context({"axes.facecolor": "red", "svg.fonttype": "none", "legend.fontsize": 20}):
        after = [figure.data for figure in plots.__wrapped__()]
    assert before == after


def test_the_csv_holds_what_the_plot_shows() -> None:
    roc, distance, oks, single, expression = plots()
    assert rows_of(roc)[-1] == {"cut": "1", "accepted_as_donor": "1", "accepted_as_subject": "1"}
    assert rows_of(distance)[0] == {"time_s": "0", "distance_to_original": "", "concealed": "1"}
    assert rows_of(distance)[30]["distance_to_original"] == "0.55"
    assert "1 of 50 frames below" in distance.alt
    for of in METHODS:
        assert sum(float(row["percent_of_frames"]) for row in rows_of(oks) if row["method"] == of) == pytest.approx(100)
    assert [row["frames"] for row in rows_of(single) if row["method"] == "swapped"][-1] == "0"
    first = rows_of(expression)[20]
    assert float(first["mouth_original"]) == pytest.approx(float(first["mouth_released"]))  # the offset is removed


def test_a_lost_person_is_in_the_lowest_bar() -> None:
    rows = rows_of(oks_figure({"masked": np.array([0.0, 0.0, 1.0, np.nan])}))
    assert float(rows[0]["percent_of_frames"]) == pytest.approx(200 / 3)


def test_plots_of_nothing_still_come() -> None:
    nothing = np.full(60, np.nan)
    assert "no frame could be compared" in distance_figure(1, T, nothing, nothing > 0).alt
    oks_figure({"swapped": nothing})
    keypoint_figure({"swapped": np.full((60, 17), np.nan)})
    expression_figure(1, T, face(0), face(0), np.zeros(60, bool))


def decoded(figure: Figure) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(figure.data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1], np.uint8)


def test_samples_are_the_given_frame_beside_the_same_frame_masked() -> None:
    rng = np.random.default_rng(1)
    frame = np.ascontiguousarray(rng.integers(60, 250, (90, 120, 3), dtype=np.uint8))
    figure = sample_frames([frame], [np.array([[20.0, 10.0, 50.0, 40.0]], np.float32)])
    sheet = decoded(figure)
    assert (figure.kind, figure.media_type) == ("released frame", "image/png")
    left, right = sheet[:, :120], sheet[:, -120:]
    np.testing.assert_array_equal(left, frame)
    assert (right[10:40, 20:50] == 0).all()
    untouched = np.ones((90, 120), bool)
    untouched[10:40, 20:50] = False
    np.testing.assert_array_equal(right[untouched], frame[untouched])


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (1280, 720), (100, 100)])
def test_samples_are_three_at_most_and_small(height: int, width: int) -> None:
    frames = [np.full((height, width, 3), 120, np.uint8)] * 5
    outside = np.array([[-50.0, -50.0, 5000.0, 20.0], [-9.0, -9.0, -1.0, -1.0]], np.float32)
    sheet = decoded(sample_frames(frames, [outside] * 5))
    scale = min(1.0, SAMPLE_MAX_PX / max(height, width))
    cells = sheet.shape[0] * sheet.shape[1] / (round(height * scale) * round(width * scale))
    assert 6 <= cells < 6.7
    assert (frames[0] == 120).all()  # the caller's frame is not painted on


def test_no_frames_is_one_clear_error() -> None:
    with pytest.raises(StageError, match="no released frame"):
        sample_frames([], [])


# -- t-SNE, and keypoints on released frames --------------------------------------------------------------------------


def cloud(centre: float, count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(centre, 0.02, (count, 128)).astype(np.float32)


def described_video(released: NDArray[np.float32], original: NDArray[np.float32]) -> VideoDescriptors:
    count = len(released)
    flags = np.ones(count, bool)
    return VideoDescriptors(swapped=released, original=original, subject_swapped=flags, times_s=np.arange(count) / 25)


def test_released_faces_that_are_the_donors_lie_with_the_donor_and_a_leak_lies_with_the_subject() -> None:
    own, donor = cloud(0.0, 40, 1), cloud(0.2, 40, 2)
    protected = embedding_figure([described_video(cloud(0.2, 40, 3), own)], donor)
    leaking = embedding_figure([described_video(cloud(0.0, 40, 3), own)], donor)
    assert protected is not None and leaking is not None
    assert "donor's for 100% of the released frames and the subject's for 0%" in protected.alt
    assert "donor's for 0% of the released frames and the subject's for 100%" in leaking.alt
    assert len(rows_of(protected)) == 120
    again = embedding_figure([described_video(cloud(0.2, 40, 3), own)], donor)
    assert again is not None and again.data == protected.data


def test_the_embedding_keeps_neighbours_as_scikit_learn_counts_them() -> None:
    from sklearn.manifold import trustworthiness  # noqa: PLC0415

    rows = np.concatenate([cloud(centre, 30, at) for at, centre in enumerate((0.0, 0.1, 0.2))])
    points = embed(rows)
    assert trustworthiness(rows, points, n_neighbors=5) > 0.7
    labels = np.repeat([0, 1, 2], 30)
    assert neighbours(points, labels, 0, 1) + neighbours(points, labels, 0, 2) == pytest.approx(1)


def test_too_few_faces_make_no_embedding() -> None:
    assert embedding_figure([described_video(cloud(0, 9, 1), cloud(0, 9, 2))], cloud(0.2, 40, 3)) is None
    assert embedding_figure([described_video(cloud(0, 40, 1), cloud(0, 40, 2))], cloud(0.2, 0, 3)) is None


def test_keypoints_are_drawn_on_the_given_frame_and_nowhere_else() -> None:
    frame = np.full((200, 100, 3), 128, np.uint8)
    before = np.full((17, 2), np.nan, np.float32)
    after = before.copy()
    before[0], after[0] = (50, 60), (50, 60)
    figure = keypoint_frames([frame], [(before, after)])
    drawn = cv2.imdecode(np.frombuffer(figure.data, np.uint8), cv2.IMREAD_COLOR)
    changed = np.argwhere((drawn != 128).any(axis=2))
    assert figure.kind == "released frame" and drawn.shape == frame.shape
    assert (np.abs(changed - (60, 50)) <= 6).all() and len(changed) > 30
    assert drawn[60, 50].tolist() == [0, 0, 0] and drawn[60, 54].min() > 200
    with pytest.raises(StageError, match="no released frame"):
        keypoint_frames([], [])
