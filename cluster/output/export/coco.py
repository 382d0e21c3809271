"""COCO instances: ``<split>/<name>.png`` and ``annotations/instances_<split>.json``.

Each connected part of a mask is an instance with its run lengths, box and area. Good pictures are
images without annotations.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO, Any

from cluster.output.export import rle
from cluster.output.export.items import Item
from cluster.output.export.layout import AllFacts, Contents, Facts, Folder
from cluster.output.export.parts import parts_of
from cluster.output.export.selection import Split, Unit
from cluster.storage.whole_files import write_whole


class CocoLayout:
    """See :class:`~cluster.output.export.layout.Layout`."""

    def __init__(self, folder: Folder, contents: Contents) -> None:
        self._folder, self._contents = folder, contents

    def write(self, unit: Unit, items: Iterator[Item]) -> Facts:
        facts: Facts = []
        for item in items:
            name = f"{item.entry.name}{item.suffix}"
            self._folder.put_image(f"{unit.split}/{name}", item)
            height, width = item.size
            image = {"file_name": name, "width": width, "height": height, **item.facts}
            facts.append({"image": image, "instances": self._instances(item)})
        return facts

    def _instances(self, item: Item) -> list[dict[str, Any]]:
        if item.entry.good:
            return []
        category = self._contents.number(item) + 1
        return [
            {
                "category_id": category,
                "bbox": part.box,
                "area": part.area,
                "iscrowd": 0,
                "segmentation": {
                    "size": list(item.size),
                    "counts": rle.encode(rle.run_lengths(part.inside(item.size))),
                },
            }
            for part in parts_of(item.mask)
        ]

    def finish(self, facts: AllFacts) -> None:
        for split in self._contents.splits:
            place = self._folder.place.join(f"annotations/instances_{split}.json")
            with write_whole(place) as file:
                self._write_json(file, split, facts)

    def _write_json(self, file: IO[bytes], split: Split, facts: AllFacts) -> None:
        """The whole file, a picture at a time."""
        categories = [
            {"id": number, "name": name, "supercategory": item}
            for number, ((item, _), name) in enumerate(self._contents.classes.items(), 1)
        ]
        info = {"description": "Generated defects with exact masks (adabldm)"}
        file.write(b'{"info": ' + _json(info) + b',\n"categories": ' + _json(categories))
        file.write(b',\n"images": [')
        _list(file, ({"id": number, **one["image"]} for number, one in _numbered(split, facts)))
        file.write(b'],\n"annotations": [')
        instances = (
            {"image_id": number, **instance}
            for number, one in _numbered(split, facts)
            for instance in one["instances"]
        )
        _list(file, ({"id": number, **one} for number, one in enumerate(instances, 1)))
        file.write(b"]}\n")


def _numbered(split: Split, facts: AllFacts) -> Iterator[tuple[int, dict[str, Any]]]:
    """The pictures of a split with their ids."""
    return enumerate((one for of, some in facts() if of == split for one in some), 1)


def _list(file: IO[bytes], items: Iterator[dict[str, Any]]) -> None:
    for number, item in enumerate(items):
        file.write((b",\n" if number else b"\n") + _json(item))


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
