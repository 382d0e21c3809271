"""A file a kind of input: it makes one, takes it through its doors, and says what must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.fuzz.case import Case
from tests.fuzz.doors import commands, layouts, manifests, masks, models, outputs, pictures, specs


@dataclass(frozen=True)
class Kind:
    """How many of ten thousand inputs are of this kind, and what is done with one."""

    share: int
    run: Callable[[Case], None]


KINDS: Mapping[str, Kind] = {
    "pictures": Kind(5000, pictures.run),
    "masks": Kind(3000, masks.run),
    "manifests": Kind(900, manifests.run),
    "layouts": Kind(900, layouts.run),
    "models": Kind(60, models.run),
    "specs": Kind(100, specs.run),
    "outputs": Kind(20, outputs.run),
    "commands": Kind(20, commands.run),
}
