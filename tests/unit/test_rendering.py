"""How swaps and covers are put together in one frame; the swaps are painted by a stand-in, in one colour each."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from deid_audit.errors import StageError
from deid_audit.frames import Float, Frame, Image, TrackedFace
from deid_audit.ledger import LedgerFrame, Region, Rung, State
from deid_audit.pipeline.ladder import Attempt
from deid_audit.pipeline.rendering import Descriptors, Part, RenderedPass, _Renderer, subject_boxes, withdraw
from deid_audit.progress import SilentProgress
from deid_audit.vision.standing_text import TextStretch
from tests.unit.test_inspecting import MINE, OTHER, STRAY, face, video

GREY, RED, GREEN, BLACK = (90, 90, 90), (200, 0, 0), (0, 200, 0), (0, 0, 0)


@dataclass(eq=False)
class Painter:
    """Fills the face's box, grown by `reach` px, with its colour; without a colour it refuses."""

    colour: tuple[int, int, int] | None
    reach: int = 0
    beside: list[list[float]] = field(default_factory=list)
    least: list[Rung] = field(default_factory=list)

    def attempt(
        self, frame: Frame, face: TrackedFace, beside: list[TrackedFace], described: Float | None, least: Rung
    ) -> Attempt:
        self.least.append(least)
        self.beside.append([float(one.box_xyxy[0]) for one in beside])
        image: Image | None = None
        if self.colour is not None:
            image = frame.image_rgb.copy()
            x0, y0, x1, y1 = (face.box_xyxy + np.float32((-1, -1, 1, 1)) * self.reach).astype(int)
            image[max(0, y0) : y1, max(0, x0) : x1] = self.colour
        rung = Rung.COVER if image is None else Rung.SWAP
        return Attempt(image_rgb=image, rung=rung, reason="painted", numbers=(), original=np.ones(128, np.float32))

    def close(self) -> None: ...


def render(
    row: list[TrackedFace],
    *painters: Painter,
    tracks: tuple[frozenset[int], ...] = (frozenset({MINE}),),
    again: list[Region] | None = None,
    harder: dict[tuple[int, int], Rung] | None = None,
) -> tuple[Image, list[Region], RenderedPass]:
    """One frame of grey with these faces; `tracks[i]` are what painter i swaps, OTHER is a known other person."""
    cast = replace(video(row), others=frozenset({OTHER}))
    parts = [
        Part(cast=replace(cast, tracks=mine), swapper=one, describer=None)  # type: ignore[arg-type]
        for mine, one in zip(tracks, painters, strict=True)
    ]
    done = RenderedPass()
    with SilentProgress().step("", 1) as step:
        renderer = _Renderer(parts=parts, done=done, step=step, again={0: again or []}, harder=harder or {})
    grey = np.full((480, 640, 3), GREY, np.uint8)
    image, regions, original = renderer._render(Frame(index=0, pts=0, image_rgb=grey), (None,) * len(parts))
    assert image is not grey and (grey == GREY).all(), "the decoded frame is never the result"
    done.original_descriptors.append(original)
    return image, regions, done


def at(image: Image, x: float, y: float = 250) -> tuple[int, ...]:
    return tuple(image[int(y), int(x)].tolist())


def told(regions: list[Region]) -> list[tuple[str, bool, str]]:
    return [(region.state.value, region.is_subject, region.reason) for region in regions]


def test_the_subject_is_swapped_and_a_known_other_covered() -> None:
    image, regions, _ = render([face(x=100), face(track=OTHER, x=400)], Painter(RED))
    assert (at(image, 150), at(image, 450), at(image, 300)) == (RED, BLACK, GREY)
    assert told(regions) == [("swapped", True, "painted"), ("concealed", False, "not the subject")]
    assert [region.is_known for region in regions] == [True, True]


def test_a_refused_swap_is_a_cover_that_reaches_beyond_the_box() -> None:
    image, regions, _ = render([face(x=100)], Painter(None))
    assert (at(image, 150), at(image, 90), at(image, 210)) == (BLACK, BLACK, BLACK)
    assert told(regions) == [("concealed", True, "painted")] and regions[0].rung is Rung.COVER


def test_a_cover_lies_over_a_swap_and_not_under_it() -> None:
    """The swap reaches into the place of somebody else's cover."""
    image, regions, _ = render([face(x=100), face(track=OTHER, x=260)], Painter(RED, reach=80))
    assert at(image, 270) == BLACK and at(image, 150) == RED
    assert [region.state for region in regions] == [State.SWAPPED, State.CONCEALED]


def test_a_swap_that_covers_hide_much_of_is_withdrawn() -> None:
    """Two covers of somebody's hide a fifth of the face together, neither does alone."""
    sides = [face(track=OTHER, x=5, px=80), face(track=STRAY, x=210, px=80)]
    alone = [render([face(x=100), side], Painter(RED))[1][0].state for side in sides]
    assert alone == [State.SWAPPED, State.SWAPPED]
    closer = [face(track=OTHER, x=30, px=80), face(track=STRAY, x=190, px=80)]
    image, regions, _ = render([face(x=100), *closer], Painter(RED))
    assert told(regions)[0] == ("concealed", True, "the cover of another face reaches into it")
    assert at(image, 150) == BLACK and not (image == RED).all(2).any()


def test_two_swaps_that_reach_into_each_other_do_not_both_stay() -> None:
    both = (frozenset({MINE}), frozenset({OTHER}))
    row = [face(x=100), face(track=OTHER, x=210)]
    image, regions, done = render(row, Painter(RED), Painter(GREEN, reach=30), tracks=both)
    assert told(regions)[1] == ("concealed", False, "the swap of another face reaches into it")
    assert at(image, 260) == BLACK and done.beside == {}
    image, regions, done = render([face(x=100), face(track=OTHER, x=400)], Painter(RED), Painter(GREEN), tracks=both)
    assert (at(image, 150), at(image, 450)) == (RED, GREEN)
    assert list(done.beside) == [(0, OTHER)] and [region.is_subject for region in regions] == [True, False]


def test_one_face_found_twice_is_neither_covered_nor_another() -> None:
    painter = Painter(RED)
    mine = (frozenset({MINE, STRAY}),)
    image, regions, _ = render([face(x=100), face(track=STRAY, x=115, px=80)], painter, tracks=mine)
    assert at(image, 150) == RED and len(regions) == 1 and painter.beside == [[]]


def test_a_second_sighting_that_reaches_out_of_the_face_is_covered() -> None:
    """A mirror held against the cheek."""
    painter = Painter(RED)
    mine = (frozenset({MINE, STRAY}),)
    image, regions, done = render([face(x=100), face(track=STRAY, x=160, px=90)], painter, tracks=mine)
    assert painter.beside == [[160.0]], "so that it counts as a meeting"
    assert at(image, 240) == BLACK and told(regions)[1][2] == "second sighting"
    done.ledger.append(_entry(regions))
    assert subject_boxes(done.ledger)[0, 0] == 100


def test_a_head_of_nobody_known_counts_as_the_subjects_where_they_are_not_seen() -> None:
    head = [face(track=STRAY, x=300, seen=False)]
    _, regions, _ = render(head, Painter(RED))
    assert told(regions) == [("concealed", False, "nobody known")] and _entry(regions).subject_concealed
    _, beside, _ = render([face(x=100), *head], Painter(RED))
    assert not _entry(beside).subject_concealed
    _, other, _ = render([face(track=OTHER, x=300)], Painter(RED))
    assert not _entry(other).subject_concealed


def test_what_the_audit_left_undecided_is_covered_in_the_second_round() -> None:
    row = [face(x=100), face(track=OTHER, x=400)]
    both = (frozenset({MINE}), frozenset({OTHER}))
    first = render(row, Painter(RED), Painter(GREEN), tracks=both)[1]
    assert [region.state for region in first] == [State.SWAPPED, State.SWAPPED]
    undecided = replace(first[1], state=State.UNDECIDED, reason="it matches the original")
    unforeseen = replace(undecided, track_id=None, box_xyxy=(560, 20, 600, 60), reason="seen in the written file")
    painters = Painter(RED), Painter(GREEN)
    image, regions, done = render(row, *painters, tracks=both, again=[undecided, unforeseen])
    assert told(regions) == [
        ("swapped", True, "painted"),
        ("concealed", False, "it matches the original"),
        ("concealed", False, "seen in the written file"),
    ]
    assert (at(image, 150), at(image, 450), at(image, 580, 40)) == (RED, BLACK, BLACK)
    assert done.beside == {} and len(painters[1].beside) == 1, "the swap was tried all the same"


def test_a_swap_begins_with_the_rung_that_is_asked_for_in_that_frame_alone() -> None:
    row = [face(x=100), face(track=OTHER, x=400)]
    painters = Painter(RED), Painter(GREEN)
    both = (frozenset({MINE}), frozenset({OTHER}))
    render(row, *painters, tracks=both, harder={(0, OTHER): Rung.HARDER, (1, MINE): Rung.WIDER})
    assert [one.least for one in painters] == [[Rung.SWAP], [Rung.HARDER]]


def test_burned_in_text_is_covered_over_a_swap_in_every_frame_of_its_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = np.full((480, 640, 3), GREY, np.uint8)
    cast = replace(video([face(x=100)], [face(x=100)]), tracks=frozenset({MINE}))
    shown = [Frame(index=at, pts=at, image_rgb=grey) for at in range(2)]
    monkeypatch.setattr("deid_audit.pipeline.rendering.read_frames", lambda _: iter(shown))
    done = RenderedPass(text=[TextStretch(box_xyxy=(120, 240, 400, 260), first=1, last=1)])
    with SilentProgress().step("", 2) as step:
        parts = [Part(cast=cast, swapper=Painter(RED), describer=Describer())]  # type: ignore[arg-type]
        first, second = _Renderer(parts=parts, done=done, step=step).frames()
    assert (at(first.image_rgb, 150), at(first.image_rgb, 300)) == (RED, GREY)
    assert (at(second.image_rgb, 150), at(second.image_rgb, 300), at(second.image_rgb, 110)) == (BLACK, BLACK, RED)
    assert [frame.state for frame in done.ledger] == [State.SWAPPED] * 2


def test_a_face_that_covered_text_lies_on_is_covered_and_said_to_be() -> None:
    done = RenderedPass(text=[TextStretch(box_xyxy=(90, 220, 400, 260), first=0, last=0)])
    parts = [Part(cast=replace(video([face(x=100)]), tracks=frozenset({MINE})), swapper=Painter(RED), describer=None)]  # type: ignore[arg-type]
    with SilentProgress().step("", 1) as step:
        renderer = _Renderer(parts=parts, done=done, step=step)
    grey = np.full((480, 640, 3), GREY, np.uint8)
    image, regions, _ = renderer._render(Frame(index=0, pts=0, image_rgb=grey), (None,))
    assert told(regions) == [("concealed", True, "a line of text that lies on it is covered")]
    assert at(image, 150, 290) == BLACK, "where no text stands"


def test_what_is_kept_for_the_audit_can_be_overwritten() -> None:
    both = (frozenset({MINE}), frozenset({OTHER}))
    done = render([face(x=100), face(track=OTHER, x=400)], Painter(RED), Painter(GREEN), tracks=both)[2]
    rows: list[Float] = [*done.original_descriptors, *done.beside.values()]
    assert len(rows) == 2 and all((row == 1).all() for row in rows)
    done.wipe()
    assert all((row == 0).all() for row in rows)


def _entry(regions: list[Region]) -> LedgerFrame:
    return LedgerFrame(index=0, time_s=0.0, regions=tuple(regions))


# -- originals are described together ---------------------------------------------------------------------------------


class Describer:
    """A chip is the frame's value; its descriptor, too. Fails where it is told to."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.batches: list[int] = []
        self.gave: list[Float] = []

    def chip(self, image_rgb: Image, box_xyxy: Float, landmarks_xy: Float | None) -> Image:
        return image_rgb[:1, :1]

    def describe(self, chips: list[Image | None]) -> Float:
        self.batches.append(len(chips))
        if self.error is not None:
            raise self.error
        values = [np.nan if chip is None else float(chip[0, 0, 0]) for chip in chips]
        self.gave.append(np.repeat(np.float32(values)[:, None], 128, axis=1))
        return self.gave[-1]


def described(describer: Describer, known: list[Descriptors] | None = None) -> tuple[list[float | None], RenderedPass]:
    """Eleven frames, the subject in all but the fourth; the descriptor's value that comes with each of them."""
    rows = [[] if at == 3 else [face(at, x=100)] for at in range(11)]
    part = Part(cast=video(*rows), swapper=None, describer=describer)  # type: ignore[arg-type]
    done = RenderedPass()
    with SilentProgress().step("", 11) as step:
        renderer = _Renderer(parts=[part], done=done, step=step, known=known or ())
    frames = [Frame(index=at, pts=at, image_rgb=np.full((480, 640, 3), at, np.uint8)) for at in range(11)]
    found = list(renderer._described(frames))
    assert [frame.index for frame, _ in found] == list(range(11))
    return [None if row is None else float(row[0]) for _, (row,) in found], done


def test_originals_are_described_in_batches_and_each_frame_gets_its_own() -> None:
    describer = Describer()
    values, done = described(describer)
    assert values == [None if at == 3 else float(at) for at in range(11)]
    assert describer.batches == [8, 3] and len(done.described) == 11
    assert not any(rows.any() for rows in describer.gave), "what was described together is kept as copies alone"
    done.wipe()
    assert not any(row.any() for (row,) in done.described if row is not None)


def test_a_second_round_takes_the_descriptors_of_the_first() -> None:
    values, done = described(Describer())
    idle = Describer()
    assert described(idle, done.described)[0] == values and not idle.batches


def test_where_describing_together_fails_each_face_is_left_to_its_own_attempt() -> None:
    assert described(Describer(RuntimeError("no memory")))[0] == [None] * 11
    with pytest.raises(StageError):
        described(Describer(StageError("the detector gave values that are not numbers")))


# -- what is withdrawn ------------------------------------------------------------------------------------------------

FRAME: Image = np.full((300, 900, 3), 90, np.uint8)
COVER, SWAP = "the cover of another face reaches into it", "the swap of another face reaches into it"


def painted(left: int, right: int) -> Attempt:
    """A swap that changed these columns."""
    image = FRAME.copy()
    image[100:200, left:right] = 200
    return Attempt(image_rgb=image, rung=Rung.SWAP, reason="", numbers=(), original=np.zeros(128, np.float32))


@pytest.mark.parametrize(
    ("others_x", "painted_to", "cover_x", "withdrawn"),
    [
        (500, (500, 600), None, {}),
        (300, (290, 400), None, {1: SWAP}),  # over the first one's edge
        (500, (500, 600), 210, {0: COVER}),
        (500, (500, 600), 285, {}),  # less than a fifth of the face
        (320, (320, 420), 230, {0: COVER}),
        (290, (310, 410), 250, {0: COVER, 1: COVER}),  # the first one's cover reaches into the second
    ],
)
def test_what_is_withdrawn(
    others_x: int, painted_to: tuple[int, int], cover_x: int | None, withdrawn: dict[int, str]
) -> None:
    faces = [face(x=200), face(track=1, x=others_x)]
    covers: list[Float] = [] if cover_x is None else [np.float32((cover_x, 190, cover_x + 60, 310))]
    given = len(covers)
    assert withdraw(FRAME, faces, [painted(200, 300), painted(*painted_to)], covers) == withdrawn
    assert len(covers) == given + len(withdrawn)


def test_a_face_without_a_swap_is_nothing_to_withdraw() -> None:
    covered = Attempt(image_rgb=None, rung=Rung.COVER, reason="", numbers=(), original=np.zeros(128, np.float32))
    assert withdraw(FRAME, [face(x=200), None], [covered, None], [np.float32((0, 0, 900, 300))]) == {}
