"""What a plan draws from: one object's good pictures and its defect masks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from adabldm.core import images, masks, picture_uri
from adabldm.core.data_uri import shown
from adabldm.core.faults import InputFault
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.random_streams import RowStreams
from adabldm.foreground.grain import Grain, grain_of
from adabldm.foreground.object_masks import ObjectMasks, on_all_cores
from adabldm.placement import invented_masks, transform
from adabldm.placement.shape_bank import ShapeBank, runs_of
from adabldm.planning.look_files import look_file, mask_file
from adabldm.planning.place_map import PlaceMap

if TYPE_CHECKING:
    from adabldm.planning.place_maps import PlaceMaps

MaskKind = Literal["real", "noise", "morph"]
KINDS: tuple[MaskKind, ...] = ("real", "noise", "morph")
INVENTED = 32
"""Masks of each type that are drawn from noise, and as many between two real ones."""
READERS = 8
READ_AHEAD = 32


class PlanFiles(Protocol):
    """Where a plan keeps the files of its own."""

    def put(self, data: bytes, suffix: str) -> str:
        """The path, relative to the plan's own folder, at which ``data`` is, or soon will be;
        ``suffix`` as in ``.png``."""
        ...


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
    """A good picture next to the manifest; ``foreground`` is None on a texture, ``likely`` where
    all places are as likely as each other, ``grain`` where defects are turned anyhow."""

    path: str
    shape: tuple[int, int]
    foreground: PackedMask | None
    foreground_path: str | None
    likely: PlaceMap | None = None
    grain: Grain | None = None


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong with a picture is told as input that is refused."""
    try:
        yield
    except picture_uri.DatasetFault as fault:
        raise InputFault(f"DATASET: {fault}") from fault


@dataclass(frozen=True)
class _File:
    """A picture's file as it will lie next to the manifest, and its pixels."""

    data: bytes
    suffix: str
    pixels: np.ndarray


def _file(uri: str, data: bytes) -> _File:
    """A good picture, ``data`` the whole file of ``uri``; of a part a file of its own is made."""
    plain, box = picture_uri.split_fragment(uri)
    try:
        pixels = images.decode(data)
    except images.ImageFault as fault:
        raise InputFault.of("DATASET", uri, str(fault)) from fault
    if box is None:
        return _File(data, PurePosixPath(plain).suffix.lower(), pixels)
    with _told():
        part = np.ascontiguousarray(picture_uri.cut(pixels, box, uri))
    return _File(images.encode_png(part), ".png", part)


def _bytes(uri: str) -> bytes:
    with _told():
        return picture_uri.read_bytes(picture_uri.split_fragment(uri)[0])


class GoodPictures:
    """An object's good pictures, copied into ``files`` when they are first used; ``maps`` tell how
    likely their places are.

    Raises :class:`InputFault` for a picture that cannot be read.
    """

    def __init__(
        self, folder: ObjectFolder, files: PlanFiles, maps: PlaceMaps | None = None
    ) -> None:
        self._folder = folder
        self._masks = maps.masks if maps else ObjectMasks(folder)
        self._maps = maps
        self._files = files
        self._loaded: dict[int, GoodPicture] = {}

    def __len__(self) -> int:
        return len(self._folder.good)

    def __getitem__(self, number: int) -> GoodPicture:
        """Picture ``number``, once it is loaded."""
        return self._loaded[number]

    @property
    def loaded(self) -> list[int]:
        """The numbers of those that are loaded."""
        return sorted(self._loaded)

    @cached_property
    def texture(self) -> bool:
        """Whether the object fills its pictures."""
        with _told():
            return self._masks.is_texture

    def load(self, numbers: Iterable[int]) -> None:
        """Read those that have not been read yet."""
        missing = [number for number in numbers if number not in self._loaded]
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(missing), READ_AHEAD):
                some = missing[start : start + READ_AHEAD]
                uris = [self._folder.good[number] for number in some]
                data = pool.map(_bytes, uris)
                files = [_file(uri, file) for uri, file in zip(uris, data, strict=True)]
                masks = self._objects(list(zip(uris, files, strict=True)))
                maps = self._likely(list(zip(files, masks, strict=True)))
                for number, file, mask, likely in zip(some, files, masks, maps, strict=True):
                    self._loaded[number] = self._keep(file, mask, likely)

    def _objects(self, pictures: Sequence[tuple[str, _File]]) -> list[np.ndarray | None]:
        """The objects' masks, uint8 (H, W) of 0 / 255; None on a texture."""
        if self.texture:
            return [None] * len(pictures)

        def find(picture: tuple[str, _File]) -> np.ndarray:
            return self._masks.mask(picture[0], picture[1].pixels)

        with _told():
            return list(on_all_cores(find, pictures))

    def _likely(self, pictures: Sequence[tuple[_File, np.ndarray | None]]) -> list[PlaceMap | None]:
        """How likely the places of pictures with these masks are."""
        if self._maps is None or not self.weighted:
            return [None] * len(pictures)
        maps = self._maps

        def draw(picture: tuple[_File, np.ndarray | None]) -> PlaceMap:
            file, mask = picture
            return maps.map_of(file.data, file.pixels, mask)

        return list(on_all_cores(draw, pictures))

    @cached_property
    def weighted(self) -> bool:
        """Whether some places are likelier than others."""
        if self._maps is None:
            return False
        with _told():
            return bool(self._maps.telling)

    def _keep(self, file: _File, mask: np.ndarray | None, likely: PlaceMap | None) -> GoodPicture:
        return GoodPicture(
            path=self._files.put(file.data, file.suffix),
            shape=(file.pixels.shape[0], file.pixels.shape[1]),
            foreground=None if mask is None else PackedMask(mask),
            foreground_path=None
            if mask is None
            else self._files.put(images.encode_png(mask), ".png"),
            likely=likely,
            grain=self._grain(file, mask),
        )

    def _grain(self, file: _File, mask: np.ndarray | None) -> Grain | None:
        if self._maps is None or mask is not None:
            return None
        return grain_of(file.pixels).or_else(self._maps.grain)

    @property
    def without_object(self) -> list[str]:
        """URIs of those that were read and are left out, because no object is found in them."""
        return self._masks.without_object


@dataclass(frozen=True)
class _RealMask:
    file: bytes
    mask: PackedMask
    crop: np.ndarray
    item: DefectImage

    @property
    def caption(self) -> str | None:
        return self.item.caption


def _real_mask(item: DefectImage, data: bytes) -> _RealMask:
    _, box = picture_uri.split_fragment(item.mask)
    try:
        whole = masks.decode_defect(data, item.mask_rule).pixels
    except images.ImageFault as fault:
        raise InputFault.of("DATASET", shown(item.mask), str(fault)) from fault
    with _told():
        mask = whole if box is None else picture_uri.cut(whole, box, item.mask)
    crop = mask[transform.bounding_box(mask)].copy()
    return _RealMask(mask_file(mask), PackedMask(mask), crop, item)


class DefectMasks:
    """An object's masks by number: the real ones, and invented ones of each kind in ``shares``.

    Those of one type and kind follow each other. Real ones are read at once, invented ones are
    drawn when they are first used; both are copied into ``files`` when a row uses them.
    Raises :class:`InputFault` for a mask that cannot be read or is empty.
    """

    def __init__(
        self,
        folder: ObjectFolder,
        shares: Mapping[MaskKind, float],
        streams: RowStreams,
        files: PlanFiles,
    ) -> None:
        self._streams, self._files, self._name = streams, files, folder.name
        self._paths: dict[int, str] = {}
        self._look_paths: dict[int, str] = {}
        self._invented: dict[int, np.ndarray] = {}
        items = sorted(folder.defects, key=lambda item: item.defect)
        with ThreadPoolExecutor(READERS) as pool:
            data = pool.map(_bytes, [item.mask for item in items])
            self._real = [_real_mask(i, d) for i, d in zip(items, data, strict=True)]
        self._plan: list[tuple[str, MaskKind, int]] = [(item.defect, "real", 0) for item in items]
        kinds = [kind for kind in KINDS if shares.get(kind)]
        self._shares = np.cumsum([shares[kind] for kind in kinds]) / sum(shares.values())
        spans = dict.fromkeys(folder.defect_types, (0, 0))
        for number, item in enumerate(items):
            first, count = spans[item.defect]
            spans[item.defect] = (first if count else number, count + 1)
        self._spans = spans
        table: list[list[tuple[int, int]]] = []
        for name in folder.defect_types:
            table.append([])
            for kind in kinds:
                if kind == "real":
                    table[-1].append(spans[name])
                else:
                    table[-1].append((len(self._plan), INVENTED))
                    self._plan += [(name, kind, number) for number in range(INVENTED)]
        self._table = np.array(table)
        """First number and count, (types, kinds, 2)."""

    def bank(self, *, outlined: bool) -> ShapeBank:
        """The masks' turned shapes; ``outlined`` as in
        :class:`~adabldm.placement.shape_bank.ShapeBank`."""
        sizes = [self._model(number).mask.shape for number in range(len(self._plan))]
        runs = float(np.mean([len(runs_of(real.crop > 0)) for real in self._real]))
        return ShapeBank(self.crop, sizes, runs, self._streams, self._name, outlined=outlined)

    def choose(self, purpose: str, rows: np.ndarray, types: np.ndarray) -> np.ndarray:
        """A mask of each row's type, int64 (N,): its kind by the shares, then any alike."""
        chance = self._streams.uniform(f"{purpose}/kind", rows)
        kind = np.minimum(
            np.searchsorted(self._shares, chance, side="right"), len(self._shares) - 1
        )
        first, count = self._table[types, kind].T
        return first + self._streams.below(purpose, rows, count)

    def captions(self) -> list[str | None]:
        """The caption of the real defect behind each mask."""
        return [
            self._real[number].caption if kind == "real" else None
            for number, (_, kind, _) in enumerate(self._plan)
        ]

    def real_numbers(self) -> dict[DefectImage, int]:
        """The numbers of the real masks, by their defects."""
        return {real.item: number for number, real in enumerate(self._real)}

    def item(self, number: int) -> DefectImage:
        """The real defect of a mask, or the one that an invented mask is drawn after."""
        return self._model(number).item

    def crop(self, number: int) -> np.ndarray:
        """A mask cut to its defect, uint8 (h, w), non-zero inside."""
        if number < len(self._real):
            return self._real[number].crop
        if number not in self._invented:
            mask = self._invent(number)
            self._invented[number] = mask[transform.bounding_box(mask)].copy()
            self._paths[number] = self._files.put(mask_file(mask), ".png")
        return self._invented[number]

    def path(self, number: int) -> str:
        """Where a mask is, or soon will be, next to the manifest."""
        if number not in self._paths:
            real = self._real[number]
            self._paths[number] = self._files.put(real.file, ".png")
        return self._paths[number]

    def look_path(self, number: int) -> str | None:
        """Where the look of a mask's defect is, or soon will be, next to the manifest; None for a
        mask that no real defect has. Raises :class:`InputFault` for a picture that cannot be read
        or is not of its mask's size."""
        if number >= len(self._real):
            return None
        real = self._real[number]
        if number not in self._look_paths:
            self._look_paths[number] = self._files.put(
                look_file(real.item, real.mask.unpack()), ".png"
            )
        return self._look_paths[number]

    def _of_type(self, defect: str) -> Sequence[_RealMask]:
        first, count = self._spans[defect]
        return self._real[first : first + count]

    def _model(self, number: int) -> _RealMask:
        """The real mask itself, or the one that an invented one is drawn after."""
        defect, kind, which = self._plan[number]
        if kind == "real":
            return self._real[number]
        alike = self._of_type(defect)
        return alike[which % len(alike)]

    def _invent(self, number: int) -> np.ndarray:
        defect, kind, which = self._plan[number]
        rng = self._streams.generator(f"masks/{self._name}/{defect}/{kind}/{which}")
        model, alike = self._model(number), self._of_type(defect)
        mask = model.mask.unpack()
        if kind == "noise":
            return invented_masks.noise_mask(rng, mask)
        others = [other for other in alike if other is not model]
        # A type with one real mask lies between that and its mirror image.
        other = others[rng.integers(len(others))].mask.unpack() if others else mask[:, ::-1]
        return invented_masks.morphed_mask(rng, mask, other)
