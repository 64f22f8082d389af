"""What a run would do with a person's videos, by the rules of `rendering.py` and `cast.py`, before any swap is made."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame, State, longest_concealed_s
from deid_audit.pipeline.cast import CastVideo, usable_frames
from deid_audit.pipeline.certainty import Certainty
from deid_audit.pipeline.ladder import unfit
from deid_audit.pipeline.preview.hard import yaw_degrees
from deid_audit.pipeline.preview.report import Expected, Fitting, Material
from deid_audit.pipeline.rendering import covered_beside, others_beside, region_of
from deid_audit.pipeline.training import DEFAULT_SECONDS
from deid_audit.policy import load_policy
from deid_audit.records import VideoFacts

# Time of all other passes of a run over one frame, in times of finding its faces; from a few runs on two busy cores,
# between which it differed by half. It is too much for videos in which faces come and go: those are searched longer.
_PASSES, _PASSES_PER_MEGAPIXEL = 9.0, 5.0
_NO_DESCRIPTOR = np.full(128, np.nan, np.float32)


def expected_ledger(video: CastVideo, average: Float, others: Sequence[Float]) -> list[LedgerFrame]:
    """Each frame as a run would leave it if every swap that is tried holds.

    `average` (128,) is the person's, `others` are those of everybody else.
    """
    certainty = Certainty(average=average, others=others)
    described = {
        (index, track): row
        for track, rows in video.faces.descriptors.items()
        for index, row in zip(video.faces.described[track], rows, strict=True)
    }
    frames: list[LedgerFrame] = []
    for index, time_s in enumerate(video.source.times_s):
        face = video.person_face(index)
        regions = covered_beside([video], [face], index)
        if face is not None:
            doubt = certainty.doubt(
                face, others_beside(video, face), described.get((index, face.track_id), _NO_DESCRIPTOR)
            )
            why_not = unfit(face) or doubt
            state = State.CONCEALED if why_not else State.SWAPPED
            regions = [region_of(face, state, why_not, is_subject=True), *regions]
        cleared_by = video.faces.cleared_by[index]
        frames.append(LedgerFrame(index=index, time_s=time_s, regions=tuple(regions), cleared_by=cleared_by))
    return frames


def expect(number: int, ledger: Sequence[LedgerFrame]) -> Expected:
    """The ledger of video `number` in figures."""
    hidden = [frame for frame in ledger if frame.subject_concealed]
    reasons = Counter(
        reason for frame in hidden for reason in {r.reason for r in frame.subject_regions if r.state is State.CONCEALED}
    )
    shown = [any(r.is_subject and r.state is State.SWAPPED for r in frame.regions) for frame in ledger]
    return Expected(
        video=number,
        frames=len(ledger),
        to_swap=sum(shown),
        covered=len(hidden),
        longest_covered_s=longest_concealed_s(ledger),
        reasons=dict(reasons.most_common()),
    )


def material(videos: Sequence[CastVideo]) -> Material:
    """The person's faces that training could use."""
    heights, angles = [], []
    for video in videos:
        for index in usable_frames(video):
            face = video.person_face(index)
            if face is not None and (landmarks := face.landmarks_xy) is not None:
                heights.append(float(np.ptp(face.box_xyxy[[1, 3]])))
                angles.append(yaw_degrees(landmarks))
    if not heights:
        return Material(usable=0, median_height_px=None, yaw_from_degrees=None, yaw_to_degrees=None)
    low, high = np.nanpercentile(angles, (5, 95))
    return Material(
        usable=len(heights),
        median_height_px=float(np.median(heights)),
        yaw_from_degrees=float(low),
        yaw_to_degrees=float(high),
    )


def fitting(in_view: Sequence[bool]) -> Fitting:
    """`release` where a body is in view in most of the frames looked at, else `release-face`, with its limits."""
    policy = load_policy("release" if sum(in_view) > len(in_view) / 2 else "release-face")
    limits = {rule.metric: rule.limit for rule in policy.rules if rule.of == "swapped"}
    return Fitting(
        looked_at=len(in_view),
        in_view=sum(in_view),
        policy=policy.id,
        covered_share=limits["coverage.concealed_share"],
        longest_covered_s=limits["coverage.longest_concealed_s"],
        least_to_swap=max(rule.min_sample_size for rule in policy.rules if rule.metric.startswith("identity.")),
    )


def run_seconds(
    finding_s: Sequence[float], videos: Sequence[VideoFacts], *, training_s: float = DEFAULT_SECONDS
) -> float:
    """A rough time of a run over these videos, from what finding the faces took here; the donor's are not in it."""
    total = training_s
    for seconds, facts in zip(finding_s, videos, strict=True):
        megapixels = facts.width * facts.height / 1e6
        total += seconds * (1 + _PASSES + _PASSES_PER_MEGAPIXEL * megapixels)
    return total
