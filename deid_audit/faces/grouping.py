"""Which tracks are one person's: those whose descriptors are near each other, and who are not in two places at once.

Comes before people are named; a track is in one group. Groups join by the mean distance between their tracks, not by
that of their averages: the average of several people is a face that everybody is near.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist, squareform

from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Float
from deid_audit.vision.detectors import overlap_of_smaller

# Measured on four clips with 2, 2, 2 and about 10 people, 40 tracks, who is who told by eye: with groups joined by
# their averages 28 of the crowd's 30 tracks became one person; so joined, every group with a sharply seen face is of
# one person. What is left together: a blurred woman and 21 frames of two others, a woman and the back of a head.
SAME_PERSON = 0.5
# The same rule lets a mirror, a screen or a photo be the person's own: two tracks of one boy, seen apart while the
# tracker lost him, are at 0.11 and 0.17; two people seen sharply at once are at 0.38 or more.
_TWICE_AT_ONCE = 0.3
_AT_ONCE_FRAMES = 3  # frames of two tracks seen apart; fewer may be a track that jumps
_SAME_PLACE = 0.3  # of the smaller box
_NEVER = 1e6  # so far that no mean brings it back under the limit

TrackRows = tuple[int, int, Float]  # video, track, descriptors (n, 128)


def grouped(videos: Sequence[VideoFaces], tracks: Sequence[TrackRows]) -> list[list[TrackRows]]:
    """The tracks, those of one person together; whatever order they are given in, the groups are the same."""
    if len(tracks) < 2:
        return [list(tracks)] if tracks else []
    ordered = sorted(tracks, key=lambda track: track[:2])
    apart = squareform(pdist(np.stack([rows.mean(0) for _, _, rows in ordered])))
    at = {track[:2]: position for position, track in enumerate(ordered)}
    for video, faces in enumerate(videos):
        for (one, other), frames in seen_apart(faces).items():
            pair = at.get((video, one)), at.get((video, other))
            if None not in pair and frames >= _AT_ONCE_FRAMES and apart[pair] > _TWICE_AT_ONCE:
                apart[pair] = apart[pair[::-1]] = _NEVER
    labels = fcluster(linkage(squareform(apart, checks=False), "average"), SAME_PERSON, "distance")
    return [
        [track for track, mine in zip(ordered, labels, strict=True) if mine == label] for label in np.unique(labels)
    ]


def seen_apart(faces: VideoFaces) -> Counter[tuple[int, int]]:
    """For pairs of tracks, the smaller id first: in how many frames both are really seen, at different places."""
    found: Counter[tuple[int, int]] = Counter()
    for row in faces.frames:
        seen = sorted((face for face in row if not face.filled), key=lambda face: face.track_id)
        for one, other in combinations(seen, 2):
            if one.track_id != other.track_id and overlap_of_smaller(one.box_xyxy, other.box_xyxy) < _SAME_PLACE:
                found[one.track_id, other.track_id] += 1
    return found
