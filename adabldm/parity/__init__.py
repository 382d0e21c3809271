"""Replay a recording of the authors' program and compare every quantity with it.

Offers ``replay``; :class:`~adabldm.parity.recording.Recording` says what a recording is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from adabldm.parity.comparison import Comparison
from adabldm.parity.generation import generation
from adabldm.parity.mask_building import mask_building
from adabldm.parity.recording import (
    MASK_BUILDING,
    UNIT_CALLS,
    Recording,
    RecordingFault,
    missing_parts,
)
from adabldm.parity.unit_calls import unit_calls

__all__ = ["Comparison", "RecordingFault", "missing_parts", "replay"]


def replay(folder: Path) -> Iterator[Comparison]:
    """Compare with the recording in ``folder``, in the order of the method; its
    :func:`missing_parts` are left out.

    Raises :class:`RecordingFault` and :class:`~adabldm.networks.formats.CheckpointFault`.
    """
    recording = Recording.open(folder)
    networks = recording.networks
    with _threads(recording.meta.get("threads", 1)):
        if recording.has(MASK_BUILDING):
            yield from mask_building(recording.tensors(MASK_BUILDING))
        if recording.has(UNIT_CALLS):
            yield from unit_calls(networks, recording.tensors(UNIT_CALLS))
        for run, facts in recording.meta["runs"].items():
            yield from generation(networks, run, facts, recording.tensors(run))


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
