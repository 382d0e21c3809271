"""Train the small model that ships inside the package: ``python -m jobs.train_embedded``.

Two phases, each resumable by running the same command again: the autoencoder; then the denoiser,
its text encoder and the control branch together (there is no pretrained denoiser to lock here; in
some steps the control branch is left out, so that the denoiser also stands alone). Sample sheets
and logs are written as it goes.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextModel, CLIPTokenizer

from adabldm import masks, small_model, training
from adabldm.autoencoder import from_uint8
from adabldm.options import SamplerOptions
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.schedule import cumulative_alphas
from adabldm.single_file import authors_scheduler
from jobs import embedded_data

SIZE = small_model.IMAGE_SIZE
PROMPT_DROP = 0.1
DEFECT_DETAIL = 5.0
"""Weight of the autoencoder's mean absolute error under the defects."""
KL_WEIGHT = 1e-6
WHOLE_TILES_FROM = 0.7
"""Share of the autoencoder's steps after which it sees whole tiles."""
CONTROL_DROP = 0.15
DEFECT_WEIGHT = 1.0
"""Weight of the mean loss under each picture's defect, however small, beside that of the whole."""


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """PSNR in dB of images in [-1, 1], mean over the batch."""
    error = ((a - b) / 2).square().flatten(1).mean(1)
    return float((-10 * error.log10()).mean())


def save_sheet(path: Path, rows: list[list[np.ndarray]]) -> None:
    """A grid of uint8 pictures, (H, W) or (H, W, 3)."""
    colour = [[np.repeat(p[..., None], 3, 2) if p.ndim == 2 else p for p in row] for row in rows]
    Image.fromarray(np.vstack([np.hstack(row) for row in colour])).save(path)


def to_pixels(images: torch.Tensor) -> list[np.ndarray]:
    return list(((images.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy())


def autoencoder_batch(
    data: embedded_data.TrainingSet, step: int, batch: int, side: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Random crops of the training stream, two of each picture, with contrast lowered or raised;
    (batch, 3, side, side) in [-1, 1], and their keep-masks (batch, 1, side, side)."""
    rng = np.random.default_rng([0, step])
    crops, marks = [], []
    for index in range(batch // 2):
        pair = embedded_data.draw_pair(data, 1, step * batch // 2 + index, SIZE)
        for _ in range(2):
            top, left = rng.integers(0, SIZE - side + 1, size=2)
            window = slice(top, top + side), slice(left, left + side)
            crops.append(pair.image[window])
            marks.append(pair.trimap[window])
    images = from_uint8(torch.from_numpy(np.stack(crops)))
    gain = torch.from_numpy(rng.uniform(0.8, 1.6, size=(batch, 1, 1, 1))).float()
    level = images.mean((1, 2, 3), keepdim=True)
    images = ((images - level) * gain + level).clamp(-1, 1)
    keep = masks.pixel_keep_mask(torch.from_numpy(np.stack(marks)))
    return images.contiguous(memory_format=torch.channels_last), keep


def _look_at_autoencoder(vae: AutoencoderKL, pictures: list[np.ndarray], path: Path) -> dict:
    """PSNR on unseen good tiles, and a sheet of some of them."""
    unseen = from_uint8(torch.from_numpy(np.stack(pictures[::3])))
    with torch.no_grad():
        decoded = torch.cat([vae(part).sample for part in unseen.split(10)]).clamp(-1, 1)
    save_sheet(path, [to_pixels(unseen[:8]), to_pixels(decoded[:8])])
    return {"unseen_psnr_db": round(psnr(decoded, unseen), 2)}


def train_autoencoder(data: embedded_data.TrainingSet, folder: Path, steps: int) -> AutoencoderKL:
    """Quarter-size crops first, then four whole tiles a step."""
    torch.manual_seed(0)
    vae = small_model.build_autoencoder().to(memory_format=torch.channels_last)
    training.narrow_posterior(vae)

    def loss(step: int) -> torch.Tensor:
        side, batch = (SIZE, 4) if step > WHOLE_TILES_FROM * steps else (SIZE // 2, 16)
        images, keep = autoencoder_batch(data, step, batch, side)
        torch.manual_seed(step)
        return training.autoencoder_loss(vae, images, keep, DEFECT_DETAIL, KL_WEIGHT)

    def look(modules: nn.ModuleDict) -> dict:
        return _look_at_autoencoder(modules["vae"], data.unseen, folder / "sheet.png")

    schedule = training.Schedule(steps=steps, learning_rate=0.02)
    trained = training.Trainer(folder, {"vae": vae}, schedule).run(loss, look)
    best = small_model.build_autoencoder()
    best.load_state_dict(trained["vae"].state_dict())
    return best.eval().requires_grad_(False)


@dataclass(frozen=True, kw_only=True)
class LatentCache:
    """Encoded training pairs: ``mean`` and ``std`` (N, C, h, w) unscaled, ``trimaps`` uint8
    (N, H, W), one prompt each, and the factor that brings latents to unit variance."""

    mean: torch.Tensor
    std: torch.Tensor
    trimaps: torch.Tensor
    prompts: list[str]
    scaling_factor: float

    def draw(self, rng: torch.Generator, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(indices, scaled latents) of a random batch."""
        chosen = torch.randint(len(self.prompts), (batch,), generator=rng)
        noise = torch.randn(self.mean[chosen].shape, generator=rng)
        return chosen, (self.mean[chosen] + self.std[chosen] * noise) * self.scaling_factor


@torch.no_grad()
def encode_pairs(
    data: embedded_data.TrainingSet, vae: AutoencoderKL, folder: Path, count: int
) -> LatentCache:
    """Encode ``count`` pairs of the training stream, once; later runs read them back."""
    stored = folder / "latents.safetensors"
    if not stored.exists():
        parts: dict[str, list[torch.Tensor]] = {"mean": [], "std": [], "trimaps": []}
        prompts: list[str] = []
        pairs = (embedded_data.draw_pair(data, 7, index, SIZE) for index in range(count))
        while chunk := list(itertools.islice(pairs, 16)):
            images = from_uint8(torch.from_numpy(np.stack([p.image for p in chunk])))
            posterior = vae.encode(images).latent_dist
            parts["mean"].append(posterior.mean)
            parts["std"].append(posterior.std)
            parts["trimaps"].append(torch.from_numpy(np.stack([p.trimap for p in chunk])))
            prompts.extend(p.prompt for p in chunk)
        tensors = {name: torch.cat(part).contiguous() for name, part in parts.items()}
        save_file(tensors, stored, metadata={"prompts": json.dumps(prompts)})
    with safe_open(stored, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in ("mean", "std", "trimaps")}
        prompts = json.loads(file.metadata()["prompts"])
    return LatentCache(**tensors, prompts=prompts, scaling_factor=1 / float(tensors["mean"].std()))


@dataclass(frozen=True, kw_only=True)
class TextPart:
    tokenizer: CLIPTokenizer
    encoder: CLIPTextModel

    def encode(self, prompts: list[str]) -> torch.Tensor:
        tokens = self.tokenizer(
            prompts,
            padding="max_length",
            max_length=small_model.TEXT_LENGTH,
            truncation=True,
            return_tensors="pt",
        )
        return self.encoder(tokens.input_ids)[0]


def _noised(
    cache: LatentCache, step: int, batch: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, list[str]]:
    """(chosen, noised latents, noise, t, prompts) of training step ``step``."""
    rng = torch.Generator().manual_seed(step)
    chosen, latents = cache.draw(rng, batch)
    noise = torch.randn(latents.shape, generator=rng)
    t = torch.randint(1000, (batch,), generator=rng)
    dropped = torch.rand(batch, generator=rng) < PROMPT_DROP
    prompts = ["" if drop else cache.prompts[i] for i, drop in zip(chosen, dropped, strict=True)]
    noised = training.add_noise(latents, noise, cumulative_alphas(authors_scheduler()), t)
    return chosen, noised, noise, t, prompts


def build_pipeline(
    cache: LatentCache,
    vae: AutoencoderKL,
    unet: UNet2DConditionModel,
    controlnet: ControlNetModel,
    text: TextPart,
) -> AdaBLDMPipeline:
    vae.register_to_config(scaling_factor=cache.scaling_factor)
    return AdaBLDMPipeline(
        vae=vae,
        unet=unet,
        controlnet=controlnet,
        text_encoder=text.encoder,
        tokenizer=text.tokenizer,
        scheduler=authors_scheduler(),
        image_size=SIZE,
    )


def train_denoiser(
    data: embedded_data.TrainingSet,
    cache: LatentCache,
    vae: AutoencoderKL,
    folder: Path,
    steps: int,
    batch: int,
) -> AdaBLDMPipeline:
    torch.manual_seed(0)
    tokenizer = small_model.build_tokenizer(cache.prompts)
    # The text encoder stays as it was drawn: trained along, it makes all prompts alike, since the
    # trimap's shape tells most of what they say.
    encoder = small_model.build_text_encoder(tokenizer).requires_grad_(False)
    text = TextPart(tokenizer=tokenizer, encoder=encoder)
    unet = small_model.build_unet()
    controlnet = small_model.build_controlnet(unet)

    def loss(step: int) -> torch.Tensor:
        chosen, noised, noise, t, prompts = _noised(cache, step, batch)
        trimaps = cache.trimaps[chosen]
        encoded = text.encode([*prompts, ""])
        residuals: dict[str, object] = {}
        if np.random.default_rng(step).random() >= CONTROL_DROP:
            down, middle = controlnet(
                noised,
                t,
                encoder_hidden_states=encoded[-1:].expand(batch, -1, -1),
                controlnet_cond=masks.control_image(trimaps),
                return_dict=False,
            )
            residuals = {
                "down_block_additional_residuals": down,
                "mid_block_additional_residual": middle,
            }
        predicted = unet(noised, t, encoder_hidden_states=encoded[:-1], **residuals).sample
        error = (predicted - noise).square().mean(1, keepdim=True)
        defect = 1 - masks.latent_keep_mask(trimaps, 8)
        cells = defect.sum((1, 2, 3))
        inside = (error * defect).sum((1, 2, 3)) / cells.clamp_min(1)
        return error.mean() + DEFECT_WEIGHT * inside.sum() / (cells > 0).sum().clamp_min(1)

    def look(modules: nn.ModuleDict) -> dict:
        averaged = TextPart(tokenizer=tokenizer, encoder=modules["text_encoder"])
        pipeline = build_pipeline(cache, vae, modules["unet"], modules["controlnet"], averaged)
        return sample_sheet(pipeline, data, folder / "sheet.png")

    modules: dict[str, nn.Module] = {
        "unet": unet,
        "controlnet": controlnet,
        "text_encoder": text.encoder,
    }
    schedule = training.Schedule(steps=steps, learning_rate=0.02, save_every_s=300)
    trained = training.Trainer(folder, modules, schedule).run(loss, look)
    averaged = TextPart(tokenizer=tokenizer, encoder=trained["text_encoder"])
    return build_pipeline(cache, vae, trained["unet"], trained["controlnet"], averaged)


def sample_sheet(
    pipeline: AdaBLDMPipeline, data: embedded_data.TrainingSet, path: Path, count: int = 8
) -> dict:
    """Rows of good image, trimap, and result (25 steps, no adaptation), on unseen good images."""
    chosen = [embedded_data.place_on_unseen(data, index, SIZE) for index in range(count)]
    made = pipeline(
        images=[pair.image for pair in chosen],
        trimaps=[pair.trimap for pair in chosen],
        prompts=[pair.prompt for pair in chosen],
        seeds=list(range(count)),
        options=SamplerOptions(steps=25, adaptation_steps=0),
    )
    save_sheet(path, [made.sources, made.trimaps, made.images])
    visible = [trace.quality["defect_visible"] for trace in made.traces]
    return {"visible_share": round(float(np.mean(visible)), 2)}


def save_pipeline(pipeline: AdaBLDMPipeline, folder: Path) -> None:
    """Write safetensors rounded to half precision, which diffusers loads as float32.

    The small text encoder stays float32: transformers would load it as it is stored.
    """
    large = (pipeline.vae, pipeline.unet, pipeline.controlnet)
    for module in large:
        module.half()
    pipeline.save_pretrained(folder, safe_serialization=True)
    for module in large:
        module.float()


def main(
    data: Annotated[str, typer.Option(help="Magnetic tiles in MVTec layout, with index.csv")],
    work: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and sample sheets")],
    output: Annotated[Path, typer.Option(help="Folder of the finished model")],
    autoencoder_steps: int = 4000,
    denoiser_steps: int = 3000,
    pairs: int = 6000,
    batch: int = 16,
    threads: int = 2,
) -> None:
    """Train the embedded model; run again to continue."""
    torch.set_num_threads(threads)
    tiles = embedded_data.read_training_set(data, SIZE)
    vae = train_autoencoder(tiles, work / "autoencoder", autoencoder_steps)
    cache = encode_pairs(tiles, vae, work, pairs)
    pipeline = train_denoiser(tiles, cache, vae, work / "denoiser", denoiser_steps, batch)
    save_pipeline(pipeline, output)
    print(f"The embedded model is in {output}")


if __name__ == "__main__":
    typer.run(main)
