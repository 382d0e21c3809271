"""Measure the embedded model on tiles it never saw: ``python -m jobs.measure_embedded``.

Prints the autoencoder's PSNR on unseen good tiles and, for generated pairs, the background's PSNR
and by type the share with a visible defect (:mod:`adabldm.metrics`; it counts any change under the
mask, so look at the sheet of the pairs that is drawn).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from adabldm.autoencoder import from_uint8
from adabldm.embedded import embedded_path
from adabldm.options import SamplerOptions
from adabldm.pipeline import AdaBLDMOutput, AdaBLDMPipeline
from jobs import embedded_data
from jobs.train_embedded import SIZE, psnr, save_sheet


@torch.no_grad()
def autoencoder_psnr(pipeline: AdaBLDMPipeline, pictures: list[np.ndarray]) -> float:
    """Mean PSNR in dB of the autoencoder on uint8 pictures (S, S, 3)."""
    images = from_uint8(torch.from_numpy(np.stack(pictures)))
    decoded = torch.cat([pipeline.vae(part).sample for part in images.split(8)])
    return psnr(decoded.clamp(-1, 1), images)


def generate_pairs(
    pipeline: AdaBLDMPipeline,
    data: embedded_data.TrainingSet,
    count: int,
    options: SamplerOptions,
) -> Iterator[tuple[embedded_data.Pair, AdaBLDMOutput]]:
    """Pairs on unseen good tiles, with masks of the few real defects placed on them."""
    for index in range(count):
        pair = embedded_data.place_on_unseen(data, index, SIZE)
        made = pipeline(
            images=[pair.image],
            trimaps=[pair.trimap],
            prompts=[pair.prompt],
            seeds=[index],
            options=options,
        )
        yield pair, made


def visible_by_type(shown: Sequence[tuple[str | None, float]]) -> str:
    """``crack 3 of 4, ...`` from (type, 1.0 if visible)."""
    types = sorted({str(defect) for defect, _ in shown})
    return ", ".join(
        f"{name} {sum(v for d, v in shown if d == name):.0f} of {sum(d == name for d, _ in shown)}"
        for name in types
    )


def main(
    data: Annotated[str, typer.Option(help="Magnetic tiles in MVTec layout, with index.csv")],
    model: Annotated[Path | None, typer.Option(help="Model folder; default the embedded")] = None,
    count: int = 40,
    steps: int = 50,
    guidance: float = 9.0,
    adaptation_steps: int = 200,
    sheet: Path | None = None,
    threads: int = 2,
) -> None:
    """Print the figures of the embedded model."""
    torch.set_num_threads(threads)
    tiles = embedded_data.read_training_set(data, SIZE)
    pipeline = AdaBLDMPipeline.from_pretrained(model or embedded_path())
    print(f"autoencoder PSNR on {len(tiles.unseen)} unseen good tiles: "
          f"{autoencoder_psnr(pipeline, tiles.unseen):.2f} dB", flush=True)  # fmt: skip
    options = SamplerOptions(steps=steps, guidance=guidance, adaptation_steps=adaptation_steps)
    rows: list[list[np.ndarray]] = []
    figures: list[dict[str, float]] = []
    shown: list[tuple[str | None, float]] = []
    for index, (pair, made) in enumerate(generate_pairs(pipeline, tiles, count, options)):
        quality = made.traces[0].quality | made.traces[0].seconds
        figures.append(quality)
        shown.append((pair.defect, quality["defect_visible"]))
        rows.append([made.sources[0], made.trimaps[0], made.blended[0], made.images[0]])
        print(f"{index + 1}/{count} {pair.prompt}: "
              + ", ".join(f"{k} {v:.3g}" for k, v in quality.items()), flush=True)  # fmt: skip
    for name in ("background_psnr_db", "defect_visible", "defect_change", "sample", "adapt"):
        print(f"{name}: mean {np.mean([one[name] for one in figures]):.3f} over {count} pairs")
    print(f"visible by type: {visible_by_type(shown)}")
    if sheet is not None:
        half = (count + 1) // 2
        blank = [np.zeros_like(rows[0][0])] * 4
        paired = [rows[i] + (rows[i + half] if i + half < count else blank) for i in range(half)]
        save_sheet(sheet, paired)
        print(f"good, trimap, before and after adaptation: {sheet}")


if __name__ == "__main__":
    typer.run(main)
