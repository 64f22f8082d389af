"""Opening: from a path to the frames of one video, or one clear reason why not.

The one seam for everything that a video can come in: a file that FFmpeg reads, a DICOM object, a folder of pictures;
on this machine or at a URL. Knows what lies where, not what a video is for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deid_audit.errors import VideoAccessError, VideoError
from deid_audit.video.containers import container_material
from deid_audit.video.dicom_in import dicom_material, is_dicom
from deid_audit.video.material import Material
from deid_audit.video.pictures import picture_material
from deid_audit.video.places import LocalFile, PictureFolder, Place, place_of, refuse_lost


@contextmanager
def opened(path: Path, label: str) -> Iterator[Material]:
    """The video at `path` (see `places.place_of`), `label` in every message.

    Raises:
        VideoAccessError: nothing is there, it may not be read, or not to its end.
        VideoError: it is no video, or one that is damaged.
    """
    place = place_of(path, label)
    try:
        with _material(place, label) as material:
            yield material
    except VideoAccessError:
        raise
    except VideoError:
        refuse_lost(place, label)
        raise


@contextmanager
def _material(place: Place, label: str) -> Iterator[Material]:
    if isinstance(place, PictureFolder):
        yield picture_material(place, label)
        return
    place.refuse_unreadable(label)
    with place.open() as stream:
        if is_dicom(stream):
            with dicom_material(stream, label) as material:
                yield material
            return
        source = f"file:{place.path.absolute()}" if isinstance(place, LocalFile) else stream
        with container_material(source, label) as material:
            yield material
