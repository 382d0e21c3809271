"""What ``adabldm evaluate`` takes for many maps: ``python -m jobs.bench.evaluation_scale``.

Draws a data set of 512 x 512, a third of its pictures defective, with a float32 map of noise for
each (1 MiB a picture on the disk), and scores it in a process of its own, whose peak memory is its
own.
"""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.ndimage import gaussian_filter

from adabldm.core.images import encode_png
from jobs.verbs.evaluate import evaluate_maps

SIDE = 512
WHOLE = 10_000
"""Maps for which the time is foretold, in proportion."""
EVERY = 3
"""One picture in so many is defective."""
DRAWN = 16
"""Noises of which maps are made: each map is one, turned round and shifted."""


@dataclass(frozen=True)
class Taken:
    """Seconds of the wall and of the processor, peak memory in GB, and the figures."""

    wall: float
    processor: float
    peak: float
    figures: dict[str, Any]


def draw(folder: Path, maps: int) -> tuple[Path, Path]:
    """The data set's folder and the maps'."""
    rng = np.random.default_rng(0)
    noises = [gaussian_filter(rng.normal(size=(SIDE, SIDE)), 2) for _ in range(DRAWN)]
    data, scores = folder / "data", folder / "maps"
    plain = encode_png(np.full((SIDE, SIDE), 128, np.uint8))
    for number in range(maps):
        kind = "good" if number % EVERY else ("crack", "hole")[number // EVERY % 2]
        mask = np.zeros((SIDE, SIDE), bool)
        if kind != "good":
            for _ in range(3):
                row, column = rng.integers(0, SIDE - 80, 2)
                mask[row : row + rng.integers(4, 80), column : column + rng.integers(4, 80)] = True
            _write(
                data / f"ground_truth/{kind}/{number:06d}_mask.png",
                encode_png(mask * np.uint8(255)),
            )
        _write(data / f"test/{kind}/{number:06d}.png", plain)
        noise = np.roll(noises[number % DRAWN], rng.integers(0, SIDE, 2), (0, 1))
        values = (noise + rng.normal(0, 0.01, (SIDE, SIDE)) + 0.3 * mask).astype(np.float32)
        (scores / kind).mkdir(parents=True, exist_ok=True)
        np.save(scores / kind / f"{number:06d}.npy", values)
    _write(data / "train/good/0.png", plain)
    return data, scores


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def scored(data: Path, scores: Path) -> Taken:
    began, ran = time.perf_counter(), time.process_time()
    figures = evaluate_maps(str(data), str(scores))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return Taken(time.perf_counter() - began, time.process_time() - ran, peak, figures)


def main(
    maps: Annotated[int, typer.Option(help="Maps that are drawn and scored.", min=6)] = 1000,
) -> None:
    """Print seconds, peak memory and the bound of the error."""
    with tempfile.TemporaryDirectory() as holder:
        places = draw(Path(holder), maps)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            taken = pool.submit(scored, *places).result()
    figures = taken.figures
    print(f"{maps} maps of {SIDE} x {SIDE}, {figures['defective_pictures']} of them defective")
    for count, times in ((maps, 1.0), (WHOLE, WHOLE / maps)):
        wall, processor = (f"{times * one:.0f} s" for one in (taken.wall, taken.processor))
        print(f"  {count} maps: {wall}, {processor} of the processor")
    print(f"  peak {taken.peak:.2f} GB")
    print(f"  largest error {figures['largest_error']:.1e}, pixel AP {figures['pixel_ap']:.4f}")


if __name__ == "__main__":
    typer.run(main)
