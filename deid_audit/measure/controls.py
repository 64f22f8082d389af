"""Controls of the identity measures: can this recogniser see this person at all, and what do lesser edits leave.

Takes descriptors that were made elsewhere. A control that does not hold says that the measure beside it means nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import SUBJECT_SCOPE, Measurement, Of, measured, not_measured, video_scope
from deid_audit.frames import Float
from deid_audit.measure.gallery import distances_apart
from deid_audit.measure.identity import (
    MATCH_CUT,
    VideoDescriptors,
    described,
    nearest_distance,
    original_rows,
)
from deid_audit.measure.intervals import bootstrap, clusters_of
from deid_audit.measure.sampled import SampledFaces

METHOD_TEXT = (
    "Controls: the subject's originals must find each other (nearest original of another video; where there is one "
    f"only, of a moment more than a second away, which shows less; within {MATCH_CUT}), or the recogniser cannot see "
    "this person and its silence says nothing. "
    "In up to 40 frames of each video the re-encoded, the blurred and the pixelated face are described, too, under "
    "the original's landmarks, as an intruder would who knows where the face is: re-encoding alone must leave it "
    "recognisable. A black mask shows no face to describe."
)
_METHOD = "dlib 128-D descriptor under the original's FaceMesh landmarks, L2, sampled frames"
_OWN = "dlib 128-D descriptor, nearest original of another video, or over a second away, L2"
_LEAST = 5
_LEAST_ORIGINALS = 20
_NAME = "control.same_person"
COMPARED: tuple[Of, ...] = ("reencoded", "blurred", "pixelated")


def measure_controls(videos: Sequence[VideoDescriptors], sampled: Sequence[SampledFaces]) -> list[Measurement]:
    """The positive control of the subject and of every video, and Table 1's first column for the lesser edits."""
    out = []
    for number, video in enumerate(videos, start=1):
        others = [each for each in videos if each is not video]
        distances = _to_others(video, others) if others else distances_apart([video])
        method = _OWN if others else f"{_OWN}; one video, so within it"
        out.append(_same_person(video_scope(number), distances, method))
    for number, one in enumerate(sampled, start=1):
        for of in COMPARED:
            out += _to_original(of, video_scope(number), [one])
    for of in COMPARED:
        out += _to_original(of, SUBJECT_SCOPE, sampled)
    return out


def _to_others(video: VideoDescriptors, others: Sequence[VideoDescriptors]) -> NDArray[np.float64]:
    """Distance of each of a video's originals to the nearest original of another video."""
    gallery, rows = original_rows(others), described(video.original)
    return nearest_distance(rows, gallery) if len(gallery) and len(rows) else np.empty(0)


def _same_person(scope: str, distances: NDArray[np.float64], method: str) -> Measurement:
    if len(distances) < _LEAST_ORIGINALS:
        because = f"{len(distances)} originals with another one to compare with; {_LEAST_ORIGINALS} are needed"
        return not_measured(_NAME, "original", scope, because, method=method)
    rate = float((distances < MATCH_CUT).mean())
    detail = {"cut": MATCH_CUT, "median_distance": float(np.median(distances))}
    return measured(_NAME, "original", scope, rate, sample_size=len(distances), method=method, detail=detail)


def _to_original(of: Of, scope: str, videos: Sequence[SampledFaces]) -> list[Measurement]:
    names = ("identity.to_original.mean", "identity.to_original.sd")
    pairs = [
        np.linalg.norm(video.described[of].astype(np.float64) - video.described["original"], axis=1)
        if of in video.described and "original" in video.described
        else np.empty(0)
        for video in videos
    ]
    distances: NDArray[np.float64] = np.concatenate([np.empty(0), *pairs])
    known = np.isfinite(distances)
    if known.sum() < _LEAST:
        because = f"{int(known.sum())} sampled frames could be described; at least {_LEAST} are needed"
        return [not_measured(name, of, scope, because, method=_METHOD) for name in names]
    clusters = clusters_of([video.times_s for video in videos]).where(known)
    values = distances[known]
    interval = bootstrap(lambda at: {"mean": float(values[at].mean())}, clusters).of("mean")
    detail = {"cut": MATCH_CUT, "share_below": float((values < MATCH_CUT).mean())}
    count = len(values)
    return [
        measured(
            names[0], of, scope, float(values.mean()), sample_size=count, method=_METHOD, detail=detail,
            interval=interval,
        ),
        measured(names[1], of, scope, float(values.std()), sample_size=count, method=_METHOD),
    ]  # fmt: skip


def rows_of(videos: Sequence[SampledFaces], of: Of) -> Float:
    """All descriptors of one kind, float32 (n, 128), without those that could not be made."""
    rows = [np.empty((0, 128), np.float32), *(video.described[of] for video in videos if of in video.described)]
    return described(np.concatenate(rows))
