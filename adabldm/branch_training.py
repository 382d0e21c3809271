"""Fine-tuning a base for some defects: the control branch learns, everything else is locked
(paper, section III-C); if asked, the U-Net's decoder half learns too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from adabldm import samples
from adabldm.dataset import ObjectFolder
from adabldm.encodings import embed
from adabldm.features import Features
from adabldm.latent_pool import LatentPool
from adabldm.phases import DenoiserLoss, DenoiserPhase
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.schedule import cumulative_alphas
from adabldm.stream import PAPER_MIX, ExampleStream, Prompts
from adabldm.trainer import Keeper, Peers, Trainer, TrainOptions, copy_of, trained

DECODER_HALF = ("up_blocks", "conv_norm_out", "conv_out")
BRANCH = "branch"
"""Name of the phase."""
SHEET_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class BranchOptions:
    """How a branch is trained; the defaults are the paper's (section IV-A).

    ``pairs`` pasted pairs are drawn, and seen again in another order once all were; ``prompt_drop``
    of them have the empty text instead of their prompt; ``min_snr`` is the gamma of min-SNR
    weighting (None: equation 2 as it is); ``defect_weight`` adds the mean loss under each picture's
    defect; ``decoder_half`` unlocks the U-Net's decoder half.

    Raises ``ValueError`` naming the field, its value and the rule.
    """

    train: TrainOptions = field(default_factory=TrainOptions)
    pairs: int = 20_000
    prompt_drop: float = 0.1
    min_snr: float | None = None
    defect_weight: float = 0.0
    decoder_half: bool = False
    seed: int = 0

    @property
    def phases(self) -> dict[str, TrainOptions]:
        """How its one phase is trained, by its name."""
        return {BRANCH: self.train}

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ValueError(f"pairs: {self.pairs!r}: must be 1 or more")
        if not 0 <= self.prompt_drop <= 1:
            raise ValueError(f"prompt_drop: {self.prompt_drop!r}: must be in 0..1")
        if self.min_snr is not None and not self.min_snr > 0:
            raise ValueError(f"min_snr: {self.min_snr!r}: must be above 0")
        if not (math.isfinite(self.defect_weight) and self.defect_weight >= 0):
            raise ValueError(f"defect_weight: {self.defect_weight!r}: must be finite, >= 0")


class BranchTraining:
    """One process's part in training a branch of ``pipeline`` for ``objects``."""

    def __init__(
        self,
        pipeline: AdaBLDMPipeline,
        objects: Sequence[ObjectFolder],
        prompts: Prompts,
        options: BranchOptions,
        keeper: Keeper,
        *,
        device: torch.device | None = None,
        peers: Peers | None = None,
        features: Features | None = None,
    ) -> None:
        device = device or torch.device("cpu")
        self._pipeline = pipeline.to(device)
        self._objects, self._prompts, self._options = objects, prompts, options
        stream = ExampleStream(
            objects,
            prompts=prompts,
            size=pipeline.image_size,
            mix=PAPER_MIX,
            seed=options.seed,
            features=features,
        )
        phase = self._phase(stream)
        self.base = copy_of(trained(phase.module))
        """The base's weights of what is trained, by name (``controlnet.*``, ``unet.*``)."""
        self.trainer = Trainer(phase, options.train, keeper, device=device, peers=peers)

    def run(self) -> dict[str, torch.Tensor]:
        """Train to the end; the branch's weights by name, on the CPU."""
        self.trainer.module.train()
        weights = copy_of(self.trainer.run())
        self.trainer.module.eval().requires_grad_(False)
        return weights

    def _phase(self, stream: ExampleStream) -> DenoiserPhase:
        pipeline, options = self._pipeline, self._options
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
            LatentPool(stream, pipeline.vae, count=options.pairs, seed=options.seed),
            lambda text: embed(pipeline.text_encoder, pipeline.tokenizer, text),
            name=BRANCH,
            seed=options.seed,
            prompt_drop=options.prompt_drop,
            look=self._look,
        )

    def _look(self, module: nn.Module) -> tuple[dict[str, float], np.ndarray | None]:
        """Pairs on good pictures that training does not see."""
        del module
        size = self._pipeline.image_size
        requests = samples.unseen_requests(self._objects, self._prompts, size, SHEET_ROWS)
        return samples.pairs(self._pipeline, requests) if requests else ({}, None)
