"""Small data sets of drawn pictures, laid out on any file system."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import fsspec
import numpy as np

from adabldm.core import images

SIDE = 32


def picture(name: str, height: int = SIDE, width: int = SIDE) -> bytes:
    """A PNG of grey noise, another for each name."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return images.encode_png(rng.integers(60, 200, (height, width), np.uint8))


def mask(height: int = SIDE, width: int = SIDE, rows: slice = slice(4, 9)) -> bytes:
    """A PNG that marks ``rows`` of four columns."""
    pixels = np.zeros((height, width), np.uint8)
    pixels[rows, 3:7] = 255
    return images.encode_png(pixels)


def lay_out(root: str, files: Mapping[str, bytes]) -> str:
    for name, data in files.items():
        with fsspec.open(f"{root}/{name}", "wb", auto_mkdir=True) as handle:
            handle.write(data)
    return root


def named(*names: str) -> dict[str, bytes]:
    """Pictures, and masks where the name says so."""
    truth = ("mask", "_GT", "truth")
    return {n: mask() if any(word in n for word in truth) else picture(n) for n in names}


def mvtec(
    prefix: str = "", *, good: int = 3, test_good: int = 2, defects: Mapping[str, int] | None = None
) -> dict[str, bytes]:
    """An object in MVTec AD layout, with so many pictures a type."""
    names = [f"{prefix}train/good/{i:03d}.png" for i in range(good)]
    names += [f"{prefix}test/good/{i:03d}.png" for i in range(test_good)]
    for defect, count in ({"crack": 4} if defects is None else defects).items():
        for i in range(count):
            names.append(f"{prefix}test/{defect}/{i:03d}.png")
            names.append(f"{prefix}ground_truth/{defect}/{i:03d}_mask.png")
    return named(*names)


def table(header: str, rows: Iterable[Iterable[str]]) -> bytes:
    """A CSV."""
    return "\n".join([header, *(",".join(row) for row in rows)]).encode() + b"\n"
