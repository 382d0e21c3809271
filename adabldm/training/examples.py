"""The endless stream of training examples: example ``i`` is a function of the data, the seed and
``i`` alone, whichever worker makes it and in whatever order.

``adabldm pairs`` writes down what training sees: both read this stream.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from adabldm.core import random_streams
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.foreground.features import Features
from adabldm.placement import pasting, transform
from adabldm.planning.object_pictures import ATTEMPTS, ObjectPictures, PairFault
from adabldm.sampling.options import Resolution
from adabldm.training import cutting

Prompts = Callable[[str, str | None], Sequence[str]]
"""The texts for an object's name and a defect's (None: a good picture), of which one is drawn."""

GAIN = 0.15
"""Brightness of a varied example changes by up to this share."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """uint8 ``image`` (S, S, 3) and ``trimap`` (S, S) with a prompt; ``defect`` None: good."""

    image: np.ndarray
    trimap: np.ndarray
    prompt: str
    object: str
    defect: str | None


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What examples are made of, as shares that sum to 1.

    ``pasted``: a real defect, turned and scaled, on a good picture (paper, section III-C);
    ``real``: the real defect pictures; ``good``: pictures without a defect; ``reshaped``: a real
    defect's look under the mask of another, of any type, so that a mask's shape does not tell the
    type and the prompt has to. ``vary``: also mirror, and change the brightness.

    Raises ``ValueError`` naming the field.
    """

    pasted: float = 1.0
    real: float = 0.0
    good: float = 0.0
    reshaped: float = 0.0
    vary: bool = False

    def __post_init__(self) -> None:
        shares = {name: getattr(self, name) for name in ("pasted", "real", "good", "reshaped")}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise ValueError(f"{name}: {share!r}: must be in 0..1")
        if not math.isclose(sum(shares.values()), 1):
            raise ValueError(f"mix: {shares!r}: must sum to 1")

    def kind(self, draw: float) -> str:
        """The kind of example for a number in [0, 1)."""
        for name in ("pasted", "real", "good"):
            draw -= getattr(self, name)
            if draw < 0:
                return name
        return "reshaped" if self.reshaped else "pasted"


PAPER_MIX = Mix()
WHOLE_MODEL_MIX = Mix(pasted=0.4, real=0.25, good=0.1, reshaped=0.25, vary=True)
"""For a model that has everything to learn."""


class ExampleStream:
    """Examples of ``objects`` at ``size`` x ``size`` pixels; the defaults are a branch's (paper,
    section III-C).

    With the resolution ``native`` an example is a window of a picture at its own size, as
    generation draws in them (:mod:`adabldm.training.cutting`); with ``model``, as in the paper, the
    whole picture is brought to ``size``.

    Objects take turns, one with more defect types oftener (by the root of their number), and an
    object's types take turns. A defect's own caption comes before ``prompts``. ``seam`` see
    :data:`adabldm.placement.pasting.Seam`. Only ``good`` and ``defects`` are used, never what is
    held out; an object without defects has nothing to teach and is left out.

    Raises :class:`PairFault` if no object has a defect, or one that has some has no good picture.
    """

    def __init__(
        self,
        objects: Sequence[ObjectFolder],
        *,
        prompts: Prompts,
        size: int,
        mix: Mix = PAPER_MIX,
        seed: int = 0,
        seam: pasting.Seam = "soft",
        features: Features | None = None,
        resolution: Resolution = "native",
    ) -> None:
        self.size = size
        self._prompts, self._mix, self._seed, self._seam = prompts, mix, seed, seam
        self._native = resolution == "native"
        of_pictures = None if self._native else size
        self._products = [
            ObjectPictures(folder, of_pictures, features) for folder in teaching(objects)
        ]
        self._turns = _turns(self._products)

    def __getitem__(self, index: int) -> Example:
        """Example ``index``. Raises ``IndexError`` below 0, :class:`PairFault` if no defect that is
        tried fits."""
        if index < 0:
            raise IndexError(f"example {index}: must be 0 or more")
        product = self._turns[index % len(self._turns)]
        types = product.folder.defect_types
        name = types[index // len(self._turns) % len(types)]
        items = [item for item in product.folder.defects if item.defect == name]
        rng = random_streams.stream(self._seed, "training example", index)
        kind = self._mix.kind(rng.random())
        image, marks, item = self._make(kind, rng, product, items)
        if self._native:
            image, marks = cutting.cut(rng, image, marks, self.size)
        if self._mix.vary:
            image, marks = _varied(rng, image, marks)
        texts = self._prompts(product.folder.name, item.defect if item else None)
        if item and item.caption:
            texts = [item.caption]
        return Example(
            image=image,
            trimap=marks,
            prompt=texts[int(rng.integers(len(texts)))],
            object=product.folder.name,
            defect=item.defect if item else None,
        )

    def learn(self) -> None:
        """Learn now where each object lies, which is otherwise learnt when one is first drawn."""
        for product in self._products:
            product.inside(product.folder.good[0])

    @property
    def without_object(self) -> list[str]:
        """Good pictures that were drawn and left out, because no object is found in them."""
        return [uri for product in self._products for uri in product.without_object]

    def _make(
        self,
        kind: str,
        rng: np.random.Generator,
        product: ObjectPictures,
        items: Sequence[DefectImage],
    ) -> tuple[np.ndarray, np.ndarray, DefectImage | None]:
        """Image, trimap, and the defect if there is one."""
        if kind == "good":
            uri = product.draw_good(rng)
            image = product.good(uri)
            nothing = np.zeros(image.shape[:2], np.uint8)
            return image, product.trimap(nothing, uri), None
        item = items[int(rng.integers(len(items)))]
        if kind == "real":
            return self._real(product, item)
        if kind == "reshaped":
            made = self._reshaped(rng, product, item)
            if made is not None:
                return *made, item
        return self._pasted(rng, product, items)

    def _real(
        self, product: ObjectPictures, item: DefectImage
    ) -> tuple[np.ndarray, np.ndarray, DefectImage]:
        image, mask = product.defect(item)
        return image, product.trimap(mask, item.image), item

    def _pasted(
        self, rng: np.random.Generator, product: ObjectPictures, items: Sequence[DefectImage]
    ) -> tuple[np.ndarray, np.ndarray, DefectImage]:
        """One of ``items`` on one of the product's good pictures: image, trimap, the defect. If
        none fits, one as it is, where the mix has such."""
        fit = product.draw_fit(rng, product.folder.good, items)
        if fit is None and self._mix.real:
            return self._real(product, items[int(rng.integers(len(items)))])
        if fit is None:
            defect, name = items[0].defect, product.folder.name
            raise PairFault(f"no {defect!r} of {name!r} fits on its object in {ATTEMPTS} tries")
        image, mask = product.defect(fit.item)
        good = product.good(fit.good)
        pasted, placed = pasting.paste(fit.where, good, image, mask, seam=self._seam)
        return pasted, product.trimap(placed, fit.good), fit.item

    def _reshaped(
        self, rng: np.random.Generator, product: ObjectPictures, item: DefectImage
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """The look of ``item`` in the shape of any defect; None if that fits nowhere."""
        other = self._products[rng.integers(len(self._products))]
        shape = other.folder.defects[rng.integers(len(other.folder.defects))]
        uri = product.draw_good(rng)
        image, mask = product.defect(item)
        try:
            pasted, placed = pasting.paste_reshaped(
                rng, product.good(uri), image, mask, other.defect(shape)[1], product.inside(uri)
            )
        except transform.PlacementFault:
            return None
        return pasted, product.trimap(placed, uri)


def teaching(objects: Sequence[ObjectFolder]) -> list[ObjectFolder]:
    """The objects that have defects. Raises :class:`PairFault` if there is none, or one of them has
    no good picture."""
    found = [folder for folder in objects if folder.defects]
    if not found:
        names = ", ".join(folder.name for folder in objects)
        raise PairFault(f"{names or 'the data set'}: has no defect to learn from")
    for folder in found:
        if not folder.good:
            raise PairFault(f"{folder.name}: has no good picture to paste defects on")
    return found


def _turns(products: Sequence[ObjectPictures]) -> list[ObjectPictures]:
    """Every product by the root of its number of types, spread evenly."""
    columns = [[p] * math.ceil(math.sqrt(len(p.folder.defect_types))) for p in products]
    return [one for row in zip_longest(*columns) for one in row if one is not None]


def _varied(
    rng: np.random.Generator, image: np.ndarray, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    for axis in (0, 1):
        if rng.random() < 0.5:
            image, marks = np.flip(image, axis), np.flip(marks, axis)
    gain = rng.uniform(1 - GAIN, 1 + GAIN)
    brighter = np.clip(image * gain, 0, 255).astype(np.uint8)
    return brighter, np.ascontiguousarray(marks)
