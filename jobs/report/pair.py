"""A row of the index, as the report tells of it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cluster.output.paths import ASKED_MASK, REFINED_MASK
from cluster.output.schema import OK, REJECTED

GOOD, RESULT, ASKED, REFINED, TRIMAP, BLENDED = (
    "good", "result", "asked", "refined", "trimap", "blended",
)  # fmt: skip
PICTURES = (GOOD, RESULT, ASKED, REFINED, TRIMAP, BLENDED)
"""What may be there of a pair, in the order in which it is offered."""

COLUMNS = (
    *("request_id", "object", "defect", "status", "reason", "image", "mask", "extras"),
    *("prompt", "seed", "quality", "seconds", "made_by", "made_at"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """``pictures`` are paths inside the output by their names in :data:`PICTURES`; ``figures`` are
    finite."""

    request_id: str
    object: str
    defect: str
    status: str
    reason: str
    prompt: str
    seed: str
    pictures: Mapping[str, str]
    figures: Mapping[str, float]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Pair:
        """Of a row whose columns may be null or lacking."""
        seed = row.get("seed")
        return cls(
            request_id=str(row["request_id"]),
            object=str(row["object"]),
            defect=str(row["defect"]),
            status=str(row["status"]),
            reason=row.get("reason") or "",
            prompt=row.get("prompt") or "",
            seed="" if seed is None else str(seed),
            pictures=_pictures(row),
            figures=finite(row.get("quality")),
        )

    @property
    def mask(self) -> str | None:
        """The path of the mask asked for, or else of what changed."""
        return self.pictures.get(ASKED) or self.pictures.get(REFINED)

    @property
    def rank(self) -> bytes:
        """Pairs are drawn evenly by this."""
        return hashlib.sha256(self.request_id.encode()).digest()


def finite(pairs: Any) -> dict[str, float]:
    """The finite ones of a map's pairs."""
    found = dict(pairs or ())
    return {name: v for name, v in found.items() if v is not None and math.isfinite(v)}


def _pictures(row: Mapping[str, Any]) -> dict[str, str]:
    extras = {extra["name"]: extra["path"] for extra in row.get("extras") or ()}
    published = row.get("mask") if row["status"] == OK else None
    asked, refined = extras.get(ASKED_MASK), extras.get(REFINED_MASK)
    if asked:
        refined = refined or published
    else:
        asked = published
    found = {
        GOOD: extras.get("source"),
        RESULT: row.get("image") or extras.get(REJECTED),
        ASKED: asked,
        REFINED: refined,
        TRIMAP: extras.get("trimap"),
        BLENDED: extras.get("blended"),
    }
    return {name: path for name, path in found.items() if path}
