"""The parrot on made descriptors: what it finds, what it must not take for a face, and who is learnt from what."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf
from sklearn.neighbors import KNeighborsClassifier

from deid_audit.findings import Interval, Measurement, Outcome, measured
from deid_audit.measure.attacks import strongest
from deid_audit.measure.gallery_attack import NO_TEST, nearer, rank_rate
from deid_audit.measure.inversion import NOT_HERE
from deid_audit.measure.learning import discriminant_search, neighbour_search
from deid_audit.measure.parrot import AUC, EXCESS, IMITATED, NO_TEST_OF_THE_FACE, RANK1, measure_parrot
from deid_audit.measure.sampled import INVERSION_FEATURES, SampledFaces, Strangers
from deid_audit.policy import judge
from tests.fakes import make_policy, make_rule

Rows = NDArray[np.float64]
FRAMES = 24
STRANGERS = 12


def around(who: int, count: int, seed: int, spread: float = 0.05) -> Rows:
    """Descriptors (count, 128) near a point that is this person's alone."""
    centre = np.random.default_rng(who).normal(size=128)
    return 0.5 * centre / np.linalg.norm(centre) + np.random.default_rng((who, seed)).normal(
        0, spread / 11, (count, 128)
    )


def features(descriptors: Rows) -> NDArray[np.float32]:
    """With landmarks that are everybody's."""
    return np.hstack([descriptors, np.zeros((len(descriptors), INVERSION_FEATURES - 128))]).astype(np.float32)


def crowd(count: int = STRANGERS, pictures: int = 6, because: str = "", same: bool = False) -> Strangers:
    """Strangers 100, 101 and on as they are; imitated they are 200, 201 and on, or with `same` all alike."""
    return Strangers(
        rows=tuple(np.float32(around(100 + at, pictures, 0)) for at in range(count)),
        sources=("given",) * count,
        swapped=() if because else tuple(
            features(around(300 if same else 200 + at, pictures, 1 + at)) for at in range(count)
        ),
        not_swapped_because=because,
    )  # fmt: skip


def video(imitated: int, released: int, *, reencoded: int = 1, seed: int = 0) -> SampledFaces:
    """A video of person 1, whose imitations and released frames look like these points; a frame every half second."""
    return SampledFaces(
        times_s=np.arange(FRAMES) / 2,
        described={
            "original": np.float32(around(1, FRAMES, seed)),
            "reencoded": np.float32(around(reencoded, FRAMES, seed + 50)),
        },
        imitated=features(around(imitated, FRAMES, seed + 1000)),
        released=features(around(released, FRAMES, seed + 2000)),
    )


def rows_of(videos: Sequence[SampledFaces], strangers: Strangers | None = None, at: int = 0) -> dict[str, Measurement]:
    found = measure_parrot("video 1", [at], videos, strangers or crowd())
    return {row.metric: row for row in found}


# Video 2 is imitated as nobody is, video 1 as stranger 203: learnt from one, no imitation of the other is found.
TOLD_BY_THE_RELEASE = (video(203, 2), video(2, 2, seed=9))


# -- the learners, by scikit-learn and by formula ---------------------------------------------------------------------


def test_the_nearest_neighbour_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    people = [rng.normal(size=(3, 6)) for _ in range(8)]
    probes = rng.normal(size=(50, 6))
    found = neighbour_search(probes, people)
    mine = np.column_stack((found.own, found.others)).argmin(axis=1)
    known = KNeighborsClassifier(n_neighbors=1).fit(np.concatenate(people), np.repeat(np.arange(8), 3))
    assert (mine == known.predict(probes)).all()
    assert rank_rate(found, 1) == pytest.approx((known.predict(probes) == 0).mean())


def test_the_discriminant_is_that_of_one_pooled_spread() -> None:
    """Differences of the scores are half those of the squared Mahalanobis distances, by Ledoit and Wolf's spread."""
    rng = np.random.default_rng(1)
    people = [rng.normal(size=2) * (1, 9) + rng.normal(size=(40, 2)) * (0.5, 5) for _ in range(5)]
    probes = rng.normal(size=(30, 2))
    found = discriminant_search(probes, people)
    spread, shrinkage = ledoit_wolf(np.concatenate([rows - rows.mean(axis=0) for rows in people]), assume_centered=True)
    gaps = probes[:, None] - np.stack([rows.mean(axis=0) for rows in people])
    squared = np.einsum("pci,ij,pcj->pc", gaps, np.linalg.inv(spread), gaps)
    assert 0 < shrinkage < 1
    expected = (squared[:, 1:] - squared[:, :1]) / 2
    assert found.others - found.own[:, None] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("learner", [neighbour_search, discriminant_search])
@pytest.mark.parametrize("pictures", [2, 6])
def test_somebody_who_is_nobody_is_at_chance_and_one_of_them_is_found(learner: object, pictures: int) -> None:
    assert callable(learner)
    chances = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        people = [centre + rng.normal(size=(pictures, 32)) for centre in rng.normal(size=(13, 32))]
        chances.append(nearer(learner(rng.normal(size=32) + rng.normal(size=(4, 32)), people)))
    assert abs(np.mean(chances) - 0.5) < 3 * np.std(chances) / np.sqrt(len(chances))
    told = [around(who, pictures, 3) for who in range(13)]
    assert nearer(learner(around(0, 8, 4), told)) == 1


# -- the measurement --------------------------------------------------------------------------------------------------


def test_a_release_that_tells_what_its_imitation_does_not_is_found() -> None:
    rows = rows_of(TOLD_BY_THE_RELEASE)
    assert rows[AUC].value == rows[RANK1].value == rows[EXCESS].value == 1
    assert rows[AUC].detail["null_edit"] == 1 and rows[AUC].detail["people"] == STRANGERS
    assert rows[AUC].detail["imitated"] <= 11 / 12 - 0.11  # stranger 203 is nearer, and chance is the rest
    assert rows[AUC].interval is not None and rows[AUC].interval.unit == "people"
    assert rows[RANK1].interval is not None and rows[RANK1].interval.unit == "seconds"
    assert rows[RANK1].interval.clusters == 12 and rows[RANK1].detail["by_guessing"] == 1 / 13
    assert "6 imitations each of 12 strangers" in rows[AUC].method and "other videos" in rows[AUC].method


@pytest.mark.parametrize("seed", range(4))
def test_a_release_like_everybodys_is_at_chance_within_the_interval(seed: int) -> None:
    """All imitations and the release are drawn from one point: nothing is there to be learnt."""
    videos = [video(300, 300, seed=100 + seed), video(300, 300, seed=200 + seed)]
    rows = rows_of(videos, crowd(same=True, count=20))
    auc, rank1 = rows[AUC], rows[RANK1]
    assert auc.value is not None and auc.interval is not None and rank1.value is not None
    assert 0.2 < auc.value < 0.8 and auc.interval.high - auc.interval.low > 0.02
    assert rank1.value < 0.4
    assert auc.detail["null_edit"] == 1


def test_an_average_of_many_releases_that_tell_nothing_is_a_half() -> None:
    values = []
    for seed in range(30):
        strangers = Strangers(
            rows=crowd().rows,
            sources=("given",) * STRANGERS,
            swapped=tuple(features(around(300, 6, 10_000 * (seed + 1) + at)) for at in range(STRANGERS)),
        )
        row = rows_of([video(300, 300, seed=400 + seed), video(300, 300, seed=800 + seed)], strangers)[AUC]
        values += [row.detail[f"{name}: chance"] for name in ("kNN", "LDA") if f"{name}: chance" in row.detail]
    assert abs(np.mean(values) - 0.5) < 3 * np.std(values) / np.sqrt(len(values) / 2)


def test_a_video_is_never_learnt_and_probed() -> None:
    """Its released frames are its own imitations, which are stranger 203's: learnt, they would be found at once."""
    same = video(203, 203)
    leaking = SampledFaces(
        times_s=same.times_s, described=same.described, imitated=same.imitated, released=same.imitated
    )
    rows = rows_of([leaking, video(2, 2, seed=9)])
    assert rows[RANK1].value == 0 and rows[AUC].value is not None and rows[AUC].value <= 11 / 12


def test_one_video_is_learnt_from_its_other_half_and_says_so() -> None:
    """Each half is imitated as something else, one as stranger 203; a release like the other half is found."""
    early, late = video(203, 2), video(2, 203)
    half = FRAMES // 2

    def both(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.concatenate([first[:half], second[half:]])

    one = SampledFaces(
        times_s=early.times_s,
        described=early.described,
        imitated=both(early.imitated, late.imitated),
        released=both(early.released, late.released),
    )
    rows = rows_of([one])
    assert rows[AUC].value is not None and rows[AUC].value > 0.95
    assert "the other half of the one video" in rows[AUC].method
    assert rows[AUC].sample_size < FRAMES  # the gap between the halves is not probed


def test_imitations_that_are_found_say_nothing_of_the_face_and_do_not_compete() -> None:
    rows = rows_of([video(2, 2), video(2, 2, seed=9)])
    for name in (AUC, RANK1, EXCESS):
        assert (rows[name].not_measured_because or "").startswith(NO_TEST_OF_THE_FACE)
    assert "the chance there is 1.00, of the release 1.00" in (rows[AUC].not_measured_because or "")
    assert rows[IMITATED].value == 1 and rows[IMITATED].detail["released"] == 1
    assert rows[IMITATED].interval is not None
    [worst] = strongest([other(0.6), *rows.values()])
    assert worst.value == 0.6


def test_one_learner_that_finds_imitations_is_enough_however_little_the_other_learns() -> None:
    """What everybody's pictures vary in drowns who they are for the nearest neighbour, and LDA looks past it."""
    rng = np.random.default_rng(8)

    def drowned(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.hstack([rng.normal(0, 2, (len(rows), 3)), rows[:, 3:]]).astype(np.float32)

    plain = crowd(pictures=16)
    strangers = Strangers(rows=plain.rows, sources=plain.sources, swapped=tuple(map(drowned, plain.swapped)))
    videos = [
        SampledFaces(
            times_s=one.times_s,
            described=one.described,
            imitated=drowned(one.imitated),
            released=drowned(one.released),
        )
        for one in (video(2, 2), video(2, 2, seed=9))
    ]
    own, people = np.float64(videos[1].imitated[:16, :128]), [np.float64(rows[:, :128]) for rows in strangers.swapped]
    assert nearer(neighbour_search(np.float64(videos[0].imitated[:, :128]), [own, *people])) < 0.8
    rows = rows_of(videos, strangers)
    assert (rows[AUC].not_measured_because or "").startswith(NO_TEST_OF_THE_FACE)
    assert rows[IMITATED].value is not None and rows[IMITATED].value > 0.95 and "LDA" in rows[IMITATED].method


def test_a_learner_that_does_not_find_the_unprotected_face_is_no_test() -> None:
    videos = [video(203, 2, reencoded=70), video(2, 2, reencoded=70, seed=9)]
    rows = rows_of(videos)
    assert {row.value for row in rows.values()} == {None}
    assert all((row.not_measured_because or "").startswith(NO_TEST) for row in rows.values())
    [worst] = strongest([other(0.6), *rows.values()])
    assert worst.value == 0.6


def other(value: float) -> Measurement:
    known = (Interval(low=0.4, high=0.7, clusters=12, unit="people"), "")
    return measured("attack.descriptor.auc", "swapped", "video 1", value, sample_size=60, interval=known)


def test_the_parrot_counts_where_it_is_the_strongest() -> None:
    rows = rows_of(TOLD_BY_THE_RELEASE)
    [worst] = strongest([other(0.6), *rows.values()])
    assert worst.value == 1 and worst.method.startswith(AUC)
    rule = make_rule("attack.strongest.auc", "at_most", 0.8, bound="upper95")
    assert judge([worst], make_policy([rule])).outcome is Outcome.FAILED


@pytest.mark.parametrize(
    ("strangers", "because"),
    [
        (crowd(9), "9 strangers with 2 pictures or more"),
        (crowd(40, pictures=1), "0 strangers with 2 pictures or more"),
        (crowd(0), "0 strangers with 2 pictures or more"),
    ],
)
def test_too_few_people_are_an_answer_and_no_pass(strangers: Strangers, because: str) -> None:
    rows = rows_of(TOLD_BY_THE_RELEASE, strangers)
    assert all(because in (row.not_measured_because or "") for row in rows.values())
    rule = make_rule("attack.strongest.auc", "at_most", 0.9)
    verdict = judge(strongest([other(0.6), *rows.values()]), make_policy([rule]))
    assert verdict.outcome is Outcome.INDETERMINATE


def test_who_has_fewer_pictures_than_most_takes_no_part() -> None:
    many, few = crowd(12, pictures=8), crowd(15, pictures=2)
    mixed = Strangers(
        rows=(*many.rows, *few.rows[12:]), sources=("given",) * 15, swapped=(*many.swapped, *few.swapped[12:])
    )
    row = rows_of(TOLD_BY_THE_RELEASE, mixed)[AUC]
    assert row.detail["people"] == 12 and "8 imitations each of 12 strangers" in row.method


def test_what_cannot_be_imitated_or_seen_is_not_measured() -> None:
    first, second = TOLD_BY_THE_RELEASE
    nowhere = np.full_like(first.released, np.nan)
    unseen = SampledFaces(times_s=first.times_s, described=first.described, imitated=first.imitated, released=nowhere)
    no_control = SampledFaces(times_s=first.times_s, described=first.described, released=first.released)
    unlearnt = SampledFaces(times_s=second.times_s, described=second.described, released=second.released)
    for videos, strangers, because in (
        ([first, second], crowd(because="a preset without a mean face"), f"{NOT_HERE}: a preset without a mean face"),
        ([unseen, second], crowd(), "0 sampled released frames"),
        ([no_control, second], crowd(), "24 sampled released frames and 0 imitations"),
        ([first, unlearnt], crowd(), "0 pictures of the subject to learn from"),
        ([SampledFaces()], crowd(), "0 pictures of the subject to learn from"),
    ):
        rows = rows_of(videos, strangers)
        assert all(because in (row.not_measured_because or "") for row in rows.values()), because


def test_all_videos_together_have_no_interval_of_the_rate_over_two_videos() -> None:
    found = measure_parrot("subject", [0, 1], TOLD_BY_THE_RELEASE, crowd())
    rows = {row.metric: row for row in found}
    assert rows[RANK1].sample_size == 2 * FRAMES
    assert rows[RANK1].no_interval_because == "2 videos; an interval needs at least 10 clusters"
    assert rows[AUC].interval is not None
