"""Train the small model that ships inside the package: ``python -m jobs.embedded_model.train``.

Run again, it continues. Everything is made on this machine, without Ray: on a GPU in minutes, on
two cores in two hours, which are too short for it. Several processes share the work when torchrun
starts them: ``torchrun --nproc-per-node 2 -m jobs.embedded_model.train ...``. On a GPU batches are
larger, and examples lie on it; ``--minutes`` says how long it may take there, its examples not
counted.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.storage.location import Location
from cluster.train.store import PhaseStore
from jobs.embedded_model import sets

if TYPE_CHECKING:
    from adabldm.pipeline import AdaBLDMPipeline


def save_halved(pipeline: AdaBLDMPipeline, folder: Path) -> None:
    """Write safetensors rounded to half precision, which diffusers loads as float32.

    The small text encoder stays float32: transformers would load it as it is stored.
    """
    large = (pipeline.vae, pipeline.unet, pipeline.controlnet)
    for module in large:
        module.half()
    pipeline.save_pretrained(folder, safe_serialization=True)
    for module in large:
        module.float()


def main(
    data: Annotated[str, typer.Option(help="Folder of the sets, MVTec layout, or a pack of them")],
    work: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and sample sheets")],
    output: Annotated[Path, typer.Option(help="Folder of the finished model")],
    threads: int = 1,
    minutes: Annotated[
        float | None, typer.Option(help="Set the steps by what fits into this time", min=0.1)
    ] = None,
) -> None:
    """Train the embedded model; run again to continue."""
    # For the processes that make examples, before they load numpy.
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    import torch

    from adabldm.networks.known_words import WORDS_ONLY
    from adabldm.training.loop import Peers
    from adabldm.training.options import WholeModelOptions
    from adabldm.training.small_model import WholeModelTraining

    torch.set_num_threads(threads)
    if torch.distributed.is_torchelastic_launched():
        torch.distributed.init_process_group("gloo")
    on_gpu = torch.cuda.is_available()
    options = WholeModelOptions.on_gpu() if on_gpu else WholeModelOptions()
    training = WholeModelTraining(
        sets.read_sets(data, work.resolve()),
        sets.prompts,
        replace(options, minutes=minutes),
        lambda phase: PhaseStore(Location.of(str(work.resolve() / phase))),
        device=torch.device("cuda" if on_gpu else "cpu"),
    )
    pipeline = training.run().to("cpu")
    pipeline.tokenizer.init_kwargs[WORDS_ONLY] = True
    if Peers.here().rank == 0:
        save_halved(pipeline, output)
        print(f"The embedded model is in {output}")


if __name__ == "__main__":
    typer.run(main)
