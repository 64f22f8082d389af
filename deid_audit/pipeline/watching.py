"""Pose and face landmarks of each rendition of a video in pass 4; an original's keypoints are looked for once."""

from collections.abc import Iterable, Iterator
from typing import Self

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Of
from deid_audit.frames import Float, Frame
from deid_audit.measure.appearance import LOOK_POINTS, Appearance, look_at
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.overlap import mapped
from deid_audit.pipeline.landmark_track import LandmarkTrack
from deid_audit.pipeline.original_side import OriginalSide
from deid_audit.timing import Stopwatch
from deid_audit.vision.keypoint_detectors import KeypointBackend, KeypointDetector, KeypointTraits, Window
from deid_audit.vision.mesh import LANDMARK_COUNT, FaceMesh

_WITH_LANDMARKS: tuple[Of, ...] = ("original", "swapped", "reencoded")


class Watcher:
    """Pose and face landmarks of one rendition of a video; both sides get the same boxes (n, 4), turns and modes.

    One thread at a time may show it frames (`see`), and one may `keep` what it saw, a few frames behind.
    """

    def __init__(
        self,
        turns: NDArray[np.int16],
        boxes: Float,
        detector: KeypointDetector | None,
        *,
        face: bool,
        of: Of = "swapped",
        clock: Stopwatch | None = None,
    ) -> None:
        self._clock, self._of = clock or Stopwatch(), of
        self._boxes, self._turns = boxes, turns
        self._detector = detector
        self._mesh = FaceMesh(video=True) if face else None
        self.face = LandmarkTrack(lends=of == "original")

    @property
    def finds_keypoints(self) -> bool:
        return self._detector is not None

    def watched(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, NDArray[np.float32]]]:
        """The frames, each with what `see` gives of it."""
        return mapped(lambda frame: (frame, self.see(frame)), frames)

    def see(self, frame: Frame) -> NDArray[np.float32]:
        """Looks at the next frame; gives its face landmarks (478, 3), NaN where none."""
        if self._detector is not None:
            with self._clock.part(f"keypoints, {self._of}"):
                self._detector.add(frame.image_rgb, self._boxes[frame.index])
        points = None
        if self._mesh is not None and np.isfinite(self._boxes[frame.index]).all():
            turn = float(self._turns[frame.index])
            with self._clock.part(f"mesh, {self._of}"):
                points = self._mesh.landmarks(frame.image_rgb, self._boxes[frame.index], turn_degrees=turn)
        return np.full((LANDMARK_COUNT, 3), np.nan, np.float32) if points is None else points

    def keep(self, frame: Frame, points: NDArray[np.float32], under: NDArray[np.float32], *, wanted: bool) -> None:
        """Keeps what was seen of the frame, and, where it is wanted, how the face looks under landmarks (478, 2 or 3).

        `points` are overwritten some frames later.
        """
        seen = wanted and bool(np.isfinite(under[list(LOOK_POINTS)]).all())
        self.face.add(points, look_at(frame.image_rgb, under[:, :2]) if seen else None)

    def appearance(self) -> Appearance:
        return self.face.appearance()

    def pose_track(self, traits: KeypointTraits) -> PoseTrack | None:
        """The body's keypoints, None when the detector knows nothing of this rendition; asked for once."""
        if self._detector is None:
            return None
        keypoints, area = self._detector.finish()
        return PoseTrack(keypoints=keypoints, area=area, traits=traits)

    def signals(self) -> FaceSignals:
        return self.face.signals()

    def wipe(self) -> None:
        """Overwrites the landmarks, once everything that is kept of them was taken."""
        self.face.wipe()


class Watchers:
    """The watchers of one round of one video; keypoints that `side` knows already are not looked for again.

    As a context: however it is left, every landmark that its watchers keep is overwritten.
    """

    def __init__(
        self,
        side: OriginalSide,
        turns: NDArray[np.int16],
        boxes: Float,
        keypoints: KeypointBackend,
        window_xyxy: Window | None,
        clock: Stopwatch,
    ) -> None:
        self._again = side.knows(boxes)
        self._made: list[Watcher] = []
        self._side, self._turns, self._boxes = side, turns, boxes
        self._keypoints, self._window, self._clock = keypoints, window_xyxy, clock

    def of(self, of: Of) -> Watcher:
        """A fresh watcher."""
        known = self._again and of != "swapped"
        self._made.append(
            Watcher(
                self._turns,
                self._boxes,
                None if known else self._keypoints.start(of, window_xyxy=self._window),
                face=of in _WITH_LANDMARKS,
                of=of,
                clock=self._clock,
            )
        )
        return self._made[-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for watcher in self._made:
            watcher.wipe()

    def pose_of(self, of: Of, watcher: Watcher) -> PoseTrack | None:
        """The body's keypoints as `watcher` found them, or as an earlier round did; asked for once."""
        if of == "swapped":
            return watcher.pose_track(self._keypoints.traits)
        if not self._again:
            self._side.poses[of] = watcher.pose_track(self._keypoints.traits)
        return self._side.poses[of]
