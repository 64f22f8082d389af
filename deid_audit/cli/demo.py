"""`deid-audit demo`: two clips made from public-domain portraits, then the main job on them with the release policy."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from deid_audit.cli.options import Json, Profile
from deid_audit.cli.report import perform, progress_on_stderr

# Steps, not seconds: the demo comes out the same on a slow machine, only later.
DEMO_STEPS = 240


def demo(
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", readable=False, help="Where the demo appears; an earlier demo is replaced."
        ),
    ] = Path("deid-audit-demo"),
    profile: Profile = False,
    as_json: Json = False,
) -> None:
    """Make two exam-like clips (talking, blinking, head turns, a 5 Hz head tremor) and run the main job on them."""
    from deid_audit.pipeline.demo_clips import write_demo_clips  # noqa: PLC0415
    from deid_audit.pipeline.run import run as run_pipeline  # noqa: PLC0415
    from deid_audit.pipeline.staging import refuse_existing  # noqa: PLC0415
    from deid_audit.settings import make_settings  # noqa: PLC0415

    refuse_existing(out, force=True)
    with tempfile.TemporaryDirectory(prefix="deid-audit-demo-") as folder:
        subject, donor = write_demo_clips(Path(folder), progress_on_stderr())
        settings = make_settings(
            subjects=(subject,),
            donors=(donor,),
            policy="release",
            out=out,
            case_id="demo",
            force=True,
            iterations=DEMO_STEPS,
            profile=profile,
        )
        raise typer.Exit(perform(run_pipeline, settings, as_json=as_json))
