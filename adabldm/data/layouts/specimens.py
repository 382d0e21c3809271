"""Which pictures show the same specimen: ``index.csv`` in an object's folder.

Its columns are ``image`` and ``group``, or ``sub``, ``file`` and ``tile_group`` (or ``group``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from adabldm.data.layouts.paths import PathFinder
from adabldm.data.layouts.records import DatasetFinding
from adabldm.data.layouts.tree import Tree, join

INDEX = "index.csv"
GROUP_COLUMNS = ("group", "tile_group")


@dataclass(frozen=True, kw_only=True)
class Specimens:
    """``groups`` by picture path; ``table`` is the file that was read, if any."""

    groups: dict[str, str] = field(default_factory=dict)
    table: str | None = None
    faults: tuple[DatasetFinding, ...] = ()
    remarks: tuple[str, ...] = ()


def read_specimens(tree: Tree, folder: str) -> Specimens:
    """The groups that ``folder``'s index names; lines that fit no file there are one fault."""
    path = join(folder, INDEX)
    if path not in tree.sizes:
        return Specimens()
    rows = list(tree.rows(path))
    known = rows[0].keys() if rows else set()
    column = next((name for name in GROUP_COLUMNS if name in known), None)
    if column is None or not ({"image"} <= known or {"sub", "file"} <= known):
        remark = f"{path}: names no groups: has no columns image, group, nor sub, file, group"
        return Specimens(remarks=(remark,))
    finder = PathFinder(tree.below(folder))
    groups: dict[str, str] = {}
    lost: list[str] = []
    for row in rows:
        written = row.get("image") or join(row.get("sub", ""), row.get("file", ""))
        found = finder.find(written, folder)
        if found is None:
            lost.append(written)
        elif row[column]:
            groups[found] = row[column]
    return Specimens(groups=groups, table=path, faults=_unmatched(path, lost, len(rows)))


def _unmatched(path: str, lost: list[str], count: int) -> tuple[DatasetFinding, ...]:
    if not lost:
        return ()
    rule = f"{len(lost)} of {count} lines name no file that is there, as {lost[0]!r}"
    return (DatasetFinding("index-unmatched", path, rule),)
