"""What a swap, a mask and a blur leave of the exam's measures on real clips, beside what a mere re-encoding does.

    python benchmarks/exam_samples.py --seconds 10 --steps 400
    python benchmarks/exam_samples.py --clips --gait

Each clip (DEID_AUDIT_SAMPLES) is traced as it is, swapped by a pair that was trained for a while on it, masked,
blurred and re-encoded. A measure of the face is kept where the swap's difference from the original is below both the
mask's and the blur's; one of the body where it is at most 1.5 times the re-encoding's. A measure that the original does
not give is left out; one that only a rendition lacks is lost there. The only clip in which somebody walks shows no face
of hers, so nothing is swapped there: its gait, as it is and re-encoded. Tables for RESULTS.md.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from common.pairs import SAMPLE_PAIRS, SAMPLES, SILENT, clips_of, make_pair, roles_of
from common.renditions import cut, watched
from common.swapping import found, swapped, trained

from deid_audit.frames import Frame
from deid_audit.measure.exam import exam_measures, tremor_agreement
from deid_audit.measure.exam.walking import gait_values
from deid_audit.measure.motion import compare_tracks
from deid_audit.measure.motion_tracks import BODY_POINTS, FACE_POINTS, HAND_POINTS, MotionTracks
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.tracing import find_person
from deid_audit.swap.convert import prepare_runtime
from deid_audit.swap.networks import PRESETS
from deid_audit.video.reader import open_video, read_frames
from deid_audit.video.writer import roundtrip
from deid_audit.vision.native_output import silence_native_stderr
from deid_audit.vision.pose import MovingBody

GAIT = "hard_no_face/gaitlab_walk_from_behind.mp4"
BODY = ("hand_", "finger_", "toe_", "gait_", "chair_", "left hand", "right hand", "body")
SHOWN = ("COCO-17", "whole hand", "all of the mesh")
ERRORS = ("median_px", "p95_px", "velocity_px_s", "jerk_px_s3")
WITHIN = 1.5
RENDITIONS = ("swapped", "reencoded", "masked", "blurred")
HEAD = "| what | side | unit | original | " + " | ".join(RENDITIONS) + " | kept |"
RULE = "| --- " * 9 + "|"


def verdict(name: str, far: dict[str, float]) -> str:
    """Whether the swap keeps a measure, by its distances from the original; infinite where it is lost."""
    if name.startswith(BODY):
        return "yes" if far["swapped"] <= WITHIN * far["reencoded"] else "no"
    if not np.isfinite(far["swapped"]):
        return "no: lost"
    worse = [one for one in ("masked", "blurred") if far["swapped"] >= far[one] and far["swapped"] > 0]
    return "yes" if not worse else f"no: not below {' and '.join(worse)}"


def exam_rows(tracks: dict[str, MotionTracks]) -> Iterator[tuple[str, str]]:
    """A line and its verdict for every measure that the original gives."""
    before = exam_measures(tracks["original"])
    exams = {which: {(v.name, v.side): v for v in exam_measures(one, before)} for which, one in tracks.items()}
    for (name, side), own in exams["original"].items():
        if own.value is None:
            continue
        values = {which: exams[which][name, side].value for which in RENDITIONS}
        far = {which: np.inf if value is None else abs(value - own.value) for which, value in values.items()}
        cells = ["lost" if value is None else f"{value:.3g}" for value in values.values()]
        said = verdict(name, far)
        yield f"| {name} | {side} | {own.unit} | {own.value:.3g} | {' | '.join(cells)} | {said} |", said


def tremor_rows(tracks: dict[str, MotionTracks]) -> Iterator[tuple[str, str]]:
    """How far the original's tremors are still there: differences from 0 Hz, and from a ratio or coherence of 1."""
    agreements = {
        which: {(v.name, v.side): v for v in tremor_agreement(tracks["original"], tracks[which])}
        for which in RENDITIONS
    }
    for (name, side), null in agreements["reencoded"].items():
        values = {which: agreements[which][name, side].value for which in RENDITIONS}
        if null.value is None:
            continue
        best = 0.0 if null.unit == "Hz" else 1.0
        far = {which: np.inf if value is None else abs(value - best) for which, value in values.items()}
        cells = ["lost" if value is None else f"{value:.3g}" for value in values.values()]
        said = verdict(name, far)
        yield f"| {name} | {side} | {null.unit} | {best:g} | {' | '.join(cells)} | {said} |", said


def error_rows(tracks: dict[str, MotionTracks]) -> Iterator[tuple[str, str]]:
    """Errors of the landmarks' places, speed and jerk against the original."""
    rows = {
        which: {
            row.group: row.released
            for row in compare_tracks(tracks["original"], tracks[which], tracks["reencoded"]).rows
            if row.name in SHOWN
        }
        for which in RENDITIONS
    }
    for group, null in rows["reencoded"].items():
        for error in ERRORS if null is not None else ():
            values = {which: None if (one := rows[which][group]) is None else one.errors[error] for which in RENDITIONS}
            far = {which: np.inf if value is None else value for which, value in values.items()}
            cells = ["lost" if value is None else f"{value:.3g}" for value in values.values()]
            said = verdict(group, far)
            yield f"| {group}: {error} | | | 0 | {' | '.join(cells)} | {said} |", said


def one_clip(name: str, asked: argparse.Namespace, engines: Engines, folder: Path) -> None:
    clips, preset = clips_of(name, folder), PRESETS["micro64"]
    if clips is None:
        print(f"{name}: not run, the clips are not there")
        return
    source = cut(clips[0], asked.seconds, folder)
    person = find_person(source, SILENT)
    pair = make_pair(name, roles_of(clips, engines, asked.frames), preset, engines, probed=24)
    model = trained(pair, preset, asked.steps)
    released, covered = swapped(*found(source, engines), model, engines, folder / "released.mp4")
    tracks = {"original": watched(source, person), "swapped": watched(released, person)}
    tracks |= {control: watched(source, person, control) for control in RENDITIONS[1:]}
    facts = source.facts
    print(
        f"\n### {name}: {facts.width}x{facts.height}, {facts.frame_count} frames, face {pair.face_px:.0f} px, "
        f"{covered:.0%} of the frames covered by the swap\n\n{HEAD}\n{RULE}"
    )
    rows = [*exam_rows(tracks), *tremor_rows(tracks), *error_rows(tracks)]
    for line, _ in rows:
        print(line)
    for part, mine in (("face", False), ("body", True)):
        said = [s for line, s in rows if line[2:].startswith(BODY) is mine]
        print(f"\nOf {len(said)} measures of the {part} {sum(s == 'yes' for s in said)} are kept.", end="", flush=True)
    print()


def body_alone(frames: Iterator[Frame], times_s: tuple[float, ...]) -> MotionTracks:
    count, body = len(times_s), MovingBody()
    xy, visibility = np.full((count, BODY_POINTS, 2), np.nan), np.zeros((count, BODY_POINTS))
    for frame in frames:
        side = max(frame.image_rgb.shape[:2])
        square = np.zeros((side, side, 3), np.uint8)
        square[: frame.image_rgb.shape[0], : frame.image_rgb.shape[1]] = frame.image_rgb
        if (found := body.find(square)) is not None:
            xy[frame.index], visibility[frame.index] = found.xy, found.visibility
    body.close()
    nothing = np.full((count, HAND_POINTS, 2), np.nan)
    return MotionTracks(
        times_s=np.array(times_s), body_xy=xy, body_visibility=visibility, left_hand_xy=nothing, right_hand_xy=nothing,
        face_xy=np.full((count, FACE_POINTS, 2), np.nan),
    )  # fmt: skip


def gait() -> None:
    source = open_video(SAMPLES / GAIT, label="a walk")
    frames = {"original": read_frames(source), "reencoded": roundtrip(read_frames(source), like=source)}
    for which, one in frames.items():
        for value in gait_values(body_alone(one, source.times_s)):
            said = value.reason if value.value is None else f"{value.value:.3g} {value.unit}, {value.sample_size} steps"
            print(f"| {which} | {value.name} | {said} |", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", nargs="*", choices=SAMPLE_PAIRS, default=["webcam", "seated", "glasses"])
    parser.add_argument("--gait", action="store_true", help="of the one clip in which somebody walks")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--frames", type=int, default=300, help="that the pair is trained on")
    parser.add_argument("--steps", type=int, default=400, help="of training; 400 take a minute on two quiet cores")
    asked = parser.parse_args(arguments)
    silence_native_stderr()
    prepare_runtime("cpu")
    if asked.gait:
        gait()
    engines = load_engines("cpu")
    for name in asked.clips:
        with tempfile.TemporaryDirectory() as folder:
            one_clip(name, asked, engines, Path(folder))


if __name__ == "__main__":
    main()
