"""Whether programmed tremors, blinks and taps are measured right on a real still's clips, and again after a swap.

    python benchmarks/exam_swapped.py --steps 300
    python benchmarks/exam_swapped.py --models trained --steps 150 --amplitudes 1 3 --seconds 5

A man of the samples (DEID_AUDIT_SAMPLES) is made to tremble (left hand, head, jaw), to blink and to tap by code
(common/programmed.py). Each clip is traced, only encoded again ("reencoded"), swapped with a pair as it is before its
first step ("posed") and with one that was trained for a while ("trained"), written as a run writes, and traced again.
In a clip the three parts tremble at three frequencies of one amplitude, so none can be taken for another's. Tables for
RESULTS.md.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common.pairs import SAMPLES, SILENT, clips_of, make_pair, roles_of
from common.programmed import RATE, Movements, bumps, filmed, repeated, stage, trembling
from common.renditions import watched
from common.swapping import found, posed, swapped, trained

from deid_audit.measure.exam import ExamValue, exam_measures
from deid_audit.measure.exam.tremors import looked_at, moving_part
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.tracing import find_person
from deid_audit.swap.convert import prepare_runtime
from deid_audit.swap.networks import PRESETS, Preset, SwapModel
from deid_audit.video.reader import SourceVideo
from deid_audit.vision.native_output import silence_native_stderr

FREQUENCIES_HZ = (4.0, 5.0, 6.5)
PARTS = ("hand", "head", "jaw")
SIDES = {"hand": "left", "head": "", "jaw": ""}
CLOSE_HZ = 0.1
# a tap is an opening between two closings (docs/exam_measures.md): the hand is open before and after
BLINKS_S, CLOSINGS, TAPS, TAP_HZ = (1.5, 3.2, 5.1, 6.4, 8.6), 12, 11, 2.0
CLIP_S = 10.0  # with blinks and taps
Exam = dict[tuple[str, str], ExamValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The exam of one rendition, its tracks, and the share of its frames in which the face is covered."""

    exam: Exam
    tracks: MotionTracks
    covered: float = 0.0

    def of(self, name: str, side: str = "") -> float | None:
        return self.exam[name, side].value

    def amplitude_px(self, part: str, hz: float) -> float | None:
        """Of the part's movement at a frequency, whether or not it stands out there."""
        seen = looked_at(moving_part(self.tracks, part, SIDES[part]), self.tracks.times_s)
        return None if isinstance(seen, str) else seen.windows.spectrum().amplitude(hz)


def examined(tracks: MotionTracks, original: Seen | None = None, covered: float = 0.0) -> Seen:
    before = [] if original is None else list(original.exam.values())
    return Seen(
        exam={(one.name, one.side): one for one in exam_measures(tracks, before)}, tracks=tracks, covered=covered
    )


def renditions(source: SourceVideo, models: dict[str, SwapModel], engines: Engines, folder: Path) -> dict[str, Seen]:
    """The clip, what a mere second encoding of it shows, and what each model's swap does."""
    person = find_person(source, SILENT)
    original = examined(watched(source, person))
    out = {"original": original, "reencoded": examined(watched(source, person, "reencoded"), original)}
    if not models:
        return out
    cast, average = found(source, engines)
    for name, model in models.items():
        released, covered = swapped(cast, average, model, engines, folder / "released.mp4")
        out[name] = examined(watched(released, person), original, covered)
    return out


def shown(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def tremor_rows(part: str, hz: float, px: float, seen: dict[str, Seen]) -> Iterator[str]:
    """One row: the frequency in each rendition, and the amplitude at the frequency that was made."""
    cells = []
    for one in seen.values():
        frequency = one.of(f"{part}_tremor_frequency", SIDES[part])
        cells += [shown(frequency), shown(one.amplitude_px(part, hz))]
    yield f"| {part} | {hz:g} | {px:g} | " + " | ".join(cells) + " |"


BLINK_HEAD = (
    "| clip | rendition | covered | blinks | duration ms | one eye alone | taps | tap rate Hz |",
    "| --- " * 8 + "|",
)


def blink_rows(lasting_s: float, seen: dict[str, Seen]) -> Iterator[str]:
    """What was made, and what each rendition shows."""
    blinks, made_ms = len(BLINKS_S), f"{1000 * lasting_s:.0f}"
    yield f"| {made_ms} ms | made | | {blinks} | {made_ms} | 0 / 0 | {TAPS} | {TAP_HZ:.2f} |"
    for which, one in seen.items():
        alone = " / ".join(shown(one.of("one_eye_blinks", side), 0) for side in ("left", "right"))
        cells = (
            which, f"{one.covered:.0%}", shown(one.of("blink_count"), 0), shown(one.of("blink_duration"), 0),
            alone, shown(one.of("finger_taps", "left"), 0), shown(one.of("finger_tap_rate", "left")),
        )  # fmt: skip
        yield f"| {made_ms} ms | {' | '.join(cells)} |"


def summaries(rows: dict[tuple[str, float, float], dict[str, Seen]]) -> Iterator[str]:
    """By part and amplitude: clips in which the frequency is right, and in which the swap leaves it as it was."""
    names = list(next(iter(rows.values())))
    yield "| part | px | right on the original | " + " | ".join(f"as before, {one}" for one in names[1:]) + " |"
    yield "| --- " * (len(names) + 2) + "|"
    for part in PARTS:
        for px in dict.fromkeys(key[2] for key in rows):
            right, kept, of = 0, dict.fromkeys(names[1:], 0), dict.fromkeys(names[1:], 0)
            clips = [(hz, seen) for (one, hz, size), seen in rows.items() if (one, size) == (part, px)]
            for hz, seen in clips:
                values = {name: one.of(f"{part}_tremor_frequency", SIDES[part]) for name, one in seen.items()}
                before = values.pop("original")
                right += before is not None and abs(before - hz) <= CLOSE_HZ
                for name, value in values.items():
                    of[name] += before is not None
                    kept[name] += before is not None and value is not None and abs(value - before) < CLOSE_HZ
            cells = [f"{right} of {len(clips)}", *(f"{kept[name]} of {of[name]}" for name in names[1:])]
            yield f"| {part} | {px:g} | " + " | ".join(cells) + " |"


def made_models(asked: argparse.Namespace, engines: Engines, preset: Preset, folder: Path) -> dict[str, SwapModel]:
    clips = clips_of("seated", folder)
    if clips is None:
        raise SystemExit(f"not run: the clips are not in {SAMPLES.name}")
    pair = make_pair("seated", roles_of(clips, engines, asked.frames), preset, engines, probed=16)
    made_by = {"posed": lambda: posed(pair, preset), "trained": lambda: trained(pair, preset, asked.steps)}
    return {name: made_by[name]() for name in asked.models}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300, help="of training; 300 take 45 s on two quiet cores")
    parser.add_argument("--frames", type=int, default=200, help="of each person's clip that the pair is made of")
    parser.add_argument("--seconds", type=float, default=8.0, help="of a trembling clip")
    parser.add_argument("--amplitudes", type=float, nargs="+", default=[1.0, 3.0, 10.0])
    parser.add_argument("--models", nargs="*", choices=("posed", "trained"), default=["posed", "trained"])
    parser.add_argument("--blinks", action=argparse.BooleanOptionalAction, default=True)
    asked = parser.parse_args()
    silence_native_stderr()
    prepare_runtime("cpu")
    engines, preset = load_engines("cpu"), PRESETS["micro64"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = made_models(asked, engines, preset, folder) if asked.models else {}
        scene = stage()
        print(f"face {scene.face_px:.0f} px high, palm {scene.palm_px:.0f} px, {RATE} frames a second\n")
        if asked.blinks:
            print("\n".join(BLINK_HEAD), flush=True)
            for lasting_s in (0.12, 0.25):
                moves = Movements(lids=bumps([*BLINKS_S], lasting_s), taps=repeated(TAP_HZ, CLOSINGS, 2.0))
                source = filmed(scene, moves, CLIP_S, folder / "made.mp4")
                for line in blink_rows(lasting_s, renditions(source, models, engines, folder)):
                    print(line, flush=True)
        heads = [f"{which}: {what}" for which in ("original", "reencoded", *models) for what in ("Hz", "px")]
        print(f"\n| part | made Hz | made px | {' | '.join(heads)} |\n{'| --- ' * (len(heads) + 3)}|", flush=True)
        rows: dict[tuple[str, float, float], dict[str, Seen]] = {}
        for px in asked.amplitudes:
            for turn in range(len(FREQUENCIES_HZ)):
                made = {part: FREQUENCIES_HZ[(at + turn) % len(PARTS)] for at, part in enumerate(PARTS)}
                moves = Movements(**{part: trembling(hz, px) for part, hz in made.items()})
                seen = renditions(filmed(scene, moves, asked.seconds, folder / "made.mp4"), models, engines, folder)
                for part, hz in made.items():
                    rows[part, hz, px] = seen
                    print("\n".join(tremor_rows(part, hz, px, seen)), flush=True)
                told = ", ".join(f"{which} {one.covered:.0%}" for which, one in seen.items())
                print(f"{px:g} px: covered {told}", file=sys.stderr, flush=True)
        print()
        print("\n".join(summaries(rows)), flush=True)


if __name__ == "__main__":
    main()
