"""Fine-tuning a base for some defects: the control branch learns, everything else is locked
(paper, section III-C); if asked, the U-Net's decoder half learns too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from adabldm.core.objects import ObjectFolder
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.ddim import cumulative_alphas
from adabldm.sampling.encoding_cache import embed
from adabldm.training import previews
from adabldm.training.examples import ExampleStream, Prompts
from adabldm.training.latents import Examples, LatentPool
from adabldm.training.loop import CheckpointStore, Peers, Trainer, copy_of, trained
from adabldm.training.objectives import DenoiserLoss
from adabldm.training.options import BRANCH, BranchOptions
from adabldm.training.phases import DenoiserPhase, Look, nothing_to_see

DECODER_HALF = ("up_blocks", "conv_norm_out", "conv_out")
SHEET_ROWS = 16
"""Pairs that are drawn to be looked at, and judged."""


class BranchTraining:
    """One process's part in training a branch of ``pipeline`` for ``objects``."""

    def __init__(
        self,
        pipeline: AdaBLDMPipeline,
        objects: Sequence[ObjectFolder],
        prompts: Prompts,
        options: BranchOptions,
        store: CheckpointStore,
        *,
        device: torch.device | None = None,
        peers: Peers | None = None,
    ) -> None:
        device = device or torch.device("cpu")
        self._pipeline = pipeline.to(device)
        self._objects, self._prompts = objects, prompts
        self.examples = ExampleStream(
            objects,
            prompts=prompts,
            size=pipeline.image_size,
            seed=options.seed,
            resolution=options.resolution,
        )
        """What is learned from."""
        phase = branch_phase(self._pipeline, self.examples, options, look=self._look)
        self.base = copy_of(trained(phase.module))
        """The base's weights of what is trained, by name (``controlnet.*``, ``unet.*``)."""
        self.trainer = Trainer(phase, options.train, store, device=device, peers=peers)

    def run(self) -> dict[str, torch.Tensor]:
        """Train to the end; the branch's weights by name, on the CPU. What the base does is looked
        at first."""
        if self.trainer.step == 0 and self.trainer.peers.rank == 0:
            self.trainer.look()
        self._pipeline.reads_every_word = True
        self.trainer.module.train()
        weights = copy_of(self.trainer.run())
        self.trainer.module.eval().requires_grad_(False)
        return weights

    def _look(self, module: nn.Module) -> tuple[dict[str, float], np.ndarray | None]:
        """Pairs on good pictures that training does not see."""
        del module
        size = self._pipeline.image_size
        requests = previews.unseen_requests(self._objects, self._prompts, size, SHEET_ROWS)
        return previews.pairs(self._pipeline, requests) if requests else ({}, None)


def branch_phase(
    pipeline: AdaBLDMPipeline,
    examples: Examples,
    options: BranchOptions,
    *,
    look: Look = nothing_to_see,
) -> DenoiserPhase:
    """The phase that trains the control branch of ``pipeline``, which is otherwise locked."""
    pipeline.controlnet.requires_grad_(True)
    if options.decoder_half:
        for name in DECODER_HALF:
            getattr(pipeline.unet, name).requires_grad_(True)
    return DenoiserPhase(
        DenoiserLoss(
            pipeline.unet,
            pipeline.controlnet,
            cumulative_alphas(pipeline.scheduler),
            factor=pipeline.factor,
            defect_weight=options.defect_weight,
            min_snr=options.min_snr,
        ),
        LatentPool(examples, pipeline.vae, count=options.pairs, seed=options.seed),
        lambda text: embed(pipeline.text_encoder, pipeline.tokenizer, text),
        name=BRANCH,
        seed=options.seed,
        prompt_drop=options.prompt_drop,
        look=look,
    )
