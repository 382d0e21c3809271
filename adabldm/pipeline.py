"""AdaBLDM as a diffusers pipeline: good images, trimaps and prompts in, defect pairs out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm import images as pictures
from adabldm import masks, metrics, trimap
from adabldm.adaptation import Adapted, adapt_decoder
from adabldm.autoencoder import decode, encode, from_uint8, to_uint8
from adabldm.devices import align, to_device
from adabldm.noise import CounterNoise
from adabldm.options import RequestTrace, SamplerOptions, boundary_step
from adabldm.sampling import Contexts, NoisePredictor, Source, sample
from adabldm.schedule import cumulative_alphas, ddim_schedule


class SamplingFault(RuntimeError):
    """The model gave values that are no image (not a number, or infinite)."""


@dataclass(frozen=True, kw_only=True)
class AdaBLDMOutput:
    """One entry a request, at the model's size S: ``images`` the pairs' images, uint8 (S, S, 3);
    ``masks`` uint8 (S, S) of 0 / 255; ``sources`` the good images and ``trimaps`` as the model saw
    them; ``blended`` the images before adaptation; ``traces`` losses, timings, quality."""

    images: list[np.ndarray]
    masks: list[np.ndarray]
    sources: list[np.ndarray]
    trimaps: list[np.ndarray]
    blended: list[np.ndarray]
    traces: list[RequestTrace]


@dataclass
class _Clock:
    """Seconds a stage, summed."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str, device: torch.device) -> Any:
        began = time.perf_counter()
        yield
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - began


class AdaBLDMPipeline(DiffusionPipeline):
    """Blended latent diffusion with online decoder adaptation (arXiv 2402.19330).

    ``image_size`` is the square pixel size S that the model works at; by default the U-Net's
    ``sample_size`` times the autoencoder's factor.
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
        for module in (vae, unet, controlnet, text_encoder):
            if module is not None:
                align(module.eval().requires_grad_(False))

    @property
    def image_size(self) -> int:
        """Side S of the pictures that the model makes, in pixels."""
        return self.config.image_size or self.unet.config.sample_size * self.factor

    @classmethod
    def from_single_file(cls, path: str | Path, **options: Any) -> AdaBLDMPipeline:
        """Load an AdaBLDM or ControlLDM checkpoint; see :func:`adabldm.single_file.load`."""
        from adabldm.single_file import load

        return cls(**load(path, **options))

    def encode_prompts(self, prompts: Sequence[str]) -> torch.Tensor:
        """Text embeddings (N, L, D) of ``prompts``, cut at the encoder's length."""
        if self.tokenizer is None or self.text_encoder is None:
            raise ValueError("tokenizer: None: this model was loaded without its text encoder")
        encoder, tokenizer = self.text_encoder, self.tokenizer

        def embed(text: str) -> torch.Tensor:
            tokens = tokenizer(
                [text],
                padding="max_length",
                max_length=encoder.config.max_position_embeddings,
                truncation=True,
                return_tensors="pt",
            )
            return encoder(tokens.input_ids.to(self.device))[0]

        # Each text by itself: what else is in the batch must not change a last bit of it.
        embeddings = {text: embed(text) for text in dict.fromkeys(prompts)}
        return torch.cat([embeddings[text] for text in prompts])

    @torch.no_grad()
    def __call__(
        self,
        images: Sequence[np.ndarray],
        trimaps: Sequence[np.ndarray],
        prompts: Sequence[str],
        seeds: Sequence[int],
        negative_prompts: Sequence[str] | None = None,
        options: SamplerOptions | None = None,
        compute_batch: int | None = None,
    ) -> AdaBLDMOutput:
        """Make one pair a request.

        ``images`` uint8 (H, W, 3) and ``trimaps`` uint8 (H, W) of 0 / 127 / 255, any size, the
        same for both; they are brought to S x S. ``compute_batch`` is how many requests are
        computed together, the last batch padded to it; by default one on a CPU, where it makes a
        request's bits independent of its neighbours, and all of them on a GPU.

        Raises ``ValueError`` for sequences of different lengths or an illegal trimap, and
        :class:`SamplingFault` if the model's values are not finite.
        """
        options = options or SamplerOptions()
        negative_prompts = negative_prompts or [""] * len(images)
        # 1. Check
        lengths = {len(images), len(trimaps), len(prompts), len(seeds), len(negative_prompts)}
        if len(lengths) != 1:
            raise ValueError(f"lengths: {sorted(lengths)}: one of each is needed a request")
        for one in trimaps:
            trimap.check(one)
        # 2. To the model's size
        side = self.image_size
        sources = [pictures.resize(one, side, side) for one in images]
        small = [trimap.resize(one, side, side) for one in trimaps]
        # 3. In batches of a fixed shape
        together = compute_batch or (1 if self.device.type == "cpu" else max(1, len(images)))
        outputs = []
        for start in range(0, len(images), together):
            chosen = list(range(start, min(start + together, len(images))))
            padded = chosen + [chosen[-1]] * (together - len(chosen))
            made = self._generate(
                np.stack([sources[i] for i in padded]),
                np.stack([small[i] for i in padded]),
                [prompts[i] for i in padded],
                [negative_prompts[i] for i in padded],
                [seeds[i] for i in padded],
                options,
                wanted=len(chosen),
            )
            outputs.extend(made)
        return AdaBLDMOutput(
            images=[image for image, _, _ in outputs],
            masks=[(one == trimap.DEFECT).astype(np.uint8) * 255 for one in small],
            sources=sources,
            trimaps=small,
            blended=[blended for _, blended, _ in outputs],
            traces=[trace for _, _, trace in outputs],
        )

    def _generate(
        self,
        sources: np.ndarray,
        trimaps: np.ndarray,
        prompts: list[str],
        negative_prompts: list[str],
        seeds: list[int],
        options: SamplerOptions,
        wanted: int,
    ) -> list[tuple[np.ndarray, np.ndarray, RequestTrace]]:
        """Image, image before adaptation, and trace, of the first ``wanted`` of the batch."""
        device, clock = self.device, _Clock()
        marks = to_device(trimaps, device)
        good = from_uint8(to_device(sources, device)).to(self.vae.dtype)
        noise = CounterNoise(seeds, device)
        with clock.stage("encode", device):
            contexts = Contexts(
                prompt=self.encode_prompts(prompts),
                negative=self.encode_prompts(negative_prompts),
                empty=self.encode_prompts([""] * len(prompts)),
            )
            latent_side = self.image_size // self.factor
            shape = (len(seeds), self.vae.config.latent_channels, latent_side, latent_side)
            latents = encode(self.vae, good, noise.draw("init_encode_posterior", None, shape))
        source = Source(
            images=good,
            latents=latents,
            pixel_keep=masks.pixel_keep_mask(marks),
            latent_keep=masks.latent_keep_mask(marks, self.factor),
        )
        # 4. Stages 1 and 2
        with clock.stage("sample", device):
            final = self._sample(source, marks, contexts, noise, options)
            blended = decode(self.vae, final)
        # 5. Stage 3, each request with a decoder of its own
        with clock.stage("adapt", device):
            adapted = [
                self._adapt(final[i : i + 1], blended[i : i + 1], source, i, options)
                for i in range(wanted)
            ]
        return self._finish(sources, trimaps, blended, adapted, clock)

    def _sample(
        self,
        source: Source,
        marks: torch.Tensor,
        contexts: Contexts,
        noise: CounterNoise,
        options: SamplerOptions,
    ) -> torch.Tensor:
        alphas_cumprod = cumulative_alphas(self.scheduler).to(self.device)
        schedule = ddim_schedule(alphas_cumprod, options.steps, options.eta)
        predictor = NoisePredictor(
            unet=self.unet,
            controlnet=self.controlnet,
            control_image=masks.control_image(marks).to(self.controlnet.dtype),
            contexts=contexts,
            guidance=options.guidance,
        )
        return sample(
            self.vae,
            predictor,
            source,
            schedule,
            alphas_cumprod,
            noise,
            latent_editing_start=boundary_step(options.latent_editing_start, len(schedule)),
            image_editing_start=boundary_step(options.image_editing_start, len(schedule)),
        )

    def _adapt(
        self,
        latents: torch.Tensor,
        blended: torch.Tensor,
        source: Source,
        index: int,
        options: SamplerOptions,
    ) -> Adapted:
        return adapt_decoder(
            self.vae,
            latents,
            blended,
            source.images[index : index + 1],
            source.pixel_keep[index : index + 1],
            steps=options.adaptation_steps,
            rate=options.adaptation_rate,
            background_weight=options.background_weight,
        )

    def _finish(
        self,
        sources: np.ndarray,
        trimaps: np.ndarray,
        blended: torch.Tensor,
        adapted: list[Adapted],
        clock: _Clock,
    ) -> list[tuple[np.ndarray, np.ndarray, RequestTrace]]:
        seconds = {name: value / len(adapted) for name, value in clock.seconds.items()}
        finished = []
        for index, result in enumerate(adapted):
            if not torch.isfinite(result.image).all():
                raise SamplingFault("the model's image holds values that are not finite")
            image = to_uint8(result.image)[0].cpu().numpy()
            quality = metrics.pair_quality(image, sources[index], trimaps[index] == trimap.DEFECT)
            if result.losses:
                quality["adaptation_loss"] = result.losses[-1]
            trace = RequestTrace(losses=result.losses, seconds=seconds, quality=quality)
            before = to_uint8(blended[index : index + 1])[0].cpu().numpy()
            finished.append((image, before, trace))
        return finished
