"""How a job with a verdict is performed and reported: for run, audit, demo and conceal alike.

The result on standard output, as a table or as one JSON document; progress and messages on standard error.
"""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deid_audit.answers import next_step
from deid_audit.cli.lasting import with_lists_and_time
from deid_audit.cli.options import print_json
from deid_audit.cli.profile import print_profile
from deid_audit.cli.signer import named_signer
from deid_audit.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import RenderableType

    from deid_audit.certificate.keys import Signer
    from deid_audit.certificate.media_keys import MediaSigner
    from deid_audit.findings import CaseRecord, Explanation
    from deid_audit.pipeline.concluding import CurvePoint, JobResult
    from deid_audit.progress import Progress
    from deid_audit.settings import AuditSettings, ConcealSettings, ReviewedSettings, RunSettings

_AUDIT_SCHEMA = "deid-audit/audit/v1"
SCHEMAS = {"swap": "deid-audit/run/v1"} | dict.fromkeys(("audit", "conceal", "reviewed"), _AUDIT_SCHEMA)

_TEXT_FOUND = (
    "Places that may show burned-in text, such as a name or a date: {count} found, {covered} covered, {left} left."
)
_TEXT_LEFT = " The certificate says where and when. Look at those left; if they are text that identifies, {step}."


def perform(job: "Callable[..., JobResult]", settings: "RunSettings | AuditSettings", *, as_json: bool) -> int:
    """Does the job, prints the result, gives the exit status 0 (released) or 3 (withheld)."""
    from dataclasses import replace  # noqa: PLC0415

    from deid_audit.pipeline.delivering import delivered  # noqa: PLC0415  (heavy)

    signer = load_signer_of(settings)
    with delivered(settings.out, force=settings.force) as made_at:
        done = job(settings.model_copy(update={"out": made_at}), signer=signer, progress=progress_on_stderr())
    result = replace(done, out=settings.out)
    if as_json:
        print_json(document(result))
    else:
        print_result(result)
    if result.case.profile:
        print_profile(result.case.profile)
    return 0 if result.case.outputs_folder == "release" else 3


def load_signer_of(settings: "RunSettings | AuditSettings | ConcealSettings") -> "Signer | None":
    """The signer who was named; asks for passphrase or PIN where it is not given."""
    if settings.signer is None:
        return None
    return with_lists_and_time(
        named_signer(settings.signer, settings.passphrase_file, whose="signer"),
        crls=settings.crls,
        tsa=settings.tsa,
        tsa_passphrase_file=settings.tsa_passphrase_file,
    )


def media_signer_of(settings: "RunSettings | ConcealSettings | ReviewedSettings") -> "MediaSigner | None":
    """Who marks the videos, None where no mark was asked for; asks for the passphrase where it is not given."""
    from datetime import UTC, datetime  # noqa: PLC0415

    from deid_audit.certificate.media_keys import load_media_signer  # noqa: PLC0415
    from deid_audit.cli.passphrase import MEDIA_VARIABLE, read_passphrase  # noqa: PLC0415

    if settings.c2pa is None:
        return None
    passphrase = read_passphrase(
        settings.c2pa_passphrase_file,
        prompt="Passphrase of the media key (--c2pa)",
        variable=MEDIA_VARIABLE,
        option="--c2pa-passphrase-file",
    )
    return load_media_signer(settings.c2pa, passphrase, datetime.now(UTC))


def references_passphrase_of(settings: "RunSettings | AuditSettings") -> bytes | None:
    """What the references will be sealed under, None where none are kept; asked for before any work."""
    from deid_audit.cli.passphrase import references_passphrase  # noqa: PLC0415

    if settings.keep_references is None:
        return None
    return references_passphrase(settings.references_passphrase_file, new=True)


def progress_on_stderr() -> "Progress":
    """Moving bars on a terminal, else a line a pass; libraries' own chatter is kept off."""
    from deid_audit.progress import LineProgress, TerminalProgress  # noqa: PLC0415
    from deid_audit.vision.native_output import silence_native_stderr  # noqa: PLC0415

    silence_native_stderr()
    return TerminalProgress() if sys.stderr.isatty() else LineProgress(sys.stderr)


def shown(out: "Path") -> str:
    """A place as it was typed: a URL with all its slashes."""
    from deid_audit.video.stores import url_of  # noqa: PLC0415

    return url_of(out) or str(out)


def verify_command(result: "JobResult") -> str:
    """What to type to check the certificate; of an output at a URL, where its copy lies in the folder at hand."""
    from deid_audit.video.stores import url_of  # noqa: PLC0415

    out = result.out if url_of(result.out) is None else Path(result.out.name)
    certificate, crt = out / "certificate.pdf", out / "signer.crt"
    stamped = any("timestamps" in stage.settings for stage in result.case.stages if stage.stage == "evidence")
    clock = " --trust-tsa TSA.crt" if stamped else ""
    return f"deid-audit verify {shlex.quote(str(certificate))} --trust {shlex.quote(str(crt))}{clock}"


def document(result: "JobResult") -> dict[str, Any]:
    """The result as one JSON document."""
    case = result.case
    return {
        "schema": SCHEMAS[case.kind],
        "case_id": case.case_id,
        "verdict": case.verdict.outcome.value,
        "out": shown(result.out),
        "released": [output.name for output in case.outputs] if case.outputs_folder == "release" else [],
        "certificate_sha256": result.certificate_sha256,
        "policy": {"id": case.policy.id, "version": case.policy.version, "sha256": case.policy.sha256},
        "findings": [finding.model_dump(mode="json") for finding in case.verdict.findings],
        "answers": [
            one.model_dump(mode="json") | {"next_step": None if one.outcome is Outcome.PASSED else next_step(one)}
            for one in case.verdict.answers
        ],
        "explanations": [_explanation(one) for one in result.explanations],
        "burned_in_text": _text_document(case),
        "training": next((stage.settings for stage in case.stages if stage.stage == "swap"), {}),
        "learning_curve": [_reading(point) for point in result.learning_curve],
        "seconds": result.seconds,
        "profile": [one.model_dump(mode="json") for one in case.profile],
        "verify": verify_command(result),
    }


def _text_document(case: "CaseRecord") -> dict[str, Any]:
    """Standing lines of text by number and place; null in place of numbers where nothing was searched for."""
    searched = any(row.metric == "text.regions_left" and row.value is not None for row in case.measurements)
    covered = sum(region.covered for region in case.burned_in_text)
    return {
        "found": len(case.burned_in_text) if searched else None,
        "covered": covered if searched else None,
        "left": len(case.burned_in_text) - covered if searched else None,
        "regions": [region.model_dump(mode="json") for region in case.burned_in_text],
    }


def _reading(point: "CurvePoint") -> dict[str, Any]:
    """One reading of the probe: its values by name beside the step and whether all floors held."""
    values = {name: value for name, value in point.items() if name not in ("step", "holds")}
    return {"step": point["step"], "holds": point["holds"], "values": values}


def _explanation(one: "Explanation") -> dict[str, Any]:
    """One explanation; its rule is named as in `findings`, where its limit and reason stand too."""
    rule = one.finding.rule
    return {
        "metric": rule.metric,
        "of": rule.of,
        "op": rule.op,
        "outcome": one.finding.outcome.value,
        "reason": one.finding.reason,
        **one.model_dump(mode="json", exclude={"finding"}),
    }


def _explained(explanations: "Sequence[Explanation]") -> "RenderableType":
    """Each rule that is not met: what was found, where in the videos, what to do; a step said once is not repeated."""
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column()
    said: dict[str, str] = {}
    for one in explanations:
        rule = one.finding.rule
        fresh = [step for step in one.next_steps if step not in said]
        again = dict.fromkeys(said[step] for step in one.next_steps if step in said)
        said |= dict.fromkeys(fresh, rule.metric)
        grid.add_row(Text(one.finding.outcome.value, style="bold"), Text(f"{rule.metric} of {rule.of}", style="bold"))
        rows = [("found", text) for text in (one.finding.reason, *one.also, *one.noticed)]
        rows += [("where", one.where), *(("next", step) for step in fresh)]
        rows += [("next", f"as for {', '.join(again)}")] if again else []
        before = ""
        for label, text in rows:
            grid.add_row(f"  {label}" if label != before else "", Text(text))
            before = label
    return grid


def _text_words(case: "CaseRecord") -> str:
    """How many places were found and covered, and what to do about those that are left."""
    count, covered = len(case.burned_in_text), sum(region.covered for region in case.burned_in_text)
    words = _TEXT_FOUND.format(count=count, covered=covered, left=count - covered)
    if covered == count:
        return words
    asked = any(stage.settings.get("burned_in_text") == "cover" for stage in case.stages)
    steps = {
        "swap": "cover them with another tool first" if asked else "run again with --burned-in-text cover",
        "reviewed": "draw them in deid-audit review to have them covered",
    }
    return words + _TEXT_LEFT.format(step=steps.get(case.kind, "cover them with the tool that made the file"))


def print_result(result: "JobResult") -> None:
    """The verdict, each rule with value and limit, why rules are not met, where things are, the verify command."""
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from deid_audit.policy import OPERATOR_WORDS  # noqa: PLC0415

    case = result.case
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title, justify in (("outcome", "left"), ("rule", "left"), ("observed", "right"), ("limit", "left")):
        table.add_column(title, justify=justify)  # type: ignore[arg-type]
    for finding in case.verdict.findings:
        rule = finding.rule
        observed = "-" if finding.observed is None else f"{finding.observed:.4g}"
        table.add_row(
            finding.outcome.value, f"{rule.metric} of {rule.of}", observed, f"{OPERATOR_WORDS[rule.op]} {rule.limit:g}"
        )
    for asked in case.verdict.answers:
        given = "-" if asked.answer is None else "given"
        table.add_row(asked.outcome.value, f"answer: {asked.asked.field}", given, " or ".join(asked.asked.allowed))
    console.print(table)
    for asked in case.verdict.answers:
        if asked.outcome is not Outcome.PASSED:
            console.print(f"{asked.reason}. {next_step(asked)}", markup=False)
    if result.explanations:
        console.print()
        console.print(_explained(result.explanations))
    if case.burned_in_text:
        console.print()
        console.print(_text_words(case), markup=False)
    console.print()
    passed = case.outputs_folder == "release"
    meaning = "the videos may be released" if passed else "nothing was released; the videos are withheld"
    console.print(
        f"{case.verdict.outcome.value}: {meaning} (policy {case.policy.id} {case.policy.version})", style="bold"
    )
    console.print(f"case          {case.case_id}")
    console.print(f"videos        {shown(result.out / case.outputs_folder)}", soft_wrap=True)
    console.print(f"certificate   {shown(result.out / 'certificate.pdf')}", soft_wrap=True)
    console.print(f"for a board   {shown(result.out / 'audit' / 'report.html')}", soft_wrap=True)
    console.print(f"for you only  {shown(result.out / 'audit')}, all else there", soft_wrap=True)
    if not passed:
        console.print(
            f"why, in full  {shown(result.out / 'audit' / 'why.txt')}, pictures beside it in why/", soft_wrap=True
        )
    if not case.signer.verified_issuer:
        console.print("signed by a key made on the spot: the issuer is not verified (see: deid-audit keys new)")
    there = shown(result.out) != str(result.out)
    console.print(f"check {'a copy with' if there else 'it with'} {verify_command(result)}", soft_wrap=True)
