"""AdaBLDM as a diffusers pipeline: good images, trimaps and prompts in, defect pairs out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm.core import trimap
from adabldm.core.devices import align, to_device
from adabldm.core.timing import StageTimer
from adabldm.judging import pair
from adabldm.networks.autoencoder import decode, from_uint8, to_uint8
from adabldm.placement.canvas import Canvas, View, canvas
from adabldm.sampling import keep_masks
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.ddim import cumulative_alphas
from adabldm.sampling.decoder_adaptation import Adapted, adaptation_terms
from adabldm.sampling.encoding_cache import Encodings
from adabldm.sampling.modes import mode_of
from adabldm.sampling.noise import CounterNoise
from adabldm.sampling.options import ExactOptions, ModeOptions, RequestTrace
from adabldm.sampling.output import AdaBLDMOutput, SamplingFault
from adabldm.sampling.predictor import NoisePredictor, TextEmbeddings


@dataclass(frozen=True)
class _Drawn:
    """One view as the model drew it: ``image`` and the one ``before`` adaptation, uint8 (S, S, 3);
    ``losses`` and ``terms`` of the adaptation; ``seconds`` by stage."""

    image: np.ndarray
    before: np.ndarray
    losses: tuple[float, ...]
    terms: tuple[float, float]
    seconds: dict[str, float]


class AdaBLDMPipeline(DiffusionPipeline):
    """Blended latent diffusion with online decoder adaptation (arXiv 2402.19330).

    ``image_size`` is the square pixel size S that the model works at; by default the U-Net's
    ``sample_size`` times the autoencoder's factor. Texts and good images are encoded once for all
    calls (``encodings``).
    """

    model_cpu_offload_seq = "text_encoder->controlnet->unet->vae"
    _optional_components = ["text_encoder", "tokenizer"]  # noqa: RUF012 (diffusers' own hook)

    def __init__(
        self,
        vae: AutoencoderKL,
        unet: UNet2DConditionModel,
        controlnet: ControlNetModel,
        text_encoder: CLIPTextModel | None,
        tokenizer: CLIPTokenizer | None,
        scheduler: DDIMScheduler,
        image_size: int | None = None,
    ) -> None:
        super().__init__()
        self.register_modules(
            vae=vae,
            unet=unet,
            controlnet=controlnet,
            text_encoder=text_encoder,
            tokenizer=tokenizer,
            scheduler=scheduler,
        )
        self.factor = 2 ** (len(vae.config.block_out_channels) - 1)
        self.register_to_config(image_size=image_size)
        self.encodings = Encodings()
        for module in (vae, unet, controlnet, text_encoder):
            if module is not None:
                align(module.eval().requires_grad_(False))

    @property
    def image_size(self) -> int:
        """Side S of the pictures that the model makes, in pixels."""
        return self.config.image_size or self.unet.config.sample_size * self.factor

    @classmethod
    def from_single_file(cls, path: str | Path, **options: Any) -> AdaBLDMPipeline:
        """An AdaBLDM or ControlLDM checkpoint; see :func:`adabldm.networks.ldm_checkpoint.load`."""
        from adabldm.networks.ldm_checkpoint import load

        return cls(**load(path, **options))

    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Text embeddings (N, L, D) of ``prompts``, cut at the encoder's length; no gradients.

        Raises ``ValueError`` for a model without its text encoder.
        """
        if self.tokenizer is None or self.text_encoder is None:
            raise ValueError("tokenizer: None: this model was loaded without its text encoder")
        return self.encodings.texts(self.text_encoder, self.tokenizer, prompts)

    @torch.no_grad()
    def __call__(
        self,
        images: Sequence[np.ndarray],
        trimaps: Sequence[np.ndarray],
        prompts: Sequence[str],
        seeds: Sequence[int],
        negative_prompts: Sequence[str] | None = None,
        options: ModeOptions | None = None,
        compute_batch: int | None = None,
    ) -> AdaBLDMOutput:
        """Make one pair a request.

        ``images`` uint8 (H, W, 3) and ``trimaps`` uint8 (H, W) of 0 / 127 / 255, any size, the
        same for both. With the resolution ``native`` defects are drawn in windows of the picture,
        with ``model`` the picture is brought to S x S. ``compute_batch`` is how many of these are
        computed together, the last batch padded to it; by default one on a CPU, where it makes a
        request's bits independent of its neighbours, and all of them on a GPU.

        Raises ``ValueError`` for sequences of different lengths or an illegal trimap, and
        :class:`SamplingFault` if the model's values are not finite.
        """
        options = options or ExactOptions()
        negative_prompts = negative_prompts or [""] * len(images)
        # 1. Check
        lengths = {len(images), len(trimaps), len(prompts), len(seeds), len(negative_prompts)}
        if len(lengths) != 1:
            raise ValueError(f"lengths: {sorted(lengths)}: one of each is needed a request")
        for one in trimaps:
            trimap.check(one)
        # 2. To the model's size
        native = options.resolution == "native"
        canvases = [
            canvas(*request, self.image_size, native=native)
            for request in zip(images, trimaps, seeds, strict=True)
        ]
        views = [one.views() for one in canvases]
        asked = [
            (view, *texts)
            for some, *texts in zip(views, prompts, negative_prompts, strict=True)
            for view in some
        ]
        # 3. In batches of a fixed shape
        together = compute_batch or (1 if self.device.type == "cpu" else max(1, len(asked)))
        drawn: list[_Drawn] = []
        for start in range(0, len(asked), together):
            chosen = asked[start : start + together]
            padded = chosen + chosen[-1:] * (together - len(chosen))
            some, texts, negative_texts = zip(*padded, strict=True)
            drawn += self._generate(some, texts, negative_texts, options, wanted=len(chosen))
        # 6. Back into the pictures
        order = iter(drawn)
        parts = [list(islice(order, len(some))) for some in views]
        requests = list(zip(canvases, parts, strict=True))
        made = [one.composed([view.image for view in part]) for one, part in requests]
        return AdaBLDMOutput(
            images=made,
            masks=[(one.trimap == trimap.DEFECT).astype(np.uint8) * 255 for one in canvases],
            sources=[one.source for one in canvases],
            trimaps=[one.trimap for one in canvases],
            blended=[one.composed([view.before for view in part]) for one, part in requests],
            traces=[
                _trace(one, image, part) for (one, part), image in zip(requests, made, strict=True)
            ],
        )

    def _generate(
        self,
        views: Sequence[View],
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        options: ModeOptions,
        wanted: int,
    ) -> list[_Drawn]:
        """The first ``wanted`` of a batch of views."""
        device, timer, mode = self.device, StageTimer(), mode_of(options)
        sources, seeds = np.stack([view.image for view in views]), [view.seed for view in views]
        marks = to_device(np.stack([view.trimap for view in views]), device)
        images = from_uint8(to_device(sources, device)).to(self.vae.dtype)
        noise = CounterNoise(seeds, device)
        with timer.stage("encode", device):
            texts = TextEmbeddings(
                prompt=self.encode_prompts(prompts),
                negative=self.encode_prompts(negative_prompts),
                empty=self.encode_prompts([""] * len(prompts)),
            )
            latent_side = self.image_size // self.factor
            shape = (len(seeds), self.vae.config.latent_channels, latent_side, latent_side)
            drawn = noise.draw("init_encode_posterior", None, shape)
            latents = self.encodings.posterior(self.vae, sources).draw(drawn)
        good = GoodImages(
            images=images,
            latents=latents,
            pixel_keep=keep_masks.pixel_keep_mask(marks),
            latent_keep=keep_masks.latent_keep_mask(marks, self.factor),
        )
        # 4. Stages 1 and 2
        with timer.stage("sample", device), mode.precision(device):
            alphas_cumprod = cumulative_alphas(self.scheduler).to(device)
            predictor = self._predictor(marks, texts, options.guidance)
            final = mode.sample(self.vae, predictor, good, alphas_cumprod, noise, options)
            blended = decode(self.vae, final).to(images.dtype)
        # 5. Stage 3, each request with a decoder of its own
        with timer.stage("adapt", device):
            asked = slice(wanted)
            part = good.part(asked)
            adapted = mode.adapt(self.vae, final[asked], blended[asked], part, options)
        return _finished(blended, part, adapted, timer)

    def _predictor(
        self, marks: torch.Tensor, texts: TextEmbeddings, guidance: float
    ) -> NoisePredictor:
        return NoisePredictor(
            unet=self.unet,
            controlnet=self.controlnet,
            control_image=keep_masks.control_image(marks).to(self.controlnet.dtype),
            texts=texts,
            guidance=guidance,
        )


def _finished(
    blended: torch.Tensor, good: GoodImages, adapted: list[Adapted], timer: StageTimer
) -> list[_Drawn]:
    """What was drawn, off the device. Raises :class:`SamplingFault` for what is no image."""
    seconds = {name: value / len(adapted) for name, value in timer.seconds.items()}
    finished = []
    for index, (result, own) in enumerate(zip(adapted, good.each(), strict=True)):
        if not torch.isfinite(result.image).all():
            raise SamplingFault("the model's image holds values that are not finite")
        decoded = blended[index : index + 1]
        terms = adaptation_terms(result.image, decoded, own.images, own.pixel_keep)
        finished.append(
            _Drawn(
                image=to_uint8(result.image)[0].cpu().numpy(),
                before=to_uint8(decoded)[0].cpu().numpy(),
                losses=result.losses,
                terms=(float(terms[0]), float(terms[1])),
                seconds=seconds,
            )
        )
    return finished


def _trace(one: Canvas, image: np.ndarray, drawn: Sequence[_Drawn]) -> RequestTrace:
    """What is told of a request whose views were ``drawn``: times are summed, losses are those of
    its first view, figures of the adaptation the worst."""
    quality = pair.pair_quality(image, one.source, one.trimap == trimap.DEFECT)
    ends = [view.losses[-1] for view in drawn if view.losses]
    if ends:
        quality["adaptation_loss"] = max(ends)
    quality["foreground_loss"] = max(view.terms[0] for view in drawn)
    quality["background_loss"] = max(view.terms[1] for view in drawn)
    names = drawn[0].seconds
    return RequestTrace(
        losses=drawn[0].losses,
        seconds={name: sum(view.seconds[name] for view in drawn) for name in names},
        quality=quality | one.facts(),
    )
