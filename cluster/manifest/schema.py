"""The manifest's columns: one request a row of a Parquet file."""

from __future__ import annotations

import builtins
from typing import TypedDict

import pyarrow as pa

BLOB = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
"""A picture: inline ``bytes``, or a ``path`` (a URI, or relative to the manifest's folder)."""


class Blob(TypedDict):
    """A row's :data:`BLOB`."""

    bytes: builtins.bytes | None
    path: str | None


_SET_DOWN = [
    pa.field("mask", BLOB),
    pa.field("angle", pa.float64()),
    pa.field("scale", pa.float64()),
    pa.field("top", pa.int32()),
    pa.field("left", pa.int32()),
    pa.field("look", BLOB),
]
"""``look`` is the picture whose defect ``mask`` marks, or the part of it around the defect
(:func:`adabldm.placement.looks.cut_look`): the drawing starts from it. Null: from noise alone."""

FURTHER = pa.struct(_SET_DOWN)
"""One more defect of the same picture."""

PLACEMENT = pa.struct(
    [*_SET_DOWN, pa.field("foreground", BLOB), pa.field("more", pa.list_(FURTHER))]
)
"""The recipe of a trimap: where a defect mask is set down, and perhaps ``more`` of them.

A null foreground is a texture. ``more`` may be null or left out.
"""


class SetDown(TypedDict):
    """A row's :data:`FURTHER`; ``angle`` in degrees, ``top`` and ``left`` in pixels."""

    mask: Blob
    angle: float
    scale: float
    top: int
    left: int
    look: Blob | None


class Recipe(SetDown):
    """A row's :data:`PLACEMENT`."""

    foreground: Blob | None
    more: list[SetDown] | None


SCHEMA = pa.schema(
    [
        pa.field("request_id", pa.string()),
        pa.field("object", pa.string()),
        pa.field("defect", pa.string()),
        pa.field("image", BLOB),
        pa.field("trimap", BLOB),
        pa.field("placement", PLACEMENT),
        pa.field("prompt", pa.string()),
        pa.field("negative_prompt", pa.string()),
        pa.field("seed", pa.int64()),
        pa.field("model", pa.string()),
        pa.field("top_up", pa.int64()),
    ]
)
"""What is read of a manifest; a column beyond these rides along to the index. ``top_up`` is the
number of the top-up that the row is of, 1 or more; null for a pair that is asked for anew."""
