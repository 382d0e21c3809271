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


def parts_of(recipe: Recipe) -> list[SetDown]:
    """All defects that are set down, the main one first."""
    return [recipe, *(recipe.get("more") or ())]


def recipe_sha256(recipe: Recipe, shas: Sequence[str], looks: Sequence[str | None]) -> str:
    """SHA-256 of ``recipe`` with those of its files: the masks' in order, then the foreground's if
    it has one; ``looks`` are those of its defects' looks, None for one without."""
    parts = [
        part_content({name: part[name] for name in PLACEMENT_FIELDS}, sha, look)  # type: ignore[literal-required]
        for part, sha, look in zip(parts_of(recipe), shas, looks, strict=False)
    ]
    content = {**parts[0], "foreground": shas[-1] if recipe.get("foreground") else None}
    return digest(content | ({"more": parts[1:]} if parts[1:] else {}))


def part_content(where: Mapping[str, Any], mask: str, look: str | None) -> dict[str, Any]:
    """What one placed defect is made of: its place, and the SHA-256 of its mask and its look."""
    return {**where, "mask": mask} | ({"look": look} if look else {})


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a request is made of."""
    return sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode())


def placement_of(part: SetDown) -> transform.Placement:
    """Where one defect is set down."""
    return transform.Placement(
        angle=part["angle"], scale=part["scale"], top=part["top"], left=part["left"]
    )


def placed_trimap(
    recipe: Recipe, pixels: Callable[[str, Blob], np.ndarray], height: int, width: int
) -> np.ndarray:
    """The trimap of ``recipe`` (:data:`cluster.manifest.schema.PLACEMENT`), uint8 (height, width).

    ``pixels(field, blob)`` reads its ``mask`` and ``foreground`` pictures as uint8 (H, W).
    Raises :class:`~adabldm.placement.transform.PlacementFault` for a recipe that cannot be carried
    out.
    """
    parts = [(pixels("mask", part["mask"]), placement_of(part)) for part in parts_of(recipe)]
    foreground = recipe.get("foreground")
    inside = foreground and pixels("foreground", foreground)
    return trimap.compose(transform.render_all(parts, height, width), inside)
