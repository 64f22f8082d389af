"""What is said before training: only what speaks against the pair, each with its number."""

import numpy as np
import pytest
from numpy.typing import NDArray

from deid_audit.faces.choose import features_of
from deid_audit.pipeline.foreseeing import foreseen
from deid_audit.vision.mesh import NOSE_TIP
from tests.conftest import Portraits
from tests.unit.swap_faces import crops_of

APART = (np.zeros(128, np.float32), np.eye(1, 128, dtype=np.float32)[0])  # 1 from each other


def _features(portraits: Portraits, *, turned: float = 0.0, count: int = 20) -> NDArray[np.float32]:
    """One face over and over; in half of them the nose lies `turned` crop heights to the side."""
    rows = np.repeat(features_of(crops_of(portraits.hopper, 1)), count, axis=0).reshape(count, -1, 2)
    rows[: count // 2, NOSE_TIP, 0] += turned
    return rows.reshape(count, -1)


def test_of_a_pair_that_fits_nothing_is_said(portraits: Portraits) -> None:
    same = _features(portraits)
    assert foreseen(same, same, face_px=120, averages=APART) == []


@pytest.mark.parametrize(
    ("face_px", "distance", "words"),
    [(40.0, 1.0, "40 px high"), (63.9, 1.0, "64 px high"), (120.0, 0.65, "distance 0.65")],
)
def test_a_small_face_and_a_donor_too_alike_are_named_with_the_number(
    portraits: Portraits, face_px: float, distance: float, words: str
) -> None:
    same = _features(portraits)
    (said,) = foreseen(same, same, face_px=face_px, averages=(APART[0], APART[1] * np.float32(distance)))
    assert words in said


def test_turns_that_the_donor_never_makes_are_named_with_their_share(portraits: Portraits) -> None:
    (said,) = foreseen(_features(portraits, turned=0.1), _features(portraits), face_px=120, averages=APART)
    assert "turns farther" in said
    assert "50%" in said
    assert foreseen(_features(portraits), _features(portraits, turned=0.1), face_px=120, averages=APART) == []
