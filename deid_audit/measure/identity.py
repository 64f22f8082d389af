"""How far the released faces stand from the subject and from the donor: the paper's Table 1, its ROC, and the tails.

Takes 128-D descriptors (dlib's recogniser, computed in `vision` on the written file) and gives Measurements. It finds
no faces, computes no descriptors and judges nothing: limits live in the policy.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from deid_audit.findings import SUBJECT_SCOPE, Measurement, Of, measured, not_measured, video_scope
from deid_audit.frames import Float
from deid_audit.measure.intervals import Bounds, Clusters, bootstrap, clusters_of, share_interval

MATCH_CUT = 0.6
METHOD_TEXT = (
    "Identity: Euclidean distance between dlib's 128-number face descriptors of the written video and of the original, "
    "frame by frame, and to the nearest of all the subject's original frames; below 0.6 dlib calls two faces one "
    "person. Percentiles interpolate linearly, standard deviations are over all frames, and a swapped frame that could "
    "not be described counts as below 0.6 in the longest run. How often strangers come below 0.6 to some original "
    "frame is printed beside the nearest-frame result; another recogniser may see what this one does not."
)
_METHOD = "dlib 128-D descriptor, L2; numpy linear percentile; SD with ddof 0"
_NO_PAIR = "no frame pair in which both faces could be described"
_NO_SWAPPED = "no swapped frame whose face could be described"
_NO_ORIGINAL = "no original frame of the subject could be described"
_NO_DONOR = "no video of a donor was given, or no frame of it could be described"
_BLOCK_ROWS = 1400  # of queries and of the gallery: two million distances at once, however many there are

_Distances = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VideoDescriptors:
    """The subject's descriptors in one video; row i is decoded frame i, NaN where nothing could be described.

    `swapped` and `original` are float32 (n, 128); `subject_swapped` bool (n,) marks the frames in which the subject's
    region is swapped: concealed frames show no face and are not compared. `times_s` (n,) are the frames' times.
    `others` (k, 128) are the faces that the audit found elsewhere in the written file, in the frames `other_frames`.
    """

    swapped: Float
    original: Float
    subject_swapped: NDArray[np.bool_]
    times_s: NDArray[np.float64]
    others: Float = field(default_factory=lambda: np.empty((0, 128), np.float32))
    other_frames: NDArray[np.intp] = field(default_factory=lambda: np.empty(0, np.intp))

    def __post_init__(self) -> None:
        count = len(self.subject_swapped)
        if self.swapped.shape != (count, 128) or self.original.shape != (count, 128):
            raise ValueError("swapped and original must be (n, 128), subject_swapped (n,)")
        if self.times_s.shape != (count,) or self.others.shape != (len(self.other_frames), 128):
            raise ValueError("times_s must be (n,), others (k, 128), other_frames (k,)")

    def arrays(self) -> list[Float]:
        """The descriptors, for whoever must overwrite them at the end."""
        return [self.swapped, self.original, self.others]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Roc:
    """The paper's Figure 5: shares of swapped frames within `cuts` of the average donor and the average original."""

    cuts: _Distances
    within_donor: _Distances
    within_original: _Distances
    auc: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FrameDistances:
    """How far each frame of one video stands from both people, (n,); NaN where not swapped or nothing to compare with.

    `within_gallery_cut` says how far the nearest of all the frame's faces lies below the cut of the gallery, which is
    above 0 for a match. Numbers that may be kept when the descriptors are destroyed.
    """

    to_original: _Distances
    to_gallery: _Distances
    to_average_original: _Distances
    to_donor: _Distances
    within_gallery_cut: _Distances


def frame_distances(
    videos: Sequence[VideoDescriptors], donor: Float, within_gallery_cut: Sequence[_Distances]
) -> list[FrameDistances]:
    """The distances behind Table 1 and the gallery match, frame by frame, for each video; `donor` float32 (m, 128)."""
    gallery, donors = original_rows(videos), described(donor)
    out = []
    for video, within in zip(videos, within_gallery_cut, strict=True):
        shown = video.subject_swapped & np.isfinite(video.swapped).all(axis=1)
        rows = video.swapped[shown]
        nearest = nearest_distance(rows, gallery) if len(gallery) else np.empty(0)
        out.append(
            FrameDistances(
                to_original=distances_to_original(video),
                to_gallery=_at(shown, nearest),
                to_average_original=_at(shown, _to_average(rows, gallery)),
                to_donor=_at(shown, _to_average(rows, donors)),
                within_gallery_cut=within,
            )
        )
    return out


def _at(frames: NDArray[np.bool_], values: _Distances) -> _Distances:
    """`values` at the marked frames, NaN elsewhere; all NaN when there are no values."""
    column = np.full(len(frames), np.nan)
    if len(values):
        column[frames] = values
    return column


def distances_to_original(video: VideoDescriptors) -> _Distances:
    """Distance of each swapped frame to its own original; (n,), NaN where not swapped or not described."""
    distance = np.linalg.norm(video.swapped.astype(np.float64) - video.original, axis=1)
    return np.asarray(np.where(video.subject_swapped, distance, np.nan), dtype=np.float64)


def longest_run(flags: NDArray[np.bool_]) -> int:
    """Length of the longest run of consecutive True.

    >>> longest_run(np.array([True, False, True, True]))
    2
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return int((edges[1::2] - edges[::2]).max(initial=0))


def nearest_distance(
    queries: Float, gallery: Float, *, allowed: Callable[[slice, slice], NDArray[np.bool_]] | None = None
) -> _Distances:
    """Distance of each of `queries` (q, 128) to the nearest row of `gallery` (g, 128), in blocks of bounded memory.

    `allowed` tells for a block of queries and one of the gallery which pairs count; infinity where none does. A NaN in
    a query gives NaN for it, a NaN in the gallery NaN for everything: what could not be described is left out before.

    >>> nearest_distance(np.zeros((1, 128), np.float32), np.eye(2, 128, dtype=np.float32) * [[3], [2]])
    array([2.])
    """
    nearest = np.full(len(queries), np.inf)
    for rows in _blocks(len(queries)):
        asked = queries[rows].astype(np.float64)
        own = (asked**2).sum(axis=1)[:, None]
        for columns in _blocks(len(gallery)):
            people = gallery[columns].astype(np.float64)
            gaps = own + (people**2).sum(axis=1) - 2 * asked @ people.T
            if allowed is not None:
                gaps = np.where(allowed(rows, columns), gaps, np.inf)
            nearest[rows] = np.minimum(nearest[rows], gaps.min(axis=1))
    return np.asarray(np.sqrt(np.maximum(nearest, 0)))


def _blocks(count: int) -> list[slice]:
    return [slice(start, min(start + _BLOCK_ROWS, count)) for start in range(0, count, _BLOCK_ROWS)]


def auc_nearer(to_donor: _Distances, to_original: _Distances) -> float:
    """Chance that a distance to the donor is below a distance to the original, ties half (Mann-Whitney U / n²).

    >>> auc_nearer(np.array([0.3, 0.5]), np.array([0.5, 0.7]))
    0.875
    """
    ranks = rankdata(np.concatenate((to_original, to_donor)))
    count = len(to_original)
    u = float(ranks[:count].sum()) - count * (count + 1) / 2
    return u / (count * len(to_donor))


def roc(videos: Sequence[VideoDescriptors], donor: Float) -> Roc | None:
    """The ROC over all swapped frames of the subject; None when a side has no descriptor."""
    shown, originals, donors = _swapped_rows(videos), original_rows(videos), described(donor)
    if not (len(shown) and len(originals) and len(donors)):
        return None
    to_donor, to_original = _to_average(shown, donors), _to_average(shown, originals)
    cuts = np.unique(np.concatenate(([0.0], to_donor, to_original)))
    within_donor = np.searchsorted(np.sort(to_donor), cuts, side="right") / len(to_donor)
    within_original = np.searchsorted(np.sort(to_original), cuts, side="right") / len(to_original)
    auc = auc_nearer(to_donor, to_original)
    return Roc(cuts=cuts, within_donor=within_donor, within_original=within_original, auc=auc)


def measure_identity(videos: Sequence[VideoDescriptors], donor: Float, strangers: Float) -> list[Measurement]:
    """Table 1 with its tails, for each video and for all of them (the subject).

    Args:
        videos: The subject's videos, in the order of their scopes.
        donor: float32 (m, 128), the donor's original frames; NaN rows are left out.
        strangers: float32 (k, 128), original faces of other people; with the donor's they calibrate the gallery cut.
    """
    gallery, donors, others = original_rows(videos), described(donor), described(strangers.reshape(-1, 128))
    people = _People(
        gallery=gallery,
        donor=donors,
        strangers=others,
        others_nearest=nearest_distance(np.concatenate((donors, others)), gallery),
    )
    nearest = [nearest_distance(_swapped_rows([video]), gallery) for video in videos]
    out: list[Measurement] = []
    scopes = [(video_scope(at + 1), [at]) for at in range(len(videos))]
    for scope, places in [*scopes, (SUBJECT_SCOPE, list(range(len(videos))))]:
        members = [videos[at] for at in places]
        clusters = clusters_of([video.times_s for video in members])
        out += _to_original(scope, members, people, clusters)
        shown = np.concatenate([video.subject_swapped & _is_described(video.swapped) for video in members])
        out.append(_to_gallery(scope, np.concatenate([np.empty(0), *(nearest[at] for at in places)]), people))
        out += _averages(scope, members, people, clusters.where(shown))
    donor_spread = _to_average(people.donor, people.donor)
    out += _mean_sd("identity.intra_subset", "donor", SUBJECT_SCOPE, donor_spread, _NO_DONOR)
    return out


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _People:
    gallery: Float
    donor: Float
    strangers: Float
    others_nearest: _Distances  # the donor's and the strangers' faces to the gallery


def _is_described(rows: Float) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(rows).all(axis=1))


def described(rows: Float) -> Float:
    """The rows (m, 128) that hold a descriptor."""
    return np.asarray(rows[_is_described(rows)])


def original_rows(videos: Sequence[VideoDescriptors]) -> Float:
    """The subject's gallery (g, 128): every original of every video that could be described."""
    return np.concatenate([np.empty((0, 128), np.float32), *(described(video.original) for video in videos)])


def _swapped_rows(videos: Sequence[VideoDescriptors]) -> Float:
    rows = (described(video.swapped[video.subject_swapped]) for video in videos)
    return np.concatenate([np.empty((0, 128), np.float32), *rows])


def _to_average(rows: Float, subset: Float) -> _Distances:
    """Distances of `rows` to the arithmetic mean of `subset`; empty when either side is."""
    if not len(rows) or not len(subset):
        return np.empty(0)
    average = subset.astype(np.float64).mean(axis=0)
    return np.asarray(np.linalg.norm(rows - average, axis=1), dtype=np.float64)


def _mean_sd(
    column: str,
    of: Of,
    scope: str,
    distances: _Distances,
    because: str,
    detail: dict[str, float] | None = None,
    bounds: Bounds | None = None,
) -> list[Measurement]:
    names = (f"{column}.mean", f"{column}.sd")
    if not len(distances):
        return [not_measured(name, of, scope, because, method=_METHOD) for name in names]
    mean = measured(
        names[0], of, scope, float(distances.mean()), sample_size=len(distances), method=_METHOD, detail=detail,
        interval=(None, "") if bounds is None else bounds.of("mean"),
    )  # fmt: skip
    spread = float(distances.std())
    return [mean, measured(names[1], of, scope, spread, sample_size=len(distances), method=_METHOD, detail=detail)]


def _bounds(distances: _Distances, clusters: Clusters) -> Bounds:
    """The interval of the mean."""
    return bootstrap(lambda at: {"mean": float(distances[at].mean())}, clusters)


def _to_original(
    scope: str, videos: Sequence[VideoDescriptors], people: _People, clusters: Clusters
) -> list[Measurement]:
    column = "identity.to_original"
    per_video = [distances_to_original(video) for video in videos]
    # NaN compares False, so a swapped frame without a pair is below; a concealed frame shows no face and ends a run.
    below = [v.subject_swapped & ~(distance >= MATCH_CUT) for v, distance in zip(videos, per_video, strict=True)]
    swapped_frames = sum(int(video.subject_swapped.sum()) for video in videos)
    every = np.concatenate(per_video)
    pairs = every[np.isfinite(every)]
    bounds = _bounds(pairs, clusters.where(np.isfinite(every)))
    detail = {
        "cut": MATCH_CUT,
        "frames_below": float((pairs < MATCH_CUT).sum()),
        "frames_without_pair": float(swapped_frames - len(pairs)),
    }
    shown = _swapped_rows(videos)
    if len(people.strangers) and len(shown):
        detail["to_average_stranger_mean"] = float(_to_average(shown, people.strangers).mean())
    out = _mean_sd(column, "swapped", scope, pairs, _NO_PAIR, detail, bounds)
    tails = (
        ("p01", lambda d: np.percentile(d, 1)),
        ("min", np.min),
    )
    for name, statistic in tails:
        if not len(pairs):
            out.append(not_measured(f"{column}.{name}", "swapped", scope, _NO_PAIR, method=_METHOD))
            continue
        value = float(statistic(pairs))
        out.append(
            measured(
                f"{column}.{name}", "swapped", scope, value, sample_size=len(pairs), method=_METHOD, detail=detail,
            )
        )  # fmt: skip
    names = (f"{column}.longest_run_below_frames", f"{column}.seconds_below")
    if not swapped_frames:
        because = "no frame in which the subject is swapped"
        return [*out, *(not_measured(name, "swapped", scope, because, method=_METHOD) for name in names)]
    run = max(longest_run(flags) for flags in below)
    out.append(measured(names[0], "swapped", scope, run, sample_size=swapped_frames, method=_METHOD, detail=detail))
    seconds = [flagged for video, flags in zip(videos, below, strict=True) for flagged in _by_second(video, flags)]
    share, interval = sum(seconds) / len(seconds), share_interval(sum(seconds), len(seconds), "seconds")
    return [
        *out,
        measured(
            names[1], "swapped", scope, share, sample_size=swapped_frames, method=_METHOD, detail=detail,
            interval=interval,
        ),
    ]  # fmt: skip


def _by_second(video: VideoDescriptors, below: NDArray[np.bool_]) -> list[bool]:
    """Of every second with a swapped frame: whether a frame in it is `below` (n,)."""
    shown = np.flatnonzero(video.subject_swapped)
    _, second = np.unique(clusters_of([video.times_s]).labels[shown], return_inverse=True)
    return [bool(count) for count in np.bincount(second, weights=below[shown])]


def _to_gallery(scope: str, nearest: _Distances, people: _People) -> Measurement:
    """`nearest` (k,) are the distances of the described swapped frames to the gallery."""
    name = "identity.to_gallery.p01"
    because = _NO_SWAPPED if not len(nearest) else _NO_ORIGINAL if not len(people.gallery) else ""
    if not because and not len(people.others_nearest):
        because = "no face of another person to calibrate the cut with"
    if because:
        return not_measured(name, "swapped", scope, because, method=_METHOD)
    detail = {
        "cut": MATCH_CUT,
        "false_match_rate": float((people.others_nearest < MATCH_CUT).mean()),
        "donor_frames": float(len(people.donor)),
        "stranger_frames": float(len(people.strangers)),
        "gallery_frames": float(len(people.gallery)),
        "share_below": float((nearest < MATCH_CUT).mean()),
    }
    value = float(np.percentile(nearest, 1))
    return measured(name, "swapped", scope, value, sample_size=len(nearest), method=_METHOD, detail=detail)


def _averages(scope: str, videos: Sequence[VideoDescriptors], people: _People, clusters: Clusters) -> list[Measurement]:
    """Distances to the average faces; `clusters` are those of the described swapped frames."""
    shown, originals = _swapped_rows(videos), original_rows(videos)
    to_original, to_donor = _to_average(shown, people.gallery), _to_average(shown, people.donor)
    detail: dict[str, float] = {}
    if len(people.gallery):
        detail["originals_within_cut"] = float((_to_average(people.gallery, people.gallery) < MATCH_CUT).mean())
    if len(people.donor) and len(people.gallery):
        detail["donor_before_swap_mean"] = float(_to_average(people.donor, people.gallery).mean())
    no_original = _NO_ORIGINAL if len(shown) else _NO_SWAPPED
    no_donor = _NO_DONOR if len(shown) else _NO_SWAPPED

    def bounds(distances: _Distances) -> Bounds | None:
        return _bounds(distances, clusters) if len(distances) else None

    out = _mean_sd(
        "identity.to_average_original", "swapped", scope, to_original, no_original, detail, bounds(to_original)
    )
    out += _mean_sd("identity.to_donor", "swapped", scope, to_donor, no_donor, bounds=bounds(to_donor))
    no_row = _NO_DONOR if len(originals) else _NO_ORIGINAL
    out += _mean_sd("identity.to_donor", "original", scope, _to_average(originals, people.donor), no_row)
    own = _to_average(shown, shown)
    out += _mean_sd("identity.intra_subset", "swapped", scope, own, _NO_SWAPPED, bounds=bounds(own))
    out += _mean_sd("identity.intra_subset", "original", scope, _to_average(originals, originals), _NO_ORIGINAL)
    if not len(to_original) or not len(to_donor):
        because = no_donor if len(to_original) else no_original
        return [*out, not_measured("identity.roc_auc", "swapped", scope, because, method=_METHOD)]
    auc = auc_nearer(to_donor, to_original)
    interval = bootstrap(lambda at: {"auc": auc_nearer(to_donor[at], to_original[at])}, clusters).of("auc")
    return [
        *out,
        measured("identity.roc_auc", "swapped", scope, auc, sample_size=len(shown), method=_METHOD, interval=interval),
    ]
