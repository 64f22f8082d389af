"""The review page's answers: a reading begins, decides, takes back and ends; what was sent is what counts as shown."""

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from deid_audit.pipeline.reviewing import Pending
from deid_audit.resources import resource_dir
from deid_audit.review.records import Reading, Shown
from deid_audit.video.reader import read_frames
from deid_audit.web.desk import Desk, NotTaken
from deid_audit.web.guard import Guard
from deid_audit.web.overview import MOST_COLUMNS, PORTION, Overview
from deid_audit.web.pictures import Pictures
from deid_audit.web.review_pages import ReviewPages
from tests.unit.colours import contrast
from tests.unit.waiting_jobs import FACE, FRAMES, OTHER, waiting

PORT = 4322


@pytest.fixture(scope="module")
def pending(tmp_path_factory: pytest.TempPathFactory) -> Pending:
    return waiting(tmp_path_factory.mktemp("waiting"), videos=2)


class Opened:
    """A page that a reviewer opened, and what became of it."""

    def __init__(self, pending: Pending, *, can_reswap: bool = True, name: str = "A. Reader") -> None:
        self.kept: list[Reading] = []
        self.finished = threading.Event()
        self.pictures = Pictures(pending)
        self.desk = Desk(pending, can_reswap=can_reswap, keep=self.kept.append)
        guard = Guard(ReviewPages(self.desk, self.pictures, self.finished).app(), port=PORT, announce=print)
        self.browser = TestClient(
            guard, base_url=f"http://127.0.0.1:{PORT}", headers={"Origin": f"http://127.0.0.1:{PORT}"}
        )
        self.first = self.browser.get(guard.address).text
        self.csrf = self.first.partition('name="csrf" content="')[2].partition('"')[0]
        if name:
            assert self.post("/begin", reviewer=name).status_code == 200

    def post(self, path: str, **fields: object):  # type: ignore[no-untyped-def]
        return self.browser.post(path, data={"csrf": self.csrf, **fields})

    def decide(self, **changes: object):  # type: ignore[no-untyped-def]
        said = {"kind": "conceal", "video": 1, "first": 3, "last": 7, "track": 0, "box": "", "note": ""}
        return self.post("/decide", **(said | changes))


@pytest.fixture
def opened(pending: Pending) -> Iterator[Opened]:
    made = Opened(pending)
    with made.pictures:
        yield made


# -- a reading ---------------------------------------------------------------------------------------------------------


def test_a_name_is_asked_for_first_and_shown_afterwards(pending: Pending) -> None:
    page = Opened(pending, name="")
    assert "Your name or initials" in page.first and 'id="picture"' not in page.first
    refused = page.post("/begin", reviewer="  ")
    assert refused.status_code == 422 and "is empty" in refused.text
    assert page.decide().json()["problem"] == "Give your name first."
    assert "reading by Élodie &lt;b&gt;" in page.post("/begin", reviewer="Élodie <b>").text
    assert page.kept == []


def test_a_decision_is_kept_shown_and_taken_back(opened: Opened) -> None:
    assert opened.decide(note="a mirror").status_code == 200
    said = opened.decide(kind="clear", first=50, last=54, track="").json()
    assert [(one["number"], one["kind"], one["track"]) for one in said["decisions"]] == [
        (1, "conceal", 0),
        (2, "clear", None),
    ]
    said = opened.decide(track="", box="-5,10,50.06,999").json()
    assert said["decisions"][2]["box"] == [0.0, 10.0, 50.1, 64.0], "what lies outside the picture is left out"
    left = opened.post("/undo", number=1).json()["decisions"]
    assert [(one["number"], one["kind"]) for one in left] == [(1, "clear"), (2, "conceal")]
    assert [len(one.decisions) for one in opened.kept] == [1, 2, 3, 2]
    assert opened.kept[0].decisions[0].note == "a mirror" and opened.kept[-1].finished_at is None
    assert opened.post("/undo", number=9).json()["problem"] == "There is no such decision of yours."


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"video": 3}, "Video 3 has no frames"),
        ({"first": 7, "last": 3}, "has no frames 7 to 3"),
        ({"last": FRAMES}, "has no frames"),
        ({"first": "x"}, "must be numbers"),
        ({"track": 9}, "9 is in none of the frames"),
        ({"track": 3, "first": 40, "last": 45}, "3 is in none of the frames"),
        ({"kind": "uncover"}, "Input should be"),
        ({"box": "1,2,3"}, "must be numbers"),
        ({"box": "5,5,5,9"}, "its box has no area"),
        ({"box": "nan,1,2,3"}, "must be numbers"),
        ({"note": "two\nlines"}, "cannot be printed"),
        ({"note": "x" * 501}, "500 are allowed"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_kept(opened: Opened, changes: dict[str, object], words: str) -> None:
    refused = opened.decide(**changes)
    assert refused.status_code == 422 and words in refused.json()["problem"]
    assert opened.kept == []


def test_without_the_model_nothing_is_swapped_again(pending: Pending) -> None:
    page = Opened(pending, can_reswap=False)
    assert "model was destroyed" in page.decide(kind="reswap").json()["problem"]
    assert 'data-kind="reswap"' not in page.browser.get("/").text
    assert 'data-kind="reswap"' in Opened(pending).browser.get("/").text
    assert Opened(pending).decide(kind="reswap").status_code == 200


def test_a_frame_was_shown_when_both_of_its_pictures_were_sent(opened: Opened) -> None:
    for frame in (3, 4, 9):
        for side in ("original", "released"):
            assert opened.browser.get(f"/frame?video=2&side={side}&frame={frame}").status_code == 200
    opened.browser.get("/frame?video=1&side=released&frame=1")
    opened.browser.get("/face?video=1&side=original&track=0")
    said = opened.browser.get("/standing").json()
    assert said["shown"] == [[2, 3, 4], [2, 9, 9]] and (said["frames_shown"], said["frames"]) == (3, 2 * FRAMES)
    assert opened.post("/finish").status_code == 200 and opened.finished.is_set()
    assert opened.kept[-1].shown == (
        Shown(video=2, first_frame=3, last_frame=4),
        Shown(video=2, first_frame=9, last_frame=9),
    )
    assert opened.kept[-1].finished_at is not None
    assert "finished" in opened.decide().json()["problem"]


def test_a_draft_goes_on_under_its_own_name_and_the_other_reader_cannot_make_it(pending: Pending) -> None:
    first = Opened(pending)
    first.decide()
    for side in ("original", "released"):
        first.browser.get(f"/frame?video=1&side={side}&frame=5")
    first.desk.pause()
    kept: list[Reading] = []
    again = Desk(pending, draft=first.kept[-1], keep=kept.append)
    with pytest.raises(NotTaken, match="another name"):
        again.begin("B. Reader")
    again.begin("A. Reader")
    assert again.progress()[0] == 1 and len(again.finish().decisions) == 1
    other = Desk(pending, keep=kept.append, not_by=frozenset({"a. reader"}))
    with pytest.raises(NotTaken, match="Somebody else"):
        other.begin("A. Reader")


# -- what is said and shown --------------------------------------------------------------------------------------------


def test_pictures_are_the_frames_of_their_videos(opened: Opened, pending: Pending) -> None:
    for side, source in (("original", pending.originals[0]), ("released", pending.released[0])):
        expected = [frame.image_rgb for frame in read_frames(source)][17]
        answer = opened.browser.get(f"/frame?video=1&side={side}&frame=17")
        assert answer.headers["content-type"] == "image/jpeg" and answer.headers["cache-control"] == "no-store"
        decoded = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert decoded.shape == expected.shape and np.abs(decoded.astype(int) - expected).mean() < 4


@pytest.mark.parametrize(
    "path",
    [
        "/frame?video=1&side=released&frame=60", "/frame?video=0&side=released&frame=1", "/frame?side=released",
        "/frame?video=1&side=../original&frame=1", "/frame?video=1&side=released&frame=-1", "/about?video=1&frame=1e2",
        "/face?video=1&side=original&track=77", "/timeline?video=1&columns=0", "/people?video=9", "/review.py",
        "/%2e%2e/review.css", "/review.html.j2", "/begin", "/decide",
    ],
)  # fmt: skip
def test_what_is_not_there_says_nothing(opened: Opened, path: str) -> None:
    answer = opened.browser.get(path)
    assert answer.status_code == 404 and answer.content == b""


def test_the_queue_is_worst_first_in_portions_and_filtered(opened: Opened, pending: Pending) -> None:
    whole = opened.browser.get("/queue?video=0&offset=0").json()
    assert whole["total"] == len(whole["items"]) > 8 and whole["items"][0]["state"] == "undecided"
    mine = opened.browser.get("/queue?video=2&offset=0&undecided=1").json()["items"]
    assert [(one["video"], one["first"], one["last"], one["track"]) for one in mine] == [(2, 40, 40, 0)]
    opened.decide(kind="clear", video=2, first=39, last=40)
    assert opened.browser.get("/queue?video=2&offset=0&undecided=1&open=1").json()["total"] == 0
    [row] = opened.browser.get("/queue?video=2&offset=0&undecided=1").json()["items"]
    assert row["decided"] == ["clear"]
    long = replace(pending, ledgers=(tuple(ledger for ledger in pending.ledgers[0]),) * 40)
    long = replace(long, originals=(pending.originals[0],) * 40)
    found = Overview(long)
    from deid_audit.web.overview import Filter  # noqa: PLC0415

    pages = [found.portion(Filter(), (), offset)["items"] for offset in (0, PORTION)]
    assert len(pages[0]) == PORTION and pages[0] != pages[1]


def test_a_drawn_region_decides_about_its_own_place_only(opened: Opened) -> None:
    """A mirror beside the subject is no decision about the subject's face of the same frames."""
    open_ones = "/queue?video=2&offset=0&undecided=1&open=1"
    opened.decide(video=2, first=39, last=41, track="", box=",".join(map(str, OTHER)))
    [row] = opened.browser.get(open_ones).json()["items"]
    assert (row["first"], row["track"], row["decided"]) == (40, 0, [])
    opened.decide(video=2, first=39, last=41, track="", box=",".join(map(str, FACE)))
    assert opened.browser.get(open_ones).json()["total"] == 0


def test_a_person_who_was_rejected_says_so(opened: Opened) -> None:
    opened.decide(kind="wrong_person", video=2, first=0, last=29, track=3)
    opened.decide(kind="conceal", video=2, first=0, last=29, track="")
    cards = opened.browser.get("/people?video=2").json()["people"]
    assert [(one["track"], one["decided"]) for one in cards] == [(0, []), (3, ["wrong_person"])]
    assert all(one["decided"] == [] for one in opened.browser.get("/people?video=1").json()["people"])


def test_a_resolution_can_list_where_the_readings_differ(pending: Pending) -> None:
    first, second = Opened(pending, name="A"), Opened(replace(pending, role="second"), name="B")
    for reader in (first, second):
        reader.decide(kind="conceal", first=0, last=5, track=3)
    first.decide(kind="clear", first=40, last=40, track=0)
    both = (first.desk.finish(), second.desk.finish())
    resolution = Opened(replace(pending, role="resolution", readings=both), name="C")
    assert "where the readings differ (1)" in resolution.browser.get("/").text
    [row] = resolution.browser.get("/queue?video=0&offset=0&differing=1").json()["items"]
    assert (row["first"], row["track"], row["differs"]) == (40, 0, True)
    everything = resolution.browser.get("/queue?video=0&offset=0").json()["items"]
    assert [one["number"] for one in everything] == list(range(len(everything))) and len(everything) > 1
    for other in (Opened(pending), Opened(replace(pending, role="resolution", round=2, readings=both))):
        assert "where the readings differ" not in other.browser.get("/").text, "of other pictures, or of nobody"


def test_the_timeline_keeps_every_extreme_in_few_columns(opened: Opened, pending: Pending) -> None:
    said = opened.browser.get("/timeline?video=1&columns=10").json()
    assert said["frames"] == FRAMES and len(said["states"]) == len(said["distances"]) == 10
    undecided = 1 << said["names"].index("undecided")
    assert [at for at, states in enumerate(said["states"]) if states & undecided] == [6], "frame 40 of 60"
    known = [one.distance for one in pending.ledgers[0] if one.distance is not None]
    assert min(one for one in said["distances"] if one is not None) == min(known)
    assert len(opened.browser.get("/timeline?video=1&columns=60000").json()["states"]) == min(FRAMES, MOST_COLUMNS)


def test_each_person_has_a_card_and_each_frame_its_words(opened: Opened) -> None:
    people = opened.browser.get("/people?video=1").json()["people"]
    assert [(one["track"], one["whose"], one["frames"]) for one in people] == [
        (0, "subject", 55),
        (3, "another person", 30),
    ]
    face = cv2.imdecode(np.frombuffer(opened.browser.get("/face?video=1&side=released&track=3").content, np.uint8), 1)
    assert max(face.shape) == 112
    about = opened.browser.get("/about?video=1&frame=21").json()
    assert about["state"] == "concealed" and about["distance"] is None and (about["width"], about["height"]) == (96, 64)
    assert [(one["track"], one["box"]) for one in about["regions"]][1] == (3, list(OTHER))
    assert opened.browser.get("/about?video=1&frame=52").json()["cleared_by"] == ["one", "another"]


def test_a_resolution_shows_both_readings_and_a_second_reading_none(pending: Pending, tmp_path: Path) -> None:
    first = Opened(pending, name="First Reader")
    first.decide(note="words of the first")
    reading = first.desk.finish()
    resolution = Opened(replace(pending, role="resolution", readings=(reading,)), name="C")
    page = resolution.browser.get("/").text
    assert "first reading by First Reader" in page and "words of the first" in page
    second = Opened(replace(pending, role="second"), name="B")
    assert "First Reader" not in second.first + second.browser.get("/").text


def test_nothing_of_a_page_comes_from_outside_and_words_are_escaped(pending: Pending) -> None:
    hostile = '"><script>alert(1)</script>'
    page = Opened(replace(pending, refused=(hostile,), case_id=hostile), name=hostile)
    for html in (page.first, page.browser.get("/").text):
        assert hostile not in html and html.count("<script") <= 1
        assert "http://" not in html and "https://" not in html and " style=" not in html and " onclick" not in html
    for name in ("review.css", "review.js", "answers.js", "screen.js", "timeline.js"):
        text = page.browser.get(f"/{name}").text
        assert "http" not in text.replace("http-equiv", "") and "innerHTML" not in text and "@import" not in text


def test_only_the_video_last_asked_for_stays_in_memory(pending: Pending) -> None:
    with Pictures(pending) as pictures:
        first = pictures.frame(1, "released", 7)
        pictures.frame(2, "released", 7)
        kept = [len(one._kept) for one in pictures._videos["released"]]
        assert kept[0] == 0 and kept[1] > 0
        assert pictures.frame(1, "released", 7) == first


def test_every_colour_of_words_is_dark_enough() -> None:
    style = (resource_dir("templates") / "review" / "review.css").read_text(encoding="utf-8")
    named = dict(re.findall(r"(--\w+): (#[0-9a-f]{6})", style))
    words = {*re.findall(r"(?<!-)color: (#[0-9a-f]{6})", style), *(named[one] for one in ("--ink", "--soft", "--blue"))}
    assert len(words) > 5
    grounds = ("#ffffff", named["--ground"], "#fff3cf", "#fff4f4", "#eef4fa", "#eeeeee")
    assert min(contrast(one, ground) for one in words for ground in grounds) >= 4.5
    assert contrast("#ffffff", named["--blue"]) >= 4.5


def test_a_video_that_changed_ends_the_page(pending: Pending, tmp_path: Path) -> None:
    from deid_audit.errors import VideoError  # noqa: PLC0415

    film = tmp_path / "gone.mp4"
    film.write_bytes(pending.originals[0].path.read_bytes())
    changed = replace(pending, originals=(replace(pending.originals[0], path=film), pending.originals[1]))
    page = Opened(changed)
    film.unlink()
    asked: Callable[[], object] = lambda: page.browser.get("/frame?video=1&side=original&frame=3")  # noqa: E731
    with pytest.raises(VideoError):
        asked()
