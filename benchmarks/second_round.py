"""What a second round of a video costs beside the first: rendered and measured again, one face covered this time.

    python benchmarks/second_round.py --frames 100

The pair is as it is before training; one region of the first ledger is called undecided, as the audit would have
called it, so that it is covered in the second round. That takes descriptors, and keypoints of original, null edit and
controls, from the first. Seconds of each part, summed over threads, stand beside the whole. Prints Markdown.
"""

import argparse
import functools
import tempfile
from dataclasses import replace
from pathlib import Path

from common.clips import framed, there_and_back, write_clip
from common.pairs import SAMPLES, SILENT
from common.untrained import untrained

from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.canaries import Flock
from deid_audit.pipeline.cast import Role, analyse, open_videos
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.measuring import observe
from deid_audit.pipeline.original_side import OriginalSide
from deid_audit.pipeline.outsider import outsider_of
from deid_audit.pipeline.planting import known_faces
from deid_audit.pipeline.rendering import RenderedPass, part_of, render_video
from deid_audit.swap.convert import prepare_runtime, rebuild_face
from deid_audit.swap.networks import SwapModel
from deid_audit.timing import Stopwatch
from deid_audit.video.reader import open_video
from deid_audit.vision.native_output import silence_native_stderr

SUBJECT, DONOR, SIZE = "full_body/latentsync_manF_seated_gestures.mp4", "talking_head/clm_manA_cap12.mp4", (1280, 720)
PARTS = (
    "describe",
    "keypoints, original",
    "keypoints, swapped",
    "keypoints, reencoded",
    "keypoints, blurred",
    "search",
)


def one_round(
    role: Role, target: Path, model: SwapModel, engines: Engines, canaries: Flock, side: OriginalSide,
    again: dict[int, list[Region]], first: RenderedPass | None,
) -> tuple[RenderedPass, dict[str, Stopwatch]]:  # fmt: skip
    """Renders and measures as `pipeline/run.py` does, the first time or after `first`."""
    [cast], clocks = role.videos, {"rendering": Stopwatch(), "measuring": Stopwatch()}
    done, clock = RenderedPass(), clocks["rendering"]
    target.unlink(missing_ok=True)
    part = part_of(cast, role.average, [], model=model, engines=engines, clock=clock)
    with SILENT.step("", None) as step:
        known = () if first is None else first.described
        render_video([part], target, done, step=step, again=again, known=known, clock=clock)
    clock = clocks["measuring"]
    with clock.running(cast.source.facts.frame_count):
        observe(
            cast, open_video(target, label="released video 1"), done, engines=engines, canaries=canaries,
            progress=SILENT, rebuild=(functools.partial(rebuild_face, model), model.preset.size),
            outsider=outsider_of(model), original_side=side, clock=clock,
        )  # fmt: skip
    return done, clocks


def undecided(ledger: list[LedgerFrame]) -> dict[int, list[Region]]:
    """What an audit asks to be covered that cannot decide about the first face that is shown."""
    at = next(frame.index for frame in ledger if frame.state is State.SWAPPED)
    return {at: [replace(ledger[at].regions[0], state=State.UNDECIDED)]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=100)
    given = parser.parse_args()
    if not (SAMPLES / SUBJECT).exists() or not (SAMPLES / DONOR).exists():
        print("the sample clips are not there (DEID_AUDIT_SAMPLES): nothing was measured")
        return
    silence_native_stderr()
    prepare_runtime("cpu")
    engines = load_engines("cpu")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pictures = (framed(one, SIZE) for one in there_and_back(SAMPLES / SUBJECT, min(given.frames, 150)))
        clip, target = write_clip(folder / "clip.mp4", pictures, given.frames), folder / "released.mp4"
        model = untrained(SAMPLES / SUBJECT, SAMPLES / DONOR, engines, frames=100)
        sources = open_videos([clip], who="subject", digest_key=None)
        role = analyse(sources, who="subject", engines=engines, progress=SILENT)
        canaries, side = known_faces(engines, seed=0, videos=1), OriginalSide()
        unused = canaries.state()
        done, first = one_round(role, target, model, engines, canaries, side, {}, None)
        canaries.restore(unused)
        again, second = one_round(role, target, model, engines, canaries, side, undecided(done.ledger), done)
        covered = sum(frame.state is State.CONCEALED for frame in again.ledger)
        before = sum(frame.state is State.CONCEALED for frame in done.ledger)
        print(f"{given.frames} frames of {SIZE[0]}x{SIZE[1]}; covered: {before}, then {covered}\n")
        print("| ms a frame | first round | second round | second / first |\n| --- | --- | --- | --- |")
        rows = {stage: [one[stage].seconds for one in (first, second)] for stage in first}
        rows["together"] = [sum(one[stage].seconds for stage in one) for one in (first, second)]
        for part in PARTS:
            rows[f"of it: {part}"] = [sum(c.parts.get(part, 0.0) for c in one.values()) for one in (first, second)]
        for stage, (one, two) in rows.items():
            share = f"{two / one:.2f}" if one else ""
            print(
                f"| {stage} | {1e3 * one / given.frames:.0f} | {1e3 * two / given.frames:.0f} | {share} |", flush=True
            )


if __name__ == "__main__":
    main()
