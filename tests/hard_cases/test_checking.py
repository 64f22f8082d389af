"""The checker of the hard cases: each of its findings is planted once, by itself, in a made output."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deid_audit.frames import Float, Image
from deid_audit.ledger import LedgerFrame, Region, Rung, State, csv_lines
from tests.hard_cases.checking import LEAST_VISIBLE, Report, Watch, check
from tests.hard_cases.ledgers import Box, SaidFrame, own_audit, read_ledger, videos_of
from tests.hard_cases.scenes import SIZE, HardClip, Place, TrueFace, composed, face_mask, placed, room, turned
from tests.hard_cases.table import Row, markdown

FRAMES = 4
SUBJECT_BOX, OTHER_BOX = (30.0, 30.0, 90.0, 110.0), (150.0, 40.0, 190.0, 90.0)


def face(person: str, box: Box, visible: float = 1.0) -> TrueFace:
    x0, y0, x1, y1 = box
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    xs, ys = (x0 + x1) / 2 + np.cos(angle) * (x1 - x0) / 2, (y0 + y1) / 2 + np.sin(angle) * (y1 - y0) / 2
    outline = tuple(zip(xs.tolist(), ys.tolist(), strict=True))
    return TrueFace(person=person, kind="made", box_xyxy=box, outline_xy=outline, visible=visible)


TRUTH = ((face("subject", SUBJECT_BOX), face("other", OTHER_BOX)),) * FRAMES


def region(box: Box, state: State, *, subject: bool) -> Region:
    return Region(
        track_id=1 if subject else 2,
        is_subject=subject,
        state=state,
        reason="made",
        decided_by="made",
        box_xyxy=box,
        rung=Rung.SWAP if state is State.SWAPPED else None,
    )


def entry(index: int, regions: Sequence[Region]) -> LedgerFrame:
    return LedgerFrame(index=index, time_s=index / 25, regions=tuple(regions))


GOOD = (region(SUBJECT_BOX, State.SWAPPED, subject=True), region(OTHER_BOX, State.CONCEALED, subject=False))


def said(folder: Path, regions_of: dict[int, Sequence[Region]] | None = None) -> list[SaidFrame]:
    """A ledger as a job writes it and the checker reads it; `regions_of` changes single frames."""
    frames = [entry(index, (regions_of or {}).get(index, GOOD)) for index in range(FRAMES)]
    (folder / "frames.csv").write_text("".join(csv_lines([frames])))
    return read_ledger(folder / "frames.csv")[1]


def pictures(changed: Sequence[TrueFace] = TRUTH[0]) -> tuple[Image, Image]:
    """An original and what was written of it: noise for faces, `changed` ones are other noise."""
    random = np.random.default_rng(1)
    original = np.full((160, 240, 3), 128, np.uint8)
    for one in TRUTH[0]:
        mask = face_mask(np.array(one.outline_xy), original.shape)
        original[mask] = random.integers(150, 250, 3)
    written = original.copy()
    for one in changed:
        written[face_mask(np.array(one.outline_xy), original.shape)] //= 2
    return original, written


def looked_at(
    ledger: list[SaidFrame], spoiled: tuple[Image, Image] | None = None, watch: Watch | None = None
) -> Report:
    """The report on a made output in which frame 2 is spoiled."""
    pairs = [pictures()] * FRAMES
    if spoiled is not None:
        pairs[2] = spoiled
    return check("made", pairs, ledger, TRUTH, watch or Watch(subject="subject"))


def test_a_good_output_has_no_finding(tmp_path: Path) -> None:
    report = looked_at(said(tmp_path))
    assert report.clean
    assert (report.frames, report.seen, report.states, report.rungs) == (
        FRAMES,
        2 * FRAMES,
        {"concealed": FRAMES},
        {"swap": FRAMES},
    )


@pytest.mark.parametrize("left", [0, 1])
def test_a_face_that_is_as_it_was_is_missed_whatever_the_ledger_says(tmp_path: Path, left: int) -> None:
    report = looked_at(said(tmp_path), pictures(changed=[TRUTH[0][1 - left]]))
    assert [(miss.frame, miss.person, miss.changed) for miss in report.misses] == [(2, TRUTH[0][left].person, 0.0)]
    assert report.misses[0].said == ("swapped", "concealed")[left]
    assert not (report.unaccounted or report.matches or report.undecided or report.wrong_person)


@pytest.mark.parametrize(("whose", "share", "misses"), [(0, 0.1, 1), (0, 0.7, 0), (1, 0.7, 1), (1, 1.0, 0)])
def test_a_swap_must_change_half_of_a_face_and_a_cover_all(
    tmp_path: Path, whose: int, share: float, misses: int
) -> None:
    original, written = pictures()
    one, other = TRUTH[0][whose].box_xyxy, TRUTH[0][1 - whose].box_xyxy
    part = original.copy()
    for box, wide in ((one, share), (other, 1.0)):
        columns = slice(round(box[0]) - 1, round(box[0] + wide * (box[2] - box[0])) + 2)
        part[:, columns] = written[:, columns]
    assert len(looked_at(said(tmp_path), (original, part)).misses) == misses


def test_noise_is_no_change_and_a_hidden_face_no_miss(tmp_path: Path) -> None:
    original, _ = pictures()
    noisy = np.clip(original + np.random.default_rng(2).normal(0, 8, original.shape), 0, 255).astype(np.uint8)
    assert len(looked_at(said(tmp_path), (original, noisy)).misses) == 2
    hidden = (*TRUTH[:2], tuple(replace(one, visible=LEAST_VISIBLE / 2) for one in TRUTH[2]), TRUTH[3])
    pairs = [pictures(), pictures(), (original, original), pictures()]
    report = check("made", pairs, said(tmp_path), hidden, Watch(subject="subject"))
    assert not report.misses and report.partly == 2


def test_a_face_that_only_the_search_sees_is_unaccounted(tmp_path: Path) -> None:
    boxes = np.array([OTHER_BOX, (10.0, 120.0, 30.0, 150.0)], np.float32)
    watch = Watch(searches=(("made", lambda image: boxes, 2),), subject="subject")
    report = looked_at(said(tmp_path, {2: GOOD[:1]}), watch=watch)
    assert [(found.frame, found.at_a_face) for found in report.unaccounted] == [(0, False), (2, True), (2, False)]


def test_a_face_that_is_still_the_subjects_matches(tmp_path: Path) -> None:
    """Described by its brightness: halved faces are far from the original, the one left as it was is near."""

    def brightness(image: Image, box: Box) -> Float:
        x0, y0, x1, y1 = (round(edge) for edge in box)
        row = np.zeros(128, np.float32)
        row[0] = image[y0:y1, x0:x1].mean() / 20
        return row

    original, _ = pictures()
    gallery = brightness(original, SUBJECT_BOX)[None]
    watch = Watch(describe=brightness, gallery=gallery, cut=0.5, subject="subject")
    assert looked_at(said(tmp_path), watch=watch).matches == []
    half = pictures(changed=[TRUTH[0][1]])
    found = looked_at(said(tmp_path), half, watch).matches
    assert [(match.frame, match.against) for match in found] == [(2, "original"), (2, "gallery")]
    elsewhere = Watch(
        searches=(("made", lambda image: np.array([SUBJECT_BOX], np.float32), 1),),
        describe=brightness,
        gallery=gallery,
        cut=0.5,
        subject="subject",
    )
    found = looked_at(said(tmp_path, {2: GOOD[1:]}), half, elsewhere).matches
    assert [(match.frame, match.against) for match in found] == [(2, "gallery")]


def test_undecided_frames_and_regions_are_counted(tmp_path: Path) -> None:
    undecided = (region(SUBJECT_BOX, State.UNDECIDED, subject=True), GOOD[1])
    report = looked_at(said(tmp_path, {1: undecided, 3: ()}))
    assert report.undecided == [1, 3]


def test_a_swap_on_another_person_is_seen_also_where_faces_overlap(tmp_path: Path) -> None:
    wrong = (region(OTHER_BOX, State.SWAPPED, subject=True), GOOD[0])
    report = looked_at(said(tmp_path, {1: wrong}))
    assert [(one.frame, one.person) for one in report.wrong_person] == [(1, "other")]
    behind = (face("other", SUBJECT_BOX), face("subject", SUBJECT_BOX))
    pair = pictures()
    for faces, expected in ((behind, 0), (behind[::-1], FRAMES)):
        report = check("made", [pair] * FRAMES, said(tmp_path), (faces,) * FRAMES, Watch(subject="subject"))
        assert len(report.wrong_person) == expected


def test_what_is_left_out_is_an_error(tmp_path: Path) -> None:
    ledger = said(tmp_path)
    with pytest.raises(ValueError, match="zip"):
        check("made", [pictures()] * (FRAMES - 1), ledger, TRUTH, Watch())
    text = (tmp_path / "frames.csv").read_text().splitlines(keepends=True)
    (tmp_path / "frames.csv").write_text("".join(line for line in text if not line.startswith("1,2,")))
    with pytest.raises(ValueError, match="leaves frames out"):
        read_ledger(tmp_path / "frames.csv")


def test_the_own_audit_and_the_videos_are_found(tmp_path: Path) -> None:
    def row(metric: str, scope: str, value: float | None, **detail: float) -> dict[str, object]:
        return {"metric": metric, "scope": scope, "value": value, "detail": detail}

    statement = tmp_path / "evidence.json"
    rows = [row("residue.gallery_matches", f"video {at}", value, cut=0.52) for at, value in ((1, 3.0), (2, 0.0))]
    rows += [row("residue.unaccounted_faces", "video 2", 0.0), row("coverage.undecided", "video 1", 0.0)]
    statement.write_text(json.dumps({"predicate": {"measurements": rows}}))
    said = own_audit(statement)
    assert said.cut == 0.52
    assert said.found == {1: {"near the gallery": 3.0}, 2: {"near the gallery": 0.0, "unaccounted": 0.0}}
    rows = [row("residue.gallery_matches", "video 1", None)]
    statement.write_text(json.dumps({"predicate": {"measurements": rows}}))
    assert own_audit(statement).cut is None
    statement.write_text('{"predicate": {}}')
    with pytest.raises(KeyError):
        own_audit(statement)
    for folder in ("withheld", "release/data"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "c-01.mp4").touch()
        assert videos_of(tmp_path) == [tmp_path / folder / "c-01.mp4"]


def test_the_table_names_clip_person_and_frames(tmp_path: Path) -> None:
    report = looked_at(said(tmp_path), pictures(changed=[]))
    own = {"unaccounted": 2.0, "near the original": 0.0}
    text = markdown(
        [Row(clip="made", job="run", verdict="FAILED", report=report, seconds=12.3, audit_share=0.25, own=own)]
    )
    assert "| made | run | 4 | 4 concealed | 4 swap | 2 | 0 | 0 | 0 | 0 | unaccounted: 2 | FAILED | 12 | 25% |" in text
    assert "- made: missed subject (made, swapped in the ledger), frames 2" in text


def test_the_truth_of_a_scene_is_what_is_seen_of_it() -> None:
    """A square person: behind another by half, half out of the frame, and with the whole video turned."""
    from tests.hard_cases.people import Look, Person  # noqa: PLC0415

    image = np.full((100, 100, 3), 200, np.uint8)
    corners = np.array(((20.0, 20), (80, 20), (80, 80), (20, 80)))
    look = Look(image_rgb=image, cover=np.ones((100, 100), np.float32), outline_xy=corners)
    one, two = (Person(name=name, at=lambda t: look, face_px=60) for name in ("one", "two"))

    def seen(first: float, second: float) -> tuple[TrueFace, ...]:
        layers = [placed(who, 0, Place(x=x, height=0.125), SIZE) for who, x in ((one, first), (two, second))]
        return composed(room(), layers)[1]

    assert [round(found.visible, 1) for found in seen(0.2, 0.8)] == [1.0, 1.0]
    assert [round(found.visible, 1) for found in seen(0.5, 0.0)] == [1.0, 0.5]
    behind = seen(0.5, 0.5 + 50 / SIZE[0])
    assert [round(found.visible, 1) for found in behind] == [0.5, 1.0]
    clip = HardClip(name="made", subject="one", pictures=(room(),), truth=(seen(0.2, 0.8),))
    sideways = turned(clip, "sideways", 1)
    assert sideways.pictures[0].shape == (SIZE[0], SIZE[1], 3)
    left, top, right, bottom = sideways.truth[0][0].box_xyxy
    upright = clip.truth[0][0].box_xyxy
    assert (top, bottom) == (upright[0], upright[2])
    assert (left, right) == (SIZE[1] - 1 - upright[3], SIZE[1] - 1 - upright[1])
