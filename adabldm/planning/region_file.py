"""``--regions``: where on an object a defect type may lie.

::

    screw/thread_top:
      polygons: [[[0.1, 0.2], [0.9, 0.2], [0.5, 0.8]]]     # x, y as shares of the picture
    screw/scratch_head:
      polygons: [[[100, 80], [300, 80], [300, 260]]]
      size: [512, 512]                                       # then in pixels: width, height
    "*/scratch_neck":
      mask: neck.png                                         # beside this file, or a URI
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from adabldm.core import picture_uri
from adabldm.core.faults import InputFault
from adabldm.placement.regions import Region, RegionFault, in_shares
from adabldm.planning.scopes import Pair, pair_of, read_yaml

OPTION = "--regions"
PARTS = ("polygons", "size", "mask")


def read_regions(uri: str, pairs: Iterable[Pair]) -> dict[Pair, Region]:
    """Regions by object and type; ``pairs`` are those of the data set.

    Raises :class:`InputFault` for a file that cannot be read, and with every fault of its
    content.
    """
    known = list(pairs)
    faults: list[str] = []
    found: dict[Pair, Region] = {}
    for key, value in read_yaml(OPTION, uri).items():
        try:
            pair = pair_of(OPTION, key, known)
            found[pair] = _region(f"{OPTION}: {key}", value, uri)
        except InputFault as fault:
            faults += fault.lines
    if faults:
        raise InputFault(*faults)
    return found


def _region(place: str, value: object, uri: str) -> Region:
    if not isinstance(value, dict) or not ({"polygons", "mask"} & set(value)):
        raise InputFault.of(place, value, "must have polygons or a mask")
    for name in value:
        if name not in PARTS:
            raise InputFault.of(place, name, f"must be one of {', '.join(PARTS)}")
    try:
        return Region(polygons=_polygons(place, value), mask=_mask(place, value.get("mask"), uri))
    except RegionFault as fault:
        raise InputFault(f"{place}: {fault}") from fault


def _polygons(place: str, value: Mapping[str, Any]) -> tuple[tuple[tuple[float, float], ...], ...]:
    width, height = 1.0, 1.0
    if (size := value.get("size")) is not None:
        if not _numbers(size, 2) or min(size) <= 0:
            raise InputFault.of(f"{place}.size", size, "must be [width, height] in pixels")
        width, height = size
    polygons = value.get("polygons", [])
    if not isinstance(polygons, list) or not all(
        isinstance(corners, list) and all(_numbers(corner, 2) for corner in corners)
        for corners in polygons
    ):
        raise InputFault.of(f"{place}.polygons", polygons, "must be lists of corners [x, y]")
    return tuple(in_shares(corners, width, height) for corners in polygons)


def _numbers(value: object, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(v, int | float) and not isinstance(v, bool) for v in value)
    )


def _mask(place: str, name: object, uri: str) -> Any:
    if name is None:
        return None
    if not isinstance(name, str) or not name:
        raise InputFault.of(f"{place}.mask", name, "must be the URI of a picture")
    folder = posixpath.dirname(uri)
    elsewhere = "://" in name or name.startswith("/") or not folder
    try:
        return picture_uri.read_mask(name if elsewhere else f"{folder}/{name}")
    except picture_uri.DatasetFault as fault:
        raise InputFault(f"{place}.mask: {fault}") from fault
