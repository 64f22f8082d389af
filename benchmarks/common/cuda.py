"""What the benchmarks for a GPU begin with."""

import sys

from deid_audit.swap.convert import cuda_facts, prepare_runtime
from deid_audit.vision.native_output import silence_native_stderr


def prepared_gpu() -> dict[str, str | int | None]:
    """The GPU's facts, torch made ready for it; without one it says so and ends the process."""
    silence_native_stderr()
    facts = cuda_facts()
    if facts["name"] is None:
        print("not run on a GPU: torch finds no CUDA device here")
        sys.exit(0)
    prepare_runtime("cuda")
    return facts
