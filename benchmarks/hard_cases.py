"""The hard cases with the real pipeline: what is left in the written videos, clip by clip, and on which rung it ended.

    python benchmarks/hard_cases.py                     # all cases made by code, one model
    python benchmarks/hard_cases.py --only crossing,cuts
    python benchmarks/hard_cases.py --samples           # every real clip that is hard or shows two people

Real clips stand in the folder that DEID_AUDIT_SAMPLES names. Sheets of all concealed stretches are put into --work,
which shows originals: look at them and delete the folder.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT))  # the cases stand with the tests; an installed package stays in front

from deid_audit.vision.native_output import silence_native_stderr  # noqa: E402
from tests.hard_cases.cases import CASES, TURNED, Setting, donor, made  # noqa: E402
from tests.hard_cases.jobs import Material, conceal, examined, rows_of, run  # noqa: E402
from tests.hard_cases.people import filmed, filmed_hand  # noqa: E402
from tests.hard_cases.samples import SAMPLE_JOBS, sample_rows  # noqa: E402
from tests.hard_cases.searches import Describer, searches  # noqa: E402
from tests.hard_cases.table import Row, documents, markdown  # noqa: E402
from tests.sample_clips import SAMPLES  # noqa: E402

REAL_OTHER, REAL_HAND = "talking_head/clm_manA_cap12.mp4", "hard_occlusion/mediapipe_womanI_thumb_over_face.mp4"
WITH_REAL_PEOPLE = {"real_crossing": "crossing", "real_late_entrant": "late_entrant", "real_hand": "hand_over_face"}


def clips(names: list[str], folder: Path, seconds: float | None) -> list[Material]:
    """The cases as files, the clean one first: it is the training material."""
    with_real = Setting()
    if any(name in WITH_REAL_PEOPLE for name in names):
        with_real = Setting(other=filmed(SAMPLES / REAL_OTHER, seconds=3), hand=filmed_hand(SAMPLES / REAL_HAND))
    found = []
    for name in dict.fromkeys(["clean", *names]):
        real = name in WITH_REAL_PEOPLE
        clip = made(WITH_REAL_PEOPLE.get(name, name), with_real if real else None, seconds=seconds)
        path = clip.written(folder, name=name)
        found.append(Material(name=name, path=path, truth=clip.truth, subject=clip.subject))
        print(f"made {name}, {len(clip.pictures)} frames", file=sys.stderr)
    return found


def made_rows(arguments: argparse.Namespace, work: Path) -> list[Row]:
    """All made cases in one run, so that one model serves them; a case that it refuses is covered instead."""
    folder = work / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    real = [*WITH_REAL_PEOPLE] if all((SAMPLES / name).exists() for name in (REAL_OTHER, REAL_HAND)) else []
    every = [*CASES, *TURNED, *real]
    names = arguments.only.split(",") if arguments.only else every
    if unknown := set(names) - set(every):
        raise SystemExit(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    material = clips(names, folder, arguments.seconds)
    donor_path = donor(arguments.seconds or 5.0).written(folder)
    budget = ("--iterations", arguments.iterations) if arguments.iterations else ("--train-seconds", 60)
    options = (*budget, "--policy", arguments.policy, "--case-id", "hard", "--device", arguments.device)
    describe, looking = Describer(), searches(mmod_every=arguments.mmod_every)

    def job(clips: list[Material], out: Path) -> list[Row]:
        ended, kept, refused = run(clips, donor_path, out, *options)
        if ended.refusal and len(kept) > 2:  # nobody is in all of them, and it is not said in which: halves
            middle = (len(kept) + 1) // 2
            halves = (kept[:middle], [kept[0], *kept[middle:]])
            rows = [row for at, half in enumerate(halves) for row in job(half, out.with_name(f"{out.name}-{at}"))]
        elif ended.refusal:
            refused += [(clip, ended.refusal) for clip in kept[1:]]
            rows = []
        else:
            rows = rows_of(ended, examined(ended, kept, describe, looking, sheets=work / "sheets"), "run")
        return [*rows, *(row for clip, why in refused for row in covered(clip, why))]

    def covered(clip: Material, why: str) -> list[Row]:
        ended = conceal(clip, work)
        if ended.refusal:
            note = f"run: {why}; conceal: {ended.refusal}"
            return [Row(clip=clip.name, job="conceal", verdict="refused", note=note, seconds=ended.seconds)]
        reports = examined(ended, [clip], describe, looking, sheets=work / "sheets")
        return [replace(row, note=f"run: {why}") for row in rows_of(ended, reports, "conceal")]

    rows = job(material, work / "run")
    first: dict[str, Row] = {}
    for row in rows:  # the clean clip is in every run
        first.setdefault(row.clip, row)
    return list(first.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="these cases only, separated by commas; with --samples parts of clip names")
    parser.add_argument("--samples", action="store_true", help=f"the {len(SAMPLE_JOBS)} real clips instead")
    parser.add_argument("--iterations", type=int, default=400, help="training steps; 0: 60 seconds")
    parser.add_argument("--seconds", type=float, help="length of every clip, instead of each case's own")
    parser.add_argument("--policy", default="release")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--mmod-every", type=int, default=25, help="dlib's mmod looks at every Nth frame; 0: never")
    parser.add_argument("--work", type=Path, help="where clips, outputs and sheets go; otherwise a new folder")
    arguments = parser.parse_args()
    silence_native_stderr()
    work = arguments.work or Path(tempfile.mkdtemp(prefix="hard-cases-"))
    work.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for row in sample_rows(arguments, work) if arguments.samples else made_rows(arguments, work):
        rows.append(row)
        print(f"done with {row.clip}", file=sys.stderr)
        (work / "report.json").write_text(json.dumps(documents(rows), indent=1), encoding="utf-8")
    print(markdown(rows))
    print(f"report and sheets: {work}", file=sys.stderr)


if __name__ == "__main__":
    main()
