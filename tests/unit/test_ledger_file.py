"""The ledger's file gives back the frames that it was written from, and no other file is taken for one."""

import pytest

from deid_audit.errors import EvidenceError
from deid_audit.ledger import DRAWN_BY, LedgerFrame, Region, Rung, State, csv_lines
from deid_audit.ledger_file import read_ledger_file


def _region(number: int, **changes: object) -> Region:
    made = {
        "track_id": number,
        "is_subject": True,
        "state": State.SWAPPED,
        "reason": "distance: 0.71, posed",
        "decided_by": "the renderer",
        "box_xyxy": (1.5, 2.0, 30.0, 40.5),
        "rung": Rung.HARDER,
        "numbers": (("distance to original", 0.7123), ("edge", 3.0)),
    }
    return Region(**(made | changes))  # type: ignore[arg-type]


LEDGERS = (
    (
        LedgerFrame(index=0, time_s=0.0, regions=(_region(0), _region(7, is_subject=False, rung=None, numbers=()))),
        LedgerFrame(index=1, time_s=0.04, regions=(), cleared_by=("one", "another two")),
        LedgerFrame(index=2, time_s=0.08, regions=(), expression_error=0.01234, unaccounted_faces=2),
        LedgerFrame(index=3, time_s=0.12, regions=(_region(1, decided_by=f"{DRAWN_BY}AB"),), cleared_by=("one", "two")),
        LedgerFrame(index=4, time_s=0.16, regions=(_region(1, decided_by=f"{DRAWN_BY}AB"),)),
    ),
    (
        LedgerFrame(
            index=0,
            time_s=0.0,
            regions=(
                _region(1, track_id=None, is_subject=False, is_known=False, state=State.CONCEALED, reason='a "b", c'),
            ),
        ),
    ),
)
TEXT = "".join(csv_lines(LEDGERS))


def test_what_was_written_comes_back() -> None:
    assert read_ledger_file(TEXT) == LEDGERS


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        TEXT.replace("swapped", "swopped"),
        TEXT.replace("video,frame", "frame,video"),
        TEXT.replace(",30.0,", ",thirty,"),
        TEXT.replace(",0.01234,2,", ",0.01234,2.0,"),
        TEXT.replace("0.040000", "0.04"),
        TEXT.rsplit("\n", 2)[0][:-5],
        TEXT + "more\n",
    ],
    ids=["empty", "state", "columns", "number", "half a face", "spelling", "cut off", "longer"],
)
def test_another_file_is_refused(damaged: str) -> None:
    with pytest.raises(EvidenceError, match="no file that deid-audit wrote"):
        read_ledger_file(damaged)
