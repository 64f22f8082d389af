"""The board's report: one HTML file that shows what the certificate says, with curves over time and released pictures.

Beside `document`, from the same statement. It is filled from the statement's bytes and from what `pipeline.reporting`
hands over, whose digests the statement holds; it opens nothing itself. It is not signed, and says so.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from deid_audit.certificate import tables, timeline, wording
from deid_audit.certificate.filling import filled, shared_words
from deid_audit.certificate.frame_numbers import WORST, FrameNumbers, Wanted, covers
from deid_audit.certificate.strings import REPORT
from deid_audit.certificate.text_and_sound import text_and_sound
from deid_audit.findings import CaseRecord, FigureDigest
from deid_audit.resources import resource_dir

MOST_PICTURES = 30
MOST_VIDEOS_DRAWN = 24
_MOST_COLUMNS = 600
_MOST_COLUMNS_IN_ALL = 6000
_MOST_COVERS_LISTED = 12
_MOST_PLOT_BYTES = 250_000
_MOST_PLOT_BYTES_IN_ALL = 800_000
_DISTANCES = "distance-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A released frame as JPEG bytes made by `measure.thumbnails`, at its seconds from the first frame.

    `face` is the same frame's face, None where it is not known where it is.
    """

    wanted: Wanted
    time_s: float
    data: bytes
    face: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What the report shows beside the statement: by video (from 1), by name of the figure, and a state a frame.

    What is not there is left out, and the page says so.
    """

    numbers: Mapping[int, FrameNumbers] = field(default_factory=dict)
    states: Sequence[Sequence[str]] = ()
    plots: Mapping[str, bytes] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()


def distances_of(case: CaseRecord, video: int) -> FigureDigest | None:
    """The figure whose CSV has the distances of a video (from 1); None where the case has no such figure."""
    return next((one for one in case.figures if one.name == f"{_DISTANCES}{video:02d}"), None)


def plots_of(case: CaseRecord) -> list[FigureDigest]:
    """The certificate's plots that the report shows as they are: all but those that it draws itself."""
    return [one for one in case.figures if one.kind == "plot" and not one.name.startswith(_DISTANCES)]


def render_report(case: CaseRecord, statement: bytes, material: Material, *, cut: float) -> bytes:
    """The page as UTF-8, the same bytes for the same input; below about 3 MB, however long the videos are.

    Args:
        case: what the statement says.
        statement: its exact bytes, for their digest.
        material: pictures and numbers; whoever hands them over has checked their digests.
        cut: the distance below which the recogniser takes two faces for one person's.
    """
    style, script = (
        (resource_dir("templates") / f"report.{suffix}").read_text(encoding="utf-8") for suffix in ("css", "js")
    )
    shown, left_out = _fitting(case, material.plots)
    drawn = range(1, min(len(case.rendered), MOST_VIDEOS_DRAWN) + 1)
    own = {
        "report": REPORT,
        "style": _as_it_is(style),
        "script": _as_it_is(script),
        "content_policy": content_policy(style, script),
        "intervals": _intervals(case),
        "cut": f"{cut:g}",
        "videos": [_video(case, number, material, cut) for number in drawn],
        "channels": text_and_sound(case, MOST_VIDEOS_DRAWN),
        "more_videos": max(0, len(case.rendered) - MOST_VIDEOS_DRAWN),
        "shape": timeline,
        "most_pictures": MOST_PICTURES,
        "pictures": [_picture(one) for one in material.pictures],
        "plots": [(one, _address("image/svg+xml", material.plots[one.name])) for one in shown],
        "left_out": ", ".join(left_out),
        "worst": WORST,
    }
    return filled("report.html.j2", {**shared_words(case, statement), **own}).encode()


def content_policy(style: str, script: str) -> str:
    """The page's Content-Security-Policy: pictures from within, this style and this script by digest, nothing else."""
    digests = (b64encode(sha256(one.encode()).digest()).decode() for one in (style, script))
    own = "; ".join(f"{kind}-src 'sha256-{digest}'" for kind, digest in zip(("style", "script"), digests, strict=True))
    return f"default-src 'none'; img-src data:; {own}; base-uri 'none'; form-action 'none'"


def _as_it_is(text: str) -> Any:
    """A file of this package, which must not be escaped: quotes would end a rule of the style."""
    from markupsafe import Markup  # noqa: PLC0415  (comes with jinja2)

    return Markup(text)


def _address(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{b64encode(data).decode()}"


def _intervals(case: CaseRecord) -> list[str]:
    """The interval of every finding, or why there is none, in the policy's order."""
    values = tables.Values(case.measurements)
    return [
        wording.interval(values.find(one.rule.metric, one.rule.of, one.scope) if one.scope else None)
        for one in case.verdict.findings
    ]


def _fitting(case: CaseRecord, plots: Mapping[str, bytes]) -> tuple[list[FigureDigest], list[str]]:
    """The plots that are there and that the page has room for, and the names of the others."""
    shown, left_out, total = [], [], 0
    for one in plots_of(case):
        size = len(plots.get(one.name, b""))
        if 0 < size <= _MOST_PLOT_BYTES and total + size <= _MOST_PLOT_BYTES_IN_ALL:
            shown.append(one)
            total += size
        else:
            left_out.append(one.name)
    return shown, left_out


def _video(case: CaseRecord, number: int, material: Material, cut: float) -> dict[str, Any]:
    title = REPORT["video"].format(number=number)
    numbers = material.numbers.get(number)
    if numbers is None:
        return {"number": number, "title": title, "words": REPORT["no_curve"].format(video=title), "drawing": None}
    columns = min(_MOST_COLUMNS, _MOST_COLUMNS_IN_ALL // min(len(case.rendered), MOST_VIDEOS_DRAWN))
    states = material.states[number - 1] if material.states else ()
    wanted = [one.wanted for one in material.pictures if one.wanted.video == number]
    return {
        "number": number,
        "title": title,
        "words": _curve_words(title, numbers, cut),
        "drawing": timeline.draw(numbers, states, wanted, cut=cut, most_columns=columns),
        "states_known": bool(states),
        **_covers(numbers),
    }


def _curve_words(title: str, numbers: FrameNumbers, cut: float) -> str:
    known = [value for value in numbers.distances if value is not None]
    if not known:
        return REPORT["curve_empty"].format(video=title, frames=len(numbers.distances))
    return REPORT["curve_words"].format(
        video=title,
        compared=len(known),
        frames=len(numbers.distances),
        smallest=f"{min(known):.3f}",
        largest=f"{max(known):.3f}",
        below=sum(value < cut for value in known),
        cut=f"{cut:g}",
    )


def _covers(numbers: FrameNumbers) -> dict[str, Any]:
    found = covers(numbers)
    if not found:
        return {"covered": REPORT["covered_none"], "covers": []}
    longest = sorted(found, key=lambda one: one.from_s - one.to_s)[:_MOST_COVERS_LISTED]
    words = REPORT["covered_words"].format(
        count=len(found), seconds=f"{sum(one.to_s - one.from_s for one in found):.2f}"
    )
    if len(longest) < len(found):
        words += " " + REPORT["covered_longest"].format(count=len(longest))
    seconds = REPORT["seconds"]
    rows = [
        [seconds.format(value=f"{value:.2f}") for value in (one.from_s, one.to_s, one.to_s - one.from_s)]
        for one in sorted(longest, key=lambda one: one.from_s)
    ]
    return {"covered": words, "covers": rows}


def _picture(one: Picture) -> dict[str, Any]:
    wanted = one.wanted
    place = {"number": wanted.video, "frame": wanted.frame, "time": timeline.clock(one.time_s)}
    distance = wanted.distance
    return {
        "id": f"picture-{wanted.video}-{wanted.frame}",
        "address": _address("image/jpeg", one.data),
        "alt": REPORT["picture_alt"].format(**place),
        "face": None if one.face is None else _address("image/jpeg", one.face),
        "face_alt": REPORT["face_alt"],
        "caption": REPORT["picture_caption"].format(**place),
        "distance": REPORT["picture_no_distance"]
        if distance is None
        else REPORT["picture_distance"].format(value=f"{distance:.3f}"),
        "why": REPORT["picture_worst" if wanted.why == WORST else "picture_spread"],
    }
