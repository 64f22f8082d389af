"""LBPH and Fisherfaces on made chips: which of them counts, and what keeps one out."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from deid_audit.findings import Measurement
from deid_audit.frames import Image
from deid_audit.measure.gallery_attack import nearer
from deid_audit.measure.sampled import SampledFaces, Strangers
from deid_audit.measure.texture import SIDE_PX, fisher_search
from deid_audit.measure.texture_attack import measure_texture

FRAMES = 24


def shaded(who: int, number: int) -> Image:
    """A face told by broad shades alone: every pixel's neighbours differ by noise only, which is all that LBP sees."""
    broad = cv2.resize(np.random.default_rng(who).uniform(90, 160, (3, 3)), (SIDE_PX, SIDE_PX))
    noise = np.random.default_rng(10_000 * who + number).uniform(-60, 60, (SIDE_PX, SIDE_PX))
    return np.round(broad + noise).astype(np.uint8)


def crowd(count: int, pictures: int) -> Strangers:
    chips = tuple(tuple(shaded(100 + who, at) for at in range(pictures)) for who in range(count))
    rows = tuple(np.zeros((pictures, 128), np.float32) for _ in chips)
    return Strangers(rows=rows, inside=chips, sources=("given",) * count)


def video(released: int, *, original: int = 1, seed: int = 0) -> SampledFaces:
    def faces(who: int, part: int) -> list[Image]:
        return [shaded(who, 100 * part + 1000 * seed + at) for at in range(FRAMES)]

    return SampledFaces(
        times_s=np.arange(FRAMES) * 2.0,
        inside={"original": faces(original, 1), "reencoded": faces(original, 2), "swapped": faces(released, 3)},
    )


def imitated_as(who: int, made: SampledFaces) -> SampledFaces:
    """The same frames with a mean face pasted on that is told by `who`'s shades; one could not be swapped."""
    chips = [shaded(who, 500 + at) for at in range(FRAMES)]
    return replace(made, inside_imitated=(None, *chips[1:]))


def measure(strangers: Strangers, *videos: SampledFaces) -> Measurement:
    return measure_texture("video 1", [0], videos, strangers)


def test_fisherfaces_tell_apart_what_differs_and_nothing_else() -> None:
    people = [[shaded(who, at) for at in range(4)] for who in range(12)]
    own = [shaded(0, 50 + at) for at in range(6)]
    assert nearer(fisher_search(own, people[0], people[1:])) == 1
    chances = []
    for seed in range(20):  # somebody who is none of them is nearer to no one in particular
        nobody = [shaded(7000 + seed, at) for at in range(6)]
        chances.append(nearer(fisher_search(nobody, people[0], people[1:])))
    assert abs(np.mean(chances) - 0.5) < 3 * np.std(chances) / np.sqrt(len(chances))
    with pytest.raises(ValueError, match="same number"):
        fisher_search(own, people[0][:3], people[1:])


def test_the_recogniser_that_finds_the_unprotected_face_counts_and_is_named() -> None:
    kept, replaced = measure(crowd(12, 8), video(1)), measure(crowd(12, 8), video(103))
    for row in (kept, replaced):
        assert "Fisherfaces of the face alone" in row.method and "LBPH: does not find the unprotected" in row.method
        assert row.detail["null_edit"] == row.detail["Fisherfaces: null edit"] == 1
        assert row.interval is not None and row.interval.clusters == 12
    assert kept.value == 1 and replaced.value is not None and replaced.value <= 11 / 12


@pytest.mark.parametrize(("people", "pictures"), [(9, 4), (12, 1)])
def test_fisherfaces_need_ten_strangers_with_two_pictures(people: int, pictures: int) -> None:
    row = measure(crowd(people, pictures), video(1))
    assert row.value is None  # LBPH is blind here, and there is nobody else
    assert "with 2 pictures or more to learn from; at least 10" in row.method


def test_fisherfaces_are_learnt_from_the_other_videos() -> None:
    """The second video shows somebody else: what is learnt there does not find the subject of the first."""
    alone = measure(crowd(12, 8), video(1))
    other = measure(crowd(12, 8), video(1), video(50, original=50, seed=1))
    assert alone.value == 1 and other.value is None
    assert "Fisherfaces does not find the unprotected face" in other.method


def test_a_mean_face_pasted_on_the_subject_is_searched_for_as_well() -> None:
    """Found where light and camera are the subject's own, and not where they are somebody else's."""
    released = video(1)
    alike, unlike = (measure(crowd(12, 8), imitated_as(who, released)) for who in (1, 103))
    assert alike.value == unlike.value == 1  # it counts all the same
    assert alike.detail["imitated"] == 1 and unlike.detail["imitated"] <= 11 / 12
    assert "imitated" not in measure(crowd(12, 8), released).detail
