"""Arrays to torch's device: to a GPU through page-locked memory, so that nobody waits for the copy."""

from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor


def on_device(array: NDArray[Any], device: torch.device | str) -> Tensor:
    """The array, contiguous, as a tensor on a device.

    On CUDA the call comes back before the copy is made: what comes next is prepared beside it. On a CPU the tensor
    shares the array's memory.
    """
    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
