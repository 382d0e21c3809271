"""Requests drawn from a data set: row ``i`` is a function of (data set, seed, i) alone."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import fsspec
import numpy as np

from adabldm import foreground, images, placement
from adabldm.dataset import ObjectFolder
from cluster.content_files import ContentFolder
from cluster.faults import InputFault

ATTEMPTS = 8
"""Pairs of a good picture and a mask that are tried for one request."""

LOOKED_AT = 15
"""Good pictures that are asked whether the product is a texture."""


class PackedMask:
    """A mask (H, W) kept small; :meth:`unpack` gives it back as uint8 of 0 / 1."""

    def __init__(self, mask: np.ndarray) -> None:
        self.shape: tuple[int, int] = mask.shape[0], mask.shape[1]
        self._packed = zlib.compress(np.packbits(mask > 0).tobytes(), 1)

    def unpack(self) -> np.ndarray:
        flat = np.frombuffer(zlib.decompress(self._packed), np.uint8)
        return np.unpackbits(flat, count=self.shape[0] * self.shape[1]).reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class GoodPicture:
    """A good picture next to the manifest; ``foreground`` is None on a texture."""

    uri: str
    shape: tuple[int, int]
    foreground: PackedMask | None
    foreground_uri: str | None


@dataclass(frozen=True, kw_only=True)
class DefectMask:
    uri: str
    mask: PackedMask


def with_article(noun: str) -> str:
    """``a crack``, ``an open seam``."""
    return f"{'an' if noun[:1].lower() in set('aeiou') else 'a'} {noun}"


def prompt_for(noun: str, defect: str) -> str:
    """``a metal nut with a deep scratch``."""
    return f"{with_article(noun)} with {with_article(defect.replace('_', ' '))}"


def _read(uri: str) -> bytes:
    with fsspec.open(uri) as handle:
        data: bytes = handle.read()
    return data


def _decode(uri: str, data: bytes, mode: str) -> np.ndarray:
    try:
        return images.decode(data, mode)
    except images.ImageFault as fault:
        raise InputFault.of("DATASET", uri, str(fault)) from fault


def _suffix(uri: str) -> str:
    return PurePosixPath(uri).suffix.lower()


class ProductPlanner:
    """Draws requests for one product; ``surface`` is ``object``, ``texture`` or ``auto``.

    Good pictures and masks are copied into ``files`` when they are first used.
    Raises :class:`InputFault` for a picture that cannot be read or an empty mask.
    """

    def __init__(self, folder: ObjectFolder, noun: str, surface: str, files: ContentFolder) -> None:
        self.folder = folder
        self.noun = noun
        self._files = files
        self._of_type = {
            name: [item.mask for item in folder.defects if item.defect == name]
            for name in folder.defect_types
        }
        self._goods: dict[str, GoodPicture] = {}
        self._masks: dict[str, DefectMask] = {}
        self.texture = self._is_texture() if surface == "auto" else surface == "texture"

    def _is_texture(self) -> bool:
        step = max(1, len(self.folder.good) // LOOKED_AT)
        looked_at = self.folder.good[::step][:LOOKED_AT]
        return foreground.is_texture([_decode(uri, _read(uri), "RGB") for uri in looked_at])

    def _good(self, uri: str) -> GoodPicture:
        if uri not in self._goods:
            data = _read(uri)
            pixels = _decode(uri, data, "RGB")
            mask = None if self.texture else foreground.object_mask(pixels)
            self._goods[uri] = GoodPicture(
                uri=self._files.put(data, _suffix(uri)),
                shape=(pixels.shape[0], pixels.shape[1]),
                foreground=None if mask is None else PackedMask(mask),
                foreground_uri=(
                    None if mask is None else self._files.put(images.encode_png(mask), ".png")
                ),
            )
        return self._goods[uri]

    def _mask(self, uri: str) -> DefectMask:
        if uri not in self._masks:
            data = _read(uri)
            pixels = _decode(uri, data, "L")
            if not pixels.any():
                raise InputFault.of("DATASET", uri, "a defect mask has a pixel that is not 0")
            self._masks[uri] = DefectMask(
                uri=self._files.put(data, _suffix(uri)), mask=PackedMask(pixels)
            )
        return self._masks[uri]

    def draw(self, defect: str, seed: int, index: int) -> dict[str, Any] | None:
        """Row ``index`` of the manifest, or None if the defect fits on no picture tried."""
        rng = np.random.default_rng([seed, index])
        request_seed = int(rng.integers(2**63))
        masks = self._of_type[defect]
        for _ in range(ATTEMPTS):
            good = self._good(self.folder.good[rng.integers(len(self.folder.good))])
            mask = self._mask(masks[rng.integers(len(masks))])
            inside = good.foreground
            where_allowed = np.ones(good.shape, np.uint8) if inside is None else inside.unpack()
            try:
                where = placement.place(rng, mask.mask.unpack(), where_allowed)
            except placement.PlacementFault:
                continue
            return {
                "request_id": request_id(self.folder.name, defect, seed, index),
                "object": self.folder.name,
                "defect": defect,
                "image": {"path": good.uri},
                "placement": {
                    "mask": {"path": mask.uri},
                    "angle": where.angle,
                    "scale": where.scale,
                    "top": where.top,
                    "left": where.left,
                    "foreground": good.foreground_uri and {"path": good.foreground_uri},
                },
                "prompt": prompt_for(self.noun, defect),
                "seed": request_seed,
            }
        return None


def request_id(name: str, defect: str, seed: int, index: int) -> str:
    """``screw-thread_top-s7-00000042``: readable, a safe file name, unique in its plan."""
    product, kind = (re.sub(r"[^A-Za-z0-9_]+", "_", part)[:48] for part in (name, defect))
    return f"{product}-{kind}-s{seed}-{index:08d}"


class Planner:
    """Deals requests to (object, defect type) in turn, so any beginning is balanced."""

    def __init__(self, products: Sequence[ProductPlanner], seed: int) -> None:
        self._seed = seed
        self.pairs = [
            (product, defect) for product in products for defect in product.folder.defect_types
        ]

    def row(self, index: int) -> dict[str, Any] | None:
        """Row ``index``, or None if that defect fits nowhere (see :meth:`describe`)."""
        product, defect = self.pairs[index % len(self.pairs)]
        return product.draw(defect, self._seed, index)

    def describe(self, index: int) -> str:
        product, defect = self.pairs[index % len(self.pairs)]
        return f"row {index}: no {defect!r} mask of {product.folder.name!r} fits on its object"
