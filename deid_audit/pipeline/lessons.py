"""What the run and the process that trains its models say to each other, in the order in which they say it.

For each model: Lesson ->, <- Prepared, Begin ->, <- Planned, then Advanced, Noted and checkpoints until <- Learned,
Seal ->, <- the model's ciphertext, <- Wiped. A checkpoint and a model come as Ciphertext, piece by piece, and Sealed.
An error comes as `channel.Failed` in place of any of them.
"""

from dataclasses import dataclass
from pathlib import Path

from deid_audit.findings import ErasedArtefact
from deid_audit.pipeline.cast import Material
from deid_audit.swap.checkpoint import Binding
from deid_audit.swap.reuse import Weights
from deid_audit.swap.train import ProbeReading


@dataclass(frozen=True, slots=True, kw_only=True)
class Classroom:
    """Said once, first of all: the torch device and the number of its threads, which a model's bits depend on."""

    device: str
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Lesson:
    """All that one model is trained from; `digest_key` is for the digest of what training sees, where it is wanted."""

    who: tuple[str, str]
    own: Material
    given: Material
    preset: str
    face_px: float
    seconds: float
    iterations: int | None
    seed: int
    start: Weights | None
    digest_key: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The faces are ready: what was made of them, in numbers."""

    swap_px: int
    probe_faces: int
    faces_digest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """Go; `binding` asks for checkpoints, which carry it, and `checkpoint` is the encrypted file to go on from."""

    binding: Binding | None = None
    checkpoint: Path | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """How many steps there will be at most."""

    steps: int


@dataclass(frozen=True, slots=True)
class Advanced:
    """So many steps more are done."""

    steps: int


@dataclass(frozen=True, slots=True)
class Noted:
    """What the probe has just seen, in a few words."""

    text: str


@dataclass(frozen=True, slots=True)
class Checkpointed:
    """A checkpoint's ciphertext follows."""


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """A piece of a file."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """The file is whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """How training went (`swap.train.Trained`), without the model."""

    steps: int
    planned_steps: int
    probe_every: int
    seconds: float
    readings: tuple[ProbeReading, ...]
    cuda_graphs: bool


@dataclass(frozen=True, slots=True)
class Seal:
    """Send the model, encrypted with this bound in."""

    context: bytes


@dataclass(frozen=True, slots=True)
class Wiped:
    """What was held in memory for this lesson, and has been overwritten."""

    held: tuple[ErasedArtefact, ...]
