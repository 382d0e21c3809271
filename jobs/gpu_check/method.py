"""Checks of the method on a device: the same pairs as on a CPU, compiled or not."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from unittest import mock

import numpy as np
import torch

from adabldm.branches.card import TRIMAP_VALUES, BranchCard
from adabldm.branches.files import Branch, pipeline_weights
from adabldm.branches.swapper import Swapper
from adabldm.core.devices import compile_networks, half_type
from adabldm.sampling import modes
from adabldm.sampling.options import ModeOptions
from jobs.gpu_check.bench import Bench, defects_only
from jobs.gpu_check.findings import Finding, apart

EXACT_MEAN, FAST_MEAN, ROUNDING_MEAN = 1.0, 4.0, 1.0
"""Grey levels inside defects, on average: single precision on both devices; half precision against
single; another order of the same sums."""


def _gap(bench: Bench, some: list[np.ndarray], others: list[np.ndarray]) -> dict[str, float | int]:
    wanted = bench.requests(len(some))
    mean, most = apart(defects_only(some, wanted), defects_only(others, wanted))
    return {"mean difference": mean, "largest": most}


def _against_cpu(bench: Bench, name: str, options: ModeOptions, limit: float) -> Finding:
    here, seconds = bench.made(bench.plain, options)
    there, seconds_cpu = bench.made(bench.on_cpu, options)
    gap = _gap(bench, here, there)
    return Finding(
        name=name,
        holds=gap["mean difference"] <= limit,
        rule=f"mean difference inside defects of at most {limit:g} grey levels",
        gpu={**gap, "images/s": 1 / seconds},
        cpu={"images/s": 1 / seconds_cpu},
    )


def exact_parity(bench: Bench) -> Finding:
    """The same pairs in single precision."""
    return _against_cpu(bench, "exact as on the CPU", bench.exact, EXACT_MEAN)


def fast_parity(bench: Bench) -> Finding:
    """The same pairs, in the half precision that the mode takes."""
    return _against_cpu(bench, "fast as on the CPU", bench.fast, FAST_MEAN)


def half_precision(bench: Bench) -> Finding:
    """What half precision alone changes and saves."""
    half, seconds = bench.made(bench.plain, bench.fast)
    single = modes.Mode(
        sample=modes.FAST.sample, adapt=modes.FAST.adapt, trial=modes.FAST.trial,
        precision=nullcontext,
    )  # fmt: skip
    with mock.patch.dict(modes.MODES, fast=single):
        whole, seconds_single = bench.made(bench.plain, bench.fast)
    gap = _gap(bench, half, whole)
    return Finding(
        name="half precision",
        holds=gap["mean difference"] <= FAST_MEAN,
        rule=f"mean difference from single precision of at most {FAST_MEAN:g} grey levels",
        gpu={
            **gap,
            "type": str(half_type(torch.device(bench.device))),
            "images/s": 1 / seconds,
            "images/s in single": 1 / seconds_single,
        },
    )


def channels_last(bench: Bench) -> Finding:
    """Channels last against first."""
    before, seconds_before = bench.made(bench.plain, bench.fast)
    tuned = bench.fresh()
    for network in (tuned.unet, tuned.controlnet, tuned.vae):
        network.to(memory_format=torch.channels_last)
    after, seconds = bench.made(tuned, bench.fast)
    gap = _gap(bench, after, before)
    return Finding(
        name="channels last",
        holds=gap["mean difference"] <= ROUNDING_MEAN,
        rule=f"mean difference from channels first of at most {ROUNDING_MEAN:g} grey levels",
        gpu={**gap, "images/s": 1 / seconds, "images/s first": 1 / seconds_before},
    )


def compiled(bench: Bench) -> Finding:
    """Compiled networks, in CUDA graphs, against those as they are; the same twice."""
    plain, seconds_plain = bench.made(bench.plain, bench.fast, together=bench.count)
    pipeline = bench.fresh()
    compile_networks(pipeline, **bench.compiler)
    _, first = bench.made(pipeline, bench.fast, together=bench.count)
    once, _ = bench.made(pipeline, bench.fast, together=bench.count)
    again, seconds = bench.made(pipeline, bench.fast, together=bench.count)
    gap = _gap(bench, again, plain)
    same = all(np.array_equal(a, b) for a, b in zip(once, again, strict=True))
    return Finding(
        name="compiled networks and CUDA graphs",
        holds=same and gap["mean difference"] <= ROUNDING_MEAN,
        rule="the same bytes at each call, and at most "
        f"{ROUNDING_MEAN:g} grey levels from networks as they are",
        gpu={
            **gap,
            "same bytes again": str(same),
            "s to compile": first * bench.count,
            "images/s": 1 / seconds,
            "images/s uncompiled": 1 / seconds_plain,
            "graphs skipped": int(_counters().get("cudagraph_skips", 0)),
        },
    )


def branch_swaps(bench: Bench) -> Finding:
    """A branch under compiled networks is the one that was put there, and the base comes back."""
    pipeline = bench.fresh()
    branch = changed_branch(pipeline)
    fresh = bench.fresh()
    Swapper(fresh).use(branch)
    wanted, _ = bench.made(fresh, bench.fast, together=bench.count)
    compile_networks(pipeline, **bench.compiler)
    swapper = Swapper(pipeline)
    base, _ = bench.made(pipeline, bench.fast, together=bench.count)
    frames = _frames()
    swapper.use(branch)
    other, _ = bench.made(pipeline, bench.fast, together=bench.count)
    swapper.use(None)
    back, _ = bench.made(pipeline, bench.fast, together=bench.count)
    gap, moved = _gap(bench, other, wanted), _gap(bench, other, base)
    same = all(np.array_equal(a, b) for a, b in zip(base, back, strict=True))
    apart_enough = moved["mean difference"] > gap["mean difference"]
    return Finding(
        name="branch swaps under compilation",
        holds=same and apart_enough and gap["mean difference"] <= ROUNDING_MEAN,
        rule="the base's bytes come back; the branch's pairs are at most "
        f"{ROUNDING_MEAN:g} grey levels from those of networks as they are",
        gpu={
            **gap,
            "base back": str(same),
            "branch against base": moved["mean difference"],
            "compiled again": _frames() - frames,
        },
    )


def changed_branch(pipeline: object, strength: float = 0.2) -> Branch:
    """A branch in memory: the control branch of ``pipeline`` with noise on it."""
    source = torch.Generator().manual_seed(0)
    parts = {}
    for name, one in pipeline_weights(pipeline).items():
        if name.startswith("controlnet"):
            weight = one.data.float().cpu()
            noise = torch.randn(weight.shape, generator=source)
            parts[name] = weight + strength * weight.abs().mean() * noise
    card = BranchCard(
        base_fingerprint="ab" * 32, form="full", rank=None, objects=("metal",),
        defects=("crack",), image_size=pipeline.image_size,  # type: ignore[attr-defined]
        surface={"metal": "texture"}, prompts=(), split_sha256="cd" * 32, training={},
        weights_sha256="ef" * 32, trimap_values=copy.copy(TRIMAP_VALUES),
    )  # fmt: skip
    return Branch(card, parts)


def _counters() -> Mapping[str, int]:
    return torch._dynamo.utils.counters["inductor"]


def _frames() -> int:
    return int(torch._dynamo.utils.counters["frames"]["total"])


METHOD: Mapping[str, Callable[[Bench], Finding]] = {
    "exact as on the CPU": exact_parity,
    "fast as on the CPU": fast_parity,
    "half precision": half_precision,
    "channels last": channels_last,
    "compiled networks and CUDA graphs": compiled,
    "branch swaps under compilation": branch_swaps,
}
