"""WebDataset: tars of samples, ``<split>-000000.tar``.

A sample is the picture, ``.mask.png`` and ``.json`` with object, type (``good`` of a good picture,
whose mask is black), request_id, prompt and seed.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import IO

from cluster.output.export.items import Item
from cluster.output.export.layout import AllFacts, Contents, Facts, Folder
from cluster.output.export.selection import Unit
from cluster.storage.whole_files import write_whole


class WebDatasetLayout:
    """See :class:`~cluster.output.export.layout.Layout`."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        del contents
        self._folder = folder

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        place = self._folder.place.join(f"{unit.split}-{unit.number:06d}.tar")
        with write_whole(place) as file, tarfile.open(fileobj=file, mode="w|") as tar:
            for number, item in enumerate(items):
                # No name of ours: a dot in it would end the sample's.
                key = f"{unit.number:06d}{number:04d}"
                facts = {"name": item.entry.name, "split": unit.split, **item.facts}
                text = json.dumps(facts, ensure_ascii=False, allow_nan=False)
                _add(tar, f"{key}{item.suffix}", item.data)
                _add(tar, f"{key}.mask.png", item.mask_data)
                _add(tar, f"{key}.json", text.encode())
        return []

    def finish(self, facts: AllFacts) -> None:
        del facts


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    file: IO[bytes] = io.BytesIO(data)
    tar.addfile(member, file)
