"""The pages of a viewer test behind their guard: what a viewer can see and send, and what is kept of it."""

import re
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from deid_audit.pipeline.viewer_tests import Showing
from deid_audit.viewers.plan import Plan
from deid_audit.viewers.sittings import Sittings
from deid_audit.viewers.storing import load
from deid_audit.web.guard import Guard
from deid_audit.web.viewer_pages import ViewerPages
from tests.unit.viewer_cases import make_plan, plan_sha256, sittings

PORT = 4321
HOST = f"127.0.0.1:{PORT}"
NOW = datetime(2027, 1, 2, 10, tzinfo=UTC)


class Desk:
    """A browser that was let in, the pages behind it, and a clock that the test turns."""

    def __init__(self, folder: Path, *, control: bool = False, so_far: Sittings | None = None) -> None:
        self.plan: Plan = make_plan(control=control)
        self.answers_file, self.finished, self.clock = folder / "answers.json", threading.Event(), 100.0
        clip = folder / "clip.mp4"
        clip.write_bytes(b"0123456789")
        pages = ViewerPages(
            Showing(
                plan=self.plan,
                clips={1: clip, None: clip},
                pictures={digest: digest.encode() for digest in self.plan.pictures},
                sittings=so_far or sittings(self.plan),
                answers_file=self.answers_file,
            ),
            finished=self.finished,
            now=lambda: NOW,
            seconds=lambda: self.clock,
        )
        guard = Guard(pages.app(), port=PORT, announce=print)
        self.browser = TestClient(guard, base_url=f"http://{HOST}")
        self.stranger = TestClient(guard, base_url=f"http://{HOST}")
        assert self.browser.get(guard.address).status_code == 200

    def post(self, path: str, **fields: str) -> tuple[int, str]:
        csrf = re.search(r'name="csrf" value="([^"]+)"', self.browser.get("/").text)
        assert csrf is not None
        answer = self.browser.post(path, data={"csrf": csrf[1], **fields}, headers={"Origin": f"http://{HOST}"})
        return answer.status_code, answer.text

    def begin(self, viewer: str = "V1", group: str = "unfamiliar") -> tuple[int, str]:
        return self.post("/begin", viewer=viewer, group=group)

    def number(self) -> int:
        found = re.search(r'name="line_up" value="(\d+)"', self.browser.get("/").text)
        assert found is not None
        return int(found[1])

    def answer(self, ranks: str = "123456", **changes: str) -> tuple[int, str]:
        fields = {f"rank_{place}": rank for place, rank in enumerate(ranks, start=1)}
        fields |= {"line_up": str(self.number()), "among": "no", "confidence": "2"} | changes
        return self.post("/answer", **fields)

    def kept(self) -> Sittings:
        return load(self.answers_file, Sittings, "the answers")[0]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_viewer_answers_everything_and_every_answer_is_kept_at_once(desk: Desk) -> None:
    assert "A new viewer" in desk.browser.get("/").text
    assert "Line-up 1 of 2" in desk.begin()[1]
    first = desk.number()
    desk.clock += 12.34
    code, text = desk.answer("312456", among="yes", confidence="5")
    assert code == 200 and "Line-up 2 of 2" in text and len(desk.kept().sittings[0].answers) == 1
    assert "Please call the steward" in desk.answer()[1]
    kept = desk.kept().sittings[0]
    assert (kept.viewer, kept.group, kept.started_at) == ("V1", "unfamiliar", "2027-01-02T10:00:00+00:00")
    one = kept.answers[0]
    assert (one.line_up, one.ranking, one.among_them, one.confidence) == (first, (2, 3, 1, 4, 5, 6), True, 5)
    assert one.seconds == 12.3 and tuple(a.line_up for a in kept.answers) == desk.plan.order_for("V1")
    assert desk.kept().plan_sha256 == plan_sha256(desk.plan)


def test_the_pages_do_not_say_what_is_right(desk: Desk) -> None:
    desk.begin()
    text = desk.browser.get("/").text
    assert desk.plan.portrait not in text and "absent" not in text and "present" not in text.replace("represent", "")
    assert "target" not in text and "case-0001" not in text and "right" not in desk.answer()[1].replace("bright", "")


def test_only_the_line_up_that_is_shown_has_pictures_and_a_clip(desk: Desk) -> None:
    assert desk.browser.get("/clip/1").status_code == 404, "nobody sits there yet"
    desk.begin()
    number = desk.number()
    other = 3 - number
    shown = desk.plan.line_ups[number - 1].pictures
    for place in range(1, 7):
        got = desk.browser.get(f"/picture/{number}/{place}")
        assert got.content == shown[place - 1].encode() and got.headers["cache-control"] == "no-store"
    assert desk.browser.get(f"/clip/{number}").content == b"0123456789"
    part = desk.browser.get(f"/clip/{number}", headers={"Range": "bytes=2-4"})
    assert part.status_code == 206 and part.content == b"234"
    for path in (f"/picture/{other}/1", f"/clip/{other}", f"/picture/{number}/0", f"/picture/{number}/7", "/clip/x"):
        nothing = desk.browser.get(path)
        assert nothing.status_code == 404 and nothing.content == b"", path
    for path in ("/", f"/picture/{number}/1", f"/clip/{number}", "/viewer.css"):
        assert desk.stranger.get(path).status_code == 404, "without the cookie"


def test_what_cannot_be_an_answer_is_said_and_not_kept(desk: Desk) -> None:
    desk.begin()
    for changes, words in (
        ({"ranks": "112456"}, "a rank of its own"),
        ({"ranks": "12345"}, "a rank of its own"),
        ({"ranks": "1234567"[1:]}, "a rank of its own"),
        ({"among": "perhaps"}, "among the pictures"),
        ({"confidence": "6"}, "how sure"),
        ({"confidence": ""}, "how sure"),
    ):
        code, text = desk.answer(**changes)
        assert code == 400 and words in text
    code, text = desk.answer("112456", among="yes", confidence="4")
    assert text.count(" selected>") == 6 and re.findall(r'value="(\w+)"[^>]* checked>', text) == ["yes", "4"], "kept"
    assert not desk.answers_file.exists()


def test_an_answer_that_is_sent_twice_counts_once(desk: Desk) -> None:
    desk.begin()
    first = str(desk.number())
    desk.answer()
    assert desk.answer(line_up=first)[0] == 200
    assert len(desk.kept().sittings[0].answers) == 1


def test_codes_and_groups(desk: Desk) -> None:
    for viewer, group, words in (
        ("Anna Example", "familiar", "This is no code"),
        ("<b>", "familiar", "This is no code"),
        ("V1", "", "Say whether the viewer knows"),
        ("V1", "both", "Say whether the viewer knows"),
    ):
        code, text = desk.begin(viewer, group)
        assert code == 400 and words in text and "<b>" not in text
    desk.begin()
    desk.answer()
    desk.answer()
    desk.post("/next")
    assert desk.begin()[0] == 400 and "has answered everything" in desk.begin()[1]
    assert "Line-up 1 of 2" in desk.begin("V2", "familiar")[1]
    desk.answer()
    desk.answer()
    assert [(one.viewer, one.group) for one in desk.kept().sittings] == [("V1", "unfamiliar"), ("V2", "familiar")]


def test_a_viewer_goes_on_where_they_stopped_and_stays_in_their_group(desk: Desk, tmp_path: Path) -> None:
    desk.begin()
    desk.answer()
    again = Desk(tmp_path, so_far=desk.kept())
    assert "of the other group" in again.begin(group="familiar")[1]
    assert "Line-up 2 of 2" in again.begin()[1]


def test_nobody_leaves_before_the_end_and_the_button_ends_the_test(desk: Desk) -> None:
    desk.begin()
    assert "Line-up 1 of 2" in desk.post("/next")[1]
    assert not desk.finished.is_set()
    assert "The test has ended" in desk.post("/end")[1] and desk.finished.is_set()


def test_a_post_without_the_word_changes_nothing(desk: Desk) -> None:
    for headers, csrf in (({"Origin": f"http://{HOST}"}, "wrong"), ({"Origin": "http://example.org"}, None)):
        word = csrf or re.findall(r'name="csrf" value="([^"]+)"', desk.browser.get("/").text)[0]
        sent = desk.browser.post("/begin", data={"csrf": word, "viewer": "V1", "group": "familiar"}, headers=headers)
        assert sent.status_code == 404
    assert "A new viewer" in desk.browser.get("/").text
