"""The trimap that a manifest's ``placement`` stands for, drawn in one way for all who need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from adabldm.core import trimap
from adabldm.placement import transform

Row = dict[str, Any]


def placed_trimap(
    recipe: Row, pixels: Callable[[str, Row], np.ndarray], height: int, width: int
) -> np.ndarray:
    """The trimap of ``recipe`` (:data:`cluster.manifest.schema.PLACEMENT`), uint8 (height, width).

    ``pixels(field, blob)`` reads its ``mask`` and ``foreground`` pictures as uint8 (H, W).
    Raises :class:`~adabldm.placement.transform.PlacementFault` for a recipe that cannot be carried
    out.
    """
    parts = [
        (
            pixels("mask", part["mask"]),
            transform.Placement(
                angle=part["angle"], scale=part["scale"], top=part["top"], left=part["left"]
            ),
        )
        for part in (recipe, *(recipe.get("more") or ()))
    ]
    inside = recipe.get("foreground") and pixels("foreground", recipe["foreground"])
    return trimap.compose(transform.render_all(parts, height, width), inside)
