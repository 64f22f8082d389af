"""`deid-audit dataset`: whole data sets. Propose a file, check it before anything runs, run it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deid_audit.cli.options import Force, Json, LogFolder, PassphraseFile, SignerKey, print_json
from deid_audit.cli.report import progress_on_stderr

if TYPE_CHECKING:
    from deid_audit.dataset.documents import Checked, Ran

app = typer.Typer(name="dataset", help="Release a whole data set: one case a subject.", no_args_is_help=True)
ManifestFile = Annotated[
    Path, typer.Argument(metavar="DATASET.toml", readable=False, help="The data set's file; see: dataset init.")
]
_HEAD = (
    "A proposal: look through it, then check it with `deid-audit dataset check`. Paths are relative to this file.",
    "It names subjects as their folders do: keep it where the originals are kept.",
    "Settings: policy, context, strangers, keypoints, audio, burned_in_text, device, preset, train_seconds,",
    "iterations, seed, lossless, thorough, as `deid-audit run` has them; see docs/datasets.md.",
)


@app.command("init")
def init_command(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", readable=False, help="Folders of subjects, or a BIDS-like tree (sub-01/ses-01)."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DATASET.toml", readable=False, help="Default: dataset.toml in DIR."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Propose a data set's file from a folder: subjects, videos, donors or packs, groups of participants.tsv.

    Opens no video. Exit status 0 when the file was written.
    """
    from deid_audit.dataset.documents import Proposed  # noqa: PLC0415
    from deid_audit.dataset.manifest import MANIFEST_FILE, toml_text  # noqa: PLC0415
    from deid_audit.dataset.proposing import propose  # noqa: PLC0415
    from deid_audit.errors import DataSetError  # noqa: PLC0415
    from deid_audit.pipeline.staging import staged_file  # noqa: PLC0415

    out = out or folder / MANIFEST_FILE
    if out.absolute().parent != folder.absolute():
        raise DataSetError(
            "--out must stand in the data set's folder: paths in it are relative to that",
            next_step="leave --out out, or name a file in the folder",
        )
    proposal = propose(folder)
    with staged_file(out, force=force) as unfinished:
        unfinished.path.write_text(toml_text(proposal.manifest, head=_HEAD), encoding="utf-8")
    subjects = proposal.manifest.subjects
    done = Proposed(
        out=os.fspath(out),
        layout="bids" if proposal.bids else "folders",
        subjects=len(subjects),
        videos=sum(len(one.videos) for one in subjects),
        noticed=proposal.noticed,
    )
    if as_json:
        print_json(done.model_dump(mode="json", by_alias=True))
        return
    typer.echo(f"written   {done.out}")
    typer.echo(f"subjects  {done.subjects}, with {done.videos} videos, read as {done.layout}")
    for line in done.noticed:
        typer.echo(f"noticed   {line}")
    typer.echo(f"next      deid-audit dataset check {done.out}")


@app.command("check")
def check_command(manifest: ManifestFile, as_json: Json = False) -> None:
    """Check a data set before anything runs: settings, files, one person a subject, nobody twice, donors, time, disk.

    Decodes every video once and looks at faces in a few frames of each. Exit status 0 when nothing has to be mended; 3
    otherwise.
    """
    from deid_audit.dataset.checking import check  # noqa: PLC0415  (heavy)

    found = check(manifest, progress=progress_on_stderr())
    if as_json:
        print_json(found.model_dump(mode="json", by_alias=True))
    else:
        _print_checked(found)
    raise typer.Exit(0 if found.ok else 3)


@app.command("run")
def run_command(
    manifest: ManifestFile,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", readable=False, help="Where the set's cases stand; give the same again."),
    ],
    workers: Annotated[
        int, typer.Option("--workers", help="Cases at once; the processor's threads are shared out.")
    ] = 1,
    address: Annotated[
        str | None,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            help="Do the cases on this Ray cluster instead; paths must be the same on all nodes. Needs: pip install "
            "deid-audit[ray].",
        ),
    ] = None,
    case_cpus: Annotated[float, typer.Option("--case-cpus", help="With --address: processors that a case gets.")] = 2,
    case_gpus: Annotated[float, typer.Option("--case-gpus", help="With --address: GPUs that a case gets.")] = 0,
    case_memory_gb: Annotated[
        float, typer.Option("--case-memory-gb", help="With --address: memory that a case is promised.")
    ] = 6,
    signer: SignerKey = None,
    passphrase_file: PassphraseFile = None,
    log: LogFolder = None,
    package_to: Annotated[
        str | None,
        typer.Option(
            "--package-to",
            metavar="URL",
            help="Copy the finished package there as well, for example s3://bucket/study; an earlier one of the same "
            "set is replaced.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Do every case of a data set that is not done yet, as `deid-audit run` does it; stop and start at any moment.

    A case is done when these very inputs, settings, policy and version were. Cases that fail stop no others. Exit
    status 0 when all passed; 3 when everything was done and some did not.
    """
    from deid_audit.dataset.cluster import Needs  # noqa: PLC0415
    from deid_audit.dataset.running import SetSettings, run_set  # noqa: PLC0415  (heavy)

    needs = Needs(processors=case_cpus, gpus=case_gpus, memory_bytes=round(case_memory_gb * 1e9))
    settings = SetSettings(
        manifest=manifest, out=out, workers=workers, address=address, needs=needs, signer=signer,
        passphrase_file=passphrase_file, log=log, package_to=package_to,
    )  # fmt: skip
    ran = run_set(settings, progress=progress_on_stderr())
    if as_json:
        print_json(ran.model_dump(mode="json", by_alias=True))
    else:
        _print_ran(ran)
    raise typer.Exit(0 if ran.all_passed else 3)


def _print_ran(ran: "Ran") -> None:
    for one in ran.cases:
        said = one.verdict or f"{one.outcome}: {one.error}: {one.message}"
        typer.echo(f"{one.case_id}  subject {one.subject:<5} {said}")
    passed = sum(one.verdict == "PASSED" for one in ran.cases)
    typer.echo(f"{passed} of {len(ran.cases)} cases passed")
    for line in ran.found:
        typer.echo(f"across        {line}")
    typer.echo(f"package       {ran.package}")
    if ran.copied_to is not None:
        typer.echo(f"copied to     {ran.copied_to}")
    typer.echo(f"check it with {ran.verify}")
    if any(one.outcome == "broken" for one in ran.cases):
        typer.echo("cases that are broken are tried again by the same command")


def _print_checked(found: "Checked") -> None:
    for line in found.problems:
        typer.echo(f"mend      {line}")
    for line in found.noticed:
        typer.echo(f"noticed   {line}")
    typer.echo(f"subjects  {found.subjects}, with {found.videos} videos")
    if found.estimate is not None:
        reckoned = found.estimate
        typer.echo(f"time      about {reckoned.seconds / 3600:.1f} h on this machine, one case after the other")
        typer.echo(
            f"disk      about {reckoned.disk_bytes / 1e9:.1f} GB, and {reckoned.work_bytes / 1e9:.1f} GB for each case "
            f"under way; {found.free_bytes / 1e9:.1f} GB are free"
        )
        typer.echo(f"          {reckoned.basis}")
    typer.echo("ready to run" if found.ok else f"{len(found.problems)} things to mend first")
