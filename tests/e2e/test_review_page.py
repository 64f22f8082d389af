"""A reviewer in a browser: clears a frame, conceals a drawn region, rejects a person; and nobody else gets anything."""

import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from deid_audit.digests import sha256_file
from deid_audit.evidence import parse_statement
from deid_audit.findings import Outcome
from deid_audit.ledger_file import read_ledger_file
from deid_audit.log.entries import read_entry
from deid_audit.pipeline.finished_out import KEY_FILE
from deid_audit.review.records import ReviewFile, load_review
from deid_audit.video.places import keyed_digest_of
from tests.browsing import browsed, in_a_browser
from tests.e2e.short_clips import SENTINEL, pictures_of
from tests.e2e.typed import EASY_POLICY, deid_audit
from tests.unit.board_pages import film_of, write_out
from tests.unit.certificates import certified_case
from tests.unit.made_videos import picture

pytestmark = in_a_browser
KEY = bytes(range(32))
SIZE = (160, 120)
"""Width and height of the made films."""


@dataclass
class Served:
    """A running `deid-audit review`: where its page is, and where its decisions go."""

    process: "subprocess.Popen[str]"
    address: str
    file: Path

    @property
    def root(self) -> str:
        return self.address.partition("/?")[0]

    def ended(self) -> tuple[int, ReviewFile]:
        return self.process.wait(120), load_review(self.file)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A finished OUT of made films, and the options that name its originals."""
    folder = tmp_path_factory.mktemp("job")
    case = certified_case(Outcome.PASSED)
    films = [film_of(folder / f"{at}.mp4", picture(*SIZE, seed=at)) for at in range(len(case.originals))]
    digests = [keyed_digest_of(film, "a film", KEY) for film in films]
    facts = [
        one.model_copy(update={"keyed_digest": digest}) for one, digest in zip(case.originals, digests, strict=True)
    ]
    write_out(folder / "out", film_of(folder / "new.mp4", picture(*SIZE, seed=7)), originals=tuple(facts))
    (folder / "out" / KEY_FILE).write_text(KEY.hex() + "\n")
    return folder / "out", [word for film in films for word in ("--originals", str(film))]


@contextmanager
def serving(out: Path, originals: list[str], file: Path, *more: str) -> Iterator[Served]:
    """The command, until its page is finished or the test is over."""
    command = [sys.executable, "-m", "deid_audit", "review", str(out), *originals, "--to", str(file), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = ""
    try:
        for line in process.stderr:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", line):
                yield Served(process=process, address=found[0], file=file)
                return
        raise AssertionError(f"no page: {said}")
    finally:
        process.kill()
        process.wait()


def entered(page: Page, served: Served, name: str = "A. Reader") -> None:
    page.goto(served.address)
    page.get_by_label("Your name or initials").fill(name)
    page.get_by_role("button", name="Begin").click()
    expect(page.locator("#picture")).to_have_attribute("aria-label", re.compile("^Frame"))


def at_frame(page: Page, frame: int) -> None:
    page.locator("#frame").fill(str(frame))
    page.locator("#frame").press("Enter")
    expect(page.locator("#picture")).to_have_attribute("aria-label", re.compile(f"^Frame {frame} "))


def finished(page: Page) -> None:
    """By keyboard: the dialog begins at its harmless button, Escape leads back, and the last page takes any key."""
    page.get_by_role("button", name="Finish…").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Go on reading")).to_be_focused()
    told = page.locator("#ending-words").inner_text()
    page.keyboard.press("h")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Finish…")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Go on reading")).to_be_focused()  # it asks what stands before it opens
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="The reading is finished")).to_be_focused()
    assert page.get_by_text(told).is_visible() and "You were shown" in told
    page.keyboard.press("h")


def test_what_is_still_on_its_way_when_the_reading_ends_is_dropped(out: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The count of shown frames and a frame itself come late, after the page has gone: neither looks for its place."""
    held: dict[str, Route] = {}

    def hold_the_first(route: Route) -> None:
        place = route.request.url.partition("?")[0].rpartition("/")[2]
        if held.setdefault(place, route) is not route:
            route.continue_()

    with serving(*out, tmp_path / "r.json") as served, browsed() as (page, said):
        entered(page, served)
        page.wait_for_timeout(1500)  # until what the first frame set off has been counted
        page.route(re.compile("/standing"), hold_the_first)
        with page.expect_request(re.compile("/standing")):
            at_frame(page, 7)
        page.route(re.compile("/about"), hold_the_first)
        with page.expect_request(re.compile("/about")):
            page.locator('[data-step="1"]').click()
        finished(page)
        assert set(held) == {"standing", "about"}
        held["standing"].fulfill(json={"decisions": [], "frames_shown": 2, "frames": 24})
        held["about"].fulfill(json={"time_s": 0, "distance": None, "regions": []})
        page.wait_for_timeout(500)
        assert served.ended()[0] == 0 and said == []


def test_a_reviewer_clears_conceals_and_rejects(out: tuple[Path, list[str]], tmp_path: Path) -> None:
    with serving(*out, tmp_path / "r.json") as served, browsed() as (page, said):
        entered(page, served)
        # a frame, by keyboard alone
        at_frame(page, 12)
        page.locator("#picture").click()
        page.get_by_role("button", name="only this frame").press("Enter")
        page.get_by_label("all faces of these frames").check()
        page.get_by_label("all faces of these frames").press("c")
        page.get_by_text("1 decision", exact=False).first.wait_for()
        # a region, drawn with the pointer over a stretch
        at_frame(page, 30)
        page.get_by_label("From frame").fill("30")
        page.get_by_label("To frame").fill("34")
        page.get_by_label("side by side").check()
        page.get_by_label("draw a region").check()
        box = page.locator("#picture").bounding_box()
        assert box is not None
        scale = box["height"] / SIZE[1]
        page.mouse.move(box["x"] + 20 * scale, box["y"] + 10 * scale)
        page.mouse.down()
        page.mouse.move(box["x"] + 70 * scale, box["y"] + 60 * scale, steps=4)
        page.mouse.up()
        page.get_by_label("Note").fill("a mirror")
        page.locator("button[data-kind=conceal]").click()
        page.get_by_text("2 decisions", exact=False).first.wait_for()
        # a person, from their card; one decision too many is taken back
        page.get_by_role("button", name="Choose person 1 and all").click()
        page.locator("button[data-kind=wrong_person]").click()
        page.get_by_text("3 decisions", exact=False).first.wait_for()
        page.locator("button[data-kind=conceal]").click()
        page.get_by_text("4 decisions", exact=False).first.wait_for()
        page.get_by_role("button", name="Undo decision 4").click()
        page.get_by_text("3 decisions", exact=False).first.wait_for()
        finished(page)
        status, review = served.ended()
    assert status == 0 and said == []
    [reading] = review.readings
    clear, conceal, wrong = reading.decisions
    assert (clear.kind, clear.first_frame, clear.last_frame, clear.track, clear.box_xyxy) == (
        "clear",
        12,
        12,
        None,
        None,
    )
    assert (conceal.kind, conceal.first_frame, conceal.last_frame, conceal.note) == ("conceal", 30, 34, "a mirror")
    assert conceal.box_xyxy == pytest.approx((20, 10, 70, 60), abs=1.5)
    assert (wrong.kind, wrong.track, wrong.first_frame, wrong.last_frame) == ("wrong_person", 1, 0, 199)
    assert reading.reviewer == "A. Reader" and reading.finished_at is not None
    shown = {frame for one in reading.shown for frame in range(one.first_frame, one.last_frame + 1)}
    assert {12, 30} <= shown and len(shown) < 20


@pytest.mark.e2e
def test_what_was_decided_on_the_page_is_in_the_next_release_and_in_the_log(
    released: tuple[Path, dict[str, Any]], named_clips: tuple[Path, Path], tmp_path: Path
) -> None:
    """A frame is cleared, a drawn region concealed, the subject's stretch rejected: then the run carries it out."""
    out, film = released[0], named_clips[0]
    file, again = tmp_path / "c1.review.json", tmp_path / "again"
    height = pictures_of(film)[0].shape[0]
    corner = (8, height - 70, 60, height - 10)
    with serving(out, ["--originals", str(film)], file) as served, browsed() as (page, said):
        entered(page, served)

        def decided(first: int, last: int, what: str, button: str, count: str) -> None:
            at_frame(page, first)
            page.get_by_label("From frame").fill(str(first))
            page.get_by_label("To frame").fill(str(last))
            page.get_by_label(what).check()
            page.get_by_role("button", name=button).click()
            page.get_by_text(count, exact=False).first.wait_for()

        decided(40, 40, "all faces of these frames", "Clear", "1 decision")
        for edge, value in zip(("left", "top", "right", "bottom"), corner, strict=True):
            page.get_by_label(edge, exact=True).fill(str(value))
        decided(5, 9, "a region, drawn or in pixels", "Conceal", "2 decisions")
        decided(20, 22, "one person:", "Wrong person", "3 decisions")
        finished(page)
        status, review = served.ended()
    assert status == 0 and said == [] and SENTINEL not in file.read_text()
    assert [one.kind for one in review.readings[0].decisions] == ["clear", "conceal", "wrong_person"]

    log = tmp_path / "log"
    (tmp_path / "easy.toml").write_text(EASY_POLICY)
    done = deid_audit(
        "run", "--from-review", file, "--of", out, "--subject", film, "--out", again,
        "--policy", tmp_path / "easy.toml", "--log", log,
    )  # fmt: skip
    assert done.returncode in (0, 3), done.stderr
    case = parse_statement((again / "evidence.json").read_bytes())
    folders = (out / "release", again / case.outputs_folder)
    before, after = (pictures_of(next(folder.rglob("*.mp4"))) for folder in folders)

    def covered(box: tuple[float, ...]) -> list[int]:
        left, top, right, bottom = (int(edge) for edge in box)
        dark = lambda picture: picture[top + 2 : bottom - 2, left + 2 : right - 2].mean() < 24  # noqa: E731
        return [at for at, pair in enumerate(zip(before, after, strict=True)) if not dark(pair[0]) and dark(pair[1])]

    assert covered(corner) == [5, 6, 7, 8, 9]
    ledger = read_ledger_file((out / "audit" / "frames.csv").read_text())[0]
    face = next(one for one in ledger[21].regions if one.is_subject)
    assert face.state == "concealed" or covered(face.box_xyxy) == [20, 21, 22]
    assert case.review is not None and case.review.readings[0].decisions == {
        "clear": 1,
        "conceal": 1,
        "wrong_person": 1,
    }
    events = [read_entry(line).event for line in next(log.glob("*.jsonl")).read_bytes().splitlines()]
    assert [one.review_sha256 for one in events if one.event == "reviewed"] == [sha256_file(file)]


def test_keys_step_play_and_choose(out: tuple[Path, list[str]], tmp_path: Path) -> None:
    with serving(*out, tmp_path / "r.json") as served, browsed(width=800) as (page, said):
        entered(page, served)
        at_frame(page, 50)
        page.locator("#timeline").focus()

        def press(key: str, frame: int) -> None:
            page.keyboard.press(key)
            expect(page.locator("#frame")).to_have_value(str(frame))

        for key, frame in (("ArrowRight", 51), ("Shift+ArrowRight", 61), ("ArrowLeft", 60), ("End", 199), ("Home", 0)):
            press(key, frame)
        press("PageDown", 4)
        assert page.locator("#timeline").get_attribute("aria-valuenow") == "4"
        page.keyboard.press("w")
        assert page.get_by_label("side by side").is_checked()
        for key in "[", "]":
            page.keyboard.press(key)
        assert page.get_by_label("To frame").input_value() == "4"
        page.keyboard.press("n")
        page.keyboard.press("n")
        expect(page.locator("#items [aria-current]")).to_have_count(1)
        page.locator("#keys-head").click()
        page.get_by_label("single keys act").uncheck()
        page.locator("#timeline").focus()
        page.keyboard.press("c")
        page.keyboard.press("u")
        assert page.locator("#mine li").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        page.get_by_label("Note").fill("chu ")
        assert page.locator("#mine li").count() == 0, "letters that are typed decide nothing"
    assert said == []


def test_nobody_else_gets_anything(out: tuple[Path, list[str]], tmp_path: Path) -> None:
    """Without the token, with one that was used, from another page, and with a path that climbs out."""

    def asked(address: str, **headers: str) -> tuple[int, bytes]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            answer = opener.open(urllib.request.Request(address, headers=headers), timeout=60)
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        return answer.status, answer.read()

    with serving(*out, tmp_path / "r.json") as served, browsed() as (page, _):
        root = served.root
        paths = (
            "/",
            "/?token=x",
            "/frame?video=1&side=original&frame=0",
            "/../../etc/passwd",
            "/%2e%2e/%2e%2e/etc/passwd",
        )
        assert [asked(root + path) for path in paths] == [(404, b"")] * len(paths)
        assert asked(served.address, Host="example.org") == (404, b"")
        entered(page, served)
        assert asked(served.address) == (404, b""), "the token was used"
        inside = page.evaluate("fetch('/%2e%2e/%2e%2e/etc/passwd').then(async (a) => [a.status, await a.text()])")
        assert inside == [404, ""]
        # A page of another origin, in the same browser that holds the cookie.
        other = page.context.new_page()
        other.route(
            "http://other.invalid/", lambda route: route.fulfill(body="<p>elsewhere</p>", content_type="text/html")
        )
        other.goto("http://other.invalid/")
        from_elsewhere = """async (root) => {
            const tried = [];
            for (const [path, method] of [["/standing", "GET"], ["/finish", "POST"]]) {
                const body = method === "POST" ? new URLSearchParams({ csrf: "x" }) : undefined;
                tried.push(await fetch(root + path, { method, body, credentials: "include" }).then(
                    () => "answered", () => "nothing"));
            }
            return tried;
        }"""
        assert other.evaluate(from_elsewhere, root) == ["nothing", "nothing"]
        submit = """(root) => {
            document.body.innerHTML = `<form method=post action="${root}/finish"><input name=csrf></form>`;
            document.forms[0].submit();
        }"""
        with other.expect_response(f"{root}/finish") as answered:
            other.evaluate(submit, root)
        assert answered.value.status == 404
        assert page.evaluate("fetch('/standing').then((a) => a.status)") == 200, "and the reading goes on"
        assert served.process.poll() is None
