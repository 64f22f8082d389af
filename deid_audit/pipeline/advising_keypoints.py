"""What to do where the body's keypoints are not kept: in close-ups, under covers that lie on the body, or else.

A part of `advising`, which knows all families.
"""

from collections import Counter

import numpy as np

from deid_audit.ledger import State
from deid_audit.measure.keypoints import KEYPOINT_NAMES, OKS_CUT, keypoint_similarity, oks_per_frame
from deid_audit.pipeline.locating import Fault, SeenVideo
from deid_audit.pipeline.unmet import Case, Words, train_longer
from deid_audit.render.conceal import release_box

_HIPS, _SHOULDERS = (11, 12), (5, 6)
_FACE_POINTS = 5  # nose, eyes and ears lead COCO's list
_MOSTLY = 0.1  # of the frames below the cut: fewer covers explain nothing
_LOOK_AT_COVERS = (
    "Look there in the released video what is covered beside the face, and in audit/frames.csv why: a hand, a print on "
    "the clothes or a thing that was taken for a face hides the body under it."
)
_UNCOVER = (
    "The pose model is not at fault there: cut these stretches out, or film again with the hands away from the face's "
    "height and nothing that looks like a face in view."
)
_UNCOVER_THERE = "Have the tool that made the video cover nothing but faces there."


def keypoints(case: Case) -> Words:
    """Why the keypoints are not where the original has them: a close-up, a cover on the body, the face, or noise."""
    if case.fault is Fault.MISSING:
        step = "The pose model finds nobody in the original: give a clip that shows more of the body."
        return [], [step, face_policy(case)]
    noticed = body_in_view(case)
    if lost := round(case.detail.get("frames_lost", 0)):
        noticed.append(f"the pose model lost the person in {lost} frames")
    moved = _moved_points(case)
    if moved:
        noticed.append("moved most: " + ", ".join(f"{KEYPOINT_NAMES[at]} ({value:.2f})" for at, value in moved))
    covers = covers_on_body(case)
    noticed += covers
    if is_close_up(case):
        return noticed, [face_policy(case)]
    if covers:
        return noticed, [_LOOK_AT_COVERS, _UNCOVER if case.kind == "swap" else _UNCOVER_THERE]
    if moved and moved[0][0] < _FACE_POINTS:
        look = "Look in the picture whether eyes, nose and ears sit where the head has them."
        return noticed, [look, train_longer(case)]
    return noticed, [
        "The body itself was not changed, so the pose model wavers: give a clip in which the whole body is brighter, "
        "larger or less hidden.",
        "Look in the picture whether the changed face reaches beyond the head.",
    ]


def face_policy(case: Case) -> str:
    """What to do where too little of the body is in view to judge it."""
    if case.kind == "swap":
        return "For a close-up choose --policy release-face, which reports keypoints and does not judge by them."
    return "For a close-up give a policy file of your own without the keypoint rules, and tell the board why."


def _visible(case: Case, points: tuple[int, int]) -> float:
    """Share of frames in which one of two keypoints is seen in the original."""
    seen = [video.watched.observed.poses["original"].visible[:, points] for video in case.videos]
    return float(np.concatenate(seen).any(axis=1).mean()) if seen else 0.0


def is_close_up(case: Case) -> bool:
    """Whether the hips are out of view in most frames."""
    return _visible(case, _HIPS) < 0.5


def body_in_view(case: Case) -> list[str]:
    """How little of the body is in view; nothing where the hips are seen in most frames."""
    hips, shoulders = _visible(case, _HIPS), _visible(case, _SHOULDERS)
    if hips >= 0.5:
        return []
    return [f"little of the body is in view: hips in {hips:.0%} of the frames, shoulders in {shoulders:.0%}"]


def _moved_points(case: Case) -> list[tuple[int, float]]:
    """The three keypoints that are least like the original's on average, below the cut of the OKS."""
    of = case.finding.rule.of
    rows = [
        keypoint_similarity(poses["original"], poses[of])
        for poses in (video.watched.observed.poses for video in case.videos)
        if of in poses
    ]
    if not rows:
        return []
    table = np.concatenate(rows)
    seen = [at for at in range(table.shape[1]) if np.isfinite(table[:, at]).any()]
    means = sorted((float(np.nanmean(table[:, at])), at) for at in seen)
    return [(at, mean) for mean, at in means[:3] if mean < OKS_CUT]


def covers_on_body(case: Case) -> list[str]:
    """In how many of the frames whose keypoints are lost a cover of something else lies over the subject's body."""
    under: Counter[int] = Counter()
    below = hidden = 0
    for seen in case.videos:
        poses = seen.watched.observed.poses
        if case.finding.rule.of not in poses:
            continue
        lost = oks_per_frame(poses["original"], poses[case.finding.rule.of]) < OKS_CUT
        below += int(lost.sum())
        for frame in np.flatnonzero(lost):
            points = _under_covers(seen, int(frame))
            under.update(points)
            hidden += bool(points)
    if not below or hidden < _MOSTLY * below:
        return []
    names = ", ".join(KEYPOINT_NAMES[at] for at, _ in under.most_common(3))
    return [
        f"in {hidden} of the {below} frames whose keypoints are lost, something that is not the subject's face is "
        f"covered over the subject's body ({names})"
    ]


def _under_covers(seen: SeenVideo, frame: int) -> list[int]:
    """The body's keypoints that the original shows where a cover of something else than the subject's face lies."""
    pose = seen.watched.observed.poses["original"]
    boxes = [
        release_box(np.array(region.box_xyxy, np.float32))
        for region in seen.watched.ledger[frame].regions
        if region.state is State.CONCEALED and not region.is_subject
    ]
    return [
        at
        for at in range(_FACE_POINTS, len(KEYPOINT_NAMES))
        if pose.visible[frame, at]
        and any(
            (box[:2] <= xy).all() and (xy <= box[2:]).all() for box in boxes for xy in [pose.keypoints[frame, at, :2]]
        )
    ]
