"""A data set in MVTec AD layout read whole, nothing held out."""

from __future__ import annotations

from adabldm.core.objects import ObjectFolder
from adabldm.core.picture_uri import DatasetFault
from adabldm.data import layouts, prepared


def read_mvtec(uri: str) -> list[ObjectFolder]:
    """List the objects of a data set in MVTec AD layout without a split: all defects are there.

    ``uri`` is an object's own folder, or a root of several. Raises :class:`DatasetFault` if there
    is none, or if a fault shows in the folders, as a defect picture without its mask.
    """
    tree = layouts.Tree(uri)
    listing = layouts.read(tree, "mvtec")
    if listing.faults:
        raise DatasetFault("\n".join(f"{uri}: {fault}" for fault in listing.faults))
    return prepared.assemble(
        prepared.to_rows(tree, listing.pictures, prepared.unsplit(listing.pictures), {})
    )
