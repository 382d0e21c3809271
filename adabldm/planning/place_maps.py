"""Maps of a product's good pictures: how likely a defect of each type is at each place, and what
else the real defects teach of where they lie.

Learned from the few real defects, drawn once for each good picture, and kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from adabldm.core import random_streams
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import DatasetFault, read_bytes, read_picture, split_fragment
from adabldm.foreground.features import EncoderFeatures
from adabldm.foreground.grain import Grain, common_grain, grain_of
from adabldm.foreground.object_masks import ObjectMasks, on_all_cores
from adabldm.foreground.places import look
from adabldm.foreground.poses import small_size
from adabldm.foreground.predictor import evenly
from adabldm.foreground.refine import shrunk
from adabldm.placement.outline_placer import Outlined
from adabldm.planning.place_likeness import PlaceLikeness, Site
from adabldm.planning.place_map import PlaceMap
from adabldm.planning.real_places import SIDE, cell_share, site_of
from adabldm.planning.relative_places import RelativePlaces
from adabldm.planning.surroundings import Frame, everywhere

METHOD = 2
"""Raised whenever the same pictures give other maps than before."""

LEARNED_FROM = 30
"""Good pictures whose places real ones are compared with."""

PLACES = 200
"""Places of each that are taken."""


class Kept(Protocol):
    """What was made before, by the name of what it was made of."""

    def get(self, name: str) -> bytes | None:
        """What was kept as ``name``; None if there is nothing."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Keep ``data``, if that is possible."""
        ...


class NothingKept:
    """Keeps nothing."""

    def get(self, name: str) -> bytes | None:  # noqa: ARG002
        return None

    def put(self, name: str, data: bytes) -> None:
        pass


def _grains(uris: Sequence[str]) -> list[Grain]:
    return list(on_all_cores(lambda uri: grain_of(read_picture(uri)), uris))


class PlaceMaps:
    """The maps of ``folder``'s good pictures, in which ``masks`` find the object; ``kept`` is where
    what was made before is found.

    Learned when first needed. Raises :class:`~adabldm.core.picture_uri.DatasetFault` for a picture
    that cannot be read.
    """

    def __init__(self, folder: ObjectFolder, masks: ObjectMasks, kept: Kept | None = None) -> None:
        self.folder = folder
        self.masks = masks
        self.features = EncoderFeatures()
        self._kept = kept or NothingKept()

    @cached_property
    def likeness(self) -> PlaceLikeness:
        """What the real places teach."""
        data = self._kept.get(self._made_of)
        found = None if data is None else PlaceLikeness.from_bytes(data)
        if found is None:
            found = self._learned()
            self._kept.put(self._made_of, found.to_bytes())
        return found

    @property
    def telling(self) -> list[str]:
        """The types whose real places tell where to put further ones."""
        known = {*self._looks_tell, *self.on_the_object}
        return [name for name in self.folder.defect_types if name in known]

    @cached_property
    def _looks_tell(self) -> list[str]:
        """The types whose surroundings tell; not asked where places of the object tell of all."""
        types = set(self.folder.defect_types)
        return [] if types <= set(self.on_the_object) else self.likeness.telling

    @property
    def on_the_object(self) -> list[str]:
        """The types that lie at the same places of every object."""
        if self.relative is None:
            return []
        types = zip(self.folder.defect_types, self.relative.spread, strict=True)
        return [name for name, spread in types if spread > 0]

    @cached_property
    def grains(self) -> dict[DefectImage, Grain]:
        """The grain around each of the folder's defects; none of an object, which has outlines."""
        if not self.masks.is_texture:
            return {}
        items = list(self.folder.defects)
        found = _grains([item.image for item in items])
        return {item: own.or_else(self.grain) for item, own in zip(items, found, strict=True)}

    @cached_property
    def grain(self) -> Grain:
        """What the grain of good pictures is together: that of a picture that shows none."""
        return common_grain(_grains(evenly(self.folder.good, LEARNED_FROM)))

    @property
    def outlined(self) -> dict[int, Outlined]:
        """The folder's defects near their object's outline, by number."""
        return {} if self.relative is None else self.relative.outlined

    @cached_property
    def relative(self) -> RelativePlaces | None:
        """Where on the object the real defects lie; None on a texture, and where good pictures'
        objects are known by other means than by finding them."""
        if self.masks.is_texture or not self._finds_objects:
            return None
        name = hashlib.sha256(f"relative {self._made_of}".encode()).hexdigest()
        data = self._kept.get(name)
        found = None if data is None else RelativePlaces.from_bytes(data)
        if found is None:
            found = RelativePlaces.learned(self.folder, self.masks)
            self._kept.put(name, found.to_bytes())
        return found

    def map_of(self, picture: bytes, pixels: np.ndarray, mask: np.ndarray | None) -> PlaceMap:
        """The map of a good picture: ``picture`` its file, ``pixels`` uint8 (H, W, 3), ``mask`` its
        object, uint8 (H, W), None on a texture."""
        digest = hashlib.sha256(f"{self._made_of} {pixels.shape}".encode())
        digest.update(picture)
        digest.update(b"texture" if mask is None else np.packbits(mask > 0).tobytes())
        name = digest.hexdigest()
        data = self._kept.get(name)
        if data is not None and PlaceMap(data).unpack(len(self.folder.defect_types)) is not None:
            return PlaceMap(data)
        drawn = PlaceMap.of(*self._likely(pixels, mask))
        self._kept.put(name, drawn.data)
        return drawn

    def _likely(self, pixels: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """How likely each place is for each type (T, h, w), and how much of it is object (h, w).

        What lies at the same places of every object is told by them; only the other types' places
        are looked at.
        """
        types = self.folder.defect_types
        if mask is not None and self.relative is not None:
            share = cell_share(mask, *small_size(*mask.shape))
            told = self.relative.maps(mask, share)
            if {types.index(name) for name in self.telling} <= set(told):
                likely = np.ones((len(types), *share.shape), np.float32)
                likely[list(told)] = list(told.values())
                return likely, share
        seen, share = self._seen(pixels, mask)
        likely = self.likeness.maps(seen, share)
        if mask is not None and self.relative is not None:
            for kind, one in self.relative.maps(mask, share).items():
                likely[kind] = one
        return likely, share

    def _seen(self, pixels: np.ndarray, mask: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        """What is seen at each place (h, w, C), and how much of it is object (h, w)."""
        seen = look(shrunk(pixels, SIDE), self.features)
        if mask is None:
            return seen, np.ones(seen.shape[:2], np.float32)
        return seen, cell_share(mask, *seen.shape[:2])

    @cached_property
    def _made_of(self) -> str:
        """SHA-256 of all that decides what is learned."""
        digest = hashlib.sha256(f"{METHOD} {self.features!r} {self.folder.surface}".encode())
        digest.update(repr((self.folder.backbone, self.folder.defect_types)).encode())
        uris = evenly(self.folder.good)
        for item in self.folder.defects:
            said = item.defect, item.group or item.image, str(item.mask_rule)
            digest.update(repr(said).encode())
            uris += [item.image, item.mask]
        for uri in uris:
            file, box = split_fragment(uri)
            digest.update(hashlib.sha256(read_bytes(file)).digest() + repr(box).encode())
        return digest.hexdigest()

    def _learned(self) -> PlaceLikeness:
        uris = evenly(self.folder.good, LEARNED_FROM)
        looks = list(on_all_cores(self._look_at, uris))
        frame = Frame.of([seen for seen, _ in looks])
        places = [
            self._some_places(number, frame, seen, share)
            for number, (seen, share) in enumerate(looks)
        ]
        return PlaceLikeness.learned(
            frame, self.folder.defect_types, self.sites(frame), [p for p in places if len(p) > 1]
        )

    def _look_at(self, uri: str) -> tuple[np.ndarray, np.ndarray]:
        pixels = read_picture(uri)
        return self._seen(pixels, None if self.masks.is_texture else self.masks.mask(uri, pixels))

    @staticmethod
    def _some_places(number: int, frame: Frame, seen: np.ndarray, share: np.ndarray) -> np.ndarray:
        found = everywhere(frame.along(seen), share, 1)[share > 0.5]
        chosen = random_streams.stream(0, "places", number).permutation(len(found))
        some: np.ndarray = found[chosen[:PLACES]]
        return some

    def sites(self, frame: Frame, held_out: bool = False) -> list[Site]:
        """The places of the real defects, or of those ``held_out``; none if no object is found
        where good pictures' objects are known by other means."""
        items: Sequence = self.folder.held_out if held_out else self.folder.defects
        if not self.masks.is_texture and not self._finds_objects:
            return []

        def find(numbered: tuple[int, object]) -> Site:
            number, item = numbered
            rng = random_streams.stream(0, "real places", number)
            return site_of(rng, item, self.masks, frame, self.features)  # type: ignore[arg-type]

        return list(on_all_cores(find, list(enumerate(items))))

    @property
    def _finds_objects(self) -> bool:
        """Whether the object can be found in pictures of which no mask was given."""
        try:
            return self.masks.predictor.surface == "object"
        except DatasetFault:
            return False
