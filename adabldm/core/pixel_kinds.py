"""Pictures of any kind of pixel in 8 bits a channel, by stated rules, or refused by name.

* Grey, RGB, palette, 1-bit and CMYK pictures of 8 bits a channel are taken as they are.
* 16 bits: 0..65535 becomes 0..255. A picture that stays below a quarter of that range holds 8, 10,
  12 or 14 bits in 16, as cameras write them, and which is not in the file: it is refused.
* Floating point: 0..1 becomes 0..255, 0..255 is taken as it is, anything else is refused.
* A picture with a transparent pixel is refused: what is behind it is not in the file.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

EIGHT_BITS = ("1", "L", "P", "RGB", "CMYK", "YCbCr")
WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa", "RGBX")
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N", "I")
FULL_RANGE = 65535
LEAST_BRIGHTEST = 16384
"""A 16-bit picture has a pixel at least this bright; one of 14 bits in 16 has none."""

BITS_PER_SAMPLE = 258
PNG_DEPTH = slice(24, 25)
"""Where a PNG says its bits a channel."""


class ImageFault(ValueError):
    """A picture that cannot be used; the message says why, ``kind`` is for sorting."""

    def __init__(self, rule: str, kind: str = "broken") -> None:
        super().__init__(rule)
        self.kind = kind


def _of_kind(rule: str) -> ImageFault:
    return ImageFault(rule, "pixel-kind")


def is_doubtful(image: Image.Image, data: bytes) -> bool:
    """Whether only its pixels show that a picture can be taken; ``image`` need not be loaded."""
    if image.mode == "P" and image.palette is None:  # it may come after the pixels, or never
        return True
    plain = image.mode in EIGHT_BITS and not image.has_transparency_data
    return not plain or _is_deep(image, data)


def is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether a picture's file, ``data``, has more than 8 bits a channel."""
    return image.mode in (*SIXTEEN_BITS, "F") or _is_deep(image, data)


def eight_bits(image: Image.Image, data: bytes) -> Image.Image:
    """A loaded picture as one of 8 bits a channel, without alpha; ``data`` is its file.

    Raises :class:`ImageFault` for one whose range or background is not known.
    """
    if image.mode in SIXTEEN_BITS:
        return Image.fromarray(_from_sixteen(np.asarray(image)))
    if image.mode == "F":
        return Image.fromarray(_from_float(np.asarray(image)))
    if image.mode == "RGBX":
        return image.convert("RGB")
    if image.mode in WITH_ALPHA or image.has_transparency_data:
        image = _opaque(image)
    elif image.mode not in EIGHT_BITS:
        raise _of_kind(f"has pixels of kind {image.mode!r}, must be grey or RGB")
    if image.mode in ("RGB", "L") and _is_deep(image, data):
        # Pillow has kept the upper 8 of 16 bits.
        _refuse_dim(int(np.asarray(image).max()) * 257)
    return image


def alpha_of(image: Image.Image) -> np.ndarray | None:
    """The alpha channel of a loaded picture, uint8 (H, W); None if it has none."""
    if image.mode == "RGBX" or not (image.mode in WITH_ALPHA or image.has_transparency_data):
        return None
    return np.asarray(_with_alpha(image).getchannel("A"))


def _with_alpha(image: Image.Image) -> Image.Image:
    if image.mode in ("La", "RGBa"):  # premultiplied
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    return image if image.mode == "RGBA" else image.convert("RGBA")


def _opaque(image: Image.Image) -> Image.Image:
    whole = _with_alpha(image)
    clear = np.asarray(whole.getchannel("A")) < 255
    if clear.any():
        rule = "what is behind them is not in the file; save it without an alpha channel"
        raise ImageFault(
            f"has transparent pixels (alpha below 255 on {100 * clear.mean():.2g} %): {rule}",
            "transparent",
        )
    return whole.convert("RGB")


def _is_deep(image: Image.Image, data: bytes) -> bool:
    """Whether a colour picture has 16 bits a channel in its file."""
    if image.format == "PNG" or data.startswith(b"\x89PNG"):
        return data[PNG_DEPTH] == b"\x10"
    bits = getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE, 8)
    return bool(np.max(bits) > 8)


def _from_sixteen(values: np.ndarray) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > FULL_RANGE:
        raise _of_kind(f"has whole numbers from {low} to {high}, must be 0 to {FULL_RANGE}")
    _refuse_dim(high)
    return np.round(values / (FULL_RANGE / 255)).astype(np.uint8)


def _refuse_dim(brightest: int) -> None:
    if brightest < LEAST_BRIGHTEST:
        rule = "8 to 14 bits in 16 do not say how many they are; stretch it to 16 bits or save 8"
        raise _of_kind(f"has 16 bits a channel, its brightest is {brightest} of 65535: {rule}")


def _from_float(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise _of_kind("has numbers that are not finite")
    low, high = float(values.min()), float(values.max())
    if low < 0 or high > 255:
        raise _of_kind(f"has numbers from {low:.4g} to {high:.4g}, must be 0 to 1 or 0 to 255")
    return np.round(values * (255 if high <= 1 else 1)).astype(np.uint8)
