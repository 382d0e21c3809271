"""One row of a manifest, checked and ready to be worked on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from adabldm.core.names import defect_fault, name_fault, object_fault
from adabldm.placement import transform
from adabldm.placement.looks import LookFault, check_size
from cluster.manifest.picture_checks import (
    Looked,
    MaskFacts,
    PictureChecks,
    PictureFacts,
    PictureFault,
    PictureSource,
)
from cluster.manifest.reader import Manifest, Row
from cluster.manifest.recipe import PLACEMENT_FIELDS, digest, part_content
from cluster.models.row_models import RowModels

T = TypeVar("T")
INT64 = range(-(2**63), 2**63)
TOP_UPS = range(1, 10**9)


class RowFault(NamedTuple):
    """A rule that a row breaks."""

    field: str
    value: object
    rule: str


@dataclass(frozen=True)
class Fingerprints:
    """SHA-256 of what makes a request: all of it, its image's file, its trimap (the file, or the
    recipe), its model."""

    request: str
    source: str
    trimap: str
    model: str


@dataclass(frozen=True)
class CheckedRequest:
    """A request without faults; its good picture is ``height`` x ``width`` pixels large, and
    ``deep`` if it has more than 8 bits a channel."""

    prints: Fingerprints
    height: int
    width: int
    deep: bool = False


class RequestFaults(ValueError):
    """The faults of one row."""

    def __init__(self, faults: list[RowFault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


def fingerprints(row: Row, source: str, trimap: str, model: str) -> Fingerprints:
    """Of ``row``, made of a good image, a trimap and a model with these SHA-256."""
    made_of = {
        "object": row["object"],
        "defect": row["defect"],
        "image": source,
        "trimap": trimap,
        "prompt": row["prompt"],
        "negative_prompt": row.get("negative_prompt") or "",
        "seed": row["seed"],
        "model": model,
    }
    return Fingerprints(digest(made_of), source, trimap, model)


class RequestChecks:
    """Checks rows of ``manifest``, whose models are found by ``models``.

    Safe to share between threads. ``looked`` as in
    :class:`~cluster.manifest.picture_checks.PictureChecks`.
    """

    def __init__(
        self,
        manifest: Manifest,
        models: RowModels,
        looked: Looked | None = None,
    ) -> None:
        self._manifest = manifest
        self.models = models
        self._pictures = PictureChecks(looked)

    def check(self, row: Row) -> Fingerprints:
        """The row's fingerprints. Raises as :meth:`look`."""
        return self.look(row).prints

    def look(self, row: Row) -> CheckedRequest:
        """The row's fingerprints and figures. Raises :class:`RequestFaults` with all that is
        wrong."""
        faults = _plain_faults(row)
        source = self._look(faults, "image", row, self._pictures.image)
        trimap = self._trimap(faults, row, source)
        model = self._model_fingerprint(faults, row)
        if faults or source is None:
            raise RequestFaults(faults)
        prints = fingerprints(row, source.sha256, trimap, model)
        return CheckedRequest(prints, source.height, source.width, source.deep)

    def _picture(self, blob: Any) -> PictureSource:
        if not isinstance(blob, dict):
            raise PictureFault("must be there")
        data, path = blob.get("bytes"), blob.get("path")
        if data is not None:
            return PictureSource(data, None)
        if not path:
            raise PictureFault("must have bytes or a path")
        try:
            return PictureSource(None, self._manifest.resolve(path))
        except ValueError as error:
            raise PictureFault(str(error)) from error

    def _look(
        self, faults: list[RowFault], field: str, holder: Row, look: Callable[[PictureSource], T]
    ) -> T | None:
        blob = holder.get(field.rpartition(".")[2])
        try:
            return look(self._picture(blob))
        except PictureFault as error:
            faults.append(RowFault(field, _shown(blob), str(error)))
            return None

    def _trimap(self, faults: list[RowFault], row: Row, source: PictureFacts | None) -> str:
        """SHA-256 of the trimap's file or recipe."""
        given, recipe = row.get("trimap"), row.get("placement")
        if (given is None) == (recipe is None):
            found = "both" if given is not None else None
            faults.append(
                RowFault("trimap", found, "exactly one of trimap and placement is needed")
            )
            return ""
        if recipe is not None:
            return self._placement(faults, recipe, source)
        facts = self._look(faults, "trimap", row, self._pictures.trimap)
        if facts and source and facts.size != source.size:
            rule = f"must be of the image's size {_sides(source)}"
            faults.append(RowFault("trimap", _sides(facts), rule))
        return facts.sha256 if facts else ""

    def _placement(self, faults: list[RowFault], recipe: Row, source: PictureFacts | None) -> str:
        before = len(faults)
        content = self._set_down(faults, "placement", recipe, source)
        more = [
            self._set_down(faults, f"placement.more[{number}]", part, source)
            for number, part in enumerate(recipe.get("more") or ())
        ]
        foreground = None
        if recipe.get("foreground") is not None:
            foreground = self._look(
                faults, "placement.foreground", recipe, self._pictures.foreground
            )
            if foreground and source and foreground.size != source.size:
                rule = f"must be of the image's size {_sides(source)}"
                faults.append(RowFault("placement.foreground", _sides(foreground), rule))
        if len(faults) > before:
            return ""
        content["foreground"] = foreground and foreground.sha256
        if more:
            content["more"] = more
        return digest(content)

    def _set_down(
        self, faults: list[RowFault], field: str, part: Any, source: PictureFacts | None
    ) -> dict[str, Any]:
        """What one placed defect is made of; nothing where it has faults."""
        if not isinstance(part, dict):
            faults.append(RowFault(field, part, "must be there"))
            return {}
        before = len(faults)
        for name in PLACEMENT_FIELDS:
            value = part.get(name)
            if value is None or not math.isfinite(value):
                faults.append(RowFault(f"{field}.{name}", value, "must be a finite number"))
        mask = self._look(faults, f"{field}.mask", part, self._pictures.mask)
        if len(faults) > before or mask is None or source is None:
            return {}
        look = self._look_of(faults, field, part, mask)
        where = {name: part[name] for name in PLACEMENT_FIELDS}
        largest = max(mask.defect.shape) * where["scale"]
        if where["scale"] <= 0 or largest > 2 * (source.height + source.width):
            rule = "must be above 0 and leave the defect inside the picture"
            faults.append(RowFault(f"{field}.scale", where["scale"], rule))
            return {}
        recipe = transform.Placement(**where)
        try:
            transform.refuse_too_long(mask.defect, recipe, *source.size)
            size = self._pictures.placed_size(mask, recipe)
            transform.refuse_outside(size, recipe, *source.size)
        except transform.PlacementFault as error:
            faults.append(RowFault(field, where, str(error)))
        return part_content(where, mask.sha256, look.sha256 if look else None)

    def _look_of(
        self, faults: list[RowFault], field: str, part: Row, mask: MaskFacts
    ) -> PictureFacts | None:
        """Facts of the look of a placed defect, if it has one."""
        if part.get("look") is None:
            return None
        look = self._look(faults, f"{field}.look", part, self._pictures.image)
        if look is not None:
            try:
                check_size(look.size, mask.size, mask.box)
            except LookFault as fault:
                faults.append(RowFault(f"{field}.look", _sides(look), str(fault)))
        return look

    def _model_fingerprint(self, faults: list[RowFault], row: Row) -> str:
        model = row.get("model")
        try:
            return self.models.of(model).fingerprint
        except ValueError as error:
            faults.append(RowFault("model", model, str(error)))
            return ""


def _plain_faults(row: Row) -> list[RowFault]:
    """Faults of the names, the texts and the numbers."""
    found: list[tuple[str, str | None]] = [
        ("request_id", name_fault(row.get("request_id"))),
        ("object", object_fault(row.get("object"))),
        ("defect", defect_fault(row.get("defect"))),
        ("prompt", None if isinstance(row.get("prompt"), str) else "must be a string"),
    ]
    seed = row.get("seed")
    legal_seed = isinstance(seed, int) and seed in INT64
    found.append(("seed", None if legal_seed else "must be a 64-bit integer"))
    top_up = row.get("top_up")
    legal_top_up = top_up is None or (isinstance(top_up, int) and top_up in TOP_UPS)
    rule = f"must be null, or a whole number in 1..{TOP_UPS[-1]}"
    found.append(("top_up", None if legal_top_up else rule))
    return [RowFault(field, row.get(field), rule) for field, rule in found if rule]


def _sides(facts: PictureFacts) -> str:
    return f"{facts.height} x {facts.width}"


def _shown(blob: Any) -> object:
    if isinstance(blob, dict):
        data = blob.get("bytes")
        return blob.get("path") if data is None else f"<{len(data)} inline bytes>"
    return blob
