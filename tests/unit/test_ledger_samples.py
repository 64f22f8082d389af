"""On the real clips: every decoded frame has one state and a reason, and the counts add up."""

import csv
import io
from collections import Counter
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from deid_audit.frames import Frame, Image
from deid_audit.ledger import State, csv_lines
from deid_audit.pipeline.cast import find_faces
from deid_audit.pipeline.concealing import covered_entry, with_cover
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.finishing import confirmed, judged, ledger_record
from deid_audit.pipeline.rendering import RenderedPass
from deid_audit.pipeline.searching import ReleasedSearch
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import open_video, read_frames
from tests.conftest import NoCanaries
from tests.e2e.short_clips import write_pictures
from tests.sample_clips import SAMPLES

pytestmark = pytest.mark.samples
FRAMES, LONGEST_PX = 4, 480
CLIPS = sorted(path for path in SAMPLES.rglob("*") if path.suffix in {".mp4", ".mkv", ".mov", ".mpg"})


def prefix(clip: Path, folder: Path) -> Path:
    """The first frames of a clip at a size that is soon searched."""
    pictures: list[Image] = []
    with av.open(str(clip)) as container:
        for frame in container.decode(video=0):
            image = np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
            scale = min(1.0, LONGEST_PX / max(image.shape[:2]))
            size = tuple(max(2, round(side * scale) // 2 * 2) for side in image.shape[1::-1])
            pictures.append(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
            if len(pictures) == FRAMES:
                break
    return write_pictures(folder / "prefix.mp4", pictures)


@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.name)
def test_the_states_of_a_real_clip_add_up_to_the_frames_decoded(clip: Path, engines: Engines, tmp_path: Path) -> None:
    source = open_video(prefix(clip, tmp_path), label="clip")
    faces = find_faces(source, engines=engines, progress=SilentProgress())
    done = RenderedPass(ledger=[covered_entry(at, time, faces, "mask") for at, time in enumerate(source.times_s)])
    search = ReleasedSearch(engines, NoCanaries(faces=[], seed=0), done)
    for frame in read_frames(source):
        covered = with_cover(frame.image_rgb, [face.box_xyxy for face in faces.frames[frame.index]], "mask")
        search.see(frame, Frame(index=frame.index, pts=frame.pts, image_rgb=covered))
    search.close()
    ledger = []
    for entry, looked in zip(done.ledger, search.regions, strict=True):
        if not entry.regions:
            ledger.append(confirmed(entry, search.second_look[entry.index]))
            continue
        assert all(
            judged(region, distance=float("nan"), detail=seen.detail).state is State.CONCEALED
            for region, seen in zip(entry.regions, looked, strict=True)
        )
        ledger.append(entry)
    [video] = ledger_record([ledger]).videos
    assert sum(video.states.values()) == video.frames == source.facts.frame_count == len(search.sighted)
    rows = list(csv.DictReader(io.StringIO("".join(csv_lines([ledger])))))
    frames = {row["frame"]: row["state"] for row in rows}
    assert len(frames) == source.facts.frame_count
    assert Counter(frames.values()) == {state: count for state, count in video.states.items() if count}
    assert all(row["reason"] and row["decided_by"] for row in rows)
