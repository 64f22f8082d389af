"""One face of one frame: which remedy is the one taken, and when the face is covered instead."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch

from deid_audit.faces.align import align
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import Rung
from deid_audit.pipeline.certainty import Certainty
from deid_audit.pipeline.ladder import Attempt, FaceSwapper
from deid_audit.render.blend import SteadyColour
from deid_audit.render.occlusion import hand_mask
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.networks import PRESETS, Side, SwapModel
from deid_audit.swap.prior import make_prior
from deid_audit.vision.mesh import RIGHT_EYE
from tests.conftest import Portrait, Portraits
from tests.unit.hand_shapes import open_hand

MICRO = PRESETS["micro64"]
NEAR, FAR, NOWHERE = 0.58, 0.7, float("nan")


@dataclass
class ScriptedRecognizer:
    """The original is the origin; every rendering lies at the next distance of the script."""

    distances: list[float]
    asked: int = 0

    def chip(self, image_rgb: Image, box_xyxy: Float, landmarks_xy: Float | None) -> Image:
        return image_rgb

    def describe(self, chips: Sequence[Image | None]) -> Float:
        row = np.zeros((1, 128), np.float32)
        if self.asked:
            row[0, 0] = self.distances[self.asked - 1]
        self.asked += 1
        return row


@dataclass
class ScriptedMesh:
    """The landmarks of the original in every rendering; None where the script says so."""

    landmarks_xy: Float
    lost: set[int] = field(default_factory=set)
    asked: int = 0

    def landmarks(self, image_rgb: Image, box_xyxy: Float, *, turn_degrees: float = 0.0) -> Float | None:
        number, self.asked = self.asked, self.asked + 1
        if number in self.lost:
            return None
        return np.column_stack((self.landmarks_xy, np.zeros(478))).astype(np.float32)


@dataclass
class FixedHands:
    found: list[Float] = field(default_factory=list)
    broken: bool = False

    def find(self, image_rgb: Image, box_xyxy: Float) -> list[Float]:
        if self.broken:
            raise RuntimeError("the graph is gone")
        return self.found


@pytest.fixture(scope="module")
def model(portraits: Portraits) -> SwapModel:
    """Before its first step the model makes the donor's mean face, and rebuilds the subject's: the two portraits."""
    torch.manual_seed(0)
    made = SwapModel(MICRO).eval().requires_grad_(False)
    size = round(MICRO.size * CROP_MARGIN)
    people: dict[Side, Portrait] = {"subject": portraits.hopper, "donor": portraits.astronaut}
    faces = {side: align(0, p.image_rgb, p.landmarks_xy, size, margin=CROP_MARGIN) for side, p in people.items()}
    made.set_priors({side: make_prior([face], np.ones(1), margin=CROP_MARGIN) for side, face in faces.items()})
    return made


@dataclass
class Stage:
    """The pieces of one attempt at the one face of a portrait."""

    person: Portrait
    model: SwapModel

    def swapper(
        self,
        *distances: float,
        lost: Sequence[int] = (),
        hands: FixedHands | None = None,
        colour: SteadyColour | None = None,
    ) -> FaceSwapper:
        return FaceSwapper(
            certainty=Certainty(average=np.zeros(128, np.float32)),
            model=self.model,
            recognizer=ScriptedRecognizer([*distances]),  # type: ignore[arg-type]
            colour=colour or SteadyColour(25),
            mesh=ScriptedMesh(self.person.landmarks_xy, set(lost)),  # type: ignore[arg-type]
            hands=hands or FixedHands(),  # type: ignore[arg-type]
        )

    @property
    def face(self) -> TrackedFace:
        return TrackedFace(
            frame_index=3, track_id=1, box_xyxy=self.person.box_xyxy, landmarks_xy=self.person.landmarks_xy,
            score=0.9, filled=False, source="a test",
        )  # fmt: skip

    def attempt(
        self,
        *distances: float,
        lost: Sequence[int] = (),
        hands: FixedHands | None = None,
        image_rgb: Image | None = None,
        colour: SteadyColour | None = None,
        least: Rung = Rung.SWAP,
    ) -> Attempt:
        swapper = self.swapper(*distances, lost=lost, hands=hands, colour=colour)
        image = self.person.image_rgb if image_rgb is None else image_rgb
        return swapper.attempt(Frame(index=3, pts=3, image_rgb=image), self.face, least=least)


@pytest.fixture
def stage(portraits: Portraits, model: SwapModel) -> Stage:
    return Stage(portraits.hopper, model)


def _distances(attempt: Attempt) -> dict[str, float]:
    head = "distance before encoding, "
    return {name.removeprefix(head): value for name, value in attempt.numbers if name.startswith(head)}


@pytest.mark.parametrize("least", [Rung.SWAP, Rung.WIDER, Rung.HARDER])
def test_the_first_rung_can_be_asked_for_and_must_be_far_enough_as_any(stage: Stage, least: Rung) -> None:
    attempt = stage.attempt(FAR, least=least)
    assert attempt.rung is least and list(_distances(attempt)) == [least.value]
    assert stage.attempt(NEAR, NEAR, NEAR, least=least).rung is Rung.COVER


@pytest.mark.parametrize(
    ("distances", "rung"),
    [
        ((FAR,), Rung.SWAP),
        ((NEAR, FAR), Rung.WIDER),
        ((NOWHERE, FAR), Rung.WIDER),
        ((NEAR, NEAR, FAR), Rung.HARDER),
        ((NEAR, NEAR, NEAR), Rung.COVER),
        ((NEAR, NOWHERE, 0.6049), Rung.COVER),
    ],
)
def test_the_first_rendering_that_is_far_enough_is_taken(
    stage: Stage, distances: tuple[float, ...], rung: Rung
) -> None:
    attempt = stage.attempt(*distances)
    assert attempt.rung is rung
    assert (attempt.image_rgb is None) is (rung is Rung.COVER)
    tried = _distances(attempt)
    assert list(tried) == ["swap", "wider mask", "harder blend"][: len(distances)]
    np.testing.assert_allclose(list(tried.values()), distances, rtol=1e-6)
    assert attempt.reason.startswith("too near the original" if rung is Rung.COVER else "distance: 0.70")
    np.testing.assert_array_equal(attempt.original, np.zeros(128))


def test_each_rung_changes_more_of_the_picture(stage: Stage) -> None:
    pictures = [stage.attempt(*(NEAR,) * nears, FAR).image_rgb for nears in range(3)]
    changed = [(picture != stage.person.image_rgb).any(-1).sum() for picture in pictures if picture is not None]
    assert len(changed) == 3
    assert changed[0] < changed[1] < changed[2]


def test_without_landmarks_on_the_rendering_the_next_rung_is_tried(stage: Stage) -> None:
    attempt = stage.attempt(FAR, lost=[0])
    assert attempt.rung is Rung.WIDER
    assert np.isnan(_distances(attempt)["swap"])
    covered = stage.attempt(lost=[0, 1, 2])
    assert (covered.rung, covered.image_rgb) == (Rung.COVER, None)
    assert covered.reason == "no landmarks found on the swapped face"


def test_trying_again_does_not_advance_the_colours_twice(stage: Stage) -> None:
    once, thrice = SteadyColour(25), SteadyColour(25)
    stage.attempt(FAR, colour=once)
    stage.attempt(NEAR, NEAR, FAR, colour=thrice)
    for name in ("original", "swapped"):
        np.testing.assert_array_equal(once._states[name].mean, thrice._states[name].mean)


def _hand_before_the_mouth(person: Portrait) -> Float:
    left, _, right, bottom = person.box_xyxy
    nose = person.landmarks_xy[1]
    return open_hand((float(right), float(bottom + 0.4 * (right - left))), (float(nose[0]), float(nose[1])))


def _with_hand(person: Portrait, hand: Float) -> Image:
    image = person.image_rgb.copy()
    image[hand_mask([hand], *image.shape[:2]) > 0] = (40, 160, 60)
    return image


def test_a_hand_in_front_stays_in_front_and_the_face_beside_it_is_swapped(stage: Stage) -> None:
    hand = _hand_before_the_mouth(stage.person)
    image = _with_hand(stage.person, hand)
    attempt = stage.attempt(FAR, hands=FixedHands([hand]), image_rgb=image)
    assert attempt.image_rgb is not None
    assert 0.05 < dict(attempt.numbers)["hand share"] < 0.4
    drawn = hand_mask([hand], *image.shape[:2])
    np.testing.assert_array_equal(attempt.image_rgb[drawn == 255], image[drawn == 255])
    plain = stage.attempt(FAR).image_rgb
    assert plain is not None
    beside = (plain != stage.person.image_rgb).any(-1) & (drawn == 0)
    assert (attempt.image_rgb[beside] != image[beside]).any(-1).mean() > 0.95


def test_the_same_hand_not_found_is_something_in_front_of_the_face(stage: Stage) -> None:
    image = _with_hand(stage.person, _hand_before_the_mouth(stage.person))
    attempt = stage.attempt(FAR, image_rgb=image)
    assert (attempt.rung, attempt.image_rgb) == (Rung.COVER, None)
    assert attempt.reason.startswith("something is in front of the face")
    assert dict(attempt.numbers)["foreign share"] > 0.05


def test_a_hand_over_an_eye_covers_the_face(stage: Stage) -> None:
    """Drawn a little beside the real one it would leave an eye of the subject's."""
    left, right = (float(edge) for edge in stage.person.box_xyxy[[0, 2]])
    eye = stage.person.landmarks_xy[list(RIGHT_EYE)].mean(0)
    hand = open_hand((left - 0.6 * (right - left), float(eye[1])), (float(eye[0]), float(eye[1])))
    attempt = stage.attempt(FAR, hands=FixedHands([hand]), image_rgb=_with_hand(stage.person, hand))
    assert (attempt.image_rgb, attempt.reason) == (None, "a hand hides an eye")
    assert dict(attempt.numbers)["hand share"] < 0.4


def test_a_hand_that_is_not_there_shows_nothing_of_the_face(stage: Stage) -> None:
    left, top, right, bottom = (float(edge) for edge in stage.person.box_xyxy)
    middle = (left + right) / 2
    within = open_hand((middle, bottom - 0.1 * (bottom - top)), (middle, top + 0.4 * (bottom - top)))
    attempt, plain = stage.attempt(FAR, hands=FixedHands([within])), stage.attempt(FAR)
    assert dict(attempt.numbers)["hand share"] == 0
    assert attempt.image_rgb is not None
    np.testing.assert_array_equal(attempt.image_rgb, plain.image_rgb)


@pytest.mark.parametrize(
    ("frames_ago", "now", "covered"), [(1, [], True), (5, [], True), (6, [], False), (1, ["aside"], False)]
)
def test_a_hand_lost_from_sight_while_in_front_covers_the_face_for_a_moment(
    stage: Stage, frames_ago: int, now: list[str], *, covered: bool
) -> None:
    person = stage.person
    aside = open_hand((5.0, 200.0), (5.0, 150.0))
    swapper = stage.swapper(FAR, 0.0, FAR, hands=FixedHands([_hand_before_the_mouth(person)]))
    first = swapper.attempt(Frame(index=10, pts=10, image_rgb=person.image_rgb), stage.face)
    assert first.rung is Rung.SWAP
    swapper.hands = FixedHands([aside for _ in now])  # type: ignore[assignment]
    second = swapper.attempt(Frame(index=10 + frames_ago, pts=20, image_rgb=person.image_rgb), stage.face)
    assert (second.rung is Rung.COVER) is covered
    assert ("lost from sight" in second.reason) is covered


def test_a_hand_before_most_of_the_face_covers_it(stage: Stage) -> None:
    left, top, right, bottom = (float(edge) for edge in stage.person.box_xyxy)
    middle = (left + right) / 2
    large = open_hand((middle, bottom + 1.2 * (bottom - top)), (middle, top - 0.3 * (bottom - top)))
    large[:, 1] -= 0.9 * (bottom - top) * (large[:, 1] > bottom)
    attempt = stage.attempt(FAR, hands=FixedHands([large]))
    assert (attempt.rung, attempt.image_rgb) == (Rung.COVER, None)
    assert attempt.reason.startswith("a hand hides")


def test_a_face_whose_outline_the_model_misses_is_covered(stage: Stage) -> None:
    elsewhere = SwapModel(MICRO).eval().requires_grad_(False)
    elsewhere.load_state_dict(stage.model.state_dict())
    donor = stage.model.priors["donor"]
    texture = donor.texture.copy()
    texture[:, 30:, 3] = 0
    elsewhere.set_priors({**stage.model.priors, "donor": replace(donor, texture=texture)})
    attempt = Stage(stage.person, elsewhere).attempt(FAR)
    assert (attempt.rung, attempt.image_rgb) == (Rung.COVER, None)
    assert attempt.reason.startswith("the net's mask fits the face by 0.")


def test_an_error_while_swapping_covers_the_face(stage: Stage) -> None:
    attempt = stage.attempt(FAR, hands=FixedHands(broken=True))
    assert (attempt.rung, attempt.image_rgb) == (Rung.COVER, None)
    assert attempt.reason == "the swap failed (RuntimeError)"
