"""From what was watched to measurements and figures: calls the measure stage for every video and for the subject."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import SUBJECT_SCOPE, Figure, Measurement, Of, video_scope
from deid_audit.frames import Float
from deid_audit.ledger import LedgerFrame
from deid_audit.measure.canaries import Canary, measure_canaries
from deid_audit.measure.coverage import measure_coverage
from deid_audit.measure.expression import measure_expression
from deid_audit.measure.figures import (
    distance_figure,
    expression_figure,
    keypoint_figure,
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
from deid_audit.measure.keypoint_errors import keypoints_not_measured, measure_keypoint_errors
from deid_audit.measure.keypoints import PoseTrack, keypoint_similarity, measure_keypoints, oks_per_frame, pool
from deid_audit.measure.outside import measure_outside
from deid_audit.measure.quality import measure_quality
from deid_audit.measure.residue import measure_breadth, measure_residue
from deid_audit.measure.tremor import measure_tremor
from deid_audit.pipeline.measuring import Observed
from deid_audit.render.conceal import grown
from deid_audit.video.reader import SourceVideo
from deid_audit.video.writer import leftover_metadata_keys
from deid_audit.vision.looks import AuditSearch

_FIGURE_MASK = 1.15
_RENDITIONS: tuple[Of, ...] = ("swapped", "masked", "blurred", "pixelated", "reencoded")
_APPEARANCE: tuple[Of, ...] = ("original", "swapped", "reencoded")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watched:
    """One video after pass 4: the released file, its ledger and all that was seen."""

    released: SourceVideo
    ledger: tuple[LedgerFrame, ...]
    observed: Observed


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
    audit: AuditSearch,
) -> list[Measurement]:
    """All measurements of the release except the erasure's; `around_donor` (k, 128) has the donor's face in grey."""
    descriptors = [video.observed.descriptors for video in videos]
    found = measure_identity(descriptors, donor, strangers)
    found += measure_gallery(descriptors, donor, strangers)
    found += measure_outside([video.observed.outside for video in videos], around_donor)
    found += measure_breadth(
        [look.name for look in audit.looks], sorted(audit.families), sum(len(v.observed.detections) for v in videos)
    )
    found += measure_canaries(canaries, audit.words)
    found += measure_coverage([video.ledger for video in videos])
    for number, video in enumerate(videos, start=1):
        scope, seen = video_scope(number), video.observed
        found += _keypoints(seen.poses, scope)
        faces = (seen.original_face, seen.released_face, seen.reencoded_face)
        found += measure_expression(*faces, seen.compared, scope)
        found += measure_tremor(*faces, np.array(video.released.times_s), seen.compared, scope)
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
            )
        )
        found += measure_quality(original, released, reencoded, seen.compared, seen.uncovered, scope)
        inventory = video.released.facts.inventory
        found += measure_residue(
            scope=scope,
            detections=seen.detections,
            seen_by=seen.seen_by,
            frames=video.ledger,
            distances_to_original=distances_to_original(seen.descriptors),
            searched_with=audit.words,
            leftover_streams=inventory.audio_streams + inventory.subtitle_streams + inventory.data_streams,
            leftover_keys=leftover_metadata_keys(video.released.facts),
        )
    if len(videos) > 1:
        names = list(videos[0].observed.poses)
        pooled = {name: pool([video.observed.poses[name] for video in videos]) for name in names}
        found += _keypoints(pooled, SUBJECT_SCOPE)
    return found


def _keypoints(poses: Mapping[Of, PoseTrack], scope: str) -> list[Measurement]:
    """OKS and errors of every rendition; a gap, with the reason, for those that the detector knows nothing of."""
    original = poses["original"]
    others: dict[Of, PoseTrack] = {name: pose for name, pose in poses.items() if name != "original"}
    found = measure_keypoints(original, others, scope) + measure_keypoint_errors(original, others, scope)
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
    return figures


def pictures(videos: Sequence[Watched]) -> list[Figure]:
    """Released frames beside the masked ones: only where the verdict is PASSED: others may show the subject."""
    samples = [sample for video in videos for sample in video.observed.samples]
    if not samples:
        return []
    chosen = [samples[round(share * (len(samples) - 1))] for share in (0.0, 0.5, 1.0)][: len(samples)]
    return [sample_frames([image for image, _ in chosen], [grown(box, _FIGURE_MASK)[None] for _, box in chosen])]
