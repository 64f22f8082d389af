"""Commands in processes of their own, as a shell starts them, and what most runs of these tests are given."""

import os
import subprocess
import sys
from pathlib import Path

# Everything is real but the limits: a policy that the short clips can meet.
EASY_POLICY = """
id = "easy"
version = "1"
title = "For tests: what sixty frames and a few steps can meet"

[[rules]]
metric = "identity.to_original.mean"
of = "swapped"
op = "above"
limit = 0.3
why = "a test"
source = "a test"

[[rules]]
metric = "coverage.undecided"
of = "swapped"
op = "at_most"
limit = 0.0
why = "a test"
source = "a test"

[[rules]]
metric = "erasure.complete"
of = "run"
op = "at_least"
limit = 1.0
why = "a test"
source = "a test"
"""


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "deid_audit", *map(str, arguments)]


def deid_audit(*arguments: object, **surrounding: str) -> subprocess.CompletedProcess[str]:
    """The command to its end; `surrounding` are variables of the environment."""
    return subprocess.run(
        command(*arguments), env=os.environ | surrounding, capture_output=True, text=True, check=False, timeout=900
    )


def run_arguments(clips: tuple[Path, Path], out: Path, *more: object) -> tuple[object, ...]:
    return ("run", "--subject", clips[0], "--donor", clips[1], "--out", out, "--iterations", 3, *more)


def easily_released(clips: tuple[Path, Path], folder: Path, **surrounding: str) -> subprocess.CompletedProcess[str]:
    """Case c1 in `folder`/out, by the easy policy."""
    (folder / "easy.toml").write_text(EASY_POLICY)
    asked = ("--policy", folder / "easy.toml", "--case-id", "c1", "--profile", "--json")
    return deid_audit(*run_arguments(clips, folder / "out", *asked), **surrounding)
