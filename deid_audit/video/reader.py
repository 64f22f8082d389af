"""Videos in: one full decode that says what a file holds, then frames streamed upright in RGB.

First step of the flow. Whatever FFmpeg reads, with the timestamps the file has: nothing is resampled, dropped or
repeated. A file that is damaged or has no usable timestamps is refused, never half read. No faces here.
"""

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from av.video.frame import VideoFrame

from deid_audit.errors import VideoAccessError, VideoError
from deid_audit.findings import VideoFacts
from deid_audit.frames import Frame, Image
from deid_audit.video.colour import ColourTags, tags_of, to_rgb
from deid_audit.video.containers import REMUX
from deid_audit.video.material import still_image
from deid_audit.video.opening import opened
from deid_audit.video.orientation import Orientation, orientation_of
from deid_audit.video.places import keyed_digest_of, place_of

METHOD_TEXT = (
    "Videos were decoded once in full with FFmpeg (PyAV; frames of a DICOM object with pydicom); every frame was "
    "kept with its own timestamp, turned upright by the file's display matrix and converted to RGB of 8 bits, also "
    "where the file has more; the two fields of an interlaced frame were kept in one picture; a damaged file, or one "
    "without rising timestamps, is refused."
)
_STILL_CODECS = frozenset({"mjpeg", "png", "apng", "webp", "bmp", "tiff", "gif", "jpegls", "jpeg2000", "ppm"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceVideo:
    """A video that was decoded once from end to end; `pts` holds every frame's timestamp in `time_base` units.

    `sample_aspect_ratio` is of the upright picture; `colour` is what the stream declares, `stamp` changes when the
    file does, `dicom_class` is the SOP class of a DICOM object, else empty. A view shows frame `picks[i]` of `view_of`
    as its frame i, at its own instants.
    """

    path: Path
    label: str
    facts: VideoFacts
    time_base: Fraction
    pts: tuple[int, ...]
    sample_aspect_ratio: Fraction = Fraction(1)
    colour: ColourTags = field(default_factory=ColourTags)
    stamp: tuple[int, int] | None = None
    dicom_class: str = ""
    view_of: "SourceVideo | None" = None
    picks: tuple[int, ...] = ()

    @property
    def times_s(self) -> tuple[float, ...]:
        """Seconds of every frame from the first frame, which is 0."""
        return tuple(float((pts - self.pts[0]) * self.time_base) for pts in self.pts)


def open_video(path: Path, *, label: str, digest_key: bytes | None = None) -> SourceVideo:
    """Decodes a file once and says what it holds.

    `label` ("subject video 2") names the file in every message; the path appears in none. With `digest_key` the
    facts carry the file's HMAC-SHA-256, else an empty string.

    Raises:
        VideoError: the file cannot be read, is no video, is damaged, or has no rising timestamps.
    """
    pts: list[int] = []
    first: VideoFrame | None = None
    interlaced = False
    with opened(path, label) as material:
        stamp = _stamp(path, label)
        for frame in material.frames():
            pts.append(_checked_pts(frame, pts[-1] if pts else None, label))
            interlaced |= bool(frame.interlaced_frame)
            if first is None:
                first = frame
            elif _shape_of(frame) != _shape_of(first):
                raise VideoError(
                    f"{label} changes its picture size or rotation at frame {len(pts)}",
                    next_step="cut it into parts of one size, or bring it to one size first",
                )
        if first is None or material.time_base is None:
            raise VideoError(f"{label} holds no video frame", next_step=REMUX)
        if len(pts) == 1 and material.codec in _STILL_CODECS:
            raise still_image(label)
        orientation = _orientation(first, label)
        width, height = _upright_size(first, orientation)
        facts = VideoFacts(
            label=label,
            keyed_digest=_digest(path, label, digest_key),
            width=width,
            height=height,
            frame_count=len(pts),
            duration_s=float(_duration(pts, first) * material.time_base),
            time_base=str(material.time_base),
            variable_rate=_is_variable(pts, material.time_base),
            rotation=orientation.clockwise_degrees,
            codec=material.codec,
            interlaced=interlaced,
            inventory=material.inventory(),
        )
        if _stamp(path, label) != stamp:
            raise _changed(label)
        ratio = material.sample_aspect_ratio
        return SourceVideo(
            path=path,
            label=label,
            facts=facts,
            time_base=material.time_base,
            pts=tuple(pts),
            sample_aspect_ratio=1 / ratio if orientation.swap_axes else ratio,
            colour=tags_of(first),
            stamp=stamp,
            dicom_class=material.dicom_class,
        )


def read_frames(video: SourceVideo) -> Iterator[Frame]:
    """Streams the video's frames: RGB, upright, contiguous; holds a few frames at a time.

    Raises:
        VideoError: the file, or its frames, are not those of `open_video`: it changed in between.
    """
    if video.view_of is not None:
        yield from _picked(video, video.view_of)
        return
    position = 0
    with opened(video.path, video.label) as material:
        expect_unchanged(video)
        for frame in material.frames():
            orientation = _orientation(frame, video.label)
            size = _upright_size(frame, orientation)
            known = position < len(video.pts) and frame.pts == video.pts[position]
            if not known or size != (video.facts.width, video.facts.height):
                raise _changed(video.label)
            yield Frame(index=position, pts=video.pts[position], image_rgb=orientation.upright(to_rgb(frame)))
            position += 1
    if position != len(video.pts):
        raise _changed(video.label)
    expect_unchanged(video)


def expect_unchanged(video: SourceVideo) -> None:
    """VideoError where the file, or a picture of the folder, is not the one that `open_video` decoded any more.

    Another file may have the same instants: only the stamp tells that its pictures are others.
    """
    if video.stamp not in (None, _stamp(video.path, video.label)):
        raise _changed(video.label)


def frames_at(path: Path, wanted: Collection[int], *, label: str) -> Iterator[tuple[float, Image]]:
    """The frames of these numbers (from 0), in order, each with its seconds from the first frame.

    One pass that ends with the last of them, and turns only these into RGB; for a file that is known by its digest.

    Raises:
        VideoError: the file cannot be read, or has fewer frames.
    """
    left, first = set(wanted), 0
    with opened(path, label) as material:
        for position, frame in enumerate(material.frames()):
            pts = _checked_pts(frame, None, label)
            first = pts if position == 0 else first
            if position in left:
                left.remove(position)
                time_s = float((pts - first) * (material.time_base or 0))
                yield time_s, _orientation(frame, label).upright(to_rgb(frame))
            if not left:
                return
    raise VideoError(f"{label} has fewer frames than its statement says", next_step=REMUX)


def _picked(view: SourceVideo, source: SourceVideo) -> Iterator[Frame]:
    """The frames of a view; its picks rise, so one pass over the source gives them all."""
    position = 0
    for frame in read_frames(source):
        while position < len(view.picks) and view.picks[position] == frame.index:
            yield Frame(index=position, pts=view.pts[position], image_rgb=frame.image_rgb)
            position += 1


def _checked_pts(frame: VideoFrame, before: int | None, label: str) -> int:
    if frame.pts is None:
        raise VideoError(
            f"{label} has frames without a timestamp",
            next_step="put it into a container with timestamps: `ffmpeg -i IN -c copy OUT.mp4`",
        )
    if before is not None and frame.pts <= before:
        raise VideoError(
            f"{label} has timestamps that do not rise from frame to frame",
            next_step="repair it first: `ffmpeg -i IN -fps_mode vfr OUT.mp4`",
        )
    return frame.pts


def _shape_of(frame: VideoFrame) -> tuple[int, int, Orientation | None]:
    return frame.width, frame.height, orientation_of(frame)


def _orientation(frame: VideoFrame, label: str) -> Orientation:
    orientation = orientation_of(frame)
    if orientation is None:
        raise VideoError(
            f"{label} is stored at an angle that is no quarter turn",
            next_step="bring it upright first: `ffmpeg -i IN OUT.mp4`",
        )
    return orientation


def _upright_size(frame: VideoFrame, orientation: Orientation) -> tuple[int, int]:
    return (frame.height, frame.width) if orientation.swap_axes else (frame.width, frame.height)


def _duration(pts: list[int], first: VideoFrame) -> int:
    """From the first frame to the end of the last, which lasts as long as the one before it."""
    last = pts[-1] - pts[-2] if len(pts) > 1 else first.duration
    return pts[-1] - pts[0] + max(last, 0)


def _is_variable(pts: list[int], time_base: Fraction) -> bool:
    """Whether steps differ by more than the rounding of one tick (29.97 in milliseconds is 33, 33, 34)."""
    steps = [later - earlier for earlier, later in pairwise(pts)]
    return bool(steps) and max(steps) - min(steps) > max(1, math.ceil(Fraction(1, 2000) / time_base))


def _stamp(path: Path, label: str) -> tuple[int, int]:
    """What changes when another file takes the place."""
    try:
        return place_of(path, label).stamp()
    except OSError:
        raise _changed(label) from None


def _digest(path: Path, label: str, key: bytes | None) -> str:
    try:
        return keyed_digest_of(path, label, key) if key is not None else ""
    except OSError:
        raise _changed(label) from None


def _changed(label: str) -> VideoAccessError:
    return VideoAccessError(
        f"{label} changed while it was being read: it is not the file of the first pass",
        next_step="keep the file unchanged during the run and start again",
    )
