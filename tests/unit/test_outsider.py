"""The outsider's own swap, on the two portraits: a described face that is the donor's more than it was."""

from dataclasses import replace

import numpy as np

from deid_audit.faces.align import layout_points
from deid_audit.measure.sampled import INVERSION_FEATURES
from deid_audit.pipeline.cast import Role
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.outsider import NO_PRIOR, Imitation, Outsider, outsider_of, swapped_features
from deid_audit.pipeline.strangers import gather_strangers
from deid_audit.progress import SilentProgress
from deid_audit.swap.networks import SwapModel
from deid_audit.swap.prior import swapped_px
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.recognizer import Recognizer
from tests.conftest import Portraits
from tests.unit.swap_faces import TINY, TINY_PAPER, prior_of


def test_a_strangers_swapped_picture_is_described_and_looks_more_like_the_donor(
    portraits: Portraits, recognizer: Recognizer, static_mesh: FaceMesh
) -> None:
    donor, stranger = portraits
    outsider = Outsider(donor=prior_of(donor).resized(160), size=64)
    assert swapped_px(outsider.donor) == 128
    pictures = [(stranger.image_rgb, stranger.landmarks_xy)] * 2
    rows = swapped_features(outsider, pictures, static_mesh, recognizer)
    assert rows.shape == (2, INVERSION_FEATURES) and np.isfinite(rows).all()
    both = [recognizer.chip_from_mesh(one.image_rgb, one.landmarks_xy) for one in (donor, stranger)]
    to_donor, to_stranger = recognizer.describe(both)
    assert np.linalg.norm(rows[0, :128] - to_donor) < np.linalg.norm(to_stranger - to_donor) - 0.1
    shape = rows[0, 128:].reshape(-1, 2)
    assert np.abs(shape - layout_points(stranger.landmarks_xy)).max() < 0.1  # where a face stands in the layout


def test_a_face_that_cannot_be_warped_is_left_out_and_ends_nothing(
    portraits: Portraits, recognizer: Recognizer, static_mesh: FaceMesh
) -> None:
    donor, stranger = portraits
    outsider = Outsider(donor=replace(prior_of(donor), neutral_xy=np.full((478, 2), np.nan)), size=64)
    pictures = [(stranger.image_rgb, stranger.landmarks_xy)]
    assert outsider.swap(*pictures[0], np.float64(stranger.landmarks_xy)) is None
    assert swapped_features(outsider, pictures, static_mesh, recognizer).shape == (0, INVERSION_FEATURES)


def test_an_imitation_forgets_whose_shape_it_moved(
    portraits: Portraits, recognizer: Recognizer, static_mesh: FaceMesh
) -> None:
    donor, person = portraits
    outsider = Outsider(donor=prior_of(donor).resized(160), size=64)
    imitation = Imitation(outsider, [person.landmarks_xy], mesh=static_mesh, recognizer=recognizer)
    assert np.abs(imitation._neutral).max() > 0.1
    imitation.wipe()
    assert not imitation._neutral.any()


def test_the_outsider_gets_the_donors_prior_alone_and_is_none_without_one(portraits: Portraits) -> None:
    model, donor = SwapModel(TINY), prior_of(portraits.hopper)
    model.set_priors({"subject": prior_of(portraits.astronaut), "donor": donor})
    outsider = outsider_of(model)
    assert outsider is not None and outsider.donor is donor and outsider.size == TINY.size
    assert outsider_of(SwapModel(TINY_PAPER)) is None


def test_gathered_strangers_are_swapped_person_by_person_or_say_why_not(portraits: Portraits, engines: Engines) -> None:
    """The two shipped portraits, with nobody like them in the videos; each has one picture."""
    far = Role(videos=(), average=np.full(128, 9, np.float32))
    outsider = Outsider(donor=prior_of(portraits.hopper), size=64)
    found = gather_strangers(None, far, None, engines=engines, progress=SilentProgress(), outsider=outsider)
    assert [rows.shape for rows in found.swapped] == [(1, INVERSION_FEATURES)] * 2 and not found.not_swapped_because
    assert all(any(array is rows for array in found.arrays()) for rows in found.swapped)
    assert found.with_chips().swapped == found.swapped
    nobody = gather_strangers(None, far, None, engines=engines, progress=SilentProgress(), outsider=NO_PRIOR)
    assert nobody.swapped == () and nobody.not_swapped_because == NO_PRIOR and len(nobody.rows) == 2
