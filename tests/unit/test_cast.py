"""What training is gathered from: of a long video frames spread over all of it, and no more than so many."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from deid_audit.faces.subject import MINIMUM_FACES
from deid_audit.faces.track import VideoFaces
from deid_audit.frames import TrackedFace, packed_place
from deid_audit.pipeline import cast as casting
from deid_audit.pipeline.cast import CastVideo, Role, gather_subject
from deid_audit.pipeline.engines import Engines
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import open_video
from deid_audit.vision.mesh import box_of
from tests.unit.made_faces import made_layout
from tests.unit.made_videos import make_video

COUNT = 3 * MINIMUM_FACES
FAKES = cast(
    "Engines",
    SimpleNamespace(
        recognizer=SimpleNamespace(
            chip=lambda *_: np.zeros((150, 150, 3), np.uint8),
            describe=lambda chips: np.zeros((len(chips), 128), np.float32),
        )
    ),
)


@pytest.fixture(scope="module")
def role(tmp_path_factory: pytest.TempPathFactory) -> Role:
    """A person whose face is seen in every frame, a little otherwise in each."""
    path = tmp_path_factory.mktemp("video") / "exam.mp4"
    make_video(path, [40 * at for at in range(COUNT)], size=(160, 160))
    rng, faces = np.random.default_rng(0), []
    for index in range(COUNT):
        points = (80 + 90 * made_layout() + rng.normal(0, 0.5, (478, 2))).astype(np.float32)
        faces.append(
            TrackedFace(
                frame_index=index, track_id=0, place=packed_place(box_of(points), points), score=1.0, filled=False,
                source="tests",
            )
        )  # fmt: skip
    seen = VideoFaces(frames=tuple((face,) for face in faces), cleared_by=((),) * COUNT, described={}, descriptors={})
    video = CastVideo(source=open_video(path, label="subject video 1"), faces=seen, tracks=frozenset({0}))
    return Role(videos=(video,), average=np.zeros(128, np.float32))


def gathered(role: Role) -> Any:
    return gather_subject(role, who="subject", size=64, margin=1.0, engines=FAKES, progress=SilentProgress())


def test_of_a_long_video_so_many_frames_are_candidates_and_they_are_spread(
    role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = gathered(role)
    assert len(whole.crops) + len(whole.probe) == COUNT
    monkeypatch.setattr(casting, "_MOST_CANDIDATES", 2 * MINIMUM_FACES)
    some = gathered(role)
    assert len(some.crops) + len(some.probe) == 2 * MINIMUM_FACES
    frames = sorted(face.frame_index for face in some.crops)
    assert np.diff(frames).max() < 12
    assert frames[-1] > COUNT - 12


def test_every_face_that_is_kept_can_be_overwritten(role: Role) -> None:
    faces = [face for row in role.videos[0].faces.frames for face in row]
    kept = [face.place.copy() for face in faces]
    held = role.arrays()
    assert sum(array.nbytes for array in held) > COUNT * 1400
    for array in held:
        array.fill(0)
    points = [face.landmarks_xy for face in faces]
    assert not any(one is not None and one.any() for one in points) and not any(one.box_xyxy.any() for one in faces)
    for face, was in zip(faces, kept, strict=True):  # the other tests of this file share them
        face.place[:] = was


def test_the_persons_own_descriptors_are_overwritten_once_their_average_is_known(
    role: Role, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    rows = {track: rng.normal(track, 0.01, (count, 128)).astype(np.float32) for track, count in ((0, COUNT), (7, 9))}
    given = {track: array.copy() for track, array in rows.items()}
    seen = replace(
        role.videos[0].faces,
        described={0: tuple(range(COUNT)), 7: tuple(range(9))},
        descriptors=rows.copy(),
    )
    monkeypatch.setattr(casting, "find_faces", lambda *_, **__: seen)
    found = casting.analyse([role.videos[0].source], who="subject", engines=FAKES, progress=SilentProgress())
    np.testing.assert_allclose(found.average, given[0].mean(0), atol=1e-6)
    assert not rows[0].any() and list(found.videos[0].faces.descriptors) == [7] == list(found.videos[0].faces.described)
    np.testing.assert_array_equal(rows[7], given[7])
