"""Tremor of hands, head and jaw: how fast, how large, and how much of the movement it is.

A frequency is given only for a peak that stands out; nothing here diagnoses, and a size in pixels is none in
centimetres. What moves is the mean of several points, so a turning of the hand about its own axis is partly lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deid_audit.measure.exam import points
from deid_audit.measure.exam.sampling import MIN_FRAMES, frame_rate, new_frames, real_rate
from deid_audit.measure.exam.values import Definition, ExamValue
from deid_audit.measure.intervals import Clusters, bootstrap
from deid_audit.measure.motion_tracks import MotionTracks
from deid_audit.measure.spectra import (
    HALF_WIDTH_HZ,
    Peak,
    Signal,
    Spectrum,
    Windows,
    band,
    strongest_peak,
    windows_of,
)

# 23.976 frames a second count as 24: their band ends at 11.5 Hz
MIN_RATE_HZ = 23.9
MIN_COHERENCE_WINDOWS = 4
_TOTAL_FROM_HZ = 0.5
# Lips ride on a trembling jaw, so they may open by less than half of it; tapping fingers open more than a hand moves.
_LIPS_SHARE, _FINGERS_SHARE = 0.5, 2.0
_HARMONICS = (2, 3, 4)
_PARTS = (("hand", "left"), ("hand", "right"), ("head", ""), ("jaw", ""))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MovingPart:
    """A part's position `xy` (n, 2) px, and the length in px that its movement is related to, named."""

    called: str
    xy: Signal
    length_px: float
    length_name: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """A part's spectrum: from which frames `used` (n,), at which rate."""

    part: MovingPart
    used: NDArray[np.bool_]
    rate_hz: float
    windows: Windows


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OtherRhythm:
    """A voluntary movement that carries the part along: the spectrum of its `opening`, in words `what` it is, and from
    which `share` of the part's amplitude on it explains the part's."""

    opening: Spectrum
    share: float
    what: str

    def explains(self, spectrum: Spectrum, hz: float) -> bool:
        return self.opening.amplitude(hz) >= self.share * spectrum.amplitude(hz)


def definitions(kind: str, length_name: str) -> dict[str, Definition]:
    """Of one kind of tremor, by what is measured."""
    return {
        "frequency": Definition(name=f"{kind}_tremor_frequency", unit="Hz", reference="Williams 2021"),
        "amplitude": Definition(name=f"{kind}_tremor_amplitude", unit="px", reference="Bungay 2023"),
        "relative": Definition(
            name=f"{kind}_tremor_relative_amplitude", unit=f"% of {length_name}", reference="Bungay 2023"
        ),
        "share": Definition(name=f"{kind}_tremor_band_share", unit="%", reference="Welch 1967"),
        "coherence": Definition(name=f"{kind}_tremor_axis_coherence", unit="1", reference="Carter 1987"),
    }


def tremor_values(tracks: MotionTracks, original: Sequence[ExamValue] = ()) -> list[ExamValue]:
    """Five measures of each hand, the head and the jaw.

    `original` are the values of the video that this one was made from, if it was made from one: what is a tremor
    there is not taken for talking or tapping here, at the same frequency. On a swapped face FaceMesh sees the lips open
    farther, and the chin move less, than on the original.
    """
    known = {(one.name, one.side): one.value for one in original}
    out: list[ExamValue] = []
    for kind, side in _PARTS:
        part = moving_part(tracks, kind, side)
        seen = looked_at(part, tracks.times_s)
        named = definitions(kind, part.length_name)
        if isinstance(seen, str):
            out += [one.missing(seen, side) for one in named.values()]
            continue
        rhythm = _as_voluntary(tracks, seen, kind, side)
        out += _of_spectrum(seen, named, side, rhythm, known.get((named["frequency"].name, side)))
    return out


def moving_part(tracks: MotionTracks, kind: str, side: str) -> MovingPart:
    """The part whose tremor is asked for; all NaN where it is not seen."""
    if kind == "hand":
        return _hand(tracks, side)
    nothing = np.full((len(tracks), 2), np.nan)
    face = points.steady_face(tracks.face_xy)
    xy, unit = nothing, np.nan
    if face is not None:
        unit = face.unit_px
        chin = face.xy[:, points.CHIN] * unit
        xy = tracks.face_xy[:, points.RIGID].mean(axis=1) if kind == "head" else chin
    return MovingPart(called=kind, xy=xy, length_px=unit, length_name="inter-ocular")


def _hand(tracks: MotionTracks, side: str) -> MovingPart:
    """The hand in the picture; the body's wrist where no hand is found.

    Not beside the elbow: an arm that trembles as a whole takes the elbow along, and Pose's elbow errs by several times
    what the hand does.
    """
    at = points.SIDES.index(side)
    hand, wrist = points.hand_of(tracks, side), points.body_point(tracks, points.WRISTS[at])
    found = np.isfinite(hand[:, points.WRIST_AND_KNUCKLES]).all(axis=(1, 2))
    fingers = found.sum() >= 0.5 * max(1, np.isfinite(wrist[:, 0]).sum())
    if fingers:
        xy = hand[:, points.WRIST_AND_KNUCKLES].mean(axis=1)
        lengths = points.distance(hand[:, points.WRIST], hand[:, points.MIDDLE_KNUCKLE])
    else:
        xy, lengths = wrist, points.distance(wrist, points.body_point(tracks, points.ELBOWS[at]))
    known = lengths[np.isfinite(lengths)]
    return MovingPart(
        called=f"{side} hand",
        xy=xy,
        length_px=float(np.median(known)) if len(known) else np.nan,
        length_name="palm" if fingers else "forearm",
    )


def looked_at(part: MovingPart, times_s: Signal, also: NDArray[np.bool_] | None = None) -> Seen | str:
    """The part's windows in the frames that have a position of their own (and are in `also`), or why there are none."""
    rate = frame_rate(times_s)
    if rate is None:
        return f"{len(times_s)} frames with a time of their own; at least {MIN_FRAMES} are needed"
    used = new_frames(part.xy) if also is None else new_frames(part.xy) & also
    if np.isfinite(part.xy[:, 0]).sum() < MIN_FRAMES:
        return f"the {part.called} is not seen in {MIN_FRAMES} frames"
    if used.sum() < MIN_FRAMES:
        return f"the {part.called} does not move at all"
    sampled = real_rate(part.xy, times_s)
    if sampled < MIN_RATE_HZ:
        return f"{sampled:.1f} frames a second show the {part.called} anew; 12 Hz needs 24"
    windows = windows_of(part.xy[used], times_s[used], rate)
    if windows is None:
        return f"no 3 s in one piece in which the {part.called} is seen"
    return Seen(part=part, used=used, rate_hz=rate, windows=windows)


def outstanding_peak(spectrum: Spectrum, rate_hz: float, called: str) -> Peak | str:
    """The peak that counts as a rhythm of its own, or why there is none."""
    low, high = band(rate_hz)
    peak = strongest_peak(spectrum, rate_hz)
    if peak is None or not peak.stands_out:
        return f"no such movement seen: the {called} has no peak that stands out between {low:.0f} and {high:.1f} Hz"
    slow = _slower_rhythm(spectrum, peak.hz)
    if slow is not None:
        return f"the peak at {peak.hz:.1f} Hz is a multiple of a stronger movement at {slow:.1f} Hz"
    return peak


def _slower_rhythm(spectrum: Spectrum, peak_hz: float) -> float | None:
    """The frequency between 1 and 3 Hz of which the peak is a multiple: a stronger, slower movement that repeats."""
    hz, power = spectrum.hz, spectrum.power
    inner = np.flatnonzero((power[1:-1] > power[:-2]) & (power[1:-1] > power[2:])) + 1
    inner = inner[(hz[inner] >= 1.0) & (hz[inner] < 3.0)]
    if not len(inner):
        return None
    at = inner[np.argmax(power[inner])]
    multiple = peak_hz / hz[at]
    beside = power[np.argmin(np.abs(hz - peak_hz))]
    if power[at] > beside and min(abs(multiple - whole) for whole in _HARMONICS) < 0.06:
        return float(hz[at])
    return None


def axis_coherence(lines: NDArray[np.complex128]) -> float:
    """Magnitude-squared coherence of two axes, from Fourier lines (windows, 2) at one frequency; NaN if one is still.

    >>> axis_coherence(np.array([[1, 2], [1j, 2j], [3, 6]]))
    1.0
    """
    one, other = lines[:, 0], lines[:, 1]
    scale = (np.abs(one) ** 2).sum() * (np.abs(other) ** 2).sum()
    return float(np.abs((one * other.conj()).sum()) ** 2 / scale) if scale > 0 else float("nan")


def _of_spectrum(
    seen: Seen, named: dict[str, Definition], side: str, other: OtherRhythm | None, known_hz: float | None
) -> list[ExamValue]:
    """`known_hz` is the frequency of this part's tremor in the video that this one was made from."""
    spectrum, powers = seen.windows.spectrum(), seen.windows.powers()
    hz, count = spectrum.hz, spectrum.windows
    low, high = band(seen.rate_hz)
    peak = outstanding_peak(spectrum, seen.rate_hz, seen.part.called)
    known = isinstance(peak, Peak) and known_hz is not None and abs(peak.hz - known_hz) <= HALF_WIDTH_HZ
    if isinstance(peak, Peak) and not known and other is not None and other.explains(spectrum, peak.hz):
        peak = f"{other.what} at the same {peak.hz:.1f} Hz: that and a tremor cannot be told apart"
    total = (hz >= _TOTAL_FROM_HZ) & (hz <= high)
    inside = (hz >= low) & (hz <= high)

    def statistics(at: NDArray[np.intp]) -> dict[str, float]:
        mean = Spectrum(hz=hz, power=powers[at].mean(axis=0), windows=len(at))
        found = {"share": 100 * float(mean.power[inside].sum() / mean.power[total].sum())}
        return found | ({"amplitude": mean.amplitude(peak.hz)} if isinstance(peak, Peak) else {})

    values = statistics(np.arange(count))
    # half-overlapping Hann windows are nearly independent (Welch 1967)
    bounds = bootstrap(statistics, Clusters(labels=np.arange(count), unit="windows"))
    share = named["share"].given(values["share"], count, side, bounds.of("share")[0])
    if isinstance(peak, str):
        return [one.missing(peak, side, count) if name != "share" else share for name, one in named.items()]
    half = 0.5 / seen.windows.seconds
    amplitude, interval = values["amplitude"], bounds.of("amplitude")[0]
    percent = 100 / seen.part.length_px
    relative = named["relative"].missing(f"the length of the {named['relative'].unit[5:]} is not seen", side, count)
    if np.isfinite(percent):
        of_length = (interval.low * percent, interval.high * percent) if interval else None
        relative = named["relative"].given(amplitude * percent, count, side, of_length)
    coherence = named["coherence"].missing(
        f"{count} windows of {seen.windows.seconds:.0f} s; coherence needs {MIN_COHERENCE_WINDOWS}", side, count
    )
    if count >= MIN_COHERENCE_WINDOWS:
        together = axis_coherence(seen.windows.lines[:, int(np.argmin(np.abs(hz - peak.hz)))])
        coherence = named["coherence"].missing("one axis does not move at all", side, count)
        if np.isfinite(together):
            coherence = named["coherence"].given(together, count, side)
    return [
        named["frequency"].given(peak.hz, count, side, (peak.hz - half, peak.hz + half)),
        named["amplitude"].given(amplitude, count, side, interval),
        relative,
        share,
        coherence,
    ]


def _as_voluntary(tracks: MotionTracks, seen: Seen, kind: str, side: str) -> OtherRhythm | None:
    """Lips that open, or thumb and index finger, in the frames in which the jaw or the hand was looked at."""
    if kind == "head":
        return None
    pair = points.INNER_LIPS if kind == "jaw" else (points.THUMB_TIP, points.INDEX_TIP)
    xy = (tracks.face_xy if kind == "jaw" else points.hand_of(tracks, side))[seen.used]
    gap = points.distance(xy[:, pair[0]], xy[:, pair[1]])
    windows = windows_of(gap[:, None], tracks.times_s[seen.used], seen.rate_hz) if np.isfinite(gap).all() else None
    if windows is None:
        return None
    if kind == "jaw":
        return OtherRhythm(opening=windows.spectrum(), share=_LIPS_SHARE, what="the lips open and shut, as in talking,")
    return OtherRhythm(opening=windows.spectrum(), share=_FINGERS_SHARE, what="thumb and index finger tap")
