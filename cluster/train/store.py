"""What a training writes, under any URI: checkpoints, log, sheets, TensorBoard events, results."""

from __future__ import annotations

import json
import re
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from adabldm.core.images import encode_png
from cluster.storage.location import Location
from cluster.storage.whole_files import write_whole

if TYPE_CHECKING:
    import torch

CHECKPOINTS, SHEETS, EVENTS = "checkpoints", "sheets", "events"
LOG, RESULT = "log.jsonl", "result.safetensors"
KEPT = 2
"""Checkpoints that are kept."""
_CHECKPOINT = re.compile(r"step-(\d{8})\.pt\Z")


class PhaseStore:
    """The folder of one phase; see :class:`adabldm.training.loop.CheckpointStore` and
    :class:`adabldm.training.small_model.ResultStore`.

    A checkpoint has its name only once it is whole, so whatever was killed, the last one is good.
    """

    def __init__(self, folder: Location) -> None:
        self.folder = folder
        self._lines: list[str] | None = None
        self._events: _Events | None = None

    def checkpoints(self) -> dict[int, Location]:
        """The checkpoints that are there, by step."""
        place = self.folder.join(CHECKPOINTS)
        found = ((name, _CHECKPOINT.match(name)) for name in place.files())
        return {int(match[1]): place.join(name) for name, match in sorted(found) if match}

    def load(self) -> dict[str, Any] | None:
        import torch

        found = self.checkpoints()
        if not found:
            return None
        last = found[max(found)]
        with last.fs.open(last.path, "rb") as file:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        return state

    def save(self, step: int, state: dict[str, Any]) -> None:
        import torch

        with write_whole(self.folder.join(f"{CHECKPOINTS}/step-{step:08d}.pt")) as file:
            torch.save(state, file)
        found = self.checkpoints()
        for old in sorted(found)[:-KEPT]:
            found[old].remove()

    def log_lines(self) -> list[str]:
        """What was logged, a JSON object a line. Raises ``OSError``."""
        place = self.folder.join(LOG)
        return place.read().decode().splitlines() if place.exists() else []

    def log(self, step: int, facts: dict[str, float]) -> None:
        if self._lines is None:
            self._lines = self.log_lines()
        self._lines.append(json.dumps({"time": round(time.time(), 1), "step": step, **facts}))
        self.folder.join(LOG).write(("\n".join(self._lines) + "\n").encode())
        self._events = self._events or _Events(self.folder.join(EVENTS))
        self._events.scalars(step, facts)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        self.folder.join(f"{SHEETS}/step-{step:08d}.png").write(encode_png(pixels))

    def finish(self, weights: dict[str, torch.Tensor]) -> None:
        """Keep what the phase has made; its checkpoints are not needed any more."""
        from safetensors.torch import save

        plain = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        with write_whole(self.folder.join(RESULT)) as file:
            file.write(save(plain))
        for checkpoint in self.checkpoints().values():
            checkpoint.remove()

    def finished(self) -> dict[str, torch.Tensor] | None:
        """What the phase has made, if it is finished."""
        from safetensors.torch import load

        place = self.folder.join(RESULT)
        if not place.exists():
            return None
        with place.fs.open(place.path, "rb") as file:
            return load(file.read())


class _Events:
    """TensorBoard event files; written here, and copied where ``folder`` is elsewhere."""

    def __init__(self, folder: Location) -> None:
        from tensorboardX import SummaryWriter

        self._folder = folder
        self._own = None if folder.is_local else tempfile.TemporaryDirectory(prefix="adabldm-")
        self._path = Path(folder.path if self._own is None else self._own.name)
        self._writer = SummaryWriter(str(self._path))

    def scalars(self, step: int, facts: dict[str, float]) -> None:
        for name, value in facts.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()
        if self._own is not None:
            for file in self._path.iterdir():
                self._folder.join(file.name).write(file.read_bytes())
