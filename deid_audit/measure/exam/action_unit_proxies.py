"""Geometric proxies of action units: distances on the face that a unit changes. They are no FACS codes.

Each is a signal over the frames in % of the inter-ocular distance, larger where the unit is stronger, on the face laid
onto its rigid part; the exam's value is how far it goes beyond its own median, the face at rest.
"""

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.exam import points
from deid_audit.measure.exam.points import SteadyFace
from deid_audit.measure.exam.sampling import MIN_FRAMES
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.intervals import bootstrap, clusters_of
from deid_audit.measure.motion_tracks import MotionTracks

_SIDED = ("au1", "au2", "au4", "au6_7", "au12", "au45")
_WHOLE = ("au25", "au26")
# lids are shut so rarely that the 95th percentile of a face that blinks is that of an open eye
_PERCENTILE = {"au45": 99.0}
_DEFINITIONS = {
    unit: Definition(name=f"{unit}_proxy", unit="% of inter-ocular", reference="Ekman 2002")
    for unit in (*_SIDED, *_WHOLE)
}

Signal = NDArray[np.float64]


def proxy_signals(face: SteadyFace) -> dict[tuple[str, str], Signal]:
    """Each proxy (n,) in % of the inter-ocular distance by unit and side.

    au1 and au2: height of the inner and the outer brow; au4: lowness of the inner brow; au6_7: height of the lower lid;
    au12: nearness of the mouth corner to the outer eye corner; au45: lowness of the upper lid over the lower;
    au25: opening between the lips; au26: distance of chin and nose tip.
    """
    xy = 100 * face.xy
    out: dict[tuple[str, str], Signal] = {}
    for at, side in enumerate(points.SIDES):
        corners = (xy[:, points.OUTER_EYE_CORNERS[at], 1] + xy[:, points.INNER_EYE_CORNERS[at], 1]) / 2
        upper, lower = (xy[:, lid] for lid in points.LID_MIDDLES[at])
        inner = corners - xy[:, points.INNER_BROWS[at], 1]
        out |= {
            ("au1", side): inner,
            ("au2", side): corners - xy[:, points.OUTER_BROWS[at], 1],
            ("au4", side): -inner,
            ("au6_7", side): corners - lower[:, 1],
            ("au12", side): -points.distance(xy[:, points.MOUTH_CORNERS[at]], xy[:, points.OUTER_EYE_CORNERS[at]]),
            ("au45", side): -points.distance(upper, lower),
        }
    out["au25", ""] = points.distance(*(xy[:, lip] for lip in points.INNER_LIPS))
    out["au26", ""] = points.distance(xy[:, points.CHIN], xy[:, points.NOSE_TIP])
    return {key: out[key] for key in _keys()}


def action_unit_values(tracks: MotionTracks) -> list[ExamValue]:
    """How far each proxy goes above its median: its 95th percentile (au45: 99th) less the median."""
    face = points.steady_face(tracks.face_xy)
    if face is None or face.seen.sum() < MIN_FRAMES:
        why = f"the face is not seen in {MIN_FRAMES} frames"
        return [_DEFINITIONS[unit].missing(why, side) for unit, side in _keys()]
    signals = proxy_signals(face)
    table = np.column_stack(list(signals.values()))
    used = face.seen & np.isfinite(table).all(axis=1)
    table = table[used]
    if len(table) < MIN_FRAMES:
        why = f"the face's parts are not all seen in {MIN_FRAMES} frames"
        return [_DEFINITIONS[unit].missing(why, side) for unit, side in _keys()]
    high = np.array([_PERCENTILE.get(unit, 95.0) for unit, _ in signals])

    def statistics(at: NDArray[np.intp]) -> dict[str, float]:
        ends = np.percentile(table[at], (50, 95, 99), axis=0)
        beyond = np.where(high == 99, ends[2], ends[1]) - ends[0]
        return {f"{unit} {side}": float(value) for (unit, side), value in zip(signals, beyond, strict=True)}

    values = statistics(np.arange(len(table)))
    bounds = bootstrap(statistics, clusters_of([tracks.times_s]).where(used))
    return [
        _DEFINITIONS[unit].given(values[f"{unit} {side}"], len(table), side, bounds.of(f"{unit} {side}")[0])
        for unit, side in signals
    ]


def _keys() -> list[tuple[str, str]]:
    return [*((unit, side) for unit in _SIDED for side in points.SIDES), *((unit, "") for unit in _WHOLE)]
