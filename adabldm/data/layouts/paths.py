"""Paths as tables write them, found among the paths that are there."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable


def spelled(path: str) -> str:
    r"""One spelling of a path: ``.\test\a.PNG`` as ``test/a.png``, Unicode in its form NFC."""
    parts = unicodedata.normalize("NFC", path.strip()).replace("\\", "/").split("/")
    plain = "/".join(part for part in parts if part not in ("", "."))
    trunk, suffix = posixpath.splitext(plain)
    return trunk + suffix.lower()


def tails(path: str) -> list[str]:
    """The path, and what is left of it without its first folders."""
    parts = path.strip("/").split("/")
    return ["/".join(parts[start:]) for start in range(len(parts))]


class PathFinder:
    """Finds ``paths`` by what tables write for them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._exact: set[str] = set(paths)
        self._spelled: dict[str, list[str]] = defaultdict(list)
        for path in sorted(self._exact):
            self._spelled[spelled(path)].append(path)

    def find(self, written: str, *folders: str) -> str | None:
        """The path that ``written`` means, from the root or else from one of ``folders``.

        None if there is none, or if it is spelled as several are but as none exactly.
        """
        for folder in ("", *folders):
            path = f"{folder}/{written}" if folder else written
            if path in self._exact:
                return path
            alike = self._spelled.get(spelled(path), [])
            if len(alike) == 1:
                return alike[0]
        return None
