"""What is kept of sampled frames: a row a frame, imitated by an outsider where there is one, and gone after wiping."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from deid_audit.faces.track import VideoFaces
from deid_audit.frames import Frame, TrackedFace, packed_place
from deid_audit.measure.sampled import INVERSION_FEATURES, SampledFaces
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.engines import Engines
from deid_audit.pipeline.outsider import Outsider
from deid_audit.pipeline.surroundings import SampledFrames
from deid_audit.video.reader import SourceVideo
from tests.conftest import Portrait, Portraits
from tests.fakes import make_video_facts
from tests.unit.swap_faces import prior_of

COUNT = 3


def sampled(person: Portrait, engines: Engines, outsider: Outsider | None) -> SampledFaces:
    """Three frames of one portrait that moves; released as they are."""
    shots = [person.shifted(3 * at, 0) for at in range(COUNT)]
    faces = [
        TrackedFace(
            frame_index=at, track_id=0, place=packed_place(shot.box_xyxy, np.float32(shot.landmarks_xy)), score=1.0,
            filled=False, source="tests",
        )
        for at, shot in enumerate(shots)
    ]  # fmt: skip
    cast = CastVideo(
        source=SourceVideo(
            path=Path("none"), label="subject video 1", facts=make_video_facts(), time_base=Fraction(1, 2),
            pts=tuple(range(COUNT)),
        ),
        faces=VideoFaces(
            frames=tuple((face,) for face in faces), cleared_by=((),) * COUNT, described={}, descriptors={}
        ),
        tracks=frozenset({0}),
    )  # fmt: skip
    kept = SampledFrames(cast, np.ones(COUNT, bool), engines, None, outsider)
    for at, shot in enumerate(shots):
        frame = Frame(index=at, pts=at, image_rgb=shot.image_rgb)
        kept.see(frame, frame, np.float32(shot.landmarks_xy))
        kept.see_edited("reencoded", frame)
    return kept.sampled()


def test_every_sampled_frame_is_imitated_and_nothing_of_it_is_forgotten(engines: Engines, portraits: Portraits) -> None:
    donor, subject = portraits
    outsider = Outsider(donor=prior_of(donor).resized(160), size=64)
    found = sampled(subject, engines, outsider)
    assert found.times_s.tolist() == [0.0, 0.5, 1.0]
    assert found.imitated.shape == found.released.shape == (COUNT, INVERSION_FEATURES)
    assert np.isfinite(found.imitated).all()
    assert any(array is found.imitated for array in found.arrays())
    chips = found.inside_imitated
    assert len(chips) == COUNT and all(any(array is chip for array in found.arrays()) for chip in chips)
    assert all(
        np.abs(chip - own.astype(float)).mean() > 5 for chip, own in zip(chips, found.inside["original"], strict=True)
    )
    away = np.linalg.norm(found.imitated[:, :128] - found.described["original"], axis=1)
    unswapped = np.linalg.norm(found.released[:, :128] - found.described["original"], axis=1)
    assert (away > 0.3).all() and (unswapped < 0.1).all()


def test_what_cannot_be_imitated_keeps_its_place_and_nobody_imitates_without_an_outsider(
    engines: Engines, portraits: Portraits
) -> None:
    donor, subject = portraits
    broken = replace(prior_of(donor), neutral_xy=np.full((478, 2), np.nan))
    found = sampled(subject, engines, Outsider(donor=broken, size=64))
    assert found.imitated.shape == (COUNT, INVERSION_FEATURES) and np.isnan(found.imitated).all()
    assert found.inside_imitated == (None,) * COUNT
    nobody = sampled(subject, engines, None)
    assert nobody.imitated.shape == (0, INVERSION_FEATURES) and nobody.inside_imitated == ()
