"""A certificate made again from what a job left behind: its statement, and the pictures in the steward's folder.

As a script: prints the SHA-256 of the unsigned bytes and whether matplotlib was imported, for the OUT that it is given.
"""

import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from deid_audit.certificate.document import render_certificate
from deid_audit.evidence import parse_statement
from deid_audit.findings import Figure, FigureDigest


def unsigned_again(out: Path) -> bytes:
    """The unsigned certificate, from `evidence.json` and `audit/` alone."""
    statement = (out / "evidence.json").read_bytes()
    case = parse_statement(statement)
    pictures = [_picture(out / "audit" / "figures", one) for one in case.figures]
    return render_certificate(case, statement, pictures, issued_at=datetime.fromisoformat(case.issued_at))


def _picture(folder: Path, stated: FigureDigest) -> Figure:
    [path] = [path for path in folder.iterdir() if path.stem == stated.name and path.suffix in (".svg", ".png")]
    numbers = path.with_suffix(".csv")
    return Figure(
        name=stated.name,
        media_type="image/svg+xml" if path.suffix == ".svg" else "image/png",
        data=path.read_bytes(),
        kind=stated.kind,
        caption=stated.caption,
        alt=stated.alt,
        csv=numbers.read_text(encoding="utf-8") if numbers.exists() else None,
    )


if __name__ == "__main__":
    print(sha256(unsigned_again(Path(sys.argv[1]))).hexdigest(), "matplotlib" in sys.modules)
