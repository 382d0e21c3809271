"""COCO's run lengths of a mask, as text (the format of pycocotools' ``rleToString``)."""

from __future__ import annotations

import numpy as np

BITS, SIGN, MORE, FIRST = 5, 0x10, 0x20, 48
"""Five bits a letter, of which the highest of the last is the sign; a bit says that more follow."""


def run_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of the runs of bool (H, W) down its columns, the first of unmarked pixels."""
    flat = mask.ravel(order="F")
    ends = np.flatnonzero(np.diff(flat)) + 1
    lengths = np.diff(np.concatenate([[0], ends, [len(flat)]])).tolist()
    return [0, *lengths] if flat[0] else lengths


def encode(lengths: list[int]) -> str:
    """The text: each length but the first three less the one before the last."""
    letters: list[str] = []
    for place, length in enumerate(lengths):
        rest = length - lengths[place - 2] if place > 2 else length
        more = True
        while more:
            low = rest & (MORE - 1)
            rest >>= BITS
            more = rest != -1 if low & SIGN else rest != 0
            letters.append(chr(FIRST + low + (MORE if more else 0)))
    return "".join(letters)
