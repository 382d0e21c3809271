"""A plan's rows as Arrow tables: the manifest, and the list of what found no place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as kinds

from adabldm.planning.planner import (
    FITS_NOWHERE,
    PLACED,
    TOO_FEW,
    PlacedDefects,
    PlanBlock,
    Planner,
    request_id_stem,
)
from cluster.manifest.schema import BLOB, FURTHER, PLACEMENT, SCHEMA

ROWS_A_GROUP = 65_536

UNPLACED = pa.schema(
    [
        pa.field("row", pa.int64()),
        pa.field("request_id", pa.string()),
        pa.field("object", pa.string()),
        pa.field("defect", pa.string()),
        pa.field("reason", pa.string()),
    ]
)
"""Rows of a plan that are not in its manifest, and why."""

ENCODINGS = {"request_id": "DELTA_BYTE_ARRAY", "seed": "PLAIN"}
"""How columns are kept in which no value comes twice; all others are dictionaries."""

REASONS = {
    FITS_NOWHERE: "no mask of its type fits where it may lie, on any picture tried",
    TOO_FEW: "fewer defects than asked for fit beside each other, on every picture tried",
}


def manifest_writer(handle: IO[bytes]) -> pq.ParquetWriter:
    """Writes what :meth:`TableMaker.placed` makes, in few bytes."""
    dictionaries = [leaf for field in SCHEMA for leaf in _leaves(field.name, field.type)]
    return pq.ParquetWriter(
        handle,
        SCHEMA,
        compression="zstd",
        use_dictionary=[leaf for leaf in dictionaries if leaf not in ENCODINGS],
        column_encoding=ENCODINGS,
    )


def unplaced_writer(handle: IO[bytes]) -> pq.ParquetWriter:
    """Writes what :meth:`TableMaker.unplaced` makes."""
    return pq.ParquetWriter(handle, UNPLACED, compression="zstd")


def _leaves(name: str, kind: pa.DataType) -> list[str]:
    """A column's leaves as Parquet calls them."""
    if kinds.is_list(kind):
        return _leaves(f"{name}.list.element", kind.value_type)
    if kinds.is_struct(kind):
        return [leaf for child in kind for leaf in _leaves(f"{name}.{child.name}", child.type)]
    return [name]


class TableMaker:
    """Makes tables of a planner's blocks of rows.

    ``model_of(object, defect)`` is what a row of that object and type says as its model; ``top_up``
    is what all rows say as theirs; ``looks`` is whether they say how their real defects look.
    """

    def __init__(
        self,
        planner: Planner,
        model_of: Callable[[str, str], str | None],
        top_up: int | None = None,
        *,
        looks: bool = True,
    ) -> None:
        self._planner, self._top_up, self._looks = planner, top_up, looks
        names = [planner.names(pair) for pair in range(len(planner.pairs))]
        self._objects = pa.array([item for item, _ in names])
        self._types = pa.array([defect for _, defect in names])
        self._stems = pa.array([request_id_stem(*pair, planner.seed) for pair in names])
        self._models = pa.array([model_of(*pair) for pair in names], pa.string())
        self._prompts = pa.array(planner.prompts)
        self._object_of_pair = np.array([number for number, _ in planner.pairs])

    def placed(self, block: PlanBlock) -> Iterator[pa.Table]:
        """The block's rows that have a place, as tables of :data:`SCHEMA`, each at most a row
        group."""
        placed = np.flatnonzero(block.outcome == PLACED)
        for start in range(0, len(placed), ROWS_A_GROUP):
            yield self._manifest(block, placed[start : start + ROWS_A_GROUP])

    def unplaced(self, block: PlanBlock) -> pa.Table:
        """The block's rows that found no place, a table of :data:`UNPLACED`."""
        rows = np.flatnonzero(block.outcome != PLACED)
        pair = block.pair[rows]
        reasons = pa.array([REASONS.get(outcome) for outcome in range(max(REASONS) + 1)])
        return pa.table(
            [
                pa.array(block.row[rows]),
                self._request_ids(block, rows),
                self._objects.take(pa.array(pair)),
                self._types.take(pa.array(pair)),
                reasons.take(pa.array(block.outcome[rows])),
            ],
            schema=UNPLACED,
        )

    def _request_ids(self, block: PlanBlock, rows: np.ndarray) -> pa.Array:
        """``screw-thread_top-s7-00000042``."""
        numbers = pc.utf8_lpad(pa.array(block.row[rows]).cast(pa.string()), 8, "0")
        stems = self._stems.take(pa.array(block.pair[rows]))
        return pc.binary_join_element_wise(stems, numbers, "-")

    def _manifest(self, block: PlanBlock, rows: np.ndarray) -> pa.Table:
        pair = pa.array(block.pair[rows])
        owner = self._object_of_pair[block.pair[rows]]
        images, foregrounds = self._pictures(owner, block.good[rows])
        return pa.table(
            [
                self._request_ids(block, rows),
                self._objects.take(pair),
                self._types.take(pair),
                images,
                pa.nulls(len(rows), BLOB),
                self._recipes(block, rows, owner, foregrounds),
                self._prompts.take(pa.array(block.prompt[rows])),
                pa.nulls(len(rows), pa.string()),
                pa.array(block.seed[rows]),
                self._models.take(pair),
                pa.repeat(pa.scalar(self._top_up, pa.int64()), len(rows)),
            ],
            schema=SCHEMA,
        )

    def _pictures(self, owner: np.ndarray, good: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """The rows' good pictures and object masks, as columns of :data:`BLOB`; ``owner`` numbers
        each row's object, ``good`` its picture, both (N,)."""
        used, place = np.unique(np.stack([owner, good]), axis=1, return_inverse=True)
        pictures = [self._planner.objects[p].goods[g] for p, g in used.T.tolist()]
        where = pa.array(place.ravel())
        images = pa.array([picture.path for picture in pictures], pa.string())
        foregrounds = pa.array([picture.foreground_path for picture in pictures], pa.string())
        return _blobs(images.take(where)), _blobs(foregrounds.take(where))

    def _recipes(
        self, block: PlanBlock, rows: np.ndarray, owner: np.ndarray, foregrounds: pa.Array
    ) -> pa.Array:
        main, *further = block.defects
        fields = [*self._set_down(main, rows, owner), foregrounds]
        fields.append(self._more(further, rows, owner))
        return pa.StructArray.from_arrays(fields, fields=list(PLACEMENT))

    def _more(self, further: list[PlacedDefects], rows: np.ndarray, owner: np.ndarray) -> pa.Array:
        """Each row's list of its ``further`` defects, null where it has none; one list of all rows
        a place in ``further``."""
        kind = PLACEMENT.field("more").type
        there = np.array([column.mask[rows] >= 0 for column in further]).reshape(-1, len(rows)).T
        count = there.sum(axis=1)
        if not count.any():
            return pa.nulls(len(rows), kind)
        # Row by row, so that a row's defects follow each other.
        row, column = np.nonzero(there)
        stacked = PlacedDefects(
            *(
                np.stack([getattr(one, name)[rows] for one in further], axis=1)[row, column]
                for name in PlacedDefects.__dataclass_fields__
            )
        )
        parts = self._set_down(stacked, np.arange(len(row)), owner[row])
        values = pa.StructArray.from_arrays(parts, fields=list(FURTHER))
        offsets = pa.array(np.concatenate([[0], np.cumsum(count)]).astype(np.int32))
        return pa.ListArray.from_arrays(offsets, values, type=kind, mask=pa.array(count == 0))

    def _set_down(
        self, column: PlacedDefects, rows: np.ndarray, owner: np.ndarray
    ) -> list[pa.Array]:
        used, place = np.unique(np.stack([owner, column.mask[rows]]), axis=1, return_inverse=True)
        paths = [self._planner.objects[p].masks.path(m) for p, m in used.T.tolist()]
        masks = pa.array(paths, pa.string()).take(pa.array(place.ravel()))
        numbers = (column.angle, column.scale, column.top, column.left)
        looks: pa.Array = pa.nulls(len(rows), BLOB)
        if self._looks:
            found = [self._planner.objects[p].masks.look_path(m) for p, m in used.T.tolist()]
            looks = _blobs(pa.array(found, pa.string()).take(pa.array(place.ravel())))
        return [_blobs(masks), *(pa.array(values[rows]) for values in numbers), looks]


def _blobs(paths: pa.Array) -> pa.Array:
    """A column of :data:`BLOB` with these paths; a null path is a null."""
    return pa.StructArray.from_arrays(
        [pa.nulls(len(paths), pa.binary()), paths], fields=list(BLOB), mask=paths.is_null()
    )
