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
    distances_of,
    plots_of,
    render_report,
)
from deid_audit.certificate.frame_numbers import FrameNumbers, LedgerRow, choose, read_distances, read_ledger
from deid_audit.digests import sha256_bytes
from deid_audit.errors import EvidenceError
from deid_audit.evidence import STATEMENT_FILE, compare_files, parse_statement
from deid_audit.files import read_at_most
from deid_audit.findings import CaseRecord
from deid_audit.measure.identity import MATCH_CUT
from deid_audit.measure.thumbnails import close_up, thumbnail
from deid_audit.pipeline.placing import put_in_place
from deid_audit.video.reader import frames_at

REPORT_FILE = "audit/report.html"
_LARGEST_STATEMENT = 64 << 20
_LARGEST_TABLE = 1 << 30
_WHOLE = "give OUT as the job left it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A report that stands in OUT: of which case, its bytes' digest and size, and how many released frames it shows."""

    case: CaseRecord
    statement_sha256: str
    path: Path
    report_sha256: str
    size_bytes: int
    pictures: int


def write_report(out: Path) -> Reported:
    """Writes `audit/report.html` of an OUT from what stands there; the same OUT gives the same bytes.

    Raises:
        EvidenceError: OUT has no statement, a file is not the one that the statement names, or it cannot be written.
        VideoError: a released file cannot be decoded.
    """
    statement, case = read_finished(out)
    numbers = _numbers(out, case)
    ledger = _named(out, "audit/frames.csv", case.ledger.sha256)
    frames = [] if ledger is None else read_ledger(ledger.decode())
    material = Material(
        numbers=numbers,
        states=[[frame.state for frame in video] for video in frames],
        plots=dict(_plots(out, case)),
        pictures=tuple(_pictures(out, case, numbers, frames)) if case.outputs_folder == "release" else (),
    )
    page = render_report(case, statement, material, cut=MATCH_CUT)
    _place(out / REPORT_FILE, page)
    return Reported(
        case=case,
        statement_sha256=sha256_bytes(statement),
        path=out / REPORT_FILE,
        report_sha256=sha256_bytes(page),
        size_bytes=len(page),
        pictures=len(material.pictures),
    )


def read_finished(out: Path) -> tuple[bytes, CaseRecord]:
    """The statement of a finished OUT and its case, whose files are there as it says; no signature is checked.

    Raises:
        EvidenceError: OUT has no statement, or a file is not the one that it names.
    """
    statement = _read(out / STATEMENT_FILE, _LARGEST_STATEMENT)
    if statement is None:
        raise EvidenceError(f"the folder has no {STATEMENT_FILE}", next_step="give the OUT of a job that ended")
    case = parse_statement(statement)
    for problem in compare_files(case, out / case.outputs_folder):
        raise EvidenceError(
            f"{case.outputs_folder}/{problem.name} is not as the statement says: {problem.detail}", next_step=_WHOLE
        )
    return statement, case


def _place(path: Path, page: bytes) -> None:
    next_step = "check space and permissions where OUT stands, and write the report again"
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"the report could not be written: {why}", next_step=next_step) from None
    put_in_place({path: page}, "the report", next_step)


def _read(path: Path, limit: int) -> bytes | None:
    """The file's bytes, None where there is none; EvidenceError where it cannot be read."""
    try:
        data = read_at_most(path, limit)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        why = error.strerror or "input/output error"
        raise EvidenceError(f"{path.name} cannot be read: {why}", next_step=_WHOLE) from None
    if data is None:
        raise EvidenceError(f"{path.name} is larger than any that a job writes", next_step=_WHOLE)
    return data


def _named(out: Path, name: str, sha256: str | None) -> bytes | None:
    """A file of the steward's folder, None where it is not there or the statement holds no digest of it."""
    data = None if sha256 is None else _read(out / name, _LARGEST_TABLE)
    if data is not None and sha256_bytes(data) != sha256:
        raise EvidenceError(
            f"{name} is not the file that the statement names",
            next_step=f"{_WHOLE}, or take that file away: the report then says that it is missing",
        )
    return data


def _numbers(out: Path, case: CaseRecord) -> dict[int, FrameNumbers]:
    found = {}
    for video in range(1, min(len(case.rendered), MOST_VIDEOS_DRAWN) + 1):
        stated = distances_of(case, video)
        data = None if stated is None else _named(out, f"audit/figures/{stated.name}.csv", stated.csv_sha256)
        if data is not None:
            found[video] = read_distances(data.decode())
    return found


def _plots(out: Path, case: CaseRecord) -> Iterator[tuple[str, bytes]]:
    for one in plots_of(case):
        data = _named(out, f"audit/figures/{one.name}.svg", one.sha256)
        if data is not None:
            yield one.name, data


def _pictures(
    out: Path, case: CaseRecord, numbers: dict[int, FrameNumbers], frames: list[list[LedgerRow]]
) -> Iterator[Picture]:
    """The chosen frames of the released files, decoded from them; one pass a file, up to the last that is wanted."""
    files = [output.name for output in case.outputs if output.role == "video"][:MOST_VIDEOS_DRAWN]
    for video, (name, facts) in enumerate(zip(files, case.rendered, strict=False), start=1):
        chosen = choose(video, facts.frame_count, numbers.get(video), max(1, MOST_PICTURES // len(files)))
        wanted = {one.frame: one for one in chosen}
        decoded = frames_at(out / case.outputs_folder / name, wanted, label=f"released video {video}")
        for one, (time_s, image_rgb) in zip(chosen, decoded, strict=True):
            box = frames[video - 1][one.frame].face_xyxy if frames else None
            face = None if box is None else close_up(image_rgb, box)
            yield Picture(wanted=one, time_s=time_s, data=thumbnail(image_rgb), face=face)
