"""Where on their object the few real defects lie: the same places of another, however it is turned.

The object of a good picture is the template. It is laid over every other, so each real defect has
a point on it, and a type's places are what is near its points: how near is what best foretells the
real defects of each specimen from those of the others, as in
:mod:`~adabldm.planning.place_likeness`. Of objects that look alike however they are turned, or
whose defects lie anywhere, the points tell nothing, and no place is likelier than another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.foreground.intact import AGREES, intact_object
from adabldm.foreground.object_masks import ObjectMasks, on_all_cores
from adabldm.foreground.poses import CANVAS, Template
from adabldm.foreground.predictor import evenly
from adabldm.placement import transform
from adabldm.placement.outline_placer import Outlined
from adabldm.planning.place_likeness import ADDED, DOUBT, LEAST_SPECIMENS
from adabldm.planning.place_map import ANYWHERE, packed, unpacked

GOODS = 6
"""Good pictures whose objects are laid over those with a defect."""

LEAVES = 0.05
"""Share of a mask off the object from which a defect counts as leaving it."""

AROUND = 0.5
"""Of a mask's longer side, how far around it the object's outline is looked for ..."""

OUTLINED = 0.05
"""... and the share of what is there, off the object, from which the outline is near."""

SPREADS = (0.03, 0.05, 0.08, 0.12, 0.2)
"""Standard deviations around a point, as shares of the diagonal of the object's box."""


@dataclass(frozen=True)
class RealPlace:
    """Where a real defect lies: its middle on the template's canvas, if its object is like the
    template, and the object around it, if its outline is near."""

    point: tuple[float, float] | None
    outlined: Outlined | None


@dataclass(frozen=True, kw_only=True)
class RelativePlaces:
    """``template`` is an object, bool (h, w); ``points`` (N, 2) on its canvas are of defects of
    ``kinds`` (N,), numbers of types; ``spread`` (T,) in pixels of the canvas, 0 where the points
    of a type tell nothing; ``outlined`` are the real defects near their object's outline, by
    number."""

    template: np.ndarray
    points: np.ndarray
    kinds: np.ndarray
    spread: np.ndarray
    outlined: dict[int, Outlined]

    @classmethod
    def learned(cls, folder: ObjectFolder, masks: ObjectMasks) -> RelativePlaces:
        """From the few defects of ``folder``, an object that ``masks`` find.

        Raises :class:`~adabldm.core.picture_uri.DatasetFault` for a picture that cannot be read.
        """
        uris = evenly(folder.good, GOODS)
        objects = [masks.predictor.mask(read_picture(uri)) > 0 for uri in uris]
        goods = [Template(one) for one in objects]

        def find(item: DefectImage) -> RealPlace | None:
            return _real_place(item, masks, goods)

        found = dict(enumerate(on_all_cores(find, list(folder.defects))))
        placed = {number: place for number, place in found.items() if place is not None}
        known = {n: place.point for n, place in placed.items() if place.point is not None}
        points = np.array(list(known.values())).reshape(-1, 2)
        items = [folder.defects[number] for number in known]
        types = folder.defect_types
        kinds = np.array([types.index(item.defect) for item in items], np.int64)
        groups = [item.group or item.image for item in items]
        canvas = goods[0].canvas
        spread = [_spread(canvas, points, groups, kinds == kind) for kind in range(len(types))]
        near = {n: place.outlined for n, place in placed.items() if place.outlined is not None}
        return cls(
            template=objects[0],
            points=points,
            kinds=kinds,
            spread=np.array(spread),
            outlined=near,
        )

    @cached_property
    def _laid(self) -> Template:
        return Template(self.template)

    @cached_property
    def _densities(self) -> dict[int, np.ndarray]:
        """How likely the template's places are for the types that tell, by number."""
        return {
            int(kind): _density(self._laid.canvas, self.points[self.kinds == kind], spread)
            for kind, spread in enumerate(self.spread)
            if spread > 0
        }

    def maps(self, mask: np.ndarray, share: np.ndarray) -> dict[int, np.ndarray]:
        """How likely each place of a good picture is for the types that tell, by number, over the
        mean one of the object: float32 (h, w), at least :data:`ANYWHERE`.

        ``mask`` (H, W) is its object, non-zero inside, of which ``share`` (h, w) is in each cell;
        none if the object does not agree with the template.
        """
        if not self._densities or not (mask > 0).any():
            return {}
        pose = self._laid.pose(mask > 0)
        if pose.agreement < AGREES:
            return {}
        height, width = share.shape
        weight = np.maximum(share, 1e-6)
        found = {}
        for kind, density in self._densities.items():
            laid = Image.fromarray(pose.lay(density))
            cells = np.asarray(laid.resize((width, height), Image.Resampling.BOX))
            mean = max(float(np.average(cells, weights=weight)), 1e-12)
            found[kind] = (ANYWHERE + (1 - ANYWHERE) * cells / mean).astype(np.float32)
        return found

    def to_bytes(self) -> bytes:
        """All of it, as :meth:`from_bytes` takes it."""
        return packed(
            template=self.template,
            points=self.points,
            kinds=self.kinds,
            spread=self.spread,
            **{f"{_KEPT[one.leaves]}{number}": one.sides for number, one in self.outlined.items()},
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> RelativePlaces | None:
        """None if ``data`` is not whole."""
        found = unpacked(data)
        names = ("template", "points", "kinds", "spread")
        if found is None or not set(names) <= set(found):
            return None
        outlined = {
            int(name.removeprefix(start)): Outlined(sides, leaves)
            for name, sides in found.items()
            for leaves, start in _KEPT.items()
            if name.startswith(start)
        }
        return cls(**{name: found[name] for name in names}, outlined=outlined)


_KEPT = {True: "leaves_", False: "near_"}
"""Names of what is kept, by whether the defect leaves the object."""


def _real_place(
    item: DefectImage, masks: ObjectMasks, goods: Sequence[Template]
) -> RealPlace | None:
    """None where what is seen of the object agrees with none of ``goods``, of which the first is
    the template, or its mask is not of its picture's size."""
    marked = read_defect_mask(item.mask, item.mask_rule) > 0
    picture = read_picture(item.image)
    if marked.shape != picture.shape[:2]:
        return None
    intact = intact_object(goods, masks.predictor.mask(picture) > 0, marked)
    if intact is None:
        return None
    on, outlined = intact & marked, _outlined(intact, marked)
    pose = goods[0].pose(intact)
    if not on.any() or pose.agreement < AGREES:
        return RealPlace(None, outlined)
    rows, columns = np.nonzero(on)
    small = pose.size[0] / marked.shape[0], pose.size[1] / marked.shape[1]
    point = pose.on_canvas(float(rows.mean()) * small[0], float(columns.mean()) * small[1])
    return RealPlace(point, outlined)


def _outlined(intact: np.ndarray, marked: np.ndarray) -> Outlined | None:
    """What is around the defect that is ``marked`` on an object, bool (H, W) both; None where the
    outline is not near."""
    box = transform.bounding_box(marked)
    margin = max(2, round(AROUND * max(side.stop - side.start for side in box)))
    sides = np.pad(np.where(intact, 1, -1).astype(np.int8), margin)
    near = sides[tuple(slice(side.start, side.stop + 2 * margin) for side in box)]
    if np.count_nonzero(near < 0) < OUTLINED * np.count_nonzero(near):
        return None
    off = 1 - np.count_nonzero(intact & marked) / np.count_nonzero(marked)
    return Outlined(near.copy(), bool(off > LEAVES))


def _density(canvas: np.ndarray, points: np.ndarray, spread: float) -> np.ndarray:
    """How likely places are that have ``points`` (N, 2) near, over the mean one of the object on
    the ``canvas``: float32 (C, C)."""
    found = np.zeros((CANVAS, CANVAS), np.float32)
    at = np.clip(np.rint(points), 0, CANVAS - 1).astype(int)
    np.add.at(found, (at[:, 0], at[:, 1]), 1)
    found = gaussian_filter(found, spread, mode="constant")
    density: np.ndarray = found / max(float(found[canvas].mean()), 1e-12)
    return density


def _spread(
    canvas: np.ndarray, points: np.ndarray, groups: Sequence[str], mine: np.ndarray
) -> float:
    """Of the type whose points are ``mine``, bool (N,): one of :data:`SPREADS` in pixels of the
    canvas, or 0."""
    names = sorted({group for group, is_mine in zip(groups, mine, strict=True) if is_mine})
    if len(names) < LEAST_SPECIMENS:
        return 0.0
    box = transform.bounding_box(canvas)
    diagonal = float(np.hypot(box[0].stop - box[0].start, box[1].stop - box[1].start))
    best, chosen = 0.0, 0.0
    for share in SPREADS:
        gains, added = [], []
        for name in names:
            held_out = np.array([group == name for group in groups]) & mine
            density = _density(canvas, points[mine & ~held_out], share * diagonal)
            gain = np.log(ANYWHERE + (1 - ANYWHERE) * density)
            at = np.clip(np.rint(points[held_out]), 0, CANVAS - 1).astype(int)
            gains.append(float(gain[at[:, 0], at[:, 1]].mean()))
            added.append(float(gain[canvas].mean()))
        error = DOUBT * np.sqrt(len(names)) * np.std(gains, ddof=1)
        total = sum(gains) + ADDED * float(np.mean(added)) - error
        if total > best:
            best, chosen = total, share * diagonal
    return chosen
