"""What a model of Stable Diffusion 1.5's size asks of this machine, on a CPU and with random
weights: ``python -m jobs.bench.sd_size``.

Writes such a model in Stable Diffusion's diffusers layout to a temporary folder (4.3 GB), opens it
as training does, makes one training step of its fresh control branch, then opens it again for each
mode and makes one whole image: minutes in ``fast``, more than an hour in ``exact``. Each stage is a
process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from diffusers import PNDMScheduler, StableDiffusionPipeline
from rich.console import Console
from rich.table import Table
from torch import nn

from adabldm.core import trimap
from adabldm.cost import arithmetic
from adabldm.data import drawn_metal
from adabldm.loading import open_base
from adabldm.networks import sd15
from adabldm.networks import small as small_model
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import FastOptions, ModeOptions, options_of
from adabldm.training.branch import branch_phase
from adabldm.training.examples import Example
from adabldm.training.loop import Trainer
from adabldm.training.options import BranchOptions, TrainOptions
from jobs.progress import Tracker

TELL_SECONDS = 15.0
PROMPT = "a metal surface with a crack"


@dataclass(frozen=True)
class Line:
    """One line of the table: ``seconds`` of processor time, ``peak`` the process's until then, in
    GB (1e9 bytes)."""

    part: str
    parameters: int | None
    note: str
    seconds: float
    peak: float


class Stopwatch:
    """Collects lines; a line's seconds are those since the line before it."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._since = time.process_time()

    def line(self, part: str, parameters: int | None = None, note: str = "") -> None:
        now = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
        self.lines.append(Line(part, parameters, note, now - self._since, peak))
        self._since = now


def parameters(module: nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def write_model(folder: Path) -> list[Line]:
    """Random weights of Stable Diffusion 1.5's shapes, in its diffusers layout."""
    torch.manual_seed(0)
    stopwatch = Stopwatch()
    tokenizer = small_model.build_tokenizer([PROMPT], merges=20)
    StableDiffusionPipeline(
        vae=sd15.build_autoencoder(),
        unet=sd15.build_unet(),
        text_encoder=sd15.build_text_encoder(),
        tokenizer=tokenizer,
        scheduler=PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    stopwatch.line("written")
    return stopwatch.lines


def opened(folder: Path, side: int, stopwatch: Stopwatch) -> AdaBLDMPipeline:
    pipeline = open_base(folder, image_size=side)
    stopwatch.line("opened")
    return pipeline


def part_lines(pipeline: AdaBLDMPipeline, stopwatch: Stopwatch) -> None:
    """How large each part is, and the shape of what comes out of it for one picture."""
    side, factor = pipeline.image_size, pipeline.factor
    cells = side // factor
    latent = (1, pipeline.vae.config.latent_channels, cells, cells)
    with torch.no_grad():
        text = pipeline.encode_prompts([PROMPT])
        stopwatch.line("text encoder", parameters(pipeline.text_encoder), f"{tuple(text.shape)}")
        mean = pipeline.vae.encode(torch.zeros(1, 3, side, side)).latent_dist.mean
        stopwatch.line("autoencoder", parameters(pipeline.vae), f"{tuple(mean.shape)}, encoded")
        noise, hint = torch.randn(latent), torch.zeros(1, 3, side, side)
        down, middle = pipeline.controlnet(noise, 1, text, hint, return_dict=False)
        note = f"{len(down)} residuals and {tuple(middle.shape)}"
        stopwatch.line("control branch", parameters(pipeline.controlnet), note)
        predicted = pipeline.unet(noise, 1, text, return_dict=False)[0]
        stopwatch.line("U-Net", parameters(pipeline.unet), f"{tuple(predicted.shape)}")


class LastLoss:
    """A training's store that keeps nothing but the last loss."""

    value = float("nan")

    def load(self) -> None:
        return None

    def save(self, step: int, state: dict[str, Any]) -> None:
        del step, state

    def log(self, step: int, facts: dict[str, float]) -> None:
        del step
        self.value = facts.get("loss", self.value)

    def picture(self, step: int, pixels: np.ndarray) -> None:
        del step, pixels


def training_step(
    pipeline: AdaBLDMPipeline, examples: Sequence[Example], train: TrainOptions
) -> float:
    """As many steps of the control branch as ``train`` says, as training makes them; the mean loss
    so far (equation 2)."""
    options = BranchOptions(train=train, pairs=len(examples), prompt_drop=0.0)
    phase, loss = branch_phase(pipeline, examples, options), LastLoss()
    phase.module.train()
    Trainer(phase, train, loss).run()
    return loss.value


def drawn_examples(side: int, count: int) -> list[Example]:
    """Drawn metal with a crack each."""
    parts = [drawn_metal.draw_part(index, side, "crack") for index in range(count)]
    return [
        Example(
            image=part.image,
            trimap=trimap.compose(part.mask),
            prompt=PROMPT,
            object="metal",
            defect="crack",
        )
        for part in parts
    ]


def train(folder: Path, side: int, batch: int) -> list[Line]:
    """Open the model, look at its parts, make one training step."""
    stopwatch = Stopwatch()
    pipeline = opened(folder, side, stopwatch)
    part_lines(pipeline, stopwatch)
    step = TrainOptions(steps=1, batch_size=batch)
    loss = training_step(pipeline, drawn_examples(side, batch), step)
    trained = parameters(pipeline.controlnet)
    stopwatch.line("one training step", trained, f"batch {batch}, loss {loss:.3f}")
    return stopwatch.lines


def chosen(mode: str, steps: int | None) -> ModeOptions:
    """The mode's own options; with fewer sampling ``steps`` if asked."""
    if steps is None:
        return options_of(mode)
    if mode == "fast":
        return FastOptions(steps=steps, image_edits=min(FastOptions().image_edits, steps - 1))
    return options_of(mode, steps=steps)


def generate(folder: Path, side: int, mode: str, steps: int | None) -> list[Line]:
    """Open the model and make one image, all three stages."""
    options = chosen(mode, steps)
    request = one_request(side)
    total = arithmetic.work(
        calls_of_an_image(options),
        costs := arithmetic.cost_of_calls(arithmetic.stable_diffusion(side), options),
    )
    stopwatch = Stopwatch()
    pipeline = opened(folder, side, stopwatch)
    pipeline.set_progress_bar_config(disable=True)
    with (
        arithmetic.counted_calls(pipeline, options) as calls,
        told(mode, calls, costs, round(sum(total.values()))),
    ):
        made = pipeline(**request, options=options)
    tflop = sum(arithmetic.work(calls, costs).values()) / 1e3
    quality = made.traces[0].quality
    loss = quality["foreground_loss"] + options.background_weight * quality["background_loss"]
    stopwatch.line("one image", None, f"{mode}, {tflop:.1f} TFLOP, adaptation loss {loss:.4f}")
    return stopwatch.lines


def one_request(side: int) -> dict[str, Any]:
    part = drawn_metal.draw_part(0, side, "crack")
    return {
        "images": [drawn_metal.draw_part(0, side).image],
        "trimaps": [trimap.compose(part.mask)],
        "prompts": [PROMPT],
        "seeds": [0],
    }


def calls_of_an_image(options: ModeOptions) -> Counter[str]:
    """Counted on the embedded model: they follow from the options, whatever the model's size."""
    small = AdaBLDMPipeline.from_pretrained(embedded_path())
    with arithmetic.counted_calls(small, options) as calls:
        small(**one_request(small.image_size), options=options)
    return calls


@contextmanager
def told(title: str, calls: Counter[str], costs: dict[str, int], total: int) -> Iterator[None]:
    """Tells of the GFLOP that are done, of ``total``, while an image is made."""
    ended = threading.Event()

    def tell() -> None:
        with Tracker(f"{title}, GFLOP", total) as tracker:
            while not ended.wait(TELL_SECONDS):
                tracker.update(round(sum(arithmetic.work(calls, costs).values())))

    teller = threading.Thread(target=tell, daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def alone(stage: Callable[..., list[Line]], *arguments: object) -> list[Line]:
    """The lines of ``stage``, run in a process of its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh, initializer=use_threads,
                             initargs=(torch.get_num_threads(),)) as pool:  # fmt: skip
        return pool.submit(stage, *arguments).result()


def use_threads(count: int) -> None:
    torch.set_num_threads(count)


def shown(lines: list[Line], stage: str, table: Table) -> None:
    for line in lines:
        count = "" if line.parameters is None else f"{line.parameters / 1e6:.1f} M"
        table.add_row(stage, line.part, count, line.note, f"{line.seconds:.1f}", f"{line.peak:.1f}")


def main(
    size: Annotated[int, typer.Option(help="Side of the pictures in pixels.")] = 256,
    mode: Annotated[
        list[str] | None, typer.Option(help="An image in this mode; default fast and exact")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Sampling steps; default the mode's own", min=2)
    ] = None,
    batch: Annotated[int, typer.Option(help="Pictures in the training step.", min=1)] = 1,
    threads: Annotated[int, typer.Option(help="Threads of a stage.", min=1)] = 1,
) -> None:
    """Print parameters, shapes, processor seconds and peak memory."""
    torch.set_num_threads(threads)
    modes = mode or ["fast", "exact"]
    for one in modes:
        chosen(one, steps)
    table = Table("stage", "part", "parameters", "comes out", "processor s", "peak GB")
    with tempfile.TemporaryDirectory() as holder:
        folder = Path(holder)
        shown(alone(write_model, folder), "write", table)
        shown(alone(train, folder, size, batch), "train", table)
        for one in modes:
            shown(alone(generate, folder, size, one, steps), "generate", table)
    Console(width=110).print(table)


if __name__ == "__main__":
    typer.run(main)
