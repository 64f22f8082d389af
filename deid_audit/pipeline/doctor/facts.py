"""What only a loaded library can say about this machine; runs in the worker, and gives plain values to be judged.

Each task imports what it looks at inside itself: a broken library spoils its own task and no other.
"""
# ruff: noqa: PLC0415

import importlib
from pathlib import Path
from typing import Any


def load(module: str) -> None:
    """Imports one library."""
    importlib.import_module(module)


def device() -> dict[str, Any]:
    """What `--device auto` is here, and what torch sees of CUDA."""
    from deid_audit.swap.convert import cuda_facts, pick_device

    return {"chosen": pick_device("auto"), **cuda_facts()}


def preset(device: str) -> str:
    """What `--preset auto` is on that device for a face of ordinary size."""
    from deid_audit.pipeline.training import DEFAULT_SECONDS, choose_preset

    return choose_preset("auto", device, 120.0, DEFAULT_SECONDS)[0]


def codecs() -> dict[str, Any]:
    """Whether released videos can be written, and which codecs can be read."""
    from deid_audit.video.codecs import decoders_present, encoder_present

    return {"encodes": encoder_present(), "decodes": decoders_present()}


def text_libraries() -> dict[str, Any]:
    """What lays out a certificate's text."""
    from deid_audit.certificate.readiness import text_libraries as look

    return look()


def protection() -> dict[str, Any]:
    """What guards the vault: the limits as this process got them, what it could set for itself, and the key's page."""
    from deid_audit.vault import protect_process
    from deid_audit.vault.key import SecretKey
    from deid_audit.vault.process import process_facts

    before = process_facts()
    after = protect_process()
    key = SecretKey()
    key.overwrite()
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8", errors="replace").strip()
    return {"before": before, "after": after, "core_pattern": pattern, "key_storage": key.storage}
