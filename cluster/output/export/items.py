"""One exported picture, read: its file, its size, its mask."""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adabldm.core import images
from adabldm.core.faults import JobFault, one_line
from adabldm.core.picture_uri import DatasetFault, read_bytes, read_picture, split_fragment
from cluster.output.export.selection import Entry
from cluster.storage.hashing import sha256
from cluster.storage.location import Location, TooLargeError

PNG = ".png"
PLAIN = ("PNG", "JPEG")
"""Types of files that are passed on as they are."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """``entry`` with its picture's file ``data`` (of the type ``suffix``), ``size`` (height, width)
    and ``mask``, uint8 (H, W) of 0 / 255, all 0 for a good picture, whose PNG is ``mask_data``.
    ``verbatim`` says that ``data`` are the bytes at ``entry.image``; ``of_pair`` is the mask's file
    of a pair.
    """

    entry: Entry
    data: bytes
    suffix: str
    size: tuple[int, int]
    verbatim: bool
    of_pair: bytes | None = None

    @property
    def mask_data(self) -> bytes:
        return self.of_pair or images.encode_png(self.mask)

    @cached_property
    def mask(self) -> np.ndarray:
        if self.of_pair is None:
            return np.zeros(self.size, np.uint8)
        return images.decode(self.of_pair, "L")

    @cached_property
    def facts(self) -> dict[str, Any]:
        """``object``, ``defect`` (``good`` of a good picture) and what goes along."""
        entry = self.entry
        known = {"object": entry.object, "defect": entry.defect or "good"}
        return {**known, **json.loads(entry.facts)}


def read_item(entry: Entry) -> Item:
    """Read what ``entry`` names. Raises :class:`JobFault` for what is lost or is not what was
    committed."""
    try:
        if entry.good:
            return _good(entry)
        data = _held(entry.image, entry.image_sha256)
        return Item(
            entry=entry,
            data=data,
            suffix=PNG,
            size=images.read_size(data),
            verbatim=True,
            of_pair=_held(entry.mask or "", entry.mask_sha256),
        )
    except DatasetFault as fault:
        raise JobFault(str(fault)) from fault
    except images.ImageFault as fault:
        raise JobFault(f"{entry.image}: {fault}") from fault


def _held(uri: str, digest: str | None) -> bytes:
    """A file of the output."""
    try:
        data = Location.of(uri).read()
    except (OSError, TooLargeError) as error:
        raise JobFault(f"{uri}: cannot be read: {one_line(error)}") from error
    if digest is not None and sha256(data) != digest:
        raise JobFault(f"{uri}: is not the file that was committed; `adabldm verify` lists all")
    return data


def _good(entry: Entry) -> Item:
    file, box = split_fragment(entry.image)
    data = read_bytes(file) if entry.image_sha256 is None else _held(file, entry.image_sha256)
    header = images.read_header(data)
    verbatim = box is None and header.format in PLAIN and _is_plain(data)
    if not verbatim:
        pixels = read_picture(entry.image)
        data = images.encode_png(images.grey(pixels) if header.is_grey else pixels)
    return Item(
        entry=entry,
        data=data,
        suffix=posixpath.splitext(file)[1].lower() if verbatim else PNG,
        size=images.read_size(data),
        verbatim=verbatim,
    )


def _is_plain(data: bytes) -> bool:
    """Whether every program sees in the file what this one does: 8 bits, opaque, upright."""
    return not images.read_header(data).doubtful and images.is_upright(data)
