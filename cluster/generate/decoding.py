"""A row's pictures, as its worker needs them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adabldm.core import images, trimap
from cluster.manifest.picture_checks import Picture, PictureFault
from cluster.manifest.reader import Row
from cluster.manifest.recipe import placed_trimap
from cluster.storage.hashing import sha256
from cluster.storage.location import Location


@dataclass(frozen=True)
class Decoded:
    """``row`` with its good ``image``, uint8 (H, W, 3), and its ``trimap``, uint8 (H, W)."""

    row: Row
    image: np.ndarray
    trimap: np.ndarray


def decode(row: Row) -> Decoded:
    """The row's good image and trimap. Raises the picture faults, and ``OSError``."""
    picture = _picture(row["image"])
    data = _read("image", picture)
    if sha256(data) != row["source_sha256"]:
        raise PictureFault(f"image: {picture.shown}: is not the file that was checked")
    image = _pixels("image", picture, data, "RGB")
    if row["trimap"] is not None:
        given = _picture(row["trimap"])
        marks = _pixels("trimap", given, _read("trimap", given), "L")
        if marks.shape != image.shape[:2]:
            raise PictureFault(f"trimap: {given.shown}: is not of the image's size")
    else:
        marks = placed_trimap(row["placement"], drawn, *image.shape[:2])
    trimap.check(marks)
    return Decoded(row, image, marks)


def drawn(field: str, blob: Row) -> np.ndarray:
    picture = _picture(blob)
    return _pixels(field, picture, _read(field, picture), "L")


def _picture(blob: Row) -> Picture:
    if blob["bytes"] is not None:
        return Picture(blob["bytes"], None)
    return Picture(None, Location.of(blob["path"]))


def _read(field: str, picture: Picture) -> bytes:
    try:
        return picture.read()
    except PictureFault as error:
        raise PictureFault(f"{field}: {picture.shown}: {error}") from error


def _pixels(field: str, picture: Picture, data: bytes, mode: str) -> np.ndarray:
    try:
        return images.decode(data, mode)
    except images.ImageFault as error:
        raise PictureFault(f"{field}: {picture.shown}: {error}") from error
