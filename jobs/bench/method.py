"""``exact`` and ``fast`` side by side: ``python -m jobs.bench.method``.

The same requests and seeds go through both, by turns, on one thread. Rates are by processor time,
so another program on the core does not tell; figures are medians for times and means for quality.
"""

from __future__ import annotations

import ctypes
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
import typer

from adabldm.core import trimap
from adabldm.core.devices import tune
from adabldm.cost import arithmetic
from adabldm.data import drawn_metal
from adabldm.data.opening import open_dataset
from adabldm.judging import pair as metrics
from adabldm.networks.autoencoder import from_uint8
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.unseen_cases import draw_case
from adabldm.sampling.encoding_cache import Encodings
from adabldm.sampling.options import ExactOptions, FastOptions, ModeOptions
from jobs.bench import adaptation_frontier, adaptation_together, savings
from jobs.progress import Tracker
from jobs.sheets.picture_grid import Group, PictureGrid

AMPLIFIED = 4
"""The difference on the sheet is shown this many times as strong as it is."""
SHEET_TITLES = ("good image", "mask", "exact", "fast", f"difference x{AMPLIFIED}")
QUALITY = {
    "loss": "adaptation loss, both terms weighted",
    "defect": "its defect term",
    "backgr.": "its background term, weighted",
    "bg dB": "background PSNR against the good image",
    "fg dB": "defect PSNR against the image before adaptation",
    "step": "seam: tone step across the mask's edge, grey levels",
    "jump": "seam: change from pixel to pixel across the edge, grey levels",
    "detail": "defect: what is finer than a pixel, grey levels",
    "change": "defect: mean change from the good image, grey levels",
    "seen": "share with a visible defect",
    "dist": "distance of the defect to exact's in the encoder's features",
}

Request = dict[str, Any]


def requests(data: str | None, count: int, side: int) -> Iterator[Request]:
    """Unseen pictures of ``data`` with real masks placed on them; without data, drawn surfaces."""
    if data:
        yield from _real_requests(data, count, side)
        return
    for index in range(count):
        defect = drawn_metal.DEFECTS[index % len(drawn_metal.DEFECTS)]
        part = drawn_metal.draw_part(1000 + index, side, defect)
        image = drawn_metal.draw_part(1000 + index, side).image
        marks, prompt = trimap.compose(part.mask), f"a metal surface with a {defect}"
        yield {"images": [image], "trimaps": [marks], "prompts": [prompt], "seeds": [index]}


def _real_requests(data: str, count: int, side: int) -> Iterator[Request]:
    """Of one object; a request whose defect fits nowhere is left out."""
    (folder,) = open_dataset(data)
    product, noun = ObjectPictures(folder, side), folder.name.replace("_", " ")
    for index in range(count):
        case = draw_case(product, index, noun)
        if case is not None:
            yield {
                "images": [case.good],
                "trimaps": [case.trimap],
                "prompts": [case.prompt],
                "seeds": [index],
            }


@dataclass(frozen=True, kw_only=True)
class Made:
    """One request by one variant: uint8 pictures (S, S[, 3]), and its processor seconds."""

    image: np.ndarray
    before: np.ndarray
    good: np.ndarray
    mask: np.ndarray
    quality: dict[str, float]
    seconds: float


@dataclass(kw_only=True)
class Variant:
    """A row of the table."""

    name: str
    options: ModeOptions
    other_seed: bool = False
    start: bool = False
    made: list[Made] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    peak_mb: float = 0.0


FAST = FastOptions(resolution="model")
PAPER = FastOptions(
    steps=50,
    solver="ddim",
    guidance=9.0,
    latent_editing_start=0.52,
    image_edits=5,
    guided_edits=True,
    smoothness=None,
    adaptation_steps=200,
    resolution="model",
)
"""``fast`` with every departure but its schedule taken back."""


def variants() -> list[Variant]:
    """Both modes; each departure of ``fast`` alone; and ``fast`` with each taken back or driven
    further, one at a time."""
    return [
        Variant(name="exact", options=ExactOptions(resolution="model")),
        Variant(name="fast", options=FAST),
        Variant(
            name="10 solver steps alone", options=replace(PAPER, steps=10, solver="dpm-solver++")
        ),
        Variant(name="one image edit alone", options=replace(PAPER, image_edits=1)),
        Variant(name="latents edited, alone", options=replace(PAPER, latent_editing_start=0.0)),
        Variant(name="guidance 3 alone", options=replace(PAPER, guidance=FAST.guidance)),
        Variant(name="unguided edits alone", options=replace(PAPER, guided_edits=False)),
        Variant(
            name="correction alone",
            options=replace(PAPER, adaptation_steps=0, smoothness=FAST.smoothness),
        ),
        Variant(name="fast, another seed", options=FAST, other_seed=True),
        Variant(name="fast, from a start", options=FAST, start=True),
        Variant(name="fast, 50 steps", options=replace(FAST, steps=50)),
        Variant(name="fast, 15 steps", options=replace(FAST, steps=15)),
        Variant(name="fast, 6 steps", options=replace(FAST, steps=6)),
        Variant(name="fast, DDIM", options=replace(FAST, solver="ddim")),
        Variant(name="fast, UniPC", options=replace(FAST, solver="unipc")),
        Variant(name="fast, guidance 9", options=replace(FAST, guidance=PAPER.guidance)),
        Variant(name="fast, edits guided", options=replace(FAST, guided_edits=True)),
        Variant(name="fast, 5 image edits", options=replace(FAST, image_edits=5)),
        Variant(name="fast, no image edit", options=replace(FAST, image_edits=0)),
        Variant(name="fast, smoothness 5", options=replace(FAST, smoothness=5.0)),
        Variant(name="fast, smoothness 80", options=replace(FAST, smoothness=80.0)),
        Variant(name="fast, plain paste", options=replace(FAST, smoothness=0.0)),
        Variant(name="fast, no correction", options=replace(FAST, smoothness=None)),
    ]


def peak_memory(reset: bool = False) -> float:
    """The process's largest resident size in MB since the last reset; 0 where Linux does not
    tell."""
    try:
        if reset:
            ctypes.CDLL("libc.so.6").malloc_trim(0)  # what the variant before has given back
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return 0.0


def darkened(image: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """``image`` uint8 (H, W, 3) at half its brightness where ``marks`` have a defect."""
    defect = (marks == trimap.DEFECT)[..., None]
    return np.where(defect, image // 2, image)


def make(pipeline: AdaBLDMPipeline, request: Request, variant: Variant) -> None:
    """One request by ``variant``, measured."""
    if variant.other_seed:
        request = request | {"seeds": [seed + 10_000 for seed in request["seeds"]]}
    if variant.start:
        request = request | {"starts": [darkened(*request["images"], *request["trimaps"])]}
    pipeline.encodings = Encodings()  # else the variant that comes first pays for all
    peak_memory(reset=True)
    with arithmetic.counted_calls(pipeline, variant.options) as variant.calls:
        began = time.process_time()
        out = pipeline(**request, options=variant.options)
        seconds = time.process_time() - began
    variant.peak_mb = max(variant.peak_mb, peak_memory())
    variant.made.append(
        Made(
            image=out.images[0],
            before=out.blended[0],
            good=out.sources[0],
            mask=out.masks[0],
            quality=out.traces[0].quality,
            seconds=seconds,
        )
    )


@torch.no_grad()
def feature_distance(
    pipeline: AdaBLDMPipeline, a: np.ndarray, b: np.ndarray, mask: np.ndarray
) -> float:
    """Mean squared distance, in the defect, of the encoder's features (each pixel's brought to
    length 1 a channel), over its levels. uint8 (S, S, 3), mask (S, S)."""
    pair = from_uint8(torch.from_numpy(np.stack([a, b])))
    defect = torch.from_numpy((mask > 0).astype(np.float32))[None, None]
    encoder = pipeline.vae.encoder
    features, distances = encoder.conv_in(pair), []
    for block in encoder.down_blocks:
        features = block(features)
        scale = features.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)
        first, second = (features / scale).chunk(2)
        inside = F.adaptive_max_pool2d(defect, first.shape[-2:])
        error = (first - second).square().mean(1, keepdim=True)
        distances.append((error * inside).sum() / inside.sum().clamp_min(1))
    return float(torch.stack(distances).mean())


def quality(pipeline: AdaBLDMPipeline, variant: Variant, exact: Variant) -> dict[str, float]:
    """The columns of :data:`QUALITY`, means over the requests."""
    rows = []
    weight = variant.options.background_weight
    for made, reference in zip(variant.made, exact.made, strict=True):
        pictures = made.image, made.before, made.mask
        defect = made.quality["foreground_loss"]
        background = weight * made.quality["background_loss"]
        rows.append(
            {
                "loss": defect + background,
                "defect": defect,
                "backgr.": background,
                "bg dB": made.quality["background_psnr_db"],
                "fg dB": metrics.foreground_psnr(*pictures),
                "step": metrics.seam_step(*pictures),
                "jump": metrics.seam_jump(*pictures),
                "detail": metrics.fine_detail(made.image, made.mask),
                "change": made.quality["defect_change"],
                "seen": made.quality["defect_visible"],
                "dist": feature_distance(pipeline, made.image, reference.image, made.mask),
            }
        )
    return {name: float(np.mean([row[name] for row in rows])) for name in QUALITY}


def print_quality(pipeline: AdaBLDMPipeline, rows: Sequence[Variant]) -> None:
    exact = rows[0]
    print(f"{'':22}" + "".join(f"{name:>10}" for name in QUALITY))
    for row in rows:
        figures = quality(pipeline, row, exact)
        print(f"{row.name:22}" + "".join(f"{value:10.3g}" for value in figures.values()))
    print("\n".join(f"  {name}: {meaning}" for name, meaning in QUALITY.items()), flush=True)


def print_cost(pipeline: AdaBLDMPipeline, rows: Sequence[Variant]) -> None:
    """Rates and memory here, arithmetic here and at Stable Diffusion's size."""
    here, large = arithmetic.Parts.of(pipeline), arithmetic.stable_diffusion()
    exact_s = statistics.median(made.seconds for made in rows[0].made)
    header = f"{'':22}{'s/image':>9}{'images/s':>10}{'ratio':>7}{'MB':>7}"
    print(f"{header}{'GFLOP':>9}{'ratio':>7} |{'SD 1.5 TFLOP':>13}{'ratio':>7}")
    parts: dict[str, dict[str, float]] = {}
    totals: list[tuple[float, float]] = []
    for row in rows:
        ours = arithmetic.work(row.calls, arithmetic.cost_of_calls(here, row.options))
        theirs = arithmetic.work(row.calls, arithmetic.cost_of_calls(large, row.options))
        parts[row.name] = theirs
        totals.append((sum(ours.values()), sum(theirs.values())))
        seconds = statistics.median(made.seconds for made in row.made)
        (gflop, sd), (exact_gflop, exact_sd) = totals[-1], totals[0]
        print(
            f"{row.name:22}{seconds:9.2f}{1 / seconds:10.3f}{exact_s / seconds:7.1f}"
            f"{row.peak_mb:7.0f}{gflop:9.1f}{exact_gflop / gflop:7.1f} |"
            f"{sd / 1e3:13.2f}{exact_sd / sd:7.1f}"
        )
    print(f"\nGFLOP an image at Stable Diffusion 1.5's size, {large.side} x {large.side}")
    for part in arithmetic.PARTS:
        print(f"  {part:22}" + "".join(f"{parts[n][part]:12.1f}" for n in ("exact", "fast")))
    print(flush=True)


def draw_sheet(exact: Variant, fast: Variant, path: Path) -> None:
    """A row a request: good image, mask, exact, fast, their difference amplified."""
    groups = []
    for a, b in zip(exact.made, fast.made, strict=True):
        difference = np.abs(a.image.astype(np.int16) - b.image) * AMPLIFIED
        shown = difference.clip(0, 255).astype(np.uint8)
        groups.append(Group(pictures=(a.good, a.mask, a.image, b.image, shown)))
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = PictureGrid(groups=groups, side=exact.made[0].good.shape[0], titles=SHEET_TITLES)
    grid.draw().save(path)


def main(
    data: Annotated[
        str | None, typer.Option(help="One object's data set, any layout; else drawn surfaces")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder; default the embedded")] = None,
    count: Annotated[int, typer.Option(help="Requests for the tables", min=1)] = 6,
    frontier_count: Annotated[int, typer.Option(help="Requests for the frontier")] = 4,
    sheet: Annotated[Path | None, typer.Option(help="PNG: exact, fast, difference")] = None,
    plot: Annotated[Path | None, typer.Option(help="PNG: the frontier")] = None,
) -> None:
    """Print what both modes cost and what they reach."""
    torch.set_num_threads(1)
    pipeline = AdaBLDMPipeline.from_pretrained(model or embedded_path())
    pipeline.set_progress_bar_config(disable=True)
    tune(pipeline)
    asked = list(requests(data, max(count, frontier_count), pipeline.image_size))
    rows = variants()
    asked_of = [(request, row) for request in asked[:count] for row in rows]
    with Tracker("images", len(asked_of)) as tracker:
        for number, (request, row) in enumerate(asked_of, 1):
            make(pipeline, request, row)
            tracker.update(number, row.name)
    print_cost(pipeline, rows)
    print_quality(pipeline, rows)
    if sheet is not None:
        draw_sheet(rows[0], rows[1], sheet)
        print(f"good, mask, exact, fast, difference x{AMPLIFIED}: {sheet}")
    savings.measure(pipeline, asked[:count])
    if frontier_count:
        adaptation_frontier.measure(pipeline, asked[:frontier_count], plot)
        cases = [adaptation_frontier.exact_case(pipeline, one) for one in asked[:frontier_count]]
        adaptation_together.measure_together(pipeline.vae, cases)


if __name__ == "__main__":
    typer.run(main)
