"""DICOM objects out: a released MP4 byte for byte, under a header that is made here and takes nothing over.

Comes after the verdict. The file is the one fragment (or several, above 4 GiB) of an encapsulated H.264 stream
(PS3.5 8.2.7 allows the MP4 container), so its frames are those that were measured. No header is cleaned: every value
below is this tool's own, which is more than the basic profile of PS3.15 annex E asks for.
"""

import struct
import uuid
import warnings
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import av
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    MPEG4HP41,
    MPEG4HP41F,
    MPEG4HP422D,
    MPEG4HP422DF,
    UID,
    VideoEndoscopicImageStorage,
    VideoPhotographicImageStorage,
)

from deid_audit import __version__
from deid_audit.digests import sha256_file
from deid_audit.errors import VideoError
from deid_audit.video.encoding import clock_of, mean_rate
from deid_audit.video.reader import SourceVideo

METHOD_TEXT = (
    "Each released video was also put into a DICOM file, byte for byte, under a new header: no value of the original's "
    "header was read for it, names and dates are empty or the case's name, and all UIDs are new. The header carries "
    "the code of the basic profile of PS3.15 (113100) alone: the options for clean pixel data and clean recognisable "
    "visual features are not claimed, since a search finds no more than it finds."
)
_IMPLEMENTATION = UID("2.25.316190215768205118303811104929160467733")
_LARGEST_FRAGMENT = 0xFFFF_FFFE
_HIGH_PROFILE = 100
_H264_LEVELS = {41: (8192, 245_760, MPEG4HP41, MPEG4HP41F), 42: (8704, 522_240, MPEG4HP422D, MPEG4HP422DF)}
"""Of each level: blocks of 16x16 a picture and a second (H.264 table A-1), and the syntax, whole and in fragments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DicomFacts:
    """What a header says beside the video's own facts; `number` is the video's in the case.

    `text_seen`: standing lines of text were found in it and are still there. `endoscopic`: so was the original.
    """

    case_id: str
    number: int
    issued_at: str
    text_seen: bool
    endoscopic: bool


def is_endoscopic(sop_class: str) -> bool:
    """Whether a DICOM original said that it is an endoscope's video."""
    return sop_class == VideoEndoscopicImageStorage


def refuse_unfit(video: SourceVideo, *, lossless: bool) -> None:
    """VideoError where DICOM has no transfer syntax for what would be written of this original."""
    width, height = video.facts.width, video.facts.height
    blocks = -(-width // 16) * -(-height // 16)
    rate = mean_rate(clock_of(video))
    why = ""
    if lossless:
        why = "without loss (--lossless)"
    elif width % 2 or height % 2:
        why = f"of {width}x{height} pixels, an odd side,"
    elif all(blocks > most or blocks * rate > a_second for most, a_second, *_ in _H264_LEVELS.values()):
        why = f"of {width}x{height} pixels at {float(rate):.4g} frames a second"
    if why:
        raise VideoError(
            f"{video.label}: DICOM has no place for H.264 {why} (its level 4.2 is the highest)",
            next_step="give --no-dicom to release an MP4 file alone, or bring the video to a size that fits",
        )


def write_dicom(target: Path, released: SourceVideo, facts: DicomFacts) -> None:
    """Writes `target`, a DICOM file around the released video's file; nothing is left of one that fails.

    Raises:
        VideoError: the written stream is not what a DICOM transfer syntax allows.
        OSError: the file cannot be written.
    """
    size = released.path.stat().st_size
    header = _header(released, facts, size)
    header.file_meta = _meta(header, _syntax(released, in_parts=size > _LARGEST_FRAGMENT))
    try:
        with warnings.catch_warnings():  # of times that are longer than their VR can say: pydicom then writes UN
            warnings.simplefilter("ignore", UserWarning)
            header.save_as(target, enforce_file_format=True)
        with released.path.open("rb") as video, target.open("ab") as out:
            out.write(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\0\0\0\0")  # pixel data, no offsets
            _write_fragments(video, out, size)
            out.write(b"\xfe\xff\xdd\xe0\0\0\0\0")
    except BaseException:
        target.unlink(missing_ok=True)
        raise


def _write_fragments(video: BinaryIO, out: BinaryIO, size: int) -> None:
    for start in range(0, size, _LARGEST_FRAGMENT):
        length = min(size - start, _LARGEST_FRAGMENT)
        out.write(b"\xfe\xff\x00\xe0" + struct.pack("<I", length + length % 2))
        _copy(video, out, length)
        out.write(b"\0" * (length % 2))


def _copy(video: BinaryIO, out: BinaryIO, length: int) -> None:
    left = length
    while left and (block := video.read(min(left, 1 << 20))):
        out.write(block)
        left -= len(block)


def _syntax(released: SourceVideo, *, in_parts: bool) -> UID:
    """By what the stream itself says of its profile and level."""
    with av.open(f"file:{released.path.absolute()}", mode="r") as container:
        stream = container.streams.video[0]
        said = bytes(stream.codec_context.extradata or b"")[:4]
    profile, level = (said[1], said[3]) if len(said) == 4 else (0, 0)
    for most, (_, _, whole, parts) in _H264_LEVELS.items():
        if profile == _HIGH_PROFILE and level <= most:
            return parts if in_parts else whole
    raise VideoError(
        f"{released.label} is H.264 of profile {profile}, level {level / 10:.1f}, for which DICOM has no place",
        next_step="run again with --no-dicom",
    )


def _meta(header: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = header.SOPClassUID
    meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION
    meta.ImplementationVersionName = "DEID_AUDIT"
    return meta


def _header(released: SourceVideo, facts: DicomFacts, size: int) -> Dataset:
    """Every element that is written, and no other; types 2 that nobody here knows are empty."""
    case = (facts.case_id, facts.issued_at)
    head = Dataset()
    head.SpecificCharacterSet = "ISO_IR 192"
    head.ImageType = ["DERIVED", "PRIMARY"]
    head.SOPClassUID = VideoEndoscopicImageStorage if facts.endoscopic else VideoPhotographicImageStorage
    head.SOPInstanceUID = _uid(*case, str(facts.number), sha256_file(released.path))
    head.StudyInstanceUID = _uid(*case, "study")
    head.SeriesInstanceUID = _uid(*case, "series")
    head.Modality = "ES" if facts.endoscopic else "XC"
    head.PatientName = head.PatientID = facts.case_id
    for empty in (
        *("StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName", "StudyID"),
        *("PatientBirthDate", "PatientSex", "PatientOrientation"),
    ):
        setattr(head, empty, "")
    head.Manufacturer = head.ManufacturerModelName = "deid-audit"
    head.SoftwareVersions = __version__
    head.PatientIdentityRemoved = "YES"
    head.DeidentificationMethod = ["deid-audit: faces replaced or covered,", "header made anew; see the certificate"]
    head.DeidentificationMethodCodeSequence = Sequence(
        [_code("113100", "DCM", "Basic Application Confidentiality Profile")]
    )
    head.LongitudinalTemporalInformationModified = "REMOVED"
    if facts.text_seen:  # absent says "may or may not", which is what a search that found nothing knows
        head.BurnedInAnnotation = "YES"
    head.SeriesNumber, head.InstanceNumber = 1, facts.number
    head.AcquisitionContextSequence = Sequence([])
    head.AnatomicRegionSequence = Sequence([_code("69536005", "SCT", "Head")])  # a face was found in every release
    _add_times(head, released)
    _add_pixels(head, released, size)
    return head


def _add_times(head: Dataset, released: SourceVideo) -> None:
    """Milliseconds between frames, as far as a decimal says them; the MP4 inside has them exactly."""
    head.NumberOfFrames = released.facts.frame_count
    milliseconds = released.time_base * 1000
    steps = [float((later - earlier) * milliseconds) for earlier, later in pairwise(released.pts)]
    if released.facts.variable_rate:
        head.FrameIncrementPointer = Tag("FrameTimeVector")
        head.FrameTimeVector = ["0", *(_decimal(step) for step in steps)]
    else:
        head.FrameIncrementPointer = Tag("FrameTime")
        head.FrameTime = _decimal(float(1000 / mean_rate(clock_of(released))))


def _add_pixels(head: Dataset, released: SourceVideo, size: int) -> None:
    """PS3.5 8.2.7 fixes most of this for H.264, whatever the stream declares of its own colours."""
    width, height = released.facts.width, released.facts.height
    head.Rows, head.Columns = height, width
    head.SamplesPerPixel, head.PlanarConfiguration = 3, 0
    head.PhotometricInterpretation = "YBR_PARTIAL_420"
    head.BitsAllocated, head.BitsStored, head.HighBit, head.PixelRepresentation = 8, 8, 7, 0
    if released.sample_aspect_ratio not in (Fraction(0), Fraction(1)):
        ratio = released.sample_aspect_ratio
        head.PixelAspectRatio = [ratio.denominator, ratio.numerator]  # vertical, horizontal
    head.LossyImageCompression, head.LossyImageCompressionMethod = "01", "ISO_14496_10"
    head.LossyImageCompressionRatio = f"{3 * width * height * released.facts.frame_count / size:.2f}"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _uid(*parts: str) -> UID:
    """A UID under 2.25 (PS3.5 B.2) from what the release itself says, so that the same case gives the same bytes."""
    return UID(f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, chr(0).join(('deid-audit', *parts))).int}")


def _decimal(value: float) -> str:
    """At most 16 characters, as a decimal string may have."""
    return f"{value:.6f}".rstrip("0").rstrip(".")
