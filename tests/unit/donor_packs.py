"""A donor's pack made of nothing that was seen: random crops and weights of the right shapes."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from deid_audit.faces.choose import features_of
from deid_audit.findings import VideoFacts, VideoInventory
from deid_audit.frames import AlignedFace, Float
from deid_audit.pipeline.cast import PORTRAIT_PX, Material
from deid_audit.pipeline.donor_pack import Manifest, PackedVideo, arrays_of, write_pack
from deid_audit.swap.reuse import shapes_of
from tests.unit.made_faces import made_layout

FACES = 40
SIZE = 80  # of micro64's crops, a quarter wider than its 64 px


def facts(label: str = "donor video 1") -> VideoFacts:
    inventory = VideoInventory(audio_streams=0, subtitle_streams=0, data_streams=0, metadata_keys=())
    return VideoFacts(
        label=label, keyed_digest="", width=64, height=48, frame_count=60, duration_s=2.4, time_base="1/12800",
        variable_rate=False, rotation=0, codec="h264", inventory=inventory,
    )  # fmt: skip


def material(seed: int = 0, faces: int = FACES, portraits: int = 3) -> Material:
    """Noise in the outlines of a drawn face, each with its landmarks a little elsewhere."""
    chance = np.random.default_rng(seed)

    def shares(size: int) -> Float:
        """As drawn masks are: in steps of a byte."""
        return chance.integers(0, 256, (size, size)).astype(np.float32) / 255

    def face(at: int, size: int) -> AlignedFace:
        return AlignedFace(
            frame_index=at,
            crop_rgb=chance.integers(0, 256, (size, size, 3), np.uint8),
            mask=shares(size),
            frame_to_crop=np.eye(2, 3),
            layout_xy=made_layout(lips=0.001 * at) + chance.normal(0, 0.001, (478, 2)).astype(np.float32),
        )

    crops = [face(at, SIZE) for at in range(faces)]
    return Material(
        crops=crops,
        portraits=[face(at, PORTRAIT_PX) for at in range(portraits)],
        attention=[shares(SIZE) for _ in range(faces)],
        features=features_of(crops),
        probe=[],
        descriptors=chance.random((faces, 128), np.float32),
    )


def pack_at(path: Path, *, seed: int = 0, faces: int = FACES, average: Any = None, **changes: Any) -> Manifest:
    """Writes a pack of random content; `changes` are keys of the manifest."""
    chance = np.random.default_rng(seed + 1)
    weights = {name: chance.random(shape, np.float32) for name, shape in shapes_of("micro64").items()}
    average = chance.random(128, np.float32) if average is None else average
    arrays = arrays_of(material(seed, faces), average, chance.random((9, 128), np.float32), weights)
    said: dict[str, Any] = {
        "tool_version": "0.1.0", "created": "2026-01-02T03:04:05+00:00", "preset": "micro64", "seed": 0, "steps": 3,
        "training_seconds": 0.5, "device": "cpu", "threads": 1, "licence": "CC0", "consent": None,
        "videos": (PackedVideo(sha256="ab" * 32, facts=facts()),),
    }  # fmt: skip
    return write_pack(path, arrays, **said | changes)


def rewritten(path: Path, *, manifest: Callable[[dict[str, Any]], object] = bool, parts: Any = None) -> None:
    """Another zip in its place: the manifest after a change, and some parts replaced, added or (None) left out."""
    with zipfile.ZipFile(path) as pack:
        content = {name: pack.read(name) for name in pack.namelist()}
    said = json.loads(content["manifest.json"])
    manifest(said)
    content["manifest.json"] = json.dumps(said).encode()
    content |= parts or {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as pack:
        for name, data in content.items():
            if data is not None:
                pack.writestr(name, data)
