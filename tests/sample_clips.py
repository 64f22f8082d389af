"""The real clips that tests marked `samples` run on; they are not part of the project and may be absent."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
SAMPLES = Path(os.environ.get("DEID_AUDIT_SAMPLES", _ROOT.parent / "shared" / "samples"))


def sample(name: str) -> Path:
    """Path of one clip; skips the running test, saying so, when it is not there."""
    path = SAMPLES / name
    if not path.exists():
        pytest.skip(f"no real clip {name}: set DEID_AUDIT_SAMPLES to the folder that holds it")
    return path
