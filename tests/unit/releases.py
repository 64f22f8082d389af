"""A whole OUT as a job leaves it after PASSED, written by the package itself: the bag, certificate and attestation."""

import tempfile
from functools import cache
from pathlib import Path

from deid_audit.findings import CaseRecord, Outcome, OutputFile
from deid_audit.pipeline.issuing import issue
from deid_audit.pipeline.packaging import write_release
from tests.unit.certificates import ISSUED, certified_case, figures, signer

VIDEO = "release/data/case-0001-01.mp4"
FILM = bytes(range(256)) * 4


def write_bag(folder: Path, *, videos: int = 1, case_id: str = "case-0001") -> tuple[OutputFile, ...]:
    """`folder` as a release of made-up films."""
    rendered = folder.with_name(f"{folder.name}.rendered")
    rendered.mkdir()
    films = [rendered / f"{case_id}-{number:02d}.mp4" for number in range(1, videos + 1)]
    for number, film in enumerate(films):
        film.write_bytes(FILM + bytes([number]))
    outputs = write_release(folder, films, case_id=case_id, kind="swap", issued_at=ISSUED.isoformat())
    rendered.rmdir()
    return outputs


@cache
def released() -> tuple[CaseRecord, dict[str, bytes]]:
    """The case, and every file of its OUT (without audit/) by relative name."""
    with tempfile.TemporaryDirectory() as made:
        out = Path(made)
        outputs = write_bag(out / "release")
        case = certified_case(Outcome.PASSED).model_copy(update={"outputs": outputs})
        issue(out, case, figures(), signer(), issued_at=ISSUED)
        return case, {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def lay_out(folder: Path) -> Path:
    """Writes that OUT into `folder` and returns its certificate."""
    for name, data in released()[1].items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder / "certificate.pdf"


def turn_bit(path: Path, position: int) -> None:
    """Turns one bit of a file."""
    data = bytearray(path.read_bytes())
    data[position // 8] ^= 1 << position % 8
    path.write_bytes(data)
