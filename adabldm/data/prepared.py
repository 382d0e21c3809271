"""A prepared data set: its files, its index's rows, and the objects that these tell of."""

from __future__ import annotations

import io
import posixpath
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.mask_rule import AUTO, MaskRule
from adabldm.core.objects import DefectImage, ObjectFolder, Surface
from adabldm.core.picture_uri import DatasetFault, read_bytes, split_fragment
from adabldm.data.layouts import Key, Picture, Tree
from adabldm.data.split import Side

INDEX = "dataset.parquet"
SPLIT = "split.json"
FAULTS = "faults.csv"
FOREGROUND = "foreground"
"""Folder of object masks in a prepared data set."""
MASKS = "masks"
"""Folder of defect masks that are no files of the data set: drawn from polygons, or joined."""

SCHEMA = pa.schema(
    [
        pa.field("object", pa.string(), nullable=False),
        pa.field("side", pa.string(), nullable=False),
        pa.field("image", pa.string(), nullable=False),
        pa.field("defect", pa.string()),
        pa.field("mask", pa.string()),
        pa.field("mask_rule", pa.string()),
        pa.field("group", pa.string()),
        pa.field("caption", pa.string()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("defect_share", pa.float32()),
        pa.field("surface", pa.string()),
        pa.field("foreground", pa.string()),
    ]
)
"""``dataset.parquet``: one picture and type a row. ``image`` is a URI, ``mask`` and ``foreground``
are URIs or paths in the prepared folder; ``side`` is one of :data:`adabldm.data.split.Side`."""


@dataclass(frozen=True, kw_only=True)
class DatasetRow:
    """A row of the index, see :data:`SCHEMA`; size and share are None while nobody has looked."""

    object: str
    side: Side
    image: str
    defect: str | None
    mask: str | None
    mask_rule: str | None = None
    group: str | None
    caption: str | None
    height: int | None = None
    width: int | None = None
    defect_share: float | None = None
    surface: Surface | None
    foreground: str | None = None


def to_rows(
    tree: Tree,
    pictures: Sequence[Picture],
    sides: Mapping[Key, Side],
    surfaces: Mapping[str, Surface],
) -> list[DatasetRow]:
    """One row a picture; ``sides`` is by path and type, ``surfaces`` by object."""
    return [
        DatasetRow(
            object=picture.object,
            side=sides[picture.key],
            image=tree.uri(picture.path),
            defect=picture.defect,
            mask=None if picture.mask is None else tree.uri(picture.mask),
            mask_rule=None if picture.mask is None else str(picture.mask_rule),
            group=picture.group,
            caption=picture.caption,
            surface=surfaces.get(picture.object),
            foreground=None if picture.foreground is None else tree.uri(picture.foreground),
        )
        for picture in pictures
    ]


def unsplit(pictures: Sequence[Picture]) -> dict[Key, Side]:
    """Sides that hold nothing out: every defect may be learned from."""
    return {
        p.key: "few" if p.defect else "test_good" if p.part == "test" else "good" for p in pictures
    }


def assemble(rows: Sequence[DatasetRow]) -> list[ObjectFolder]:
    """The objects that ``rows`` tell of, by name; rows that are left out are."""
    by_object: dict[str, list[DatasetRow]] = defaultdict(list)
    for row in rows:
        by_object[row.object].append(row)
    return [_object(name, by_object[name]) for name in sorted(by_object)]


def defect_of(row: DatasetRow) -> DefectImage:
    """The defect picture that ``row`` tells of; a good picture's has none."""
    assert row.defect is not None  # noqa: S101
    assert row.mask is not None  # noqa: S101
    return DefectImage(
        defect=row.defect,
        image=row.image,
        mask=row.mask,
        mask_rule=MaskRule.parse(row.mask_rule) if row.mask_rule else AUTO,
        group=row.group,
        caption=row.caption,
    )


def _object(name: str, rows: Sequence[DatasetRow]) -> ObjectFolder:
    def defects(side: Side) -> tuple[DefectImage, ...]:
        return tuple(defect_of(row) for row in rows if row.side == side and row.defect and row.mask)

    return ObjectFolder(
        name=name,
        good=tuple(row.image for row in rows if row.side == "good"),
        test_good=tuple(row.image for row in rows if row.side == "test_good"),
        defects=defects("few"),
        held_out=defects("held_out"),
        surface=rows[0].surface,
        foreground={row.image: row.foreground for row in rows if row.foreground},
    )


def open_prepared(tree: Tree) -> list[ObjectFolder]:
    """The objects of the prepared folder ``tree``. Raises :class:`DatasetFault`."""
    return assemble(read_rows(tree))


def read_rows(tree: Tree) -> list[DatasetRow]:
    """The rows of the prepared folder ``tree``, of every side. Raises :class:`DatasetFault`."""
    path = tree.uri(INDEX)
    try:
        table = pq.read_table(io.BytesIO(read_bytes(path)))
        table.validate(full=True)
    except (OSError, pa.ArrowException, ValueError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise DatasetFault(f"{path}: is not a Parquet file: {reason}") from error
    for field in SCHEMA:  # columns that an older folder has not
        if field.nullable and field.name not in table.column_names:
            table = table.append_column(field, pa.nulls(len(table), field.type))
    if set(table.column_names) == set(SCHEMA.names):
        table = table.select(SCHEMA.names)
    if not table.schema.equals(SCHEMA):
        raise DatasetFault(f"{path}: has not the columns of an index of `adabldm prepare`")
    rows = []
    for number, record in enumerate(table.to_pylist()):
        if record["side"] not in get_args(Side):
            raise DatasetFault(f"{path}: row {number}: side {record['side']!r} is not known")
        for name in ("mask", "foreground"):
            if record[name] and "://" not in record[name]:
                record[name] = tree.uri(record[name])
        rows.append(DatasetRow(**record))
    _refuse_moved(tree, rows)
    return rows


def _refuse_moved(tree: Tree, rows: Sequence[DatasetRow]) -> None:
    """Raise :class:`DatasetFault` if the pictures are no more where they were prepared from.

    One picture an object is looked for.
    """
    for row in {row.object: row for row in reversed(rows)}.values():
        fs, path = fsspec.url_to_fs(split_fragment(row.image)[0], use_listings_cache=False)
        if fs.exists(path):
            continue
        protocol, _, path = row.image.partition("://")
        others = [one.image.partition("://")[2] for one in rows]
        source = f"{protocol}://{posixpath.commonpath([posixpath.dirname(path), *others])}"
        raise DatasetFault(
            f"{tree.uri_of_root}: was prepared from {source}, where {row.image} is no more; "
            "prepare it again"
        )
