"""What a request is on its way from the manifest to the index, typed once.

A :class:`Request` is what the manifest asks for, :class:`Work` is what a worker gets of it, and a
:class:`Fact` is what the worker tells of it. A column has one name in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypedDict

import pyarrow as pa

from adabldm.core.redaction import redacted
from cluster.manifest.reader import Row
from cluster.manifest.recipe import parts_of
from cluster.manifest.request_checks import Fingerprints
from cluster.manifest.schema import SCHEMA, Blob, Recipe, SetDown
from cluster.models.row_models import RowModel
from cluster.output import schema
from cluster.output.paths import ASKED_MASK, REFINED_MASK
from cluster.output.schema import INDEX
from cluster.storage.location import Location

Status = Literal[
    "ok",
    "rejected",
    "failed",
    "unloadable",
    "unstarted",
    "unread",
    "unstored",
    "no room",
    "again",
    "hung",
]
OK: Status = schema.OK
REJECTED: Status = schema.REJECTED
FAILED: Status = schema.FAILED
UNLOADABLE: Status = "unloadable"
UNSTARTED: Status = "unstarted"
UNREAD: Status = "unread"
UNSTORED: Status = "unstored"
NO_ROOM: Status = "no room"
AGAIN: Status = "again"
HUNG: Status = "hung"
FINAL = (OK, REJECTED, FAILED)
"""What a request's row may say. The others tell of what may not be the request's own
(:mod:`cluster.generate.troubles`): its model was not loaded, or not in time, its pictures not read,
its files not stored, it found no memory; or its worker had to leave it, or was in a call that took
too long."""

OVER_TIME = "(--time-limit)"
"""What the reason of a request that hung ends with."""
CANARY = "/canary"
"""The id of a drawn request of no account; no other can have it."""
EXTRAS = ("source", "trimap", "blended")
"""Pictures that may be kept besides a pair."""
KEPT = (*EXTRAS, REJECTED)
"""What ``--keep`` may name: these, and what the judge has rejected."""
ALL_EXTRAS = (*KEPT, ASKED_MASK, REFINED_MASK)

WORK = pa.schema(
    [
        *(field for field in SCHEMA if field.name != "top_up"),
        INDEX.field("model_fingerprint"),
        pa.field("branch", pa.string()),
        pa.field("branch_fingerprint", pa.string()),
        INDEX.field("source_sha256"),
        INDEX.field("trimap_sha256"),
    ]
)
FACTS = pa.schema(
    [
        *(INDEX.field(name) for name in ("request_id", "status", "reason", "image", "mask")),
        *(INDEX.field(name) for name in ("image_sha256", "mask_sha256", "extras")),
        *(INDEX.field(name) for name in ("quality", "seconds", "made_by", "made_at")),
        pa.field("own", pa.bool_()),
        pa.field("node", pa.string()),
    ]
)
_OF_THE_WAY = ("own", "node")
"""Fields of a fact that have no place in the index."""

_KNOWN = frozenset(SCHEMA.names)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A checked row of the manifest, its pictures apart: they are in its :class:`Work`.

    ``model`` is as the row says it, None for the job's; ``top_up`` as in the manifest's schema;
    ``riding`` are the further columns.
    """

    request_id: str
    object: str
    defect: str
    prompt: str
    negative_prompt: str
    seed: int
    model: str | None
    top_up: int | None = None
    riding: Row = field(default_factory=dict)

    @classmethod
    def of(cls, row: Row) -> Request:
        """The request of a row that was checked."""
        return cls(
            request_id=row["request_id"],
            object=row["object"],
            defect=row["defect"],
            prompt=row["prompt"],
            negative_prompt=row.get("negative_prompt") or "",
            seed=row["seed"],
            model=row.get("model") or None,
            top_up=row.get("top_up"),
            riding={name: value for name, value in row.items() if name not in _KNOWN},
        )


@dataclass(frozen=True, kw_only=True)
class Work:
    """A row of :data:`WORK`: all that a worker needs to make a request. Paths are URIs.

    ``model`` is a whole model's URI; ``branch``, the URI of a branch's folder, is None where the
    whole model makes the request; ``source_sha256`` is of the good image's file as it was checked,
    ``trimap_sha256`` of the trimap's, or of the recipe with its masks (empty: any).
    """

    request_id: str
    object: str
    defect: str
    image: Blob
    trimap: Blob | None
    placement: Recipe | None
    prompt: str
    negative_prompt: str
    seed: int
    model: str
    model_fingerprint: str
    branch: str | None
    branch_fingerprint: str | None
    source_sha256: str
    trimap_sha256: str = ""

    @classmethod
    def of(
        cls,
        row: Row,
        model: RowModel,
        source_sha256: str,
        resolve: Callable[[str], Location],
        trimap_sha256: str = "",
    ) -> Work:
        """The work of a row that was checked, whose paths ``resolve`` finds."""
        request, given, recipe = Request.of(row), row.get("trimap"), row.get("placement")
        return cls(
            request_id=request.request_id,
            object=request.object,
            defect=request.defect,
            image=_absolute(row["image"], resolve),
            trimap=given and _absolute(given, resolve),
            placement=recipe and _absolute_recipe(recipe, resolve),
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            seed=request.seed,
            model=model.model,
            model_fingerprint=model.model_fingerprint,
            branch=model.branch,
            branch_fingerprint=model.branch_fingerprint,
            source_sha256=source_sha256,
            trimap_sha256=trimap_sha256,
        )

    @property
    def inline_bytes(self) -> int:
        """Bytes of the pictures that are in the row itself."""
        return sum(len(picture["bytes"] or b"") for _, picture in self.pictures())

    def pictures(self) -> list[tuple[str, Blob]]:
        """Field and content of each picture that it is made of."""
        found: list[tuple[str, Blob | None]] = [("image", self.image), ("trimap", self.trimap)]
        if self.placement is not None:
            found.append(("foreground", self.placement["foreground"]))
            for part in parts_of(self.placement):
                found += [("mask", part["mask"]), ("look", part["look"])]
        return [(field, picture) for field, picture in found if picture]


class Extra(TypedDict):
    """A picture that is kept besides the pair; ``path`` is inside the output."""

    name: str
    path: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A row of :data:`FACTS`: what became of a request. Paths are inside the output; ``quality``
    and ``seconds`` are pairs of a name and a figure; the index says of ``made_by`` and ``made_at``
    what they are. A failure that is certainly the request's ``own`` lies in what it was made of;
    ``node`` is where it was made."""

    request_id: str
    status: Status
    reason: str | None = None
    image: str | None = None
    mask: str | None = None
    image_sha256: str | None = None
    mask_sha256: str | None = None
    extras: list[Extra] | None = None
    quality: list[tuple[str, float]] | None = None
    seconds: list[tuple[str, float]] | None = None
    made_by: str | None = None
    made_at: datetime | None = None
    own: bool = False
    node: str | None = None


def work_table(works: Iterable[Work]) -> pa.Table:
    """A table of :data:`WORK`."""
    return pa.Table.from_pylist([vars(work) for work in works], schema=WORK)


def works_of(table: pa.Table) -> list[Work]:
    """The rows of a table of :data:`WORK`."""
    return [Work(**row) for row in table.to_pylist()]


def fact_table(facts: Iterable[Fact]) -> pa.Table:
    """A table of :data:`FACTS`."""
    return pa.Table.from_pylist([vars(fact) for fact in facts], schema=FACTS)


def facts_of(table: pa.Table) -> list[Fact]:
    """The rows of a table of :data:`FACTS`."""
    return [Fact(**row) for row in table.to_pylist()]


def index_row(
    request: Request, prints: Fingerprints, fact: Fact, *, model: str, config_fingerprint: str
) -> Row:
    """The request's row of the index, further columns included; ``model`` is the job's."""
    return {
        **request.riding,
        "object": request.object,
        "defect": request.defect,
        "seed": request.seed,
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "model": request.model or model,
        "top_up": request.top_up,
        "request_fingerprint": prints.request,
        "source_sha256": prints.source,
        "trimap_sha256": prints.trimap,
        "model_fingerprint": prints.model,
        "config_fingerprint": config_fingerprint,
        **{name: value for name, value in vars(fact).items() if name not in _OF_THE_WAY},
        "reason": None if fact.reason is None else redacted(fact.reason),
    }


def _absolute(blob: Row, resolve: Callable[[str], Location]) -> Blob:
    if blob.get("path") is None or blob.get("bytes") is not None:
        return {"bytes": blob.get("bytes"), "path": None}
    return {"bytes": None, "path": resolve(blob["path"]).uri}


def _absolute_recipe(recipe: Row, resolve: Callable[[str], Location]) -> Recipe:
    foreground = recipe.get("foreground")
    more = [_set_down(part, resolve) for part in recipe.get("more") or ()]
    return {
        **_set_down(recipe, resolve),
        "foreground": foreground and _absolute(foreground, resolve),
        "more": more or None,
    }


def _set_down(part: Row, resolve: Callable[[str], Location]) -> SetDown:
    look = part.get("look")
    return {
        "mask": _absolute(part["mask"], resolve),
        "angle": part["angle"],
        "scale": part["scale"],
        "top": part["top"],
        "left": part["left"],
        "look": look and _absolute(look, resolve),
    }
