"""The three passes over one clip, each stage in a thread of its own and all in one: frames a second, in turns.

    python benchmarks/passes.py                  # a sample clip
    python benchmarks/passes.py CLIP --frames 60 --rounds 2 --height 720

The subject is the clip's one person, the donor the demo's portrait; the swap's network is not trained, which costs
what a trained one does. Ledger and file must be the same both ways. Prints a Markdown table; on standard error, where
the time went.
"""

import argparse
import functools
import os
import sys
import tempfile
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np
import torch

from deid_audit.cli.profile import print_profile
from deid_audit.digests import sha256_file
from deid_audit.faces.align import align
from deid_audit.faces.subject import name_person
from deid_audit.frames import AlignedFace
from deid_audit.overlap import frames_that_fit
from deid_audit.pipeline.cast import CastVideo, find_faces, usable_frames, videos_of
from deid_audit.pipeline.concluding import profile_of
from deid_audit.pipeline.demo_clips import donor_portrait
from deid_audit.pipeline.engines import Engines, load_engines
from deid_audit.pipeline.measuring import observe
from deid_audit.pipeline.outsider import outsider_of
from deid_audit.pipeline.planting import known_faces
from deid_audit.pipeline.rendering import RenderedPass, part_of, render_video
from deid_audit.progress import SilentProgress
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.convert import prepare_runtime, rebuild_face
from deid_audit.swap.networks import PRESETS, SwapModel
from deid_audit.swap.prior import make_prior
from deid_audit.timing import Timer
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.native_output import silence_native_stderr

sys.path.append(str(Path(__file__).resolve().parents[1]))  # an installed package stays in front
from tests.e2e.short_clips import write_pictures
from tests.sample_clips import SAMPLES

PRESET, SILENT = PRESETS["micro64"], SilentProgress()
WAYS = {"in one thread": lambda width, height: 0, "side by side": frames_that_fit}


def cut(clip: Path, folder: Path, frames: int, height: int | None) -> SourceVideo:
    """The first frames of the clip, as they are or brought to this height."""
    pictures = []
    for frame in read_frames(open_video(clip, label="the clip")):
        image, scale = frame.image_rgb, 1.0 if height is None else height / frame.image_rgb.shape[0]
        size = tuple(round(side * scale / 2) * 2 for side in image.shape[1::-1])
        pictures.append(image if height is None else cv2.resize(image, size, interpolation=cv2.INTER_CUBIC))
        if len(pictures) == frames:
            break
    return open_video(write_pictures(folder / "clip.mp4", pictures), label="subject video 1")


def model_of(cast: CastVideo, engines: Engines) -> SwapModel:
    """An untrained network with the mean faces of both people."""
    size, wanted = round(PRESET.size * CROP_MARGIN), set(usable_frames(cast)[:20])
    subject: list[AlignedFace] = []
    for frame in read_frames(cast.source):
        face = cast.person_face(frame.index)
        if frame.index in wanted and face is not None and (points := face.landmarks_xy) is not None:
            subject.append(align(frame.index, frame.image_rgb, points, size, margin=CROP_MARGIN))
    portrait, mesh = donor_portrait(), FaceMesh(video=False)
    points = mesh.landmarks(portrait, engines.leading.detect(portrait).boxes_xyxy[0])
    assert points is not None
    donor = [align(0, portrait, points[:, :2], size, margin=CROP_MARGIN)]
    torch.manual_seed(0)
    model = SwapModel(PRESET).eval()
    people = (("subject", subject), ("donor", donor))
    model.set_priors({who: make_prior(f, np.ones(len(f)), margin=CROP_MARGIN) for who, f in people})  # type: ignore[misc]
    return model


def passed(source: SourceVideo, engines: Engines, folder: Path) -> tuple[Timer, tuple[object, ...]]:
    """Finding, rendering and measuring, as a run does them; where the time went, and what came out."""
    timer, done, path = Timer(), RenderedPass(), folder / "released.mp4"
    faces = find_faces(source, engines=engines, progress=SILENT, clock=timer.watch("finding faces"))
    person = name_person([faces], who="subject")
    [cast] = videos_of(person, [], [source], [faces])
    model, clock = model_of(cast, engines), timer.watch("rendering")
    part = part_of(cast, person.average, [], model=model, engines=engines, clock=clock)
    with SILENT.step("", None) as step:
        render_video([part], path, done, step=step, clock=clock)
    clock = timer.watch("measuring")
    with clock.running(source.facts.frame_count):
        observed = observe(
            cast, open_video(path, label="released video 1"), done, engines=engines, progress=SILENT, clock=clock,
            canaries=known_faces(engines, seed=0, videos=1), outsider=outsider_of(model),
            rebuild=(functools.partial(rebuild_face, model), PRESET.size),
        )  # fmt: skip
    numbers = [np.nan_to_num(one).tobytes() for one in observed.arrays()]
    return timer, (sha256_file(path), done.ledger, numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, nargs="?", default=SAMPLES / "talking_head/clm_manA_cap13.mp4")
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--height", type=int)
    parser.add_argument("--rounds", type=int, default=2)
    asked = parser.parse_args()
    if not asked.clip.exists():
        print("not run: no clip was given, and the samples are not there")
        return
    silence_native_stderr()
    prepare_runtime("cpu")
    rates: dict[tuple[str, str], list[float]] = {}
    came_out: dict[str, tuple[object, ...]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = cut(asked.clip, folder, asked.frames, asked.height)
        for number in range(asked.rounds):
            for way in list(WAYS)[:: -1 if number % 2 else 1]:  # neither is always the first
                with patch("deid_audit.pipeline.cast.frames_ahead", WAYS[way]):
                    timer, came_out[way] = passed(source, load_engines("cpu"), folder)
                for stage in profile_of(timer):
                    rates.setdefault((stage.stage, way), []).append(stage.frames / stage.seconds)
                print(way, file=sys.stderr)
                print_profile(profile_of(timer))
    facts, load = source.facts, os.getloadavg()[1]
    print(f"{facts.width}x{facts.height}, {facts.frame_count} frames; other work: load {load:.0f}\n")
    print(f"| frames/s | {' | '.join(WAYS)} |\n|---{'|---' * len(WAYS)}|")
    for stage in dict.fromkeys(stage for stage, _ in rates):
        cells = (", ".join(f"{rate:.2f}" for rate in rates[stage, way]) for way in WAYS)
        print(f"| {stage} | {' | '.join(cells)} |")
    first, second = came_out.values()
    print("\nfile, ledger and descriptors: " + ("the same" if first == second else "NOT the same"))


if __name__ == "__main__":
    main()
