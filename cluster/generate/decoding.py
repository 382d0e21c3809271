"""A request's pictures, as its worker needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adabldm.core import images, masks, trimap
from adabldm.placement.looks import LookFault, set_down
from cluster.generate.protocol import Work
from cluster.manifest.picture_checks import PictureFault, PictureSource
from cluster.manifest.recipe import parts_of, placed_trimap, placement_of, recipe_sha256
from cluster.manifest.schema import Blob, Recipe
from cluster.storage.hashing import sha256
from cluster.storage.location import Location, TooLargeError

OTHER_FILE = "is not the file that was checked"


@dataclass(frozen=True)
class Decoded:
    """``work`` with its good ``image``, uint8 (H, W, 3), and its ``trimap``, uint8 (H, W);
    ``is_grey`` is whether the image's file has one channel; ``start`` is the image with the looks
    of its defects in their places, None without any."""

    work: Work
    image: np.ndarray
    trimap: np.ndarray
    is_grey: bool
    start: np.ndarray | None = None


def decode(work: Work) -> Decoded:
    """The good image and the trimap of ``work``. Raises the picture faults, and ``OSError``."""
    source = _picture(work.image)
    data = _read("image", source)
    if sha256(data) != work.source_sha256:
        raise PictureFault(f"image: {source.shown}: {OTHER_FILE}")
    image = _pixels("image", source, data, "RGB")
    start = None
    if work.trimap is not None:
        given = _picture(work.trimap)
        held = _read("trimap", given)
        if work.trimap_sha256 not in ("", sha256(held)):
            raise PictureFault(f"trimap: {given.shown}: {OTHER_FILE}")
        marks = _pixels("trimap", given, held, "L")
        if marks.shape != image.shape[:2]:
            raise PictureFault(f"trimap: {given.shown}: is not of the image's size")
    else:
        assert work.placement is not None  # noqa: S101
        marks, start = _placed(work.placement, image, work.trimap_sha256)
    trimap.check(marks)
    return Decoded(work, image, marks, images.read_header(data).is_grey, start)


def _placed(
    recipe: Recipe, image: np.ndarray, checked: str
) -> tuple[np.ndarray, np.ndarray | None]:
    """The trimap of a recipe on ``image``, and what its drawing starts from; ``checked`` is the
    recipe's SHA-256."""
    shas: list[str] = []
    masks_of: list[np.ndarray] = []

    def mask(field: str, blob: Blob) -> np.ndarray:
        pixels = drawn(field, blob, shas.append)
        masks_of.append(pixels)
        return pixels

    marks = placed_trimap(recipe, mask, *image.shape[:2])
    looks: list[str | None] = []
    start = None
    for part, defect in zip(parts_of(recipe), masks_of, strict=False):
        if part["look"] is None:
            looks.append(None)
            continue
        picture = _picture(part["look"])
        data = _read("look", picture)
        looks.append(sha256(data))
        look = _pixels("look", picture, data, "RGB")
        base = image if start is None else start
        try:
            start = set_down(base, look, defect, placement_of(part))
        except LookFault as fault:
            raise PictureFault(f"look: {picture.shown}: {fault}") from fault
    if checked not in ("", recipe_sha256(recipe, shas, looks)):
        raise PictureFault(f"placement: a mask or a look {OTHER_FILE}")
    return marks, start


def drawn(field: str, blob: Blob, tell: Callable[[str], None] = lambda _: None) -> np.ndarray:
    """The mask in ``blob``, uint8 (H, W) of 0 / 255; ``tell`` gets its SHA-256. Raises
    :class:`PictureFault`, ``OSError``."""
    picture = _picture(blob)
    data = _read(field, picture)
    tell(sha256(data))
    try:
        return masks.decode_mask(data).pixels
    except images.ImageFault as error:
        raise PictureFault(f"{field}: {picture.shown}: {error}") from error


def _picture(blob: Blob) -> PictureSource:
    if blob["bytes"] is not None:
        return PictureSource(blob["bytes"], None)
    return PictureSource(None, Location.of(blob["path"] or ""))


def _read(field: str, picture: PictureSource) -> bytes:
    """The file's bytes. It was there when it was checked, so that it is not, or may not be read,
    is an ``OSError`` here."""
    if picture.place is None:
        return picture.data or b""
    try:
        return picture.place.read()
    except (IsADirectoryError, TooLargeError) as error:
        raise PictureFault(f"{field}: {picture.shown}: cannot be read ({error})") from error
    except OSError as error:
        raise OSError(f"{field}: {picture.shown}: {error.strerror or error}") from error


def _pixels(field: str, picture: PictureSource, data: bytes, mode: str) -> np.ndarray:
    try:
        return images.decode(data, mode)
    except images.ImageFault as error:
        raise PictureFault(f"{field}: {picture.shown}: {error}") from error
