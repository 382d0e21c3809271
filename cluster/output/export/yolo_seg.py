"""YOLO segmentation: ``images/<split>``, ``labels/<split>``, ``data.yaml``.

A line a connected part: its class and its outline in shares of width and height. A good picture has
an empty label file.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import yaml

from cluster.output.export.items import Item
from cluster.output.export.layout import AllFacts, Contents, Facts, Folder
from cluster.output.export.parts import parts_of
from cluster.output.export.polygons import outline
from cluster.output.export.selection import Unit

NO_VAL = "# No picture is for validation: put real ones here, and do not trust figures without.\n"


class YoloLayout:
    """See :class:`~cluster.output.export.layout.Layout`."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        self._folder, self._contents = folder, contents

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        for item in items:
            name = item.entry.name
            self._folder.put_image(f"images/{unit.split}/{name}{item.suffix}", item)
            self._folder.write(f"labels/{unit.split}/{name}.txt", self._label(item).encode())
        return []

    def _label(self, item: Item) -> str:
        if item.entry.good:
            return ""
        height, width = item.size
        number = self._contents.number(item)
        lines = []
        for part in parts_of(item.mask):
            points = outline(part.pixels) + np.array([part.left, part.top])
            shares = points / np.array([width, height])
            lines.append(f"{number} " + " ".join(f"{share:.6f}" for share in shares.ravel()))
        return "".join(f"{line}\n" for line in lines)

    def finish(self, facts: AllFacts) -> None:
        del facts
        splits = self._contents.splits
        content: dict[str, str] = {split: f"images/{split}" for split in splits}
        content.setdefault("val", content.get("test", content.get("train", "")))
        content.setdefault("train", content["val"])
        names = dict(enumerate(self._contents.classes.values()))
        remark = "" if "val" in splits else NO_VAL
        text = yaml.safe_dump({**content, "names": names}, sort_keys=False, allow_unicode=True)
        self._folder.write("data.yaml", (remark + text).encode())
