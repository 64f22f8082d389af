"""Builders for the explanations' tests: a released video of eight seconds, wrong from second 2 to second 3 if asked."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import CaseRecord, Explanation, Interval, Measurement, Of, Rule, measured, not_measured
from deid_audit.ledger import LedgerFrame, Region, State
from deid_audit.measure.appearance import POINTS, REACH, SECTORS, Appearance
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.flicker import FlickerTrack, flicker_track
from deid_audit.measure.identity import FrameDistances, VideoDescriptors
from deid_audit.measure.keypoints import PoseTrack
from deid_audit.pipeline.explaining import explain
from deid_audit.pipeline.locating import Fault, SeenVideo
from deid_audit.pipeline.measuring import Observed
from deid_audit.pipeline.reckoning import Watched
from deid_audit.video.reader import SourceVideo
from deid_audit.vision.standing_text import TextStretch
from tests.fakes import make_case, make_policy, make_rule, make_video_facts

N, RATE = 200, 25
BAD = slice(50, 75)  # 2.0 to 3.0 s
BOX = (40.0, 10.0, 70.0, 50.0)
STILL = np.zeros(N)


def bumped(value: float, bad: float, where: slice = BAD) -> NDArray[np.float64]:
    """A column with one value, and another in the bad stretch."""
    column = np.full(N, float(value))
    column[where] = bad
    return column


def face(**parts: NDArray[np.float64]) -> FaceSignals:
    columns: dict[str, Any] = dict.fromkeys(("mouth", "eye", "brow", "yaw"), STILL)
    return FaceSignals(**({**columns, "head_xy": np.zeros((N, 2)), "interocular_px": np.ones(N)} | parts))


def look(**parts: NDArray[np.float64]) -> Appearance:
    """A still face of plain skin without an edge; `seam`, `colour` and `fine` (n,) and `points_xy` can be given."""
    skin = np.full((N, 3), 50.0)
    skin[:, 0] += parts.get("colour", STILL)
    steps = np.zeros((N, SECTORS, len(REACH)), np.float16)
    steps[:, :, 10] = parts.get("seam", STILL)[:, None]
    still = np.tile(np.random.default_rng(0).uniform(0, 50, (1, len(POINTS), 2)), (N, 1, 1))
    points = parts.get("points_xy", still).astype(np.float32)
    return Appearance(skin_lab=skin, fine=parts.get("fine", np.ones(N)), steps=steps, points_xy=points)


def looks(**parts: NDArray[np.float64]) -> dict[Of, Appearance]:
    """Original and null edit as they are, the released face with these parts."""
    return {"original": look(), "swapped": look(**parts), "reencoded": look()}


def tracks(looked: dict[Of, Appearance]) -> dict[Of, FlickerTrack]:
    """How the released face and the null edit tremble, with 40 px between the eyes."""
    original, *others = (looked[of].points_xy for of in ("original", "swapped", "reencoded"))
    more = (np.full(N, 40.0), np.arange(N) / RATE, np.ones(N, np.bool_))
    return {of: flicker_track(original, own, *more) for of, own in zip(("swapped", "reencoded"), others, strict=True)}


def trembling() -> NDArray[np.float64]:
    """Landmarks that jump by a pixel from frame to frame in the bad stretch."""
    points = look().points_xy.astype(np.float64)
    points[BAD, :, 0] += np.where(np.arange(N)[BAD] % 2, 1.0, 0.0)[:, None]
    return points


def pose(moved_px: float = 0.0, *, hips: float = 1.0) -> PoseTrack:
    """A standing person; in the bad stretch all points are moved; `hips` is the visibility below the waist."""
    points = np.ones((N, 17, 3), np.float32)
    points[:, :, :2] = 10 * np.arange(17)[:, None]
    points[BAD, :, 0] += moved_px
    points[:, 11:, 2] = hips
    return PoseTrack(keypoints=points, area=np.full(N, 900, np.float32))


def ledger(state: State = State.SWAPPED, reason: str = "distance: 0.80", where: slice = BAD) -> tuple[LedgerFrame, ...]:
    """Swapped everywhere but in the bad stretch."""
    chosen = set(range(N)[where])
    return tuple(
        LedgerFrame(
            index=index,
            time_s=index / RATE,
            regions=(
                Region(
                    track_id=0,
                    is_subject=True,
                    state=state if index in chosen else State.SWAPPED,
                    reason=reason if index in chosen else "distance: 0.80",
                    decided_by="tests",
                    box_xyxy=BOX,
                ),
            ),
        )
        for index in range(N)
    )


def seen(number: int = 1, *, path: Path = Path("no-file.mp4"), **changes: Any) -> SeenVideo:
    """One released video of eight seconds without a fault; any array can be given."""
    distances = {
        name: changes.pop(name, np.full(N, good))
        for name, good in (
            *(("to_original", 0.8), ("to_gallery", 0.8), ("to_average_original", 0.8), ("to_donor", 0.3)),
            ("within_gallery_cut", -0.2),
        )
    }
    frames = changes.pop("ledger", ledger())
    compared = np.array([frame.state is State.SWAPPED for frame in frames])
    wiped = np.zeros((N, 128), np.float32)  # as the vault leaves them: nothing here may rest on descriptors
    fields: dict[str, Any] = {
        "descriptors": VideoDescriptors(
            swapped=wiped, original=wiped, subject_swapped=compared, times_s=np.arange(N) / RATE
        ),
        "poses": {"original": pose(), "swapped": pose(), "reencoded": pose()},
        "original_face": face(),
        "released_face": face(),
        "reencoded_face": face(),
        "appearance": looks(),
        "flicker": tracks(looks()),
        "compared": compared,
        "uncovered": compared,
        "detections": [np.array([BOX], np.float32)] * N,
        "samples": [],
        "ssim_outside": {"swapped": np.full(N, 0.98), "reencoded": np.full(N, 0.98)},
    }
    released = SourceVideo(
        path=path,
        label=f"released video {number}",
        facts=make_video_facts(frame_count=N),
        time_base=Fraction(1, RATE),
        pts=tuple(range(N)),
    )
    watched = Watched(released=released, ledger=frames, observed=Observed(**(fields | changes)))
    return SeenVideo(number=number, watched=watched, distances=FrameDistances(**distances))


def unmet(rule: Rule, fault: Fault = Fault.LIMIT, scope: str = "video 1") -> Measurement:
    """A measurement that does not meet the rule, for this reason."""
    if fault is Fault.MISSING:
        return not_measured(rule.metric, rule.of, scope, "nothing to measure it on")
    step = -0.01 if rule.op in ("above", "at_least") else 0.01
    size = rule.min_sample_size - (fault is Fault.SMALL)
    value = rule.limit + step
    floor = value if fault is Fault.NOISE else None
    known = (Interval(low=value, high=value, clusters=12, unit="seconds"), "")
    between = known if rule.bound != "value" and fault is not Fault.NO_INTERVAL else (None, "")
    return measured(rule.metric, rule.of, scope, value, sample_size=size, noise_floor=floor, interval=between)


def case_of(rules: Sequence[Rule], rows: Sequence[Measurement], **changes: Any) -> CaseRecord:
    return make_case(failing=True, policy=make_policy(rules), measurements=tuple(rows), **changes)


def explained(rule: Rule, *videos: SeenVideo, fault: Fault = Fault.LIMIT, **changes: Any) -> Explanation:
    """The explanation of one rule that the first video does not meet."""
    rows = [unmet(rule, fault, "run" if rule.of == "run" else "video 1")]
    [one] = explain(case_of([rule], rows, **changes), videos or [seen()])
    return one


FAMILIES: dict[str, tuple[Rule, SeenVideo]] = {
    "distance to the original": (make_rule("identity.to_original.p01"), seen(to_original=bumped(0.8, 0.5))),
    "mean distance to the original": (make_rule(), seen(to_original=bumped(0.8, 0.5))),
    "run below the cut": (
        make_rule("identity.to_original.longest_run_below_frames", "at_most", 1),
        seen(to_original=bumped(0.8, np.nan)),
    ),
    "seconds below the cut": (
        make_rule("identity.to_original.seconds_below", "at_most", 0.1),
        seen(to_original=bumped(0.8, np.nan)),
    ),
    "distance to the gallery": (make_rule("identity.to_gallery.p01"), seen(to_gallery=bumped(0.8, 0.5))),
    "distance to the donor": (make_rule("identity.to_donor.mean", "below", 0.5), seen(to_donor=bumped(0.3, 0.7))),
    "nearer to the original": (make_rule("identity.roc_auc", "at_least", 0.9), seen(to_donor=bumped(0.3, 0.9))),
    "keypoints": (
        make_rule("keypoints.ap95", "at_least", 0.95),
        seen(poses={"original": pose(), "swapped": pose(20.0)}),
    ),
    "expression error": (
        make_rule("expression.mouth_mae", "at_most", 5),
        seen(released_face=face(mouth=bumped(0, 10.1))),
    ),
    "seam": (make_rule("quality.seam", "at_most", 1), seen(appearance=looks(seam=bumped(0, 6)))),
    "colour": (make_rule("quality.colour", "at_most", 3.5), seen(appearance=looks(colour=bumped(0, 6)))),
    "colour that drifts": (
        make_rule("quality.colour_drift", "at_most", 2),
        seen(appearance=looks(colour=bumped(0, 6))),
    ),
    "coarse": (
        make_rule("quality.ssim_outside_worst", "at_least", 0.9),
        seen(ssim_outside={"swapped": bumped(0.98, 0.5), "reencoded": np.full(N, 0.98)}),
    ),
    "named": (
        make_rule("text.regions_left", "at_most", 0),
        seen(text_left=(TextStretch(box_xyxy=(4, 4, 60, 20), first=BAD.start, last=BAD.stop - 1),)),
    ),
    "soft": (make_rule("quality.sharpness", "at_least", 0.5), seen(appearance=looks(fine=bumped(1, 0.2)))),
    "covered": (
        make_rule("coverage.concealed_share", "at_most", 0.05),
        seen(ledger=ledger(State.CONCEALED, "face under 24 px")),
    ),
    "longest covered": (
        make_rule("coverage.longest_concealed_s", "at_most", 0.5),
        seen(ledger=ledger(State.CONCEALED, "face under 24 px")),
    ),
    "undecided": (
        make_rule("coverage.undecided", "at_most", 0),
        seen(ledger=ledger(State.UNDECIDED, "shown as in the original: 0.9")),
    ),
    "subject still seen": (make_rule("residue.subject_faces", "at_most", 0), seen(to_original=bumped(0.8, 0.5))),
    "subject recognised by another picture": (
        make_rule("residue.gallery_matches", "at_most", 0),
        seen(within_gallery_cut=bumped(-0.2, 0.1)),
    ),
    "face not accounted for": (
        make_rule("residue.unaccounted_faces", "at_most", 0),
        seen(detections=[np.array([[0, 0, 9, 9]] if 50 <= at < 75 else [BOX], np.float32) for at in range(N)]),
    ),
}
