"""What differs between a CPU and a GPU."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import nn


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


def make_quick(device: torch.device) -> None:
    """For training on a GPU: TensorFloat-32, and kernels that are chosen by timing."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cuda.matmul.allow_tf32 = True


def to_device(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy ``array`` to ``device``; to a GPU through pinned memory, without waiting."""
    tensor = torch.from_numpy(array)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


ALIGNMENT = 64
"""Bytes; torch's own allocations are aligned so."""


def align(module: nn.Module) -> None:
    """Bring weights read from a file to aligned memory.

    Where a file's reader happened to put a tensor decides which vector instructions add it up, and
    so its last bits: two workers with the same weights would write different files.
    """
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.device.type == "cpu" and tensor.data_ptr() % ALIGNMENT:
            tensor.data = tensor.data.clone()


def tune(pipeline: Any) -> None:
    """Make the networks of a pipeline quick on the device that it is on; pixels change by rounding.

    Channels go last, as convolutions on tensor cores want them, and on a CPU those of oneDNN. On a
    GPU the networks that are called often are compiled for each shape that comes, into CUDA graphs.
    Those hold the addresses of the weights: from then on weights are changed by writing to them,
    never by replacing them (:class:`adabldm.branches.swapper.Swapper` does so).
    """
    for network in (pipeline.unet, pipeline.controlnet, pipeline.vae):
        network.to(memory_format=torch.channels_last)
    if pipeline.device.type == "cuda":
        # Where there is no compiler, a network is called as it is.
        torch._dynamo.config.suppress_errors = True
        compile_networks(pipeline, mode="reduce-overhead")


def compile_networks(pipeline: Any, **how: Any) -> None:
    """Compile the networks that every step calls; ``how`` as in :func:`torch.compile`.

    A copy of a network, as stage 3 trains one, is not compiled.
    """
    for network in (pipeline.unet, pipeline.controlnet, pipeline.vae.decoder):
        network.compile(dynamic=False, **how)


def is_compiled(network: nn.Module) -> bool:
    """Whether :func:`compile_networks` has been there."""
    return network._compiled_call_impl is not None


def uncompiled() -> AbstractContextManager[Any]:
    """Call compiled networks as they are, for shapes that do not come again."""
    return torch.compiler.set_stance("force_eager") if torch.cuda.is_available() else nullcontext()


def begin_step(device: torch.device) -> None:
    """Tell CUDA graphs that what they gave in the step before may be overwritten."""
    if device.type == "cuda":
        torch.compiler.cudagraph_mark_step_begin()


def half_type(device: torch.device) -> torch.dtype | None:
    """The half precision in which ``device`` multiplies quickly, or None: bfloat16 on a GPU since
    Ampere, float16 on an older one, none on a CPU."""
    if device.type != "cuda":
        return None
    bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.bfloat16 if bfloat16 else torch.float16


def half_precision(device: torch.device) -> AbstractContextManager[Any]:
    """Within it convolutions and matrix products are in :func:`half_type`."""
    chosen = half_type(device)
    return nullcontext() if chosen is None else torch.autocast(device.type, dtype=chosen)
