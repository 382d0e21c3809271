"""The trimap that a manifest's ``placement`` stands for, drawn in one way for all who need it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from adabldm.core import trimap
from adabldm.placement import transform
from cluster.manifest.schema import Blob, Recipe, SetDown


def placed_trimap(
    recipe: Recipe, pixels: Callable[[str, Blob], np.ndarray], height: int, width: int
) -> np.ndarray:
    """The trimap of ``recipe`` (:data:`cluster.manifest.schema.PLACEMENT`), uint8 (height, width).

    ``pixels(field, blob)`` reads its ``mask`` and ``foreground`` pictures as uint8 (H, W).
    Raises :class:`~adabldm.placement.transform.PlacementFault` for a recipe that cannot be carried
    out.
    """
    set_down: list[SetDown] = [recipe, *(recipe.get("more") or ())]
    parts = [
        (
            pixels("mask", part["mask"]),
            transform.Placement(
                angle=part["angle"], scale=part["scale"], top=part["top"], left=part["left"]
            ),
        )
        for part in set_down
    ]
    foreground = recipe.get("foreground")
    inside = foreground and pixels("foreground", foreground)
    return trimap.compose(transform.render_all(parts, height, width), inside)
