"""The stretch between two tracks of one person that stand at one place: what is seen of the face there stays covered.

Comes after people are told apart. A face half behind a pole or a door is lost, and found again in a track of its own.
"""

from collections.abc import Collection
from itertools import pairwise

from deid_audit.faces.track import VideoFaces, held
from deid_audit.frames import TrackedFace
from deid_audit.vision.detectors import overlap_of_smaller

_SAME_PLACE = 0.2  # of the smaller box: elsewhere it is another shot, or a walk that nobody knows the way of
SOURCE = "between two sightings of the person"


def bridge_gaps(faces: VideoFaces, tracks: Collection[int], *, longest: int) -> VideoFaces:
    """The same faces, and one in each frame of gaps of up to `longest` frames in which none of the tracks is seen."""
    seen = [face for row in faces.frames for face in row if face.track_id in tracks and not face.filled]
    more: list[TrackedFace] = []
    for before, after in pairwise(seen):
        gap = range(before.frame_index + 1, after.frame_index)
        if before.track_id == after.track_id or not 0 < len(gap) <= longest:
            continue  # within one track the tracker has filled it
        if overlap_of_smaller(before.box_xyxy, after.box_xyxy) < _SAME_PLACE:
            continue
        for index in gap:
            share = (index - before.frame_index) / (after.frame_index - before.frame_index)
            box = (1 - share) * before.box_xyxy + share * after.box_xyxy
            more.append(held(before, index, SOURCE, box_xyxy=box))
    return faces.with_more(more)
