"""The page itself: self-contained, with a policy that lets nothing else in, whole without scripts, of bounded size."""

import base64
import json
import re
import subprocess
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from deid_audit.certificate.board_report import MOST_PICTURES, Material, Picture, content_policy, render_report
from deid_audit.certificate.frame_numbers import FrameNumbers, choose, read_distances
from deid_audit.certificate.strings import REPORT, TEXT, VERDICT_WORDS
from deid_audit.evidence import build_statement, parse_statement
from deid_audit.findings import CaseRecord, Outcome, TextRegion, measured
from deid_audit.measure.thumbnails import LONGEST_PX, MOST_BYTES, MOST_FACE_BYTES, close_up, thumbnail
from deid_audit.resources import resource_dir
from tests.browsing import CHROMIUM, browsed, in_a_browser
from tests.fakes import FRAMES
from tests.unit.board_pages import SMALLEST, Page, distance_plot, distances_csv
from tests.unit.certificates import certified_case, figures
from tests.unit.colours import contrast
from tests.unit.made_videos import picture

LARGEST = 3_000_000


def render(case: CaseRecord, material: Material) -> str:
    statement = build_statement(case)
    return render_report(parse_statement(statement), statement, material, cut=0.6).decode()


def shown(numbers: FrameNumbers, most: int = MOST_PICTURES) -> tuple[Picture, ...]:
    small, face = thumbnail(picture()), close_up(picture(), (20, 10, 50, 40))
    wanted = choose(1, len(numbers.times_s), numbers, most)
    return tuple(Picture(wanted=one, time_s=numbers.times_s[one.frame], data=small, face=face) for one in wanted)


def made(outcome: Outcome = Outcome.PASSED) -> str:
    """A page with everything that such a case has."""
    plots = (distance_plot(), figures()[0])
    case = certified_case(outcome).model_copy(update={"figures": tuple(one.digest for one in plots)})
    numbers = read_distances(distances_csv())
    states = ["concealed" if covered else "swapped" for covered in numbers.covered]
    material = Material(
        numbers={1: numbers},
        states=[states] * len(case.rendered),
        plots={"roc": figures()[0].data},
        pictures=shown(numbers) if outcome is Outcome.PASSED else (),
    )
    return render(case, material)


PAGE = made()


# -- what it says ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.FAILED, Outcome.INDETERMINATE])
def test_it_says_what_the_statement_says(outcome: Outcome) -> None:
    case = certified_case(outcome)
    page = Page(made(outcome))
    wanted = [VERDICT_WORDS[outcome].meaning, REPORT["unsigned"], case.policy.sha256, case.signer.fingerprint_sha256]
    wanted += [text for rule in case.policy.rules for text in (f"Why: {rule.why}", f"Source: {rule.source}")]
    wanted += [*case.not_assessed, TEXT["verify_command"].format(folder=case.outputs_folder)]
    assert [text for text in wanted if " ".join(text.split()) not in page.words] == []
    plots = tuple(one.digest for one in (distance_plot(), figures()[0]))
    digest = sha256(build_statement(case.model_copy(update={"figures": plots}))).hexdigest()
    assert f"evidence.json, sha256 {digest}" in page.words
    for finding in case.verdict.findings:
        assert finding.outcome is Outcome.PASSED or finding.reason in page.words


def test_covered_stretches_and_the_curve_are_told_in_words() -> None:
    words = Page(PAGE).words
    assert "197 of 200 frames compared; smallest distance 0.610, largest 0.730; 0 below 0.6" in words
    assert "In 2 stretches, 0.12 s in all, the subject's face is hidden" in words
    assert "1.60 s 1.68 s 0.08 s 3.60 s 3.64 s 0.04 s" in words


def test_what_is_not_there_is_said_to_be_missing() -> None:
    words = Page(render(certified_case(Outcome.FAILED), Material())).words
    assert "Video 1: the numbers behind the curve are not in the steward's folder" in words
    assert "or not in the steward's folder: roc" in words


def test_text_in_the_picture_and_sound_are_told_video_by_video() -> None:
    case = certified_case(Outcome.PASSED)
    lines = [
        TextRegion(video=1, box_xyxy=(8, 9, 90, 30), first_frame=0, last_frame=199, covered=covered)
        for covered in (True, True, False)
    ]
    heard = [
        measured("voice.sound", "swapped", "video 1", 1, sample_size=1),
        measured("voice.distance", "swapped", "video 1", 2.25, sample_size=80),
        measured("voice.distance", "original", "video 1", 0.09, sample_size=80),
    ]
    named = case.model_copy(update={"burned_in_text": tuple(lines), "measurements": (*case.measurements, *heard)})
    words = Page(render(named, Material())).words
    assert "text: 3, of which 2 were covered with black and 1 are left as they are" in words
    assert "8, 9, 90, 30 0–199 left as it is" in words
    assert REPORT["sound_masked"] in words and "2.25" in words and "voice: 0.09" in words
    plain = Page(render(case, Material())).words
    assert REPORT["text_none"] in plain and REPORT["sound_none"] in plain
    for left_out, told in (
        (("voice.sound",), REPORT["sound_streams"].format(count=0)),
        (("voice.sound", "residue.audio_streams", "text.regions_left"), REPORT["sound_unknown"]),
    ):
        rows = tuple(row for row in case.measurements if row.metric not in left_out)
        words = Page(render(case.model_copy(update={"measurements": rows}), Material())).words
        assert told in words
        assert (REPORT["text_not_searched"] in words) == ("text.regions_left" in left_out)


# -- what it may do ----------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_and_nothing_has_a_style_or_handler_of_its_own() -> None:
    page = Page(PAGE)
    assert [one for one in page.addresses() if not one.startswith(("#", "data:image/", "data:,"))] == []
    assert not re.search(r"url\(|@import", page.texts["style"])
    assert not re.search(r"fetch|XMLHttp|import\(|innerHTML|eval|WebSocket|sendBeacon", page.texts["script"])
    own = {name for _, attributes in page.elements for name in attributes if name == "style" or name.startswith("on")}
    assert own == set()
    assert {tag for tag, _ in page.elements} & {"iframe", "object", "embed", "form", "base", "audio", "video"} == set()


def test_the_policy_lets_in_this_style_and_this_script_only() -> None:
    page = Page(PAGE)
    [policy] = [one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    parts = dict(part.split(" ", 1) for part in policy.split("; "))
    assert parts["default-src"] == "'none'" and parts["img-src"] == "data:"
    for kind in ("style", "script"):
        digest = base64.b64encode(sha256(page.texts[kind].encode()).digest()).decode()
        assert parts[f"{kind}-src"] == f"'sha256-{digest}'"
    assert page.elements.index(("meta", {"http-equiv": "Content-Security-Policy", "content": policy})) < 4


def test_headings_are_in_order_and_everything_has_a_name() -> None:
    page = Page(PAGE)
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all(one["alt"] for one in page.all("img"))
    assert next(page.all("html"))["lang"] == "en"
    names = [one["id"] for _, one in page.elements if "id" in one]
    assert len(names) == len(set(names))
    assert {one[1:] for one in page.addresses() if one.startswith("#")} <= set(names)
    labels = {one["aria-labelledby"] for _, one in page.elements if "aria-labelledby" in one}
    assert labels <= set(names)
    assert all(one["aria-label"] for one in page.all("a") if one.get("class") == "marker")
    assert "hidden" not in {name for _, one in page.elements for name in one}, "without scripts all of it is there"


def test_every_colour_of_words_is_dark_enough_on_every_light_ground() -> None:
    style = (resource_dir("templates") / "report.css").read_text(encoding="utf-8")
    full = [f"#{''.join(2 * c for c in one)}" if len(one) == 3 else f"#{one}" for one in
            re.findall(r"(?<![-\w])(?:color|fill): #([0-9a-f]{6}|[0-9a-f]{3})\b", style)]  # fmt: skip
    words = set(full) - {"#ffffff", "#f2a900"}  # white stands on dark red, the other is a marker's filling
    assert len(words) > 5
    grounds = ("#ffffff", "#f1f7f3", "#fff4f4")
    assert min(contrast(one, ground) for one in words for ground in grounds) >= 4.5
    assert contrast("#ffffff", "#7f1d1d") >= 4.5
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


# -- how large ---------------------------------------------------------------------------------------------------------


def test_two_hours_and_many_videos_stay_below_three_megabytes() -> None:
    count = 2 * 3600 * 25
    random = np.random.default_rng(1)
    covered = random.random(count) < 0.3
    numbers = FrameNumbers(
        times_s=tuple(np.arange(count) / 25), distances=tuple(random.uniform(0.5, 0.9, count)), covered=tuple(covered)
    )
    states = [("swapped", "concealed", "clear")[at] for at in random.integers(0, 3, count)]
    image = random.integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    noise, face = thumbnail(image), close_up(image, (100, 100, 180, 190))
    pictures = tuple(
        Picture(wanted=one, time_s=0.0, data=noise, face=face) for one in choose(1, count, numbers, MOST_PICTURES)
    )
    plots = {f"plot-{number}": b"<svg/>" + b" " * 240_000 for number in range(6)}
    named = [figures()[0].digest.model_copy(update={"name": name}) for name in plots]
    one = certified_case(Outcome.PASSED)
    case = one.model_copy(update={"figures": tuple(named), "rendered": one.rendered * 40})
    shorter = FrameNumbers(
        times_s=numbers.times_s[:9000], distances=numbers.distances[:9000], covered=numbers.covered[:9000]
    )
    material = Material(
        numbers={1: numbers} | dict.fromkeys(range(2, 41), shorter),
        states=[states] + [states[:9000]] * 39,
        plots=plots,
        pictures=pictures,
    )
    html = render_report(case, b"{}", material, cut=0.6)
    assert 2_000_000 < len(html) < LARGEST
    words = Page(html.decode()).words
    assert "16 more videos are not drawn here" in words and "plot-3, plot-4, plot-5" in words
    assert "The longest 12 are listed." in words


def test_a_thumbnail_gives_way_to_its_size() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (720, 1280, 3), dtype=np.uint8)
    assert len(thumbnail(noise)) <= MOST_BYTES
    assert thumbnail(noise) == thumbnail(noise.copy())
    assert LONGEST_PX == 360
    assert close_up(noise, (0, 0, 0, 0)) is None and close_up(noise, (-50, -50, -20, -20)) is None
    assert len(close_up(noise, (300, 300, 460, 500)) or b"") in range(1, MOST_FACE_BYTES + 1)


# -- in a browser ------------------------------------------------------------------------------------------------------


def browse(folder: Path, html: str, fragment: str = "") -> tuple[str, str]:
    """The page's elements after its scripts ran, and what a browser without a network wrote on its console."""
    path = folder / "report.html"
    path.write_text(html, encoding="utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--v=0",
            f"--user-data-dir={folder / 'browser'}", "--host-resolver-rules=MAP * ~NOTFOUND", "--dump-dom",
            f"{path.as_uri()}{fragment}",
        ],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


@in_a_browser
def test_a_frame_that_is_named_in_the_address_is_shown_beside_the_curve(tmp_path: Path) -> None:
    dom, console = browse(tmp_path, PAGE, f"#picture-1-{SMALLEST}")
    assert console == ""
    panel = re.search(r'<figure class="panel">.*?</figure>', dom, flags=re.DOTALL)
    assert panel is not None and f"frame {SMALLEST}" in panel[0] and "data:image/jpeg;base64," in panel[0]


def driven(html: str, driver: str) -> str:
    """The page with more of a script, and a policy that lets it in; what it finds goes to an attribute of the body."""
    page = Page(html)
    script = page.texts["script"] + driver
    policy = content_policy(page.texts["style"], page.texts["script"])
    changed = html.replace(page.texts["script"], script)
    escaped = [text.replace("'", "&#39;") for text in (policy, content_policy(page.texts["style"], script))]
    assert escaped[0] in changed
    return changed.replace(*escaped)


@in_a_browser
def test_pointer_focus_and_arrow_keys_choose_the_picture(tmp_path: Path) -> None:
    driver = """
    {
      const seen = [];
      const note = () => seen.push(document.querySelector(".panel figcaption").textContent.match(/frame (\\d+)/)[1]);
      const markers = [...document.querySelectorAll("a.marker")];
      const press = (key) => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
      note();
      markers[0].focus(); markers[0].dispatchEvent(new FocusEvent("focus")); note();
      press("ArrowRight"); note();
      press("End"); note();
      press("ArrowRight"); note();
      press("ArrowLeft"); note();
      press("Home"); note();
      const box = markers[3].getBoundingClientRect();
      const at = { clientX: box.left + box.width / 2, clientY: 1, bubbles: true };
      document.querySelector(".curve svg").dispatchEvent(new PointerEvent("pointermove", at)); note();
      const stops = markers.filter((one) => one.getAttribute("tabindex") === "0").length;
      document.body.dataset.seen = JSON.stringify({ seen, stops, image: document.querySelector(".panel img").alt });
    }
    """
    dom, console = browse(tmp_path, driven(PAGE, driver))
    assert console == ""
    found = re.search(r'data-seen="([^"]*)"', dom)
    assert found is not None
    said = json.loads(found[1].replace("&quot;", '"'))
    frames = Page(PAGE).frames
    assert frames[-1] == FRAMES - 1
    expected = [SMALLEST, frames[0], frames[1], frames[-1], frames[-1], frames[-2], frames[0], frames[3]]
    assert [int(one) for one in said["seen"]] == expected
    assert said["stops"] == 1 and f"frame {frames[3]} of" in said["image"]


@in_a_browser
@pytest.mark.parametrize(
    "change",
    [
        lambda html: html.replace("<main>", '<main style="color: red">'),
        lambda html: html.replace("</main>", "<script>1</script></main>"),
        lambda html: html.replace("</main>", '<img src="https://example.invalid/x.png" alt="x"></main>'),
    ],
    ids=["style", "script", "picture from outside"],
)
def test_what_the_policy_forbids_would_be_heard(tmp_path: Path, change: Callable[[str], str]) -> None:
    assert "Content Security Policy" in browse(tmp_path, change(PAGE))[1]


@in_a_browser
@pytest.mark.parametrize("outcome", [Outcome.PASSED, Outcome.INDETERMINATE])
def test_at_800_pixels_nothing_is_cut(tmp_path: Path, outcome: Outcome) -> None:
    """No table has to be pushed aside, and no letter of the curves stands outside the page."""
    path = tmp_path / "report.html"
    path.write_text(made(outcome), encoding="utf-8")
    with browsed(width=800) as (page, said):
        page.goto(path.as_uri())
        hidden = page.evaluate(
            "[...document.querySelectorAll('.wide')].map((one) => one.scrollWidth - one.clientWidth)"
        )
        lefts = page.evaluate(
            "[...document.querySelectorAll('.curve text')].map((one) => one.getBoundingClientRect().left)"
        )
        page.evaluate("document.querySelector('.rules').style.width = '900px'")
        pushed = page.evaluate("document.querySelector('.wide:has(.rules)').scrollWidth")
    assert hidden == [0, 0] and min(lefts) >= 0 and said == []
    assert pushed > 800, "it would be seen"
