"""`deid-audit viewer-test`: whether people find the subject in line-ups beside the released videos."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Json, print_json
from deid_audit.cli.pages import announce
from deid_audit.viewers.plan import LARGEST, SMALLEST

if TYPE_CHECKING:
    from deid_audit.viewers.outcome import Estimate, Result
    from deid_audit.viewers.plan import Plan
    from deid_audit.viewers.sittings import Sittings

PREPARE_SCHEMA = "deid-audit/viewer-test-prepare/v1"
RUN_SCHEMA = "deid-audit/viewer-test-run/v1"
SCORE_SCHEMA = "deid-audit/viewer-test-score/v1"
app = typer.Typer(
    name="viewer-test",
    help="Let people try to find the subject: released videos beside line-ups of pictures. See docs/viewer_test.md.",
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Argument(metavar="OUT", readable=False, help="The folder that a job left, PASSED.")]
Test = Annotated[Path, typer.Argument(metavar="TEST", readable=False, help="What `viewer-test prepare` wrote.")]
ControlClip = Annotated[
    Path | None,
    typer.Option(
        "--control-clip",
        metavar="VIDEO",
        readable=False,
        help="A clip in which nothing is hidden, of somebody who agreed: never of the subject. Shows that viewers try.",
    ),
]


@app.command("prepare")
def prepare_command(
    out: Out,
    portrait: Annotated[
        Path,
        typer.Option(
            "--portrait", metavar="PICTURE", readable=False, help="An original picture of the subject's face."
        ),
    ],
    foils: Annotated[
        Path,
        typer.Option(
            "--foils",
            metavar="DIR",
            readable=False,
            help="Pictures of other people who fit the subject's description, a file each, cut as the portrait is.",
        ),
    ],
    to: Annotated[Path, typer.Option("--to", metavar="TEST", readable=False, help="The test; must not exist.")],
    control_clip: ControlClip = None,
    control_portrait: Annotated[
        Path | None,
        typer.Option("--control-portrait", metavar="PICTURE", readable=False, help="A picture of who is in that clip."),
    ] = None,
    size: Annotated[
        int, typer.Option("--size", min=SMALLEST, max=LARGEST, help="Pictures in a line-up; 2 SIZE - 1 foils needed.")
    ] = 6,
    seed: Annotated[
        int | None,
        typer.Option("--seed", min=0, max=2**53 - 1, help="Seed of all places and orders; random when left out."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the line-ups: for each released video one with the subject's picture, one without.

    Pictures are not copied; the test names them by keyed digests. It holds the solution: keep it from viewers. Exit
    status 0 when it was written.
    """
    from deid_audit.errors import SettingsError  # noqa: PLC0415
    from deid_audit.pipeline.viewer_tests import pictures_in, prepare  # noqa: PLC0415  (heavy)

    if (control_clip is None) != (control_portrait is None):
        raise SettingsError("--control-clip and --control-portrait belong together", next_step="give both, or neither")
    if to.exists():
        raise SettingsError("--to: there is a file already", next_step="choose another name, or remove it yourself")
    plan = prepare(
        out, portrait=portrait, foils=pictures_in([foils]), size=size, to=to,
        control=None if control_clip is None or control_portrait is None else (control_clip, control_portrait),
        seed=secrets.randbelow(2**31) if seed is None else seed,
    )  # fmt: skip
    if as_json:
        print_json(prepare_document(plan))
        return
    typer.echo(f"case      {plan.case_id}, {len(plan.released_sha256)} released videos")
    typer.echo(f"line-ups  {len(plan.line_ups)} of {plan.size} pictures each, seed {plan.seed}")
    typer.echo(f"control   {'none: whether viewers try will not be known' if plan.control is None else 'one line-up'}")
    typer.echo("The test holds the solution, and viewers will be shown the subject's picture: sensitive.", err=True)


@app.command("run")
def run_command(
    test: Test,
    out: Out,
    pictures: Annotated[
        list[Path],
        typer.Option(
            "--pictures", metavar="DIR|FILE", readable=False, help="All pictures given to prepare; may be repeated."
        ),
    ],
    answers: Annotated[
        Path,
        typer.Option(
            "--answers", metavar="FILE", readable=False, help="Where answers are kept; goes on with what is there."
        ),
    ],
    control_clip: ControlClip = None,
    as_json: Json = False,
) -> None:
    """Show the test on a page of this machine, to one viewer after the other, and keep every answer.

    Prints the page's address, which works once and from this machine only. Ends with the page's button, or Ctrl-C;
    then the exit status is 0, or 130.
    """
    import threading  # noqa: PLC0415
    import time  # noqa: PLC0415
    from datetime import UTC, datetime  # noqa: PLC0415

    from deid_audit.pipeline.staging import interruptible  # noqa: PLC0415  (heavy)
    from deid_audit.pipeline.viewer_tests import open_test, pictures_in  # noqa: PLC0415
    from deid_audit.web.serving import serve  # noqa: PLC0415
    from deid_audit.web.viewer_pages import ViewerPages  # noqa: PLC0415

    showing = open_test(test, out, pictures=pictures_in(pictures), control_clip=control_clip, answers=answers)
    finished = threading.Event()
    pages = ViewerPages(showing, finished=finished, now=lambda: datetime.now(UTC), seconds=time.monotonic)
    with interruptible("all answers so far are kept"):
        serve(pages.app(), finished=finished, announce=announce)
    told = run_document(showing.plan, pages.sittings)
    if as_json:
        print_json(told)
    else:
        typer.echo(f"viewers  {told['finished']} answered everything, {told['unfinished']} did not yet")


@app.command("score")
def score_command(
    test: Test,
    answers: Annotated[Path, typer.Argument(metavar="ANSWERS", readable=False, help="What `viewer-test run` kept.")],
    to: Annotated[Path, typer.Option("--to", metavar="RESULT", readable=False, help="The result; replaced if there.")],
    as_json: Json = False,
) -> None:
    """Write how often the subject was found, by viewers who know them and who do not, with intervals.

    The result has no codes and no pictures. Give it to `deid-audit audit --viewer-test`, whose certificate then holds
    it. Exit status 0 when it was written, whatever it says.
    """
    from deid_audit.pipeline.viewer_scores import score  # noqa: PLC0415  (heavy)
    from deid_audit.viewers.plan import Plan  # noqa: PLC0415
    from deid_audit.viewers.sittings import Sittings  # noqa: PLC0415
    from deid_audit.viewers.storing import load, save  # noqa: PLC0415

    plan, plan_sha256 = load(test, Plan, "the test")
    result = score(plan, plan_sha256, load(answers, Sittings, "the answers")[0])
    sha256 = save(to, result, "the result")
    if as_json:
        print_json(score_document(result, sha256))
        return
    for line in score_lines(result):
        typer.echo(line)
    typer.echo(f"result       sha256 {sha256}")
    typer.echo(
        "The test and the answers are needed no more once the result stands: remove them. Pictures were never copied.",
        err=True,
    )


def score_lines(result: "Result") -> list[str]:
    """The result in plain lines."""
    lines = []
    for group in result.groups:
        if group.found_first is None or group.mean_rank is None:
            lines.append(f"{group.group:<12} nobody answered everything")
            continue
        lines.append(f"{group.group:<12} {group.viewers} viewers, {group.line_ups} line-ups with the subject")
        lines.append(f"  found first  {_in_words(group.found_first)}")
        lines.append(f"  mean rank    {_in_words(group.mean_rank)} of {result.size}")
        lines.append(f"  said to be there and right {group.picked}, somebody else's line-up {group.false_alarms}")
        if group.control_found is not None:
            lines.append(f"  control      found by {group.control_found} of {group.viewers}")
    if not result.control:
        lines.append("control      none: whether these viewers try is not known")
    if result.unfinished:
        lines.append(f"unfinished   {result.unfinished} viewers, who do not count")
    return lines


def _in_words(estimate: "Estimate") -> str:
    interval = estimate.interval
    sure = f"no interval: {estimate.no_interval_because}"
    if interval is not None:
        sure = f"95 % interval {interval.low:.3f} to {interval.high:.3f}, {interval.clusters} {interval.unit}"
    return f"{estimate.value:.3f} (by chance {estimate.by_chance:.3f}; {sure})"


def prepare_document(plan: "Plan") -> dict[str, Any]:
    """What `viewer-test prepare --json` prints: nothing of the solution."""
    return {
        "schema": PREPARE_SCHEMA,
        "case_id": plan.case_id,
        "statement_sha256": plan.statement_sha256,
        "released_sha256": list(plan.released_sha256),
        "line_ups": len(plan.line_ups),
        "size": plan.size,
        "control": plan.control is not None,
        "seed": plan.seed,
    }


def run_document(plan: "Plan", sittings: "Sittings") -> dict[str, Any]:
    """What `viewer-test run --json` prints at the end: counts, and no answer."""
    finished = sum(len(one.answers) == len(plan.line_ups) for one in sittings.sittings)
    return {
        "schema": RUN_SCHEMA,
        "case_id": plan.case_id,
        "statement_sha256": plan.statement_sha256,
        "test_sha256": sittings.plan_sha256,
        "finished": finished,
        "unfinished": len(sittings.sittings) - finished,
    }


def score_document(result: "Result", sha256: str) -> dict[str, Any]:
    """What `viewer-test score --json` prints."""
    return {
        "schema": SCORE_SCHEMA,
        "case_id": result.case_id,
        "statement_sha256": result.statement_sha256,
        "released_sha256": list(result.released_sha256),
        "result_sha256": sha256,
        "size": result.size,
        "control": result.control,
        "unfinished": result.unfinished,
        "groups": [group.model_dump(mode="json") for group in result.groups],
    }
