"""The real clips that are hard or show two people, each with a donor: a run, or a cover where the run refuses.

What is true of them is not known. In its place stand the faces that CenterFace finds in the original with a high score;
who they are is not said, so nothing is said of swaps on the wrong person.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import cv2
import numpy as np

from deid_audit.frames import Frame, Image
from deid_audit.pipeline.demo_clips import planned
from deid_audit.video.reader import open_video
from deid_audit.video.writer import write_video
from deid_audit.vision.detectors import CenterFaceDetector
from tests.hard_cases.checking import FOUND, Search
from tests.hard_cases.jobs import Material, conceal, examined, rows_of, run
from tests.hard_cases.people import ellipse_in
from tests.hard_cases.scenes import TrueFace, Truth
from tests.hard_cases.searches import Describer, pictures, searches
from tests.hard_cases.table import Row
from tests.sample_clips import SAMPLES

SECONDS, HIGHEST_PX = 4.0, 960  # longer and larger clips are cut and made smaller, which the table says
LEAST_FRAMES = 60  # fewer are too few to train on
SURE = 0.7
FRANCK, WOMAN_C = "talking_head/clm_franck.mp4", "talking_head/egoblur_womanC.mp4"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleJob:
    """One clip: `beside` is another clip of the subject, `photo_of` the side of the picture where the subject is."""

    donor: str = FRANCK
    beside: str | None = None
    photo_of: str | None = None
    start_s: float = 0.0


SAMPLE_JOBS: dict[str, SampleJob] = {
    "two_person/fantasy_two_person_bar.mp4": SampleJob(photo_of="left"),
    "two_person/intel_headpose_two_from_gif.mp4": SampleJob(donor=WOMAN_C, photo_of="right"),
    "derived/two_person_composite_manF_left_womanC_right.mp4": SampleJob(photo_of="left"),
    "derived/lowlight_manF.mp4": SampleJob(),
    "derived/lowlight_hard_manF.mp4": SampleJob(beside="derived/lowlight_manF.mp4"),
    "hard_leave_vfr/openh264_foreman_cif.mp4": SampleJob(start_s=3.5),
    "hard_leave_vfr/pyfeat_face_then_noface_vfr.mov": SampleJob(start_s=1.0),
    "hard_no_face/gaitlab_walk_from_behind.mp4": SampleJob(),
    "hard_occlusion/mediapipe_womanI_thumb_over_face.mp4": SampleJob(donor=WOMAN_C, start_s=1.0),
    "hard_profile/intel_headpose_female_from_gif.mp4": SampleJob(donor=WOMAN_C),
    "hard_rotated/proctor_manE_rot90_center_focus.mp4": SampleJob(),
    "hard_rotated/proctor_manE_rot90_center_left_center.mp4": SampleJob(),
    "hard_rotated/proctor_manE_rot90_center_right_center.mp4": SampleJob(),
    "hard_small_faces/facenet_market_crowd.mp4": SampleJob(),
    "talking_head/pyfeat_pexels_womanD.mp4": SampleJob(donor=WOMAN_C, start_s=8.0),
    **{
        f"upper_body_gesture/intel_asl_manH_{sign}.mkv": SampleJob()
        for sign in ("again", "brother", "help", "no", "student", "yes")
    },
}


def sample_rows(arguments: argparse.Namespace, work: Path) -> Iterator[Row]:
    """One row a clip; a clip that is not there is left out."""
    folder = work / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = arguments.only.split(",") if arguments.only else [""]
    describe, looking = Describer(), searches(mmod_every=arguments.mmod_every)
    for name, job in SAMPLE_JOBS.items():
        if not (SAMPLES / name).exists() or not any(part in name for part in wanted):
            continue
        yield from _rows_of(name, job, arguments, work, describe, looking)


def _rows_of(
    name: str,
    job: SampleJob,
    arguments: argparse.Namespace,
    work: Path,
    describe: Describer,
    looking: tuple[tuple[str, Search, int], ...],
) -> list[Row]:
    seconds = arguments.seconds or SECONDS
    path, said = shortened(SAMPLES / name, work / "clips", start_s=job.start_s, seconds=seconds)
    clip = Material(name=name, path=path, truth=found_in(path))
    donor, _ = shortened(SAMPLES / job.donor, work / "clips", seconds=5.0)
    material = [clip]
    if job.beside is not None:
        beside, _ = shortened(SAMPLES / job.beside, work / "clips", seconds=seconds)
        material.append(Material(name=job.beside, path=beside, truth=found_in(beside)))
    options: tuple[object, ...] = ("--iterations", arguments.iterations or 400, "--policy", arguments.policy)
    who: tuple[object, ...] = ()
    if job.photo_of is not None:
        who = ("--subject-photo", photo_from(path, work / "clips", job.photo_of))
    out = work / f"run-{Path(name).stem}"
    options = (*options, *who, "--case-id", "sample", "--device", arguments.device)
    ended, kept, refused = run(material, donor, out, *options)
    if not ended.refusal and clip in kept:
        reports = examined(ended, kept, describe, looking, sheets=work / "sheets")
        return [replace(row, note=said) for row in rows_of(ended, reports, "run") if row.clip == name]
    why = refused[0][1] if refused else ended.refusal
    covered = conceal(clip, work, *who)
    if covered.refusal:
        note = f"{said}run: {why}; conceal: {covered.refusal}"
        return [Row(clip=name, job="conceal", verdict="refused", note=note, seconds=covered.seconds)]
    reports = examined(covered, [clip], describe, looking, sheets=work / "sheets")
    return [replace(row, note=f"{said}run: {why}") for row in rows_of(covered, reports, "conceal")]


def shortened(path: Path, folder: Path, *, seconds: float, start_s: float = 0.0) -> tuple[Path, str]:
    """The first seconds from `start_s` on, upright, at most 960 px high, at the clip's mean rate; and what was done."""
    source = open_video(path, label=path.name)
    count, duration = source.facts.frame_count, max(source.facts.duration_s, 1e-6)
    rate = Fraction(count / duration).limit_denominator(1001)
    first = round(start_s * rate)
    last = min(count, first + max(LEAST_FRAMES, round(seconds * rate)))
    shown = [_at_most(picture) for picture in islice(pictures(path), first, last)]
    written = folder / f"{path.parent.name}-{path.stem}-{start_s:g}-{seconds:g}.mp4"
    plan = planned(path.name, shown[0], range(len(shown)), 1 / rate)
    write_video(written, (Frame(index=at, pts=at, image_rgb=shown[at]) for at in range(len(shown))), like=plan)
    smaller = "" if source.facts.height <= HIGHEST_PX else f", at {shown[0].shape[1]}x{shown[0].shape[0]} px"
    whole = (first, last) == (0, count) and not smaller
    return written, "" if whole else f"frames {first}-{last - 1} of {count}{smaller}; "


def _at_most(picture: Image) -> Image:
    height, width = picture.shape[:2]
    if height <= HIGHEST_PX:
        return picture
    wide = round(width * HIGHEST_PX / height / 2) * 2
    return np.ascontiguousarray(cv2.resize(picture, (wide, HIGHEST_PX), interpolation=cv2.INTER_AREA))


def found_in(path: Path) -> Truth:
    """The faces that CenterFace is sure of in the original."""
    detector = CenterFaceDetector(min_score=SURE)
    return tuple(tuple(_faces(detector, picture)) for picture in pictures(path))


def _faces(detector: CenterFaceDetector, picture: Image) -> Iterator[TrueFace]:
    for box in detector.detect(picture).boxes_xyxy.tolist():
        left, top, right, bottom = box
        outline = tuple((x, y) for x, y in ellipse_in(left, top, right, bottom).tolist())
        yield TrueFace(
            person="somebody",
            kind=FOUND,
            box_xyxy=(left, top, right, bottom),
            outline_xy=outline,
            visible=1.0,
        )


def photo_from(path: Path, folder: Path, side: str) -> Path:
    """A picture of the person on one side, cut from the frame in which CenterFace is surest of the face."""
    detector, best, cut = CenterFaceDetector(min_score=0.4), 0.0, None
    for picture in islice(pictures(path), 0, None, 5):
        half = picture.shape[1] // 2
        part = np.ascontiguousarray(picture[:, :half] if side == "left" else picture[:, half:])
        found = detector.detect(part)
        if len(found.scores) and float(found.scores[0]) > best:
            best = float(found.scores[0])
            centre, reach = (found.boxes_xyxy[0, :2] + found.boxes_xyxy[0, 2:]) / 2, np.ptp(found.boxes_xyxy[0, 1::2])
            left, top = (int(max(0, edge)) for edge in centre - 1.2 * reach)
            right, bottom = (int(edge) for edge in centre + 1.2 * reach)
            cut = part[top:bottom, left:right]
    assert cut is not None, f"nobody on the {side}"
    photo = folder / f"{path.stem}-{side}.png"
    cv2.imwrite(str(photo), cut[:, :, ::-1])
    return photo
