"""Does any face in the written file match the subject's gallery, at a cut calibrated on strangers.

Takes descriptors (computed in `vision`) of the subject's originals, of the faces in the written file and of other
people; gives the cut with its error rates, and how many faces come nearer. It computes no descriptor.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured, video_scope
from deid_audit.frames import Float
from deid_audit.measure.identity import VideoDescriptors, described, nearest_distance, original_rows

WIDEST_CUT = 0.57  # 1 % of the faces in 91 pairs of strangers in public clips came nearer to some original than this
LEAST_TRUE_MATCHES = 0.95
_LEAST_STRANGERS = 20
_APART_S = 1.0
_OWN_QUERIES = 1000
# On a normal curve 3 in 100 000 lie 4 standard deviations below the mean: this many gaps between the 5th and the 1st
# percentile below the latter.
_TAIL_GAPS = 2.46
METHOD_TEXT = (
    "Gallery: every face in the written file that was swapped, or that the audit's detector finds elsewhere, is "
    "compared with all the subject's originals, since an intruder picks the best picture. Strangers come near to some "
    f"original too, so the cut is {WIDEST_CUT} (1 % of the faces in 91 pairs of strangers in public clips came nearer) "
    "or lower, where the donor or other people in these videos come that near: then so low that 3 in 100 000 of faces "
    "like theirs would match, going by their 1st and 5th percentile and a normal tail. At a higher cut strangers "
    "would fail by chance, since not one face may match. The cut's true match rate is the share of the subject's "
    f"originals that match another one, of another video or more than {_APART_S:g} s away; below "
    f"{LEAST_TRUE_MATCHES:.0%} the cut cannot find the subject and nothing is measured. The strangers are few, often "
    "the donor only: the false match rate holds for them, not for everybody."
)
_METHOD = "dlib 128-D descriptor, nearest of all the subject's originals, L2"
_NAME = "residue.gallery_matches"


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryCut:
    """The cut with its error rates on strangers and on the subject; `unusable` says why there is none, else empty.

    `nobody_else` marks that other people's faces were looked for and there are too few.
    """

    cut: float = 0.0
    false_match_rate: float = 1.0
    true_match_rate: float = 0.0
    strangers: int = 0
    own: int = 0
    unusable: str = ""
    nobody_else: bool = False


def calibrate(videos: Sequence[VideoDescriptors], donor: Float, strangers: Float) -> GalleryCut:
    """The cut for this subject; `donor` and `strangers` are float32 (m, 128), other people's faces of the videos."""
    gallery = original_rows(videos)
    if not len(gallery):
        return GalleryCut(unusable="no original frame of the subject could be described")
    groups = [described(rows.reshape(-1, 128)) for rows in (donor, strangers)]
    nearest = [nearest_distance(rows, gallery) for rows in groups if len(rows) >= _LEAST_STRANGERS]
    if not nearest:
        count = sum(len(rows) for rows in groups)
        because = f"{count} faces of other people in the videos, at least {_LEAST_STRANGERS} calibrate the cut"
        return GalleryCut(unusable=because, nobody_else=True)
    cut = min(WIDEST_CUT, *(_tail(distances) for distances in nearest))
    others = np.concatenate(nearest)
    own = distances_apart(videos)
    if not len(own):
        because = f"the subject's originals are not more than {_APART_S:g} s apart, so their own matching is not known"
        return GalleryCut(unusable=because, strangers=len(others))
    rate = float((own < cut).mean())
    lacking = "" if rate >= LEAST_TRUE_MATCHES else _lacking(cut, rate)
    return GalleryCut(
        cut=cut,
        false_match_rate=float((others < cut).mean()),
        true_match_rate=rate,
        strangers=len(others),
        own=len(own),
        unusable=lacking,
    )


def _lacking(cut: float, rate: float) -> str:
    return (
        f"strangers come so near to the subject's originals that the cut is {cut:.2f}, where only {rate:.0%} of the "
        "subject's own originals match"
    )


def _tail(distances: NDArray[np.float64]) -> float:
    """Where the lower tail of the distances holds 3 in 100 000, read off its 1st and 5th percentile."""
    first, fifth = np.percentile(distances, (1, 5))
    return float(first - _TAIL_GAPS * (fifth - first))


def distances_apart(videos: Sequence[VideoDescriptors]) -> NDArray[np.float64]:
    """Distance of the subject's originals to the nearest other one, of another video or over a second away.

    At most 1000 of them, spread evenly; those without such another are left out.
    """
    rows, owner, time_s = [], [], []
    for number, video in enumerate(videos):
        known = np.isfinite(video.original).all(axis=1)
        rows.append(video.original[known])
        owner.append(np.full(int(known.sum()), number))
        time_s.append(video.times_s[known])
    gallery, videos_of, times = np.concatenate(rows), np.concatenate(owner), np.concatenate(time_s)
    asked = np.unique(np.linspace(0, len(gallery) - 1, min(_OWN_QUERIES, len(gallery))).astype(int))

    def apart(block: slice, others: slice) -> NDArray[np.bool_]:
        at = asked[block]
        elsewhere = videos_of[at][:, None] != videos_of[others]
        return np.asarray(elsewhere | (np.abs(times[at][:, None] - times[others]) > _APART_S))

    distances = nearest_distance(gallery[asked], gallery, allowed=apart)
    return np.asarray(distances[np.isfinite(distances)], dtype=np.float64)


def nearest_faces(video: VideoDescriptors, gallery: Float) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distance of every described face of the written file to the gallery, and each face's frame; both (k,)."""
    shown = np.flatnonzero(video.subject_swapped & np.isfinite(video.swapped).all(axis=1))
    known = np.isfinite(video.others).all(axis=1)
    faces = np.concatenate((video.swapped[shown], video.others[known]))
    if not len(faces) or not len(gallery):
        return np.empty(0), np.empty(0, np.intp)
    return nearest_distance(faces, gallery), np.concatenate((shown, video.other_frames[known]))


def matching_frames(video: VideoDescriptors, gallery: Float, cut: GalleryCut) -> NDArray[np.float64]:
    """How far the nearest face of each frame lies below the cut, (n,); NaN without a face, or without a cut."""
    below = np.full(len(video.subject_swapped), np.nan)
    if cut.unusable:
        return below
    for distance, frame in zip(*nearest_faces(video, gallery), strict=True):
        below[frame] = np.fmax(below[frame], cut.cut - distance)
    return below


def measure_gallery(videos: Sequence[VideoDescriptors], donor: Float, strangers: Float) -> list[Measurement]:
    """`residue.gallery_matches` of every video; the cut and its rates stand in the detail."""
    return gallery_matches(videos, calibrate(videos, donor, strangers))


def gallery_matches(videos: Sequence[VideoDescriptors], cut: GalleryCut) -> list[Measurement]:
    """The same at a cut that is known."""
    gallery = original_rows(videos)
    out = []
    for number, video in enumerate(videos, start=1):
        scope = video_scope(number)
        if cut.unusable:
            out.append(not_measured(_NAME, "swapped", scope, cut.unusable, method=_METHOD, absent=cut.nobody_else))
            continue
        distances, _ = nearest_faces(video, gallery)
        undescribed = int((~np.isfinite(video.others).all(axis=1)).sum())
        detail = {
            "cut": cut.cut,
            "false_match_rate": cut.false_match_rate,
            "true_match_rate": cut.true_match_rate,
            "stranger_faces": float(cut.strangers),
            "own_originals": float(cut.own),
            "other_faces": float(len(video.others)),
            "other_faces_undescribed": float(undescribed),
        }
        if len(distances):
            detail["nearest"] = float(distances.min())
        matches = float((distances < cut.cut).sum())
        count = len(video.subject_swapped)
        out.append(measured(_NAME, "swapped", scope, matches, sample_size=count, method=_METHOD, detail=detail))
    return out
