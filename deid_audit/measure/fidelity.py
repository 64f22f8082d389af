"""How much the picture outside the faces changed: structural similarity (SSIM) frame by frame, as frames stream by.

Takes frames of original and other and the boxes that are left out: faces, which were meant to change, and covered text.
What changed inside of them is the business of the other measures.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from deid_audit.findings import Measurement, measured, not_measured
from deid_audit.frames import Float, Frame, Image

SURROUNDING = 1.5
"""Times a face's box: as far as a cover (1.35) and the softest edge of a swap reach."""
_WINDOW_PX, _SIGMA_PX = 11, 1.5
_REACH_PX = _WINDOW_PX // 2
_STRIP_ROWS = 64  # a strip's pictures stay in the processor's cache: three times as fast as the whole frame at once
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
METHOD_TEXT = (
    "Picture outside the faces: structural similarity (SSIM; Wang et al. 2004, Gaussian window of 11 px, sigma 1.5) of "
    "the lightness of every frame with the original's, averaged over the pixels whose window holds no part of a "
    f"face's box enlarged by {SURROUNDING}, nor of covered text; mean over all frames, and the worst frame. The null "
    "edit's stands beside it: what is missing there is the encoder's."
)
_METHOD = "SSIM, 11 px Gaussian window, grey; original against the written file, outside the faces' boxes"


@dataclass(slots=True, eq=False)
class OutsideSimilarity:
    """Collects SSIM outside `boxes[i]`, boxes float (4,) xyxy px of frame i, for original and other side by side.

    `values` has one number a frame, NaN where nothing is left to compare.
    """

    boxes: Sequence[Sequence[Float]]
    values: list[float] = field(default_factory=list)
    _waiting: deque[Image] = field(default_factory=deque)

    def compare(self, before: Frame, after: Frame) -> None:
        """Adds the next frame."""
        self._add(_grey(before), after)

    def remembering(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The originals' frames on their way into an encoder; each waits, in grey, for `compare_remembered`."""
        for frame in frames:
            self._waiting.append(_grey(frame))
            yield frame

    def compare_remembered(self, after: Frame) -> None:
        """Adds the next frame that came out of the encoder."""
        self._add(self._waiting.popleft(), after)

    def _add(self, before_grey: Image, after: Frame) -> None:
        self.values.append(ssim_outside(before_grey, _grey(after), self.boxes[after.index]))

    def row(self) -> NDArray[np.float64]:
        """All values (n,)."""
        return np.array(self.values, np.float64)


def _grey(frame: Frame) -> Image:
    return np.asarray(cv2.cvtColor(frame.image_rgb, cv2.COLOR_RGB2GRAY))


def ssim_outside(before_grey: Image, after_grey: Image, boxes_xyxy: Sequence[Float]) -> float:
    """Mean SSIM of two grey pictures (H, W) over the windows that touch no box and lie wholly in the picture.

    NaN where there is no such window. The definition is that of scikit-image with `gaussian_weights=True`,
    `sigma=1.5`, `use_sample_covariance=False`.
    """
    height, width = before_grey.shape
    counted = np.zeros((height, width), np.bool_)
    counted[_REACH_PX : height - _REACH_PX, _REACH_PX : width - _REACH_PX] = True
    for left, top, right, bottom in boxes_xyxy:
        rows = slice(max(0, int(np.floor(top)) - _REACH_PX), max(0, int(np.ceil(bottom)) + _REACH_PX))
        counted[rows, max(0, int(np.floor(left)) - _REACH_PX) : max(0, int(np.ceil(right)) + _REACH_PX)] = False
    total, windows = 0.0, 0
    for top in range(_REACH_PX, height - _REACH_PX, _STRIP_ROWS):
        mine = np.ascontiguousarray(counted[top : min(top + _STRIP_ROWS, height - _REACH_PX)]).view(np.uint8)
        if here := cv2.countNonZero(mine):
            seen = slice(top - _REACH_PX, top + len(mine) + _REACH_PX)
            total += here * cv2.mean(_ssim(before_grey[seen], after_grey[seen]), mask=mine)[0]
            windows += here
    return min(1.0, total / windows) if windows else float("nan")  # single precision may reach beyond 1


def _ssim(before_grey: Image, after_grey: Image) -> Float:
    """SSIM of every window whose whole height lies in the strips."""
    one, other = before_grey.astype(np.float32), after_grey.astype(np.float32)
    mean_one, mean_other = _blurred(one), _blurred(other)
    spread, together = _blurred(one * one + other * other), _blurred(one * other)
    products, squares = mean_one * mean_other, mean_one * mean_one + mean_other * mean_other
    together -= products
    spread -= squares
    above = (2 * products + _C1) * (2 * together + _C2)
    above /= (squares + _C1) * (spread + _C2)
    return np.asarray(above, np.float32)


def _blurred(image: Float) -> Float:
    """Without the rows that the window does not reach over."""
    return np.asarray(cv2.GaussianBlur(image, (_WINDOW_PX, _WINDOW_PX), _SIGMA_PX))[_REACH_PX:-_REACH_PX]


def measure_fidelity(released: NDArray[np.float64], null: NDArray[np.float64], scope: str) -> list[Measurement]:
    """SSIM outside the faces of one video: mean over frames and the worst frame; `null` (n,) is the null edit's."""
    known, floor = np.isfinite(released), null[np.isfinite(null)]
    names: dict[str, Callable[[NDArray[np.float64]], np.float64]] = {
        "quality.ssim_outside": np.mean,
        "quality.ssim_outside_worst": np.min,
    }
    if not known.any():
        because = "faces and their surroundings fill every frame"
        return [not_measured(name, "swapped", scope, because, method=_METHOD) for name in names]
    worst = {"frame": float(np.nanargmin(released))}
    return [
        measured(
            name,
            "swapped",
            scope,
            float(statistic(released[known])),
            sample_size=int(known.sum()),
            method=_METHOD,
            noise_floor=float(statistic(floor)) if len(floor) else None,
            detail=worst if name.endswith("worst") else None,
        )
        for name, statistic in names.items()
    ]
