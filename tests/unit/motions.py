"""Reports of `deid-audit motion` without a video: made movements compared as the command compares them."""

from deid_audit.measure.motion import compare_tracks
from deid_audit.pipeline.exam_rows import exam_rows, tremor_rows
from deid_audit.pipeline.movement import MotionReport
from deid_audit.video.pairing import Timing
from tests.unit.moving_points import made_tracks, sway

SAME = Timing(
    first_frames=360,
    second_frames=360,
    identical=True,
    largest_difference_s=0.0,
    pairs=tuple((at, at) for at in range(360)),
)


def report(*, margin_percent: float | None = 5.0, seconds: float = 12, timing: Timing = SAME) -> MotionReport:
    """Of a sway of 20 px whose copy is off by a pixel of noise, hands never seen."""
    before = made_tracks(seconds, rate_hz=10, move=sway(1, 20))
    after = made_tracks(seconds, rate_hz=10, move=sway(1, 20), noise_px=1)
    for side in (before.left_hand_xy, before.right_hand_xy):
        side.fill(float("nan"))
    three = before, after, after
    return MotionReport(
        timing=timing,
        others=True,
        null_edit=True,
        margin_percent=margin_percent,
        comparison=compare_tracks(*three, margin_percent=margin_percent),
        exam=exam_rows(*three),
        tremors=tremor_rows(*three),
    )
