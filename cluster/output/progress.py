"""How far the driver of an output is, told by itself in a file beside the index's log."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Literal

from adabldm.core.json_text import load_json
from cluster.output.index import FOLDER
from cluster.storage.doubt import believed
from cluster.storage.location import Location

FILE = f"{FOLDER}/_progress.json"
"""Delta Lake passes over names that begin with an underscore."""
MAX_BYTES = 1 << 20
State = Literal["running", "finished", "stopped"]


@dataclass(frozen=True, kw_only=True)
class RunProgress:
    """What a driver knew at ``updated`` (seconds since 1970): requests of its manifest that are
    ``pending``, its ``rate`` in requests/s, what each of its ``workers`` has done, the last
    ``failures`` (id and reason), and how it stands; ``reason`` is why it stopped. All runs on the
    output have taken ``worker_hours`` and cost ``cost`` so far (None: there is no price)."""

    updated: float
    pending: int
    state: State
    rate: float | None = None
    reason: str | None = None
    workers: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[Mapping[str, str]] = ()
    worker_hours: float = 0.0
    cost: float | None = None


def write_progress(output: Location, progress: RunProgress) -> None:
    """Tell it; a store that takes it not now is told the next time."""
    with suppress(OSError):
        output.join(FILE).write(json.dumps(asdict(progress)).encode())


def read_progress(output: Location, *, surely: bool = False) -> RunProgress | None:
    """What was told last, None if nothing was, or nothing that can be read.

    ``surely`` asks a store that is away, denies or gives another's page again, for about 25 s.
    """
    place = output.join(FILE)

    def look() -> RunProgress:
        return RunProgress(**load_json(place.read(MAX_BYTES)))

    try:
        return believed(place, look) if surely else look()
    except (OSError, ValueError, TypeError):
        return None
