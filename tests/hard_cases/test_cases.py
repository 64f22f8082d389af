"""The hard cases are what their names say, and the jobs on them leave out what a run refuses, saying so."""

from pathlib import Path

import numpy as np
import pytest

from tests.hard_cases import jobs
from tests.hard_cases.cases import CASES, TURNED, Setting, made
from tests.hard_cases.contact import Stretches
from tests.hard_cases.jobs import Ended, Material
from tests.hard_cases.ledgers import Said, SaidFrame
from tests.hard_cases.people import RATE
from tests.hard_cases.scenes import HardClip

SMALL = Setting(size=(160, 120))
SECONDS = 1.0


@pytest.fixture(scope="module")
def clips() -> dict[str, HardClip]:
    return {name: made(name, SMALL, seconds=SECONDS) for name in (*CASES, *TURNED)}


def shares(clip: HardClip, person: str, kind: str = "") -> dict[int, float]:
    """Visible share by frame, of one person in moments of one kind."""
    return {
        index: face.visible
        for index, faces in enumerate(clip.truth)
        for face in faces
        if face.person == person and (not kind or face.kind == kind)
    }


def test_every_case_has_its_frames_and_the_subject_long_enough(clips: dict[str, HardClip]) -> None:
    for name, clip in clips.items():
        assert len(clip.pictures) == len(clip.truth) == SECONDS * RATE, name
        clear = [share for share in shares(clip, clip.subject).values() if share > 0.95]
        assert len(clear) >= 8, name
        assert all(0 <= face.visible <= 1 for faces in clip.truth for face in faces), name


def test_the_same_case_is_the_same_picture_twice(clips: dict[str, HardClip]) -> None:
    again = made("dim", SMALL, seconds=SECONDS)
    assert all(np.array_equal(one, two) for one, two in zip(again.pictures, clips["dim"].pictures, strict=True))
    assert again.truth == clips["dim"].truth


def test_each_case_shows_what_it_is_named_for(clips: dict[str, HardClip]) -> None:
    crossing = [min(shares(clips["crossing"], who).values()) for who in ("hopper", "collins")]
    assert max(crossing) < 0.4, "each is hidden by the other once"
    assert min(shares(clips["late_entrant"], "collins")) > 0.6 * SECONDS * RATE
    flashed = [index for index, faces in enumerate(clips["flash"].truth) if len(faces) == 2]
    assert len(flashed) == 6 and flashed[2] - flashed[0] == flashed[5] - flashed[3] == 2
    assert len(shares(clips["flash"], "hopper", "in a mirror")) == 3
    assert 0.2 < min(shares(clips["border_cut"], "hopper").values()) < 0.6
    assert min(shares(clips["hand_over_face"], "hopper").values()) < 0.85
    assert 0.2 < min(shares(clips["behind_object"], "hopper").values()) < 0.6
    assert min(shares(clips["turned_away"], "hopper").values()) == 0
    kinds = {face.kind for faces in clips["person_turned"].truth for face in faces}
    assert {"turned 0", "turned 90", "turned 180"} <= kinds
    assert any(not faces for faces in clips["cuts"].truth) and any(len(faces) == 2 for faces in clips["cuts"].truth)
    heights = [face.height_px * 4 for faces in clips["small_faces"].truth for face in faces if face.person == "collins"]
    assert max(heights) > 55 and min(heights) < 24
    assert len(shares(clips["picture_on_wall"], "hopper", "photo on the wall")) == SECONDS * RATE
    brightness = [float(picture.mean()) for picture in clips["dim"].pictures]
    assert min(brightness) < 0.15 * max(brightness)


def test_a_whole_video_turned_has_its_faces_where_they_are(clips: dict[str, HardClip]) -> None:
    upright, turned = clips["clean"], clips["video_180"]
    box, other = upright.truth[0][0].box_xyxy, turned.truth[0][0].box_xyxy
    assert other == pytest.approx((159 - box[2], 119 - box[3], 159 - box[0], 119 - box[1]), abs=0.1)
    assert np.array_equal(turned.pictures[0], upright.pictures[0][::-1, ::-1])


def test_a_clip_that_the_run_refuses_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[object]] = []

    def fake(*arguments: object, out: Path, timeout_s: float) -> Ended:
        asked.append([value for value in arguments if isinstance(value, Path)])
        said = "nobody's face is in every subject video: no face of anyone in subject video 2, 3"
        return Ended(out=out, seconds=1, refusal=said if len(asked) == 1 else "")

    monkeypatch.setattr(jobs, "command", fake)
    clips = [Material(name=name, path=Path(name)) for name in ("a", "b", "c", "d")]
    ended, kept, refused = jobs.run(clips, Path("donor"), tmp_path)
    assert not ended.refusal
    assert [clip.name for clip in kept] == ["a", "d"]
    assert [(clip.name, "no face of anyone" in why) for clip, why in refused] == [("b", True), ("c", True)]
    assert asked[1] == [Path("a"), Path("d"), Path("donor"), tmp_path]


def test_a_sheet_has_a_row_for_every_concealed_stretch(tmp_path: Path) -> None:
    def frame(index: int, reason: str) -> SaidFrame:
        state = "concealed" if reason else "swapped"
        region = Said(state=state, subject=True, rung="", reason=reason, box_xyxy=(1, 1, 9, 9))
        return SaidFrame(time_s=index / 25, state=state, regions=(region,))

    picture = np.full((20, 30, 3), 90, np.uint8)
    for reasons, rows in ((("", "too near: 0.55", "too near: 0.58", "", "too small"), 2), (("", ""), 0)):
        stretches = Stretches([frame(index, reason) for index, reason in enumerate(reasons)])
        for index in range(len(reasons)):
            stretches.see(index, picture, picture)
        path = tmp_path / str(rows) / "sheet.png"
        stretches.write(path)
        assert path.exists() == bool(rows)
        assert stretches.rows == rows
