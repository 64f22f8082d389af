"""Swaps beside each other: which must not be shown because of a cover or of another swap."""

import numpy as np
import pytest

from deid_audit.frames import Float, Image
from deid_audit.ledger import Rung
from deid_audit.pipeline.ladder import Attempt
from deid_audit.pipeline.rendering import withdraw
from tests.unit.test_inspecting import face

FRAME: Image = np.full((300, 900, 3), 90, np.uint8)
COVER, SWAP = "the cover of another face reaches into it", "the swap of another face reaches into it"


def painted(left: int, right: int) -> Attempt:
    """A swap that changed these columns."""
    image = FRAME.copy()
    image[100:200, left:right] = 200
    return Attempt(image_rgb=image, rung=Rung.SWAP, reason="", numbers=(), original=np.zeros(128, np.float32))


@pytest.mark.parametrize(
    ("others_x", "painted_to", "cover_x", "withdrawn"),
    [
        (500, (500, 600), None, {}),
        (300, (290, 400), None, {1: SWAP}),  # over the first one's edge
        (500, (500, 600), 210, {0: COVER}),
        (500, (500, 600), 285, {}),  # less than a fifth of the face
        (320, (320, 420), 230, {0: COVER}),
        (290, (310, 410), 250, {0: COVER, 1: COVER}),  # the first one's cover reaches into the second
    ],
)
def test_what_is_withdrawn(
    others_x: int, painted_to: tuple[int, int], cover_x: int | None, withdrawn: dict[int, str]
) -> None:
    faces = [face(x=200), face(track=1, x=others_x)]
    covers: list[Float] = [] if cover_x is None else [np.float32((cover_x, 190, cover_x + 60, 310))]
    given = len(covers)
    assert withdraw(FRAME, faces, [painted(200, 300), painted(*painted_to)], covers) == withdrawn
    assert len(covers) == given + len(withdrawn)


def test_a_face_without_a_swap_is_nothing_to_withdraw() -> None:
    covered = Attempt(image_rgb=None, rung=Rung.COVER, reason="", numbers=(), original=np.zeros(128, np.float32))
    assert withdraw(FRAME, [face(x=200), None], [covered, None], [np.float32((0, 0, 900, 300))]) == {}
