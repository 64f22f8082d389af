"""A whole OUT with a report, made from pictures and paper-side records, and what stands in a report's HTML."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from shutil import copyfile
from typing import Any

import cv2
import numpy as np

from deid_audit.digests import sha256_bytes
from deid_audit.evidence import build_statement
from deid_audit.findings import CaseRecord, Figure, Outcome
from deid_audit.frames import Image
from deid_audit.ledger import DISTANCE_IN_FILE, LedgerFrame, Region, State, csv_lines
from deid_audit.pipeline.issuing import write_audit
from deid_audit.pipeline.packaging import write_release, write_withheld
from tests.e2e.short_clips import write_pictures
from tests.fakes import FRAMES, make_ledger_record
from tests.unit.certificates import ISSUED, certified_case, figures

COVERED = (40, 41, 90)
SMALLEST = 120
"""The frame that is nearest to its original."""


def wandered(frame: int) -> tuple[int, int]:
    """How far the picture of `film_of` has gone to the right and down in a frame, in px."""
    return round(20 * np.sin(frame / 11)), round(20 * np.cos(frame / 7))


def film_of(path: Path, picture_rgb: Image) -> Path:
    """A video of as many frames as a made-up case has: the picture, wandering."""
    wide = np.pad(picture_rgb, ((24, 24), (24, 24), (0, 0)), mode="edge")
    height, width = (length // 2 * 2 for length in picture_rgb.shape[:2])
    at = [(24 - x, 24 - y) for x, y in map(wandered, range(FRAMES))]
    return write_pictures(path, [wide[y : y + height, x : x + width] for x, y in at])


def ledger() -> list[LedgerFrame]:
    """Every frame with one face; three of them covered, as `make_ledger_record` says."""

    def entry(number: int) -> LedgerFrame:
        state = State.CONCEALED if number in COVERED else State.SWAPPED
        numbers = () if number in COVERED else ((DISTANCE_IN_FILE, 0.61 + abs(number - SMALLEST) / 1000),)
        region = Region(
            track_id=1, is_subject=True, state=state, reason="a test", decided_by="a test", box_xyxy=(40, 20, 90, 80),
            numbers=numbers,
        )  # fmt: skip
        return LedgerFrame(index=number, time_s=number / 25, regions=(region,))

    return [entry(number) for number in range(FRAMES)]


def distances_csv() -> str:
    """Distances as `distance_figure` writes them: smallest at `SMALLEST`, none where the face is covered."""
    rows = [
        f"{n / 25:.6g},{'' if n in COVERED else format(0.61 + abs(n - SMALLEST) / 1000, '.6g')},{int(n in COVERED)}"
        for n in range(FRAMES)
    ]
    return "\n".join(("time_s,distance_to_original,concealed", *rows, ""))


def distance_plot(number: int = 1, csv: str | None = None) -> Figure:
    return Figure(
        name=f"distance-{number:02d}",
        media_type="image/svg+xml",
        data=b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        kind="plot",
        caption="Distances.",
        alt="distances",
        csv=distances_csv() if csv is None else csv,
    )


def write_out(out: Path, film: Path, outcome: Outcome = Outcome.PASSED, **changes: Any) -> CaseRecord:
    """OUT as a job leaves it before the report is written: videos, statement and the steward's folder."""
    videos = len(certified_case(outcome).rendered)
    rendered = out.parent / f"{out.name}.rendered"
    rendered.mkdir(parents=True)
    films = [rendered / f"case-0001-{number:02d}.mp4" for number in range(1, videos + 1)]
    for one in films:
        copyfile(film, one)
    outputs = (
        write_release(out / "release", films, case_id="case-0001", kind="swap", issued_at=ISSUED.isoformat())
        if outcome is Outcome.PASSED
        else write_withheld(out / "withheld", films)
    )
    rendered.rmdir()
    plots = [distance_plot(number) for number in range(1, videos + 1)] + [figures()[0]]
    ledgers = [ledger() for _ in films]
    record = make_ledger_record(videos).model_copy(
        update={"sha256": sha256_bytes("".join(csv_lines(ledgers)).encode())}
    )
    made = {"outputs": outputs, "figures": tuple(one.digest for one in plots), "ledger": record}
    case = certified_case(outcome).model_copy(update=made | changes)
    (out / "evidence.json").write_bytes(build_statement(case))
    write_audit(
        out, ledgers, plots, why=None, why_pictures={}, learning_curve=None, measurements=case.measurements, log=[],
        digest_key=b"",
    )  # fmt: skip
    return case


@dataclass
class Page(HTMLParser):
    """What a browser would find: elements with their attributes, and the text of style, script and the rest."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    _inside: str = "text"

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag in ("style", "script"):
            self._inside = tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = "text"

    def handle_data(self, data: str) -> None:
        self.texts[self._inside] = f"{self.texts.get(self._inside, '')} {data}" if self._inside == "text" else data

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.elements if name == tag)

    @property
    def words(self) -> str:
        return " ".join(self.texts["text"].split())

    def addresses(self) -> list[str]:
        """Everything that a browser might follow or fetch."""
        names = ("src", "href", "srcset", "data", "poster", "action", "xlink:href", "background", "ping")
        return [attributes[name] for _, attributes in self.elements for name in names if name in attributes]

    @property
    def frames(self) -> list[int]:
        """The numbers of the frames that are shown."""
        return [int(one["id"].split("-")[2]) for one in self.all("figure") if one.get("class") == "picture"]

    def pictures(self) -> list[Image]:
        """Every raster image anywhere in the HTML as RGB: by its bytes, whatever element it is in."""
        found = re.findall(r"data:image/(?!svg)[\w+.-]*;base64,([A-Za-z0-9+/=]+)", self.html)
        decoded = (cv2.imdecode(np.frombuffer(base64.b64decode(one), np.uint8), cv2.IMREAD_COLOR) for one in found)
        return [cv2.cvtColor(one, cv2.COLOR_BGR2RGB) for one in decoded]

    def rasters_in_plots(self) -> list[bytes]:
        """Raster images that a plot brings along; a plot is lines and letters, and has none."""
        plots = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", self.html)
        return [one for plot in plots for one in re.findall(rb"data:image/[\w+.-]+|<image\b", base64.b64decode(plot))]


def farthest(picture: Image, frame: Image) -> float:
    """How far the picture is from this frame scaled down, where it is farthest: over 5 x 5 pixels, in levels."""
    small = cv2.resize(frame, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_AREA)
    difference = np.abs(picture.astype(float) - small).mean(axis=2)
    return float(cv2.blur(difference, (5, 5)).max())


def strangers_among(page: Page, released: Sequence[Image]) -> list[str]:
    """Which of a page's pictures are not the frame of the released file that they are said to be, or its face.

    Every figure has two pictures; the face stands at (65, 50) in every frame, 60 px high, and has 1.8 times that shown.
    """
    names = [one["id"] for one in page.all("figure") if one.get("class") == "picture"]
    pictures = page.pictures()
    found = []
    for name, whole, face in zip(names, pictures[::2], pictures[1::2], strict=True):
        frame = released[int(name.split("-")[2])]
        if farthest(whole, frame) > 25 or farthest(face, frame[:104, 11:119]) > 25:
            found.append(name)
    return found
