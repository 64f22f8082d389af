"""The clinician's curves, original and released beside each other as small multiples: numbers only."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from deid_audit.findings import Figure
from deid_audit.measure.exam.blink_agreement import BlinkAgreement, blink_agreement
from deid_audit.measure.exam.eyes import Closing
from deid_audit.measure.expression import FaceSignals
from deid_audit.measure.face_exam import ExamInput, wrist_speeds
from deid_audit.measure.plotting import draw, plot, styled, to_csv, to_svg
from deid_audit.measure.thinning import thinned, words

_PANEL_INCHES = 1.25
_STYLES = (("original", "-", "black", 0.8), ("released", "--", "#d1660a", 1.0))

Signal = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Panel:
    """One signal of both sides (n,): `name` heads the CSV's columns, `label` stands at the axis."""

    name: str
    label: str
    original: Signal
    released: Signal


@styled
def exam_figure(number: int, given: ExamInput, faces: tuple[FaceSignals, FaceSignals]) -> Figure:
    """Mouth and eyes of video `number` over time, blinks marked, and the wrists' speed where nothing smooths it.

    `faces` are the original's and the released one's; frames whose face was not swapped have no curve.
    """
    times, panels = given.times_s, list(_panels(given, faces))
    agreed = blink_agreement(given.lids["original"], given.lids["swapped"])
    canvas, axes = draw(len(panels), 1, _PANEL_INCHES * len(panels) + 0.4, share_x=True)
    for one, panel in zip(axes, panels, strict=True):
        for (side, style, colour, width), values in zip(_STYLES, (panel.original, panel.released), strict=True):
            one.plot(*thinned(times, values), linestyle=style, color=colour, linewidth=width, label=side)
        one.set_ylabel(panel.label)
        one.set_xlim(float(times[0]), max(float(times[-1]), float(times[0]) + 1e-3))
        if panel.name == "eye" and not isinstance(agreed, str):
            _mark_blinks(one, agreed)
    axes[0].legend(loc="upper center", bbox_to_anchor=(0.5, 1.32), ncols=2)
    axes[-1].set_xlabel("time (s)")
    told = f"no blink can be told ({agreed})" if isinstance(agreed, str) else _told(agreed)
    return plot(
        f"exam-{number:02d}",
        to_svg(canvas),
        f"Video {number}: {', '.join(panel.label.partition(chr(10))[0] for panel in panels)} over time, original and "
        f"released, as measured. Above the eyes: blinks of the original that are kept (|), that are lost (x), and "
        f"blinks that only the released video has (+): {told}." + words(len(times)),
        f"{len(panels)} pairs of curves over time, original solid and released dashed; {told}.",
        to_csv(
            ("time_s", *(f"{panel.name}_{side}" for panel in panels for side, *_ in _STYLES), "blink"),
            zip(
                times,
                *(column for panel in panels for column in (panel.original, panel.released)),
                _blink_column(times, agreed),
                strict=True,
            ),
        ),
    )


def _panels(given: ExamInput, faces: tuple[FaceSignals, FaceSignals]) -> Iterator[_Panel]:
    mouths = [np.where(given.compared, face.mouth, np.nan) for face in faces]
    yield _Panel(name="mouth", label="mouth opening\n(% of eye dist.)", original=mouths[0], released=mouths[1])
    eyes = [(given.lids[of].left + given.lids[of].right) / 2 for of in ("original", "swapped")]
    yield _Panel(name="eye", label="eye opening\n(of its width)", original=eyes[0], released=eyes[1])
    speeds = [wrist_speeds(given.poses[of], given.times_s) for of in ("original", "swapped")]
    if speeds[0] is not None and speeds[1] is not None:
        for at, side in enumerate(("left", "right")):
            yield _Panel(
                name=f"{side}_wrist",
                label=f"{side} wrist's speed\n(px/s)",
                original=speeds[0][:, at],
                released=speeds[1][:, at],
            )


def _mark_blinks(axes: Axes, agreed: BlinkAgreement) -> None:
    top = axes.get_ylim()[1]
    for blinks, marker, colour in (
        ([one for one, kept in zip(agreed.blinks, agreed.kept, strict=True) if kept], "|", "black"),
        ([one for one, kept in zip(agreed.blinks, agreed.kept, strict=True) if not kept], "x", "#b00020"),
        (list(agreed.added), "+", "#d1660a"),
    ):
        middles = [(one.start_s + one.end_s) / 2 for one in blinks]
        axes.plot(middles, [top] * len(middles), marker, color=colour, markersize=6, clip_on=False)


def _told(agreed: BlinkAgreement) -> str:
    return f"{sum(agreed.kept)} of {len(agreed.blinks)} kept, {len(agreed.added)} added"


def _blink_column(times_s: Signal, agreed: BlinkAgreement | str) -> list[str]:
    """For each frame `kept` or `lost` within a blink of the original, `added` within one that only the other has."""
    out = [""] * len(times_s)
    if isinstance(agreed, str):
        return out
    named: list[tuple[Closing, str]] = [(one, "added") for one in agreed.added]
    named += [(one, "kept" if kept else "lost") for one, kept in zip(agreed.blinks, agreed.kept, strict=True)]
    for one, name in named:
        for frame in np.flatnonzero((times_s >= one.start_s) & (times_s <= one.end_s)):
            out[frame] = name
    return out
