"""Whole commands on the clips: `deid-audit run` on all of one subject's, `conceal` where a run refuses, then the check.

Each command is a process of its own, as a user starts it.
"""

import json
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deid_audit.frames import Float
from tests.hard_cases.checking import Report, Search, Watch, check
from tests.hard_cases.contact import Stretches
from tests.hard_cases.ledgers import SaidFrame, own_audit, read_ledger, videos_of
from tests.hard_cases.scenes import Truth
from tests.hard_cases.searches import Describer, gallery_of, pairs, pictures
from tests.hard_cases.table import Row

_FINISHED = (0, 3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One clip of a job: the file, the truth where it is known, and who in it is the subject, None where unknown."""

    name: str
    path: Path
    truth: Truth | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command after its end: `document` is its --json, `refusal` its error where it made nothing."""

    out: Path
    seconds: float
    document: dict[str, Any] = field(default_factory=dict)
    refusal: str = ""

    @property
    def audit_share(self) -> float | None:
        """The share of the time that the search and measuring of the written files took."""
        stages = self.document.get("seconds")
        if not stages:
            return None
        return float(stages.get("measuring", 0.0)) / max(1e-9, self.seconds)


def command(*arguments: object, out: Path, timeout_s: float) -> Ended:
    """Runs `deid-audit` to its end."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "deid_audit", *map(str, arguments), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    seconds = time.monotonic() - started
    if done.returncode in _FINISHED and done.stdout.startswith("{"):
        return Ended(out=out, seconds=seconds, document=json.loads(done.stdout))
    said = [line.removeprefix("error: ") for line in done.stderr.splitlines() if line.startswith("error: ")]
    return Ended(out=out, seconds=seconds, refusal=said[0] if said else f"exit status {done.returncode}")


def run(
    clips: Sequence[Material], donor: Path, out: Path, *more: object, timeout_s: float = 3600
) -> tuple[Ended, list[Material], list[tuple[Material, str]]]:
    """One run over all clips; a clip in which the run finds nobody is left out, and the run begins again.

    Gives the command, the clips that it had, and those left out with the reason.
    """
    kept, refused = list(clips), []
    while True:
        subjects = [part for clip in kept for part in ("--subject", clip.path)]
        ended = command("run", *subjects, "--donor", donor, "--out", out, *more, out=out, timeout_s=timeout_s)
        named = re.search(r"subject video ([\d, ]+\d|\d)", ended.refusal)
        if not ended.refusal or named is None or len(kept) == 1:
            return ended, kept, refused
        without = {int(number) - 1 for number in named.group(1).split(", ")}
        refused += [(kept[at], ended.refusal) for at in sorted(without)]
        kept = [clip for at, clip in enumerate(kept) if at not in without]


def conceal(clip: Material, folder: Path, *more: object, timeout_s: float = 1800) -> Ended:
    """Covers everybody in a clip and has that audited, which gives a ledger."""
    out = folder / f"covered-{clip.name.replace('/', '-')}.mp4"
    certificate = out.with_suffix("")
    arguments = ("conceal", clip.path, "--out", out, "--certificate", certificate, *more)
    return command(*arguments, out=certificate, timeout_s=timeout_s)


def examined(
    ended: Ended,
    clips: Sequence[Material],
    describe: Describer,
    searches: Sequence[tuple[str, Search, int]],
    *,
    sheets: Path | None = None,
    describe_every: int = 1,
) -> list[Report]:
    """Checks every video of a finished folder; with `sheets` a picture of every concealed stretch is put there."""
    ledgers, videos = read_ledger(ended.out / "audit" / "frames.csv"), videos_of(ended.out)
    if not len(videos) == len(clips) == len(ledgers):
        raise ValueError(f"{len(clips)} clips, {len(videos)} videos, {len(ledgers)} ledgers")
    gallery: list[Float] = []
    for number, clip in enumerate(clips, start=1):
        gallery += gallery_of(pictures(clip.path), clip.truth, ledgers[number], clip.subject, describe)
    cut = own_audit(ended.out / "evidence.json").cut
    reports = []
    for number, (clip, video) in enumerate(zip(clips, videos, strict=True), start=1):
        watch = Watch(
            searches=tuple(searches),
            describe=describe,
            describe_every=describe_every,
            gallery=np.stack(gallery) if gallery else None,
            cut=cut,
            subject=clip.subject,
        )
        reports.append(check(clip.name, pairs(clip.path, video), ledgers[number], clip.truth, watch))
        if sheets is not None:
            draw_sheet(sheets, clip, video, ledgers[number])
    return reports


def draw_sheet(folder: Path, clip: Material, video: Path, ledger: Sequence[SaidFrame]) -> None:
    """The contact sheet of one clip's concealed stretches, none where nothing was concealed."""
    stretches = Stretches(ledger)
    for index, (original, written) in enumerate(pairs(clip.path, video)):
        stretches.see(index, original, written)
    stretches.write(folder / f"{clip.name.replace('/', '-')}.png")


def rows_of(ended: Ended, reports: Sequence[Report], job: str) -> list[Row]:
    """The rows of one job's clips, in the order of its videos."""
    own = own_audit(ended.out / "evidence.json").found
    verdict = str(ended.document.get("verdict") or (ended.document.get("audit") or {}).get("verdict", "–"))
    return [
        Row(
            clip=report.clip,
            job=job,
            verdict=verdict,
            report=report,
            seconds=ended.seconds,
            audit_share=ended.audit_share,
            own=own.get(number, {}),
        )
        for number, report in enumerate(reports, start=1)
    ]
