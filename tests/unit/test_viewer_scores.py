"""What viewers' answers come to: by hand, and by scipy's exact interval; results that were changed or are of others."""

from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

from deid_audit.errors import SettingsError
from deid_audit.findings import Outcome, Rule
from deid_audit.measure.recognition import found_first, mean_rank
from deid_audit.pipeline.viewer_scores import NOT_DONE, group_scores, read_result, score, viewer_rows
from deid_audit.policy import judge
from deid_audit.viewers.outcome import Estimate, Result
from deid_audit.viewers.storing import encoded, load, save
from tests.fakes import make_policy
from tests.unit.viewer_cases import make_plan, plan_sha256, sitting, sittings


def made(*, control: bool = False, **ranks: int) -> Result:
    """A result of viewers who rank the subject as said; a name with an f knows the subject."""
    plan = make_plan(control=control)
    several = [
        sitting(plan, name, ranks=[rank], group="familiar" if name.startswith("f") else "unfamiliar")
        for name, rank in ranks.items()
    ]
    return score(plan, plan_sha256(plan), sittings(plan, *several))


@pytest.mark.parametrize(("hits", "count"), [(0, 12), (1, 12), (5, 20), (20, 20)])
def test_with_one_line_up_a_viewer_the_interval_is_scipys_exact_one(hits: int, count: int) -> None:
    value, (interval, because) = found_first([(1,)] * hits + [(3,)] * (count - hits))
    exact = binomtest(hits, count).proportion_ci(confidence_level=0.90, method="exact")
    assert value == hits / count and interval is not None and because == ""
    assert interval.low == pytest.approx(exact.low, abs=1e-9) and interval.high == pytest.approx(exact.high, abs=1e-9)
    assert (interval.clusters, interval.unit) == (count, "viewers")


def test_several_line_ups_of_a_viewer_do_not_narrow_the_interval() -> None:
    one, several = found_first([(1,)] * 3 + [(2,)] * 9), found_first([(1, 1, 1, 1)] * 3 + [(2, 2, 2, 2)] * 9)
    assert one == several
    as_if_all_were_viewers = binomtest(12, 48).proportion_ci(confidence_level=0.90, method="exact")
    interval = several[1][0]
    assert interval is not None and interval.high > as_if_all_were_viewers.high
    half = found_first([(1, 2)] * 12)
    assert half[0] == 0.5 and half[1][0] == found_first([(1,)] * 6 + [(2,)] * 6)[1][0]


def test_ranks_by_hand() -> None:
    result = made(a=1, b=3, c=6, d=2, f1=1, f2=1)
    unfamiliar, familiar = result.groups
    assert unfamiliar.group == "unfamiliar" and (unfamiliar.viewers, unfamiliar.line_ups) == (4, 4)
    assert unfamiliar.found_first is not None and unfamiliar.found_first.value == 0.25
    assert unfamiliar.found_first.by_chance == pytest.approx(1 / 6)
    assert unfamiliar.mean_rank is not None and unfamiliar.mean_rank.value == 3.0  # (1 + 3 + 6 + 2) / 4
    assert unfamiliar.mean_rank.by_chance == 3.5
    assert (unfamiliar.picked, unfamiliar.false_alarms) == (1, 0)
    assert familiar.found_first is not None and familiar.found_first.value == 1.0, "the groups are never added up"
    assert familiar.found_first.no_interval_because == "2 viewers; an interval needs at least 10 clusters"
    value, (interval, _) = mean_rank([(1,), (6,)] * 10)
    assert value == 3.5 and interval is not None and interval.low < 3.0 and interval.high > 4.0


def test_the_first_rank_counts_even_where_the_viewer_says_that_nobody_is_there() -> None:
    plan = make_plan()
    one = sitting(plan, "V1", ranks=[1])
    unsure = tuple(answer.model_copy(update={"among_them": False}) for answer in one.answers)
    result = score(plan, plan_sha256(plan), sittings(plan, one.model_copy(update={"answers": unsure})))
    assert result.groups[0].found_first is not None and result.groups[0].found_first.value == 1.0
    assert result.groups[0].picked == 0


def test_who_did_not_finish_does_not_count_and_is_said() -> None:
    plan = make_plan()
    whole, left = sitting(plan, "V1", ranks=[4]), sitting(plan, "V2", ranks=[1])
    left = left.model_copy(update={"answers": left.answers[:1]})
    result = score(plan, plan_sha256(plan), sittings(plan, whole, left))
    assert result.unfinished == 1 and len(result.viewers) == 1
    with pytest.raises(SettingsError, match="no viewer has answered every line-up"):
        score(plan, plan_sha256(plan), sittings(plan, left))


def test_answers_to_another_test_are_not_scored() -> None:
    plan, other = make_plan(), make_plan(seed=1)
    with pytest.raises(SettingsError, match="given to another test"):
        score(other, plan_sha256(other), sittings(plan, sitting(plan, "V1", ranks=[1])))


def test_neither_codes_nor_the_pictures_digests_stand_in_a_result() -> None:
    text = encoded(made(**{"secretcode": 2})).decode()
    assert "secretcode" not in text and not any(picture in text for picture in make_plan().pictures)


# -- the result as a file --------------------------------------------------------------------------------------------


def test_a_result_is_taken_for_its_files_alone(tmp_path: Path) -> None:
    result, path = made(a=2, b=1), tmp_path / "result.json"
    sha256 = save(path, result, "the result")
    assert read_result(path, result.released_sha256) == (result, sha256)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="made with other files") as refused:
        read_result(path, ["cd" * 32])
    assert refused.value.exit_code == 2 and refused.value.next_step


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"viewers": 40}, "not what its rows come to"),
        ({"found_first": Estimate(value=0.0, by_chance=1 / 6, interval=None, no_interval_because="x")}, "rows"),
        ({"false_alarms": 1}, "not what its rows come to"),
    ],
)
def test_a_result_whose_rates_were_changed_is_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    result, path = made(a=1, b=1), tmp_path / "result.json"
    groups = (result.groups[0].model_copy(update=changes), result.groups[1])
    path.write_bytes(encoded(result.model_copy(update={"groups": groups})))
    with pytest.raises(SettingsError, match=words):
        read_result(path, result.released_sha256)


@pytest.mark.parametrize(
    "change", [{"ranks": [7]}, {"ranks": [1, 1]}, {"picked": 2}, {"false_alarms": 2}, {"control_rank": 1}]
)
def test_a_result_whose_rows_cannot_be_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    table = made(a=1).model_dump(mode="json")
    table["viewers"][0] |= change
    path = tmp_path / "result.json"
    path.write_bytes(encoded(_Loose(table)))  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="the result"):
        load(path, Result, "the result")


class _Loose:
    """Writes a table as a record is written, whatever it says."""

    def __init__(self, table: dict[str, Any]) -> None:
        self._table = table

    def model_dump_json(self) -> str:
        import json  # noqa: PLC0415

        return json.dumps(self._table)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b'{"version": "viewer-result/v2"}', b"\xff"])
def test_what_is_no_result_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_bytes(data)
    with pytest.raises(SettingsError):
        load(path, Result, "the result")
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path / "missing", Result, "the result")


# -- rows of a statement ---------------------------------------------------------------------------------------------


def test_without_a_test_every_row_says_so() -> None:
    rows = viewer_rows(None)
    assert len(rows) == 7 and all(row.value is None and row.not_measured_because == NOT_DONE for row in rows)
    assert {row.metric for row in rows} == {row.metric for row in viewer_rows(made(a=1, f=2))}


def test_rows_of_a_test() -> None:
    rows = {row.metric: row for row in viewer_rows(made(control=True, **{f"v{n}": 1 + n % 6 for n in range(12)}))}
    found = rows["viewers.unfamiliar_rank1"]
    assert found.value == pytest.approx(1 / 6) and found.sample_size == 12 and found.interval is not None
    assert found.detail == {
        "by_chance": pytest.approx(1 / 6), "pictures": 6.0, "line_ups": 12.0, "picked": 2.0, "false_alarms": 0.0,
    }  # fmt: skip
    assert rows["viewers.unfamiliar_mean_rank"].value == 3.5
    assert rows["viewers.familiar_count"].value == 0 and rows["viewers.familiar_rank1"].value is None
    assert rows["viewers.control_rank1"].value == 1.0 and rows["viewers.control_rank1"].of == "original"
    without = {row.metric: row for row in viewer_rows(made(a=1))}["viewers.control_rank1"]
    assert without.value is None and "no control" in str(without.not_measured_because)


def _rule(limit: float, **more: Any) -> Rule:
    return Rule(
        metric="viewers.unfamiliar_rank1", of="swapped", op="at_most", limit=limit, bound="upper95",
        why="tests", source="tests", **more,
    )  # fmt: skip


def test_a_policy_can_gate_it() -> None:
    def outcome(result: Result | None, rule: Rule) -> Outcome:
        return judge(viewer_rows(result), make_policy([rule])).findings[0].outcome

    nobody_found = made(**{f"v{n}": 3 for n in range(20)})
    all_found = made(**{f"v{n}": 1 for n in range(20)})
    assert outcome(nobody_found, _rule(0.2)) is Outcome.PASSED  # 1 - 0.05 ** (1 / 20) = 0.139
    assert outcome(nobody_found, _rule(0.13)) is Outcome.FAILED
    assert outcome(all_found, _rule(0.2)) is Outcome.FAILED
    assert outcome(None, _rule(0.2)) is Outcome.INDETERMINATE
    assert outcome(made(a=3, b=4), _rule(0.2)) is Outcome.INDETERMINATE, "two viewers have no interval"
    assert outcome(nobody_found, _rule(0.2, min_sample_size=30)) is Outcome.INDETERMINATE


def test_a_group_without_viewers_has_no_rate() -> None:
    groups = group_scores((), 6)
    assert [one.found_first for one in groups] == [None, None] and groups[0].control_found is None
