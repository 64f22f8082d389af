"""How often a movement was really looked at, and an even curve through what was seen in one piece."""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from deid_audit.measure.spectra import pieces_of

FINE_HZ = 240.0
MIN_FRAMES = 10

Signal = NDArray[np.float64]


def frame_rate(times_s: Signal) -> float | None:
    """One through the median step of `times_s` (n,); None with fewer than ten frames or steps that do not rise."""
    if len(times_s) < MIN_FRAMES:
        return None
    step = float(np.median(np.diff(times_s)))
    return 1 / step if step > 0 else None


def new_frames(xy: Signal) -> NDArray[np.bool_]:
    """Frames (n,) whose positions (n, ...) are found and not exactly those of the frame before.

    A video brought to a higher rate by repeating frames has no more samples than before.
    """
    flat = xy.reshape(len(xy), -1)
    found = np.isfinite(flat).all(axis=1)
    same = np.zeros(len(flat), np.bool_)
    same[1:] = (flat[1:] == flat[:-1]).all(axis=1)
    return np.asarray(found & ~same)


def real_rate(xy: Signal, times_s: Signal) -> float:
    """Frames a second with positions of their own: the frame rate less the share of exact repetitions; 0 if unknown."""
    rate = frame_rate(times_s)
    if rate is None:
        return 0.0
    found = np.isfinite(xy.reshape(len(xy), -1)).all(axis=1)
    if not found.any():
        return 0.0
    return rate * float(new_frames(xy).sum() / found.sum())


def fine_pieces(signal: Signal, times_s: Signal, min_seconds: float) -> list[tuple[Signal, Signal]]:
    """Times and values at 240 Hz of each piece of a signal (n,) of at least `min_seconds`, by cubic interpolation.

    At most two missing frames in a row are bridged.
    """
    rate = frame_rate(times_s)
    used = np.isfinite(signal)
    if rate is None or used.sum() < MIN_FRAMES:
        return []
    times, values = times_s[used], signal[used]
    out = []
    for piece in pieces_of(times, rate):
        start, end = times[piece[0]], times[piece[-1]]
        if len(piece) > 3 and end - start >= min_seconds:
            grid = start + np.arange(int((end - start) * FINE_HZ + 1e-6) + 1) / FINE_HZ
            out.append((grid, CubicSpline(times[piece], values[piece])(grid)))
    return out
