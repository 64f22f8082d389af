"""The page of a run that waits: it outlives an error of the page, loses no decision, and knows who read first."""

import os
import re
import shutil
import signal
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest

from deid_audit.cli import pages
from deid_audit.cli.pages import page_for_reviewers
from deid_audit.errors import Interrupted, StageError
from deid_audit.pipeline.reviewing import Pending
from deid_audit.pipeline.staging import interruptible
from deid_audit.video.reader import open_video
from tests.unit.waiting_jobs import waiting


class Visitor:
    """A browser that does, on each page that is announced, the next of what it was told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *visits: Callable[["Visitor"], None]) -> None:
        self._visits = list(visits)
        self.pages: list[str] = []
        monkeypatch.setattr(pages, "announce", self._told)

    def _told(self, address: str, *, whom: str) -> None:
        visit = self._visits.pop(0)

        def go() -> None:
            cookies = urllib.request.HTTPCookieProcessor(CookieJar())
            self._browser = urllib.request.build_opener(cookies, urllib.request.ProxyHandler({}))
            self.root = address.partition("/?")[0]
            self.pages.append(self._browser.open(address, timeout=60).read().decode())
            self._csrf = self.pages[-1].partition('name="csrf" content="')[2].partition('"')[0]
            visit(self)

        threading.Thread(target=go).start()

    def get(self, path: str) -> int:
        try:
            return int(self._browser.open(self.root + path, timeout=60).status)
        except urllib.error.HTTPError as error:
            return error.code

    def post(self, path: str, **fields: object) -> str:
        data = urlencode({"csrf": self._csrf, **fields}).encode()
        request = urllib.request.Request(self.root + path, data, {"Origin": self.root})
        try:
            return str(self._browser.open(request, timeout=60).read().decode())
        except urllib.error.HTTPError as error:
            return error.read().decode()

    def decide(self) -> None:
        self.post("/decide", kind="conceal", video=1, first=1, last=2, track=0, box="", note="")


@pytest.fixture(scope="module")
def pending(tmp_path_factory: pytest.TempPathFactory) -> Pending:
    return waiting(tmp_path_factory.mktemp("waiting"))


def test_a_page_that_an_error_ends_is_followed_by_one_with_its_decisions(
    pending: Pending, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The original is away for a while: the run waits on, and the reviewer decides nothing twice."""
    film, aside = tmp_path / "film.mp4", tmp_path / "aside.mp4"
    shutil.copy(pending.originals[0].path, film)
    waits = replace(pending, originals=(open_video(film, label="original 1"),))

    def disturbed(visitor: Visitor) -> None:
        visitor.post("/begin", reviewer="A. Reader")
        visitor.decide()
        film.rename(aside)
        assert visitor.get("/frame?video=1&side=original&frame=3") == 500

    def goes_on(visitor: Visitor) -> None:
        aside.rename(film)
        assert visitor.get("/frame?video=1&side=original&frame=3") == 200
        visitor.decide()
        visitor.post("/finish")

    visitor = Visitor(monkeypatch, disturbed, goes_on)
    reading = page_for_reviewers()(waits)
    assert reading.finished_at is not None and [one.number for one in reading.decisions] == [1, 2]
    assert "reading by A. Reader" in visitor.pages[1], "the name is not asked for again"
    said = capsys.readouterr().err
    assert (
        re.search(r"^the page ended: original 1 changed .*; keep the file unchanged", said) and "the run waits" in said
    )
    assert str(tmp_path) not in said


def test_the_second_reader_is_told_before_reading_that_the_first_was_they(
    pending: Pending, monkeypatch: pytest.MonkeyPatch
) -> None:
    def first(visitor: Visitor) -> None:
        visitor.post("/begin", reviewer="A. Reader")
        visitor.post("/finish")

    answers: list[str] = []

    def second(visitor: Visitor) -> None:
        answers.append(visitor.post("/begin", reviewer="a. reader"))
        answers.append(visitor.post("/begin", reviewer="B"))
        visitor.post("/finish")

    Visitor(monkeypatch, first, second, first)
    reviewing = page_for_reviewers()
    reviewing(pending)
    assert reviewing(replace(pending, role="second")).reviewer == "B"
    assert "Somebody else has to make this one" in answers[0] and "reading by B" in answers[1]
    assert reviewing(replace(pending, role="resolution")).reviewer == "A. Reader", "either may resolve"


def test_a_signal_and_a_page_that_cannot_be_served_end_it(pending: Pending, monkeypatch: pytest.MonkeyPatch) -> None:
    Visitor(monkeypatch, lambda visitor: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Interrupted), interruptible():
        page_for_reviewers()(pending)

    def refused() -> None:
        raise StageError("no page can be served")

    monkeypatch.setattr("deid_audit.web.serving._listening", refused)
    with pytest.raises(StageError, match="no page can be served"):
        page_for_reviewers()(pending)
