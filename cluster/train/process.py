"""One process's part in a training, from the base's URI to the result in its place."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.storage.location import Location
from cluster.train.spec import TrainingSpec, split_digest

if TYPE_CHECKING:
    import torch

PROMPTS_NAMED = 20
"""Prompts that a branch's card shows."""


def train_whole_model(training: TrainingSpec, device: torch.device) -> None:
    """Train a model from nothing; the first process writes it to the output's ``model``."""
    from adabldm.training.loop import Peers
    from adabldm.training.options import WholeModelOptions
    from adabldm.training.small_model import WholeModelTraining

    assert isinstance(training.options, WholeModelOptions)  # noqa: S101
    pipeline = WholeModelTraining(
        training.objects, training.prompts, training.options, training.store, device=device
    ).run()
    if Peers.here().rank == 0:
        with _Result(training.result, last="model_index.json") as folder:
            pipeline.to("cpu").save_pretrained(folder, safe_serialization=True)


def train_branch(training: TrainingSpec, device: torch.device) -> None:
    """Train a branch of the base; the first process writes it to the output."""
    from adabldm.branches.card import CARD
    from adabldm.branches.files import save_branch
    from adabldm.loading import open_base
    from adabldm.planning.object_pictures import ObjectPictures
    from adabldm.training.branch import BRANCH, BranchTraining
    from adabldm.training.loop import Peers
    from adabldm.training.options import BranchOptions
    from cluster.models.local_copies import local_model

    assert isinstance(training.options, BranchOptions) and training.base  # noqa: S101, PT018
    pipeline = open_base(local_model(training.base, training.base_fingerprint).path)
    work = BranchTraining(
        pipeline,
        training.objects,
        training.prompts,
        training.options,
        training.store(BRANCH),
        device=device,
    )
    weights = work.run()
    if Peers.here().rank:
        return
    surface = {
        folder.name: "texture" if ObjectPictures(folder, 1).is_texture else "object"
        for folder in training.objects
    }
    texts = sorted({text for some in training.texts.values() for text in some})
    with _Result(training.result, last=CARD) as folder:
        save_branch(
            folder,
            weights,
            work.base,
            rank=training.rank,
            base_fingerprint=training.base_fingerprint,
            objects=[folder_.name for folder_ in training.objects],
            defects=sorted({d for folder_ in training.objects for d in folder_.defect_types}),
            image_size=pipeline.image_size,
            surface=surface,
            prompts=texts[:PROMPTS_NAMED],
            split_sha256=split_digest(training.objects),
            training={
                "steps": training.options.train.steps,
                "batch_size": training.options.train.batch_size,
                "learning_rate": training.options.train.learning_rate,
                "seed": training.options.seed,
                "pairs": training.options.pairs,
            },
        )


class _Result:
    """A local folder whose files are brought to ``place`` when the block ends well, that of the
    name ``last`` after all others, so that a place that has it is whole."""

    def __init__(self, place: Location, *, last: str) -> None:
        self._place, self._last = place, last
        self._folder = Path(tempfile.mkdtemp(prefix="adabldm-"))

    def __enter__(self) -> Path:
        return self._folder

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._place.join(self._last).remove()
                names = sorted(
                    str(file.relative_to(self._folder))
                    for file in self._folder.rglob("*")
                    if file.is_file()
                )
                for name in sorted(names, key=lambda name: name == self._last):
                    self._bring(name)
        finally:
            shutil.rmtree(self._folder)

    def _bring(self, name: str) -> None:
        target = self._place.join(name)
        if target.is_local:
            Path(target.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.move(self._folder / name, target.path)
        else:
            target.fs.put_file(str(self._folder / name), target.path)
