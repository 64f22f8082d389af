"""A face that another one hides: where it was last seen stays covered for a while, and where it comes out again.

Comes after tracking and asks for places, not for tracks: where faces meet, a track may go on with the one in front. Of
a face half behind another the tracker loses sight, but whoever looks at the frame does not.
"""

from collections.abc import Sequence

from deid_audit.faces.track import VideoFaces, held
from deid_audit.frames import TrackedFace
from deid_audit.vision.detectors import overlap_of_smaller

# Of the smaller box. Less is no face in front; more is the same face, a frame later or found twice.
_TOUCHING, _SAME_FACE = 0.05, 0.6
_MOVED = 0.2  # a face that moves by up to four fifths of its width from frame to frame is followed
HELD = "behind another face"


def hold_hidden(faces: VideoFaces, *, frames: int) -> VideoFaces:
    """The same faces, and those that vanish or appear at another one, held at their place for up to `frames` frames.

    Before it appears a place is held only as long as the other face is at it.
    """
    seen = [[face for face in row if not face.filled] for row in faces.frames]
    more: list[TrackedFace] = []
    for index, row in enumerate(seen):
        for face in row:
            for way in (1, -1):
                first = index + way
                if not 0 <= first < len(seen) or not _hidden(face, row, faces.frames[first]):
                    continue
                for at in range(first, first + way * frames, way):
                    if not 0 <= at < len(seen) or (way < 0 and not _touched(face, seen[at])):
                        break
                    more.append(held(face, at, HELD))
    return faces.with_more(more)


def _hidden(face: TrackedFace, beside: Sequence[TrackedFace], next_row: Sequence[TrackedFace]) -> bool:
    """Whether the face is not there in the next frame, and another face is in front."""
    there = [one for one in next_row if not one.filled]
    passing = {one.track_id for one in beside if overlap_of_smaller(face.box_xyxy, one.box_xyxy) < _SAME_FACE}
    return (
        not any(
            overlap_of_smaller(face.box_xyxy, one.box_xyxy) >= _SAME_FACE and one.track_id not in passing
            for one in there
        )
        and not any(one.track_id == face.track_id and _goes_on(face, one, there) for one in next_row)
        and _touched(face, [*beside, *there])
    )


def _goes_on(face: TrackedFace, later: TrackedFace, there: Sequence[TrackedFace]) -> bool:
    """Whether its own track has only moved on: filled in between, or near, and not on somebody else's face."""
    if later.source == "interpolated":
        return True
    taken = any(
        one.track_id != face.track_id and overlap_of_smaller(later.box_xyxy, one.box_xyxy) >= _SAME_FACE
        for one in there
    )
    return not taken and not later.filled and overlap_of_smaller(face.box_xyxy, later.box_xyxy) >= _MOVED


def _touched(face: TrackedFace, row: Sequence[TrackedFace]) -> bool:
    return any(_TOUCHING < overlap_of_smaller(face.box_xyxy, one.box_xyxy) < _SAME_FACE for one in row)
