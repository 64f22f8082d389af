"""DICOM objects made by code: videos encapsulated, or frames one by one, with something secret in every element."""

from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, ExplicitVRLittleEndian, VideoEndoscopicImageStorage

SECRET = "SECRETVALUE"
SECRET_UID = "1.2.826.0.1.3680043.8.498.99999999999"


def header(*, frames: int, size: tuple[int, int] = (96, 64), syntax: str, frame_time: str | None = "40") -> Dataset:
    """An endoscope's header: names, dates, UIDs, a nested sequence and private elements, all of them findable."""
    head = Dataset()
    head.file_meta = FileMetaDataset()
    head.file_meta.TransferSyntaxUID = UID(syntax)
    head.SOPClassUID = VideoEndoscopicImageStorage
    head.SOPInstanceUID, head.StudyInstanceUID = f"{SECRET_UID}.1", f"{SECRET_UID}.2"
    head.SeriesInstanceUID, head.FrameOfReferenceUID = f"{SECRET_UID}.3", f"{SECRET_UID}.4"
    head.PatientName, head.PatientID = f"{SECRET}^Name", f"{SECRET}-id"
    head.OtherPatientIDs, head.PatientComments = f"{SECRET}-other", f"{SECRET} comments"
    head.PatientBirthDate, head.StudyDate, head.StudyTime = "19010203", "19040506", "070809"
    head.InstitutionName, head.ReferringPhysicianName = f"{SECRET} hospital", f"{SECRET}^Referrer"
    head.StudyDescription, head.StationName, head.DeviceSerialNumber = f"{SECRET} s", f"{SECRET}", f"{SECRET}-sn"
    nested = Dataset()
    nested.CodeValue, nested.CodingSchemeDesignator, nested.CodeMeaning = SECRET, "99X", f"{SECRET} nested"
    head.ProcedureCodeSequence = Sequence([nested])
    block = head.private_block(0x0099, f"{SECRET} CREATOR", create=True)
    block.add_new(0x01, "LO", f"{SECRET} private")
    block.add_new(0x02, "OB", f"{SECRET}-bytes!".encode())
    head.Rows, head.Columns, head.NumberOfFrames = size[1], size[0], frames
    head.SamplesPerPixel, head.PlanarConfiguration, head.PhotometricInterpretation = 3, 0, "RGB"
    head.BitsAllocated, head.BitsStored, head.HighBit, head.PixelRepresentation = 8, 8, 7, 0
    if frame_time is not None:
        head.FrameTime = frame_time
    return head


def encapsulated(path: Path, stream: bytes, head: Dataset, *, pieces: int = 1) -> Path:
    """`stream` as the pixel data, in so many fragments."""
    no_offsets = b"\xfe\xff\x00\xe0\0\0\0\0"
    even = stream + b"\0" * (len(stream) % 2)
    head.PixelData = encapsulate([even], fragments_per_frame=pieces, has_bot=False) if stream else no_offsets
    head["PixelData"].VR = "OB"
    head["PixelData"].is_undefined_length = True
    head.save_as(path, enforce_file_format=True)
    return path


def uncompressed(path: Path, pictures: list[np.ndarray], **changes: object) -> Path:
    """Frames uint8 (H, W, 3), as they are; `changes` are elements of the header."""
    height, width = pictures[0].shape[:2]
    head = header(frames=len(pictures), size=(width, height), syntax=ExplicitVRLittleEndian)
    for keyword, value in changes.items():
        setattr(head, keyword, value)
    data = b"".join(np.ascontiguousarray(one).tobytes() for one in pictures)
    head.PixelData = data + b"\0" * (len(data) % 2)
    head["PixelData"].VR = "OB"
    head.save_as(path, enforce_file_format=True)
    return path
