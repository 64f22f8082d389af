"""One bit turned anywhere in what a board receives, twice signed: `verify` refuses it, says why, and never breaks.

Everything runs through the command, in one process, against a trust file that demands a steward and a chair. Which
check it is that fails is held closely in test_checking_chair.py and test_verify_attestation.py.
"""

import random
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deid_audit.__main__ import build_app
from deid_audit.certificate.decisions import Decision
from deid_audit.log.storage import VARIABLE
from deid_audit.pipeline.approving import approve
from deid_audit.pipeline.verify import read_trust
from tests.unit.certificates import CONDITIONS, DECIDED, chair, one_page
from tests.unit.releases import VIDEO, lay_out, turn_bit
from tests.unit.test_trust import write as write_trust

# In a hundred: how many in each file. Of the PDF's, every other one inside a signature's /Contents.
SHARES = {
    "certificate.pdf": 40,
    "attestation.dsse.json": 15,
    "evidence.json": 15,
    "release/manifest-sha256.txt": 8,
    "release/tagmanifest-sha256.txt": 7,
    VIDEO: 15,
}


def _approved(folder: Path, *, pages: bool) -> Path:
    """The folder of a whole output that the chair has approved, with a trust file beside it.

    Without `pages` the certificate has one page instead of a dozen, with the same statement, fields and signatures.
    """
    certificate = lay_out(folder / "case")
    if not pages:
        certificate.write_bytes(one_page((folder / "case" / "evidence.json").read_bytes()))
    trust = read_trust([], write_trust(folder / "board"))
    decision = Decision(approves=True, conditions=CONDITIONS)
    approve(certificate, chair(), decision, release=None, trust=trust, clock=lambda: DECIDED)
    return folder


def _verified(board: Path) -> Any:
    words = ["verify", str(board / "case" / "certificate.pdf"), "--trust-file", str(board / "board" / "trust.toml")]
    return CliRunner().invoke(build_app(), words, env={VARIABLE: str(board / "no-log")})


def _positions(name: str, data: bytes, count: int, chance: random.Random) -> list[int]:
    """Numbers of bits."""
    if name != "certificate.pdf":
        return [chance.randrange(8 * len(data)) for _ in range(count)]
    gaps = [found.span(1) for found in re.finditer(rb"/Contents (<[0-9A-Fa-f]+>)", data)]
    assert len(gaps) == 2
    places = [gap for gap in gaps for _ in range(count // 4)]
    places += [(0, len(data))] * (count - len(places))
    return [8 * chance.randrange(*place) + chance.randrange(8) for place in places]


def _turn(board: Path, shares: Mapping[str, int], seed: int) -> int:
    """Turns so many bits of these files, one at a time; how many were refused, which must be all."""
    chance, refused = random.Random(seed), 0
    assert _verified(board).exit_code == 0
    for name, share in shares.items():
        path = board / "case" / name
        whole = path.read_bytes()
        for position in _positions(name, whole, share, chance):
            turn_bit(path, position)
            done = _verified(board)
            place = f"bit {position} of {name}"
            assert done.exit_code == 1 and isinstance(done.exception, SystemExit), (place, done.exception)
            assert "FAILED " in done.stdout and "Traceback" not in done.output, place
            path.write_bytes(whole)
            refused += 1
    assert _verified(board).exit_code == 0
    return refused


def test_a_hundred_turned_bits_are_all_refused(tmp_path: Path) -> None:
    assert _turn(_approved(tmp_path, pages=False), SHARES, 20260110) == 100


def test_turned_bits_of_a_whole_certificate_are_refused(tmp_path: Path) -> None:
    assert _turn(_approved(tmp_path, pages=True), {"certificate.pdf": 4}, 5) == 4


@pytest.mark.soak
def test_a_thousand_turned_bits_are_all_refused(tmp_path: Path) -> None:
    board = _approved(tmp_path / "one page", pages=False)
    refused = _turn(board, {name: 10 * share for name, share in SHARES.items()}, 11)
    whole = _turn(_approved(tmp_path / "all pages", pages=True), {"certificate.pdf": 40}, 12)
    print(f"turned bits, all refused: {refused}, and {whole} of a certificate with all its pages")
    assert (refused, whole) == (1000, 40)
