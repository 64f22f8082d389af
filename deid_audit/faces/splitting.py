"""Tracks that change hands: where two people cross, a track may begin on one of them and end on the other.

Comes after tracking and before people are told apart. Parts of one person's track are joined again where they look
alike; one that does not (turned away, another light) is nobody known, and is covered.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float, TrackedFace

_WINDOW = 8  # described frames on each side of a change: fewer say little about who it is
_OTHER_PERSON = 0.5  # distance of the average descriptors of both sides
_BLOCK = 1024  # rows that are looked at together


def split_tracks(faces: VideoFaces) -> VideoFaces:
    """The same faces, each track with one person's descriptors only; later parts get track ids of their own."""
    described, descriptors = dict(faces.described), dict(faces.descriptors)
    taken = [face.track_id for row in faces.frames for face in row]
    next_id = max((*descriptors, *taken), default=-1) + 1
    moved: dict[int, list[tuple[int, int]]] = {}  # track: (first frame, id of the part that begins there)
    for track, rows in faces.descriptors.items():
        cuts = changes(rows)
        if not cuts:
            continue
        at = faces.described[track]
        starts = [0, *cuts, len(rows)]
        parts = list(pairwise(starts))
        described[track], descriptors[track] = at[: cuts[0]], rows[: cuts[0]]
        for first, end in parts[1:]:
            described[next_id], descriptors[next_id] = at[first:end], rows[first:end]
            # what lies between the last frame of one and the first of the other is the newcomer's: nobody is named yet
            moved.setdefault(track, []).append((at[first - 1] + 1, next_id))
            next_id += 1
    if not moved:
        return faces
    frames = tuple(tuple(_renamed(face, moved.get(face.track_id, [])) for face in row) for row in faces.frames)
    return VideoFaces(frames=frames, cleared_by=faces.cleared_by, described=described, descriptors=descriptors)


def changes(rows: Float) -> list[int]:
    """Positions in descriptors (n, 128), in order of time, where another person begins."""
    if len(rows) < 2 * _WINDOW:
        return []
    step = _steps(rows)
    best = int(step.argmax())
    if step[best] < _OTHER_PERSON:
        return []
    cut = best + _WINDOW
    return [*changes(rows[:cut]), cut, *(cut + later for later in changes(rows[cut:]))]


def _steps(rows: Float) -> NDArray[np.float64]:
    """How far the averages of `_WINDOW` rows before and after a place are apart, from row `_WINDOW` on: (n,).

    In blocks: over all of a long video the sums would take several times what its descriptors do.
    """
    count, found = len(rows) - 2 * _WINDOW + 1, []
    for start in range(0, count, _BLOCK):
        mine = rows[start : min(start + _BLOCK, count) + 2 * _WINDOW - 1]
        sums = np.concatenate((np.zeros((1, rows.shape[1])), np.cumsum(mine, 0, dtype=np.float64)))
        middle = sums[_WINDOW:-_WINDOW]
        apart = sums[2 * _WINDOW :] - 2 * middle + sums[: len(middle)]
        found.append(np.linalg.norm(apart, axis=1) / _WINDOW)
    return np.concatenate(found)


def _renamed(face: TrackedFace, parts: list[tuple[int, int]]) -> TrackedFace:
    ids = [number for first, number in parts if face.frame_index >= first]
    return replace(face, track_id=ids[-1]) if ids else face
