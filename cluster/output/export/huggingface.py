"""Hugging Face: Parquet that ``datasets`` reads, pictures included, and ``imagefolder``.

Both have the columns ``image``, ``mask``, ``object``, ``defect``, ``request_id``, ``prompt`` and
``seed``. Of a good picture the mask is black, ``defect`` is ``good``, and the last three are null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from cluster.output.export.items import Item
from cluster.output.export.layout import AllFacts, Contents, Facts, Folder
from cluster.output.export.selection import Split, Unit
from cluster.storage.whole_files import write_whole

TEXTS, NUMBERS = ("object", "defect", "request_id", "prompt"), ("seed",)
PICTURE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
FEATURES = {
    **{name: {"_type": "Image"} for name in ("image", "mask")},
    **{name: {"dtype": "string", "_type": "Value"} for name in TEXTS},
    **{name: {"dtype": "int64", "_type": "Value"} for name in NUMBERS},
}
COLUMNS = [
    *(pa.field(name, pa.string()) for name in TEXTS),
    *(pa.field(name, pa.int64()) for name in NUMBERS),
]
METADATA = pa.schema(
    [*(pa.field(name, pa.string()) for name in ("file_name", "mask_file_name")), *COLUMNS]
)
SCHEMA = pa.schema(
    [*(pa.field(name, PICTURE) for name in ("image", "mask")), *COLUMNS],
    metadata={"huggingface": json.dumps({"info": {"features": FEATURES}})},
)
NAMES: dict[Split, str] = {"train": "train", "val": "validation", "test": "test"}
GROUP_BYTES = 32 << 20
"""Of pictures in a row group, about."""

CARD = """---
configs:
- config_name: default
  data_files:
{files}---
Generated defects with exact masks, made by adabldm: {pairs} pairs and {good} good pictures.
"""


def _columns(item: Item) -> dict[str, Any]:
    return {name: item.facts.get(name) for name in (*TEXTS, *NUMBERS)}


def _card(folder: Folder, contents: Contents, pattern: str) -> None:
    files = "".join(
        f"  - split: {NAMES[split]}\n    path: {pattern.format(split=NAMES[split])}\n"
        for split in contents.splits
    )
    text = CARD.format(files=files, pairs=contents.pairs, good=contents.good)
    folder.write("README.md", text.encode())


class HuggingFaceLayout:
    """``data/<split>-00000.parquet``. See :class:`~cluster.output.export.layout.Layout`."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        self._folder, self._contents = folder, contents

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        name = f"data/{NAMES[unit.split]}-{unit.number:05d}.parquet"
        with (
            write_whole(self._folder.place.join(name)) as file,
            pq.ParquetWriter(file, SCHEMA) as writer,
        ):
            rows: list[dict[str, Any]] = []
            held = 0
            for item in items:
                stem = item.entry.name
                rows.append(
                    {
                        "image": {"bytes": item.data, "path": f"{stem}{item.suffix}"},
                        "mask": {"bytes": item.mask_data, "path": f"{stem}_mask.png"},
                        **_columns(item),
                    }
                )
                held += len(item.data)
                if held >= GROUP_BYTES:
                    writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
                    rows, held = [], 0
            writer.write_table(pa.Table.from_pylist(rows, SCHEMA))
        return []

    def finish(self, facts: AllFacts) -> None:
        del facts
        _card(self._folder, self._contents, "data/{split}-*")


class ImageFolderLayout:
    """``<split>/images``, ``<split>/masks`` and ``<split>/metadata.parquet``. See
    :class:`~cluster.output.export.layout.Layout`."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        self._folder, self._contents = folder, contents

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        facts: Facts = []
        for item in items:
            stem = item.entry.name
            image, mask = f"images/{stem}{item.suffix}", f"masks/{stem}.png"
            self._folder.put_image(f"{NAMES[unit.split]}/{image}", item)
            self._folder.put_mask(f"{NAMES[unit.split]}/{mask}", item)
            facts.append({"file_name": image, "mask_file_name": mask, **_columns(item)})
        return facts

    def finish(self, facts: AllFacts) -> None:
        for split in self._contents.splits:
            # Parquet, since a split of good pictures alone has columns of nulls, which have a type.
            place = self._folder.place.join(f"{NAMES[split]}/metadata.parquet")
            with write_whole(place) as file, pq.ParquetWriter(file, METADATA) as writer:
                for of, some in facts():
                    if of == split:
                        writer.write_table(pa.Table.from_pylist(some, METADATA))
        _card(self._folder, self._contents, "{split}/**")
