"""The pairs of a page, for its script: columns of short values, one entry a pair."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from adabldm.judging.limits import AT_LEAST, AT_MOST
from cluster.output.paths import ASKED_MASK, REFINED_MASK, extra_key, image_key, mask_key
from cluster.output.schema import OK, REJECTED
from jobs.report.pair import ASKED, BLENDED, GOOD, PICTURES, RESULT, TRIMAP, Pair

FIGURES = (*AT_LEAST, *AT_MOST, "contrast", "tone", "background_change")
"""Those that a page shows of each pair; the index has all."""
DIGITS = 4
_EXTRAS = {GOOD: "source", TRIMAP: "trimap", BLENDED: "blended"}


def usual(pair: Pair, name: str) -> tuple[str, ...]:
    """The paths at which the picture ``name`` of a pair may be by the output's own rules; the
    page's script knows them too, so that no path needs to be in the page."""
    item, defect, request_id = pair.object, pair.defect, pair.request_id
    if name == RESULT:
        ok = pair.status == OK
        return (image_key(item, defect, request_id) if ok else extra_key(request_id, REJECTED),)
    if name in _EXTRAS:
        return (extra_key(request_id, _EXTRAS[name]),)
    other = ASKED_MASK if name == ASKED else REFINED_MASK
    return extra_key(request_id, other), mask_key(item, defect, request_id)


def columns(pairs: Sequence[Pair], tiles: Mapping[str, int]) -> dict[str, Any]:
    """``tiles`` are the numbers of tiles by request id. Of each picture there are two bits: 0 it is
    not there, 1 and 2 it is at the first and the second usual path, 3 ``paths`` has it."""
    objects, defects, statuses, prompts = _Words(), _Words(), _Words(), _Words()
    figures = [name for name in FIGURES if any(name in pair.figures for pair in pairs)]
    paths: dict[int, dict[str, str]] = {}
    return {
        "id": [pair.request_id for pair in pairs],
        "object": [objects.number(pair.object) for pair in pairs],
        "defect": [defects.number(pair.defect) for pair in pairs],
        "status": [statuses.number(pair.status) for pair in pairs],
        "prompt": [prompts.number(pair.prompt) for pair in pairs],
        "seed": [pair.seed for pair in pairs],
        "reason": {at: pair.reason for at, pair in enumerate(pairs) if pair.reason},
        "tile": [tiles.get(pair.request_id, -1) for pair in pairs],
        "pictures": [_bits(at, pair, paths) for at, pair in enumerate(pairs)],
        "paths": paths,
        "figures": {name: [_short(pair.figures.get(name)) for pair in pairs] for name in figures},
        "words": {
            "object": objects.words,
            "defect": defects.words,
            "status": statuses.words,
            "prompt": prompts.words,
        },
    }


def _bits(at: int, pair: Pair, paths: dict[int, dict[str, str]]) -> int:
    bits = 0
    for place, name in enumerate(PICTURES):
        path = pair.pictures.get(name)
        if path is None:
            continue
        known = usual(pair, name)
        code = known.index(path) + 1 if path in known else 3
        bits |= code << (2 * place)
        if code == 3:
            paths.setdefault(at, {})[name] = path
    return bits


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{DIGITS}g}")


class _Words:
    """Texts that come again and again, numbered."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, word: str) -> int:
        return self._numbers.setdefault(word, len(self._numbers))

    @property
    def words(self) -> list[str]:
        return list(self._numbers)


def script_json(content: Any) -> str:
    """JSON that stays what it is inside a page's ``<script>``."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def link(segments: Iterable[str]) -> str:
    """A relative URL of a path's segments."""
    return "/".join(quote(segment, safe="") for segment in segments)
