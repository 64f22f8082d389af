"""What an opened original or released video is, wherever it lies and whatever it is wrapped in.

`opening.opened` makes it from a file, a DICOM object or a folder of pictures; reader and sound know no difference.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from deid_audit.errors import VideoError
from deid_audit.findings import VideoInventory

# H.264's largest picture (level 6.2, 139264 blocks of 16x16 pixels; 8192x4320 fits): a larger one could not be written
# back at its size, and would take gigabytes to look at.
LARGEST_PIXELS = 139_264 * 16 * 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Material:
    """One video, opened: `frames()` decodes all of it once, in presentation order, or says why not by a VideoError.

    `inventory()` is asked for when all frames are read: pictures bring tags of their own.
    `time_base` is the unit of the frames' timestamps, None where there is none. `container` is where sound may be
    found, None where there can be none. `stream` is the pictures' one where its timestamps are those of the frames, so
    that one may seek in it. `dicom_class` is the SOP class of a DICOM object, else empty.
    """

    frames: Callable[[], Iterator[VideoFrame]]
    time_base: Fraction | None
    codec: str
    inventory: Callable[[], VideoInventory]
    sample_aspect_ratio: Fraction = Fraction(1)
    container: InputContainer | None = None
    stream: VideoStream | None = None
    dicom_class: str = ""


def still_image(label: str) -> VideoError:
    return VideoError(f"{label} is a still image, not a video", next_step="give the video itself")


def too_large(width: int, height: int, label: str) -> VideoError:
    return VideoError(
        f"{label} announces pictures of {width}x{height} pixels; "
        f"at most {LARGEST_PIXELS:,} pixels can be read and written",
        next_step="look whether the file is damaged; if not, make it smaller: `ffmpeg -i IN -vf scale=1920:-2 OUT.mp4`",
    )
