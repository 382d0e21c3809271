"""One training: its data, options and output, how far it is, and what binds its output."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from adabldm.core.faults import InputFault
from adabldm.core.objects import ObjectFolder
from adabldm.training.texts import Texts
from cluster.models.kinds import inspect_model
from cluster.output.run_json import RunBinding
from cluster.storage.location import Location, location
from cluster.train.store import PhaseStore

if TYPE_CHECKING:
    from adabldm.training.options import BranchOptions, WholeModelOptions

MODEL = "model"
"""Folder of a whole model in its training's output."""
TRAINING = "training"
"""Folder of checkpoints, logs and sheets in a training's output."""
SPLIT_PARTS = 3
"""Parts of a picture's path that name it wherever the data set lies."""
FREE = ("steps", "save_every", "look_every", "accumulate")
"""Options that a continued training may change: they do not shape what was done so far."""


@dataclass(frozen=True, kw_only=True)
class TrainingSpec:
    """One model or branch to be trained.

    ``base`` is the URI of the model that a branch is of, None for a whole model; ``rank`` makes a
    branch low-rank. ``workers`` processes of ``gpus`` each (0: one CPU each).
    """

    name: str
    objects: tuple[ObjectFolder, ...]
    texts: Texts
    output: str
    options: BranchOptions | WholeModelOptions
    base: str | None = None
    base_fingerprint: str = ""
    rank: int | None = None
    workers: int = 1
    gpus: float = 0

    @property
    def folder(self) -> Location:
        return location("--output", self.output)

    @property
    def result(self) -> Location:
        """Where the branch's or the model's folder is."""
        return self.folder if self.base else self.folder.join(MODEL)

    @property
    def steps(self) -> int:
        """Of all phases."""
        return sum(options.steps for options in self.options.phases.values())

    def steps_done(self) -> int:
        """Of all phases, as the logs say."""
        return StepsSoFar(self).read()[0]

    def store(self, phase: str) -> PhaseStore:
        return PhaseStore(self.folder.join(f"{TRAINING}/{phase}"))

    def prompts(self, item: str, defect: str | None) -> Sequence[str]:
        """As :data:`adabldm.training.examples.Prompts`."""
        return self.texts[item, defect]


def split_digest(objects: Sequence[ObjectFolder]) -> str:
    """SHA-256 of what is learned from: names of good pictures, and of defects with their types."""

    def name(uri: str) -> str:
        return "/".join(uri.split("/")[-SPLIT_PARTS:])

    content = [
        [
            folder.name,
            sorted(map(name, folder.good)),
            sorted([item.defect, name(item.image), name(item.mask)] for item in folder.defects),
        ]
        for folder in sorted(objects, key=lambda folder: folder.name)
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def bind(training: TrainingSpec) -> None:
    """Bind the output to this training. Raises :class:`InputFault` if it holds another one."""
    free = FREE if training.base is not None else FREE[1:]
    options = asdict(training.options)
    shown = {**options, **options.get("train", {})}
    for phase in [shown, *(part for part in shown.values() if isinstance(part, dict))]:
        for name in ("train", *free):
            phase.pop(name, None)
    config = {
        **shown,
        "rank": training.rank,
        "split": split_digest(training.objects),
        "prompts": sorted({text for texts in training.texts.values() for text in texts}),
    }
    folder = training.folder.join(TRAINING)
    RunBinding(
        model=training.base or "none",
        model_fingerprint=training.base_fingerprint,
        config=json.loads(json.dumps(config)),
    ).bind(folder)


class StepsSoFar:
    """How far a training is, read from its logs."""

    def __init__(self, training: TrainingSpec) -> None:
        self._training = training

    def read(self) -> tuple[int, float | None]:
        """Steps done in all phases, and the last loss."""
        done, loss = 0, None
        for name, options in self._training.options.phases.items():
            facts = self._last(name)
            if facts:
                done += min(options.steps, int(facts["step"]))
                loss = facts.get("loss", loss)
        return done, loss

    def _last(self, phase: str) -> dict[str, Any] | None:
        try:
            lines = self._training.store(phase).log_lines()
        except OSError:
            return None
        told = [json.loads(line) for line in lines]
        return next((facts for facts in reversed(told) if "loss" in facts), None)


Progress = Callable[[int, str], None]
"""Called with steps done, those of earlier runs included, and a note."""


def checked_base(uri: str) -> str:
    """The fingerprint of the base at ``uri``. Raises :class:`InputFault`."""
    try:
        return inspect_model(uri).fingerprint
    except InputFault as fault:
        raise InputFault(
            *(f"--base: {line.removeprefix('model: ')}" for line in fault.lines)
        ) from (fault)
