"""From viewers' answers to a result, and from a result to the rows of a statement: each time computed from the answers.

A result is a file that somebody can write by hand: its rates are computed again from its rows before they count, and it
counts only for the very files that the viewers saw.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, median

from deid_audit.errors import SettingsError
from deid_audit.findings import SUBJECT_SCOPE, Measurement, measured, not_measured
from deid_audit.measure.recognition import Estimated, found_first, mean_rank
from deid_audit.pipeline.concluding import StageRow, StageSettings
from deid_audit.viewers import METHOD_TEXT
from deid_audit.viewers.outcome import Estimate, GroupScore, Result, ViewerRow
from deid_audit.viewers.plan import Plan
from deid_audit.viewers.sittings import GROUPS, Group, Sitting, Sittings, fault_of
from deid_audit.viewers.storing import load

NOT_DONE = "not done: nobody was shown these files in a viewer test"
_NEXT = "score the answers again: deid-audit viewer-test score"


def score(plan: Plan, plan_sha256: str, sittings: Sittings) -> Result:
    """The result of all viewers who answered everything.

    Raises:
        SettingsError: the answers are to another plan, or nobody answered everything.
    """
    fault = "they were given to another test" if sittings.plan_sha256 != plan_sha256 else fault_of(sittings, plan)
    if fault:
        raise SettingsError(f"the answers cannot be scored: {fault}", next_step="give a test and its own answers")
    whole = [one for one in sittings.sittings if len(one.answers) == len(plan.line_ups)]
    if not whole:
        raise SettingsError(
            "no viewer has answered every line-up yet", next_step="go on with: deid-audit viewer-test run"
        )
    rows = tuple(_row(one, plan) for one in whole)
    days = sorted(one.started_at[:10] for one in whole)
    return Result(
        case_id=plan.case_id,
        statement_sha256=plan.statement_sha256,
        released_sha256=plan.released_sha256,
        plan_sha256=plan_sha256,
        size=plan.size,
        control=plan.control is not None,
        first_day=days[0],
        last_day=days[-1],
        unfinished=len(sittings.sittings) - len(whole),
        viewers=rows,
        groups=group_scores(rows, plan.size),
    )


def _row(sitting: Sitting, plan: Plan) -> ViewerRow:
    answers = {one.line_up: one for one in sitting.answers}
    shown = {kind: [one for one in plan.line_ups if one.kind == kind] for kind in ("present", "absent", "control")}
    rank = {
        one.number: answers[one.number].ranking.index(one.target) + 1 for one in plan.line_ups if one.target is not None
    }
    return ViewerRow(
        group=sitting.group,
        ranks=tuple(rank[one.number] for one in shown["present"]),
        picked=sum(rank[one.number] == 1 and answers[one.number].among_them for one in shown["present"]),
        false_alarms=sum(answers[one.number].among_them for one in shown["absent"]),
        control_rank=rank[shown["control"][0].number] if shown["control"] else None,
        confidence=fmean(one.confidence for one in sitting.answers),
        seconds=median(one.seconds for one in sitting.answers),
    )


def group_scores(rows: Sequence[ViewerRow], size: int) -> tuple[GroupScore, ...]:
    """Each group's rates from its viewers' rows, beside what guessing among `size` pictures gives."""
    return tuple(_group_score(group, [row for row in rows if row.group == group], size) for group in GROUPS)


def _group_score(group: Group, rows: Sequence[ViewerRow], size: int) -> GroupScore:
    ranks = [row.ranks for row in rows]
    controls = [row.control_rank for row in rows if row.control_rank is not None]
    return GroupScore(
        group=group,
        viewers=len(rows),
        line_ups=sum(len(one) for one in ranks),
        found_first=_estimate(found_first(ranks), 1 / size) if rows else None,
        mean_rank=_estimate(mean_rank(ranks), (size + 1) / 2) if rows else None,
        picked=sum(row.picked for row in rows),
        false_alarms=sum(row.false_alarms for row in rows),
        control_found=sum(rank == 1 for rank in controls) if controls else None,
    )


def _estimate(estimated: Estimated, by_chance: float) -> Estimate:
    value, (interval, because) = estimated
    return Estimate(value=value, by_chance=by_chance, interval=interval, no_interval_because=because)


def read_result(path: Path, released_sha256: Sequence[str]) -> tuple[Result, str]:
    """A result file, which is about these released videos in this order, and its SHA-256.

    Raises:
        SettingsError: it cannot be read, its rates are not what its rows come to, or it is about other files.
    """
    result, sha256 = load(path, Result, "the viewer test's result")
    if not _same(result.groups, group_scores(result.viewers, result.size)):
        raise SettingsError("the viewer test's result: its rates are not what its rows come to", next_step=_NEXT)
    if result.released_sha256 != tuple(released_sha256):
        raise SettingsError(
            "the viewer test was made with other files than the --released ones",
            next_step="give the released videos that the viewers saw, in the order of their names",
        )
    return result, sha256


def _same(claimed: Sequence[GroupScore], computed: Sequence[GroupScore]) -> bool:
    """Equal but for the last digits of an interval's ends, which another version of a library may give otherwise."""
    return all(_alike(one.model_dump(), two.model_dump()) for one, two in zip(claimed, computed, strict=True))


def _alike(one: object, two: object) -> bool:
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(_alike(one[key], two[key]) for key in one)
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=1e-6, abs_tol=1e-9)
    return one == two


def viewer_rows(result: Result | None) -> list[Measurement]:
    """The rows of a statement; without a result each says that the test was not done."""
    if result is None:
        names = [f"viewers.{group}_{what}" for group in GROUPS for what in ("count", "rank1", "mean_rank")]
        rows = [not_measured(name, "swapped", SUBJECT_SCOPE, NOT_DONE) for name in names]
        return [*rows, not_measured("viewers.control_rank1", "original", "run", NOT_DONE)]
    return [row for one in result.groups for row in _rows_of(one, result)] + [_control_row(result)]


def viewer_stage(tested: tuple[Result, str] | None) -> list[StageRow]:
    """The test as a stage of the statement, which names its result by SHA-256; nothing where none was made."""
    if tested is None:
        return []
    result, sha256 = tested
    settings: StageSettings = {
        "result_sha256": sha256, "test_sha256": result.plan_sha256, "tested_statement_sha256": result.statement_sha256,
        "first_day": result.first_day, "last_day": result.last_day, "unfinished_viewers": result.unfinished,
    }  # fmt: skip
    return [("recognition by people", METHOD_TEXT, 0.0, settings)]


def _rows_of(score: GroupScore, result: Result) -> list[Measurement]:
    rows = [
        measured(
            f"viewers.{score.group}_count", "swapped", SUBJECT_SCOPE, score.viewers,
            sample_size=score.viewers, method=METHOD_TEXT,
        )
    ]  # fmt: skip
    detail = {
        "pictures": float(result.size), "line_ups": float(score.line_ups),
        "picked": float(score.picked), "false_alarms": float(score.false_alarms),
    }  # fmt: skip
    for name, estimate in (("rank1", score.found_first), ("mean_rank", score.mean_rank)):
        metric = f"viewers.{score.group}_{name}"
        if estimate is None:
            rows.append(not_measured(metric, "swapped", SUBJECT_SCOPE, f"no {score.group} viewer answered everything"))
            continue
        rows.append(
            measured(
                metric, "swapped", SUBJECT_SCOPE, estimate.value, sample_size=score.viewers, method=METHOD_TEXT,
                interval=(estimate.interval, estimate.no_interval_because),
                detail=detail | {"by_chance": estimate.by_chance},
            )
        )  # fmt: skip
    return rows


def _control_row(result: Result) -> Measurement:
    metric, ranks = "viewers.control_rank1", [(row.control_rank,) for row in result.viewers if row.control_rank]
    if not ranks:
        return not_measured(metric, "original", "run", "the test had no control: whether its viewers try is not known")
    value, interval = found_first(ranks)
    return measured(
        metric, "original", "run", value, sample_size=len(ranks), method=METHOD_TEXT, interval=interval,
        detail={"by_chance": 1 / result.size},
    )  # fmt: skip
