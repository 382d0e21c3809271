"""Where a manifest's pictures may come from, and which file a row means by a path."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache

from adabldm.core.faults import InputFault
from cluster.storage.location import Location
from cluster.storage.web import HTTP

KEPT_FOLDERS = 10_000
LINK_BYTES = 4_096
"""Longest text that can be where a symbolic link leads."""
OTHER_MACHINE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
"""How paths on a Windows drive or share begin."""


class Roots:
    """The manifest's own ``folder``, and the URIs that a user has ``allowed`` besides.

    Raises :class:`InputFault` for a URI that is none.
    """

    def __init__(self, folder: Location, allowed: Sequence[str] = ()) -> None:
        self._folder = folder
        self._all = [folder, *map(_allowed, allowed)]
        self._refuse_no_folder = lru_cache(KEPT_FOLDERS)(_refuse_no_folder)

    @property
    def shown(self) -> str:
        return ", ".join(root.shown for root in self._all)

    def resolve(self, path: str) -> Location:
        """The file that a row names: a URI, or a path relative to the manifest's folder, which may
        be written with backslashes.

        Raises ``ValueError`` if it is outside the roots, naming the link that leads there.
        """
        if OTHER_MACHINE.match(path):
            rule = "is a path on a Windows machine: write it relative to the manifest's folder"
            raise ValueError(f"{rule}, or as a URI")
        place = Location.of(path, self._folder)
        if "\\" in path and "://" not in path and not place.exists():
            path = path.replace("\\", "/")
            place = Location.of(path, self._folder)
        if not self._holds(place):
            raise ValueError(self._outside(path, place))
        if place.is_local:
            self._refuse_no_folder(place.parent.path)
        return place

    def _holds(self, place: Location) -> bool:
        return any(place.inside(root) for root in self._all)

    def _outside(self, path: str, place: Location) -> str:
        """The rule that ``place``, named as ``path``, breaks."""
        if place.protocol in HTTP:
            allowed = f"--allow-root {place.parent.uri} would allow it"
            return f"{place.protocol} is read below an allowed root only ({self.shown}); {allowed}"
        link = self._way_out(path) if place.is_local else None
        if link is None:
            return f"is outside the allowed roots ({self.shown}); --allow-root allows more"
        end = os.path.realpath(link)
        folder = end if os.path.isdir(end) else os.path.dirname(end)
        return (
            f"{link} is a symbolic link to {end}, outside the allowed roots ({self.shown}); "
            f"--allow-root {folder} allows it"
        )

    def _way_out(self, path: str) -> str | None:
        """The symbolic link by which a local ``path`` leaves the roots, if it is one."""
        bare = os.path.expanduser(path.removeprefix("file://"))
        whole = os.path.normpath(os.path.join(self._folder.path, bare))
        parts = whole.split("/")
        for length in range(2, len(parts) + 1):
            step = "/".join(parts[:length])
            above, end = (_real(os.path.dirname(step)), _real(step))
            if os.path.islink(step) and self._holds(above) and not self._holds(end):
                return step
        return None


def _real(path: str) -> Location:
    return Location("file", os.path.realpath(path))


def _allowed(uri: str) -> Location:
    try:
        return Location.of(uri)
    except ValueError as error:
        raise InputFault.of("--allow-root", uri, str(error)) from error


def _refuse_no_folder(path: str) -> None:
    """Raise ``ValueError`` if the local folder ``path`` is, or is below, a file."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    if os.path.isdir(path):
        return
    rule = f"{path} is a file, not a folder"
    if text := _text_of_link(path):
        rule += f"; it says {text!r}, as a symbolic link does that was copied as text"
    raise ValueError(rule)


def _text_of_link(path: str) -> str | None:
    """The text in a small file of one line."""
    try:
        if os.path.getsize(path) > LINK_BYTES:
            return None
        with open(path, "rb") as file:
            text = file.read().decode().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return text if text.isprintable() else None
