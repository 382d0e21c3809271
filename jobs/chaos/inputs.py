"""A manifest of drawn parts, in which some rows do harm to whatever makes them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core import trimap
from adabldm.core.images import encode_png
from adabldm.data.drawn_metal import draw_part
from cluster.manifest.schema import SCHEMA

PICTURES = 12
SIDE = 64
WORDS: Mapping[str, str] = {
    "hanging row": "hangs",
    "crashing row": "crashes",
    "raising row": "raises",
    "NaN row": "nans",
}
"""What is in the prompt of a row that does harm, for the sleeping pipeline."""
FILES = "files"


def write_manifest(folder: Path, count: int, seed: int, harmful: tuple[str, ...]) -> Path:
    """``count`` rows in ``folder``, one of each of ``harmful`` (:data:`WORDS`) somewhere among
    them; every third is placed by a recipe."""
    files = folder / FILES
    files.mkdir(parents=True)
    for number in range(PICTURES):
        part = draw_part(seed * 1000 + number, SIDE, ("crack", "blowhole")[number % 2])
        good = draw_part(seed * 1000 + number, SIDE).image
        (files / f"good{number}.png").write_bytes(encode_png(good))
        (files / f"trimap{number}.png").write_bytes(encode_png(trimap.compose(part.mask)))
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[20:30, 24:40] = 255
    (files / "mask.png").write_bytes(encode_png(mask))
    rows = [_row(number) for number in range(count)]
    rng = random.Random(f"rows {seed}")  # noqa: S311
    for name, number in zip(harmful, rng.sample(range(count), len(harmful)), strict=True):
        rows[number]["prompt"] += f" {WORDS[name]}"
    path = folder / "manifest.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)
    return path


def _row(number: int) -> dict[str, Any]:
    picture, placed = number % PICTURES, number % 3 == 2
    recipe = {"mask": {"path": f"{FILES}/mask.png"}, "angle": 30.0, "scale": 1.1, "top": 8}
    return {
        "request_id": f"r{number:05d}",
        "object": "metal",
        "defect": ("crack", "blowhole")[picture % 2],
        "image": {"path": f"{FILES}/good{picture}.png"},
        "trimap": None if placed else {"path": f"{FILES}/trimap{picture}.png"},
        "placement": {**recipe, "left": 9, "foreground": None} if placed else None,
        "prompt": f"a {('crack', 'blowhole')[picture % 2]} in metal",
        "negative_prompt": None,
        "seed": number,
        "model": None,
    }


def sleeping(milliseconds: int) -> str:
    """The URI of a sleeping pipeline that takes so long a draw, and to which :data:`WORDS` do
    harm."""
    words = "&".join(
        f"{query}={WORDS[name]}"
        for query, name in (
            ("hang", "hanging row"),
            ("crash", "crashing row"),
            ("raise", "raising row"),
            ("nan", "NaN row"),
        )
    )
    return f"sleep://{milliseconds}?accept=0.6&{words}"
