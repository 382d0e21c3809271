"""What ``adabldm generate`` is told in words, as values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from adabldm.core.faults import InputFault

if TYPE_CHECKING:
    from cluster.generate.budget import Budget
    from cluster.generate.compute_batch import ComputeBatch

BATCH_SIZE = 4


def parse_workers(text: str) -> tuple[int, int]:
    """``MIN:MAX`` or one number for both. Raises :class:`InputFault`."""
    least, _, most = text.partition(":")
    try:
        pair = int(least), int(most or least)
    except ValueError:
        pair = 0, 0
    if not 1 <= pair[0] <= pair[1]:
        raise InputFault.of("--workers", text, "must be MIN:MAX with 1 <= MIN <= MAX")
    return pair


def parse_budget(price: float | None, max_hours: float | None, max_cost: float | None) -> Budget:
    """Raises :class:`InputFault`."""
    from cluster.generate.budget import Budget

    for name, value in (("--max-hours", max_hours), ("--max-cost", max_cost)):
        if value is not None and not 0 < value < math.inf:
            raise InputFault.of(name, value, "must be a finite number above 0")
    if max_cost is not None and not price:
        raise InputFault.of("--max-cost", max_cost, "needs --price, that of a worker's hour")
    return Budget(price=price, max_hours=max_hours, max_cost=max_cost)


def parse_shards(shards: int | None) -> int | None:
    """Raises :class:`InputFault`."""
    from cluster.output.paths import MOST_SHARDS

    if shards is not None and not 0 <= shards <= MOST_SHARDS:
        raise InputFault.of("--shards", shards, f"must be in 0..{MOST_SHARDS}")
    return 0 if shards == 1 else shards


def parse_batch_size(text: str, *, gpu: bool) -> tuple[int, ComputeBatch]:
    """The batch size, and how much of it is computed together: on a GPU all of it, or with ``auto``
    what fits; on a CPU it is left to the pipeline. Raises :class:`InputFault`."""
    from cluster.generate.compute_batch import AUTO, AUTO_BATCH_SIZE

    if text == AUTO:
        return (AUTO_BATCH_SIZE, AUTO) if gpu else (BATCH_SIZE, None)
    try:
        batch_size = int(text)
    except ValueError:
        raise InputFault.of("--batch-size", text, "must be a whole number, or auto") from None
    if batch_size < 1:
        raise InputFault.of("--batch-size", batch_size, "must be 1 or more")
    return batch_size, batch_size if gpu else None


def parse_keep(text: str, *, judged: bool) -> tuple[str, ...]:
    """Names separated by commas. Raises :class:`InputFault`."""
    from cluster.generate.protocol import KEPT, REJECTED

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in KEPT:
            raise InputFault.of("--keep", name, f"must be among {', '.join(KEPT)}")
        if name == REJECTED and not judged:
            raise InputFault.of("--keep", name, "is for pairs that are judged")
    return tuple(name for name in KEPT if name in names)
