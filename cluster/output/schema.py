"""The index's columns: one request a row, what was asked for and what became of it."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from cluster.manifest.schema import SCHEMA

OK: Literal["ok"] = "ok"
REJECTED: Literal["rejected"] = "rejected"
FAILED: Literal["failed"] = "failed"
STATUSES = (OK, REJECTED, FAILED)
FIGURES = pa.map_(pa.string(), pa.float64())
EXTRA = pa.struct(
    [
        pa.field("name", pa.string()),
        pa.field("path", pa.string()),
        pa.field("sha256", pa.string()),
    ]
)
"""A picture that is kept besides the pair."""


def _asked(*names: str) -> list[pa.Field]:
    """Columns that are the manifest's."""
    return [SCHEMA.field(name) for name in names]


INDEX = pa.schema(
    [
        *_asked("request_id", "object", "defect"),
        pa.field("status", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("image", pa.string()),
        pa.field("mask", pa.string()),
        pa.field("image_sha256", pa.string()),
        pa.field("mask_sha256", pa.string()),
        pa.field("extras", pa.list_(EXTRA)),
        *_asked("seed", "prompt", "negative_prompt", "model", "top_up"),
        pa.field("request_fingerprint", pa.string()),
        pa.field("source_sha256", pa.string()),
        pa.field("trimap_sha256", pa.string()),
        pa.field("model_fingerprint", pa.string()),
        pa.field("config_fingerprint", pa.string()),
        pa.field("quality", FIGURES),
        pa.field("seconds", FIGURES),
        pa.field("made_by", pa.string()),
        pa.field("made_at", pa.timestamp("us", "UTC")),
    ]
)
"""Columns of the index; a manifest's further columns follow. ``status`` is ok, rejected (by
the judge) or failed; paths are inside the output; ``extras`` are the pictures kept besides the
pair. ``made_by`` is the worker (``host:process``), ``made_at`` when it was done with the batch;
null in rows of older programs, and of requests on which workers died."""
