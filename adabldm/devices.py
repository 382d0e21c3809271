"""What differs between a CPU and a GPU."""

from __future__ import annotations

import numpy as np
import torch


def make_repeatable(device: torch.device) -> None:
    """Make results a function of the inputs' values and shapes alone, in full float32.

    On a CPU one thread, so that sums are taken in one order whatever the machine's cores; on a GPU
    deterministic kernels, none chosen by timing, and no TensorFloat-32.
    """
    if device.type == "cpu":
        torch.set_num_threads(1)
        return
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy ``array`` to ``device``; to a GPU through pinned memory, without waiting."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


ALIGNMENT = 64
"""Bytes; torch's own allocations are aligned so."""


def align(module: torch.nn.Module) -> None:
    """Bring weights read from a file to aligned memory.

    Where a file's reader happened to put a tensor decides which vector instructions add it up, and
    so its last bits: two workers with the same weights would write different files.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.device.type == "cpu" and tensor.data_ptr() % ALIGNMENT:
            tensor.data = tensor.data.clone()
