"""What `conceal` looks for in the file it has written, before it gives it out."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from deid_audit.errors import NotCovered
from deid_audit.frames import Image
from deid_audit.ledger import LedgerFrame
from deid_audit.pipeline.concealing import _method, _search
from deid_audit.progress import SilentProgress
from deid_audit.video.reader import open_video
from deid_audit.vision.detectors import HogDetector
from tests.conftest import Portraits
from tests.e2e.short_clips import write_pictures


class _Blind:
    def see(self, image_rgb: Image, index: int) -> SimpleNamespace:
        return SimpleNamespace(boxes_xyxy=np.empty((0, 4), np.float32))


@pytest.mark.parametrize("shown", [True, False])
def test_the_family_that_called_a_frame_clear_must_say_so_of_the_written_file_too(
    shown: bool, portraits: Portraits, tmp_path: Path
) -> None:
    picture = portraits.astronaut.image_rgb[:300, :400] if shown else np.full((300, 400, 3), 90, np.uint8)
    written = open_video(write_pictures(tmp_path / "written.mp4", [picture] * 2), label="the covered video")
    ledger = [LedgerFrame(index=at, time_s=at / 25, regions=(), cleared_by=("a", "b")) for at in range(2)]
    engines: Any = SimpleNamespace(audit=_Blind(), second=HogDetector())
    if not shown:
        _search(written, ledger, engines, SilentProgress())
        return
    with pytest.raises(NotCovered, match="2 of 2 frames"):
        _search(written, ledger, engines, SilentProgress())


@pytest.mark.parametrize("marked", [True, False])
def test_the_certificate_of_a_covered_video_says_that_sound_was_left_out(*, marked: bool) -> None:
    said = _method("mask", marked=marked)
    assert "without subtitle and data streams or tags" in said and "Sound was left out." in said
    assert "side streams" not in said
