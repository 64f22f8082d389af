"""Heads of people whose face was not found: sightings of the body detector become regions that must be covered.

A head is accounted for by a face of the same frame that lies in it. Where no face at all was found, one sighting is
enough; beside a found face, where a lap or a pattern may pass for a person, a head must be seen again.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from deid_audit.faces.follow import EDGE_FRAMES
from deid_audit.faces.search import EVERY_FRAMES
from deid_audit.frames import Float, Frame, TrackedFace, packed_place
from deid_audit.vision.heads import HeadFinder, is_near

METHOD_TEXT = (
    "The heads of all visible people are looked for by MediaPipe's body detector in every 3rd frame, and in every "
    "frame without a face or with a head to which no face was found; such a head is a region of its own (beside a "
    "found face once it was seen three times), filled over gaps of up to a second. A head less than half as high as a "
    "found face and straight below it is taken for a pattern on that person's chest."
)
_LEAST_SIGHTINGS = 3  # beside a found face
# In heights of the face, from its centre: medals and collars pass for bodies (one portrait: 1.35 down, 0.04 across).
_CHEST_ACROSS, _CHEST_DOWN = 0.5, (0.8, 2.0)
_SQUARES_EVERY = 4  # looks at the heads of the whole frame for one at its squares, while one person is seen


class HeadWatch:
    """Looks for heads by bodies: in every third frame, and where a face may be hidden.

    `seen` are, by frame, those that no face of it accounts for.
    """

    def __init__(self) -> None:
        self.seen: dict[int, tuple[Float, Float]] = {}
        self._finder = HeadFinder()
        self._open = False
        self._looks = 0
        self._several_until = -1

    def __call__(self, frame: Frame, faces: Sequence[TrackedFace]) -> None:
        if faces and not self._open and frame.index % EVERY_FRAMES:
            return
        several = frame.index <= self._several_until or self._looks % _SQUARES_EVERY == 0
        heads = self._finder.find(frame.image_rgb, several=several)
        self._looks += 1
        if len(heads.boxes_xyxy) > 1 or len(faces) > 1:
            self._several_until = frame.index + EVERY_FRAMES * _SQUARES_EVERY
        alone = [at for at, box in enumerate(heads.boxes_xyxy) if not any(accounts_for(face, box) for face in faces)]
        self._open = bool(alone)
        if alone:
            self.seen[frame.index] = (heads.boxes_xyxy[alone], heads.scores[alone])

    def close(self) -> None:
        self._finder.close()


def accounts_for(face: TrackedFace, head_xyxy: Float) -> bool:
    """Whether a face can be the one of this head, or the head is a pattern on the chest below the face.

    The face's centre lies in the head's box and its size fits; or the head is less than half as large as the face and
    lies where that person's own chest is.
    """
    centre = (face.box_xyxy[:2] + face.box_xyxy[2:]) / 2
    inside = bool((head_xyxy[:2] <= centre).all() and (centre <= head_xyxy[2:]).all())
    height = float(np.ptp(face.box_xyxy[[1, 3]]))
    share = height / max(float(np.ptp(head_xyxy[[1, 3]])), 1e-6)
    across, down = ((head_xyxy[:2] + head_xyxy[2:]) / 2 - centre) / max(height, 1e-6)
    low, high = _CHEST_DOWN
    on_chest = share > 2.0 and abs(float(across)) < _CHEST_ACROSS and low < float(down) < high
    return (inside and 0.25 < share < 2.0) or on_chest


def hidden_heads(
    faces: Sequence[Sequence[TrackedFace]],
    heads: Mapping[int, tuple[Float, Float]],
    shots: Sequence[int],
    *,
    longest_gap: float,
    first_track: int,
) -> list[TrackedFace]:
    """The regions of heads without a face.

    Args:
        faces: Each frame's faces.
        heads: Boxes (n, 4) and scores (n,) of the heads seen, by the index of the frames that were looked at.
        shots: For each frame the number of its shot; nothing is carried from one to the next.
        longest_gap: Frames that a head may go unseen and still be the same.
        first_track: The first free track number.
    """
    chains: list[dict[int, tuple[Float, float]]] = []
    for index in sorted(heads):
        for box, score in zip(*heads[index], strict=True):
            if any(accounts_for(face, box) for face in faces[index]):
                continue
            for chain in chains:
                last = max(chain)
                if last < index <= last + longest_gap and shots[last] == shots[index] and is_near(chain[last][0], box):
                    chain[index] = (box, float(score))
                    break
            else:
                chains.append({index: (box, float(score))})
    found: list[TrackedFace] = []
    for chain in chains:
        if len(chain) >= _LEAST_SIGHTINGS or any(not faces[index] for index in chain):
            number = first_track + len({face.track_id for face in found})
            found += [face for face in _filled(chain, shots, number) if _unaccounted(face, faces[face.frame_index])]
    return found


def _unaccounted(head: TrackedFace, faces: Sequence[TrackedFace]) -> bool:
    return not any(accounts_for(face, head.box_xyxy) for face in faces)


def _filled(chain: Mapping[int, tuple[Float, float]], shots: Sequence[int], number: int) -> list[TrackedFace]:
    seen = sorted(chain)
    low, high = max(0, seen[0] - EDGE_FRAMES), min(len(shots) - 1, seen[-1] + EDGE_FRAMES)
    boxes = np.array([chain[index][0] for index in seen])
    found = []
    for index in range(low, high + 1):
        if shots[index] != shots[min(max(index, seen[0]), seen[-1])]:
            continue
        box = np.array([np.interp(index, seen, boxes[:, edge]) for edge in range(4)], np.float32)
        found.append(
            TrackedFace(
                frame_index=index,
                track_id=number,
                place=packed_place(box, None),
                score=chain[index][1] if index in chain else 0.0,
                filled=index not in chain,
                source="head by the body" if index in chain else "head by the body, filled in",
            )
        )
    return found
