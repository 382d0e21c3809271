"""MVTec AD: a folder an object, ``train/good``, ``test/<type>``, ``ground_truth/<type>``.

Good pictures are in ``train/good``, ``validation/good`` or ``test/good``, by their split. Pairs are
in ``test``, where this layout has defects, whatever their split.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.output.export.items import PNG, Item
from cluster.output.export.layout import AllFacts, Contents, Facts, Folder
from cluster.output.export.selection import Unit

FOLDERS = {"train": "train", "val": "validation", "test": "test"}


class MvtecLayout:
    """See :class:`~cluster.output.export.layout.Layout`."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        del contents
        self._folder = folder

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        for item in items:
            entry = item.entry
            if entry.good:
                path = f"{entry.object}/{FOLDERS[unit.split]}/good/{entry.key}{item.suffix}"
                self._folder.put_image(path, item)
                continue
            stem = f"{entry.defect}/{entry.key}"
            self._folder.put_image(f"{entry.object}/test/{stem}{item.suffix}", item)
            self._folder.put_mask(f"{entry.object}/ground_truth/{stem}_mask{PNG}", item)
        return []

    def finish(self, facts: AllFacts) -> None:
        del facts
