"""What a prepared data set lets a detector learn from, and what it tests on, kept apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from adabldm.core.picture_uri import DatasetFault
from adabldm.data import prepared
from adabldm.data.layouts import Tree
from adabldm.data.prepared import DatasetRow
from adabldm.evaluation.arms import Sources
from adabldm.evaluation.pictures import Stored
from adabldm.evaluation.tested import TestSide, open_test_side


def open_sources(uri: str) -> tuple[dict[str, Sources], TestSide, list[DatasetRow]]:
    """Of the prepared folder at ``uri``: by object what there is to learn from, the test side, and
    the rows of its index. Objects without a tested defect are left out.

    Raises :class:`DatasetFault` if it is not prepared, or tests on no defect.
    """
    tree = Tree(uri)
    if prepared.INDEX not in tree.sizes:
        rule = "is not prepared: `adabldm prepare` it first, which holds real defects out"
        raise DatasetFault(f"{uri}: {rule}")
    side = open_test_side(uri)
    rows = prepared.read_rows(tree)
    tested = {one.object for one in side.pictures}
    specimens = {one.specimen for one in side.pictures}
    by_object: dict[str, list[DatasetRow]] = defaultdict(list)
    for row in rows:
        if row.object in tested:
            by_object[row.object].append(row)
    sources = {name: _sources(name, some, specimens) for name, some in by_object.items()}
    return sources, side, rows


def _sources(name: str, rows: Sequence[DatasetRow], tested: Iterable[str]) -> Sources:
    by_image: dict[str, list[DatasetRow]] = defaultdict(list)
    for row in rows:
        by_image[row.image].append(row)
    few, further, good = [], [], []
    for image, some in by_image.items():
        sides = {row.side for row in some}
        if sides == {"good"}:
            good.append(Stored(image=image))
        elif "few" in sides:
            few += _stored(image, some, "few")
        elif sides == {"left_out"} and _specimen(some[0]) not in tested:
            further += _stored(image, some, "left_out")
    return Sources(
        object=name,
        good=tuple(good),
        few=tuple(few),
        further=tuple(further),
        textures=tuple(one.image for one in good),
    )


def _specimen(row: DatasetRow) -> str:
    """As :attr:`adabldm.evaluation.tested.TestPicture.specimen`."""
    return f"{row.object} group {row.group}" if row.group is not None else row.image


def _stored(image: str, rows: Sequence[DatasetRow], side: str) -> list[Stored]:
    """A picture once for each type that is on ``side``, with the masks of all of its types."""
    masks = tuple(prepared.defect_of(row) for row in rows if row.defect and row.mask)
    types = [row.defect for row in rows if row.side == side and row.defect and row.mask]
    return [Stored(image=image, defect=defect, masks=masks) for defect in types]
