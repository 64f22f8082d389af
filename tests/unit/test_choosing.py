"""Which of several donors' packs is taken, and what is said about it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deid_audit.errors import SettingsError
from deid_audit.frames import Float
from deid_audit.pipeline import choosing
from deid_audit.pipeline.cast import Role
from deid_audit.pipeline.choosing import Fit, because, best_of, missing_poses
from deid_audit.pipeline.donor_pack import DonorPack, read_pack
from deid_audit.pipeline.donors import pack_facts, packed_donor
from deid_audit.progress import SilentProgress
from tests.unit.donor_packs import pack_at
from tests.unit.test_companions import place
from tests.unit.test_inspecting import face, video


def fit(identity: float, pose: float = 0.01, skin: float = 2, light: float = 5) -> Fit:
    return Fit(identity=identity, pose=pose, skin=skin, light=light)


@pytest.mark.parametrize(
    ("fits", "chosen"),
    [
        ([fit(0.7), fit(0.9), fit(0.8)], 1),  # all else equal: the farthest
        ([fit(0.7, pose=0.02), fit(0.7, pose=0.01)], 1),
        ([fit(0.7, skin=9), fit(0.7, skin=3)], 1),
        ([fit(0.7, light=9), fit(0.7, light=3)], 1),
        ([fit(0.59, 0, 0, 0), fit(0.61, 1, 9, 9)], 1),  # who looks like the subject is out, however near in the rest
        ([fit(0.9, pose=0.05, skin=9), fit(0.8, pose=0.01, skin=1)], 1),  # ranks 1+2+2+1 against 2+1+1+1
        ([fit(0.8, pose=0.01), fit(0.9, pose=0.02)], 1),  # equal sums: the farther one
        ([fit(0.8), fit(0.8)], 0),
    ],
)
def test_the_lowest_sum_of_ranks_is_taken(fits: list[Fit], chosen: int) -> None:
    assert best_of(fits) == chosen


def test_when_everybody_looks_like_the_subject_nobody_is_taken() -> None:
    with pytest.raises(SettingsError, match="every donor's pack looks like the subject") as caught:
        best_of([fit(0.5), fit(0.59)])
    assert caught.value.exit_code == 2


def test_the_reason_names_every_pack() -> None:
    assert because([fit(0.5), fit(0.8)], 1) == (
        "donor's pack 2 of 2 was taken "
        "(pack 1: identity 0.50, pose 0.0100, skin 2.0, light 5.0, looks like the subject; "
        "pack 2: identity 0.80, pose 0.0100, skin 2.0, light 5.0, ranks add up to 4)"
    )


def test_a_face_of_another_shape_lacks_no_pose_but_a_still_one_does() -> None:
    turning = np.linspace(-1, 1, 9, dtype=np.float32)[:, None] * np.ones((1, 6), np.float32)
    assert missing_poses(turning, turning + np.arange(6, dtype=np.float32)) == pytest.approx(0)
    assert missing_poses(turning, 0 * turning) == pytest.approx(float(np.abs(turning[:, 0]).mean()))


def test_skin_is_colour_and_light_is_lightness_with_contrast() -> None:
    def stats(mean: tuple[float, ...], contrast: float) -> choosing.ColourStats:
        return choosing.ColourStats(mean=np.array(mean), spread=np.array((contrast, 1.0, 1.0)))

    apart = choosing._apart(stats((50, 10, 20), 8), stats((53, 13, 24), 12))
    assert apart == {"skin": pytest.approx(5), "light": pytest.approx(5)}


def far(distance: float) -> Float:
    return place(0) + place(distance)


@pytest.fixture
def packs(tmp_path: Path) -> list[DonorPack]:
    found = []
    for number, distance in enumerate((0.3, 0.7, 1.2)):
        pack_at(tmp_path / f"{number}.pack", average=far(distance))
        found.append(read_pack(tmp_path / f"{number}.pack"))
    return found


def test_a_choice_is_said_and_stands_in_the_statement(packs: list[DonorPack], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = video(*([face(x=100 + at)] for at in range(5)))
    subject = Role(videos=(shown,), average=place(0))
    shows = [
        replace(crop, crop_rgb=crop.crop_rgb.copy(), mask=crop.mask.copy()) for crop in packs[0].material.crops[:3]
    ]
    monkeypatch.setattr(choosing, "_gather", lambda crops, *_: crops.extend(shows))
    said: list[str] = []
    progress = SilentProgress()
    monkeypatch.setattr(progress, "say", said.append)
    taken = packed_donor(subject, packs, progress=progress)
    assert taken.pack is packs[2]
    assert not any(crop.crop_rgb.any() or crop.mask.any() for crop in shows), "what shows the subject is wiped"
    assert said == [taken.chosen]
    assert taken.chosen is not None and "pack 1: identity 0.30" in taken.chosen
    facts = pack_facts(taken.pack, taken.chosen)
    assert (facts["chosen"], facts["pack_sha256"]) == (taken.chosen, packs[2].sha256)
    alone = packed_donor(subject, packs[:1], progress=progress)  # a run refuses it by its distance, as any donor
    assert alone.chosen is None and "chosen" not in pack_facts(alone.pack, alone.chosen)
