"""`deid-audit donor`: prepare a donor's pack, so that runs with this donor begin from trained weights."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deid_audit.cli.options import Device, Force, Iterations, Json, Preset, Seed, TrainSeconds, print_json
from deid_audit.cli.report import progress_on_stderr

if TYPE_CHECKING:
    from deid_audit.pipeline.preparing import PreparedPack

SCHEMA = "deid-audit/donor-prepare/v1"
app = typer.Typer(name="donor", help="Prepare a donor once for many runs.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps `prepare` a subcommand while it is the only one."""


@app.command("prepare")
def prepare_command(
    video: Annotated[
        list[Path],
        typer.Argument(metavar="VIDEO", readable=False, help="A video of the donor; several of one person."),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FILE.pack", readable=False, help="The pack; must not exist.")],
    licence: Annotated[
        str | None,
        typer.Option("--licence", metavar="TEXT", help="Licence of the donor's videos; on every certificate."),
    ] = None,
    consent: Annotated[
        str | None,
        typer.Option("--consent", metavar="TEXT", help="What the donor agreed to; on every certificate. No name."),
    ] = None,
    device: Device = "auto",
    preset: Preset = "auto",
    train_seconds: TrainSeconds = None,
    iterations: Iterations = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Train the encoder and the donor's decoder once, on the donor alone, and put them into one file for later runs.

    Give the file to `deid-audit run` in place of the donor's video. It holds the donor's face in plain and nothing of
    any subject. Exit status 0 when the pack was written.
    """
    from deid_audit.pipeline.preparing import prepare_donor  # noqa: PLC0415  (heavy)
    from deid_audit.settings import make_prepare_settings  # noqa: PLC0415

    settings = make_prepare_settings(
        videos=tuple(video), out=out, preset=preset, licence=licence, consent=consent, device=device,
        train_seconds=train_seconds, iterations=iterations, seed=seed, force=force,
    )  # fmt: skip
    result = prepare_donor(settings, progress=progress_on_stderr())
    if as_json:
        print_json(document(result))
        return
    said = result.manifest
    typer.echo(f"pack     {os.fspath(result.out)}  (the donor's face is in it in plain)")
    typer.echo(f"sha256   {result.sha256}")
    typer.echo(f"trained  {said.preset}, {said.steps} steps on {said.faces} faces, seed {said.seed}")
    typer.echo(f"licence  {said.licence or 'not stated'}")
    typer.echo(f"consent  {said.consent or 'not stated'}")
    typer.echo("One donor for one subject is a pseudonym of that subject; one for all links nobody to a pseudonym.")


def document(result: "PreparedPack") -> dict[str, Any]:
    """What was made, as one JSON document."""
    said = result.manifest
    return {
        "schema": SCHEMA,
        "out": os.fspath(result.out),
        "sha256": result.sha256,
        "pack_version": said.pack_version,
        "tool_version": said.tool_version,
        "created": said.created,
        "preset": said.preset,
        "seed": said.seed,
        "steps": said.steps,
        "training_seconds": said.training_seconds,
        "faces": said.faces,
        "videos": [video.sha256 for video in said.videos],
        "licence": said.licence,
        "consent": said.consent,
    }
