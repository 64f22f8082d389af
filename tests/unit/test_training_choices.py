"""Which preset `auto` takes and why, and the learning curve that a run gives."""

import pytest

from deid_audit.pipeline.concluding import curve_csv
from deid_audit.pipeline.training import choose_preset, learning_curve
from deid_audit.swap.train import ProbeReading


@pytest.mark.parametrize(
    ("device", "face_px", "seconds", "chosen"),
    [
        ("cpu", 300.0, 90.0, "micro64"),
        ("cpu", 300.0, 900.0, "lite64"),
        ("cuda", 40.0, 90.0, "micro64"),
        ("cuda", 120.0, 900.0, "hq128"),
        ("cuda", 300.0, 90.0, "hq128"),
        ("cuda", 300.0, 300.0, "hq256"),
    ],
)
def test_auto_goes_by_device_face_and_time_and_says_so(
    device: str, face_px: float, seconds: float, chosen: str
) -> None:
    name, why = choose_preset("auto", device, face_px, seconds)
    assert name == chosen
    assert why.startswith("auto: ")
    assert f"{face_px:.0f} px" in why
    assert f"{seconds:g} s" in why


def test_a_preset_that_was_asked_for_is_taken() -> None:
    assert choose_preset("hq256", "cpu", 30.0, 1.0) == ("hq256", "asked for")


def test_the_curve_has_every_reading_and_no_value_where_there_is_none() -> None:
    readings = tuple(
        ProbeReading(step=step, values={"mouth_r": r, "sharpness": 0.5}, lacking=lacks, text="")
        for step, r, lacks in ((10, float("nan"), ("mouth",)), (20, 0.91, ()))
    )
    curve = learning_curve(readings)
    assert curve == [
        {"step": 10, "mouth_r": None, "sharpness": 0.5, "holds": False},
        {"step": 20, "mouth_r": 0.91, "sharpness": 0.5, "holds": True},
    ]
    assert curve_csv(curve).splitlines() == [
        "step,mouth_r,sharpness,holds",
        "10,,0.5000,false",
        "20,0.9100,0.5000,true",
    ]
