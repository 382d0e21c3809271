"""Reading, resizing, arranging and writing pictures, with limits on what is decoded.

Every picture comes through :func:`decode`, whichever verb reads it: turned upright as its EXIF
says, and in 8 bits a channel by the rules of :mod:`adabldm.core.pixel_kinds`. Masks come through
:mod:`adabldm.core.masks`.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps
from PIL.ExifTags import Base

from adabldm.core import pixel_kinds
from adabldm.core.pixel_kinds import ImageFault

__all__ = [
    "ImageFault",
    "TooLargeFault",
    "checked_header",
    "checked_size",
    "coloured",
    "decode",
    "encode_png",
    "grey",
    "grid",
    "is_upright",
    "opened",
    "read_header",
    "read_size",
    "resize",
]

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded, in pixels (8000 x 8000)."""

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")

REDUCED_IMAGE = 1
"""Bit of a TIFF frame's kind (tag 254) that says it is a preview of another."""

MARKS_OF_ORIENTATION = (b"eXIf", b"Orientation", b"profile type exif")
"""What a PNG that may be turned has in it; Pillow would decode all others to look."""

OS2_HEADER_BYTES = 12
"""Length of the header of an old BMP."""

BROKEN = (
    *(OSError, EOFError, ValueError, SyntaxError, TypeError, AttributeError, LookupError),
    *(ArithmeticError, AssertionError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow raises for data that it cannot make sense of."""


class TooLargeFault(ImageFault):
    """A picture of more pixels than are decoded."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule, "too-large")


def _open(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise TooLargeFault(f"more than {MAX_PIXELS} pixels are not decoded") from error
    except BROKEN as error:
        raise ImageFault(
            f"not a readable picture of type {', '.join(FORMATS)}", "unreadable"
        ) from error
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise TooLargeFault(f"{width} x {height} is more than {MAX_PIXELS} pixels")
    if not width or not height:
        raise ImageFault(f"{width} x {height} pixels: has none")
    if image.format == "BMP":
        _refuse_misread(image, data)
    return image


def _refuse_misread(image: Image.Image, data: bytes) -> None:
    """Pillow takes a bitmap with a palette of greys for one without, of 1 or 8 bits a pixel."""
    at = 24 if int.from_bytes(data[14:18], "little") == OS2_HEADER_BYTES else 28
    bits = int.from_bytes(data[at : at + 2], "little")
    if {"1": 1, "L": 8}.get(image.mode, bits) != bits:
        rule = f"is a BMP of {bits} bits a pixel with a palette of greys: save it as PNG"
        raise ImageFault(rule, "pixel-kind")


def _broken(error: BaseException) -> ImageFault:
    return ImageFault(f"the picture's data is broken: {error or type(error).__name__}")


@contextmanager
def opened(data: bytes) -> Iterator[Image.Image]:
    """The whole picture, upright, in its own mode. Raises :class:`ImageFault` if it is not whole,
    or is one of several frames."""
    with _open(data) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            count = _frames(image)
            if count > 1:
                raise ImageFault(f"has {count} frames, must have one", "several-frames")
            image.load()
            upright = ImageOps.exif_transpose(image)
        except (*BROKEN, Image.DecompressionBombError) as error:
            if isinstance(error, ImageFault):
                raise
            raise _broken(error) from error
        yield upright


def _frames(image: Image.Image) -> int:
    """Frames that are pictures of their own: previews are none."""
    if image.format in ("JPEG", "MPO"):
        return 1
    count = int(getattr(image, "n_frames", 1))
    if image.format != "TIFF" or count == 1:
        return count
    real = 0
    for number in range(count):
        image.seek(number)
        real += not int(getattr(image, "tag_v2", {}).get(254, 0)) & REDUCED_IMAGE
    image.seek(0)
    return max(1, real)


def _is_turned(image: Image.Image, data: bytes) -> bool:
    """Whether height and width change places when the picture is brought upright."""
    if image.format == "TIFF":  # Pillow has told its upright size already.
        return False
    if image.format == "PNG" and not any(mark in data for mark in MARKS_OF_ORIENTATION):
        return False
    return image.getexif().get(Base.Orientation, 1) in (5, 6, 7, 8)


def is_upright(data: bytes) -> bool:
    """Whether a picture's pixels are stored as they are to be seen. Raises :class:`ImageFault`."""
    with _open(data) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if image.format == "PNG" and not any(mark in data for mark in MARKS_OF_ORIENTATION):
                return True
            return image.getexif().get(Base.Orientation, 1) == 1
        except BROKEN as error:
            raise _broken(error) from error


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a picture says about itself: upright size in pixels, Pillow's mode, file type, whether
    its pixels must be seen to know that it is a picture (:mod:`pixel_kinds`), and whether it has
    more than 8 bits a channel."""

    height: int
    width: int
    mode: str
    format: str
    doubtful: bool
    deep: bool

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width

    @property
    def is_grey(self) -> bool:
        """Whether it has one channel besides alpha."""
        return self.mode in ("1", "L", "LA", "La", "F", *pixel_kinds.SIXTEEN_BITS)


def read_header(data: bytes) -> Header:
    """The picture's header, without its pixels. Raises :class:`ImageFault`."""
    with _open(data) as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            width, height = image.size[::-1] if _is_turned(image, data) else image.size
            several = image.format not in ("JPEG", "MPO") and getattr(image, "is_animated", False)
            return Header(
                height=height,
                width=width,
                mode=image.mode,
                format=image.format or "",
                doubtful=several or pixel_kinds.is_doubtful(image, data),
                deep=pixel_kinds.is_deep(image, data),
            )
        except BROKEN as error:
            raise _broken(error) from error


def read_size(data: bytes) -> tuple[int, int]:
    """(height, width) of the upright picture, from the header alone. Raises
    :class:`ImageFault`."""
    return read_header(data).size


def checked_header(data: bytes) -> Header:
    """The header of what :func:`decode` would take, at the least cost: pixels are decoded only
    where the header leaves doubts. Raises :class:`ImageFault`."""
    header = read_header(data)
    if header.doubtful:
        decode(data)
    return header


def checked_size(data: bytes) -> tuple[int, int]:
    """(height, width) of :func:`checked_header`."""
    return checked_header(data).size


def decode(data: bytes, mode: str = "RGB") -> np.ndarray:
    """Decode to uint8, (H, W, 3) for ``RGB`` and (H, W) for ``L``, upright.

    Raises :class:`ImageFault` for anything but a whole, reasonably sized, opaque picture of a known
    range.
    """
    with opened(data) as image:
        try:
            return np.asarray(pixel_kinds.eight_bits(image, data).convert(mode))
        except BROKEN as error:
            if isinstance(error, ImageFault):
                raise
            raise _broken(error) from error


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


def grey(pixels: np.ndarray) -> np.ndarray:
    """The luma (ITU-R BT.601) of uint8 (H, W, 3), (H, W); pixels of equal channels keep it."""
    return np.asarray(Image.fromarray(pixels).convert("L"))


def grid(rows: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Rows of uint8 pictures of one size, (H, W) or (H, W, 3), as one picture (h, w, 3)."""
    return np.vstack([np.hstack([coloured(one) for one in row]) for row in rows])
