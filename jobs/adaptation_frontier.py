"""What adaptation costs and what it reaches: the variants that ``fast`` was chosen from.

Each variant gets the same final latents and the same image before adaptation as ``exact``'s own.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from adabldm import metrics
from adabldm.adaptation import adaptation_loss
from adabldm.autoencoder import from_uint8, to_uint8
from adabldm.correction import smooth_correction
from adabldm.masks import pixel_keep_mask
from adabldm.muon import Muon
from adabldm.options import SamplerOptions
from adabldm.pipeline import AdaBLDMPipeline
from jobs import arithmetic
from jobs.frontier_plot import Point, draw_frontier

RATE, LAST_BLOCK_RATE = 1e-4, 1e-3
WEIGHT = 100.0
WHOLE_STEPS = (10, 25, 50, 100, 200)
WARM_STEPS = (1, 10, 50)
LAST_BLOCK_STEPS = (10, 50, 200)
MUON_RATE = 3e-3
SMOOTHNESS = (1.0, 3.0, 10.0, 20.0, 50.0, 150.0)
BOTH = 20.0
RIDGE = 1e-6
"""Of the closed form for the output convolution, beside features of mean square 1."""

TITLES = (
    "background PSNR, dB",
    "defect PSNR, dB",
    "seam: jump, grey levels",
    "seam: step, grey levels",
    "defect: detail, grey levels",
)
EQUAL_DB = 60.0
"""Variants with more are not plotted: they would flatten the rest."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One request after sampling: ``latents`` (1, C, h, w) as the decoder gets them; ``before``
    D(z) and ``good`` (1, 3, H, W); ``keep`` (1, 1, H, W)."""

    latents: torch.Tensor
    before: torch.Tensor
    good: torch.Tensor
    keep: torch.Tensor


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A variant's ``image`` (1, 3, H, W) and the GFLOP of convolutions and matrix products that it
    took; ``family`` groups the points of one curve."""

    family: str
    name: str
    image: torch.Tensor
    gflop: float


def variants(vae: AutoencoderKL, case: Case, adapted: nn.Module | None = None) -> Iterator[Tried]:
    """Every variant on one case; ``adapted`` a decoder adapted to another, from which warm starts
    begin."""
    unchanged = Tried(family="none", name="no adaptation", image=case.before, gflop=0.0)
    yield unchanged
    pasted = case.good * case.keep + case.before * (1 - case.keep)
    yield Tried(family="paste", name="plain paste", image=pasted, gflop=0.0)
    yield from trained(vae, case, "whole decoder", RATE, WHOLE_STEPS)
    if adapted is not None:
        yield from trained(vae, case, "warm start", RATE, WARM_STEPS, start=adapted)
    yield from trained(vae, case, "last up-block", LAST_BLOCK_RATE, LAST_BLOCK_STEPS)
    yield from trained(
        vae, case, "last up-block, Muon", MUON_RATE, LAST_BLOCK_STEPS, optimizers=muon
    )
    with FlopCounterMode(display=False) as counter:
        solved = output_convolution(vae, case)
    gflop = counter.get_total_flops() / 1e9
    yield Tried(family="least squares", name="output convolution", image=solved, gflop=gflop)
    for smoothness in SMOOTHNESS:
        made = smooth(case, case.before, smoothness)
        name = f"smooth correction {smoothness:g}"
        cost = arithmetic.correction_cost(case.good.shape[-1], WEIGHT, smoothness) / 1e9
        yield Tried(family="smooth correction", name=name, image=made, gflop=cost)
    made = smooth(case, solved, BOTH)
    gflop += arithmetic.correction_cost(case.good.shape[-1], WEIGHT, BOTH) / 1e9
    yield Tried(family="both", name=f"least squares + smooth {BOTH:g}", image=made, gflop=gflop)


def smooth(case: Case, image: torch.Tensor, smoothness: float) -> torch.Tensor:
    return smooth_correction(
        image,
        case.before,
        case.good,
        case.keep,
        background_weight=WEIGHT,
        smoothness=smoothness,
    )


def split_decoder(
    decoder: Any, family: str
) -> tuple[Callable[[torch.Tensor], torch.Tensor], nn.Module]:
    """What comes before the trained part, and the trained part."""
    if not family.startswith("last up-block"):
        return nn.Identity(), decoder
    last = nn.Sequential(
        decoder.up_blocks[-1], decoder.conv_norm_out, decoder.conv_act, decoder.conv_out
    )

    def before(z: torch.Tensor) -> torch.Tensor:
        h = decoder.mid_block(decoder.conv_in(z))
        for block in decoder.up_blocks[:-1]:
            h = block(h)
        return h

    return before, last


Optimizers = Sequence[torch.optim.Optimizer]


def adamw(part: nn.Module, rate: float) -> Optimizers:
    return [torch.optim.AdamW(part.parameters(), lr=rate)]


def muon(part: nn.Module, rate: float) -> Optimizers:
    """Steps of one size in every direction of a matrix: a better conditioned optimiser."""
    matrices = [one for one in part.parameters() if one.ndim > 1]
    vectors = [one for one in part.parameters() if one.ndim == 1]
    return [
        Muon(matrices, lr=rate, weight_decay=0.0),
        torch.optim.AdamW(vectors, lr=LAST_BLOCK_RATE),
    ]


def adapted_decoder(vae: AutoencoderKL, case: Case) -> nn.Module:
    """A decoder as ``exact`` adapts it to a case."""
    decoder = copy.deepcopy(vae.decoder).requires_grad_(True)
    updates = adamw(decoder, RATE)
    with torch.enable_grad():
        for _ in range(max(WHOLE_STEPS)):
            _step(decoder, case.latents, case, updates)
    return decoder


def trained(
    vae: AutoencoderKL,
    case: Case,
    family: str,
    rate: float,
    when: tuple[int, ...],
    start: nn.Module | None = None,
    optimizers: Callable[[nn.Module, float], Optimizers] = adamw,
) -> Iterator[Tried]:
    """``family``'s part of a decoder of its own trained; the image after each of ``when`` steps.

    The copy is of the model's decoder, or of ``start``.
    What the trained part sees is computed once; that first pass is not counted, since D(z) has to
    be decoded anyway.
    """
    before, part = split_decoder(copy.deepcopy(start or vae.decoder), family)
    with torch.no_grad():
        features = before(case.latents)
    part.requires_grad_(True)
    updates = optimizers(part, rate)
    each = 0.0
    for step in range(1, max(when) + 1):
        with torch.enable_grad():
            if step == 1:
                with FlopCounterMode(display=False) as counter:
                    _step(part, features, case, updates)
                each = counter.get_total_flops() / 1e9
            else:
                _step(part, features, case, updates)
        if step in when:
            with torch.no_grad():
                image = part(features)
            yield Tried(
                family=family, name=f"{family} {step}", image=image, gflop=each * (step + 1 / 3)
            )


def _step(part: nn.Module, features: torch.Tensor, case: Case, updates: Optimizers) -> None:
    loss = adaptation_loss(part(features), case.before, case.good, case.keep, WEIGHT)
    part.zero_grad(set_to_none=True)
    loss.backward()
    for one in updates:
        one.step()


@torch.no_grad()
def output_convolution(vae: AutoencoderKL, case: Case) -> torch.Tensor:
    """The decoder's image with its output convolution refitted by weighted ridge regression on the
    3 x 3 patches of the features before it, in float64."""
    seen: list[torch.Tensor] = []
    handle = vae.decoder.conv_out.register_forward_pre_hook(lambda *call: seen.append(call[1][0]))
    vae.decoder(case.latents)
    handle.remove()
    patches = F.unfold(seen[0], 3, padding=1)[0].T.double()
    patches = torch.cat([torch.ones_like(patches[:, :1]), patches], dim=1)
    weight = ((1 - case.keep) + WEIGHT * case.keep).double().flatten()[:, None]
    target = (case.keep * (case.good - case.before))[0].flatten(1).T.double()
    weight = weight / weight.sum()
    patches = patches / (patches.square() * weight).sum(0).sqrt().clamp_min(1e-12)
    gram = patches.T @ (weight * patches)
    gram += RIDGE * torch.eye(len(gram), dtype=gram.dtype)
    solution = torch.cholesky_solve(patches.T @ (weight * target), torch.linalg.cholesky(gram))
    return case.before + (patches @ solution).T.view_as(case.before).float()


def measure(
    pipeline: AdaBLDMPipeline, requests: Sequence[dict[str, Any]], path: Path | None
) -> list[Point]:
    """Every variant on the latents of ``exact``, means over ``requests``: a table and the plot."""
    found: dict[str, list[Point]] = {}
    cases = [exact_case(pipeline, request) for request in requests]
    for number, case in enumerate(cases):
        other = cases[number - 1] if len(cases) > 1 else None
        adapted = adapted_decoder(pipeline.vae, other) if other else None
        for tried in variants(pipeline.vae, case, adapted):
            point = Point(
                family=tried.family,
                name=tried.name,
                work=tried.gflop,
                values=figures(tried.image, case),
            )
            found.setdefault(tried.name, []).append(point)
    print(f"{'adaptation':30}{'GFLOP':>9}" + "".join(f"{title:>28}" for title in TITLES))
    means = []
    for name, points in found.items():
        first, columns = points[0], zip(*(point.values for point in points), strict=True)
        values = tuple(float(np.mean(column)) for column in columns)
        means.append(Point(family=first.family, name=name, work=first.work, values=values))
        print(f"{name:30}{first.work:9.3f}" + "".join(f"{value:28.2f}" for value in values))
    if path is not None:
        shown = [point for point in means if max(point.values[:2]) < EQUAL_DB]
        draw_frontier(shown, TITLES[:3], path)
        print(f"plot: {path}", flush=True)
    return means


def exact_case(pipeline: AdaBLDMPipeline, request: dict[str, Any]) -> Case:
    """The request as ``exact`` has it before adaptation."""
    decoded: list[tuple[torch.Tensor, torch.Tensor]] = []
    hook = pipeline.vae.decoder.register_forward_hook(
        lambda *call: decoded.append((call[1][0], call[2]))
    )
    try:
        out = pipeline(**request, options=SamplerOptions(adaptation_steps=0))
    finally:
        hook.remove()
    latents, before = decoded[-1]
    return Case(
        latents=latents,
        before=before,
        good=from_uint8(torch.from_numpy(np.stack(out.sources))),
        keep=pixel_keep_mask(torch.from_numpy(np.stack(out.trimaps))),
    )


def figures(image: torch.Tensor, case: Case) -> tuple[float, ...]:
    """The values of :data:`TITLES`."""
    made, before, good = (to_uint8(one)[0].numpy() for one in (image, case.before, case.good))
    mask = (case.keep[0, 0] == 0).numpy().astype(np.uint8)
    return (
        metrics.background_psnr(made, good, mask),
        metrics.foreground_psnr(made, before, mask),
        metrics.seam_jump(made, before, mask),
        metrics.seam_step(made, before, mask),
        metrics.fine_detail(made, mask),
    )
