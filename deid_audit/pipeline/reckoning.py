"""From what was watched to measurements and figures: calls the measure stage for every video and for the subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import SUBJECT_SCOPE, Figure, Measurement, Of, video_scope
from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame
from deid_audit.measure.attacks import measure_attacks, strongest
from deid_audit.measure.canaries import Canary, measure_canaries
from deid_audit.measure.controls import measure_controls
from deid_audit.measure.coverage import measure_coverage
from deid_audit.measure.embedding import embedding_figure
from deid_audit.measure.exam.rerating import Ratings
from deid_audit.measure.exam_figure import exam_figure
from deid_audit.measure.expression import measure_expression
from deid_audit.measure.face_exam import ExamInput, measure_exam
from deid_audit.measure.fidelity import measure_fidelity
from deid_audit.measure.figures import (
    distance_figure,
    expression_figure,
    keypoint_figure,
    keypoint_frames,
    oks_figure,
    roc_figure,
    sample_frames,
)
from deid_audit.measure.flicker import measure_flicker
from deid_audit.measure.gallery import calibrate, matching_frames, measure_gallery
from deid_audit.measure.identity import (
    FrameDistances,
    distances_to_original,
    frame_distances,
    measure_identity,
    original_rows,
    roc,
)
from deid_audit.measure.intervals import Clusters, clusters_of
from deid_audit.measure.keypoint_errors import keypoints_not_measured, measure_keypoint_errors
from deid_audit.measure.keypoints import PoseTrack, keypoint_similarity, measure_keypoints, oks_per_frame, pool
from deid_audit.measure.outside import measure_outside
from deid_audit.measure.quality import measure_quality
from deid_audit.measure.rerated import measure_rerating
from deid_audit.measure.residue import measure_breadth, measure_residue
from deid_audit.measure.sampled import Strangers
from deid_audit.measure.text_left import measure_text
from deid_audit.measure.tremor import measure_tremor
from deid_audit.pipeline.measuring import Observed
from deid_audit.render.conceal import grown
from deid_audit.video.reader import SourceVideo
from deid_audit.video.writer import leftover_metadata_keys, leftover_streams
from deid_audit.vision.looks import AuditSearch

_FIGURE_MASK = 1.15
_RENDITIONS: tuple[Of, ...] = ("swapped", "masked", "blurred", "pixelated", "reencoded")
_APPEARANCE: tuple[Of, ...] = ("original", "swapped", "reencoded")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """One video after pass 4: the released file, its ledger, all that was seen, and what was heard of its sound."""

    released: SourceVideo
    ledger: tuple[LedgerFrame, ...]
    observed: Observed
    voice: tuple[Measurement, ...] = ()
    sound_asked: bool = False


def distances_of(videos: Sequence[Watched], donor: Float, strangers: Float) -> list[FrameDistances]:
    """How far every frame stands from both people: numbers that outlive the descriptors."""
    seen = [video.observed.descriptors for video in videos]
    cut, gallery = calibrate(seen, donor, strangers), original_rows(seen)
    return frame_distances(seen, donor, [matching_frames(video, gallery, cut) for video in seen])


def reckon(
    videos: Sequence[Watched],
    donor: Float,
    strangers: Float,
    canaries: Sequence[Canary],
    *,
    around_donor: Float,
    gallery: Strangers,
    attacker: str,
    audit: AuditSearch,
    ratings: Ratings | None = None,
) -> list[Measurement]:
    """All measurements of the release except the erasure's; `around_donor` (k, 128) has the donor's face in grey.

    `strangers` (k, 128) are other faces in the videos, frame by frame; `gallery` the gallery's other people; `ratings`
    what clinicians gave original and released clips, where anybody rated them.
    """
    descriptors = [video.observed.descriptors for video in videos]
    found = measure_identity(descriptors, donor, strangers)
    found += measure_gallery(descriptors, donor, strangers)
    sampled = [video.observed.sampled for video in videos]
    found += measure_controls(descriptors, sampled)
    found += measure_outside([video.observed.outside for video in videos], around_donor)
    found += measure_attacks(descriptors, sampled, donor, gallery, attacker=attacker)
    found += strongest(found)
    found += measure_breadth(
        [look.name for look in audit.looks], sorted(audit.families), sum(len(v.observed.detections) for v in videos)
    )
    found += measure_canaries(canaries, audit.words)
    found += measure_coverage([video.ledger for video in videos])
    for number, video in enumerate(videos, start=1):
        scope, seen = video_scope(number), video.observed
        clusters = clusters_of([np.array(video.released.times_s)])
        found += _keypoints(seen.poses, scope, clusters)
        faces = (seen.original_face, seen.released_face, seen.reencoded_face)
        found += measure_expression(*faces, seen.compared, scope, clusters)
        found += measure_tremor(*faces, np.array(video.released.times_s), seen.compared, scope)
        found += measure_exam(exam_input(video), scope)
        original, released, reencoded = (seen.appearance[of] for of in _APPEARANCE)
        found.append(
            measure_flicker(
                original.points_xy,
                released.points_xy,
                reencoded.points_xy,
                seen.original_face.interocular_px,
                np.array(video.released.times_s),
                seen.compared,
                scope,
                clusters,
            )
        )
        found += measure_quality(original, released, reencoded, seen.compared, seen.uncovered, scope, clusters)
        found += measure_fidelity(seen.ssim_outside["swapped"], seen.ssim_outside["reencoded"], scope)
        found += measure_text(len(seen.text_left), len(seen.text_covered), len(video.ledger), scope)
        inventory = video.released.facts.inventory
        found += measure_residue(
            scope=scope,
            detections=seen.detections,
            seen_by=seen.seen_by,
            frames=video.ledger,
            distances_to_original=distances_to_original(seen.descriptors),
            searched_with=audit.words,
            leftover_streams=leftover_streams(inventory, sound_asked=video.sound_asked),
            leftover_keys=leftover_metadata_keys(video.released.facts),
        )
        found += video.voice
    found += measure_rerating(ratings)
    one_detector = len({video.observed.poses["original"].traits.method for video in videos}) == 1
    if len(videos) > 1 and one_detector:  # numbers of two detectors are not of one kind
        names = list(videos[0].observed.poses)
        pooled = {name: pool([video.observed.poses[name] for video in videos]) for name in names}
        together = clusters_of([np.array(video.released.times_s) for video in videos])
        found += _keypoints(pooled, SUBJECT_SCOPE, together)
    return found


def exam_input(video: Watched) -> ExamInput:
    """What the exam measures look at in one video, for as long as its landmarks are not wiped."""
    seen = video.observed
    return ExamInput(
        faces=seen.exam_faces,
        lids=seen.lids,
        poses=seen.poses,
        times_s=np.array(video.released.times_s),
        compared=seen.compared,
    )


def _keypoints(poses: Mapping[Of, PoseTrack], scope: str, clusters: Clusters) -> list[Measurement]:
    """OKS and errors of every rendition; a gap, with the reason, for those that the detector knows nothing of."""
    original = poses["original"]
    others: dict[Of, PoseTrack] = {name: pose for name, pose in poses.items() if name != "original"}
    found = measure_keypoints(original, others, scope, clusters) + measure_keypoint_errors(original, others, scope)
    for name in _RENDITIONS:
        if name not in poses:
            found += keypoints_not_measured(name, scope, original.traits.missing_because)
    return found


def _others(seen: Observed) -> dict[Of, PoseTrack]:
    return {name: pose for name, pose in seen.poses.items() if name != "original"}


def plots(videos: Sequence[Watched], donor: Float) -> list[Figure]:
    """The certificate's plots; they show numbers only."""
    figures: list[Figure] = []
    curve = roc([video.observed.descriptors for video in videos], donor)
    if curve is not None:
        figures.append(roc_figure(curve))
    descriptors = [video.observed.descriptors for video in videos]
    if (embedding := embedding_figure(descriptors, donor)) is not None:
        figures.append(embedding)
    for number, video in enumerate(videos, start=1):
        times = np.array(video.released.times_s)
        concealed = np.array([frame.subject_concealed for frame in video.ledger])
        figures.append(distance_figure(number, times, distances_to_original(video.observed.descriptors), concealed))
    oks: dict[Of, NDArray[np.float64]] = {}
    similarity: dict[Of, NDArray[np.float64]] = {}
    for name in _others(videos[0].observed):
        pairs = [(video.observed.poses["original"], video.observed.poses[name]) for video in videos]
        oks[name] = np.concatenate([oks_per_frame(*pair) for pair in pairs])
        similarity[name] = np.concatenate([keypoint_similarity(*pair) for pair in pairs])
    figures += [oks_figure(oks), keypoint_figure(similarity)]
    for number, video in enumerate(videos, start=1):
        seen, times = video.observed, np.array(video.released.times_s)
        figures.append(expression_figure(number, times, seen.original_face, seen.released_face, seen.compared))
        figures.append(exam_figure(number, exam_input(video), (seen.original_face, seen.released_face)))
    return figures


def _visible(pose: PoseTrack, at: int) -> Float:
    """The keypoints of one frame, (17, 2) px, NaN where not visible."""
    return np.asarray(np.where(pose.visible[at][:, None], pose.keypoints[at, :, :2], np.nan))


def pictures(videos: Sequence[Watched]) -> list[Figure]:
    """Released frames beside masked ones, and with keypoints: only where PASSED, or the subject may show."""
    samples = [(video.observed.poses, *sample) for video in videos for sample in video.observed.samples]
    if not samples:
        return []
    chosen = [samples[round(share * (len(samples) - 1))] for share in (0.0, 0.5, 1.0)][: len(samples)]
    images = [image for _, _, image, _ in chosen]
    points = [(_visible(poses["original"], at), _visible(poses["swapped"], at)) for poses, at, _, _ in chosen]
    masked = sample_frames(images, [grown(box, _FIGURE_MASK)[None] for _, _, _, box in chosen])
    return [masked, keypoint_frames(images, points)]
