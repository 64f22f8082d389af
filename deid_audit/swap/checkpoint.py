"""A checkpoint of training as bytes: all of its state, and what it was made with, into and out of an encrypted stream.

Knows neither files nor keys, and decides nothing: who may go on with it is the caller's.
"""

import hmac
from collections.abc import Mapping
from dataclasses import asdict, fields
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import torch

from deid_audit.errors import SettingsError
from deid_audit.swap.augment import FaceSet
from deid_audit.swap.networks import Side
from deid_audit.swap.prior import FacePrior
from deid_audit.swap.train import ProbeReading, TrainState

Binding = Mapping[str, str]
"""What a training was made with, by name: settings, versions, digests of its inputs."""


def save_state(state: TrainState, binding: Binding, stream: BinaryIO) -> None:
    """Writes both to a stream that encrypts; no copy of the tensors is made on a CPU."""
    content = {one.name: getattr(state, one.name) for one in fields(state)}
    content["readings"] = [asdict(reading) for reading in state.readings]
    torch.save({"binding": dict(binding), "state": content}, stream)


def load_state(stream: BytesIO) -> tuple[TrainState, Binding]:
    """What `save_state` wrote, in memory of the host; the plaintext of the stream is overwritten.

    Raises:
        SettingsError: another version wrote it.
    """
    content = torch.load(stream, map_location="cpu", weights_only=True)
    stream.getbuffer()[:] = bytes(stream.getbuffer().nbytes)
    state: dict[str, Any] = content["state"]
    if set(state) != {one.name for one in fields(TrainState)}:
        raise SettingsError(
            "the checkpoint was made by another version of deid-audit",
            next_step="go on with the version that began it, or delete checkpoint and key file and begin anew",
        )
    state["readings"] = tuple(
        ProbeReading(**(reading | {"lacking": tuple(reading["lacking"])})) for reading in state["readings"]
    )
    return TrainState(**state), content["binding"]


def faces_digest(faces: Mapping[Side, FaceSet], priors: Mapping[Side, FacePrior], key: bytes) -> str:
    """Hex HMAC-SHA-256 (RFC 2104) of everything that training sees of the two: crops, chances, mean faces."""
    digest = hmac.new(key, digestmod="sha256")
    for side in sorted(faces):
        shown = faces[side]
        for array in (shown.planes.cpu().numpy(), shown.chances.cpu().numpy(), *priors[side].arrays()):
            digest.update(f"{side} {array.dtype} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
