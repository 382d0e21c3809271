"""Train the small model that ships inside the package: ``python -m jobs.train_embedded``.

Three phases, each resumable: the autoencoder; the denoiser with its text encoder; the control
branch. Sample sheets and a log are written as it goes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL
from PIL import Image
from torch import nn

from adabldm import training
from jobs import embedded_data

SIZE = 128


def build_autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(16, 32, 64, 128),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=8,
        norm_num_groups=8,
        sample_size=SIZE,
    )


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """PSNR in dB of images in [-1, 1], mean over the batch."""
    error = ((a - b) / 2).square().flatten(1).mean(1)
    return float((-10 * error.log10()).mean())


def autoencoder_batch(
    data: embedded_data.TrainingSet, seed: int, step: int, batch: int, side: int
) -> torch.Tensor:
    """Random crops, (batch, 3, side, side) in [-1, 1], of the training stream."""
    rng = np.random.default_rng([seed, step])
    crops = []
    for index in range(batch):
        image = embedded_data.draw_pair(data, seed + 1, step * batch + index, SIZE).image
        top, left = rng.integers(0, SIZE - side + 1, size=2)
        crops.append(image[top : top + side, left : left + side])
    return training.to_model_range(torch.from_numpy(np.stack(crops)))


def train_autoencoder(data: embedded_data.TrainingSet, folder: Path, steps: int) -> AutoencoderKL:
    vae = build_autoencoder().to(memory_format=torch.channels_last)
    unseen = training.to_model_range(torch.from_numpy(np.stack(data.unseen)))

    def loss(step: int) -> torch.Tensor:
        whole = step > 0.6 * steps
        side, batch = (SIZE, 4) if whole else (SIZE // 2, 16)
        images = autoencoder_batch(data, 0, step, batch, side)
        images = images.contiguous(memory_format=torch.channels_last)
        torch.manual_seed(step)
        return training.autoencoder_loss(vae, images, kl_weight=1e-7)

    def look(modules: nn.ModuleDict, step: int) -> dict:
        averaged = modules["vae"]
        with torch.no_grad():
            decoded = torch.cat(
                [averaged.decode(averaged.encode(x).latent_dist.mode()).sample
                 for x in unseen[::3].split(10)]
            )  # fmt: skip
        shown = torch.cat([unseen[::3][:8], decoded[:8]]).clamp(-1, 1)
        sheet = ((shown + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
        rows = [np.hstack(list(sheet[:8])), np.hstack(list(sheet[8:]))]
        Image.fromarray(np.vstack(rows)).save(folder / "sheet.png")
        return {"unseen_psnr_db": round(psnr(decoded.clamp(-1, 1), unseen[::3]), 2)}

    schedule = training.Schedule(steps=steps, learning_rate=2e-3)
    trained = training.Trainer(folder, {"vae": vae}, schedule).run(loss, look)
    return trained["vae"]


def main(
    data: Annotated[str, typer.Option(help="Magnetic tiles in MVTec layout, with index.csv")],
    work: Annotated[Path, typer.Option(help="Folder of checkpoints, logs and sample sheets")],
    autoencoder_steps: int = 7500,
    threads: int = 2,
) -> None:
    torch.set_num_threads(threads)
    tiles = embedded_data.read_training_set(data, SIZE)
    train_autoencoder(tiles, work / "autoencoder", autoencoder_steps)


if __name__ == "__main__":
    typer.run(main)
