"""Requests drawn from a data set: row ``i`` is a function of (data set, seed, i) alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING

import numpy as np
from cachetools import cachedmethod

from adabldm.core.byte_cache import ByteCache
from adabldm.core.objects import ObjectFolder
from adabldm.core.random_streams import RowStreams
from adabldm.placement.allowed_area import AllowedArea
from adabldm.placement.batch_placer import Boxes, Placer, Places
from adabldm.placement.outline_placer import Outlined, OutlinePlacer
from adabldm.placement.regions import Region
from adabldm.planning.prompts import PromptBook
from adabldm.planning.scopes import Pair, most_special
from adabldm.planning.sources import DefectMasks, GoodPictures, MaskKind, PlanFiles

if TYPE_CHECKING:
    from adabldm.planning.place_maps import PlaceMaps

ATTEMPTS = 8
"""Pairs of a good picture and a mask that are tried for one request."""
FIRST_BLOCK, LARGEST_BLOCK = 4_096, 524_288
"""Rows that are drawn together: few at first, so that something is seen soon."""
AREAS_BYTES = 192_000_000
"""Of allowed areas that are kept, those used last."""
PLACED, FITS_NOWHERE, TOO_FEW = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Variety:
    """What a plan may do beyond one real mask an image.

    ``masks`` are the shares of the kinds; ``defects`` the least and the most defects of an image;
    ``captions`` whether a real defect's caption is its prompt.
    """

    masks: Mapping[MaskKind, float] = field(default_factory=lambda: {"real": 1.0})
    defects: tuple[int, int] = (1, 1)
    captions: bool = True
    prompts: PromptBook = field(default_factory=PromptBook)
    regions: Mapping[Pair, Region] = field(default_factory=dict)


@dataclass(frozen=True)
class PlacedDefects:
    """Defects that were set down, one a row: the mask's number in its object, and the recipe;
    a mask of -1 is none."""

    mask: np.ndarray
    angle: np.ndarray
    scale: np.ndarray
    top: np.ndarray
    left: np.ndarray

    @classmethod
    def empty(cls, count: int) -> PlacedDefects:
        return cls(
            np.full(count, -1, np.int32),
            np.zeros(count),
            np.zeros(count),
            np.zeros(count, np.int32),
            np.zeros(count, np.int32),
        )


@dataclass(frozen=True)
class PlanBlock:
    """Some rows of a plan, by column; arrays are (N,).

    ``row`` is their number, ascending; ``pair`` numbers the planner's pairs of object and type,
    ``good`` the object's pictures, ``prompt`` the planner's prompts; ``outcome`` is PLACED or why
    there is no place; ``defects`` the main one of each row and perhaps further ones.
    """

    row: np.ndarray
    pair: np.ndarray
    seed: np.ndarray
    good: np.ndarray
    prompt: np.ndarray
    outcome: np.ndarray
    defects: list[PlacedDefects]

    def __len__(self) -> int:
        return len(self.pair)


class PlannedObject:
    """One object of the data set, with all that its rows are made of; ``maps`` tell how likely the
    places of its good pictures are, all alike without them."""

    def __init__(
        self,
        folder: ObjectFolder,
        noun: str,
        variety: Variety,
        streams: RowStreams,
        files: PlanFiles,
        maps: PlaceMaps | None = None,
    ) -> None:
        self.name, self.noun, self.types = folder.name, noun, folder.defect_types
        self.goods = GoodPictures(folder, files, maps)
        self.masks = DefectMasks(folder, variety.masks, streams, files)
        found = [most_special(variety.regions, (self.name, name)) for name in self.types]
        self._regions = [None, *(region for region in found if region is not None)]
        self.region_of_type = np.array([self._regions.index(region) for region in found])
        self.regions = len(self._regions)
        confined = self.regions > 1 or not self.goods.texture or self.goods.weighted
        telling = maps.telling if self.goods.weighted and maps is not None else []
        self._told = np.array([name in telling for name in self.types], bool)
        """Of each type, whether some places are likelier than others."""
        bank = self.masks.bank(outlined=confined)
        self.placer = Placer(bank, streams)
        outlined = _outlined(folder, self.masks, maps)
        self._outline_placer = OutlinePlacer(bank, self.masks.crop, outlined, streams)
        self._grains = (
            [maps.grains[self.masks.item(n)] for n in range(bank.masks)]
            if (maps is not None and maps.grains)
            else []
        )

    def allowed_area(self, good: int, region: int) -> AllowedArea:
        """Where defects may lie on a good picture (which is loaded): on its object, within the
        region."""
        picture = self.goods[good]
        allowed = None if picture.foreground is None else picture.foreground.unpack() > 0
        if (within := self._regions[region]) is not None:
            pixels = within.pixels(*picture.shape)
            allowed = pixels if allowed is None else allowed & pixels
        likely = picture.likely.unpack(len(self.types)) if picture.likely else None
        return AllowedArea(*picture.shape, allowed, likely)

    def place(
        self,
        good: int,
        region: int,
        area: AllowedArea,
        rows: np.ndarray,
        masks: np.ndarray,
        purpose: str,
        taken: Boxes | None = None,
        kinds: np.ndarray | None = None,
    ) -> Places:
        """A place for each of ``masks`` on a good picture (which is loaded), as
        :meth:`~adabldm.placement.batch_placer.Placer.place`: where the outline runs by it as by the
        real defect, if it was near one, nothing confines its type and the picture has such a place;
        else anywhere in the area, turned with the grain if there is one."""
        places = Places.none(len(rows))
        if not region:
            places = self._outline_placer.place(
                good, area, lambda: self._ground(good), rows, masks, purpose, taken, kinds
            )
        told = np.zeros(len(rows), bool) if kinds is None else self._told[kinds]
        turns = self._turns(good, masks)
        for some in (np.flatnonzero(~places.found & told), np.flatnonzero(~places.found & ~told)):
            if not len(some):
                continue
            inside = self.placer.place(
                (good, region),
                area,
                rows[some],
                masks[some],
                purpose,
                None if taken is None else taken.of(some),
                None if kinds is None or not told[some[0]] else kinds[some],
                None if turns is None else turns[some],
            )
            places.found[some], places.shape[some] = inside.found, inside.shape
            places.top[some], places.left[some] = inside.top, inside.left
        return places

    def _turns(self, good: int, masks: np.ndarray) -> np.ndarray | None:
        """By how much each of ``masks`` is turned so that the grain around its real defect is that
        of a good picture, (N,), NaN for anyhow; None if all are."""
        grain = self.goods[good].grain
        if grain is None or not self._grains:
            return None
        found = [own.turn_to(grain) for own in self._grains]
        turns = np.array([np.nan if turn is None else turn for turn in found])[masks]
        return None if np.isnan(turns).all() else turns

    def _ground(self, good: int) -> tuple[np.ndarray, np.ndarray | None]:
        """The object in a good picture, and maps of how likely its places are."""
        picture = self.goods[good]
        assert picture.foreground is not None  # noqa: S101
        likely = picture.likely.unpack(len(self.types)) if picture.likely else None
        return picture.foreground.unpack() > 0, likely


def _outlined(
    folder: ObjectFolder, masks: DefectMasks, maps: PlaceMaps | None
) -> dict[int, Outlined]:
    """The masks near their object's outline, by number, as the maps know them."""
    if maps is None:
        return {}
    numbers = masks.real_numbers()
    return {numbers[folder.defects[one]]: found for one, found in maps.outlined.items()}


def request_id_stem(name: str, defect: str, seed: int) -> str:
    """``screw-thread_top-s7``, to which the row's number is added: readable, a safe file name."""
    product, kind = (re.sub(r"[^A-Za-z0-9_]+", "_", part)[:48] for part in (name, defect))
    return f"{product}-{kind}-s{seed}"


class Planner:
    """Deals requests to (object, defect type) in turn, so any beginning is balanced.

    ``prompts`` are all that rows may have; ``pairs`` the objects with their types.
    """

    def __init__(self, objects: Sequence[PlannedObject], seed: int, variety: Variety) -> None:
        self.objects = objects
        self.seed = seed
        self._streams = RowStreams(seed)
        self._defects = variety.defects
        self._areas: ByteCache[tuple[int, int, int], AllowedArea] = ByteCache(
            AREAS_BYTES, lambda area: area.nbytes
        )
        self.pairs = [(p, t) for p, item in enumerate(objects) for t in range(len(item.types))]
        self._object_of_pair, self._type_of_pair = np.array(self.pairs).T
        self.prompts: list[str] = []
        spans: list[tuple[int, int]] = []
        for number, kind in self.pairs:
            item = objects[number]
            some = variety.prompts.prompts(item.name, item.types[kind], item.noun)
            spans.append((len(self.prompts), len(some)))
            self.prompts += some
        self._prompt_spans = np.array(spans)
        self._caption_prompts = [
            self._number_captions(item.masks.captions() if variety.captions else [])
            for item in objects
        ]

    def _number_captions(self, captions: Sequence[str | None]) -> np.ndarray | None:
        """The prompt that is each mask's caption, -1 for none; None if no mask has one."""
        if not any(captions):
            return None
        numbers = np.full(len(captions), -1)
        for mask, caption in enumerate(captions):
            if caption:
                numbers[mask] = len(self.prompts)
                self.prompts.append(caption)
        return numbers

    @cachedmethod(attrgetter("_areas"))
    def _allowed_area(self, number: int, good: int, region: int) -> AllowedArea:
        return self.objects[number].allowed_area(good, region)

    def names(self, pair: int) -> Pair:
        """The object and the type of a pair."""
        number, kind = self.pairs[pair]
        return self.objects[number].name, self.objects[number].types[kind]

    def blocks(self, count: int) -> Iterator[PlanBlock]:
        """The first ``count`` rows."""
        first, size = 0, FIRST_BLOCK
        while first < count:
            last = min(count, first + size)
            yield self.block(np.arange(first, last, dtype=np.uint64))
            first, size = last, min(4 * size, LARGEST_BLOCK)

    def block(self, rows: np.ndarray) -> PlanBlock:
        """The rows with these numbers, uint64 (N,), ascending."""
        pair = (rows % np.uint64(len(self.pairs))).astype(np.int64)
        start, count = self._prompt_spans[pair].T
        block = PlanBlock(
            row=rows.astype(np.int64),
            pair=pair,
            seed=(self._streams.bits("seed", rows) >> np.uint64(1)).astype(np.int64),
            good=np.zeros(len(rows), np.int64),
            prompt=start + self._streams.below("prompt", rows, count),
            outcome=np.full(len(rows), FITS_NOWHERE, np.int8),
            defects=[PlacedDefects.empty(len(rows)) for _ in range(self._defects[1])],
        )
        for number in range(len(self.objects)):
            mine = np.flatnonzero(self._object_of_pair[pair] == number)
            self._fill(block, number, mine, rows)
        return block

    def _fill(self, block: PlanBlock, number: int, mine: np.ndarray, rows: np.ndarray) -> None:
        """Place the rows ``mine`` of the block, which are of one object."""
        all_mine = mine
        item = self.objects[number]
        types = self._type_of_pair[block.pair]
        for attempt in range(ATTEMPTS):
            if not len(mine):
                break
            good = self._streams.below(f"good/{attempt}", rows[mine], len(item.goods))
            item.goods.load(np.unique(good).tolist())
            block.good[mine] = good
            area = good * item.regions + item.region_of_type[types[mine]]
            order = np.argsort(area, kind="stable")
            ends = np.flatnonzero(np.diff(area[order])) + 1
            for group in np.split(mine[order], ends):
                self._place(block, number, group, rows, types, attempt)
            mine = mine[block.outcome[mine] != PLACED]
        captions = self._caption_prompts[number]
        if captions is not None:
            main = block.defects[0].mask[all_mine]
            captioned = (main >= 0) & (captions[main] >= 0)
            block.prompt[all_mine[captioned]] = captions[main[captioned]]

    def _place(
        self,
        block: PlanBlock,
        number: int,
        group: np.ndarray,
        rows: np.ndarray,
        types: np.ndarray,
        attempt: int,
    ) -> None:
        """Place a group of rows that share their allowed area."""
        item = self.objects[number]
        good, region = int(block.good[group[0]]), int(item.region_of_type[types[group[0]]])
        area = self._allowed_area(number, good, region)
        least, most = self._defects
        wanted = least + self._streams.below("defects", rows[group], most - least + 1)
        size = np.zeros((len(group), most, 2), np.int64)
        corner = np.zeros((len(group), most, 2), np.int64)
        bank = item.placer.bank
        for k, column in enumerate(block.defects):
            some = np.flatnonzero((wanted > k) & ((k == 0) | (size[:, 0, 0] > 0)))
            purpose = f"place/{attempt}/{k}"
            masks = item.masks.choose(purpose, rows[group[some]], types[group[some]])
            taken = None
            if k:
                corners, sizes = corner[some, :k], size[some, :k]
                taken = Boxes(corners[..., 0], corners[..., 1], sizes[..., 0], sizes[..., 1])
            kinds = types[group[some]] if item.goods.weighted else None
            places = item.place(good, region, area, rows[group[some]], masks, purpose, taken, kinds)
            done, shape = some[places.found], places.shape[places.found]
            size[done, k] = bank.size[shape]
            corner[done, k] = np.stack([places.top, places.left], axis=1)[places.found]
            into = group[done]
            column.mask[group] = -1
            column.mask[into] = masks[places.found]
            column.angle[into], column.scale[into] = bank.angle[shape], bank.scale[shape]
            column.top[into], column.left[into] = corner[done, k].T
        count = (size[..., 0] > 0).sum(axis=1)
        outcome = np.where(count >= least, PLACED, np.where(count == 0, FITS_NOWHERE, TOO_FEW))
        block.outcome[group] = outcome
