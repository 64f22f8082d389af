"""Attacks on descriptors made by hand: known chances and ranks, planted leaks, and galleries that are too small."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score

from deid_audit.findings import Interval, Measurement, Outcome, measured, not_measured
from deid_audit.frames import Image
from deid_audit.measure.attacks import NO_TEST, NOT_NAMED, averages, measure_attacks, strongest
from deid_audit.measure.controls import measure_controls
from deid_audit.measure.gallery_attack import Search, excess, false_negative_rate, nearer, rank_rate, search
from deid_audit.measure.identity import VideoDescriptors
from deid_audit.measure.sampled import SampledFaces, Strangers
from deid_audit.measure.texture import SIDE_PX, texture_distances, texture_search
from deid_audit.policy import judge
from tests.fakes import make_policy, make_rule

Rows = NDArray[np.float32]
N = 60
TIMES = np.arange(N) / 2


def person(seed: int, count: int = 1, spread: float = 0.02, length: float = 0.5) -> Rows:
    """Descriptors of one made person: a direction of their own, a little noise."""
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=128)
    rows = centre / np.linalg.norm(centre) * length + rng.normal(0, spread / np.sqrt(128), (count, 128))
    return rows.astype(np.float32)


def crowd(count: int) -> Strangers:
    chips = tuple(tuple(chip(1000 + seed, shift) for shift in range(2)) for seed in range(count))
    rows = tuple(person(1000 + seed, 3) for seed in range(count))
    return Strangers(rows=rows, inside=chips, sources=("given",) * count, not_swapped_because="nobody is swapped here")


def chip(seed: int, shift: int = 0) -> Image:
    """A texture of its own for each seed, a few px moved by `shift`."""
    rng = np.random.default_rng(seed)
    scale = int(rng.integers(2, 9))
    small = rng.integers(0, 255, (SIDE_PX // scale + 2, SIDE_PX // scale + 2))
    large = np.kron(small, np.ones((scale, scale)))[shift : shift + SIDE_PX, shift : shift + SIDE_PX]
    return np.ascontiguousarray(large, np.uint8)


def video(released: Rows, original: Rows) -> VideoDescriptors:
    return VideoDescriptors(
        swapped=released,
        original=original,
        subject_swapped=np.ones(len(released), bool),
        times_s=TIMES[: len(released)],
    )


def sample(released_texture: int = 7, own_texture: int = 1) -> SampledFaces:
    count = 12
    own = [chip(own_texture, at % 4) for at in range(count)]
    described = {"original": person(1, count), "reencoded": person(1, count), "blurred": person(55, count)}
    return SampledFaces(
        times_s=np.arange(count) * 2.0,
        described=described,
        inside={"original": own, "reencoded": own, "swapped": [chip(released_texture, at % 4) for at in range(count)]},
    )


def rows_by_name(found: list[Measurement], scope: str = "video 1") -> dict[str, Measurement]:
    return {row.metric: row for row in found if row.scope == scope}


# -- the search in a gallery, by hand and by scikit-learn and SciPy ---------------------------------------------------


def test_the_chance_by_hand_and_by_scikit_learn_and_scipy() -> None:
    rng = np.random.default_rng(0)
    own, others = rng.normal(0.5, 0.1, 40).round(2), rng.normal(0.55, 0.1, (40, 9)).round(2)
    assert nearer(Search(own=np.array([1.0]), others=np.array([[0.5, 1.0, 2.0, 3.0]]))) == (0 + 0.5 + 1 + 1) / 4
    per_probe = [
        roc_auc_score([1] + [0] * 9, -np.concatenate(([mine], theirs)))
        for mine, theirs in zip(own, others, strict=True)
    ]
    assert nearer(Search(own=own, others=others)) == pytest.approx(np.mean(per_probe), abs=1e-12)
    one = others[:, :1]
    pairs = [mannwhitneyu(theirs, [mine]).statistic for mine, theirs in zip(own, one, strict=True)]
    assert nearer(Search(own=own, others=one)) == pytest.approx(np.mean(pairs), abs=1e-12)


def test_ranks_and_excess_by_hand() -> None:
    found = Search(own=np.array([1.0, 2.0, 9.0]), others=np.array([[2.0, 3.0], [1.0, 3.0], [1.0, 3.0]]))
    assert [rank_rate(found, rank) for rank in (1, 2, 3)] == pytest.approx([1 / 3, 2 / 3, 1])
    assert excess(1 / 3, 2) == pytest.approx(0)
    assert excess(0.0, 2) == pytest.approx(-0.5)


def test_a_miss_at_a_false_alarm_rate_by_hand() -> None:
    """Four strangers whose own searches come as near as 0.4, 0.5, 0.5, 0.6: at 0.25 the threshold is 0.5."""
    between = np.array([[9, 0.4, 1, 1], [0.5, 9, 1, 1], [1, 0.5, 9, 1], [0.6, 1, 1, 9]], float)
    np.fill_diagonal(between, np.inf)
    found = Search(own=np.array([0.45, 0.55, 0.3]), others=np.array([[1.0] * 4, [1.0] * 4, [0.2] + [1.0] * 3]))
    assert false_negative_rate(found, between, fpir=0.25) == pytest.approx(2 / 3)


def test_averages_leave_a_shorter_rest_out_and_take_all_of_few() -> None:
    rows = np.arange(5, dtype=np.float32)[:, None]
    assert averages(rows, 2).ravel().tolist() == [0.5, 2.5]
    assert averages(rows, 64).ravel().tolist() == [2.0] == averages(rows, None).ravel().tolist()


# -- the attacks ----------------------------------------------------------------------------------------------------


def test_a_release_without_likeness_is_at_chance_and_a_leak_is_found() -> None:
    """Donor's face without a trace of the subject, and with a third of the subject mixed in."""
    strangers, own, donor = crowd(40), person(1, N), person(2, N)
    clean, leaking = donor, (donor * 0.67 + own * 0.33).astype(np.float32)
    values = {}
    for name, released in (("clean", clean), ("leaking", leaking)):
        rows = rows_by_name(measure_attacks([video(released, own)], [sample()], donor, strangers))
        values[name] = rows["attack.descriptor.auc"]
    clean_row, leaking_row = values["clean"], values["leaking"]
    assert clean_row.value is not None and leaking_row.value is not None
    assert leaking_row.value == 1.0
    assert clean_row.value == clean_row.detail["donor_before_swap"] < 1
    assert clean_row.detail["null_edit"] == 1
    assert clean_row.interval is not None and clean_row.interval.unit == "people" and clean_row.interval.clusters == 40


def test_averages_find_what_single_frames_hide() -> None:
    """Noise that hides the subject in every frame averages away: A2 must be stronger than A0 and say with how many."""
    rng = np.random.default_rng(3)
    own, donor = person(1, N), person(2, N)
    noisy = (donor * 0.7 + own * 0.3 + rng.normal(0, 0.25, (N, 128))).astype(np.float32)
    rows = rows_by_name(measure_attacks([video(noisy, own)], [sample()], donor, crowd(40)))
    single, averaged = rows["attack.descriptor.auc"].value, rows["attack.templates.auc"].value
    assert single is not None and averaged is not None
    assert averaged > single + 0.1
    assert rows["attack.templates.auc"].detail["1 frames: chance"] == pytest.approx(single)


def test_texture_that_stays_is_found_by_the_second_recogniser_alone() -> None:
    own, donor = person(1, N), person(2, N)
    kept, replaced = (
        rows_by_name(measure_attacks([video(donor, own)], [sample(released_texture=texture)], donor, crowd(12)))
        for texture in (1, 1003)  # the subject's own; a stranger's, so that one of twelve is surely nearer
    )
    assert kept["attack.texture.auc"].value == 1.0
    assert kept["attack.texture.auc"].detail["null_edit"] == 1.0
    other = replaced["attack.texture.auc"].value
    assert other is not None and other <= 11 / 12, replaced["attack.texture.auc"]
    worst = rows_by_name(strongest(list(kept.values())))["attack.strongest.auc"]
    assert worst.value == 1.0 == max(worst.detail.values()) == worst.detail["null_edit"]
    weaker = [row for row in kept.values() if row.metric != "attack.templates.auc"]
    low = Interval(low=0.3, high=0.5, clusters=12, unit="people")
    update = {"value": 0.4, "interval": low}
    weaker = [row.model_copy(update=update) if row.metric == "attack.descriptor.auc" else row for row in weaker]
    [named] = strongest(weaker)
    assert named.value == 1.0 and named.method.startswith("attack.texture.auc")


def test_own_entries_of_the_same_moment_are_not_compared() -> None:
    """A frame that equals its own original of the same moment only, and nothing of other moments, is no match."""
    moments = [chip(500 + at) for at in range(6)]
    crowd_chips = [[chip(900 + at)] for at in range(6)]
    times = np.arange(6) * 10.0
    found = texture_search(moments, times, moments, times, crowd_chips, apart_s=1.0)
    assert (found.own > 0).all()
    assert texture_distances(moments[:1], moments)[0, 0] == 0


@pytest.mark.parametrize("count", [0, 4])
def test_too_few_strangers_are_an_answer_and_never_a_pass(count: int) -> None:
    own, donor = person(1, N), person(2, N)
    found = measure_attacks([video(donor, own)], [sample()], donor, crowd(count))
    found += strongest(found)
    rows = rows_by_name(found)
    row = rows["attack.strongest.auc"]
    assert row.value is None and row.not_measured_because is not None
    assert f"{count} strangers; at least 5" in row.not_measured_because
    rule = make_rule("attack.strongest.auc", "at_most", 0.9)
    assert judge(found, make_policy([rule])).outcome is Outcome.INDETERMINATE


def test_few_strangers_give_no_interval_no_fifth_rank_and_no_false_alarm_rate() -> None:
    own, donor = person(1, N), person(2, N)
    rows = rows_by_name(measure_attacks([video(donor, own)], [sample()], donor, crowd(9)))
    assert rows["attack.descriptor.auc"].value is not None
    assert rows["attack.descriptor.auc"].no_interval_because == "9 people; an interval needs at least 10 clusters"
    assert rows["attack.descriptor.rank5"].value is None
    assert "needs at least 334" in (rows["attack.descriptor.fnir"].not_measured_because or "")
    many = rows_by_name(measure_attacks([video(own, own)], [sample()], donor, crowd(340)))
    assert many["attack.descriptor.fnir"].value == 0  # an unprotected face is found at once
    assert many["attack.descriptor.rank1"].value == many["attack.descriptor.excess"].value == 1


def test_the_insider_brings_the_subject_back_and_without_the_model_nobody_does() -> None:
    own, donor = person(1, N), person(2, N)
    plain = sample()
    told = SampledFaces(
        times_s=plain.times_s, described=plain.described, inside=plain.inside,
        rebuilt=person(1, 12), unaided=person(2, 12),
    )  # fmt: skip
    rows = rows_by_name(measure_attacks([video(donor, own)], [told], donor, crowd(5)))
    insider = rows["attack.insider.match_rate"]
    assert insider.value == 1.0 and insider.detail["without_the_model"] == 0.0
    nothing = rows_by_name(measure_attacks([video(donor, own)], [plain], donor, crowd(5)))["attack.insider.match_rate"]
    assert nothing.value is None and "no model of this run" in (nothing.not_measured_because or "")


def test_search_is_the_mean_of_scipys_distances() -> None:
    from scipy.spatial.distance import cdist  # noqa: PLC0415

    probes, own, people = person(1, 5), person(2, 4), [person(3, 1), person(4, 6)]
    found = search(probes, own, people)
    assert found.own == pytest.approx(cdist(probes, own).mean(axis=1), abs=1e-6)
    expected = [cdist(probes, rows).mean(axis=1) for rows in people]
    assert found.others == pytest.approx(np.stack(expected, axis=1), abs=1e-6)


@pytest.mark.parametrize("entries", [1, 2, 8])
def test_nobody_is_nearer_for_having_more_pictures_or_fewer(entries: int) -> None:
    """A subject of 40 pictures among strangers of 1, 2 or 8, all alike: over many draws the chance must be a half."""
    chances = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(13, 64)) / 8
        rows = [
            centre + rng.normal(0, 0.1, (count, 64))
            for centre, count in zip(centres, (40, *[entries] * 12), strict=True)
        ]
        probe = rng.normal(size=(3, 64)).astype(np.float32) / 8
        people = [one.astype(np.float32) for one in rows]
        chances.append(nearer(search(probe, people[0], people[1:])))
    assert abs(np.mean(chances) - 0.5) < 4 * np.std(chances) / np.sqrt(60)
    noise = [chip(4000 + at) for at in range(60)]
    found = texture_search(
        noise[:20], np.zeros(20), noise[20:40], np.full(20, 9.0), [noise[40 + at : 41 + at] for at in range(20)],
        apart_s=1.0,
    )  # fmt: skip
    assert 0.3 < nearer(found) < 0.7


def row_of(name: str, value: float, high: float | None, scope: str = "video 1") -> Measurement:
    known = (None, "9 people") if high is None else (Interval(low=0.1, high=high, clusters=12, unit="people"), "")
    return measured(f"attack.{name}.auc", "swapped", scope, value, sample_size=60, interval=known)


def test_the_attack_that_may_reach_highest_counts_and_none_that_should_have_run_is_passed_over() -> None:
    """A middling attack whose interval is wide may be the best one; one without an interval takes the interval away."""
    rows = [row_of("descriptor", 0.72, 0.78), row_of("texture", 0.71, 0.93), row_of("templates", 0.6, 0.7)]
    model = not_measured("attack.model.auc", "swapped", "video 1", NOT_NAMED)
    [worst] = strongest([*rows, model])
    assert worst.value == 0.71 and worst.interval is not None and worst.interval.high == 0.93
    rule = make_rule("attack.strongest.auc", "at_most", 0.8, bound="upper95")
    assert judge([worst], make_policy([rule])).outcome is Outcome.FAILED
    [open_ended] = strongest([rows[0], row_of("texture", 0.5, None), rows[2], model])
    assert open_ended.interval is None
    assert judge([open_ended], make_policy([rule])).outcome is Outcome.INDETERMINATE
    broken = not_measured("attack.model.auc", "swapped", "video 1", "too few faces that this recogniser could describe")
    [unknown] = strongest([*rows, broken])
    assert unknown.value is None and "attack.model.auc: too few faces" in (unknown.not_measured_because or "")


def test_an_attack_that_does_not_find_the_unprotected_face_is_no_test() -> None:
    own, donor, strangers = person(1, N), person(2, N), crowd(12)
    plain = sample()
    lost = {**plain.described, "reencoded": person(77, 12)}
    blind = SampledFaces(times_s=plain.times_s, described=lost, inside=plain.inside)
    found = measure_attacks([video(donor, own)], [blind], donor, strangers)
    rows = rows_by_name(found)
    for name in ("descriptor", "templates"):
        assert (rows[f"attack.{name}.auc"].not_measured_because or "").startswith(NO_TEST)
    assert rows["attack.texture.auc"].value is not None  # its own control holds
    only = rows_by_name(strongest([row for row in found if row.metric != "attack.texture.auc"]))
    assert only["attack.strongest.auc"].value is None


def test_a_video_without_a_sampled_frame_does_not_stop_the_others() -> None:
    own, donor, strangers = person(1, N), person(2, N), crowd(12)
    rows = tuple(person(700 + at, 2) for at in range(12))
    named = Strangers(
        rows=strangers.rows, inside=strangers.inside, sources=strangers.sources, attacker=rows,
        not_swapped_because="nobody is swapped here",
    )  # fmt: skip
    found = measure_attacks(
        [video(donor, own), video(donor, own)], [sample(), SampledFaces()], donor, named, attacker="arcface"
    )
    assert rows_by_name(found, "video 2")["attack.model.auc"].value is None


# -- the controls ---------------------------------------------------------------------------------------------------


def test_a_person_whom_the_recogniser_cannot_see_makes_the_verdict_indeterminate() -> None:
    """Originals as far from one another as strangers: whatever the release looks like, nothing is shown by it."""
    rule = make_rule("control.same_person", "at_least", 0.95, of="original", if_missed="indeterminate")
    seen = measure_controls([video(person(2, N), person(1, N))], [sample()])
    scattered = np.concatenate([person(seed) for seed in range(200, 200 + N)])
    unseen = measure_controls([video(person(2, N), scattered)], [sample()])
    assert rows_by_name(seen)["control.same_person"].value == 1
    assert judge(seen, make_policy([rule])).outcome is Outcome.PASSED
    assert judge(unseen, make_policy([rule])).outcome is Outcome.INDETERMINATE


def test_a_recogniser_that_knows_clips_and_not_people_does_not_pass_its_control() -> None:
    """Two videos of one subject, each alike within itself and unlike the other: by itself each would find its own."""
    rows = measure_controls([video(person(2, N), person(61, N)), video(person(2, N), person(62, N))], [sample()] * 2)
    assert {row.value for row in rows if row.metric == "control.same_person"} == {0.0}
    [alone] = [
        row
        for row in measure_controls([video(person(2, N), person(61, N))], [sample()])
        if row.metric == "control.same_person"
    ]
    assert alone.value == 1.0 and "one video, so within it" in alone.method


def test_lesser_edits_stand_in_the_same_table_and_the_null_edit_is_recognised() -> None:
    found = measure_controls([video(person(2, N), person(1, N))], [sample()])
    mean = {row.of: row for row in found if row.metric == "identity.to_original.mean" and row.scope == "video 1"}
    described = sample().described
    expected = np.linalg.norm(described["blurred"] - described["original"], axis=1).mean()
    assert mean["blurred"].value == pytest.approx(expected)
    assert mean["reencoded"].detail["share_below"] == 1 and mean["blurred"].detail["share_below"] == 0
    assert mean["pixelated"].value is None and mean["pixelated"].not_measured_because is not None
