"""Cohen's kappa by hand and against scikit-learn's, and what counts as one category."""

import warnings
from random import Random

import pytest
from sklearn.metrics import cohen_kappa_score

from deid_audit.ledger import State
from deid_audit.review.agreement import CATEGORIES, agreement, category, cohens_kappa
from deid_audit.review.queue import Item, queue
from tests.unit.readings import decided, ledger, reading, region


def test_the_case_of_cohens_kind_computed_by_hand() -> None:
    # 20 both nothing, 5 nothing/conceal, 10 conceal/nothing, 15 both: po 0.7, pe 0.5 x 0.6 + 0.5 x 0.4 = 0.5
    pairs = [("n", "n")] * 20 + [("n", "c")] * 5 + [("c", "n")] * 10 + [("c", "c")] * 15
    kappa, because = cohens_kappa(pairs)
    assert kappa == pytest.approx(0.4) and not because


@pytest.mark.parametrize("seed", range(5))
def test_it_agrees_with_scikit_learn(seed: int) -> None:
    dice = Random(seed)
    pairs = [(dice.choice(CATEGORIES), dice.choice(CATEGORIES[: seed + 1])) for _ in range(60)]
    kappa, _ = cohens_kappa(pairs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert kappa == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))


def test_where_it_is_not_defined_it_says_why() -> None:
    assert cohens_kappa([]) == (None, "there is nothing that both could decide about")
    kappa, because = cohens_kappa([("nothing", "nothing")] * 9)
    assert kappa is None and "both said the same (nothing) of every stretch" in because


def items() -> tuple[Item, ...]:
    return queue([ledger([region()], [region(State.CONCEALED, "turned")], [region(), region(track_id=4)])])


def test_a_stretch_has_the_strictest_of_what_was_decided_about_any_part_of_it() -> None:
    [face] = [one for one in items() if one.track == 0 and one.first_frame == 0]
    both = reading(decided("clear", 0, 9), decided("conceal", 0, track=0)).decisions
    assert category(face, both) == "conceal"
    assert category(face, reading(decided("conceal", 0, track=4), decided("reswap", 1)).decisions) == "nothing"
    assert category(face, reading(decided("conceal", 0, box_xyxy=(200.0, 0.0, 240.0, 40.0))).decisions) == "nothing"
    assert category(face, reading(decided("conceal", 0, box_xyxy=(12.0, 12.0, 48.0, 58.0))).decisions) == "conceal"
    assert category(face, reading(decided("conceal", 0, video=2)).decisions) == "nothing"


def test_what_two_readings_say_of_the_same_stretches() -> None:
    first = reading(decided("conceal", 2, track=4), decided("clear", 0)).decisions
    second = reading(decided("wrong_person", 2, track=4), decided("clear", 0), reviewer="CD", role="second").decisions
    found = agreement(items(), first, second)
    assert found.items == 4 and [(one.first_frame, one.track) for one in found.differing] == [(2, 4)]
    # po 3/4; pe: nothing 2/4 x 2/4 + clear 1/4 x 1/4 = 5/16
    assert found.kappa == pytest.approx((3 / 4 - 5 / 16) / (1 - 5 / 16))
