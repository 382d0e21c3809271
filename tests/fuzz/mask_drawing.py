"""Masks as people store them, with what they mean."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image
from skimage.draw import disk, line, rectangle

from tests.fuzz.case import Case
from tests.fuzz.drawing import save, upright

SIZES = {(16, 16): 2, (17, 33): 3, (48, 64): 8, (96, 96): 6, (200, 256): 1, (1, 1): 1, (3, 400): 1}
WAYS = {
    "plain": 12, "one": 6, "bits": 4, "grey level": 4, "palette": 5, "colour palette": 4,
    "colour": 4, "deep": 4, "deep one": 2, "whole numbers": 2, "float": 3, "alpha": 4,
    "alpha on white": 3, "jpeg": 6, "enlarged": 6, "inverted": 6, "inverted one": 2, "classes": 6,
    "classes void": 3, "colours": 3, "noise": 3, "nan": 1, "below": 1, "empty": 2, "full": 2,
    "turned": 4,
}  # fmt: skip
SURE = {"plain", "one", "bits", "grey level", "palette", "colour palette", "colour", "deep",
        "deep one", "float", "turned"}  # fmt: skip
"""Ways that leave no doubt what is meant: a defect so stored is taken."""
CLEAR = SURE | {"alpha", "alpha on white", "jpeg", "enlarged", "inverted", "inverted one",
                "whole numbers"}  # fmt: skip
"""Ways of which, where they are taken, the truth is known."""
NEVER = {"classes", "colours", "nan", "below", "empty", "full"}
"""Ways from which nobody can tell what is meant."""


@dataclass(frozen=True)
class DrawnMask:
    """A mask's file, the way it is stored, and the ``truth``, upright bool (H, W)."""

    data: bytes
    way: str
    truth: np.ndarray


def draw_mask(case: Case) -> DrawnMask:
    way = case.pick(WAYS)
    height, width = case.pick(SIZES)
    if way in NEVER - {"empty", "full"} or way == "enlarged":
        height, width = max(height, 40), max(width, 40)
    truth = _shapes(case, height, width)
    if way in ("empty", "full"):
        truth[:] = way == "full"
    return DrawnMask(_store(case, truth, way), way, truth)


def _shapes(case: Case, height: int, width: int) -> np.ndarray:
    """Up to three discs, bars and lines, bool (H, W), within a third of the picture."""
    found = np.zeros((height, width), bool)
    reach = max(1, min(height, width) // 6)
    for _ in range(case.rng.choice((1, 1, 2, 3))):
        row, col = case.rng.randrange(height), case.rng.randrange(width)
        kind = case.rng.choice(("disc", "bar", "line"))
        if kind == "disc":
            found[disk((row, col), reach, shape=found.shape)] = True
        elif kind == "bar":
            found[rectangle((row, col), extent=(reach, reach), shape=found.shape)] = True
        else:
            far = case.rng.randrange(height), case.rng.randrange(width)
            found[line(row, col, *far)] = True
    found[0, 0] = False
    return found


def _store(case: Case, truth: np.ndarray, way: str) -> bytes:
    flat = truth.astype(np.uint8)
    kind = case.rng.choice(("PNG", "PNG", "PNG", "TIFF", "BMP"))
    if way == "turned":
        turn = case.rng.choice((2, 3, 4, 5, 6, 7, 8))
        back = {6: 8, 8: 6}.get(turn, turn)
        return save(case, Image.fromarray(np.ascontiguousarray(upright(flat, back)) * 255),
                    "TIFF", turn)  # fmt: skip
    if way in PLAIN:
        return encode(Image.fromarray(PLAIN[way](flat)), "PNG" if flat.size < 2 else kind)
    return (_numbers if way in NUMBERS else _special)(case, flat, way, kind)


NUMBERS = ("deep", "deep one", "whole numbers", "below", "float", "nan")
PLAIN = {
    "plain": lambda flat: flat * 255,
    "one": lambda flat: flat,
    "bits": lambda flat: flat > 0,
    "grey level": lambda flat: flat * 180,
    "inverted": lambda flat: 255 - flat * 255,
    "inverted one": lambda flat: 1 - flat,
    "empty": lambda flat: flat,
    "full": lambda flat: flat,
}


def encode(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def _special(case: Case, flat: np.ndarray, way: str, kind: str) -> bytes:
    if way in ("palette", "colour palette"):
        indexed = Image.new("P", flat.shape[::-1])
        indexed.putdata(flat.ravel().tolist())
        colours = [0, 0, 0, 255, 255, 255] if way == "palette" else [0, 0, 0, 220, 20, 30]
        indexed.putpalette(colours)
        return encode(indexed, "PNG" if way == "palette" and kind == "BMP" else kind)
    if way == "colour":
        colour = case.rng.choice(((255, 0, 0), (0, 255, 0), (255, 255, 0), (255, 255, 255)))
        return encode(Image.fromarray(flat[..., None] * np.uint8(colour)), kind)
    if way in ("alpha", "alpha on white"):
        colour = np.full((*flat.shape, 3), 255 if way == "alpha on white" else 0, np.uint8)
        return encode(Image.fromarray(np.dstack([colour, flat * 255])), "PNG")
    if way == "jpeg":
        data = save(case, Image.fromarray(flat * 255), "JPEG")
        if case.rng.random() < 0.5:
            data = encode(Image.open(io.BytesIO(data)), "PNG")
        return data
    if way == "enlarged":
        small = Image.fromarray(flat * 255)
        less = max(1, small.width // 4), max(1, small.height // 4)
        how = case.rng.choice((Image.Resampling.BILINEAR, Image.Resampling.BICUBIC))
        return encode(small.resize(less, Image.Resampling.BOX).resize(small.size, how), kind)
    if way in ("classes", "classes void"):
        return encode(Image.fromarray(_classes(case, flat, way)), kind)
    if way == "colours":
        both = np.zeros((*flat.shape, 3), np.uint8)
        both[4:14, 4:14], both[20:30, 20:30] = (255, 0, 0), (0, 0, 255)
        return encode(Image.fromarray(both), kind)
    return encode(Image.fromarray(case.arrays.integers(0, 256, flat.shape, np.uint8)), kind)


def _numbers(case: Case, flat: np.ndarray, way: str, kind: str) -> bytes:
    """Kinds of numbers beyond 8 bits."""
    if way in ("deep", "deep one"):
        deep = flat.astype(np.uint16) * (65535 if way == "deep" else 1)
        return encode(Image.fromarray(deep), "PNG" if kind == "BMP" else kind)
    if way in ("whole numbers", "below"):
        top = -1 if way == "below" else case.rng.choice((1, 255, 70_000))
        return encode(Image.fromarray(flat.astype(np.int32) * top), "TIFF")
    level = np.float32("nan") if way == "nan" else np.float32(case.rng.choice((1, 255, 0.5)))
    return encode(Image.fromarray(np.where(flat > 0, level, 0).astype(np.float32)), "TIFF")


def _classes(case: Case, flat: np.ndarray, way: str) -> np.ndarray:
    """Two or three numbered classes, flat and apart."""
    numbers = np.zeros_like(flat)
    step = case.rng.choice((1, 1, 60))
    numbers[4:14, 4:14], numbers[20:30, 20:30] = step, 2 * step
    if way == "classes void":
        numbers[32:36, 4:30] = 255
    return numbers
