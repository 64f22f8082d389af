"""The preview before a run: every reason for a hard part has a face that shows it and one that must not."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as PillowImage

from deid_audit.cli.preview import print_result
from deid_audit.errors import SettingsError
from deid_audit.faces.track import VideoFaces, track_faces
from deid_audit.frames import Float, Frame, Image, TrackedFace, packed_place
from deid_audit.measure.expression import face_signals
from deid_audit.pipeline.cast import CastVideo
from deid_audit.pipeline.ladder import SMALLEST_SWAP_PX
from deid_audit.pipeline.preview import expecting
from deid_audit.pipeline.preview.expecting import expect, expected_ledger, fitting, material
from deid_audit.pipeline.preview.hard import LEAST_SHARPNESS, MOST_TURN_DEGREES, Reason, hard_frames, yaw_degrees
from deid_audit.pipeline.preview.looking import body_in_view, sharpness_of
from deid_audit.pipeline.preview.sheet import contact_sheet, make_tile
from deid_audit.progress import SilentProgress
from deid_audit.render.conceal import release_box
from deid_audit.settings import make_inspect_settings
from deid_audit.video.reader import SourceVideo
from deid_audit.vision.detectors import Detections, HogDetector
from deid_audit.vision.mesh import FaceMesh
from deid_audit.vision.pose import BodyPose
from tests.conftest import Portraits
from tests.unit.inspections import inspection, nobody_found, video_facts

WIDTH, HEIGHT = 640, 480
MINE, OTHER, STRAY = 0, 1, 7
SECOND = "dlib frontal HOG"
AVERAGE = np.zeros(128, np.float32)


def landmarks(box: Float, *, yaw: float = 0.0) -> Float:
    """478 points that fill the box, of a head turned by `yaw` degrees."""
    steps = np.linspace(0, 1, 478, dtype=np.float32)
    points = np.column_stack((steps, steps)) * (box[2:] - box[:2]) + box[:2]
    left, right, middle = box[0], box[2], (box[:2] + box[2:]) / 2
    points[234], points[454] = (left, middle[1]), (right, middle[1])
    points[4] = middle + np.float32(((right - left) / 2 * np.tan(np.deg2rad(yaw)) / 0.65, 20))
    return points.astype(np.float32)


def face(
    frame: int = 5,
    *,
    track: int = MINE,
    x: float = 200,
    y: float = 200,
    px: float = 100,
    yaw: float = 0.0,
    seen: bool = True,
    filled: bool = False,
    source: str = "video mesh",
) -> TrackedFace:
    box = np.float32((x, y, x + px, y + px))
    return TrackedFace(
        frame_index=frame, track_id=track, place=packed_place(box, landmarks(box, yaw=yaw) if seen else None),
        score=0.9, filled=filled, source=source,
    )  # fmt: skip


def video(*frames: Sequence[TrackedFace], descriptors: dict[int, Float] | None = None) -> CastVideo:
    """A video whose frame i has these faces; the subject is in track 0, each of its faces described as the average."""
    count = len(frames)
    seen = [index for index, row in enumerate(frames) for one in row if one.track_id == MINE and not one.filled]
    faces = VideoFaces(
        frames=tuple(tuple(replace(one, frame_index=at) for one in row) for at, row in enumerate(frames)),
        cleared_by=tuple(() if row else ("a", "b") for row in frames),
        described={MINE: tuple(seen)},
        descriptors=descriptors or {MINE: np.tile(AVERAGE, (len(seen), 1))},
    )
    source = SourceVideo(
        path=Path("made"), label="video 1", facts=video_facts(frames=count, width=WIDTH, height=HEIGHT),
        time_base=Fraction(1, 25), pts=tuple(range(count)),
    )  # fmt: skip
    return CastVideo(source=source, faces=faces, tracks=frozenset({MINE}))


def reasons(*frames: Sequence[TrackedFace], sharpness: float = 0.3) -> dict[Reason, list[int]]:
    sharp = {(index, one.track_id): sharpness for index, row in enumerate(frames) for one in row}
    return hard_frames(video(*frames), named={MINE, OTHER}, sharpness=sharp, second=SECOND)


# -- hard parts ------------------------------------------------------------------------------------------------------

PLAIN = face()
LIMIT = float(MOST_TURN_DEGREES)


def test_a_plain_face_and_an_empty_frame_are_not_hard() -> None:
    assert reasons([PLAIN], [], [PLAIN]) == {}


@pytest.mark.parametrize(
    ("reason", "hard", "not_hard"),
    [
        (Reason.NO_LANDMARKS, [face(seen=False, source="detector only")], [PLAIN]),
        (Reason.TOO_SMALL, [face(px=SMALLEST_SWAP_PX - 1)], [face(px=SMALLEST_SWAP_PX)]),
        (Reason.SMALL, [face(px=39)], [face(px=40)]),
        (Reason.BORDER, [face(x=0)], [face(x=2)]),
        (Reason.BORDER, [face(y=-3)], [face(y=2)]),
        (Reason.BORDER, [face(x=WIDTH - 100)], [face(x=WIDTH - 102)]),
        (Reason.BORDER, [face(y=HEIGHT - 90)], [face(y=HEIGHT - 102)]),
        (Reason.TURNED, [face(yaw=LIMIT + 2)], [face(yaw=LIMIT - 2)]),
        (Reason.TURNED, [face(yaw=-LIMIT - 2)], [face(yaw=2 - LIMIT)]),
        (Reason.OVERLAP, [PLAIN, face(track=OTHER, x=310)], [PLAIN, face(track=OTHER, x=318)]),
        (Reason.SECOND_ONLY, [PLAIN, face(track=STRAY, x=450, seen=False, source=f"{SECOND} only")], [PLAIN]),
        (Reason.UNNAMED, [PLAIN, face(track=STRAY, x=450)], [PLAIN, face(track=OTHER, x=450)]),
    ],
    ids=str,
)
def test_each_reason_is_given_and_not_given(
    reason: Reason, hard: list[TrackedFace], not_hard: list[TrackedFace]
) -> None:
    assert reasons([PLAIN], hard, [PLAIN]) == {reason: [1]}
    assert reason not in reasons([PLAIN], not_hard, [PLAIN])


def test_the_cover_that_matters_is_the_enlarged_one() -> None:
    other = face(track=OTHER, x=305)
    assert release_box(other.box_xyxy)[0] < PLAIN.box_xyxy[2] < other.box_xyxy[0]
    assert reasons([PLAIN, other]) == {Reason.OVERLAP: [0]}


def test_a_gap_is_between_two_sightings_and_an_edge_outside() -> None:
    held = face(filled=True, source="interpolated")
    assert reasons([held], [PLAIN], [held], [held], [PLAIN], [held]) == {Reason.EDGE: [0, 5], Reason.GAP: [2, 3]}
    assert reasons([PLAIN], [], [PLAIN]) == {}


def test_a_filled_face_of_nobody_known_is_not_counted_again() -> None:
    stray = face(track=STRAY, x=450, seen=False, source=f"{SECOND} only")
    held = face(track=STRAY, x=450, seen=False, filled=True, source="after the last sighting")
    assert reasons([PLAIN, stray], [PLAIN, held]) == {Reason.SECOND_ONLY: [0]}


def test_blur_counts_where_it_was_measured() -> None:
    assert reasons([PLAIN], sharpness=LEAST_SHARPNESS - 0.01) == {Reason.BLURRED: [0]}
    assert reasons([PLAIN], sharpness=LEAST_SHARPNESS) == {}
    assert hard_frames(video([PLAIN]), named={MINE}, sharpness={}, second=SECOND) == {}


def test_a_blurred_portrait_is_blurred_and_the_portrait_is_not(portraits: Portraits) -> None:
    for one in portraits:
        height = float(one.box_xyxy[3] - one.box_xyxy[1])
        blurred = cv2.GaussianBlur(one.image_rgb, (0, 0), 0.06 * height)
        sharp, soft = (sharpness_of(image, one.box_xyxy) for image in (one.image_rgb, blurred))
        assert sharp is not None and soft is not None
        assert soft < LEAST_SHARPNESS < sharp
        assert sharpness_of(one.image_rgb, np.float32((10, 10, 77, 77))) is None
        assert sharpness_of(one.image_rgb, np.float32((10, 10, 80, 80))) is not None


def test_yaw_in_two_dimensions_agrees_with_three(portraits: Portraits, static_mesh: FaceMesh) -> None:
    for one in portraits:
        points = static_mesh.landmarks(one.image_rgb, one.box_xyxy)
        assert points is not None
        assert yaw_degrees(points[:, :2]) == pytest.approx(float(face_signals(points[None]).yaw[0]), abs=3.5)
    assert yaw_degrees(landmarks(PLAIN.box_xyxy, yaw=30)) == pytest.approx(30, abs=1e-3)


class Blind:
    """A detector that sees nothing, or always the same face."""

    def __init__(self, name: str, *boxes: tuple[float, ...]) -> None:
        self.name = self.family = name
        self._boxes = np.array(boxes, np.float32).reshape(-1, 4)

    def detect(self, image_rgb: Image, *, min_score: float = 0.0) -> Detections:
        return Detections(boxes_xyxy=self._boxes, scores=np.ones(len(self._boxes), np.float32))


def test_the_tracker_says_what_only_the_second_detector_saw() -> None:
    frames = [Frame(index=0, pts=0, image_rgb=np.zeros((HEIGHT, WIDTH, 3), np.uint8))]
    recognizer: Any = type("None", (), {"describe": staticmethod(lambda chips: np.zeros((len(chips), 128)))})
    with SilentProgress().step("", None) as step:
        found = track_faces(
            frames, frame_rate=25, detector=Blind("leading"), second_opinion=Blind(HogDetector.name, (9, 9, 99, 99)),
            recognizer=recognizer, step=step,
        )  # fmt: skip
    cast = replace(video([]), faces=found, tracks=frozenset())
    assert hard_frames(cast, named=(), sharpness={}, second=HogDetector.name) == {Reason.SECOND_ONLY: [0]}


# -- what a run would do ---------------------------------------------------------------------------------------------


def test_the_expected_ledger_covers_what_a_run_covers() -> None:
    frames = [
        [PLAIN],
        [PLAIN, face(track=OTHER, x=400)],
        [face(seen=False, source="detector only")],
        [face(px=20)],
        [face(filled=True, source="interpolated")],
        [PLAIN, face(px=50, x=400)],  # a second sighting in the subject's own track
        [],
    ]
    ledger = expected_ledger(video(*frames), AVERAGE, [])
    assert [frame.state.value for frame in ledger] == ["swapped", *["concealed"] * 5, "clear"]
    found = expect(1, ledger)
    assert (found.frames, found.to_swap, found.covered) == (7, 3, 4)
    assert found.covered_share == 4 / 7 and found.longest_covered_s == pytest.approx(4 / 25)
    assert found.reasons == {
        "no landmarks: detector only": 1,
        "face under 24 px": 1,
        "no landmarks of its own: interpolated": 1,
        "second sighting": 1,
    }


def test_a_face_that_is_not_like_the_subject_is_not_expected_to_be_swapped() -> None:
    far = np.full((2, 128), 0.8 / np.sqrt(128), np.float32)
    far[0] = 0
    found = expect(1, expected_ledger(video([PLAIN], [PLAIN], descriptors={MINE: far}), AVERAGE, []))
    assert (found.to_swap, found.reasons) == (1, {"not surely the subject": 1})


def test_only_faces_that_can_be_learned_from_are_material() -> None:
    frames = [[face(yaw=yaw)] for yaw in np.linspace(-20, 20, 21)]
    frames += [[face(px=39)], [face(filled=True)], [face(seen=False)], []]
    found = material([video(*frames)])
    assert found.usable == 21 and found.median_height_px == 100
    assert found.yaw_from_degrees == pytest.approx(-18, abs=0.1)
    assert found.yaw_to_degrees == pytest.approx(18, abs=0.1)
    assert material([video([])]).usable == 0


def test_the_policy_follows_from_the_body() -> None:
    assert fitting([True] * 11 + [False] * 9).policy == "release"
    assert fitting([True] * 10 + [False] * 10).policy == "release-face"
    found = fitting([True])
    assert (found.covered_share, found.longest_covered_s, found.least_to_swap) == (0.05, 1, 100)


@pytest.mark.parametrize(("hips_y", "in_view"), [(400, True), (479, True), (481, False)])
def test_a_body_is_in_view_down_to_the_hips(hips_y: float, in_view: bool) -> None:
    keypoints = np.full((17, 3), 100, np.float32)
    keypoints[[11, 12], 1] = hips_y
    assert body_in_view(BodyPose(keypoints=keypoints, area_px2=1.0), WIDTH, HEIGHT) is in_view
    assert not body_in_view(None, WIDTH, HEIGHT)


def test_the_time_grows_with_what_finding_faces_took() -> None:
    facts = [video([PLAIN]).source.facts]
    one = expecting.run_seconds([2.0], facts, training_s=0.0)
    assert one > 2 and expecting.run_seconds([4.0], facts, training_s=0.0) == pytest.approx(2 * one)
    assert expecting.run_seconds([2.0], facts) == pytest.approx(one + expecting.DEFAULT_SECONDS)


def test_what_the_policy_will_object_to_is_said() -> None:
    assert inspection().misses == ()
    [expected] = inspection().expected
    bad = replace(expected, covered=11, to_swap=99, longest_covered_s=1.2)
    found = replace(inspection(), expected=(bad,)).misses
    assert [words.split(": ")[1].split(",")[0] for words in found] == [
        "covered in 5.5%",
        "covered for 1.2 s on end",
        "99 frames to swap",
    ]


# -- whether a run could start, and how it is said -------------------------------------------------------------------


def test_a_run_can_start_with_a_subject_and_forty_faces() -> None:
    good = inspection()
    assert good.material is not None
    assert good.can_start
    assert replace(good, material=replace(good.material, usable=40)).can_start
    assert not replace(good, material=replace(good.material, usable=39)).can_start
    assert not replace(good, subject=None, refusal="two people could be the subject").can_start
    assert not nobody_found().can_start


def test_the_text_says_who_what_and_why_not(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(inspection())
    text = " ".join(capsys.readouterr().out.split())
    assert "person 1 (subject)" in text and "12 frames head turned by more than 40 degrees; video 1: 3.2-3.7 s" in text
    assert "a run drops streams: 1 x sound (unless --audio asks for it); tags: title" in text
    assert "video 1: 5 of 200 frames (2.5%)" in text and "--policy release-face" in text
    assert text.endswith("A run could start: it would take person 1 as the subject.")
    print_result(nobody_found())
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert "no face was found in any frame" in " ".join(lines)
    assert "A run could not start: nobody's face is in every subject video" in " ".join(lines)
    few = inspection()
    assert few.material is not None
    print_result(replace(few, material=replace(few.material, usable=39)))
    assert "A run could not start: too few usable faces." in capsys.readouterr().out


def test_the_contact_sheet_must_be_a_png() -> None:
    with pytest.raises(SettingsError, match=r"must end in \.png"):
        make_inspect_settings(videos=(Path("a.mp4"),), out=Path("sheet.jpg"))
    assert make_inspect_settings(videos=(Path("a.mp4"),), out=Path("sheet.PNG")).out is not None
    with pytest.raises(SettingsError, match="--device"):
        make_inspect_settings(videos=(Path("a.mp4"),), device="tpu")


# -- the contact sheet -----------------------------------------------------------------------------------------------


def noise() -> Image:
    return np.random.default_rng(0).integers(60, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def test_a_tile_is_black_where_a_face_is_and_coarse_elsewhere() -> None:
    tile = make_tile(noise(), [("", np.float32((200, 100, 400, 300)))], "video 1, 0.0 s").image_rgb
    scale = tile.shape[1] / WIDTH
    left, top, right, bottom = (round(float(edge) * scale) for edge in release_box(np.float32((200, 100, 400, 300))))
    assert not tile[top + 1 : bottom - 1, left + 1 : right - 1].any()
    outside = tile[:, : left - 2]
    assert outside.min() > 60
    assert np.abs(np.diff(outside.astype(int), axis=1)).max() < 25  # of the noise no pixel is left


def test_a_named_face_carries_its_name_also_at_the_edge() -> None:
    for box in ((200, 100, 400, 300), (0, 0, 20, 20), (WIDTH - 10, HEIGHT - 10, WIDTH + 40, HEIGHT + 40)):
        plain, named = (
            make_tile(noise(), [(name, np.float32(box))], "").image_rgb for name in ("", "person 1, track 0")
        )
        yellow = (named[..., 0] > 200) & (named[..., 2] < 100)
        assert yellow.sum() > 50 and not ((plain[..., 0] > 200) & (plain[..., 2] < 100)).any()


def test_a_sheet_holds_its_tiles_and_no_tags(tmp_path: Path) -> None:
    tiles = [make_tile(noise(), [], f"video 1, {at}.0 s") for at in range(5)]
    path = tmp_path / "sheet.png"
    path.write_bytes(contact_sheet(tiles))
    with PillowImage.open(path) as sheet:
        assert sheet.format == "PNG" and not sheet.info
        assert sheet.width > 4 * tiles[0].image_rgb.shape[1] and sheet.height > 2 * tiles[0].image_rgb.shape[0]
