"""Text that stands still is found with its stretch, moves are not, and a covered line is gone from the written file."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from deid_audit.certificate.tables import text_table
from deid_audit.cli.report import print_result
from deid_audit.findings import TextRegion
from deid_audit.frames import Frame, Image
from deid_audit.measure.text_left import measure_text
from deid_audit.pipeline.burned_in import find_text, text_covered, text_regions
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import SourceVideo, open_video, read_frames
from deid_audit.video.writer import write_video
from deid_audit.vision.overlay_text import Box, TextLine
from deid_audit.vision.standing_text import StandingText, TextStretch, standing
from tests.fakes import make_case
from tests.sample_clips import sample
from tests.unit.made_videos import make_video, picture
from tests.unit.overlays import Overlay, burned_in, share_found

RATE = 8
SCENE = picture(900, 240, seed=2)
TEXT = Overlay(text="SENTINEL 1961", capital_px=16, ground="outline")
PLACE = burned_in(np.zeros((240, 320, 3), np.uint8), TEXT)[1]


def moving(index: int) -> Image:
    """A scene that goes by, 6 px a frame."""
    return np.ascontiguousarray(SCENE[:, 6 * index : 6 * index + 320])


def search(images: list[Image]) -> tuple[TextStretch, ...]:
    found = StandingText([index / RATE for index in range(len(images))])
    for index, image in enumerate(images):
        found.see(Frame(index=index, pts=index, image_rgb=image))
    return found.finish()


def shown(seconds: int, first_s: int = 0, last_s: int = 99) -> list[Image]:
    """A scene that moves, with the text between two moments."""
    images = [moving(index) for index in range(seconds * RATE)]
    return [
        burned_in(image, TEXT)[0] if first_s <= index / RATE < last_s else image for index, image in enumerate(images)
    ]


def test_standing_text_before_a_moving_scene_is_found() -> None:
    found = search(shown(4))
    assert share_found([one.box_xyxy for one in found], PLACE, (240, 320)) > 0.9
    assert {(one.first, one.last) for one in found} == {(0, 4 * RATE - 1)}
    assert search(shown(4, 9)) == ()


def test_it_counts_from_the_second_before_it_to_the_second_after() -> None:
    (found,) = search(shown(8, first_s=3, last_s=5))
    assert (found.first, found.last) == (2 * RATE, 6 * RATE - 1)


def test_a_clear_line_counts_after_one_second_and_a_faint_or_cluttered_one_only_after_two() -> None:
    still = np.full((240, 320, 3), 60, np.uint8)
    plain = replace(TEXT, ground="plain")
    clear, faint = (burned_in(still, replace(plain, colour=(level,) * 3))[0] for level in (220, 95))
    for image, seconds, count in ((clear, 1, 1), (faint, 1, 0), (faint, 2, 1)):
        found = search([still] * RATE + [image] * seconds * RATE + [still] * 2 * RATE)
        assert len(found) == count
        assert all((one.first, one.last) == (0, (seconds + 2) * RATE - 1) for one in found)
    assert search(shown(5, first_s=2, last_s=3)) == ()
    assert search([faint] * RATE), "there is no other second"


def test_a_text_that_moves_is_not_found_as_the_certificate_says() -> None:
    crossing = [burned_in(moving(0), replace(TEXT, xy=(10, 10 + 5 * index)))[0] for index in range(4 * RATE)]
    assert search(crossing) == ()


LINE, LOWER, LONGER = (10, 10, 90, 30), (10, 24, 90, 44), (10, 10, 140, 31)
FRAMES = [(10 * at, 10 * at + 9) for at in range(6)]


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ([[], [LINE], [LINE], [], [], []], [(LINE, 0, 39)]),
        ([[], [LINE], [], [LINE], [], []], [(LINE, 0, 49)]),  # lost for a second
        ([[LINE], [], [], [LINE], [], []], []),  # too far apart to be one
        ([[], [LINE], [LOWER], [], [], []], []),  # it sank: no line stood still
        ([[], [], [], [], [LINE], [LONGER]], [(LONGER, 30, 59)]),  # clutter beside it
        ([[LINE, LOWER], [LOWER, LINE], [], [], [], []], [(LINE, 0, 29), (LOWER, 0, 29)]),
    ],
)
def test_stretches_by_hand(windows: list[list[Box]], expected: list[tuple[Box, int, int]]) -> None:
    lines = [[TextLine(box) for box in window] for window in windows]
    assert [(one.box_xyxy, one.first, one.last) for one in standing(lines, FRAMES)] == expected


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> SourceVideo:
    """Three seconds with a burned-in name."""
    folder = tmp_path_factory.mktemp("text")
    like = open_video(
        make_video(folder / "v.mp4", range(3 * RATE), time_base=Fraction(1, RATE), size=(320, 240)), label="v"
    )
    write_video(folder / "named.mp4", _frames(like, shown(3)), like=like)
    return open_video(folder / "named.mp4", label="subject video 1")


def _frames(like: SourceVideo, images: list[Image]) -> Iterator[Frame]:
    for index, (pts, image) in enumerate(zip(like.pts, images, strict=True)):
        yield Frame(index=index, pts=pts, image_rgb=image)


def test_covered_text_is_black_in_every_frame_and_gone_from_the_written_file(
    original: SourceVideo, tmp_path: Path
) -> None:
    found = find_text(original, progress=SilentProgress())
    assert found, "left as it is it would be flagged"
    frames = read_frames(original)
    covered = (replace(one, image_rgb=text_covered(one.image_rgb, one.index, found)) for one in frames)
    write_video(tmp_path / "case-01.mp4", covered, like=original)
    written = open_video(tmp_path / "case-01.mp4", label="released video 1")
    assert find_text(written, progress=SilentProgress()) == ()
    left, top, right, bottom = PLACE
    assert all(frame.image_rgb[top:bottom, left:right].max() < 12 for frame in read_frames(written))


def test_a_line_is_covered_in_its_stretch_and_nowhere_else() -> None:
    white = np.full((60, 100, 3), 255, np.uint8)
    line = TextStretch(box_xyxy=(10, 10, 90, 30), first=3, last=5)
    for index in (2, 6):
        assert (text_covered(white, index, [line]) == 255).all()
    for index in (3, 5):
        image = text_covered(white, index, [line])
        assert (image[10:30, 10:90] == 0).all() and image.sum() == white.sum() - 255 * 3 * 20 * 80


def test_the_statement_and_the_table_say_what_is_left_first_and_never_what_it_says() -> None:
    lines = [TextStretch(box_xyxy=(at, 0, at + 9, 9), first=at, last=at + 5) for at in range(14)]
    regions = text_regions(2, lines[:1], lines[1:])
    assert [region.covered for region in regions].count(True) == 13
    rows = text_table(regions, "video 2").rows
    assert rows[0] == ("0, 0, 9, 9", "0–5", "left as it is")
    assert rows[1][2] == "covered with black"
    assert rows[-1][0] == "and 2 more, in the statement" and text_table(regions, "video 1").rows == []
    assert set(TextRegion.model_fields) == {"video", "box_xyxy", "first_frame", "last_frame", "covered"}


def test_what_is_left_is_counted() -> None:
    (row,) = measure_text(2, 3, 100, "video 1")
    assert (row.metric, row.value, row.sample_size, row.detail) == ("text.regions_left", 2, 100, {"covered": 3})


def test_the_terminal_counts_what_was_found_and_covered_and_says_what_to_do_about_the_rest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = TextStretch(box_xyxy=(10, 10, 90, 30), first=3, last=5)
    for left, covered, kind, told in (
        ([line], [line], "swap", "2 found, 1 covered, 1 left. The certificate says where"),
        ([line], [], "swap", "run again with --burned-in-text cover"),
        ([line], [], "audit", "the tool that made"),
        ([], [line], "swap", "1 found, 1 covered, 0 left."),
        ([], [], "swap", ""),
    ):
        case = make_case(kind=kind, burned_in_text=text_regions(1, left, covered))
        print_result(SimpleNamespace(case=case, explanations=(), out=Path("OUT")))  # type: ignore[arg-type]
        said = " ".join(capsys.readouterr().out.split())
        assert ("burned-in text" in said) == bool(told) and told in said
        assert ("The certificate says where" in said) == bool(left)


@pytest.mark.samples
@pytest.mark.parametrize(
    ("name", "lines"), [("talking_head_grid/grid_brbk7n.mpg", 0), ("hard_leave_vfr/openh264_foreman_cif.mp4", 1)]
)
def test_real_clips(name: str, lines: int) -> None:
    """The second has a maker's name burned in at its top left corner."""
    found = find_text(open_video(sample(name), label="v"), progress=SilentProgress())
    assert len([one for one in found if one.box_xyxy[:2] == (0, 0)]) == lines
