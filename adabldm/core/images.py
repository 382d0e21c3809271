"""Reading, resizing, arranging and writing pictures, with limits on what is decoded."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded, in pixels (8000 x 8000)."""

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")


class ImageFault(ValueError):
    """A picture that cannot be used; the message says why."""


class TooLargeFault(ImageFault):
    """A picture of more pixels than are decoded."""


def _open(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise TooLargeFault(f"more than {MAX_PIXELS} pixels are not decoded") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise ImageFault(f"not a readable picture of type {', '.join(FORMATS)}") from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooLargeFault(f"{width} x {height} is more than {MAX_PIXELS} pixels")
    return image


def read_size(data: bytes) -> tuple[int, int]:
    """(height, width) from the header alone. Raises :class:`ImageFault`."""
    with _open(data) as image:
        return image.height, image.width


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture says about itself: size in pixels, Pillow's mode, frames, file type."""

    height: int
    width: int
    mode: str
    frames: int
    format: str


def read_header(data: bytes) -> Header:
    """The picture's header, without its pixels. Raises :class:`ImageFault`."""
    with _open(data) as image:
        kind = image.format or ""
        try:
            # A JPEG's further frames are previews of the first.
            frames = 1 if kind in ("JPEG", "MPO") else int(getattr(image, "n_frames", 1))
        except (OSError, ValueError, SyntaxError) as error:
            raise ImageFault(f"the picture's data is broken: {error}") from error
        return Header(
            height=image.height, width=image.width, mode=image.mode, frames=frames, format=kind
        )


def decode(data: bytes, mode: str = "RGB") -> np.ndarray:
    """Decode to uint8, (H, W, 3) for ``RGB`` and (H, W) for ``L``.

    Raises :class:`ImageFault` for anything but a whole, reasonably sized picture.
    """
    with _open(data) as image:
        try:
            return np.asarray(image.convert(mode))
        except (OSError, ValueError, SyntaxError) as error:
            raise ImageFault(f"the picture's data is broken: {error}") from error


def encode_png(pixels: np.ndarray) -> bytes:
    """PNG bytes of uint8 (H, W) or (H, W, 3); the same pixels give the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Antialiased (Lanczos) resize of uint8 (H, W[, 3]) to (height, width[, 3])."""
    if pixels.shape[:2] == (height, width):
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def coloured(pixels: np.ndarray) -> np.ndarray:
    """uint8 (H, W) or (H, W, 3) as (H, W, 3)."""
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def grid(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of uint8 pictures of one size, (H, W) or (H, W, 3), as one picture (h, w, 3)."""
    return np.vstack([np.hstack([coloured(one) for one in row]) for row in rows])
