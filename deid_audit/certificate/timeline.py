"""A video's distances and states as shapes of an SVG: plain numbers in, coordinates as text out.

Long videos are drawn in columns of many frames, from the smallest to the largest value in each; a state is drawn in
every column in which any frame has it. So nothing that is bad gets lost, and the drawing stays small.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deid_audit.certificate.frame_numbers import FrameNumbers, Wanted, end_s

WIDTH, LEFT, RIGHT = 960, 92, 8
CURVE_TOP, CURVE_HEIGHT = 14, 200
LANE_HEIGHT, LANE_GAP, AXIS = 14, 8, 34
_ORDER = ("undecided", "concealed", "swapped", "reviewed", "clear")
_MARGIN = 0.04
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_MOST_TICKS = 9
_Extent = tuple[float, float, float]
_Place = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark on an axis: where it is, and what stands beside it."""

    at: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A frame that has a picture, on the curve or, where it was not compared, at its foot."""

    x: float
    y: float
    wanted: Wanted
    time_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Where frames have a state: one path of boxes."""

    state: str
    path: str
    top: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Everything that the template places; heights and places are in units of a view box that is `WIDTH` wide."""

    height: float
    curve: str
    cut_y: float
    ticks_x: tuple[Tick, ...]
    ticks_y: tuple[Tick, ...]
    markers: tuple[Marker, ...]
    lanes: tuple[Lane, ...] = field(default=())


def draw(
    numbers: FrameNumbers, states: Sequence[str], wanted: Sequence[Wanted], *, cut: float, most_columns: int
) -> Drawing:
    """The drawing of one video; `states` are of its frames, or empty where they are not known.

    `cut` is the distance below which two faces count as one person's; `most_columns` bounds what is drawn.
    """
    known = [value for value in numbers.distances if value is not None]
    low, high = max(0.0, min([*known, cut]) - _MARGIN), max([*known, cut]) + _MARGIN
    end = max(end_s(numbers.times_s), 1e-3)
    columns = _columns(len(numbers.times_s), most_columns)

    def x(time_s: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * time_s / end, 1)

    def y(value: float) -> float:
        return round(CURVE_TOP + CURVE_HEIGHT * (high - value) / (high - low), 1)

    foot = CURVE_TOP + CURVE_HEIGHT
    names = [name for name in _ORDER if name in set(states)]
    starts = (*numbers.times_s, end)
    lanes = tuple(
        Lane(
            state=name,
            path=_boxes([(x(starts[a]), x(starts[b])) for a, b in columns if name in states[a:b]]),
            top=foot + AXIS + at * (LANE_HEIGHT + LANE_GAP),
        )
        for at, name in enumerate(names)
    )
    markers = tuple(
        Marker(
            x=x(numbers.times_s[one.frame]),
            y=foot if one.distance is None else y(one.distance),
            wanted=one,
            time_s=numbers.times_s[one.frame],
        )
        for one in wanted
    )
    return Drawing(
        height=foot + AXIS + len(lanes) * (LANE_HEIGHT + LANE_GAP),
        curve=_band([_column(numbers, a, b, x, y) for a, b in columns]),
        cut_y=y(cut),
        ticks_x=tuple(Tick(at=x(at), words=clock(at)) for at in _times(end)),
        ticks_y=tuple(Tick(at=y(at / 10), words=f"{at / 10:.1f}") for at in range(1, 20) if low <= at / 10 <= high),
        markers=markers,
        lanes=lanes,
    )


def clock(time_s: float) -> str:
    """Seconds as `12.5 s`, from two minutes on as `2:05` or `1:02:05`.

    >>> clock(0.5), clock(119), clock(125), clock(3725)
    ('0.5 s', '119 s', '2:05', '1:02:05')
    """
    if time_s < 120:
        return f"{time_s:.3g} s"
    minutes, seconds = divmod(round(time_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _columns(count: int, most: int) -> list[tuple[int, int]]:
    """Half-open ranges of frames, at most `most`, as even as can be."""
    number = min(count, most)
    return [(at * count // number, (at + 1) * count // number) for at in range(number)]


def _column(numbers: FrameNumbers, first: int, end: int, x: _Place, y: _Place) -> _Extent | None:
    """x, and y of the largest and the smallest distance in these frames; None where none was compared."""
    known = [value for value in numbers.distances[first:end] if value is not None]
    if not known:
        return None
    middle = (numbers.times_s[first] + numbers.times_s[end - 1]) / 2
    return x(middle), y(max(known)), y(min(known))


def _band(columns: Sequence[_Extent | None]) -> str:
    """The curve: of every run of columns an outline, along the largest values and back along the smallest."""
    shapes: list[str] = []
    run: list[_Extent] = []
    for column in (*columns, None):
        if column is not None:
            run.append(column)
        elif run:
            there = [f"{x:g},{top:g}" for x, top, _ in run]
            back = [f"{x:g},{low:g}" for x, _, low in reversed(run)]
            shapes.append(f"M{' '.join(there + back)}Z")
            run = []
    return "".join(shapes)


def _boxes(spans: Sequence[tuple[float, float]]) -> str:
    """Spans along x as boxes of a lane; what touches is one box, and none is too thin to be seen."""
    joined: list[list[float]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    widths = ((start, max(end - start, 1.0)) for start, end in joined)
    return "".join(f"M{start:g},0h{width:g}v{LANE_HEIGHT}h-{width:g}z" for start, width in widths)


def _times(end: float) -> list[float]:
    step = next((one for one in _STEPS_S if end / one <= _MOST_TICKS), end)
    return [round(at * step, 3) for at in range(int(end / step) + 1)]
