"""A donor's pack: one uncompressed zip file with a manifest that a person can read and one plain array a part.

It holds the donor only. Every part's sha256 stands in the manifest and is checked when the pack is read; that shows
damage, not who made the pack. Arrays are read by their header and never unpickled. Training is not done here.
"""

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray
from pydantic import Field, ValidationError

from deid_audit.digests import sha256_bytes, sha256_stream
from deid_audit.errors import PackError
from deid_audit.faces.choose import features_of
from deid_audit.faces.subject import MINIMUM_FACES
from deid_audit.findings import Strict, VideoFacts
from deid_audit.frames import AlignedFace, Float
from deid_audit.pipeline.cast import PORTRAIT_PX, Material
from deid_audit.settings import Words
from deid_audit.swap.augment import CROP_MARGIN
from deid_audit.swap.networks import PRESETS
from deid_audit.swap.reuse import shapes_of
from deid_audit.video.stores import url_of

METHOD_TEXT = (
    "The donor came from a pack: face crops, descriptors, and the weights that training began from. That it was made "
    "from videos of the donor alone, and what it says of licence and consent, is its maker's word; its digests show "
    "damage, not who made it."
)
PACK_VERSION = 2
MANIFEST = "manifest.json"
_KIND = "deid-audit donor pack"
_MAGIC = b"PK"
_LONGEST_MANIFEST = 1 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no time of the machine in the file; the manifest says when
_AGAIN = "get the pack again from where it came, or prepare it anew: deid-audit donor prepare"
Array = NDArray[Any]
Shape = tuple[int | None, ...]


class Part(Strict):
    """One array of the pack, as a .npy file inside it."""

    sha256: str
    size_bytes: int


class PackedVideo(Strict):
    """One donor video that the pack was made from."""

    sha256: str
    facts: VideoFacts


class Manifest(Strict):
    """What the pack says of itself; `licence` and `consent` are its maker's words, None where nothing was said."""

    kind: str
    pack_version: int
    tool_version: Words
    created: Words
    preset: str
    seed: int
    steps: int
    training_seconds: float
    device: Words
    threads: int
    faces: int
    licence: Words | None
    consent: Words | None
    videos: tuple[PackedVideo, ...] = Field(min_length=1)
    parts: dict[str, Part]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DonorPack:
    """A pack that was read and found whole; `sha256` is of the file, `around` describes what surrounds the face."""

    manifest: Manifest
    sha256: str
    material: Material
    average: Float
    around: Float
    weights: Mapping[str, NDArray[np.float32]]


def is_pack(path: Path) -> bool:
    """Whether the file begins as a pack does; False where it cannot be read, which is said by who opens it.

    Raises:
        PackError: it is at a URL, by its name.
    """
    if path.suffix == ".pack" and url_of(path) is not None:
        raise PackError("a donor's pack is at a URL", next_step="copy the pack to this machine; videos may be at URLs")
    try:
        with path.open("rb") as stream:
            return stream.read(len(_MAGIC)) == _MAGIC
    except OSError:
        return False


def arrays_of(
    material: Material, average: Float, around: Float, weights: Mapping[str, NDArray[np.float32]]
) -> dict[str, Array]:
    """Everything that goes into a pack, by the name of its part."""
    return {
        "faces/crops": np.stack([face.crop_rgb for face in material.crops]),
        "faces/masks": _bytes(np.stack([face.mask for face in material.crops])),
        "faces/attention": _bytes(np.stack(material.attention)),
        "faces/features": material.features,
        "portraits/crops": np.stack([face.crop_rgb for face in material.portraits]),
        "portraits/masks": _bytes(np.stack([face.mask for face in material.portraits])),
        "portraits/features": features_of(material.portraits),
        "faces/descriptors": material.descriptors,
        "faces/average": average,
        "faces/around": around,
        **{f"weights/{name}": array for name, array in weights.items()},
    }


def write_pack(path: Path, arrays: Mapping[str, Array], **facts: Any) -> Manifest:
    """Writes the parts and the manifest that lists them; `facts` are the manifest's other keys."""
    parts: dict[str, Part] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as pack:
        for name, array in arrays.items():
            stream = io.BytesIO()
            np.save(stream, np.ascontiguousarray(array), allow_pickle=False)
            data = stream.getvalue()
            _add(pack, f"{name}.npy", data)
            parts[f"{name}.npy"] = Part(sha256=sha256_bytes(data), size_bytes=len(data))
        manifest = Manifest(
            kind=_KIND, pack_version=PACK_VERSION, faces=len(arrays["faces/crops"]), parts=parts, **facts
        )
        _add(pack, MANIFEST, (manifest.model_dump_json(indent=2) + "\n").encode())
    return manifest


def _add(pack: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    pack.writestr(entry, data)


def read_pack(path: Path) -> DonorPack:
    """Reads a pack whole and checks every part; opens the file for reading only.

    Raises:
        PackError: it is damaged, cut off, of another version, or holds what it must not or lacks what it must hold.
    """
    try:
        with path.open("rb") as stream:
            sha256 = sha256_stream(stream)
            stream.seek(0)
            return _read(stream, sha256)
    except OSError as error:
        why = error.strerror or "input/output error"
        raise PackError(f"the donor's pack cannot be read: {why}", next_step="check --donor") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise _damaged("it is cut off or changed") from error


def _read(stream: BinaryIO, sha256: str) -> DonorPack:
    with zipfile.ZipFile(stream) as pack:
        entries = {entry.filename: entry for entry in pack.infolist()}
        if MANIFEST not in entries or entries[MANIFEST].file_size > _LONGEST_MANIFEST:
            raise PackError("the file is no donor's pack: it has no manifest", next_step=_AGAIN)
        manifest = _manifest(pack.read(MANIFEST))
        if len(entries) != len(pack.infolist()) or set(entries) != {MANIFEST, *manifest.parts}:
            raise _damaged("its parts are not those of its manifest")
        data: dict[str, bytes] = {}
        for name, part in manifest.parts.items():
            entry = entries[name]
            if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != part.size_bytes:
                raise _damaged(f"{name} has not the size that its manifest states")
            data[name] = pack.read(name)
            if sha256_bytes(data[name]) != part.sha256:
                raise _damaged(f"{name} has not the sha256 that its manifest states")
    return _unpacked(manifest, sha256, data)


def _manifest(data: bytes) -> Manifest:
    """The version is looked at first: of another one nothing else need be understood."""
    found = json.loads(data)
    if not isinstance(found, dict) or found.get("kind") != _KIND:
        raise PackError("the file is no donor's pack: its manifest says something else", next_step=_AGAIN)
    version = found.get("pack_version")
    if version != PACK_VERSION:
        raise PackError(
            f"the donor's pack has version {version if isinstance(version, int) else 'unknown'}, "
            f"expected {PACK_VERSION}",
            next_step="prepare it anew with this version: deid-audit donor prepare",
        )
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise _damaged(f"its manifest does not hold at {place}") from None
    if manifest.preset not in PRESETS:
        raise PackError("the donor's pack is of a preset that this version does not know", next_step=_AGAIN)
    return manifest


def _unpacked(manifest: Manifest, sha256: str, data: Mapping[str, bytes]) -> DonorPack:
    count, size = manifest.faces, round(PRESETS[manifest.preset].size * CROP_MARGIN)
    weights = {f"weights/{name}": shape for name, shape in shapes_of(manifest.preset).items()}
    expected: dict[str, tuple[DTypeLike, Shape]] = {
        "faces/crops": (np.uint8, (count, size, size, 3)),
        "faces/masks": (np.uint8, (count, size, size)),
        "faces/attention": (np.uint8, (count, size, size)),
        "faces/features": (np.float32, (count, 956)),
        "portraits/crops": (np.uint8, (None, PORTRAIT_PX, PORTRAIT_PX, 3)),
        "portraits/masks": (np.uint8, (None, PORTRAIT_PX, PORTRAIT_PX)),
        "portraits/features": (np.float32, (None, 956)),
        "faces/descriptors": (np.float32, (None, 128)),
        "faces/average": (np.float32, (128,)),
        "faces/around": (np.float32, (None, 128)),
        **{name: (np.float32, shape) for name, shape in weights.items()},
    }
    if {f"{name}.npy" for name in expected} != set(data) or count < MINIMUM_FACES:
        raise _damaged("it has not the parts that a run needs")
    arrays = {name: _array(f"{name}.npy", data[f"{name}.npy"], *what) for name, what in expected.items()}
    if not all(
        np.isfinite(arrays[name]).all() for name in (*weights, "faces/features", "portraits/features", "faces/average")
    ):
        raise _damaged("it holds what is no number")
    return DonorPack(
        manifest=manifest,
        sha256=sha256,
        material=_material(arrays),
        average=arrays["faces/average"],
        around=arrays["faces/around"],
        weights={name.removeprefix("weights/"): arrays[name] for name in weights},
    )


def _array(name: str, data: bytes, dtype: DTypeLike, shape: Shape) -> Array:
    """The array, if its header states this type and shape; no other is ever built."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
        stated, by_columns, found = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    except Exception as error:  # a header that was made to confuse the parser, which raises what Python's own does
        raise _damaged(f"{name} is of another form") from error
    if version != (1, 0):
        raise _damaged(f"{name} is of another form")
    fits = len(stated) == len(shape) and all(want in (None, have) for want, have in zip(shape, stated, strict=True))
    if not fits or by_columns or found != np.dtype(dtype):
        raise _damaged(f"{name} has not the shape that its preset asks for")
    return np.frombuffer(data, dtype, offset=stream.tell()).reshape(stated).copy()


def _material(arrays: Mapping[str, Array]) -> Material:
    return Material(
        crops=_faces(arrays, "faces"),
        portraits=_faces(arrays, "portraits"),
        attention=list(_shares(arrays["faces/attention"])),
        features=arrays["faces/features"],
        probe=[],
        descriptors=arrays["faces/descriptors"],
    )


def _faces(arrays: Mapping[str, Array], kind: str) -> list[AlignedFace]:
    crops, masks, features = (arrays[f"{kind}/{name}"] for name in ("crops", "masks", "features"))
    if not 0 < len(crops) == len(masks) == len(features):
        raise _damaged(f"its {kind} do not belong together")
    return [
        AlignedFace(frame_index=at, crop_rgb=crop, mask=mask, frame_to_crop=np.eye(2, 3), layout_xy=row.reshape(-1, 2))
        for at, (crop, mask, row) in enumerate(zip(crops, _shares(masks), features, strict=True))
    ]


def _bytes(shares: Float) -> NDArray[np.uint8]:
    return (shares * 255 + 0.5).astype(np.uint8)


def _shares(levels: Array) -> Float:
    """As masks are when they are drawn, so that training and the mean face see the same as without a pack."""
    return levels.astype(np.float32) / 255


def _damaged(why: str) -> PackError:
    return PackError(f"the donor's pack is damaged: {why}", next_step=_AGAIN)
