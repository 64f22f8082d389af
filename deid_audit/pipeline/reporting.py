"""The board's report of a finished OUT: written with it by every job, and again from it alone, by the same call.

Comes last. The statement is taken as it stands in OUT (whether it is signed is for `verify` to say); everything else is
shown only if its digest is the one that the statement holds. No original is opened, and where the release did not pass
no frame is decoded at all: it may show the subject.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deid_audit.certificate.board_report import (
    MOST_PICTURES,
    MOST_VIDEOS_DRAWN,
    Material,
    Picture,
    plots_of,
    render_report,
)
from deid_audit.certificate.frame_numbers import FrameNumbers, LedgerRow, choose, read_ledger
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError
from deid_audit.findings import CaseRecord
from deid_audit.measure.identity import MATCH_CUT
from deid_audit.measure.thumbnails import close_up, thumbnail
from deid_audit.pipeline.finished_out import LEDGER_FILE, FinishedOut, open_out
from deid_audit.pipeline.placing import put_in_place
from deid_audit.progress import Progress
from deid_audit.video.reader import frames_at

REPORT_FILE = "audit/report.html"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report that stands in OUT: of which case, its bytes' digest and size, and how many released frames it shows."""

    case: CaseRecord
    statement_sha256: str
    path: Path
    report_sha256: str
    size_bytes: int
    pictures: int


def write_report(out: Path, progress: Progress) -> Reported:
    """Writes `audit/report.html` of an OUT from what stands there; the same OUT gives the same bytes.

    Raises:
        EvidenceError: OUT has no statement, a file is not the one that the statement names, or it cannot be written.
        VideoError: a released file cannot be decoded.
    """
    finished = open_out(out)
    case = finished.case
    drawn = range(1, min(len(case.rendered), MOST_VIDEOS_DRAWN) + 1)
    numbers = {video: found for video in drawn if (found := finished.distances(video)) is not None}
    ledger = finished.named(LEDGER_FILE, case.ledger.sha256)
    frames = [] if ledger is None else read_ledger(ledger.decode())
    shown = case.outputs_folder == "release"
    material = Material(
        numbers=numbers,
        states=[[frame.state for frame in video] for video in frames],
        plots=dict(_plots(finished)),
        pictures=tuple(_pictures(finished, numbers, frames, progress)) if shown else (),
    )
    page = render_report(case, finished.statement, material, cut=MATCH_CUT)
    _place(out / REPORT_FILE, page)
    return Reported(
        case=case,
        statement_sha256=sha256_bytes(finished.statement),
        path=out / REPORT_FILE,
        report_sha256=sha256_bytes(page),
        size_bytes=len(page),
        pictures=len(material.pictures),
    )


def _place(path: Path, page: bytes) -> None:
    next_step = "check space and permissions where OUT stands, and write the report again"
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"the report could not be written: {why}", next_step=next_step) from None
    put_in_place({path: page}, "the report", next_step)


def _plots(finished: FinishedOut) -> Iterator[tuple[str, bytes]]:
    for one in plots_of(finished.case):
        data = finished.named(f"audit/figures/{one.name}.svg", one.sha256)
        if data is not None:
            yield one.name, data


def _pictures(
    finished: FinishedOut, numbers: dict[int, FrameNumbers], frames: list[list[LedgerRow]], progress: Progress
) -> Iterator[Picture]:
    """The chosen frames of the released files, decoded from them; one pass a file, up to the last that is wanted."""
    files = finished.videos[:MOST_VIDEOS_DRAWN]
    for video, (path, facts) in enumerate(zip(files, finished.case.rendered, strict=False), start=1):
        chosen = choose(video, facts.frame_count, numbers.get(video), max(1, MOST_PICTURES // len(files)))
        wanted = {one.frame: one for one in chosen}
        with progress.step(f"pictures for the report, released video {video}", len(chosen)) as step:
            decoded = frames_at(path, wanted, label=f"released video {video}")
            for one, (time_s, image_rgb) in zip(chosen, decoded, strict=True):
                box = frames[video - 1][one.frame].face_xyxy if frames else None
                face = None if box is None else close_up(image_rgb, box)
                yield Picture(wanted=one, time_s=time_s, data=thumbnail(image_rgb), face=face)
                step.advance()
