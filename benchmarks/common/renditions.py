"""A clip as it is, re-encoded, or with the face covered and re-encoded, and the movement that is seen in it."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.pairs import SILENT
from deid_audit.frames import Frame
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.pipeline.tracing import Person, trace
from deid_audit.render.conceal import CONTROLS, grown
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import roundtrip, write_video


def watched(source: SourceVideo, person: Person, control: str = "") -> MotionTracks:
    """The person in the video as it is, re-encoded ("reencoded"), or covered and re-encoded."""
    frames: Iterator[Frame] = read_frames(source)
    if control in CONTROLS:
        frames = covered(frames, person, control)
    if control:
        frames = roundtrip(frames, like=source)
    with SILENT.step("", None) as step:
        return trace(frames, source.times_s, person, step)


def covered(frames: Iterator[Frame], person: Person, control: str) -> Iterator[Frame]:
    for frame in frames:
        box = person.boxes[frame.index]
        image = CONTROLS[control](frame.image_rgb, grown(box, 1.15)) if np.isfinite(box).all() else frame.image_rgb
        yield Frame(index=frame.index, pts=frame.pts, image_rgb=image)


def cut(clip: Path, seconds: float, folder: Path, start_s: float = 0.0) -> SourceVideo:
    """A part of the clip as a file of its own, encoded as a release is."""
    whole = open_video(clip, label="clip")
    first, end = (sum(time < limit for time in whole.times_s) for limit in (start_s, start_s + seconds))
    facts = whole.facts.model_copy(update={"frame_count": end - first})
    frames = (replace(frame, index=frame.index - first) for frame in itertools.islice(read_frames(whole), first, end))
    write_video(folder / "cut.mp4", frames, like=replace(whole, pts=whole.pts[first:end], facts=facts))
    return open_video(folder / "cut.mp4", label="cut")
