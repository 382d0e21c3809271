"""A sheet to be judged by eye: real, generated and pasted defects in an order that only a key
file knows."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jobs.embedded_model.defect_crops import Sample, window
from jobs.sheets.picture_grid import GAP, INK, MARGIN, PAPER, cell

ROWS = 14
CELL = 180
NUMBER = 24
"""Width of the rows' numbers, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Row:
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


def choose_rows(kinds: Mapping[str, Sequence[Sample]], *, seed: int = 0) -> list[Row]:
    """At most :data:`ROWS` rows of one sample of each kind, none of them twice; types take turns.

    Kinds that answer the same request (samples of one group) take different ones, as long as
    there are others: what is seen twice would tell the kinds apart.
    """
    rng = np.random.default_rng(seed)
    decks = _decks(kinds, rng)
    rows: list[Row] = []
    most = {name: min(map(len, deck.values())) for name, deck in decks.items()}
    for turn in range(max(most.values(), default=0)):
        for defect, deck in decks.items():
            if turn < most[defect] and len(rows) < ROWS:
                row = [(kind, samples[turn]) for kind, samples in deck.items()]
                shown = tuple(row[i] for i in rng.permutation(len(row)))
                rows.append(Row(defect=defect, shown=shown))
    return rows


def draw(rows: Sequence[Row]) -> Image.Image:
    """Numbered rows: of each sample the surroundings of its defect, enlarged, and the whole."""
    kinds = max(len(row.shown) for row in rows)
    wide = 2 * CELL + 4
    sheet = Image.new(
        "RGB",
        (2 * MARGIN + NUMBER + kinds * (wide + GAP) - GAP, 2 * MARGIN + len(rows) * (CELL + 8)),
        PAPER,
    )
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for index, row in enumerate(rows):
        top = MARGIN + index * (CELL + 8)
        pen.text((MARGIN, top), str(index + 1), INK, font=font)
        for position, (_, sample) in enumerate(row.shown):
            left = MARGIN + NUMBER + position * (wide + GAP)
            sheet.paste(cell(sample.image[window(sample.mask)], CELL), (left, top))
            sheet.paste(cell(sample.image, CELL), (left + CELL + 4, top))
    return sheet


def key(rows: Sequence[Row]) -> str:
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
