"""A job that waits for a reviewer, made without one: two films of the same picture, and a ledger of what was done."""

from pathlib import Path

import numpy as np

from deid_audit.frames import Image
from deid_audit.ledger import DISTANCE_IN_FILE, LedgerFrame, Region, State
from deid_audit.pipeline.reviewing import Pending
from deid_audit.review.records import Role
from deid_audit.video.reader import open_video
from tests.e2e.short_clips import write_pictures
from tests.unit.made_videos import picture

FRAMES = 60
FACE = (30.0, 12.0, 62.0, 50.0)
OTHER = (66.0, 10.0, 90.0, 40.0)


def film(path: Path, base: Image, frames: int = FRAMES) -> Path:
    """The picture, a little lighter from frame to frame."""
    lighter = (np.clip(base.astype(int) + number % 50, 0, 255).astype(np.uint8) for number in range(frames))
    return write_pictures(path, list(lighter))


def ledger(frames: int = FRAMES) -> tuple[LedgerFrame, ...]:
    """Person 0 is the subject, covered from 20 to 24, undecided at 40; person 3 is beside them until 30."""

    def region(track: int, at: int) -> Region:
        state = State.CONCEALED if track == 3 or 20 <= at < 25 else State.UNDECIDED if at == 40 else State.SWAPPED
        numbers = ((DISTANCE_IN_FILE, 0.61 + (at % 17) / 100),) if state is not State.CONCEALED else ()
        return Region(
            track_id=track, is_subject=track == 0, state=state, reason=f"{state} in a test", decided_by="a test",
            box_xyxy=FACE if track == 0 else OTHER, numbers=numbers,
        )  # fmt: skip

    def entry(at: int) -> LedgerFrame:
        if 50 <= at < 55:
            return LedgerFrame(index=at, time_s=at / 25, regions=(), cleared_by=("one", "another"))
        tracks = (0, 3) if at < 30 else (0,)
        return LedgerFrame(index=at, time_s=at / 25, regions=tuple(region(track, at) for track in tracks))

    return tuple(entry(at) for at in range(frames))


def waiting(folder: Path, *, role: Role = "first", videos: int = 1) -> Pending:
    """A job of `videos` films; the released one is the original with its colours turned."""
    original = film(folder / "original.mp4", picture())
    released = film(folder / "released.mp4", np.ascontiguousarray(picture()[..., ::-1]))
    return Pending(
        case_id="case-0001",
        role=role,
        round=1,
        originals=tuple(open_video(original, label=f"original {n}") for n in range(1, videos + 1)),
        released=tuple(open_video(released, label=f"released {n}") for n in range(1, videos + 1)),
        ledgers=(ledger(),) * videos,
        ledger_sha256="0" * 64,
    )
