"""How small a branch may be: ``python -m jobs.bench.branch_forms BRANCH --base B --data D``.

A full branch is kept again at lower and lower rank, and each form predicts the noise of the same
real defects that training never saw. Prints size and loss by form, beside the base without a
branch: rank r keeps what share of the branch's gain.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from adabldm.branches.files import Branch
    from adabldm.core.objects import ObjectFolder
    from adabldm.pipeline import AdaBLDMPipeline
    from adabldm.training.phases import DenoiserPhase

RANKS = (4, 8, 16, 32, 64)
ROUNDS = 8
"""Noise levels and draws that each picture is seen with."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """A form of the branch: its file's bytes, and the mean losses over the picture and under the
    defect (equation 2)."""

    name: str
    size: int
    loss: float
    defect_loss: float


def unseen(objects: Sequence[ObjectFolder], defects: Sequence[str]) -> list[ObjectFolder]:
    """The objects with the defects of their evaluation side in the place of the few."""
    shown = [
        replace(f, defects=tuple(d for d in f.held_out if d.defect in defects), held_out=())
        for f in objects
    ]
    return [folder for folder in shown if folder.defects]


def losses(phase: DenoiserPhase, count: int) -> tuple[float, float]:
    """Mean losses of ``count`` examples over the picture, and under the defect."""
    import torch

    found = []
    module = phase.module
    with torch.no_grad():
        for start in range(0, count, 4):
            batch = phase.batch(range(start, min(start + 4, count)))
            module.defect_weight = 0.0
            whole = module(*batch)
            module.defect_weight = 1.0
            found.append(torch.stack([whole, module(*batch) - whole]))
    whole, defect = torch.cat(found, dim=1).mean(1).tolist()
    return whole, defect


def forms(
    pipeline: AdaBLDMPipeline, branch: Branch, folder: Path, phase: DenoiserPhase, count: int
) -> Iterator[Form]:
    """No branch, the branch in full, and by rank; each measured on the same examples."""
    from adabldm.branches.card import WEIGHTS
    from adabldm.branches.files import load_branch, pipeline_weights, save_branch
    from adabldm.branches.swapper import Swapper

    swapper = Swapper(pipeline)
    yield _measured("no branch", 0, phase, count)
    base = {name: value.detach().clone() for name, value in pipeline_weights(pipeline).items()}
    trained = {name: branch.weight(name, base[name]) for name in branch.names}
    swapper.use(branch)
    size = sum(part.numel() * part.element_size() for part in branch.parts.values())
    yield _measured("full", size, phase, count)
    card = branch.card
    for rank in RANKS:
        place = folder / f"rank-{rank}"
        save_branch(
            place, trained, base, rank=rank, base_fingerprint=card.base_fingerprint,
            objects=card.objects, defects=card.defects, image_size=card.image_size,
            surface=card.surface, prompts=card.prompts, split_sha256=card.split_sha256,
            training=card.training,
        )  # fmt: skip
        swapper.use(load_branch(place))
        yield _measured(f"rank {rank}", (place / WEIGHTS).stat().st_size, phase, count)
    swapper.use(None)


def _measured(name: str, size: int, phase: DenoiserPhase, count: int) -> Form:
    whole, defect = losses(phase, count)
    return Form(name=name, size=size, loss=whole, defect_loss=defect)


def main(
    branch: Annotated[Path, typer.Argument(metavar="BRANCH", help="Folder of a full branch.")],
    data: Annotated[str, typer.Option(help="The data set it was trained on.")],
    base: Annotated[str, typer.Option(help="Its base: 'embedded', or a model's folder.")] = (
        "embedded"
    ),
    layout: str = "auto",
    shots: int = 10,
    threads: int = 1,
) -> None:
    """Print size and loss of a branch's forms."""
    import torch

    from adabldm.branches.files import load_branch
    from adabldm.data.opening import open_dataset
    from adabldm.data.options import DatasetOptions
    from adabldm.loading import open_base
    from adabldm.planning.prompts import prompt_for
    from adabldm.sampling.ddim import cumulative_alphas
    from adabldm.sampling.encoding_cache import embed
    from adabldm.training.examples import ExampleStream, Mix
    from adabldm.training.latents import LatentPool
    from adabldm.training.objectives import DenoiserLoss
    from adabldm.training.phases import DenoiserPhase
    from cluster.models.inspect import model_location

    torch.set_num_threads(threads)
    pipeline = open_base(model_location(base).path)
    loaded = load_branch(branch)
    options = DatasetOptions(layout=layout, shots=shots)
    objects = unseen(open_dataset(data, options), loaded.card.defects)
    stream = ExampleStream(
        objects,
        prompts=lambda item, defect: [prompt_for(item.replace("_", " "), defect or "")],
        size=pipeline.image_size,
        mix=Mix(pasted=0, real=1),
    )
    pictures = sum(len(folder.defects) for folder in objects)
    phase = DenoiserPhase(
        DenoiserLoss(
            pipeline.unet,
            pipeline.controlnet,
            cumulative_alphas(pipeline.scheduler),
            factor=pipeline.factor,
        ),
        LatentPool(stream, pipeline.vae, count=pictures, seed=0),
        lambda text: embed(pipeline.text_encoder, pipeline.tokenizer, text),
        name="measure",
        seed=1,
        prompt_drop=0.0,
    )
    count = pictures * ROUNDS
    print(f"{pictures} real pictures of {', '.join(loaded.card.defects)} that training did not see")
    with tempfile.TemporaryDirectory() as scratch:
        first: Form | None = None
        full: Form | None = None
        for form in forms(pipeline, loaded, Path(scratch), phase, count):
            first, full = first or form, full or (form if first else None)
            gain = first.defect_loss - form.defect_loss
            share = "" if full is None else f", {gain / (first.defect_loss - full.defect_loss):.0%}"
            print(
                f"{form.name:>10}: {form.size / 1e6:6.2f} MB, loss {form.loss:.4f}, "
                f"under the defect {form.defect_loss:.4f}{share}",
                flush=True,
            )


if __name__ == "__main__":
    typer.run(main)
