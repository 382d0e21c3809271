"""Pictures that a manifest refers to: each file is read and looked at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from adabldm.core import images, masks, trimap
from adabldm.core.faults import JobFault
from adabldm.placement import transform
from cluster.storage.doubt import Doubt
from cluster.storage.hashing import sha256
from cluster.storage.location import Location, TooLargeError, passes
from cluster.storage.once import Once
from cluster.storage.stamps import stamp_of

KEPT_FACTS = 200_000
KEPT_MASKS = 4_096
KEPT_SIZES = 400_000

T = TypeVar("T")
Ask = Callable[[Location, Callable[[], bytes]], bytes]
Looked = Callable[[str, str | None], None]


def _read(_: Location, read: Callable[[], bytes]) -> bytes:
    return read()


class PictureFault(ValueError):
    """A picture that cannot be used; the message says why."""


@dataclass(frozen=True)
class PictureSource:
    """A picture in a row: inline ``data``, or the file at ``place``."""

    data: bytes | None
    place: Location | None

    @property
    def shown(self) -> str:
        if self.place is not None:
            return self.place.shown
        return f"<{len(self.data or b'')} inline bytes>"

    def read(self, ask: Ask = _read) -> bytes:
        """The file's bytes, which ``ask`` reads. Raises :class:`PictureFault` and, for trouble that
        may pass, ``OSError``."""
        if self.data is not None:
            return self.data
        if self.place is None:
            raise PictureFault("neither bytes nor a path")
        try:
            return ask(self.place, self.place.read)
        except FileNotFoundError as error:
            raise PictureFault("there is no such file") from error
        except (PermissionError, IsADirectoryError, TooLargeError) as error:
            raise PictureFault(f"cannot be read ({error.strerror or error})") from error


@dataclass(frozen=True)
class PictureFacts:
    """``sha256`` of the file; ``height`` and ``width`` in pixels; ``deep``: it has more than 8 bits
    a channel."""

    sha256: str
    height: int
    width: int
    deep: bool = False

    @property
    def size(self) -> tuple[int, int]:
        return self.height, self.width


@dataclass(frozen=True)
class MaskFacts:
    """``sha256`` of the file; ``defect`` the mask cut to its bounding ``box``, uint8 (h, w);
    ``size`` (height, width) of the whole mask."""

    sha256: str
    defect: np.ndarray
    size: tuple[int, int]
    box: tuple[slice, slice]


class PictureChecks:
    """Facts of pictures; every method raises :class:`PictureFault` for one that breaks its rule,
    and :class:`JobFault` for a store that stays away. What a store denies is asked for again
    before it is believed.

    Safe to share between threads. ``looked`` gets the URI and the stamp of each file before it
    is read.
    """

    def __init__(self, looked: Looked | None = None) -> None:
        self._looked = looked
        self._doubt = Doubt()
        self._facts: Once[PictureFacts] = Once(KEPT_FACTS)
        self._masks: Once[MaskFacts] = Once(KEPT_MASKS)
        self._sizes: Once[tuple[int, int]] = Once(KEPT_SIZES)

    def image(self, picture: PictureSource) -> PictureFacts:
        """Facts of a good image, by its header where that tells all."""
        return self._once(self._facts, "image", picture, _header)

    def trimap(self, picture: PictureSource) -> PictureFacts:
        """Facts of a trimap, whose values are 0, 127 and 255 with some defect."""
        return self._once(self._facts, "trimap", picture, _whole_trimap)

    def foreground(self, picture: PictureSource) -> PictureFacts:
        """Facts of an object's mask."""
        return self._once(self._facts, "foreground", picture, _whole)

    def mask(self, picture: PictureSource) -> MaskFacts:
        """Facts of a defect mask, which must not be empty."""
        return self._once(self._masks, "mask", picture, _whole_mask)

    def placed_size(self, mask: MaskFacts, where: transform.Placement) -> tuple[int, int]:
        """Height and width of a mask as turned and scaled; drawn once for every way of doing so.

        Raises :class:`~adabldm.placement.transform.PlacementFault` if nothing is left of it.
        """

        def draw() -> tuple[int, int]:
            shape = transform.turned_shape(mask.defect, where.angle, where.scale)
            return shape.shape[0], shape.shape[1]

        return self._sizes.get((mask.sha256, where.angle, where.scale), draw)

    def _once(
        self, kept: Once[T], kind: str, picture: PictureSource, look: Callable[[bytes], T]
    ) -> T:
        def make() -> T:
            try:
                if picture.place is not None and self._looked is not None:
                    place = picture.place
                    self._looked(place.uri, self._doubt.ask(place, lambda: stamp_of(place)))
                return look(picture.read(self._doubt.ask))
            except OSError as error:
                if picture.place is not None and passes(picture.place, error):
                    raise JobFault(f"{picture.place.shown}: cannot be read ({error})") from error
                raise PictureFault(f"cannot be read ({type(error).__name__}: {error})") from error
            except (images.ImageFault, trimap.TrimapFault) as error:
                raise PictureFault(str(error)) from error

        if picture.place is None:
            return make()
        return kept.get((kind, picture.place), make)


def _header(data: bytes) -> PictureFacts:
    header = images.checked_header(data)
    return PictureFacts(sha256(data), *header.size, deep=header.deep)


def _whole(data: bytes) -> PictureFacts:
    return PictureFacts(sha256(data), *masks.decode_mask(data).pixels.shape)


def _whole_trimap(data: bytes) -> PictureFacts:
    pixels = images.decode(data, "L")
    trimap.check(pixels)
    return PictureFacts(sha256(data), *pixels.shape)


def _whole_mask(data: bytes) -> MaskFacts:
    pixels = masks.decode_defect(data).pixels
    box = transform.bounding_box(pixels)
    size = (pixels.shape[0], pixels.shape[1])
    return MaskFacts(sha256(data), pixels[box].copy(), size, box)
