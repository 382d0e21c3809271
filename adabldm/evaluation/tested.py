"""The pictures that a detector is tested on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adabldm.core.mask_rule import AUTO as AUTO_RULE
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import accounting, opening, prepared
from adabldm.data.layouts import Picture, Tree
from adabldm.data.naming import with_usable_names
from adabldm.data.options import AUTO, DatasetOptions

HELD_OUT, ALL = "held out", "all test pictures"
"""What is tested on: of a prepared data set what nothing was learned from, of any other all that it
does not keep for training."""


@dataclass(frozen=True, kw_only=True)
class TestPicture:
    """A picture (URI) of an ``object``, with all of its ``defects``, none of a good one; its
    ``size`` (height, width) in pixels, None while nobody has looked, and the specimen that it shows
    (``group``), where that is known."""

    __test__ = False  # for pytest

    object: str
    image: str
    defects: tuple[DefectImage, ...] = ()
    size: tuple[int, int] | None = None
    group: str | None = None

    @property
    def specimen(self) -> str:
        """What it shows: pictures of one specimen are no independent samples."""
        return f"{self.object} group {self.group}" if self.group is not None else self.image


@dataclass(frozen=True, kw_only=True)
class TestSide:
    """The ``pictures`` that a data set tests on, and the URIs of its ``others``; ``side`` is one of
    :data:`HELD_OUT` and :data:`ALL`."""

    __test__ = False

    side: str
    pictures: tuple[TestPicture, ...]
    others: frozenset[str] = field(default_factory=frozenset)


def open_test_side(
    uri: str,
    layout: str = AUTO,
    mask_rule: str = str(AUTO_RULE),
    tell: Callable[[str], None] = lambda _: None,
) -> TestSide:
    """What the data set at ``uri`` tests on: of a folder of ``adabldm prepare`` its held-out side,
    of a raw data set all pictures that it does not keep for training.

    Raises :class:`DatasetFault` if it cannot be read, has faults, or tests on no defect. ``tell``
    gets a line about what is not read, and about each object without a defect, which is left out.
    """
    tree = Tree(uri)
    if prepared.INDEX in tree.sizes and layout == AUTO:
        if mask_rule != str(AUTO_RULE):
            raise DatasetFault(f"{uri}: is prepared, and remembers the rule of each mask")
        side, found = HELD_OUT, _of_prepared(tree)
    else:
        options = DatasetOptions(layout=layout, mask_rule=mask_rule)
        side, found = ALL, _of_raw(tree, uri, options, tell)
    flawed = {picture.object for picture, tested in found if tested and picture.defects}
    if not flawed:
        why = "all were learned from; `adabldm prepare` with fewer --shots holds some out"
        raise DatasetFault(
            f"{uri}: tests on no defect: " + (why if side == HELD_OUT else "its test side is empty")
        )
    for name in sorted({picture.object for picture, _ in found} - flawed):
        tell(f"{uri}: {name} is left out: it tests on no defect")
    pictures = tuple(p for p, tested in found if tested and p.object in flawed)
    others = frozenset(p.image for p, _ in found) - {p.image for p in pictures}
    return TestSide(side=side, pictures=pictures, others=others)


Found = list[tuple[TestPicture, bool]]
"""The pictures of a data set, and whether each is tested on."""


def _of_prepared(tree: Tree) -> Found:
    rows: dict[tuple[str, str], list[prepared.DatasetRow]] = defaultdict(list)
    for row in prepared.read_rows(tree):
        rows[row.object, row.image].append(row)
    found: Found = []
    for (name, image), some in rows.items():
        tested = [row for row in some if row.side in ("held_out", "test_good")]
        size = (some[0].height, some[0].width)
        picture = TestPicture(
            object=name,
            image=image,
            defects=tuple(prepared.defect_of(row) for row in tested if row.defect and row.mask),
            size=None if None in size else size,  # type: ignore[arg-type]
            group=some[0].group,
        )
        found.append((picture, bool(tested)))
    return found


def _of_raw(tree: Tree, uri: str, options: DatasetOptions, tell: Callable[[str], None]) -> Found:
    listing = opening.list_pictures(tree, options)
    pictures, unnamed = with_usable_names(listing.pictures)
    opening.refuse_faults(uri, [*listing.faults, *unnamed])
    for line in (*accounting.lines(listing.faults), *listing.remarks):
        tell(f"{uri}: {line}")
    by_path: dict[tuple[str, str], list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_path[picture.object, picture.path].append(picture)
    return [
        (_test_picture(tree, some), any(picture.part != "train" for picture in some))
        for some in by_path.values()
    ]


def _test_picture(tree: Tree, listed: Sequence[Picture]) -> TestPicture:
    image = tree.uri(listed[0].path)
    return TestPicture(
        object=listed[0].object,
        image=image,
        group=listed[0].group,
        defects=tuple(
            DefectImage(
                defect=one.defect,
                image=image,
                mask=tree.uri(one.mask),
                group=one.group,
                mask_rule=one.mask_rule,
            )
            for one in listed
            if one.defect and one.mask
        ),
    )
