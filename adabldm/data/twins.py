"""One picture with several defect types, kept as a file a type: its copies are one specimen."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from adabldm.core.picture_uri import DatasetFault, read_bytes, split_fragment
from adabldm.data.layouts.records import Picture
from adabldm.data.layouts.tree import Tree
from adabldm.data.split import group_of

READERS = 8


def grouped(tree: Tree, pictures: Sequence[Picture]) -> tuple[Picture, ...]:
    """``pictures``, those of an object in one group whose files have the same bytes.

    Only files of the same length are read, and only where they show different types.
    """
    parent: dict[tuple[str, str], tuple[str, str]] = {}

    def root(node: tuple[str, str]) -> tuple[str, str]:
        while parent.get(node, node) != node:
            node = parent[node]
        return node

    for same in _same_bytes(tree, pictures):
        nodes = sorted({root((p.object, group_of(p))) for p in same}, key=_named_first)
        parent |= dict.fromkeys(nodes, nodes[0])
    return tuple(
        replace(picture, group=root(node)[1].partition(" ")[2])
        if (node := (picture.object, group_of(picture))) in parent
        else picture
        for picture in pictures
    )


def _named_first(node: tuple[str, str]) -> tuple[bool, tuple[str, str]]:
    return not node[1].startswith("group "), node


def _same_bytes(tree: Tree, pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    """Defect pictures of one object and of several types whose files are the same."""
    by_size: dict[tuple[str, int], list[Picture]] = defaultdict(list)
    for picture in pictures:
        if picture.defect:
            file, _ = split_fragment(picture.path)
            by_size[picture.object, tree.sizes.get(file, 0)].append(picture)
    alike = [some for (_, size), some in by_size.items() if size and _differ(some)]
    files = sorted({split_fragment(picture.path)[0] for some in alike for picture in some})
    with ThreadPoolExecutor(READERS) as pool:
        digests = dict(zip(files, pool.map(lambda file: _digest(tree, file), files), strict=True))
    for some in alike:
        by_digest: dict[bytes, list[Picture]] = defaultdict(list)
        for picture in some:
            if digest := digests[split_fragment(picture.path)[0]]:
                by_digest[digest].append(picture)
        yield from (same for same in by_digest.values() if _differ(same))


def _differ(pictures: Sequence[Picture]) -> bool:
    files = {split_fragment(picture.path)[0] for picture in pictures}
    return len(files) > 1 and len({picture.defect for picture in pictures}) > 1


def _digest(tree: Tree, path: str) -> bytes | None:
    """None for a file that cannot be read, which is told when it is looked at."""
    try:
        return hashlib.sha256(read_bytes(tree.uri(path))).digest()
    except DatasetFault:
        return None
