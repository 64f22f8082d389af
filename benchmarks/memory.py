"""What a long video needs: peak memory of the convert pass by its length, and the files of a two-hour case.

    python benchmarks/memory.py --frames 300 3000 30000

Each length is a process of its own, which finds, swaps and writes a clip of 160x120 (a sample clip forwards and
backwards) with a pair as it is before training; its peak is the system's own count. The two-hour case is simulated: 216
000 frames of numbers like a run's make the figures, the ledger, the statement and the certificate. Prints Markdown.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common.pairs import SAMPLES

from deid_audit.vision.native_output import silence_native_stderr

SIZE, WARM = (160, 120), 120
SUBJECT, DONOR = "talking_head/clm_manA_cap13.mp4", "talking_head/clm_franck.mp4"
TWO_HOURS = 216_000


def peak_mb() -> float:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def make_model(folder: Path) -> None:
    """The untrained pair, as a file that every length reads: gathering it is not what is measured."""
    from common.clips import filled, there_and_back, write_clip  # noqa: PLC0415  (each child imports what it needs)
    from common.untrained import untrained  # noqa: PLC0415

    from deid_audit.pipeline.engines import load_engines  # noqa: PLC0415
    from deid_audit.swap.convert import prepare_runtime, save_model  # noqa: PLC0415

    prepare_runtime("cpu")
    pictures = (filled(one, SIZE) for one in there_and_back(SAMPLES / SUBJECT, WARM))
    small = write_clip(folder / "small.mp4", pictures, WARM)
    model = untrained(small, SAMPLES / DONOR, load_engines("cpu"), frames=WARM)
    with (folder / "model").open("wb") as stream:
        save_model(model, stream)


def convert(folder: Path, frames: int) -> dict[str, float]:
    """Finding, swapping and encoding of one clip, as a run does them."""
    from common.pairs import SILENT  # noqa: PLC0415

    from deid_audit.ledger import State  # noqa: PLC0415
    from deid_audit.pipeline.cast import analyse, open_videos  # noqa: PLC0415
    from deid_audit.pipeline.engines import load_engines  # noqa: PLC0415
    from deid_audit.pipeline.rendering import RenderedPass, part_of, render_video  # noqa: PLC0415
    from deid_audit.swap.convert import load_model, prepare_runtime  # noqa: PLC0415

    prepare_runtime("cpu")
    engines = load_engines("cpu")
    with (folder / "model").open("rb") as stream:
        model = load_model(stream, "cpu")
    loaded, started = peak_mb(), time.perf_counter()
    role = analyse(
        open_videos([folder / f"{frames}.mp4"], who="subject", digest_key=None),
        who="subject", engines=engines, progress=SILENT,
    )  # fmt: skip
    found, between = peak_mb(), time.perf_counter()
    done = RenderedPass()
    part = part_of(role.videos[0], role.average, [], model=model, engines=engines)
    with SILENT.step("", None) as step:
        render_video([part], folder / f"{frames}-released.mp4", done, step=step)
    swapped = sum(frame.state is State.SWAPPED for frame in done.ledger)
    finding, rendering = (between - started) / frames, (time.perf_counter() - between) / frames
    return {
        "frames": frames, "swapped": swapped, "loaded": loaded, "found": found, "peak": peak_mb(),
        "finding": finding, "rendering": rendering,
    }  # fmt: skip


def in_a_child(*words: str) -> dict[str, float]:
    """What a process of its own prints, as JSON."""
    done = subprocess.run([sys.executable, "-P", __file__, "--child", *words], stdout=subprocess.PIPE, check=True)
    return dict(json.loads(done.stdout or b"{}"))


def lengths(wanted: list[int]) -> None:
    from common.clips import filled, there_and_back, write_clip  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        in_a_child("model", name)
        heads = ("frames", "swapped", "models loaded, MB", "faces found, MB", "peak, MB", "of the first")
        print(f"| {' | '.join((*heads, 'finding, ms a frame', 'rendering, ms a frame'))} |")
        print("| --- " * 8 + "|")
        first: dict[str, float] = {}
        for frames in wanted:
            pictures = (filled(one, SIZE) for one in there_and_back(SAMPLES / SUBJECT, 700))
            write_clip(folder / f"{frames}.mp4", pictures, frames)
            row = in_a_child("convert", name, str(frames))
            first = first or row
            print(
                f"| {frames} | {row['swapped']} | {row['loaded']:.0f} | {row['found']:.0f} | {row['peak']:.0f} | "
                f"{row['peak'] / first['peak']:.2f} | {1e3 * row['finding']:.0f} | {1e3 * row['rendering']:.0f} |",
                flush=True,
            )  # fmt: skip
            (folder / f"{frames}.mp4").unlink()
            if frames > first["frames"]:
                more = 1024 * (row["peak"] - first["peak"]) / (frames - first["frames"])
                print(f"\n{more:.1f} kB for every further frame\n", flush=True)


def two_hours() -> None:
    """The files of the simulated case; each part in a process of its own."""
    print(
        "\n| of a simulated case of 216 000 frames | bytes | peak of its process, MB | s |\n| --- | --- | --- | --- |"
    )
    for part in ("nothing", "ledger", "figures", "certificate"):
        row = in_a_child("case", part)
        for name, size in row.items():
            if name not in ("peak", "seconds"):
                print(f"| {name} | {size:,.0f} | {row['peak']:.0f} | {row['seconds']:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[300, 3000])
    parser.add_argument("--no-case", action="store_true", help="leave the two-hour case out")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        silence_native_stderr()
        kind, *words = given.child
        if kind == "model":
            make_model(Path(words[0]))
        elif kind == "convert":
            print(json.dumps(convert(Path(words[0]), int(words[1]))))
        else:
            from common.two_hours import PARTS  # noqa: PLC0415

            started = time.perf_counter()
            sizes = PARTS[words[0]](TWO_HOURS)
            print(json.dumps(sizes | {"peak": peak_mb(), "seconds": time.perf_counter() - started}))
        return
    if (SAMPLES / SUBJECT).exists() and (SAMPLES / DONOR).exists():
        lengths(given.frames)
    else:
        print("the sample clips are not there (DEID_AUDIT_SAMPLES): no clip was converted")
    if not given.no_case:
        two_hours()


if __name__ == "__main__":
    main()
