"""The manifest's columns: one request a row of a Parquet file."""

from __future__ import annotations

import pyarrow as pa

BLOB = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
"""A picture: inline ``bytes``, or a ``path`` (a URI, or relative to the manifest's folder)."""

PLACEMENT = pa.struct(
    [
        pa.field("mask", BLOB),
        pa.field("angle", pa.float64()),
        pa.field("scale", pa.float64()),
        pa.field("top", pa.int32()),
        pa.field("left", pa.int32()),
        pa.field("foreground", BLOB),
    ]
)
"""The recipe of a trimap: where a defect mask is set down. A null foreground is a texture."""

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
    ]
)
"""What is read of a manifest; a column beyond these rides along to the index."""
