"""Pictures and parts of pictures by their URIs.

A picture is a URI on any fsspec file system; a part of a picture is that URI with the W3C media
fragment ``#xywh=x,y,w,h`` (pixels, https://www.w3.org/TR/media-frags/). :func:`read_picture` is
the one way to its pixels, :func:`read_mask` and :func:`read_defect_mask` to a mask's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem

from adabldm.core import images, masks
from adabldm.core.data_uri import shown
from adabldm.core.mask_rule import AUTO, MaskRule

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class DatasetFault(ValueError):
    """A folder that is not a usable data set; the message says where and why."""


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels: rows ``y`` to ``y + height``, columns ``x`` to ``x + width``."""

    x: int
    y: int
    width: int
    height: int

    @property
    def fragment(self) -> str:
        return f"#xywh={self.x},{self.y},{self.width},{self.height}"


_FRAGMENT = re.compile(r"#xywh=(\d+),(\d+),(\d+),(\d+)\Z")


def split_fragment(uri: str) -> tuple[str, Box | None]:
    """The file's URI, and which part of it is meant (None: all)."""
    found = _FRAGMENT.search(uri)
    if found is None:
        return uri, None
    x, y, width, height = (int(number) for number in found.groups())
    return uri[: found.start()], Box(x, y, width, height)


def read_bytes(uri: str) -> bytes:
    """The whole file at ``uri``, without a fragment. Raises :class:`DatasetFault`."""
    try:
        fs, path = fsspec.url_to_fs(uri)
        if isinstance(fs, LocalFileSystem) and os.path.exists(path) and not os.path.isfile(path):
            raise OSError("is not a file")  # reading a pipe would never end
        with fs.open(path, "rb") as handle:
            data: bytes = handle.read()
    except FileNotFoundError as error:
        raise DatasetFault(f"{shown(uri)}: does not exist") from error
    except Exception as error:  # stores raise classes of their own
        raise DatasetFault(f"{shown(uri)}: cannot be read: {error}") from error
    return data


def read_picture(uri: str, mode: Literal["RGB", "L"] = "RGB") -> np.ndarray:
    """The picture at ``uri``, or the part its fragment names: uint8 (H, W, 3), or (H, W) for L.

    Raises :class:`DatasetFault` naming ``uri`` if it cannot be read or decoded, or if the part
    is not inside the picture.
    """
    file, box = split_fragment(uri)
    try:
        pixels = images.decode(read_bytes(file), mode)
    except images.ImageFault as fault:
        raise DatasetFault(f"{shown(uri)}: {fault}") from fault
    return pixels if box is None else cut(pixels, box, uri)


def read_mask(uri: str, rule: MaskRule = AUTO) -> np.ndarray:
    """The mask at ``uri`` (an object's, a region's), or the part its fragment names: uint8 (H, W)
    of 0 / 255. Raises :class:`DatasetFault` naming ``uri``."""
    return _read_mask(uri, rule, masks.decode_mask)


def read_defect_mask(uri: str, rule: MaskRule = AUTO) -> np.ndarray:
    """:func:`read_mask` of a defect, whose file must be a plausible one."""
    return _read_mask(uri, rule, masks.decode_defect)


def _read_mask(
    uri: str, rule: MaskRule, decode: Callable[[bytes, MaskRule], masks.Mask]
) -> np.ndarray:
    file, box = split_fragment(uri)
    try:
        pixels = decode(read_bytes(file), rule).pixels
    except images.ImageFault as fault:
        raise DatasetFault(f"{shown(uri)}: {fault}") from fault
    return pixels if box is None else cut(pixels, box, uri)


def cut(pixels: np.ndarray, box: Box, uri: str) -> np.ndarray:
    """``box`` of (H, W[, C]) ``pixels``. Raises :class:`DatasetFault` if it is not inside."""
    part = pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    if 0 in part.shape or part.shape[:2] != (box.height, box.width):
        height, width = pixels.shape[:2]
        raise DatasetFault(f"{shown(uri)}: is not inside its picture of {width} x {height} pixels")
    return part
