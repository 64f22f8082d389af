"""A run that loses nothing and covers burned-in text: outside faces and covers every pixel is the original's."""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from deid_audit.frames import Image
from deid_audit.video.reader import open_video, read_frames
from tests.e2e.short_clips import pictures_of, write_pictures
from tests.e2e.typed import EASY_POLICY, run_arguments
from tests.e2e.warm import WarmCommand

NAME = "SENTINEL 1961"
PLACE = (20, 448, 146, 462)


def named(clip: Path, folder: Path) -> Path:
    """The clip with a name and a year burned in at its bottom."""
    pictures: list[Image] = pictures_of(clip)
    for picture in pictures:
        for colour, thick in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(picture, NAME, (20, 461), cv2.FONT_HERSHEY_SIMPLEX, 0.55, colour, thick, cv2.LINE_AA)
    return write_pictures(folder / "named.mp4", pictures)


def decoded(path: Path) -> Iterator[Image]:
    """As the run decodes it: other settings of the scaler give other pixels of the original's halved chroma."""
    return (frame.image_rgb for frame in read_frames(open_video(path, label="a video")))


def test_nothing_but_faces_and_text_differs_from_the_original(
    warm: WarmCommand, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    subject = named(clips[0], tmp_path)
    (tmp_path / "easy.toml").write_text(EASY_POLICY)
    asked = ("--policy", tmp_path / "easy.toml", "--case-id", "c2", "--lossless", "--burned-in-text", "cover")
    done = warm.run(*run_arguments((subject, clips[1]), tmp_path / "out", *asked), timeout_s=500)
    assert done.status == 0, done.stderr
    predicate = json.loads((tmp_path / "out" / "evidence.json").read_bytes())["predicate"]
    stages = {stage["stage"]: stage for stage in predicate["stages"]}
    assert stages["video"]["settings"]["lossless"] and "lossless" in stages["video"]["method"]
    rows = {row["metric"]: row["value"] for row in predicate["measurements"] if row["of"] == "swapped"}
    assert rows["quality.ssim_outside_worst"] > 0.999999 and rows["text.regions_left"] == 0
    covered = [line["box_xyxy"] for line in predicate["burned_in_text"] if line["covered"]]
    left, top, right, bottom = PLACE
    assert any(x0 <= left and y0 <= top and x1 >= right and y1 >= bottom for x0, y0, x1, y1 in covered)

    frames = (tmp_path / "out" / "audit" / "frames.csv").read_text().splitlines()[1:]
    faces = np.array([[float(edge) for edge in row.split(",")[-4:]] for row in frames if row.split(",")[-1]])
    (x0, y0), (x1, y1) = faces[:, :2].min(0), faces[:, 2:].max(0)
    wide, tall = x1 - x0, y1 - y0
    released = next((tmp_path / "out" / "release").rglob("*.mp4"))
    for before, after in zip(*map(decoded, (subject, released)), strict=True):
        changed = (before != after).any(2)
        assert after[top:bottom, left:right].max() == 0 and changed[top:bottom, left:right].any()
        for line in covered:
            changed[line[1] : line[3], line[0] : line[2]] = False
        rows_yx = (
            slice(max(0, int(y0 - tall / 4)), int(y1 + tall / 4)),
            slice(max(0, int(x0 - wide / 4)), int(x1 + wide / 4)),
        )
        assert changed[rows_yx].any(), "the face is another one"
        changed[rows_yx] = False
        assert not changed.any()
