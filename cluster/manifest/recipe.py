"""The trimap that a manifest's ``placement`` stands for, drawn in one way for all who need it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from adabldm.core import trimap
from adabldm.placement import transform
from cluster.manifest.schema import Blob, Recipe, SetDown
from cluster.storage.hashing import sha256

PLACEMENT_FIELDS = ("angle", "scale", "top", "left")


def recipe_sha256(recipe: Recipe, shas: Sequence[str]) -> str:
    """SHA-256 of ``recipe`` with those of its files: the masks' in order, then the foreground's if
    it has one."""
    set_down: list[SetDown] = [recipe, *(recipe.get("more") or ())]
    parts: list[dict[str, Any]] = [
        {**{name: part[name] for name in PLACEMENT_FIELDS}, "mask": sha}  # type: ignore[literal-required]
        for part, sha in zip(set_down, shas, strict=False)
    ]
    content = {**parts[0], "foreground": shas[-1] if recipe.get("foreground") else None}
    return digest(content | ({"more": parts[1:]} if parts[1:] else {}))


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a request is made of."""
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


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
