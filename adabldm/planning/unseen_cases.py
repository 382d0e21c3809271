"""What a model is asked for when it is measured: unseen good pictures with real masks on them.

Case ``i`` is a function of the object's pictures and ``i``; types take turns. The masks are those
of the few defects that may be learned from, set down anew as in training; the same defect is
pasted at the same place, to compare with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adabldm.core import random_streams, trimap
from adabldm.placement import pasting
from adabldm.planning.object_pictures import ObjectPictures
from adabldm.planning.prompts import prompt_for

SEED = 99
SEAMS: tuple[pasting.Seam, ...] = ("hard", "soft")


@dataclass(frozen=True, kw_only=True)
class UnseenCase:
    """A request, uint8 ``good`` (H, W, 3) and ``trimap`` (H, W), and cut-and-paste's answers
    (H, W, 3) by seam; ``index`` is also the request's seed."""

    index: int
    good: np.ndarray
    trimap: np.ndarray
    prompt: str
    defect: str
    pasted: Mapping[pasting.Seam, np.ndarray]

    @property
    def mask(self) -> np.ndarray:
        """The defect, bool (H, W)."""
        return self.trimap == trimap.DEFECT


def draw_case(product: ObjectPictures, index: int, noun: str) -> UnseenCase | None:
    """Case ``index``, with a prompt about a ``noun``; None if no defect that was tried fits.

    The object has ``test_good`` and ``defects``.
    """
    folder = product.folder
    defect = folder.defect_types[index % len(folder.defect_types)]
    items = [item for item in folder.defects if item.defect == defect]
    rng = random_streams.stream(SEED, "unseen case", index)
    fit = product.draw_fit(rng, folder.test_good, items)
    if fit is None:
        return None
    image, mask = product.defect(fit.item)
    good = product.good(fit.good)
    made = {seam: pasting.paste(fit.where, good, image, mask, seam=seam) for seam in SEAMS}
    return UnseenCase(
        index=index,
        good=good,
        trimap=product.trimap(made["hard"][1], fit.good),
        prompt=fit.item.caption or prompt_for(noun, defect),
        defect=defect,
        pasted={seam: pasted for seam, (pasted, _) in made.items()},
    )
