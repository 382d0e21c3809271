"""Whether a file is still the one that was looked at, told without reading it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cluster.storage import web
from cluster.storage.location import Location, insistently

MARKS = ("ETag", "etag", "md5Hash", "generation")
"""What stores tell of a file's content."""
THREADS = 16


def stamp_of(place: Location) -> str | None:
    """What changes with the file's content; None where its store has nothing like it, or the file
    is not there."""
    try:
        if place.is_local:
            return _local(place.path)
        if place.protocol in web.HTTP:
            return None
        return _remote(insistently(lambda: place.fs.info(place.path)))
    except OSError:
        return None


def stamps_of(places: Iterable[Location]) -> Iterator[tuple[Location, str | None]]:
    """As :func:`stamp_of`, of many: a store is asked for a folder at a time."""
    folders: dict[Location, list[Location]] = defaultdict(list)
    for place in places:
        if place.is_local or place.protocol in web.HTTP:
            yield place, stamp_of(place)
        else:
            folders[place.parent].append(place)
    with ThreadPoolExecutor(THREADS) as pool:
        for inside, found in zip(folders.values(), pool.map(_listed, folders), strict=True):
            for place in inside:
                yield place, found.get(place.path)


def _local(path: str) -> str:
    there = os.stat(path)
    return f"{there.st_size}:{there.st_mtime_ns}:{there.st_ctime_ns}:{there.st_ino}"


def _remote(info: Mapping[str, Any]) -> str | None:
    mark = next((info[name] for name in MARKS if info.get(name)), None)
    return None if mark is None else f"{info.get('size')}:{mark}"


def _listed(folder: Location) -> dict[str, str | None]:
    try:
        found = insistently(lambda: folder.fs.ls(folder.path, detail=True))
    except OSError:
        return {}
    return {one["name"].rstrip("/"): _remote(one) for one in found}
