"""Whether a face is surely the person: by its descriptor among all known people, and after faces have met."""

import numpy as np
import pytest

from deid_audit.frames import Float, TrackedFace, packed_place
from deid_audit.pipeline.certainty import Certainty

NAN = np.full(128, np.nan, np.float32)


def at(own: float, other: float = 9.0) -> Float:
    """A descriptor at these distances from the person (the origin) and from the one other (2 along the first axis)."""
    along = (own**2 - other**2 + 4) / 4
    row = np.zeros(128, np.float32)
    row[:2] = along, np.sqrt(max(0.0, own**2 - along**2))
    return row


def face(x: float, *, side: float = 100) -> TrackedFace:
    return TrackedFace(
        frame_index=0, track_id=1, place=packed_place(np.float32((x, 0, x + side, side)), None),
        score=1.0, filled=False, source="a test",
    )  # fmt: skip


def person() -> Certainty:
    other = np.zeros(128, np.float32)
    other[0] = 2
    return Certainty(average=np.zeros(128, np.float32), others=[other])


def test_the_made_descriptors_lie_where_they_should() -> None:
    assert person().distances(at(0.5, 1.9)) == pytest.approx((0.5, 1.9), abs=1e-5)


@pytest.mark.parametrize(
    ("descriptor", "doubt"),
    [
        (at(0.4, 1.9), ""),
        (at(0.59, 1.9), ""),
        (at(0.61, 1.9), "not surely the subject"),
        (NAN, "not surely the subject"),
    ],
)
def test_a_face_far_from_the_person_is_not_swapped(descriptor: Float, doubt: str) -> None:
    assert person().doubt(face(0), [], descriptor) == doubt


def test_a_face_as_near_to_somebody_else_is_not_swapped() -> None:
    near = Certainty(average=np.zeros(128, np.float32), others=[np.full(128, 0.9 / np.sqrt(128), np.float32)])
    half = np.full(128, 0.45 / np.sqrt(128), np.float32)
    assert near.doubt(face(0), [], half) == "not certain who it is: as near to somebody else"
    assert near.doubt(face(0), [], half * np.float32(0.9)) == ""
    alone = Certainty(average=np.zeros(128, np.float32))
    assert alone.doubt(face(0), [], half) == ""


def test_faces_that_meet_stay_covered_until_one_tells_who_it_is() -> None:
    watch = person()
    sure, weak, wrong = at(0.4, 1.9), at(0.55, 1.9), at(1.9, 0.4)
    said = [
        watch.doubt(face(0), beside, descriptor)
        for beside, descriptor in (
            ([face(150)], sure),  # apart
            ([face(60)], sure),  # they touch
            ([face(150)], wrong),  # apart again, and it is the other
            ([face(150)], weak),  # the person, but not clearly
            ([face(150)], NAN),
            ([face(150)], sure),
            ([face(150)], weak),
        )
    ]
    met = "not certain who it is since faces met"
    assert said == ["", "not certain who it is: another face is in the way", met, met, met, "", ""]


def test_boxes_that_only_touch_at_their_edge_do_not_meet() -> None:
    assert person().doubt(face(0), [face(96)], at(0.4, 1.9)) == ""
