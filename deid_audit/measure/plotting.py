"""How every plot of the certificate is drawn and serialised: one style, readable in grey, the same bytes each time.

It knows matplotlib and nothing of what is plotted; `figures` does. How a long curve gets few points is `thinning`'s.
"""

import csv
import functools
import io
from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

import matplotlib.style
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas
from numpy.typing import NDArray

from deid_audit.findings import Figure, Of
from deid_audit.measure.thinning import stretches

WIDTH_INCHES = 6.3
METHOD_NAMES: dict[Of, str] = {
    "swapped": "swapped (released)",
    "masked": "black mask",
    "blurred": "blur",
    "pixelated": "pixelated",
    "reencoded": "null edit (re-encoded)",
    "original": "original",
    "donor": "donor",
}
METHOD_COLOURS: dict[Of, str] = {
    "swapped": "#0b4f8a",
    "masked": "#111111",
    "blurred": "#c25a00",
    "pixelated": "#7a9a2e",
    "reencoded": "#8c8c8c",
}
METHOD_MARKERS: dict[Of, str] = {"swapped": "o", "masked": "s", "blurred": "^", "pixelated": "D", "reencoded": "x"}

# Glyphs as paths and a fixed salt: the same bytes on every machine that has this matplotlib.
_STYLE = {
    "svg.fonttype": "path",
    "svg.hashsalt": "deid-audit",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.1,
    "hatch.linewidth": 0.4,
}


P = ParamSpec("P")
R = TypeVar("R")


def styled(make: Callable[P, R]) -> Callable[P, R]:
    """Run a plotting function under matplotlib's defaults and this style, whatever the user's own settings are."""

    @functools.wraps(make)
    def under_style(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(["default", _STYLE]):
            return make(*args, **kwargs)

    return under_style


def draw(rows: int, columns: int, height_inches: float, *, share_x: bool = False) -> tuple[Canvas, list[Axes]]:
    """A blank figure of the certificate's text width with `rows` x `columns` axes, in reading order."""
    canvas = Canvas(figsize=(WIDTH_INCHES, height_inches), layout="constrained")
    grid = canvas.subplots(rows, columns, squeeze=False, sharex=share_x)
    return canvas, list(grid.ravel())


def to_svg(canvas: Canvas) -> bytes:
    """The figure as SVG without date or creator."""
    stream = io.BytesIO()
    FigureCanvasSVG(canvas).print_svg(stream, metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def plot(name: str, data: bytes, caption: str, alt: str, csv: str) -> Figure:
    """The figure of a plot: SVG, the words that go with it, and what it shows as CSV."""
    return Figure(name=name, media_type="image/svg+xml", data=data, kind="plot", caption=caption, alt=alt, csv=csv)


def to_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """What a plot shows, as CSV text; NaN becomes an empty cell."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return stream.getvalue()


def shade(axes: Axes, times_s: NDArray[np.float64], flags: NDArray[np.bool_], label: str) -> None:
    """Grey hatched bands over the stretches in which `flags` (n,) hold, the first one labelled for the legend."""
    for number, (start, stop) in enumerate(stretches(times_s, flags)):
        axes.axvspan(
            start,
            stop,
            facecolor="#dddddd",
            edgecolor="#888888",
            hatch="////",
            linewidth=0,
            label=label if number == 0 else None,
        )


def _cell(value: object) -> object:
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else f"{float(value):.6g}"
    return value
