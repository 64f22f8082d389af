"""Collects what a few frames of each video show of the face alone and around it, for controls and attacks.

Part of pass 4: released frames, originals, lesser edits and other people. What it means is `measure`'s.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.align import align, apply
from deid_audit.findings import Of
from deid_audit.frames import AlignedFace, Float, Frame, Image
from deid_audit.measure.outside import FRAMES, Surroundings, face_in_grey
from deid_audit.measure.sampled import NO_FEATURES, SampledFaces, evenly
from deid_audit.measure.texture import inner_chip
from deid_audit.pipeline.cast import CastVideo, Role, usable_frames
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.outsider import Imitation, Outsider, seen_by_outsider
from deid_audit.progress import Progress
from deid_audit.video.reader import read_frames
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import Recognizer

_INSIDE: frozenset[Of] = frozenset({"original", "reencoded"})

Rebuild = Callable[[AlignedFace], Image]
"""A released face as the subject's decoder knows the subject: uint8 (S, S, 3)."""


class SampledFrames:
    """Chips of one video's sampled frames, before and after; `swapped` bool (n,) marks the frames in question.

    `rebuild` and its crop's side in px are given where a model of this run exists.
    """

    def __init__(
        self,
        cast: CastVideo,
        swapped: NDArray[np.bool_],
        engines: Engines,
        rebuild: tuple[Rebuild, int] | None = None,
        outsider: Outsider | None = None,
    ) -> None:
        usable = [index for index in usable_frames(cast) if swapped[index]]
        self._wanted = _spread(usable)
        self._cast, self._recognizer, self._rebuild = cast, engines.recognizer, rebuild
        self._whole: dict[Of, list[Image]] = {}
        self._inside: dict[Of, list[Image]] = {}
        self._attacker = engines.attacker
        self._attacked: dict[Of, list[Float]] = {}
        self._as_outsider: list[Float] = []
        self._mesh: FaceMesh | None = None
        self._imitation: Imitation | None = None
        self._imitated: list[Float] = []
        self._inside_imitated: list[Image | None] = []
        self._rebuilt: list[Image] = []
        self._unaided: list[Image] = []
        self._released: list[Image] = []
        self._original: list[Image] = []
        self._others: list[Image] = []
        self._times: list[float] = []
        if outsider is not None:
            known = [self._points(index) for index in sorted(self._wanted)]
            self._mesh = FaceMesh(video=False)
            self._imitation = Imitation(outsider, known, mesh=self._mesh, recognizer=engines.recognizer)

    def see(self, before: Frame, after: Frame, found_xy: Float) -> None:
        """Takes the chips of this frame, when it is one of the sample; `found_xy` (478, 2 or 3) are the landmarks found
        on the released face, NaN where none were.
        """
        if before.index not in self._wanted:
            return
        points = self._points(before.index)
        self._times.append(self._cast.source.times_s[before.index])
        self._original.append(_chip(self._recognizer, before.image_rgb, points))
        self._released.append(_chip(self._recognizer, after.image_rgb, points))
        self.see_edited("original", before)
        self._inside.setdefault("swapped", []).append(inner_chip(after.image_rgb, points))
        self._attack("swapped", after, points)
        found = found_xy if np.isfinite(found_xy).all() else None
        self._as_outsider.append(seen_by_outsider(after.image_rgb, found, self._recognizer))
        if self._imitation is not None:
            imitated = self._imitation.swap(before.image_rgb, points)
            self._imitated.append(self._imitation.see(imitated, points))
            self._inside_imitated.append(None if imitated is None else inner_chip(imitated, points))
        if self._rebuild is not None:
            rebuild, size = self._rebuild
            face = align(after.index, after.image_rgb, points, size)
            at = np.asarray(apply(face.frame_to_crop, points), np.float32)
            self._rebuilt.append(self._recognizer.chip_from_mesh(rebuild(face), at))
            self._unaided.append(self._recognizer.chip_from_mesh(face.crop_rgb, at))
        for other in self._cast.faces.frames[before.index]:
            landmarks = other.landmarks_xy
            if other.track_id not in self._cast.tracks and landmarks is not None and not other.filled:
                self._others.append(_chip(self._recognizer, before.image_rgb, landmarks))

    def see_edited(self, of: Of, frame: Frame) -> None:
        """Takes the face of an edit of the original, when the frame is one of the sample."""
        if frame.index in self._wanted:
            points = self._points(frame.index)
            self._whole.setdefault(of, []).append(self._recognizer.chip_from_mesh(frame.image_rgb, points))
            if of in _INSIDE:
                self._inside.setdefault(of, []).append(inner_chip(frame.image_rgb, points))
                self._attack(of, frame, points)

    def _attack(self, of: Of, frame: Frame, points: Float) -> None:
        if self._attacker is not None:
            self._attacked.setdefault(of, []).append(self._attacker.describe(frame.image_rgb, points))

    def _points(self, index: int) -> Float:
        mine = self._cast.person_face(index)
        landmarks = None if mine is None else mine.landmarks_xy
        assert landmarks is not None  # `usable_frames` saw to it
        return landmarks

    def sampled(self) -> SampledFaces:
        """The faces themselves, described; the chips are kept as grey pictures of the face alone. Asked for once."""
        if self._mesh is not None:
            self._mesh.close()
        if self._imitation is not None:
            self._imitation.wipe()
        return SampledFaces(
            times_s=np.array(self._times, np.float64),
            described={of: self._described(chips) for of, chips in self._whole.items()},
            inside=self._inside,
            rebuilt=self._described(self._rebuilt),
            unaided=self._described(self._unaided),
            attacker={of: np.stack(rows) for of, rows in self._attacked.items()},
            released=np.stack(self._as_outsider) if self._as_outsider else NO_FEATURES.copy(),
            imitated=np.stack(self._imitated) if self._imitated else NO_FEATURES.copy(),
            inside_imitated=tuple(self._inside_imitated),
        )

    def around(self) -> Surroundings:
        """What stands around the face, described."""
        return Surroundings(
            released=self._described(self._released),
            original=self._described(self._original),
            times_s=np.array(self._times, np.float64),
            others=self._described(self._others),
        )

    def _described(self, chips: Sequence[Image]) -> Float:
        """Descriptors (n, 128); the pictures are overwritten, nobody needs them any more."""
        rows = self._recognizer.describe(chips)
        for chip in chips:
            chip.fill(0)
        return rows


def around_the_donor(donor: Role, *, engines: Engines, progress: Progress) -> Float:
    """Descriptors (n, 128) of the donor's surroundings, with the face in grey, on frames spread over each video."""
    chips: list[Image] = []
    for video in donor.videos:
        wanted = _spread(usable_frames(video))
        with progress.step(f"around the face, {video.source.label}", video.source.facts.frame_count) as step:
            for frame in read_frames(video.source):
                face = video.person_face(frame.index) if frame.index in wanted else None
                if face is not None and (landmarks := face.landmarks_xy) is not None:
                    chips.append(_chip(engines.recognizer, frame.image_rgb, landmarks))
                step.advance()
    return engines.recognizer.describe(chips)


def _chip(recognizer: Recognizer, image_rgb: Image, landmarks_xy: Float) -> Image:
    """The chip of a face that is filled in grey."""
    return recognizer.chip_from_mesh(face_in_grey(image_rgb, landmarks_xy), landmarks_xy)


def _spread(indices: Sequence[int]) -> frozenset[int]:
    """At most `FRAMES` of them, evenly."""
    return frozenset(indices[place] for place in evenly(len(indices), FRAMES))
