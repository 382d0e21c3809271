"""Many requests adapted at once, each with weights of its own: the same steps, and what they cost.

The trained part's weights are stacked and mapped over (``torch.func``), which makes convolutions
with a group a request. On a GPU this fills what one request leaves idle; on one CPU core there is
nothing idle.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Sequence

import torch
from diffusers import AutoencoderKL
from torch.func import functional_call, grad, stack_module_state, vmap

from adabldm.sampling.decoder_adaptation import adaptation_loss
from jobs.bench.adaptation_training import (
    LAST_BLOCK_RATE,
    WEIGHT,
    AdaptationCase,
    DecoderTraining,
    split_decoder,
    trained,
)

STEPS = 10


@torch.no_grad()
def adapted_together(
    vae: AutoencoderKL, cases: Sequence[AdaptationCase], steps: int
) -> torch.Tensor:
    """Images (N, 3, H, W) after ``steps`` AdamW steps of the last up-block, a copy a case."""
    before, part = split_decoder(copy.deepcopy(vae.decoder), last=True)
    features = torch.stack([before(case.latents) for case in cases])
    defective, good, keep = (
        torch.stack([getattr(case, name) for case in cases]) for name in ("before", "good", "keep")
    )
    weights, buffers = stack_module_state([part] * len(cases))

    def loss(
        own: dict[str, torch.Tensor],
        seen: torch.Tensor,
        defective: torch.Tensor,
        good: torch.Tensor,
        keep: torch.Tensor,
    ) -> torch.Tensor:
        image = functional_call(part, own, (seen,))
        return adaptation_loss(image, defective, good, keep, WEIGHT)

    optimizer = torch.optim.AdamW(list(weights.values()), lr=LAST_BLOCK_RATE)
    for _ in range(steps):
        for name, gradient in vmap(grad(loss))(weights, features, defective, good, keep).items():
            weights[name].grad = gradient
        optimizer.step()
    images = vmap(lambda own, seen: functional_call(part, (own, buffers), (seen,)))
    return images(weights, features).squeeze(1)


def measure_together(vae: AutoencoderKL, cases: Sequence[AdaptationCase]) -> float:
    """Print both ways' processor seconds a request; returns their images' largest difference."""
    way = DecoderTraining(family="last up-block", when=(STEPS,), rate=LAST_BLOCK_RATE, last=True)
    began = time.process_time()
    alone = [next(trained(vae, case, way)).image for case in cases]
    between = time.process_time()
    together = adapted_together(vae, cases, STEPS)
    ended = time.process_time()
    difference = float((together - torch.cat(alone)).abs().max())
    print(
        f"{len(cases)} requests, {way.family}, {STEPS} steps: one by one "
        f"{(between - began) / len(cases):.2f} s each, together "
        f"{(ended - between) / len(cases):.2f} s each, images differ by {difference:.1e} at most"
    )
    return difference
