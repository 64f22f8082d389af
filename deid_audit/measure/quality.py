"""What a swapped face must not do: show its seam, change or drift in colour, or be blurred.

Takes the appearance of original, released and re-encoded video under the same landmarks (`appearance`) and gives one
number a video for each; trembling is `flicker`'s. Whether the face moves as the original does is `expression`'s.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.measure.appearance import Appearance
from deid_audit.measure.intervals import Clusters, bootstrap

MIN_FRAMES = 10
SEAM_PERCENTILE = 90
METHOD_TEXT = (
    "Appearance, in the swapped frames, released against original under the original's face landmarks, the face made "
    "at most 180 px large. Seam: around the face, in 16 sectors, the step of lightness (L*) across lines of the "
    "outline's shape, 0.88 to 1.4 times its size, each sector averaged along the line; a released step counts by its "
    "size or by its difference from the original's steps near that line, whichever is less, less a tenth of the "
    "original's strongest there; the largest line's mean over a quarter of the face, averaged over the quarters. "
    "So a step counts that the original has not, wherever the mask ends, and rather too little of it than too much. "
    "The 90th percentile over frames counts; frames with a cover near the face are left out. Colour: distance in "
    "CIELAB (delta E 1976) of the mean skin colour (outline without eyes, brows and lips) from the original's, median "
    "over frames; its drift is the root mean square departure of that difference from its mean. Sharpness: root mean "
    "square of the Laplacian of Gaussian (sigma a hundredth of the face) inside the face over the original's, median "
    "over frames; pores and sensor noise are finer and not asked for. A seam on a part of the outline, or in a frame "
    "in ten, can stay below the limit. A frozen face has no measure here: expression correlates with the original, and "
    "a face that does not move correlates with nothing (0)."
)
_METHOD = "CIELAB, D65; the original's FaceMesh landmarks on both sides; OpenCV"
_NEAR_LINES = 2  # of REACH, on each side: 4 % of the outline's size
_QUARTERS = 4
_MASKED_SHARE = 0.1
_LEAST_FINE = 0.1  # grey levels: below, the original itself shows nothing

Signal = NDArray[np.float64]


def seam(original: Appearance, other: Appearance) -> Signal:
    """Step around the face that the original has not, in L* (n,): mean over the quarters of the largest line's.

    A step counts by its own size, or by its difference from a step of the original near that line, whichever is less,
    and a tenth of the original's largest there is taken off: beside a strong edge a weak one is not seen.
    """
    before, after = (one.steps.astype(np.float32) for one in (original, other))
    new, strong = np.abs(after), np.abs(before)
    frames, sectors, lines = after.shape
    for shift in range(-_NEAR_LINES, _NEAR_LINES + 1):
        at = np.clip(np.arange(lines) + shift, 0, lines - 1)
        new = np.minimum(new, np.abs(after - before[:, :, at]))
        strong = np.maximum(strong, np.abs(before[:, :, at]))
    seen = np.maximum(new - _MASKED_SHARE * strong, 0)
    quarters = seen.reshape(frames, _QUARTERS, sectors // _QUARTERS, lines).mean(axis=2)
    return np.asarray(quarters.max(axis=2).mean(axis=1), np.float64)


def colour_shift(original: Appearance, other: Appearance) -> Signal:
    """Difference of the mean skin colours, (n, 3) in CIELAB."""
    return np.asarray(other.skin_lab - original.skin_lab)


def colour(original: Appearance, other: Appearance) -> Signal:
    """Delta E 1976 of the mean skin colours, (n,)."""
    return np.asarray(np.linalg.norm(colour_shift(original, other), axis=1))


def colour_departure(original: Appearance, other: Appearance, used: NDArray[np.bool_]) -> Signal:
    """How far each frame's colour difference lies from its mean over `used` (n,), in delta E (n,)."""
    shift = colour_shift(original, other)
    known = used & np.isfinite(shift).all(axis=1)
    if not known.any():
        return np.full(len(shift), np.nan)
    return np.asarray(np.linalg.norm(shift - shift[known].mean(axis=0), axis=1))


def sharpness(original: Appearance, other: Appearance) -> Signal:
    """Fine contrast over the original's, (n,); NaN where the original has none."""
    return np.asarray(other.fine / np.where(original.fine > _LEAST_FINE, original.fine, np.nan))


def _median(values: Signal) -> float:
    return float(np.median(values))


def _root_mean_square(values: Signal) -> float:
    return float(np.sqrt((values**2).mean()))


def _tail(values: Signal) -> float:
    return float(np.percentile(values, SEAM_PERCENTILE))


STATISTICS: dict[str, Callable[[Signal], float]] = {
    "seam": _tail,
    "colour": _median,
    "colour_drift": _root_mean_square,
    "sharpness": _median,
}


def quality_signals(
    original: Appearance, other: Appearance, compared: NDArray[np.bool_], uncovered: NDArray[np.bool_]
) -> Mapping[str, Signal]:
    """Each measure's value in every frame (n,), NaN where it is not in question.

    `compared` (n,) marks the frames whose subject is swapped, `uncovered` those of them without a cover near the face.
    """
    signals = {
        "seam": np.where(uncovered, seam(original, other), np.nan),
        "colour": colour(original, other),
        "colour_drift": colour_departure(original, other, compared),
        "sharpness": sharpness(original, other),
    }
    return {name: np.where(compared, signal, np.nan) for name, signal in signals.items()}


def _drawn(statistic: Callable[[Signal], float], values: Signal) -> Callable[[NDArray[np.intp]], dict[str, float]]:
    return lambda at: {"value": statistic(values[at])}


def measure_quality(
    original: Appearance,
    released: Appearance,
    reencoded: Appearance,
    compared: NDArray[np.bool_],
    uncovered: NDArray[np.bool_],
    scope: str,
    clusters: Clusters,
) -> list[Measurement]:
    """Seam, colour, its drift and sharpness of one video, the null edit's as noise floor; masks: `quality_signals`.

    `clusters` are those of all frames; the drift's departures are from the mean of all frames in every draw.
    """
    signals = quality_signals(original, released, compared, uncovered)
    null = quality_signals(original, reencoded, compared, uncovered)
    out: list[Measurement] = []
    for name, statistic in STATISTICS.items():
        known = np.isfinite(signals[name])
        values, floor = signals[name][known], null[name][np.isfinite(null[name])]
        if len(values) < MIN_FRAMES:
            because = f"{len(values)} swapped frames can be compared; at least {MIN_FRAMES} are needed"
            out.append(not_measured(f"quality.{name}", "swapped", scope, because, method=_METHOD))
            continue
        low, middle, high = np.percentile(values, (10, 50, 90))
        bounds = bootstrap(_drawn(statistic, values), clusters.where(known))
        out.append(
            measured(
                f"quality.{name}",
                "swapped",
                scope,
                statistic(values),
                sample_size=len(values),
                method=_METHOD,
                noise_floor=statistic(floor) if len(floor) >= MIN_FRAMES else None,
                detail={"p10": float(low), "median": float(middle), "p90": float(high)},
                interval=bounds.of("value"),
            )
        )
    return out
