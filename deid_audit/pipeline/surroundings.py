"""Collects what stands around the face, with the face in grey: of the released frames, the originals and other people.

Part of pass 4; what it means is `measure/outside.py`'s.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float, Frame, Image
from deid_audit.measure.outside import FRAMES, Surroundings, face_in_grey
from deid_audit.pipeline.cast import CastVideo, Role, usable_frames
from deid_audit.pipeline.engines import Engines
from deid_audit.progress import Progress
from deid_audit.video.reader import read_frames
from deid_audit.vision.recognizer import Recognizer


class AroundTheFace:
    """Chips of one video's sampled frames, before and after; `swapped` bool (n,) marks the frames in question."""

    def __init__(self, cast: CastVideo, swapped: NDArray[np.bool_], engines: Engines) -> None:
        usable = [index for index in usable_frames(cast) if swapped[index]]
        self._wanted = _spread(usable)
        self._cast, self._recognizer = cast, engines.recognizer
        self._released: list[Image] = []
        self._original: list[Image] = []
        self._others: list[Image] = []
        self._times: list[float] = []

    def see(self, before: Frame, after: Frame) -> None:
        """Takes the chips of this frame, when it is one of the sample."""
        if before.index not in self._wanted:
            return
        mine = self._cast.person_face(before.index)
        assert mine is not None and mine.landmarks_xy is not None  # `usable_frames` saw to it
        self._times.append(self._cast.source.times_s[before.index])
        self._original.append(_chip(self._recognizer, before.image_rgb, mine.landmarks_xy))
        self._released.append(_chip(self._recognizer, after.image_rgb, mine.landmarks_xy))
        for face in self._cast.faces.frames[before.index]:
            if face.track_id not in self._cast.tracks and face.landmarks_xy is not None and not face.filled:
                self._others.append(_chip(self._recognizer, before.image_rgb, face.landmarks_xy))

    def described(self) -> Surroundings:
        describe = self._recognizer.describe
        return Surroundings(
            released=describe(self._released),
            original=describe(self._original),
            times_s=np.array(self._times, np.float64),
            others=describe(self._others),
        )


def around_the_donor(donor: Role, *, engines: Engines, progress: Progress) -> Float:
    """Descriptors (n, 128) of the donor's surroundings, with the face in grey, on frames spread over each video."""
    chips: list[Image] = []
    for video in donor.videos:
        wanted = _spread(usable_frames(video))
        with progress.step(f"around the face, {video.source.label}", video.source.facts.frame_count) as step:
            for frame in read_frames(video.source):
                face = video.person_face(frame.index)
                if frame.index in wanted and face is not None and face.landmarks_xy is not None:
                    chips.append(_chip(engines.recognizer, frame.image_rgb, face.landmarks_xy))
                step.advance()
    return engines.recognizer.describe(chips)


def _chip(recognizer: Recognizer, image_rgb: Image, landmarks_xy: Float) -> Image:
    """The chip of a face that is filled in grey."""
    return recognizer.chip_from_mesh(face_in_grey(image_rgb, landmarks_xy), landmarks_xy)


def _spread(indices: Sequence[int]) -> frozenset[int]:
    """At most `FRAMES` of them, evenly."""
    places = np.linspace(0, len(indices) - 1, min(FRAMES, len(indices))).round().astype(int)
    return frozenset(indices[place] for place in places)
