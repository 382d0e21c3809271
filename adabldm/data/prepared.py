"""The one door to a data set: a folder that ``adabldm prepare`` wrote, or any raw layout."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.objects import DefectImage, ObjectFolder, Surface
from adabldm.core.picture_uri import DatasetFault, read_bytes
from adabldm.data import layouts
from adabldm.data.layouts import Picture, Tree
from adabldm.data.split import SHOTS, Side, divide
from adabldm.data.split_file import load as load_split

INDEX = "dataset.parquet"
SPLIT = "split.json"
FAULTS = "faults.csv"
FOREGROUND = "foreground"
"""Folder of object masks in a prepared data set."""

SHOWN_FAULTS = 10

SCHEMA = pa.schema(
    [
        pa.field("object", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("defect", pa.string()),
        pa.field("mask", pa.string()),
        pa.field("group", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("defect_share", pa.float32()),
        pa.field("surface", pa.string()),
        pa.field("foreground", pa.string()),
    ]
)
"""``dataset.parquet``: one picture a row. ``image`` and ``mask`` are URIs, ``foreground`` is a
path in the prepared folder; ``side`` is one of :data:`adabldm.data.split.Side`."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the index, see :data:`SCHEMA`; size and share are None while nobody has looked."""

    object: str
    side: Side
    image: str
    defect: str | None
    mask: str | None
    group: str | None
    caption: str | None
    height: int | None = None
    width: int | None = None
    defect_share: float | None = None
    surface: Surface | None
    foreground: str | None = None


def open_dataset(
    uri: str,
    *,
    layout: str = layouts.AUTO,
    shots: int = SHOTS,
    split_seed: int = 0,
    split_file: str | None = None,
) -> list[ObjectFolder]:
    """The objects at ``uri``, split into what may be learned from and what is for evaluation.

    ``uri`` is a prepared folder, whose own split holds and whose pictures were checked, or a raw
    data set, which is listed and split here; its pictures are not decoded (of KolektorSDD2's the
    masks are).

    Raises :class:`DatasetFault` if it cannot be read, has no known layout, or if its folders alone
    show a fault (``adabldm prepare`` lists all and can work with the rest).
    """
    tree = Tree(uri)
    if INDEX in tree.sizes and layout == layouts.AUTO:
        if split_file is not None:
            raise DatasetFault(f"{uri}: is prepared, its split is made; split the raw data set")
        return _open_prepared(tree)
    listing = layouts.read(tree, layout)
    faults = list(listing.faults)
    given = None
    if split_file is not None:
        given, missing = load_split(split_file, listing.pictures)
        faults += missing
    if faults:
        lines = [f"{uri}: {fault}" for fault in faults[:SHOWN_FAULTS]]
        if more := len(faults) - len(lines):
            lines.append(f"{uri}: and {more} more; `adabldm prepare` lists them all")
        raise DatasetFault("\n".join(lines))
    sides = divide(listing.pictures, shots=shots, seed=split_seed, given=given)
    return assemble(to_rows(tree, listing.pictures, sides, dict(listing.surfaces)))


def to_rows(
    tree: Tree,
    pictures: Sequence[Picture],
    sides: Mapping[str, Side],
    surfaces: Mapping[str, Surface],
) -> list[Row]:
    """One row a picture; ``sides`` is by picture path, ``surfaces`` by object."""
    return [
        Row(
            object=picture.object,
            side=sides[picture.path],
            image=tree.uri(picture.path),
            defect=picture.defect,
            mask=None if picture.mask is None else tree.uri(picture.mask),
            group=picture.group,
            caption=picture.caption,
            surface=surfaces.get(picture.object),
        )
        for picture in pictures
    ]


def unsplit(pictures: Sequence[Picture]) -> dict[str, Side]:
    """Sides that hold nothing out: every defect may be learned from."""
    return {
        p.path: "few" if p.defect else "test_good" if p.part == "test" else "good" for p in pictures
    }


def assemble(rows: Sequence[Row]) -> list[ObjectFolder]:
    """The objects that ``rows`` tell of, by name; rows that are left out are."""
    by_object: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_object[row.object].append(row)
    return [_object(name, by_object[name]) for name in sorted(by_object)]


def _object(name: str, rows: Sequence[Row]) -> ObjectFolder:
    def defects(side: Side) -> tuple[DefectImage, ...]:
        return tuple(
            DefectImage(
                defect=row.defect,
                image=row.image,
                mask=row.mask,
                group=row.group,
                caption=row.caption,
            )
            for row in rows
            if row.side == side and row.defect and row.mask
        )

    return ObjectFolder(
        name=name,
        good=tuple(row.image for row in rows if row.side == "good"),
        test_good=tuple(row.image for row in rows if row.side == "test_good"),
        defects=defects("few"),
        held_out=defects("held_out"),
        surface=rows[0].surface,
        foreground={row.image: row.foreground for row in rows if row.foreground},
    )


def _open_prepared(tree: Tree) -> list[ObjectFolder]:
    path = tree.uri(INDEX)
    try:
        table = pq.read_table(io.BytesIO(read_bytes(path)))
    except (OSError, pa.ArrowException) as error:
        raise DatasetFault(f"{path}: is not a Parquet file: {error}") from error
    if not table.schema.equals(SCHEMA):
        raise DatasetFault(f"{path}: has not the columns of an index of `adabldm prepare`")
    rows = []
    for number, record in enumerate(table.to_pylist()):
        if record["side"] not in get_args(Side):
            raise DatasetFault(f"{path}: row {number}: side {record['side']!r} is not known")
        if record["foreground"]:
            record["foreground"] = tree.uri(record["foreground"])
        rows.append(Row(**record))
    return assemble(rows)
