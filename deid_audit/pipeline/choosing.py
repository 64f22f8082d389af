"""Chooses among several donors' packs: who is least like the subject, and nearest to them in pose, skin and light.

Only with more than one pack. Whoever looks like the subject is out; the others are ranked by four measures, and the
lowest sum of ranks is taken, so that no measure needs a weight against another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deid_audit.errors import NotEnoughFaces, SettingsError
from deid_audit.faces.align import align
from deid_audit.faces.choose import pose_features
from deid_audit.frames import AlignedFace, Float
from deid_audit.pipeline.cast import CastVideo, Role, average_colours, usable_frames
from deid_audit.pipeline.donor_pack import DonorPack
from deid_audit.progress import Progress
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.video.reader import read_frames
from deid_audit.vision.colour import ColourStats
from deid_audit.vision.recognizer import MATCH_DISTANCE

METHOD_TEXT = (
    "Of several packs one was taken: whoever looks like the subject was left out, the others were ranked by the "
    "descriptor's distance to the subject (far is good), by the landmarks that the donor lacks for the subject's poses "
    "and expressions, and by the difference in skin colour and in light (near is good); the lowest sum of ranks won."
)
_POSES, _COLOURS, _CROP_PX = 200, 24, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How one pack fits: `identity` is a descriptor distance, `pose` in shares of a crop, `skin` and `light` in Lab."""

    identity: float
    pose: float
    skin: float
    light: float

    @property
    def usable(self) -> bool:
        return self.identity >= MATCH_DISTANCE

    @property
    def costs(self) -> tuple[float, float, float, float]:
        """The four measures, lower is better."""
        return (-self.identity, self.pose, self.skin, self.light)


def choose_pack(subject: Role, packs: Sequence[DonorPack], *, progress: Progress) -> tuple[DonorPack, str]:
    """The pack that fits best, and the reason in words; SettingsError when every donor looks like the subject."""
    every = [(video, index) for video in subject.videos for index in usable_frames(video)]
    if not every:
        raise NotEnoughFaces("subject: 0 usable faces found", next_step="give more or better videos of the subject")
    poses = pose_features([_points(*every[at]) for at in _spread(len(every), _POSES)])
    crops: list[AlignedFace] = []
    try:
        _gather(crops, subject, [every[at] for at in _spread(len(every), _COLOURS)], progress)
        return _best(subject.average, poses, average_colours(crops), packs, progress)
    finally:  # they show the subject, and the vault knows nothing of them
        poses.fill(0)
        for crop in crops:
            crop.crop_rgb.fill(0)
            crop.mask.fill(0)


def _best(
    average: Float, poses: Float, colours: ColourStats, packs: Sequence[DonorPack], progress: Progress
) -> tuple[DonorPack, str]:
    fits = [
        Fit(
            identity=float(np.linalg.norm(average - pack.average)),
            pose=missing_poses(poses, pack.material.features),
            **_apart(colours, average_colours(pack.material.crops)),
        )
        for pack in packs
    ]
    chosen = best_of(fits)
    reason = because(fits, chosen)
    progress.say(reason)
    return packs[chosen], reason


def missing_poses(subject: Float, donor: Float) -> float:
    """How far the subject's landmarks (n, f) lie from the nearest the donor has (m, f), each person's median taken off.

    Mean over the subject's faces of the RMS over the values.

    >>> missing_poses(np.float32([[0, 0], [0, 0], [0, 0], [2, 2]]), np.float32([[5, 5], [5, 5], [6, 6]]))
    0.25
    """
    own, other = (rows - np.median(rows, 0) for rows in (subject, donor))
    return float(np.mean([np.sqrt(((other - row) ** 2).mean(1).min()) for row in own]))


def ranks_of(values: Sequence[float]) -> list[int]:
    """1 for the lowest; equal values share the better rank.

    >>> ranks_of([0.3, 0.1, 0.3])
    [2, 1, 2]
    """
    return [1 + sum(other < value for other in values) for value in values]


def _sums(fits: Sequence[Fit]) -> dict[int, int]:
    """The sum of ranks of each usable pack, by its position."""
    usable = [at for at, fit in enumerate(fits) if fit.usable]
    columns = [ranks_of(column) for column in zip(*(fits[at].costs for at in usable), strict=True)]
    return {at: sum(column[place] for column in columns) for place, at in enumerate(usable)}


def best_of(fits: Sequence[Fit]) -> int:
    """The position of the one to take; of equals the one farther from the subject, then the one given first."""
    sums = _sums(fits)
    if not sums:
        raise SettingsError(
            f"every donor's pack looks like the subject: none is farther than {MATCH_DISTANCE}",
            next_step="give packs of other donors",
        )
    return min(sums, key=lambda at: (sums[at], -fits[at].identity, at))


def because(fits: Sequence[Fit], chosen: int) -> str:
    """Every pack's measures and what came of them."""
    sums = _sums(fits)
    told = [
        f"pack {at + 1}: identity {fit.identity:.2f}, pose {fit.pose:.4f}, skin {fit.skin:.1f}, light {fit.light:.1f}, "
        + (f"ranks add up to {sums[at]}" if at in sums else "looks like the subject")
        for at, fit in enumerate(fits)
    ]
    return f"donor's pack {chosen + 1} of {len(fits)} was taken ({'; '.join(told)})"


def _apart(one: ColourStats, other: ColourStats) -> dict[str, float]:
    """Skin: distance of the mean colour without its lightness; light: of lightness and contrast; both in Lab units."""
    mean, spread = one.mean - other.mean, one.spread - other.spread
    return {"skin": float(np.hypot(mean[1], mean[2])), "light": float(np.hypot(mean[0], spread[0]))}


def _spread(count: int, wanted: int) -> list[int]:
    """At most `wanted` of `count` positions, evenly."""
    return [int(at) for at in np.linspace(0, count - 1, min(wanted, count)).round()]


def _points(video: CastVideo, index: int) -> Float:
    face = video.person_face(index)
    landmarks = None if face is None else face.landmarks_xy
    assert landmarks is not None  # `usable_frames` saw to it
    return landmarks


def _gather(
    crops: list[AlignedFace], subject: Role, wanted: Sequence[tuple[CastVideo, int]], progress: Progress
) -> None:
    """Adds to `crops` one at a time, so that the caller can wipe what was made before an error."""
    for video in subject.videos:
        indices = {index for of, index in wanted if of is video}
        with progress.step(f"comparing donors, {video.source.label}", video.source.facts.frame_count) as step:
            for frame in read_frames(video.source):
                if frame.index in indices:
                    points = _points(video, frame.index)
                    crops.append(align(frame.index, frame.image_rgb, points, _CROP_PX, margin=CROP_MARGIN))
                step.advance()
