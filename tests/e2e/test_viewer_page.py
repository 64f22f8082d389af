"""A scripted viewer in headless Chromium answers a whole test by keyboard, clicks and menus; then it is scored."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.typed import command, deid_audit
from tests.unit.made_videos import make_video
from tests.unit.viewer_cases import lay_out_release, write_pictures

pytestmark = pytest.mark.e2e
CHROMIUM = shutil.which("chromium")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")


@contextmanager
def browser_page() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def _shot(page: Any, name: str) -> None:
    """Pictures of the page at both widths, where somebody wants to look at them."""
    folder = os.environ.get("DEID_AUDIT_SCREENSHOTS")
    if folder is None:
        return
    for width in (1280, 800):
        page.set_viewport_size({"width": width, "height": 900})
        page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})


@needs_chromium
def test_a_viewer_answers_by_keyboard_and_the_result_holds_what_they_did(tmp_path: Path) -> None:
    film = make_video(tmp_path / "film.mp4", [40 * n for n in range(50)], size=(320, 240)).read_bytes()
    out = lay_out_release(tmp_path / "OUT", [film])
    pictures = write_pictures(tmp_path / "pictures", 12)
    portrait = pictures[0].rename(tmp_path / "portrait.jpg")
    test, answers = tmp_path / "test.json", tmp_path / "answers.json"
    made = deid_audit(
        "viewer-test", "prepare", out, "--portrait", portrait, "--foils", pictures[1].parent, "--to", test, "--seed", 4
    )
    assert made.returncode == 0, made.stderr
    plan = json.loads(test.read_text())
    served = subprocess.Popen(
        command("viewer-test", "run", test, out, "--pictures", portrait, "--pictures", pictures[1].parent,
                "--answers", answers, "--json"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert served.stderr is not None and served.stdout is not None
        address = served.stderr.readline().split()[-1]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=\S+", address)
        with browser_page() as page:
            problems: list[str] = []
            page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(address)
            assert "token" not in page.url
            _shot(page, "begin")
            page.keyboard.type("V1")
            page.get_by_label("No", exact=True).check()
            page.keyboard.press("Enter")
            _answers(page, plan)
            assert page.get_by_text("Please call the steward").is_visible()
            _shot(page, "end")
            page.get_by_role("button", name="End the test").click()
            assert page.get_by_text("The test has ended").is_visible()
            assert problems == []
        said, _ = served.communicate(timeout=60)
    finally:
        served.kill()
    assert served.returncode == 0 and json.loads(said)["finished"] == 1
    scored = deid_audit("viewer-test", "score", test, answers, "--to", tmp_path / "result.json", "--json")
    unfamiliar = json.loads(scored.stdout)["groups"][0]
    assert (unfamiliar["viewers"], unfamiliar["found_first"]["value"], unfamiliar["picked"]) == (1, 1.0, 1)
    assert unfamiliar["false_alarms"] == 0 and unfamiliar["found_first"]["interval"] is None


def _answers(page: Any, plan: dict[str, Any]) -> None:
    """Looks at clip and pictures, ranks the subject first, or says "not in this line-up" where they are not."""
    for at in (1, 2):
        page.get_by_text(f"Line-up {at} of 2").first.wait_for()
        for _ in range(600):  # the page's own policy forbids what wait_for_function does
            if page.evaluate("document.querySelector('video').readyState >= 2"):
                break
            page.wait_for_timeout(100)
        assert page.evaluate("[...document.images].every((one) => one.complete && one.naturalWidth === 400)")
        number = int(page.locator("input[name=line_up]").get_attribute("value"))
        target = plan["line_ups"][number - 1]["target"]
        first = target or 1
        others = [place for place in range(1, 7) if place != first]
        page.locator("h1").click()
        page.keyboard.press(str(others[0]))
        page.keyboard.press("Backspace")
        page.keyboard.press(str(first))
        page.keyboard.press(str(first))  # pressed again: it has its rank
        page.get_by_role("button", name=f"Picture {others[0]}").click()
        page.get_by_label(f"Rank of picture {others[1]}").select_option("3")
        if at == 1:
            _shot(page, "line-up")
        for place in others[2:]:
            page.locator("h1").click()
            page.keyboard.press(str(place))
        ranks = [int(page.get_by_label(f"Rank of picture {place}").input_value()) for place in (first, *others)]
        assert ranks == [1, 2, 3, 4, 5, 6]
        assert page.evaluate("document.activeElement.name") == "among", "ready for the next answer"
        page.get_by_label("Yes" if target else "No, not in this line-up", exact=True).check()
        page.get_by_label("4", exact=True).check()
        page.get_by_role("button", name="Next", exact=True).click()
        page.wait_for_load_state()
