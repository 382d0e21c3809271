"""Whether places like the few real defects' own foretell where others lie:
``python -m jobs.bench.real_places DATA``.

For each type: whether further ones are planned at the same places of the object; the mean rank of
the held-out real defects' places among other places of the same pictures, 50 being chance, by the
looks of the few's. For turned parts, with ``--parts``, also the share of the held-out and of
planned defects that lie on the part where most held-out ones do.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.core.random_streams import RowStreams
from adabldm.data.opening import open_dataset
from adabldm.data.options import SHOTS, DatasetOptions
from adabldm.foreground.object_masks import ObjectMasks
from adabldm.foreground.predictor import evenly
from adabldm.planning.place_maps import PlaceMaps
from adabldm.planning.planner import PLACED, PlannedObject, Planner, Variety

GOODS = 30
"""Good pictures that defects are planned on."""
ROWS = 200
"""Planned defects a type."""
END = 0.15
"""Of an object's length, the parts at its two ends whose widths are compared."""


class NoFiles:
    """A plan that keeps no pictures."""

    def put(self, data: bytes, suffix: str) -> str:  # noqa: ARG002
        return f"none{suffix}"


def along(inside: np.ndarray, row: float, column: float) -> float:
    """Where a place is along the object bool (H, W): 0 at its wide end, 1 at the other."""
    places = np.argwhere(inside).astype(np.float64)
    centre = places.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((places - centre).T))
    length, width = (places - centre) @ axes[:, 1], (places - centre) @ axes[:, 0]
    low, high = length.min(), length.max()
    near = np.abs(width[length < low + END * (high - low)]).max()
    far = np.abs(width[length > high - END * (high - low)]).max()
    share = float((((row, column) - centre) @ axes[:, 1] - low) / (high - low))
    return share if near >= far else 1 - share


def parts_of(text: str) -> list[tuple[str, float]]:
    """``head=0.18,neck=0.48,thread=0.9,tip=1``: names and where along the object they end."""
    pairs = [part.split("=") for part in text.split(",") if part]
    return [(name, float(end)) for name, end in pairs]


def part_at(parts: list[tuple[str, float]], place: float) -> str:
    """The part that a place of :func:`along` is on."""
    return next((name for name, end in parts if place <= end), parts[-1][0])


def ranks(maps: PlaceMaps) -> dict[str, list[float]]:
    """By type, the rank 0..1 of each held-out real place among the others of its picture."""
    likeness = maps.likeness
    found: dict[str, list[float]] = {name: [] for name in likeness.types}
    for site in maps.sites(likeness.frame, held_out=True):
        if site.defect not in found or not len(site.others):
            continue
        direction = likeness.directions[likeness.types.index(site.defect)]
        real, others = site.real @ direction, site.others @ direction
        found[site.defect].append(float(np.mean(real > others) + np.mean(real == others) / 2))
    return found


def part_of_real(item: DefectImage, masks: ObjectMasks, parts: list[tuple[str, float]]) -> str:
    """The part that a real defect's middle is on."""
    picture, mask = read_picture(item.image), read_defect_mask(item.mask, item.mask_rule) > 0
    inside = (masks.predictor.mask(picture) > 0) | mask
    return part_at(parts, along(inside, *np.argwhere(mask).mean(axis=0)))


def planned_parts(
    folder: ObjectFolder, maps: PlaceMaps | None, parts: list[tuple[str, float]], rows: int
) -> dict[str, Counter[str]]:
    """By type, how many of ``rows`` planned defects' middles are on each part."""
    item = PlannedObject(folder, "", Variety(), RowStreams(0), NoFiles(), maps)
    numbers = np.arange(rows * len(folder.defect_types), dtype=np.uint64)
    block = Planner([item], 0, Variety()).block(numbers)
    found: dict[str, Counter[str]] = {name: Counter() for name in folder.defect_types}
    insides: dict[int, np.ndarray] = {}
    bank, drawn = item.placer.bank, block.defects[0]
    for row in np.flatnonzero(block.outcome == PLACED).tolist():
        good = int(block.good[row])
        packed = item.goods[good].foreground
        if good not in insides:
            insides[good] = (
                np.ones(item.goods[good].shape, bool) if packed is None else packed.unpack() > 0
            )
        same = (bank.mask == drawn.mask[row]) & (bank.angle == drawn.angle[row])
        size = bank.size[np.flatnonzero(same & (bank.scale == drawn.scale[row]))[0]]
        middle = drawn.top[row] + size[0] / 2, drawn.left[row] + size[1] / 2
        place = along(insides[good], *middle)
        found[item.types[int(block.pair[row])]][part_at(parts, place)] += 1
    return found


def _shares(
    folder: ObjectFolder, maps: PlaceMaps, parts: list[tuple[str, float]]
) -> dict[str, list[str]]:
    """By type: the part of most held-out defects, and the shares of these and of planned ones."""
    plans = [planned_parts(folder, some, parts, ROWS) for some in (None, maps)]
    found: dict[str, list[str]] = {}
    for name in folder.defect_types:
        real = Counter(
            part_of_real(one, maps.masks, parts) for one in folder.held_out if one.defect == name
        )
        if not real:
            continue
        part = real.most_common(1)[0][0]
        counts = [real, *(plan[name] for plan in plans)]
        found[name] = [part, *(f"{some[part] / max(1, some.total()):.0%}" for some in counts)]
    return found


def main(
    data: Annotated[Path, typer.Argument(help="A data set, any layout.")],
    parts: Annotated[str, typer.Option(help="Parts along the object: NAME=END,...")] = "",
    shots: Annotated[int, typer.Option(help="Real defects a type to learn from.")] = SHOTS,
    threads: int = 1,
) -> None:
    """Print a line a type."""
    torch.set_num_threads(threads)
    names = (
        "type", "few", "same place", "sharpness", "held out", "rank", "part", "real", "anywhere",
        "like",
    )  # fmt: skip
    table = Table(*names)
    for folder in open_dataset(str(data), DatasetOptions(shots=shots), tell=lambda _: None):
        if not folder.defects:
            continue
        few = replace(folder, good=tuple(evenly(folder.good, GOODS)))
        maps = PlaceMaps(few, ObjectMasks(few))
        shares = _shares(few, maps, parts_of(parts)) if parts else {}
        for name, found in ranks(maps).items():
            count = sum(item.defect == name for item in few.defects)
            sharpness = maps.likeness.sharpness[maps.likeness.types.index(name)]
            table.add_row(
                f"{folder.name}, {name}",
                str(count),
                "yes" if name in maps.on_the_object else "no",
                f"{sharpness:g}",
                str(len(found)),
                f"{100 * np.mean(found):.0f}" if found else "",
                *shares.get(name, ["", "", "", ""]),
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
