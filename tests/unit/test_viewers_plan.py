"""Line-ups: every person equally often, the subject anywhere, seeded; and plans or answers that do not add up."""

from collections import Counter

import pytest
from pydantic import ValidationError

from deid_audit.errors import SettingsError
from deid_audit.viewers.plan import Plan, draw_line_ups, foils_needed
from deid_audit.viewers.sittings import Answer, Sitting, Sittings, fault_of
from tests.unit.viewer_cases import CONTROL, FOILS, PORTRAIT, answer, make_plan, sitting, sittings


@pytest.mark.parametrize("seed", range(5))
def test_a_pair_shows_the_subject_and_every_other_person_once(seed: int) -> None:
    plan = make_plan(videos=3, seed=seed)
    assert len(plan.line_ups) == 6
    for video in (1, 2, 3):
        pair = [one for one in plan.line_ups if one.video == video]
        assert sorted(one.kind for one in pair) == ["absent", "present"]
        assert set(Counter(picture for one in pair for picture in one.pictures).values()) == {1}
    counts = Counter(picture for one in plan.line_ups for picture in one.pictures)
    assert len(counts) == 12 and set(counts.values()) == {3}, "nobody stands out by being shown more often"


def test_the_control_has_people_of_its_own() -> None:
    plan = make_plan(control=True)
    control = next(one for one in plan.line_ups if one.kind == "control")
    others = {picture for one in plan.line_ups if one.kind != "control" for picture in one.pictures}
    assert control.target is not None and control.pictures[control.target - 1] == CONTROL.picture
    assert not others & set(control.pictures)


def test_the_subject_stands_anywhere_and_the_seed_says_where() -> None:
    def places(seed: int) -> list[int | None]:
        return [one.target for one in make_plan(videos=2, seed=seed).line_ups]

    assert places(7) == places(7)
    seen = Counter(place for seed in range(300) for place in places(seed))
    assert set(seen) == {None, 1, 2, 3, 4, 5, 6} and seen[None] == 600
    assert all(60 <= seen[place] <= 140 for place in range(1, 7)), "100 each, by chance"  # 4.4 standard deviations


def test_viewers_see_the_line_ups_in_orders_of_their_own() -> None:
    plan = make_plan(videos=3)
    orders = {plan.order_for(f"V{number}") for number in range(20)}
    assert len(orders) > 15 and all(sorted(order) == [1, 2, 3, 4, 5, 6] for order in orders)
    assert plan.order_for("V1") == plan.order_for("V1")


def test_too_few_foils_and_a_picture_given_twice_are_refused() -> None:
    needed = foils_needed(6, control=False)
    with pytest.raises(SettingsError, match=r"10 pictures of other people were given; line-ups of 6 need 11"):
        draw_line_ups(1, portrait=PORTRAIT, foils=FOILS[: needed - 1], control=None, size=6, seed=0)
    with pytest.raises(SettingsError, match="same picture was given twice"):
        draw_line_ups(1, portrait=PORTRAIT, foils=[*FOILS[:11], PORTRAIT], control=None, size=6, seed=0)


def _broken(plan: Plan, **changes: object) -> dict[str, object]:
    first = plan.line_ups[0].model_dump() | changes
    return plan.model_dump() | {"line_ups": [first, *(one.model_dump() for one in plan.line_ups[1:])]}


def test_a_plan_that_does_not_add_up_is_refused() -> None:
    plan = make_plan()
    other = 1 if plan.line_ups[0].target != 1 else 2
    for changes, words in (
        ({"target": other}, "stands where they do not"),
        ({"pictures": plan.line_ups[0].pictures[:5]}, "does not show 6 pictures"),
        ({"number": 5}, "not numbered"),
        ({"kind": "absent" if plan.line_ups[0].kind == "present" else "present"}, "one line-up with the subject"),
        ({"video": 2}, "one line-up with the subject"),
    ):
        with pytest.raises(ValidationError, match=words):
            Plan.model_validate(_broken(plan, **changes))
    Plan.model_validate(_broken(plan))


def test_answers_fit_the_plan_or_are_named() -> None:
    plan = make_plan()
    good = sitting(plan, "V1", ranks=[2])
    assert fault_of(sittings(plan, good), plan) == ""
    assert fault_of(sittings(plan, good.model_copy(update={"answers": good.answers[:1]})), plan) == ""
    swapped = good.model_copy(update={"answers": good.answers[::-1]})
    assert "order" in fault_of(sittings(plan, swapped), plan)
    short = answer(plan.line_ups[plan.order_for("V1")[0] - 1], rank=1, among=True, size=6).model_copy(
        update={"ranking": (1, 2, 3)}
    )
    assert "more or fewer pictures" in fault_of(sittings(plan, good.model_copy(update={"answers": (short,)})), plan)


def test_a_ranking_names_every_picture_once_and_a_viewer_sits_once() -> None:
    with pytest.raises(ValidationError, match="every picture once"):
        Answer(line_up=1, ranking=(1, 2, 2), among_them=True, confidence=3, seconds=1.0)
    once = Sitting(viewer="V1", group="familiar", started_at="2027-01-02")
    with pytest.raises(ValidationError, match="sat twice"):
        Sittings(plan_sha256="ab" * 32, sittings=(once, once))
    for name in ("Anna Example", "", "a/b", "a" * 17):
        with pytest.raises(ValidationError):
            Sitting(viewer=name, group="familiar", started_at="2027-01-02")
