"""The accepted pairs of an output, with the good pictures that they were drawn on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from adabldm.core import images
from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import read_bytes, read_picture, split_fragment
from adabldm.evaluation.pictures import Pair
from cluster.output.index import Ledger
from cluster.output.paths import ASKED_MASK
from cluster.output.schema import OK
from cluster.storage.hashing import sha256
from cluster.storage.location import Location

SOURCE = "source"
COLUMNS = (
    *("request_id", "status", "object", "defect", "image", "mask", "image_sha256", "mask_sha256"),
    *("source_sha256", "extras"),
)


@dataclass(frozen=True, kw_only=True)
class AcceptedPairs:
    """By object the ``pairs``, the hashes of the good pictures that they were drawn on
    (``sources``), and the ``digest`` of what they are."""

    pairs: Mapping[str, tuple[Pair, ...]]
    sources: frozenset[str]
    digest: str


def read_pairs(output: Location, goods: Mapping[str, Mapping[str, str | None]]) -> AcceptedPairs:
    """The accepted pairs of the objects that ``goods`` names: of each its good pictures, with
    their objects' masks.

    Raises :class:`InputFault` naming the output, if it has none.
    """
    ledger = Ledger(output)
    if not ledger.exists:
        raise InputFault.of("--pairs", output.shown, "has no index; `adabldm generate` writes one")
    rows: list[dict[str, Any]] = []
    left: Counter[str] = Counter()
    for batch in ledger.read(COLUMNS):
        for row in batch.to_pylist():
            left[row["status"]] += 1
            if row["status"] == OK:
                rows.append(row)
    if not rows:
        others = ", ".join(f"{n} {status}" for status, n in sorted(left.items())) or "no row"
        raise InputFault.of("--pairs", output.shown, f"has no accepted pair ({others})")
    known = [row for row in rows if row["object"] in goods]
    lacking = sorted(set(goods) - {row["object"] for row in known})
    if lacking:
        there = ", ".join(sorted({row["object"] for row in rows}))
        rule = f"has no accepted pair of {', '.join(lacking)} (its objects are {there})"
        raise InputFault.of("--pairs", output.shown, rule)
    wanted = {row["source_sha256"] for row in known if row["source_sha256"]}
    places = _by_hash(goods, wanted)
    found: dict[str, list[Pair]] = defaultdict(list)
    for row in sorted(known, key=lambda row: row["request_id"]):
        found[row["object"]].append(_pair(output, row, places, goods[row["object"]]))
    told = [[row["request_id"], row["image_sha256"], row["mask_sha256"]] for row in known]
    return AcceptedPairs(
        pairs={name: tuple(some) for name, some in found.items()},
        sources=frozenset(wanted),
        digest=sha256(repr(sorted(told)).encode()),
    )


def _pair(
    output: Location,
    row: Mapping[str, Any],
    places: Mapping[str, str],
    foregrounds: Mapping[str, str | None],
) -> Pair:
    kept = {extra["name"]: output.join(extra["path"]).uri for extra in row["extras"] or []}
    mask = output.join(row["mask"]).uri
    good = places.get(row["source_sha256"])
    return Pair(
        request_id=row["request_id"],
        defect=row["defect"],
        image=output.join(row["image"]).uri,
        mask=mask,
        asked=kept.get(ASKED_MASK, mask),
        source=good or kept.get(SOURCE),
        foreground=foregrounds.get(good) if good else None,
    )


def _by_hash(goods: Mapping[str, Mapping[str, str | None]], wanted: set[str]) -> dict[str, str]:
    """Where the good pictures of the hashes ``wanted`` are."""
    found: dict[str, str] = {}
    for uri in (uri for some in goods.values() for uri in some):
        if not wanted - set(found):
            break
        digest = picture_hash(uri)
        if digest in wanted:
            found.setdefault(digest, uri)
    return found


def picture_hash(uri: str) -> str:
    """The hash by which an index knows a good picture: of its file, or of a part as a plan keeps
    it."""
    file, box = split_fragment(uri)
    return sha256(read_bytes(file) if box is None else images.encode_png(read_picture(uri)))


def hashes(uris: Iterable[str]) -> dict[str, str]:
    """:func:`picture_hash` of each of ``uris``, by hash."""
    return {picture_hash(uri): uri for uri in uris}
