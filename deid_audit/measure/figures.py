"""The pictures of the certificate: plots of measured numbers, and samples of the released file beside a black mask.

The only maker of images for the paper side. `sample_frames`, and `pointed_frame` for the steward's folder, are called
with frames decoded from the *released* file and nothing else; every other function takes numbers, so no original pixel
can pass through here.
"""

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.errors import StageError
from deid_audit.findings import Figure, Of
from deid_audit.frames import Float, Image
from deid_audit.measure.expression import PARTS, FaceSignals
from deid_audit.measure.identity import MATCH_CUT, Roc
from deid_audit.measure.keypoints import KEYPOINT_NAMES, OKS_CUT
from deid_audit.measure.plotting import (
    METHOD_COLOURS,
    METHOD_MARKERS,
    METHOD_NAMES,
    draw,
    plot,
    shade,
    styled,
    to_csv,
    to_svg,
)
from deid_audit.measure.thinning import lowest, thinned, words

SAMPLE_COUNT = 3
SAMPLE_MAX_PX = 360
POINTED_MAX_HEIGHT_PX = 640
_GUTTER_PX = 6
_MASK_RGB = 0
_POINTER_RGB = (255, 210, 0)
_RING_RGB, _DOT_RGB = (255, 255, 255), (0, 0, 0)

Signal = NDArray[np.float64]


@styled
def roc_figure(curve: Roc) -> Figure:
    """The paper's Figure 5: accepted as the donor against accepted as the subject, over the distance cut."""
    canvas, (axes,) = draw(1, 1, 2.9)
    axes.plot([0, 1], [0, 1], color="#999999", linestyle=":", label="a face equally near to both")
    axes.step(
        *thinned(curve.within_original, curve.within_donor),
        where="post",
        color=METHOD_COLOURS["swapped"],
        label="swapped",
    )
    at = int(np.searchsorted(curve.cuts, MATCH_CUT, side="right")) - 1
    shares = (float(curve.within_original[at]), float(curve.within_donor[at]))
    axes.plot(*shares, "o", color="black", markersize=5, clip_on=False, label=f"cut {MATCH_CUT}", zorder=5)
    axes.set(
        xlabel="share of frames accepted as the subject",
        ylabel="share accepted as the donor",
        xlim=(-0.02, 1.0),
        ylim=(0, 1.02),
    )
    axes.legend(loc="lower right")
    return plot(
        "roc",
        to_svg(canvas),
        f"Released frames within a distance cut of the donor's and of the subject's average face, over all cuts; area "
        f"under the curve {curve.auc:.4f}. The dot is the cut {MATCH_CUT}.",
        f"ROC curve with area {curve.auc:.4f}; at the cut {MATCH_CUT}, {shares[1]:.1%} of the frames are accepted as "
        f"the donor and {shares[0]:.1%} as the subject.",
        to_csv(
            ("cut", "accepted_as_donor", "accepted_as_subject"),
            zip(curve.cuts, curve.within_donor, curve.within_original, strict=True),
        ),
    )


@styled
def distance_figure(number: int, times_s: Signal, distances: Signal, concealed: NDArray[np.bool_]) -> Figure:
    """Distance of each released frame of video `number` to its original, over time; concealed stretches shaded.

    `times_s`, `distances` (NaN where not compared) and `concealed` are (n,).
    """
    canvas, (axes,) = draw(1, 1, 2.1)
    shade(axes, times_s, concealed, "concealed")
    axes.plot(
        *thinned(times_s, distances),
        color=METHOD_COLOURS["swapped"],
        linewidth=0.9,
        label="released frame to its original",
    )
    below = distances < MATCH_CUT
    if below.any():
        axes.plot(*lowest(times_s, distances, below), "v", color="black", markersize=4, label=f"below {MATCH_CUT}")
    axes.axhline(MATCH_CUT, color="black", linestyle="--", linewidth=0.9, label=f"{MATCH_CUT}: same person for dlib")
    known = distances[np.isfinite(distances)]
    low, high = float(known.min(initial=MATCH_CUT)), float(known.max(initial=MATCH_CUT))
    axes.set(xlabel="time (s)", ylabel="distance", ylim=(max(0.0, low - 0.08), high + 0.08), xlim=_span(times_s))
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.22), ncols=4)
    summary = "no frame could be compared"
    if len(known):
        summary = (
            f"smallest {known.min():.3f}, mean {known.mean():.3f}, {int(below.sum())} of {len(known)} frames below"
        )
    return plot(
        f"distance-{number:02d}",
        to_svg(canvas),
        f"Video {number}: distance between each released frame's face and the same frame's original. Below "
        f"{MATCH_CUT} dlib calls them one person." + words(len(times_s)),
        f"Line over time: {summary} {MATCH_CUT}; {int(concealed.sum())} of {len(concealed)} frames concealed.",
        to_csv(
            ("time_s", "distance_to_original", "concealed"),
            ((t, d, int(c)) for t, d, c in zip(times_s, distances, concealed, strict=True)),
        ),
    )


@styled
def oks_figure(oks: Mapping[Of, Signal]) -> Figure:
    """The paper's Figure 7: how the frames' OKS is distributed under each method; NaN frames are left out."""
    methods = [of for of in METHOD_COLOURS if of in oks]
    canvas, panels = draw(max(1, len(methods)), 1, 0.72 * max(1, len(methods)) + 0.6, share_x=True)
    edges = np.concatenate(([-0.01], np.linspace(0.5, 1.0, 21)))
    shown_edges = np.concatenate(([0.475], edges[1:]))
    rows: list[tuple[str, float, float, float]] = []
    lines = []
    for axes, of in zip(panels, methods, strict=False):
        known = oks[of][np.isfinite(oks[of])]
        counts, _ = np.histogram(known, edges)
        percent = 100 * counts / max(1, len(known))
        axes.bar(
            shown_edges[:-1], percent, np.diff(shown_edges), align="edge", color=METHOD_COLOURS[of], edgecolor="white"
        )
        axes.axvline(OKS_CUT, color="black", linestyle="--", linewidth=0.8)
        kept = 100 * float((known >= OKS_CUT).mean()) if len(known) else float("nan")
        axes.set(ylim=(0, 105), xlim=(0.47, 1.003), yticks=(0, 50, 100))
        note = f"{METHOD_NAMES[of]}: {kept:.1f} % of {len(known)} frames at {OKS_CUT} or more"
        axes.text(0.10, 0.72, note, transform=axes.transAxes, fontsize=7.5)
        lines.append(note)
        rows += [(of, low, high, share) for low, high, share in zip(edges[:-1], edges[1:], percent, strict=True)]
    panels[-1].set(xlabel="OKS of a frame (the first bar holds everything below 0.5, lost persons included)")
    panels[len(panels) // 2].set_ylabel("% of frames")
    return plot(
        "oks-distribution",
        to_svg(canvas),
        "Similarity of the detected body keypoints to the original's (OKS), frame by frame, for the released video and "
        f"for the alternatives on the same faces. The dashed line is {OKS_CUT}.",
        "Histograms. " + "; ".join(lines) + ".",
        to_csv(("method", "oks_from", "oks_to", "percent_of_frames"), rows),
    )


@styled
def keypoint_figure(similarity: Mapping[Of, Signal]) -> Figure:
    """The paper's Figure 8: similarity of each single keypoint, (n, 17) a method; median and 5th to 95th percentile."""
    methods = [of for of in METHOD_COLOURS if of in similarity]
    canvas, (axes,) = draw(1, 1, 3.0)
    rows: list[tuple[str, str, float, float, float, int]] = []
    for position, of in enumerate(methods):
        table = [_percentiles(similarity[of][:, point]) for point in range(len(KEYPOINT_NAMES))]
        low, middle, high = (np.array([row[column] for row in table]) for column in range(3))
        x = np.arange(len(KEYPOINT_NAMES)) + (position - (len(methods) - 1) / 2) * 0.15
        axes.vlines(x, low, high, color=METHOD_COLOURS[of], linewidth=1.0)
        axes.plot(
            x,
            middle,
            METHOD_MARKERS[of],
            color=METHOD_COLOURS[of],
            markersize=3.5,
            label=METHOD_NAMES[of],
            clip_on=False,
        )
        rows += [(of, name, *table[point]) for point, name in enumerate(KEYPOINT_NAMES)]
    axes.set(ylabel="similarity to the original's keypoint", ylim=(0, 1.02), xlim=(-0.6, len(KEYPOINT_NAMES) - 0.4))
    axes.set_xticks(range(len(KEYPOINT_NAMES)), KEYPOINT_NAMES, rotation=50, ha="right", rotation_mode="anchor")
    for boundary in range(len(KEYPOINT_NAMES) - 1):
        axes.axvline(boundary + 0.5, color="#dddddd", linewidth=0.5, zorder=0)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=5, columnspacing=1.0, handletextpad=0.2)
    worst = {
        of: min((row for row in rows if row[0] == of and row[5]), key=lambda r: r[3], default=None) for of in methods
    }
    lines = [f"{METHOD_NAMES[of]}: lowest median {row[3]:.2f} ({row[1]})" for of, row in worst.items() if row]
    return plot(
        "keypoint-similarity",
        to_svg(canvas),
        "Similarity of each single keypoint to the original's: median (marker) and 5th to 95th percentile (line) over "
        "the frames in which the original shows it. Points never visible have no marker.",
        "Markers a keypoint and method. " + "; ".join(lines) + ".",
        to_csv(("method", "keypoint", "p05", "median", "p95", "frames"), rows),
    )


@styled
def expression_figure(
    number: int, times_s: Signal, original: FaceSignals, released: FaceSignals, compared: NDArray[np.bool_]
) -> Figure:
    """Mouth, eye, brow and yaw of video `number` over time, original and released, each without its own median."""
    canvas, panels = draw(len(PARTS), 1, 4.4, share_x=True)
    columns: list[Signal] = []
    for axes, part in zip(panels, PARTS, strict=True):
        for signals, side, style in ((original, "original", "-"), (released, "released", "--")):
            values = np.where(compared, getattr(signals, part), np.nan)
            known = values[np.isfinite(values)]
            moved = values - (np.median(known) if len(known) else 0.0)
            columns.append(moved)
            colour, width = ("black", 0.8) if side == "original" else ("#d1660a", 1.0)
            axes.plot(*thinned(times_s, moved), linestyle=style, color=colour, linewidth=width, label=side)
        axes.set_ylabel(f"{part}\n({'degrees' if part == 'yaw' else '% of eye dist.'})")
        axes.set_xlim(*_span(times_s))
    panels[0].legend(loc="upper center", bbox_to_anchor=(0.5, 1.35), ncols=2)
    panels[-1].set_xlabel("time (s)")
    header = ["time_s", *(f"{part}_{side}" for part in PARTS for side in ("original", "released"))]
    return plot(
        f"expression-{number:02d}",
        to_svg(canvas),
        f"Video {number}: opening of mouth and eyes and height of the brows (in % of the distance between the outer "
        "eye corners) and turn of the head (degrees), original and released, each without its median."
        + words(len(times_s)),
        "Four pairs of curves over time, original solid and released dashed; the errors and correlations are in the "
        "table of measurements.",
        to_csv(header, zip(times_s, *columns, strict=True)),
    )


def sample_frames(released_rgb: Sequence[Image], boxes_xyxy: Sequence[Float]) -> Figure:
    """Released frames, each beside itself with a black mask over its face regions: the paper's Figures 1 and 3.

    Args:
        released_rgb: Up to three frames uint8 (H, W, 3) decoded from the released file, never from an original.
        boxes_xyxy: The face boxes of each frame, (k, 4) px.
    """
    pairs = list(zip(released_rgb, boxes_xyxy, strict=True))[:SAMPLE_COUNT]
    if not pairs:
        raise StageError("there is no released frame to show")
    cells = []
    for frame, boxes in pairs:
        masked = frame.copy()
        for x0, y0, x1, y1 in np.asarray(boxes, dtype=np.float64).reshape(-1, 4):
            left, top = max(0, int(np.floor(x0))), max(0, int(np.floor(y0)))
            masked[top : max(top, int(np.ceil(y1))), left : max(left, int(np.ceil(x1)))] = _MASK_RGB
        cells.append(_beside([_small(frame), _small(masked)]))
    upright = released_rgb[0].shape[0] > released_rgb[0].shape[1]
    sheet = _beside(cells) if upright else _below(cells)
    return Figure(
        name="sample-frames",
        media_type="image/png",
        data=_png(sheet),
        kind="released frame",
        caption="Sample frames of the released video, each beside the same frame with a black mask over the face.",
        alt=f"{len(pairs)} pairs of pictures: a released frame, and that frame with its face under a black rectangle.",
    )


def keypoint_frames(released_rgb: Sequence[Image], keypoints: Sequence[tuple[Float, Float]]) -> Figure:
    """The paper's Figure 6: keypoints on released frames, the original's as rings and the released one's as dots.

    Args:
        released_rgb: Up to three frames uint8 (H, W, 3) decoded from the released file, never from an original.
        keypoints: For each frame the original's and the released keypoints, (17, 2) px each, NaN where not visible.
    """
    cells = []
    for frame, (before, after) in list(zip(released_rgb, keypoints, strict=True))[:SAMPLE_COUNT]:
        small = _small(frame)
        scale = small.shape[0] / frame.shape[0]
        dot = max(2, small.shape[0] // 120)
        for points, radius, colour, thickness in ((before, 2 * dot, _RING_RGB, 1), (after, dot, _DOT_RGB, -1)):
            for x, y in np.asarray(points, np.float64):
                if np.isfinite(x + y):
                    cv2.circle(small, (round(x * scale), round(y * scale)), radius, colour, thickness, cv2.LINE_AA)
        cells.append(small)
    if not cells:
        raise StageError("there is no released frame to show")
    upright = released_rgb[0].shape[0] > released_rgb[0].shape[1]
    return Figure(
        name="keypoints",
        media_type="image/png",
        data=_png(_beside(cells) if upright else _below(cells)),
        kind="released frame",
        caption="Body keypoints on released frames: where the original's are (rings) and where the released video's "
        "are found (dots). A dot outside its ring is a keypoint that moved.",
        alt=f"{len(cells)} released frames with rings and dots on face, shoulders, arms, hips and legs.",
    )


def pointed_frame(released_rgb: Image, boxes_xyxy: Float) -> bytes:
    """A released frame as PNG, at most 640 px high, with a thin frame around each box (k, 4) px: for the steward only.

    The picture must come from the released file, never from an original. It may show the subject, so it is no `Figure`
    and cannot be handed to a certificate.
    """
    scale = min(1.0, POINTED_MAX_HEIGHT_PX / released_rgb.shape[0])
    size = (max(1, round(released_rgb.shape[1] * scale)), max(1, round(released_rgb.shape[0] * scale)))
    picture = np.asarray(cv2.resize(released_rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    for x0, y0, x1, y1 in np.asarray(boxes_xyxy, dtype=np.float64).reshape(-1, 4) * scale:
        left, top, right, bottom = (round(edge) for edge in (x0, y0, x1, y1))
        # Light inside dark: seen on skin, on black and on white.
        cv2.rectangle(picture, (left - 1, top - 1), (right + 1, bottom + 1), (0, 0, 0), 1)
        cv2.rectangle(picture, (left, top), (right, bottom), _POINTER_RGB, 1)
    return _png(picture)


def _png(image_rgb: Image) -> bytes:
    written, data = cv2.imencode(".png", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    if not written:
        raise StageError("a picture could not be written as PNG")
    return data.tobytes()


def _span(times_s: Signal) -> tuple[float, float]:
    if not len(times_s):
        return 0.0, 1.0
    return float(times_s[0]), max(float(times_s[-1]), float(times_s[0]) + 1e-3)


def _percentiles(values: Signal) -> tuple[float, float, float, int]:
    known = values[np.isfinite(values)]
    if not len(known):
        return float("nan"), float("nan"), float("nan"), 0
    low, middle, high = np.percentile(known, (5, 50, 95))
    return float(low), float(middle), float(high), len(known)


def _small(frame: Image) -> Image:
    scale = min(1.0, SAMPLE_MAX_PX / max(frame.shape[:2]))
    size = (max(1, round(frame.shape[1] * scale)), max(1, round(frame.shape[0] * scale)))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _beside(parts: Sequence[Image]) -> Image:
    height = max(part.shape[0] for part in parts)
    width = sum(part.shape[1] for part in parts) + _GUTTER_PX * (len(parts) - 1)
    sheet = np.full((height, width, 3), 255, np.uint8)
    left = 0
    for part in parts:
        sheet[: part.shape[0], left : left + part.shape[1]] = part
        left += part.shape[1] + _GUTTER_PX
    return sheet


def _below(parts: Sequence[Image]) -> Image:
    turned = _beside([np.ascontiguousarray(part.transpose(1, 0, 2)) for part in parts])
    return np.ascontiguousarray(turned.transpose(1, 0, 2))
