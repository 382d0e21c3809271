"""The pictures that the embedded model is trained on.

Real magnetic tiles (MVTec layout, with ``index.csv`` naming each photograph's ``tile_group``) and
drawn brushed metal. Few-shot: at most ``SHOTS`` real defect images a type, whole tile groups;
the other defect images and all of ``test/good`` are never seen in training.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import fsspec
import numpy as np

from adabldm import dataset, images, pasting, placement, surfaces, trimap

SHOTS = 10
OBJECT_NOUNS = ("magnetic tile", "mt_dev", "tile", "metal surface", "surface", "part", "texture")


@dataclass(frozen=True, kw_only=True)
class RealDefect:
    defect: str
    image: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """uint8 pictures at the model's size: good, unseen good, and the few real defects."""

    good: list[np.ndarray]
    unseen: list[np.ndarray]
    defects: list[RealDefect]
    few_shot: list[str]


def tile_groups(folder: dataset.ObjectFolder) -> dict[str, str]:
    """The tile that a photograph shows, by the photograph's path below the object's folder."""
    root = Path(folder.good[0].removeprefix("file://")).parents[2]
    with (root / "index.csv").open() as lines:
        return {f"{row['sub']}/{row['file']}": row["tile_group"] for row in csv.DictReader(lines)}


def group_of(groups: dict[str, str], uri: str) -> str:
    """The tile of the photograph at ``uri``."""
    return groups["/".join(PurePosixPath(uri).parts[-3:])]


def few_shot_split(folder: dataset.ObjectFolder, shots: int) -> list[dataset.DefectImage]:
    """At most ``shots`` defect images a type, filled group by group in the order of the index."""
    groups = tile_groups(folder)
    by_type: dict[str, dict[str, list[dataset.DefectImage]]] = defaultdict(dict)
    for item in folder.defects:
        key = group_of(groups, item.image)
        by_type[item.defect].setdefault(key, []).append(item)
    chosen: list[dataset.DefectImage] = []
    for tiles in by_type.values():
        # One picture of every tile in turn, half of the tiles, so that the rest stays unseen.
        kept = [tiles[key] for key in sorted(tiles, key=int)][: (len(tiles) + 1) // 2]
        rounds = [g[i] for i in range(max(map(len, kept))) for g in kept if i < len(g)]
        chosen.extend(rounds[:shots])
    return chosen


def unseen_good(folder: dataset.ObjectFolder, few: list[dataset.DefectImage]) -> list[str]:
    """URIs of ``test/good`` whose tile is in no training picture, good or defective."""
    groups = tile_groups(folder)
    seen = {group_of(groups, uri) for uri in folder.good}
    seen |= {group_of(groups, item.image) for item in few}
    return [uri for uri in folder.test_good if group_of(groups, uri) not in seen]


def _load(uri: str, size: int) -> np.ndarray:
    with fsspec.open(uri) as handle:
        return images.resize(images.decode(handle.read()), size, size)


def _load_mask(uri: str, size: int) -> np.ndarray:
    with fsspec.open(uri) as handle:
        mask = images.decode(handle.read(), "L")
    small = trimap.resize(trimap.compose(mask), size, size)
    return (small == trimap.DEFECT).astype(np.uint8) * 255


def read_training_set(root: str, size: int, shots: int = SHOTS) -> TrainingSet:
    (folder,) = dataset.read_mvtec(root)
    few = few_shot_split(folder, shots)
    return TrainingSet(
        good=[_load(uri, size) for uri in folder.good],
        unseen=[_load(uri, size) for uri in unseen_good(folder, few)],
        defects=[
            RealDefect(
                defect=item.defect, image=_load(item.image, size), mask=_load_mask(item.mask, size)
            )
            for item in few
        ],
        few_shot=[str(PurePosixPath(item.image)).split("/test/")[1] for item in few],
    )


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A training example: uint8 image (H, W, 3), trimap (H, W), its prompt and its defect type
    (None: a good image)."""

    image: np.ndarray
    trimap: np.ndarray
    prompt: str
    defect: str | None


def _noun(rng: np.random.Generator) -> str:
    if rng.random() < 0.5:
        return OBJECT_NOUNS[0]
    if rng.random() < 0.8:
        return str(rng.choice(OBJECT_NOUNS))
    return "".join(rng.choice(list("abcdefghijklmnoprstuvw"), size=int(rng.integers(3, 9))))


def _prompt(rng: np.random.Generator, defect: str | None) -> str:
    noun = _noun(rng)
    if defect is None:
        return str(rng.choice([f"a {noun}", f"a good {noun}", f"a flawless {noun}"]))
    return str(
        rng.choice([f"a {noun} with a {defect}", f"a {noun} with {defect}", f"{defect}"],
                   p=[0.7, 0.2, 0.1])
    )  # fmt: skip


def _flip(rng: np.random.Generator, *arrays: np.ndarray) -> list[np.ndarray]:
    turned = list(arrays)
    if rng.random() < 0.5:
        turned = [a[:, ::-1] for a in turned]
    if rng.random() < 0.5:
        turned = [a[::-1] for a in turned]
    return [np.ascontiguousarray(a) for a in turned]


def draw_pair(data: TrainingSet, seed: int, index: int, size: int) -> Pair:
    """Example ``index`` of the endless training stream, a function of (seed, index)."""
    rng = np.random.default_rng([seed, index])
    kind = rng.random()
    if kind < 0.22:
        defect = None if rng.random() < 0.2 else str(rng.choice(surfaces.DEFECTS))
        part = surfaces.draw_part(int(rng.integers(2**31)), size, defect)
        image, mask = part.image, part.mask
    elif kind < 0.32:
        defect = None
        image = data.good[rng.integers(len(data.good))]
        mask = np.zeros((size, size), np.uint8)
    else:
        types = sorted({item.defect for item in data.defects})
        defect = str(rng.choice(types))
        choices = [item for item in data.defects if item.defect == defect]
        item = choices[rng.integers(len(choices))]
        image, mask = item.image, item.mask
        if kind > 0.55:
            good = data.good[rng.integers(len(data.good))]
            anywhere = np.ones((size, size), np.uint8)
            try:
                image, mask = pasting.paste(rng, good, item.image, item.mask, anywhere)
            except placement.PlacementFault:
                image, mask = item.image, item.mask
    image, mask = _flip(rng, image, mask)
    gain = rng.uniform(0.85, 1.15)
    image = np.clip(image * gain, 0, 255).astype(np.uint8)
    return Pair(
        image=image, trimap=trimap.compose(mask), prompt=_prompt(rng, defect), defect=defect
    )


def place_on_unseen(data: TrainingSet, index: int, size: int) -> Pair:
    """An unseen good image with the trimap of a real defect placed on it, to sample from."""
    rng = np.random.default_rng([99, index])
    item = data.defects[int(rng.integers(len(data.defects)))]
    image = data.unseen[int(rng.integers(len(data.unseen)))]
    where = placement.place(rng, item.mask, np.ones((size, size), np.uint8))
    mask = placement.render(item.mask, where, size, size)
    return Pair(
        image=image,
        trimap=trimap.compose(mask),
        prompt=f"a {OBJECT_NOUNS[0]} with a {item.defect}",
        defect=item.defect,
    )
