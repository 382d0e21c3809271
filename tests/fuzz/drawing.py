"""Pictures and masks of every kind that a file can hold, with what they show."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.fuzz.case import Case
from tests.fuzz.spoiling import SIGN

SIZES = {
    (1, 1): 2, (1, 5000): 1, (5000, 1): 1, (2, 3): 2, (15, 16): 2, (16, 16): 6, (17, 33): 10,
    (32, 32): 20, (48, 64): 20, (100, 37): 8, (200, 256): 3,
}  # fmt: skip
ORIENTATION = 274
LOSSLESS = {"PNG": ("1", "L", "P", "RGB"), "BMP": ("1", "L", "RGB"),
            "TIFF": ("1", "L", "P", "RGB")}  # fmt: skip
MODES = {
    "PNG": {"L": 5, "RGB": 5, "P": 4, "1": 2, "LA": 2, "RGBA": 3, "I;16": 3, "RGB;16": 2,
            "RGBA;16": 1, "L;2": 1, "frames": 1},
    "JPEG": {"L": 3, "RGB": 5, "CMYK": 2, "frames": 1},
    "BMP": {"1": 1, "L": 2, "P": 2, "RGB": 3, "RGBA": 1},
    "TIFF": {"1": 1, "L": 3, "P": 2, "RGB": 3, "LA": 1, "RGBA": 2, "CMYK": 1, "I;16": 2, "I": 1,
             "F": 3, "LAB": 1, "YCbCr": 1, "frames": 2},
    "WEBP": {"RGB": 3, "RGBA": 2, "frames": 1},
    "GIF": {"P": 1}, "PPM": {"RGB": 1}, "JPEG2000": {"RGB": 1}, "TGA": {"RGBA": 1},
            "AVIF": {"RGB": 1},
}  # fmt: skip
FORMATS = {"PNG": 50, "JPEG": 18, "TIFF": 16, "BMP": 6, "WEBP": 6, "GIF": 1, "PPM": 1,
           "JPEG2000": 1, "TGA": 1, "AVIF": 1}  # fmt: skip
SUFFIX = {"PNG": ".png", "JPEG": ".jpg", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp"}


@dataclass(frozen=True)
class Drawn:
    """A whole file; ``shown`` its upright pixels where they must come back as they are, uint8."""

    data: bytes
    format: str
    mode: str
    shown: np.ndarray | None = None


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What EXIF says of stored ``pixels`` (H, W[, C])."""
    turned = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    turned = turned[::-1] if down else turned
    return turned[:, ::-1] if across else turned


def draw_picture(case: Case, size: tuple[int, int] | None = None) -> Drawn:
    """A picture of some mode, format, orientation, alpha and number of frames."""
    kind = case.pick(FORMATS)
    mode = case.pick(MODES[kind])
    height, width = size or case.pick(SIZES)
    pixels = _surface(case, height, width)
    turn = case.rng.choice((1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0, 9))
    if mode == "frames":
        return _frames(case, kind, pixels)
    if mode in ("RGB;16", "RGBA;16"):
        return Drawn(_deep_png(case, pixels, mode), kind, mode)
    if mode == "L;2":
        return Drawn(_shallow_png(pixels[..., 0]), kind, mode)
    image = _of_mode(case, pixels, mode)
    data = save(case, image, kind, turn)
    shown = None
    if mode in LOSSLESS.get(kind, ()) and b"tRNS" not in data:
        right = turn if kind in ("PNG", "TIFF") and 1 <= turn <= 8 else 1
        shown = upright(np.asarray(image.convert("RGB")), right)
    return Drawn(data, kind, mode, shown)


def _surface(case: Case, height: int, width: int) -> np.ndarray:
    """uint8 (H, W, 3)."""
    if case.rng.random() < 0.1:
        return np.full((height, width, 3), case.rng.choice((0, 1, 128, 255)), np.uint8)
    noise = case.arrays.normal(size=(height, width, 3))
    soft = gaussian_filter(noise, (1.5, 1.5, 0))
    return np.uint8(np.clip(128 + 60 * soft / max(soft.std(), 1e-6), 0, 255))


def _of_mode(case: Case, pixels: np.ndarray, mode: str) -> Image.Image:
    rgb = Image.fromarray(pixels)
    grey = pixels[..., 0]
    if mode in ("RGBA", "LA"):
        alpha = case.rng.choice(
            (np.full_like(grey, 255), grey, np.zeros_like(grey), np.uint8(grey > 128) * 255)
        )
        image = rgb.convert("LA" if mode == "LA" else "RGBA")
        image.putalpha(Image.fromarray(alpha))
        return image
    if mode in ("I;16", "I"):
        top = case.rng.choice((1, 4095, 16383, 16384, 65535, 65535))
        deep = (grey.astype(np.uint32) * top // 255).astype(np.uint16)
        if mode == "I;16":
            return Image.fromarray(deep)
        wide = deep.astype(np.int32)
        return Image.fromarray(wide * case.rng.choice((1, 1, -1, 70_000)))
    if mode == "F":
        top = case.rng.choice((1.0, 1.0, 255.0, 65535.0, -1.0, float("nan"), float("inf"), 1e-30))
        return Image.fromarray(grey.astype(np.float32) / 255 * np.float32(top))
    if mode == "P":
        return rgb.quantize(case.rng.choice((2, 16, 255, 256)))
    return rgb.convert(mode)


def save(case: Case, image: Image.Image, kind: str, turn: int = 1, **options: object) -> bytes:
    """``image`` in a file of ``kind``, which says that it is turned."""
    if turn != 1 and kind in ("PNG", "JPEG", "WEBP", "TIFF"):
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        options["exif"] = exif
    if kind == "PNG" and image.mode in ("P", "L", "RGB") and case.rng.random() < 0.15:
        clear = case.rng.choice((0, 1, 7))
        options["transparency"] = (clear,) * 3 if image.mode == "RGB" else clear
    if kind == "TIFF" and image.mode in ("L", "RGB") and "exif" not in options:
        options["compression"] = case.rng.choice((None, "tiff_lzw", "tiff_adobe_deflate"))
    if kind == "JPEG":
        options |= {
            "quality": case.rng.choice((30, 75, 95)),
            "progressive": case.rng.random() < 0.2,
        }
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _frames(case: Case, kind: str, pixels: np.ndarray) -> Drawn:
    """Two frames; of a JPEG a second picture, which is a preview."""
    first, second = Image.fromarray(pixels), Image.fromarray(255 - pixels)
    buffer = io.BytesIO()
    stored = "MPO" if kind == "JPEG" else kind
    first.save(buffer, stored, save_all=True, append_images=[second])
    return Drawn(buffer.getvalue(), kind, "frames")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows: list[bytes], width: int, depth: int, colour: int) -> bytes:
    """A PNG of packed rows."""
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return SIGN + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _deep_png(case: Case, pixels: np.ndarray, mode: str) -> bytes:
    deep = pixels.astype(np.uint16) * case.rng.choice((257, 257, 16, 1))
    if mode == "RGBA;16":
        alpha = np.full(pixels.shape[:2], case.rng.choice((65535, 65535, 30_000)), np.uint16)
        deep = np.dstack([deep, alpha])
    rows = [row.astype(">u2").tobytes() for row in deep]
    return png(rows, pixels.shape[1], 16, 6 if mode == "RGBA;16" else 2)


def _shallow_png(grey: np.ndarray) -> bytes:
    levels = grey // 64
    padded = np.pad(levels, ((0, 0), (0, -levels.shape[1] % 4)))
    packed = sum(padded[:, k::4].astype(np.uint8) << (6 - 2 * k) for k in range(4))
    return png([row.astype(np.uint8).tobytes() for row in packed], grey.shape[1], 2, 0)
