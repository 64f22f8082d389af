"""What the held-out frames must show before training stops, and what is said where they do not."""

import math

import pytest

from deid_audit.pipeline.probe import lacking

GOOD = {
    "to_original_p05": 0.7, "to_donor_mean": 0.4, "sharpness": 0.6,
    "mouth_mae": 1.0, "eye_mae": 1.0, "brow_mae": 1.0,
    "mouth_r": 0.95, "eye_r": 0.95, "brow_r": 0.95, "yaw_r": 0.99,
}  # fmt: skip
PARTS = ("mouth", "eye", "brow", "yaw")


def test_nothing_lacks_where_every_floor_holds() -> None:
    assert lacking(GOOD, PARTS) == ()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("to_original_p05", 0.63, "distance to the original 0.63, above 0.63 is wanted"),
        ("to_donor_mean", 0.5, "distance to the donor 0.50, below 0.46 is wanted"),
        ("sharpness", 0.54, "sharpness 0.54 of the original's, 0.55 at least is wanted"),
        ("mouth_mae", 4.0, "mouth off by 4.0 %, 3.5 at most is wanted"),
        ("yaw_r", 0.94, "yaw follows by r 0.94, 0.95 at least is wanted"),
    ],
)
def test_what_lacks_is_said_with_what_is_wanted(name: str, value: float, said: str) -> None:
    assert lacking(GOOD | {name: value}, PARTS) == (said,)
    assert lacking(GOOD | {name: math.nan}, PARTS), "what could not be looked at does not hold"


def test_a_part_that_is_still_is_not_asked_to_follow() -> None:
    assert lacking(GOOD | {"eye_r": 0.1}, ("mouth", "brow", "yaw")) == ()
    assert lacking(GOOD | {"eye_r": 0.1}, PARTS) == ("eye follows by r 0.10, 0.75 at least is wanted",)
