"""The face landmarks of one rendition of a video, kept as what comes of them: all of them would be 6 kB a frame.

Part of pass 4. Every few seconds the landmarks become signals and the few points that later steps need, and are wiped.
"""

import numpy as np
from numpy.typing import NDArray

from deid_audit.frames import Float
from deid_audit.measure.appearance import LOOK_POINTS, Appearance, Look, appearance_of, joined
from deid_audit.measure.exam.kept_face import KeptFace, joined_faces, kept_face
from deid_audit.measure.expression import FaceSignals, face_signals, joined_signals
from deid_audit.vision.mesh import LANDMARK_COUNT

STRETCH = 256  # frames


class LandmarkTrack:
    """Takes each frame's landmarks (478, 3), and its look where one was taken; gives signals and appearance at the end.

    Single frames do not touch each other in either, so stretch by stretch they come out as they would all at once.
    `lends` keeps the points that another rendition is looked at under.
    """

    def __init__(self, *, lends: bool = False) -> None:
        self._lends = lends
        self._waiting: list[NDArray[np.float32]] = []
        self._looks: list[Look | None] = []
        self._signals: list[FaceSignals] = []
        self._appearance: list[Appearance] = []
        self._kept: list[KeptFace] = []
        self._outlines: list[NDArray[np.float32]] = []

    def add(self, landmarks: NDArray[np.float32], look: Look | None) -> None:
        """The next frame's, NaN where none, and how its face looks; landmarks are overwritten after their stretch."""
        if len(self._waiting) == STRETCH:
            self._reduce()
        self._waiting.append(landmarks)
        self._looks.append(look)

    def under(self, index: int) -> Float:
        """The lent landmarks (478, 2) px of frame `index`, NaN but for a look's; once all frames were added."""
        self._reduce()
        points = np.full((LANDMARK_COUNT, 2), np.nan, np.float32)
        points[list(LOOK_POINTS)] = self._outlines[index // STRETCH][index % STRETCH]
        return points

    def signals(self) -> FaceSignals:
        self._reduce()
        return joined_signals(self._signals)

    def appearance(self) -> Appearance:
        self._reduce()
        return joined(self._appearance)

    def kept_face(self) -> KeptFace:
        self._reduce()
        return joined_faces(self._kept)

    def wipe(self) -> None:
        """Overwrites every landmark, once everything that is kept of them was taken."""
        drawing = [array for look in self._appearance for array in look.arrays()]
        drawing += [array for kept in self._kept for array in kept.arrays()]
        for points in (*self._waiting, *self._outlines, *drawing):
            points.fill(0)

    def _reduce(self) -> None:
        if not self._waiting:
            return
        landmarks = np.stack(self._waiting)
        self._signals.append(face_signals(landmarks))
        self._appearance.append(appearance_of(self._looks, landmarks))
        self._kept.append(kept_face(landmarks))
        if self._lends:
            self._outlines.append(np.ascontiguousarray(landmarks[:, list(LOOK_POINTS), :2]))
        for points in (*self._waiting, landmarks):
            points.fill(0)
        self._waiting, self._looks = [], []
