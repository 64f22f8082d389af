"""How much burned-in text the search finds on real clips, and what it takes for text there, in one run.

    python benchmarks/burned_in_text.py --lines 4

Three seconds of every sample clip (DEID_AUDIT_SAMPLES) are searched as they are: whatever is found is counted as false,
though one clip bears a maker's name. Then lines of text are burned in, one by one, in fonts, sizes, colours and places
drawn by chance, encoded with x264 and searched again. A line counts where nine tenths of it lie in what was found; one
whose colour is within 60 levels of its ground cannot be read and is left out.
"""

import argparse
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice, takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common.pairs import SAMPLES

sys.path.append(str(Path(__file__).resolve().parents[1]))  # overlays stand with the tests; a package stays in front

from deid_audit.errors import VideoError
from deid_audit.frames import Frame, Image
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.vision.overlay_text import Box
from deid_audit.vision.standing_text import StandingText
from tests.e2e.short_clips import write_pictures
from tests.unit.overlays import FONTS, TEXTS, Overlay, burned_in, share_found

SECONDS, RATE, LEAST_CONTRAST, FOUND = 3, 4, 60, 0.9
SIZES_PX = (10, 12, 14, 18, 24, 30, 40)
COLOURS = ((255, 255, 255), (255, 255, 0), (0, 0, 0), (0, 255, 0), (235, 235, 235), (200, 0, 0))
GROUNDS = ("plain", "plain", "outline", "box")


def sampled(video: SourceVideo) -> list[Image]:
    """Four frames a second of the clip's beginning, with even sides."""
    kept: list[Image] = []
    within = takewhile(lambda pair: pair[1] < SECONDS, zip(read_frames(video), video.times_s, strict=True))
    for frame, time_s in within:
        if time_s >= len(kept) / RATE:
            height, width = (side - side % 2 for side in frame.image_rgb.shape[:2])
            kept.append(np.ascontiguousarray(frame.image_rgb[:height, :width]))
    return kept


def search(images: list[Image]) -> list[Box]:
    found = StandingText([at / RATE for at in range(len(images))])
    for at, image in enumerate(images):
        found.see(Frame(index=at, pts=at, image_rgb=image))
    return [one.box_xyxy for one in found.finish()]


def overlays(chance: random.Random, image: Image) -> Iterator[Overlay]:
    """Lines that fit into the picture, near its top or bottom, and can be read."""
    height, width = image.shape[:2]
    while True:
        one = Overlay(
            text=chance.choice(TEXTS),
            font=chance.choice(FONTS),
            capital_px=chance.choice(SIZES_PX),
            colour=chance.choice(COLOURS),
            ground=chance.choice(GROUNDS),  # type: ignore[arg-type]
            xy=(chance.randrange(5, max(6, width // 3)), 0),
        )
        _, (_, top, right, bottom) = burned_in(image, one)
        room = height - (bottom - top) - 10
        if right > width - 5 or room < height // 2:
            continue
        y = chance.choice((chance.randrange(5, height // 5), chance.randrange(room - height // 6, room)))
        one = replace(one, xy=(one.xy[0], y))
        left, top, right, bottom = burned_in(image, one)[1]
        ground = image[top:bottom, left:right].astype(int)
        if one.ground != "plain" or np.abs(ground - one.colour).max(2).mean() >= LEAST_CONTRAST:
            yield one


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=4, help="lines burned into every clip")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    chance = random.Random(asked.seed)
    shares: dict[int, list[float]] = {size: [] for size in SIZES_PX}
    clips = false = seconds = 0
    spent_s = 0.0
    for path in sorted(p for p in SAMPLES.rglob("*") if p.suffix in {".mp4", ".mkv", ".mov", ".mpg"}):
        try:
            images = sampled(open_video(path, label="a clip"))
        except VideoError:  # one of the samples is no video
            continue
        if len(images) < RATE:
            continue
        started = time.perf_counter()
        found = search(images)
        spent_s += time.perf_counter() - started
        clips, false, seconds = clips + 1, false + len(found), seconds + len(images) // RATE
        if found:
            print(f"{path.relative_to(SAMPLES)}: {found}")
        with TemporaryDirectory() as folder:
            for one in islice(overlays(chance, images[0]), asked.lines):
                written = write_pictures(Path(folder) / "v.mp4", [burned_in(i, one)[0] for i in images], rate=RATE)
                named = [frame.image_rgb for frame in read_frames(open_video(written, label="a clip"))]
                share = share_found(search(named), burned_in(images[0], one)[1], images[0].shape)
                shares[one.capital_px].append(share)
                if share < FOUND:
                    print(f"  {share:.2f} of {one} in {path.relative_to(SAMPLES)}")
    for size, row in shares.items():
        print(f"{size} px: {sum(share >= FOUND for share in row)} of {len(row)}")
    every = [share for row in shares.values() for share in row]
    print(f"in all: {sum(share >= FOUND for share in every)} of {len(every)}")
    print(f"taken for text: {false} places in {clips} clips, {seconds} s; {spent_s / seconds:.2f} s a second of video")


if __name__ == "__main__":
    main()
