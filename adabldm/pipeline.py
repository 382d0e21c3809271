"""AdaBLDM as a diffusers pipeline: good images, trimaps and prompts in, defect pairs out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, UNet2DConditionModel
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm.contest import Contest, Drawn
from adabldm.core import trimap
from adabldm.core.devices import align, to_device
from adabldm.core.timing import StageTimer
from adabldm.judging.options import JudgeOptions
from adabldm.judging.verdict import RealDistance
from adabldm.networks.autoencoder import decode, encode, from_uint8, to_uint8
from adabldm.networks.known_words import known_part
from adabldm.placement.canvas import View, canvas
from adabldm.sampling import keep_masks
from adabldm.sampling.blending import GoodImages
from adabldm.sampling.ddim import cumulative_alphas
from adabldm.sampling.decoder_adaptation import Adapted, adaptation_terms
from adabldm.sampling.encoding_cache import Encodings
from adabldm.sampling.modes import mode_of
from adabldm.sampling.noise import CounterNoise
from adabldm.sampling.options import ExactOptions, ModeOptions
from adabldm.sampling.output import AdaBLDMOutput, SamplingFault
from adabldm.sampling.predictor import NoisePredictor, TextEmbeddings


class AdaBLDMPipeline(DiffusionPipeline):
    """Blended latent diffusion with online decoder adaptation (arXiv 2402.19330).

    ``image_size`` is the square pixel size S that the model works at; by default the U-Net's
    ``sample_size`` times the autoencoder's factor. Texts and good images are encoded once for all
    calls (``encodings``). ``reads_every_word`` is set while a branch is in place: it has learned
    the words of its texts.
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
        self.reads_every_word = False
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

        Words that the embedded model does not know are left out
        (:mod:`adabldm.networks.known_words`), unless ``reads_every_word``.

        Raises ``ValueError`` for a model without its text encoder.
        """
        if self.tokenizer is None or self.text_encoder is None:
            raise ValueError("tokenizer: None: this model was loaded without its text encoder")
        if not self.reads_every_word:
            prompts = [known_part(self.tokenizer, prompt) for prompt in prompts]
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
        judge: JudgeOptions | None = None,
        real: Sequence[RealDistance | None] | None = None,
        starts: Sequence[np.ndarray | None] | None = None,
    ) -> AdaBLDMOutput:
        """Make one pair a request.

        ``images`` uint8 (H, W, 3) and ``trimaps`` uint8 (H, W) of 0 / 127 / 255, any size, the
        same for both. With the resolution ``native`` defects are drawn in windows of the picture,
        with ``model`` the picture is brought to S x S. ``compute_batch`` is how many of these are
        computed together, the last batch padded to it; by default one on a CPU, where it makes a
        request's bits independent of its neighbours, and all of them on a GPU.

        With ``judge`` several candidates of a request are drawn, and drawn again while none is
        accepted, as its options say; the best one is kept, a rejected one with its reason. Of one
        candidate without retries a pair has the same bytes as without ``judge``. ``real`` has the
        distance to real defects that the judge asks for, a request each. ``starts`` are pictures
        like ``images`` that show such a defect in its place already, None for none: ``fast`` starts
        from them as its ``strength`` says, ``exact`` always from noise, as in the paper.

        Raises ``ValueError`` for sequences of different lengths or an illegal trimap, and
        :class:`SamplingFault` if the model's values are not finite.
        """
        options = options or ExactOptions()
        negative_prompts = negative_prompts or [""] * len(images)
        # 1. Check
        real = real or [None] * len(images)
        starts = starts or [None] * len(images)
        given = (images, trimaps, prompts, seeds, negative_prompts, real, starts)
        lengths = {len(one) for one in given}
        if len(lengths) != 1:
            raise ValueError(f"lengths: {sorted(lengths)}: one of each is needed a request")
        for one in trimaps:
            trimap.check(one)
        # 2. To the model's size
        native = options.resolution == "native"
        if options.mode == "exact" or options.strength == 1:
            starts = [None] * len(images)
        detail = 1.0 if options.mode == "exact" else options.detail
        cut = zip(images, trimaps, seeds, starts, strict=True)
        canvases = [
            canvas(image, marks, seed, self.image_size, native=native, start=start, detail=detail)
            for image, marks, seed, start in cut
        ]
        contests = [
            Contest(one, seed, judge, away)
            for one, seed, away in zip(canvases, seeds, real, strict=True)
        ]
        requests = list(zip(contests, prompts, negative_prompts, strict=True))
        while still := [request for request in requests if request[0].is_open]:
            # 3. In batches of a fixed shape
            asked = [
                (contest, views, texts)
                for contest, *texts in still
                for views in contest.next_round()
            ]
            flat = [(view, texts[0], texts[1]) for _, views, texts in asked for view in views]
            drawn = self._in_batches(flat, options, compute_batch)
            # 6. Back into the picture, judged
            for contest, views, _ in asked:
                contest.consider(list(islice(drawn, len(views))))
        results = [contest.result() for contest in contests]
        return AdaBLDMOutput(
            images=[one.image for one in results],
            masks=[one.mask for one in results],
            sources=[one.canvas.source for one in contests],
            trimaps=[one.canvas.trimap for one in contests],
            blended=[one.before for one in results],
            traces=[one.trace for one in results],
            refined=[one.refined for one in results],
            reasons=[one.reason for one in results],
        )

    def _in_batches(
        self,
        asked: Sequence[tuple[View, str, str]],
        options: ModeOptions,
        compute_batch: int | None,
    ) -> Iterator[Drawn]:
        """Views with their prompt and negative prompt, drawn in their order; those with a start
        and those without never share a batch."""
        together = compute_batch or (1 if self.device.type == "cpu" else max(1, len(asked)))
        for chosen in _batches(asked, together):
            padded = [*chosen, *[chosen[-1]] * (together - len(chosen))]
            views, prompts, negative_prompts = zip(*padded, strict=True)
            yield from self._generate(views, prompts, negative_prompts, options, len(chosen))

    def _generate(
        self,
        views: Sequence[View],
        prompts: Sequence[str],
        negative_prompts: Sequence[str],
        options: ModeOptions,
        wanted: int,
    ) -> list[Drawn]:
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
            start, detail = self._start(views, noise, shape, options)
        good = GoodImages(
            images=images,
            latents=latents,
            pixel_keep=keep_masks.pixel_keep_mask(marks),
            latent_keep=keep_masks.latent_keep_mask(marks, self.factor),
            start=start,
        )
        # 4. Stages 1 and 2
        with timer.stage("sample", device), mode.precision(device):
            alphas_cumprod = cumulative_alphas(self.scheduler).to(device)
            predictor = self._predictor(marks, texts, options.guidance)
            final = mode.sample(self.vae, predictor, good, alphas_cumprod, noise, options)
            blended = decode(self.vae, final).to(images.dtype)
            if detail is not None:
                blended = blended + detail
        # 5. Stage 3, each request with a decoder of its own
        with timer.stage("adapt", device):
            asked = slice(wanted)
            part = good.part(asked)
            adapted = mode.adapt(self.vae, final[asked], blended[asked], part, options)
        return _finished(blended, part, adapted, timer)

    def _start(
        self,
        views: Sequence[View],
        noise: CounterNoise,
        shape: tuple[int, ...],
        options: ModeOptions,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """The latents that the drawing of ``views`` starts from, None for noise alone; and of what
        decoding them lacks of their pictures the share that is put back."""
        pictures = [view.start for view in views if view.start is not None]
        if not pictures or options.mode == "exact":
            return None, None
        pixels = from_uint8(to_device(np.stack(pictures), self.device)).to(self.vae.dtype)
        start = encode(self.vae, pixels, noise.draw("start_encode_posterior", None, shape))
        if options.detail == 0:
            return start, None
        return start, options.detail * (pixels - decode(self.vae, start))

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


def _batches(
    asked: Sequence[tuple[View, str, str]], size: int
) -> Iterator[list[tuple[View, str, str]]]:
    """Batches of at most ``size`` that follow each other, all with a start or all without."""
    for _, run in groupby(asked, key=lambda one: one[0].start is not None):
        alike = list(run)
        for first in range(0, len(alike), size):
            yield alike[first : first + size]


def _finished(
    blended: torch.Tensor, good: GoodImages, adapted: list[Adapted], timer: StageTimer
) -> list[Drawn]:
    """What was drawn, off the device. Raises :class:`SamplingFault` for what is no image."""
    seconds = {name: value / len(adapted) for name, value in timer.seconds.items()}
    finished = []
    for index, (result, own) in enumerate(zip(adapted, good.each(), strict=True)):
        if not torch.isfinite(result.image).all():
            raise SamplingFault("the model's image holds values that are not finite")
        decoded = blended[index : index + 1]
        terms = adaptation_terms(result.image, decoded, own.images, own.pixel_keep)
        finished.append(
            Drawn(
                image=to_uint8(result.image)[0].cpu().numpy(),
                before=to_uint8(decoded)[0].cpu().numpy(),
                losses=result.losses,
                terms=(float(terms[0]), float(terms[1])),
                seconds=seconds,
            )
        )
    return finished
