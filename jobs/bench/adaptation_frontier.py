"""What adaptation costs and what it reaches: the variants that ``fast`` was chosen from.

Each variant gets the same final latents and the same image before adaptation as ``exact``'s own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch.utils.flop_counter import FlopCounterMode

from adabldm.cost import arithmetic
from adabldm.judging import pair
from adabldm.networks.autoencoder import from_uint8, to_uint8
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.closed_form import smooth_correction
from adabldm.sampling.keep_masks import pixel_keep_mask
from adabldm.sampling.options import ExactOptions, FastOptions
from jobs.bench.adaptation_training import (
    LAST_BLOCK_RATE,
    MUON_RATE,
    RATE,
    WEIGHT,
    AdaptationCase,
    AdaptationResult,
    DecoderTraining,
    adapted_decoder,
    muon,
    trained,
)
from jobs.bench.frontier_plot import Point, draw_frontier
from jobs.progress import Tracker

WHOLE = DecoderTraining(family="whole decoder", when=(10, 25, 50, 100, 200), rate=RATE)
EXACT = f"{WHOLE.family} {max(WHOLE.when)}"
LAST = DecoderTraining(family="last up-block", when=(10, 50, 200), rate=LAST_BLOCK_RATE, last=True)
TRAININGS = (
    WHOLE,
    DecoderTraining(
        family="whole decoder, Muon", when=(10, 25, 50, 100), rate=MUON_RATE, optimizers=muon
    ),
    LAST,
    replace(LAST, family="last up-block, Muon", rate=MUON_RATE, optimizers=muon),
    replace(LAST, family="last up-block, crop", crop=True),
)
WARM = DecoderTraining(family="warm start", when=(1, 10, 50), rate=RATE)
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
TERMS = ("defect term", "background term")
EQUAL_DB = 60.0
"""Variants with more are not plotted: they would flatten the rest."""


def variants(
    vae: AutoencoderKL, case: AdaptationCase, others: Sequence[AdaptationCase] = ()
) -> Iterator[AdaptationResult]:
    """Every variant on one case. Warm starts begin from a decoder adapted to ``others``, as many
    steps as the whole decoder's; without others there are none."""
    yield AdaptationResult(family="none", name="no adaptation", image=case.before, gflop=0.0)
    pasted = case.good * case.keep + case.before * (1 - case.keep)
    yield AdaptationResult(family="paste", name="plain paste", image=pasted, gflop=0.0)
    for way in TRAININGS:
        yield from trained(vae, case, way)
    if others:
        yield from trained(vae, case, WARM, adapted_decoder(vae, others, max(WHOLE.when)))
    with FlopCounterMode(display=False) as counter:
        solved = output_convolution(vae, case)
    gflop = counter.get_total_flops() / 1e9
    yield AdaptationResult(
        family="least squares", name="output convolution", image=solved, gflop=gflop
    )
    for smoothness in SMOOTHNESS:
        made = smooth(case, case.before, smoothness)
        name = _smooth_name(smoothness)
        cost = arithmetic.correction_cost(case.good.shape[-1], WEIGHT, smoothness) / 1e9
        yield AdaptationResult(family="smooth correction", name=name, image=made, gflop=cost)
    made = smooth(case, solved, BOTH)
    gflop += arithmetic.correction_cost(case.good.shape[-1], WEIGHT, BOTH) / 1e9
    yield AdaptationResult(
        family="both", name=f"least squares + smooth {BOTH:g}", image=made, gflop=gflop
    )


def smooth(case: AdaptationCase, image: torch.Tensor, smoothness: float) -> torch.Tensor:
    return smooth_correction(
        image,
        case.before,
        case.good,
        case.keep,
        background_weight=WEIGHT,
        smoothness=smoothness,
    )


@torch.no_grad()
def output_convolution(vae: AutoencoderKL, case: AdaptationCase) -> torch.Tensor:
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
    """Every variant on the latents of ``exact``, means over ``requests``: tables and the plot."""
    cases = [exact_case(pipeline, request) for request in requests]
    found: list[list[AdaptationResult]] = []
    with Tracker("adaptation, requests", len(cases)) as tracker:
        for number, case in enumerate(cases):
            others = cases[:number] + cases[number + 1 :]
            found.append(list(variants(pipeline.vae, case, others)))
            tracker.update(number + 1)
    goals = [_goal(case, tried) for case, tried in zip(cases, found, strict=True)]
    points = []
    columns = (*TITLES, *TERMS, f"reached, of {len(cases)}")
    print(f"{'adaptation':30}{'GFLOP':>9}" + "".join(f"{title:>28}" for title in columns))
    for same in zip(*found, strict=True):
        point = _mean(same, cases)
        points.append(point)
        terms = [case.terms(one.image) for one, case in zip(same, cases, strict=True)]
        reached = sum(_reaches(one, goal) for one, goal in zip(terms, goals, strict=True))
        values = (*point.values, *np.mean(terms, axis=0), reached)
        print(f"{point.name:30}{point.work:9.3f}" + "".join(f"{one:28.4g}" for one in values))
    _print_courses(found, goals)
    if path is not None:
        shown = [point for point in points if max(point.values[:2]) < EQUAL_DB]
        draw_frontier(shown, TITLES[:3], path)
        print(f"plot: {path}", flush=True)
    return points


def _mean(same: Sequence[AdaptationResult], cases: Sequence[AdaptationCase]) -> Point:
    """One variant over all cases."""
    chosen = {_smooth_name(FastOptions().smoothness or 0.0): "fast", EXACT: "exact"}
    rows = [figures(one.image, case) for one, case in zip(same, cases, strict=True)]
    return Point(
        family=same[0].family,
        name=same[0].name,
        work=float(np.mean([one.gflop for one in same])),
        values=tuple(float(np.mean(column)) for column in zip(*rows, strict=True)),
        label=chosen.get(same[0].name, ""),
    )


def _smooth_name(smoothness: float) -> str:
    return f"smooth correction {smoothness:g}"


Terms = tuple[float, float]


def _goal(case: AdaptationCase, tried: Sequence[AdaptationResult]) -> Terms:
    """The loss's terms that ``exact`` ends with."""
    return next(case.terms(one.image) for one in tried if one.name == EXACT)


def _reaches(terms: Terms, goal: Terms) -> bool:
    """Whether the weighted sum is as low; up to the rounding of a repeated computation."""
    return sum(terms) <= sum(goal) * (1 + 1e-3)


def _print_courses(found: Sequence[Sequence[AdaptationResult]], goals: Sequence[Terms]) -> None:
    """When each training could have stopped: at the loss that ``exact`` ends with."""
    print(f"\nsteps to the loss of {EXACT}, request by request")
    for family in dict.fromkeys(one.family for one in found[0] if one.course):
        told = []
        for tried, goal in zip(found, goals, strict=True):
            *_, longest = (one for one in tried if one.family == family)
            steps = [step for step, one in enumerate(longest.course) if _reaches(one, goal)]
            told.append(f"{steps[0]}" if steps else f"not in {len(longest.course) - 1}")
        print(f"  {family:28}" + ", ".join(told))


def exact_case(pipeline: AdaBLDMPipeline, request: dict[str, Any]) -> AdaptationCase:
    """The request as ``exact`` has it before adaptation."""
    decoded: list[tuple[torch.Tensor, torch.Tensor]] = []
    hook = pipeline.vae.decoder.register_forward_hook(
        lambda *call: decoded.append((call[1][0], call[2]))
    )
    try:
        out = pipeline(**request, options=ExactOptions(adaptation_steps=0, resolution="model"))
    finally:
        hook.remove()
    latents, before = decoded[-1]
    return AdaptationCase(
        latents=latents,
        before=before,
        good=from_uint8(torch.from_numpy(np.stack(out.sources))),
        keep=pixel_keep_mask(torch.from_numpy(np.stack(out.trimaps))),
    )


def figures(image: torch.Tensor, case: AdaptationCase) -> tuple[float, ...]:
    """The values of :data:`TITLES`."""
    made, before, good = (to_uint8(one)[0].numpy() for one in (image, case.before, case.good))
    mask = (case.keep[0, 0] == 0).numpy().astype(np.uint8)
    return (
        pair.background_psnr(made, good, mask),
        pair.foreground_psnr(made, before, mask),
        pair.seam_jump(made, before, mask),
        pair.seam_step(made, before, mask),
        pair.fine_detail(made, mask),
    )
