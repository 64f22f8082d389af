"""Which frames a seam is looked for in: not where the edge of a cover beside the face could pass for one."""

from dataclasses import replace

import pytest

from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.pipeline.measuring import _cover_near
from deid_audit.vision.standing_text import TextStretch

Box = tuple[float, float, float, float]


def region(box: Box, state: State, *, mine: bool) -> Region:
    return Region(track_id=0, is_subject=mine, state=state, reason="", decided_by="tests", box_xyxy=box)


@pytest.mark.parametrize(
    ("box", "state", "near"),
    [
        ((160.0, 100.0, 220.0, 200.0), State.CONCEALED, True),
        ((210.0, 100.0, 220.0, 200.0), State.CONCEALED, True),
        ((260.0, 100.0, 300.0, 200.0), State.CONCEALED, False),
        ((160.0, 100.0, 220.0, 200.0), State.SWAPPED, False),
    ],
)
def test_a_cover_near_the_face_is_noticed(box: Box, state: State, near: bool) -> None:
    face = region((100.0, 100.0, 200.0, 200.0), State.SWAPPED, mine=True)
    frame = LedgerFrame(index=0, time_s=0.0, regions=(face, region(box, state, mine=False)))
    assert _cover_near(frame, ()) is near
    alone = LedgerFrame(index=0, time_s=0.0, regions=(face,))
    assert not _cover_near(alone, ())
    line = TextStretch(box_xyxy=(160, 210, 300, 230), first=0, last=0)
    assert _cover_near(alone, (line,)) and not _cover_near(alone, (replace(line, first=1, last=9),))
