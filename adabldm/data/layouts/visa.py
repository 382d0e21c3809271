"""VisA (Zou et al., ECCV 2022): ``<object>/Data/Images/Normal|Anomaly``, ``Data/Masks/Anomaly``.

``split_csv/1cls.csv`` (object, split, label, image, mask) says what is for training and what for
test; ``<object>/image_anno.csv`` (image, label, mask) names the types of each anomaly. Either is
enough: without the first every normal picture is for training, without the second every anomaly
is of the type ``anomaly``. Where ``1cls.csv`` is not there, the first table beside it is read.
"""

from __future__ import annotations

from collections.abc import Iterator

from adabldm.core.mask_rule import MaskRule
from adabldm.data.layouts.paths import PathFinder
from adabldm.data.layouts.records import DatasetFinding, Listing, Part, Picture
from adabldm.data.layouts.tree import Tree, join

SPLITS = "split_csv"
SPLIT = f"{SPLITS}/1cls.csv"
TYPES = "image_anno.csv"
MASKS = MaskRule("nonzero")
"""Its masks number the kinds of defect; a picture's label names them all."""

NORMAL = "normal"
ANOMALY = "anomaly"


def _type_tables(tree: Tree) -> list[str]:
    """The folders that hold ``image_anno.csv``: ``""`` for the root itself."""
    return [folder for folder in ("", *tree.folders()) if join(folder, TYPES) in tree.sizes]


def split_table(tree: Tree) -> str | None:
    """The table of ``split_csv`` that is read."""
    tables = [path for path in tree.files(SPLITS) if path.endswith(".csv")]
    return SPLIT if SPLIT in tables else next(iter(tables), None)


def matches(tree: Tree) -> bool:
    return split_table(tree) is not None or bool(_type_tables(tree))


def type_name(label: str) -> str:
    """``bent,small scratch`` as ``bent_and_small_scratch``: several types are one of their own."""
    parts = sorted(part.strip() for part in label.split(",") if part.strip())
    return "_and_".join(parts).replace(" ", "_")


class _Reader:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.faults: list[DatasetFinding] = []
        self.tables: list[str] = []
        self.finder = PathFinder(tree.sizes)

    def path(self, listed: str, folder: str, table: str) -> str | None:
        """``listed`` below the root: tables name it from there, or an object's own folder from
        the folder above. None, and a fault, if it is not there."""
        inner = listed.replace("\\", "/").removeprefix("./").partition("/")[2]
        path = self.finder.find(listed, folder) or (inner and self.finder.find(inner))
        if path:
            return path
        self.faults.append(
            DatasetFinding("file-missing", listed, f"is named in {table} but does not exist")
        )
        return None

    def picture(
        self, name: str, folder: str, table: str, row: dict[str, str], part: Part, defect: str
    ) -> Picture | None:
        path = self.path(row["image"], folder, table)
        if path is None:
            return None
        if not defect:
            return Picture(object=name, path=path, part=part)
        if not row["mask"]:
            self.faults.append(
                DatasetFinding("mask-missing", path, f"{table} names no mask for it")
            )
            return None
        mask = self.path(row["mask"], folder, table)
        if mask is None:
            return None
        return Picture(
            object=name, path=path, part="either", defect=defect, mask=mask, mask_rule=MASKS
        )

    def read(self) -> Iterator[Picture]:
        types: dict[str, str] = {}
        tables: list[tuple[str, str, dict[str, str]]] = []
        for folder in _type_tables(self.tree):
            table = join(folder, TYPES)
            self.tables.append(table)
            for row in self.tree.rows(table, "image", "label", "mask"):
                types[row["image"]] = "" if row["label"] == NORMAL else type_name(row["label"])
                tables.append((folder or self.tree.name, table, row))
        if split := split_table(self.tree):
            self.tables.append(split)
            for row in self.tree.rows(split, "object", "split", "label", "image", "mask"):
                defect = "" if row["label"] == NORMAL else types.get(row["image"]) or ANOMALY
                part: Part = "train" if row["split"] == "train" else "test"
                found = self.picture(row["object"], row["object"], split, row, part, defect)
                if found:
                    yield found
            return
        for name, table, row in tables:
            folder = table.removesuffix(TYPES).rstrip("/")
            found = self.picture(name, folder, table, row, "train", types[row["image"]])
            if found:
                yield found


def read(tree: Tree) -> Listing:
    reader = _Reader(tree)
    pictures = tuple(reader.read())
    return Listing(
        layout="visa",
        pictures=pictures,
        faults=tuple(reader.faults),
        tables=frozenset(reader.tables),
        unread=(("", f"no row of {reader.tables[-1]} names it"),),
    )
