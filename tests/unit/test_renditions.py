"""Null edit and controls side by side: each is what its encoder alone would give; an error in one ends them all."""

from typing import Any, cast

import numpy as np
import pytest

from deid_audit.faces.track import VideoFaces
from deid_audit.findings import Of
from deid_audit.frames import Frame, Image
from deid_audit.measure.fidelity import OutsideSimilarity
from deid_audit.pipeline import renditions
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.renditions import Renditions
from deid_audit.progress import SilentProgress
from deid_audit.render.conceal import CONTROLS, grown
from deid_audit.video.encoding import USUAL
from deid_audit.video.reader import open_video, read_frames
from deid_audit.video.writer import roundtrip
from tests.unit.made_videos import make_video

COUNT, LOST = 40, 7
NAMES: tuple[Of, ...] = ("reencoded", "masked", "blurred", "pixelated")


class Watch:
    """Keeps what it is shown; may fail at one frame."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.seen: list[Image] = []
        self.kept: list[tuple[int, float, bool]] = []
        self.fails_at = fails_at

    def see(self, frame: Frame) -> Any:
        assert frame.index == len(self.seen)
        if frame.index == self.fails_at:
            raise RuntimeError("the detector fell over")
        self.seen.append(frame.image_rgb)
        return np.full((478, 3), frame.index, np.float32)

    def keep(self, frame: Frame, points: Any, under: Any, *, wanted: bool) -> None:
        assert points[0, 0] == frame.index
        self.kept.append((frame.index, float(under), wanted))


class Around:
    def __init__(self) -> None:
        self.taken: dict[Of, list[int]] = {}

    def see_edited(self, of: Of, frame: Frame) -> None:
        self.taken.setdefault(of, []).append(frame.index)


class Landmarks:
    def under(self, index: int) -> float:
        return float(index)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> CastVideo:
    source = open_video(make_video(tmp_path_factory.mktemp("v") / "v.mp4", range(0, 40 * COUNT, 40)), label="video 1")
    seen = VideoFaces(frames=((),) * COUNT, cleared_by=((),) * COUNT, described={}, descriptors={})
    return CastVideo(source=source, faces=seen, tracks=frozenset())


def watched(video: CastVideo, watchers: dict[Of, Watch]) -> tuple[Around, OutsideSimilarity]:
    boxes = np.tile(np.float32((20, 10, 60, 50)), (COUNT, 1))
    boxes[LOST] = np.nan
    around, outside = Around(), OutsideSimilarity(boxes=[[]] * COUNT)
    Renditions(
        cast=video, boxes=boxes, watchers=cast(Any, watchers), original=cast(Any, Landmarks()),
        wanted=np.arange(COUNT) % 2 == 0, around=cast(Any, around), outside=outside, encoding=USUAL,
    ).watch(SilentProgress())  # fmt: skip
    return around, outside


def edited(video: CastVideo, of: Of) -> list[Image]:
    """The same, one after the other, as a file would hold it."""
    box, control = grown(np.float32((20, 10, 60, 50)), 1.15), CONTROLS.get(of)
    frames = [
        frame
        if control is None or frame.index == LOST
        else Frame(index=frame.index, pts=frame.pts, image_rgb=control(frame.image_rgb, box))
        for frame in read_frames(video.source)
    ]
    return [frame.image_rgb for frame in roundtrip(frames, like=video.source)]


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("names", [NAMES, ("reencoded", "blurred", "pixelated")])
def test_each_rendition_is_what_its_encoder_alone_gives(
    video: CastVideo, monkeypatch: pytest.MonkeyPatch, names: tuple[Of, ...], depth: int
) -> None:
    monkeypatch.setattr(renditions, "depth_of", lambda source: depth)
    watchers = {name: Watch() for name in names}
    around, outside = watched(video, watchers)
    for name, watch in watchers.items():
        np.testing.assert_array_equal(np.stack(watch.seen), np.stack(edited(video, name)))
    assert around.taken == {name: list(range(COUNT)) for name in names if name != "masked"}
    assert watchers["reencoded"].kept == [(at, float(at), at % 2 == 0) for at in range(COUNT)]
    assert not any(watch.kept for name, watch in watchers.items() if name != "reencoded")
    assert len(outside.row()) == COUNT and outside.row().min() > 0.9


@pytest.mark.parametrize("broken", NAMES)
def test_an_error_in_one_ends_all_of_them(video: CastVideo, broken: Of) -> None:
    watchers = {name: Watch(fails_at=20 if name == broken else None) for name in NAMES}
    with pytest.raises(RuntimeError, match="fell over"):
        watched(video, watchers)
    assert len(watchers[broken].seen) == 20
