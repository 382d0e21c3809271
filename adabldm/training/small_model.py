"""Training a small model from nothing: autoencoder, U-Net, then control branch and U-Net together.

There is no pretrained denoiser to lock here, so the last phase trains both; the text encoder is
left as it is drawn, because one that is trained along on so few texts collapses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import nn

from adabldm.core.devices import make_quick
from adabldm.core.images import resize
from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import read_picture
from adabldm.networks import small
from adabldm.networks.ldm_checkpoint import authors_scheduler
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.ddim import cumulative_alphas
from adabldm.sampling.encoding_cache import embed
from adabldm.training import objectives, previews
from adabldm.training.examples import WHOLE_MODEL_MIX, ExampleStream, Prompts
from adabldm.training.loop import CheckpointStore, Peers, Phase, Trainer
from adabldm.training.objectives import DenoiserLoss
from adabldm.training.options import TIME_SHARES, TrainOptions, WholeModelOptions
from adabldm.training.pace import steps_within
from adabldm.training.phases import CONTROL_DROP, nothing_to_see
from adabldm.training.small_phases import PhaseSource, Resident, Streamed

SIZE = small.IMAGE_SIZE
DEFECT_WEIGHT = 2.0
"""Weight of the mean loss under each picture's defect beside that of the whole picture."""
LOOKED_AT = 8


class ResultStore(CheckpointStore, Protocol):
    """A phase's store that also holds what the finished phase has made."""

    def finished(self) -> dict[str, torch.Tensor] | None: ...

    def finish(self, weights: dict[str, torch.Tensor]) -> None: ...


class WholeModelTraining:
    """One process's part in training a model on ``objects``.

    ``store_of`` gives a phase's store by its name; phases that are finished are not made again.
    """

    def __init__(
        self,
        objects: Sequence[ObjectFolder],
        prompts: Prompts,
        options: WholeModelOptions,
        store_of: Callable[[str], ResultStore],
        *,
        device: torch.device | None = None,
        peers: Peers | None = None,
    ) -> None:
        self._objects, self._prompts, self._options = objects, prompts, options
        self._store_of = store_of
        self._device, self._peers = device or torch.device("cpu"), peers or Peers.here()

    def run(self) -> AdaBLDMPipeline:
        """Train what is not finished; the pipeline of the averaged weights."""
        make_quick(self._device)
        try:
            vae = self.autoencoder()
            pipeline = self._pipeline(vae)
            scale = self._source.encode(
                vae, lambda text: embed(pipeline.text_encoder, pipeline.tokenizer, text)
            )
            vae.register_to_config(scaling_factor=scale)
            self._train_unet(pipeline)
            self._train_control(pipeline)
        finally:
            self._source.close()
        return pipeline

    @cached_property
    def _source(self) -> PhaseSource:
        stream = ExampleStream(
            self._objects,
            prompts=self._prompts,
            size=SIZE,
            mix=WHOLE_MODEL_MIX,
            seed=self._options.seed,
        )
        if self._options.resident:
            return Resident(stream, self._options, self._device)
        return Streamed(stream, self._options)

    def autoencoder(self) -> AutoencoderKL:
        """The finished autoencoder, locked."""
        torch.manual_seed(self._options.seed)
        vae = small.build_autoencoder().to(memory_format=torch.channels_last)
        objectives.narrow_posterior(vae)
        unseen = self._unseen_pictures()

        def look(module: nn.Module) -> tuple[dict[str, float], np.ndarray]:
            return previews.reconstructions(module.vae, unseen)

        for name in ("autoencoder", "refinement"):
            if name == "refinement":
                vae.encoder.requires_grad_(False)
                vae.quant_conv.requires_grad_(False)
            self._train(self._source.autoencoder(vae, name, look), self._options.phases[name])
        vae = vae.to(self._device, memory_format=torch.contiguous_format)
        return vae.eval().requires_grad_(False)

    def _unseen_pictures(self) -> list[np.ndarray]:
        uris = [uri for folder in self._objects for uri in folder.test_good[:LOOKED_AT]]
        uris = uris or [uri for folder in self._objects for uri in folder.good[:LOOKED_AT]]
        step = max(1, len(uris) // LOOKED_AT)
        return [resize(read_picture(uri), SIZE, SIZE) for uri in uris[::step]]

    def _pipeline(self, vae: AutoencoderKL) -> AdaBLDMPipeline:
        """With a U-Net, a control branch and a text encoder as they are drawn."""
        texts = sorted(
            {
                text
                for folder in self._objects
                for defect in (None, *folder.defect_types)
                for text in self._prompts(folder.name, defect)
            }
        )
        torch.manual_seed(self._options.seed + 1)
        tokenizer = small.build_tokenizer(texts * 8)
        unet = small.build_unet()
        pipeline = AdaBLDMPipeline(
            vae=vae,
            unet=unet,
            controlnet=small.build_controlnet(unet),
            text_encoder=small.build_text_encoder(tokenizer),
            tokenizer=tokenizer,
            scheduler=authors_scheduler(),
            image_size=SIZE,
        )
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(self._device)

    def _train_unet(self, pipeline: AdaBLDMPipeline) -> None:
        pipeline.unet.requires_grad_(True)
        module = self._denoiser(pipeline, None)
        phase = self._source.denoiser(module, "unet", nothing_to_see, control_drop=0.0)
        self._train(phase, self._options.unet)

    def _train_control(self, pipeline: AdaBLDMPipeline) -> None:
        torch.manual_seed(self._options.seed + 2)
        fresh = small.build_controlnet(pipeline.unet)
        pipeline.register_modules(controlnet=fresh)
        pipeline.unet.requires_grad_(True)
        fresh.requires_grad_(True)
        module = self._denoiser(pipeline, fresh)
        requests = previews.unseen_requests(self._objects, self._prompts, SIZE, 2 * LOOKED_AT)

        def look(module: nn.Module) -> tuple[dict[str, float], np.ndarray]:
            del module
            return previews.pairs(pipeline, requests)

        phase = self._source.denoiser(module, "control", look, control_drop=CONTROL_DROP)
        self._train(phase, self._options.control)
        for part in (pipeline.unet, fresh):
            part.eval().requires_grad_(False)

    def _denoiser(
        self, pipeline: AdaBLDMPipeline, controlnet: ControlNetModel | None
    ) -> DenoiserLoss:
        unet: UNet2DConditionModel = pipeline.unet
        return DenoiserLoss(
            unet,
            controlnet,
            cumulative_alphas(pipeline.scheduler),
            factor=pipeline.factor,
            defect_weight=DEFECT_WEIGHT,
        )

    def _train(self, phase: Phase, options: TrainOptions) -> None:
        """Train ``phase`` unless that was done, and load what came out, the same everywhere."""
        store = self._store_of(phase.name)
        if store.finished() is None:
            phase.module.train()
            if self._device.type == "cuda":
                phase.module.to(self._device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            if self._options.minutes is not None:
                seconds = 60 * self._options.minutes * TIME_SHARES[phase.name]
                steps = steps_within(seconds, phase, options, self._device)
                options = replace(options, steps=steps)
            trainer = Trainer(phase, options, store, device=self._device, peers=self._peers)
            weights = trainer.run()
            if self._peers.rank == 0:
                store.finish(weights)
            if self._peers.size > 1:
                torch.distributed.barrier()
        finished = store.finished()
        assert finished is not None  # noqa: S101
        with torch.no_grad():
            for name, parameter in phase.module.named_parameters():
                if name in finished:
                    parameter.copy_(finished[name])
        phase.module.to(self._device).eval()
