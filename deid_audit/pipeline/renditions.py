"""Pass 4's other half: null edit and controls of the original, each through an encoder of its own in memory, watched.

They go side by side, so that the original is decoded once for all of them; none becomes a file.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Frame
from deid_audit.measure.fidelity import OutsideSimilarity
from deid_audit.overlap import ahead, mapped
from deid_audit.pipeline.cast import CastVideo, depth_of
from deid_audit.pipeline.landmark_track import LandmarkTrack
from deid_audit.pipeline.surroundings import SampledFrames
from deid_audit.pipeline.watching import Watcher
from deid_audit.progress import Progress
from deid_audit.render.conceal import CONTROLS, grown
from deid_audit.timing import Stopwatch
from deid_audit.video.encoding import Encoding
from deid_audit.video.reader import read_frames
from deid_audit.video.writer import Roundtrip

_CONTROL_BOX = 1.15  # landmarks end at the skin; a face box of the field's tools is a little wider

Made = dict[Of, list[Frame]]
"""What comes out of the encoders at once: of each rendition no frame or some, in its order."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Renditions:
    """What is watched, each by a watcher of its own; `boxes` (n, 4) are the subject's, NaN where there is none.

    `original` are the original's landmarks: under them, in the frames that are `wanted` (n,), the null edit's face is
    looked at. `around` takes the sampled frames, `outside` how the rest of the null edit's picture looks.
    """

    cast: CastVideo
    boxes: NDArray[np.float32]
    watchers: Mapping[Of, Watcher]
    original: LandmarkTrack
    wanted: NDArray[np.bool_]
    around: SampledFrames
    outside: OutsideSimilarity
    encoding: Encoding
    clock: Stopwatch = field(default_factory=Stopwatch)

    def watch(self, progress: Progress) -> None:
        """Watches all of them; decoding, encoding, and each half of the renditions in threads of their own."""
        source, clock = self.cast.source, self.clock
        depth = depth_of(source)
        together = min(depth, 1)  # frames of all renditions at once: as few as may be
        first, second = (tuple(self.watchers)[at::2] for at in (0, 1))
        with (
            progress.step(f"null edit and controls, {source.label}", source.facts.frame_count) as step,
            ahead(clock.each("decode", read_frames(source)), depth) as frames,
            ahead(clock.each("edits through the encoder", self._edits(clock.each(None, frames))), together) as made,
            ahead(mapped(lambda one: (one, self._seen(first, one)), made), together) as half,
        ):
            for one, seen in half:
                for of, rows in (seen | self._seen(second, one)).items():
                    for frame, points in zip(one[of], rows, strict=True):
                        self._keep(of, frame, points)
                        if of == "reencoded":
                            step.advance()

    def _edits(self, frames: Iterable[Frame]) -> Iterator[Made]:
        source = self.cast.source
        through = {of: Roundtrip(like=source, encoding=self.encoding) for of in self.watchers}
        for frame in self.outside.remembering(frames):
            yield {of: list(one.put(self._edited(of, frame))) for of, one in through.items()}
        for last in zip_longest(*(one.end() for one in through.values())):
            yield {of: [] if frame is None else [frame] for of, frame in zip(through, last, strict=True)}

    def _edited(self, of: Of, frame: Frame) -> Frame:
        box, control = self.boxes[frame.index], CONTROLS.get(of)
        if control is None or not np.isfinite(box).all():
            return frame
        return Frame(index=frame.index, pts=frame.pts, image_rgb=control(frame.image_rgb, grown(box, _CONTROL_BOX)))

    def _seen(self, some: Iterable[Of], made: Made) -> dict[Of, list[NDArray[np.float32]]]:
        return {of: [self.watchers[of].see(frame) for frame in made[of]] for of in some}

    def _keep(self, of: Of, frame: Frame, points: NDArray[np.float32]) -> None:
        if of != "masked":  # a black box shows no face to describe
            with self.clock.part("sampled frames"):
                self.around.see_edited(of, frame)
        if of != "reencoded":
            return
        with self.clock.part("picture and text"):
            self.outside.compare_remembered(frame)
        with self.clock.part("looks"):
            under, wanted = self.original.under(frame.index), bool(self.wanted[frame.index])
            self.watchers[of].keep(frame, points, under, wanted=wanted)
