"""A sheet to be judged by eye: real, generated and pasted defects in an order that only a key
file knows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase

import numpy as np
from PIL import Image

from jobs.embedded_model.defect_crops import Sample, window
from jobs.sheets.picture_grid import Group, PictureGrid

ROWS = 14
SIDE = 180


@dataclass(frozen=True, kw_only=True)
class BlindRow:
    """Samples of one defect type by kind, in the order in which they are shown."""

    defect: str
    shown: tuple[tuple[str, Sample], ...]


def _specimens_first(samples: Sequence[Sample], rng: np.random.Generator) -> list[Sample]:
    """Shuffled; a specimen comes again only after all others."""
    shuffled = [samples[i] for i in rng.permutation(len(samples))]
    seen: Counter[str] = Counter()
    turns = []
    for sample in shuffled:
        turns.append(seen[sample.group])
        seen[sample.group] += 1
    return [shuffled[i] for i in np.argsort(turns, kind="stable")]


def _decks(
    kinds: Mapping[str, Sequence[Sample]], rng: np.random.Generator
) -> dict[str, dict[str, list[Sample]]]:
    """By type and kind, the samples in the order in which they are taken."""
    decks: dict[str, dict[str, list[Sample]]] = {}
    for defect in sorted({sample.defect for samples in kinds.values() for sample in samples}):
        deck: dict[str, list[Sample]] = {}
        dealt: set[str] = set()
        for kind, samples in kinds.items():
            found = _specimens_first([s for s in samples if s.defect == defect], rng)
            found.sort(key=lambda sample: sample.group in dealt)
            dealt |= {sample.group for sample in found[:ROWS]}
            deck[kind] = found
        if all(deck.values()):
            decks[defect] = deck
    return decks


def choose_rows(kinds: Mapping[str, Sequence[Sample]], *, seed: int = 0) -> list[BlindRow]:
    """At most :data:`ROWS` rows of one sample of each kind, none of them twice; types take turns.

    Kinds that answer the same request (samples of one group) take different ones, as long as
    there are others: what is seen twice would tell the kinds apart.
    """
    rng = np.random.default_rng(seed)
    decks = _decks(kinds, rng)
    rows: list[BlindRow] = []
    most = {name: min(map(len, deck.values())) for name, deck in decks.items()}
    for turn in range(max(most.values(), default=0)):
        for defect, deck in decks.items():
            if turn < most[defect] and len(rows) < ROWS:
                row = [(kind, samples[turn]) for kind, samples in deck.items()]
                shown = tuple(row[i] for i in rng.permutation(len(row)))
                rows.append(BlindRow(defect=defect, shown=shown))
    return rows


def grid(rows: Sequence[BlindRow]) -> PictureGrid:
    """Of each sample the surroundings of its defect, enlarged, and the whole; a row's samples are
    called ``1a``, ``1b`` ..."""
    groups = [
        Group(pictures=(sample.image[window(sample.mask)], sample.image), label=f"{number}{letter}")
        for number, row in enumerate(rows, start=1)
        for letter, (_, sample) in zip(ascii_lowercase, row.shown, strict=False)
    ]
    return PictureGrid(groups=groups, side=SIDE, across=len(rows[0].shown))


def draw(rows: Sequence[BlindRow]) -> Image.Image:
    """The sheet of :func:`grid`."""
    return grid(rows).draw()


def key(rows: Sequence[BlindRow]) -> str:
    """JSON: of each row its type, and what is shown from left to right."""
    content = [
        {
            "row": number,
            "defect": row.defect,
            "left_to_right": [
                {"kind": kind, "source": sample.source} for kind, sample in row.shown
            ],
        }
        for number, row in enumerate(rows, start=1)
    ]
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def save(folder: Path, name: str, kinds: Mapping[str, Sequence[Sample]]) -> bool:
    """Write ``<name>.png`` and ``<name>_key.json``; False if no type is there in every kind."""
    rows = choose_rows(kinds)
    if not rows:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    draw(rows).save(folder / f"{name}.png")
    (folder / f"{name}_key.json").write_text(key(rows), encoding="utf-8")
    return True
