"""The files below a folder on any fsspec file system, listed once."""

from __future__ import annotations

import csv
import io
import os
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath

import fsspec
from fsspec.implementations.local import LocalFileSystem

from adabldm.core.data_uri import is_data
from adabldm.core.picture_uri import SUFFIXES, DatasetFault, read_bytes, split_fragment

MAX_TEXT_BYTES = 64 * 1024 * 1024
"""Longest table or settings file that is read."""

UNREAD_SUFFIXES = (
    *(".arw", ".avif", ".cr2", ".dng", ".exr", ".gif", ".heic", ".heif", ".j2k", ".jfif", ".jp2"),
    *(".jpe", ".jxl", ".nef", ".npy", ".pbm", ".pgm", ".pnm", ".ppm", ".psd", ".raw", ".svg"),
    ".tga",
)
"""Pictures, but of types that are not decoded."""

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")


def join(*parts: str) -> str:
    """A path from its parts, empty ones left out."""
    return "/".join(part for part in parts if part)


def stem(path: str) -> str:
    """``000`` for ``test/crack/000.png``."""
    return PurePosixPath(path).stem


def _walk(folder: str, above: frozenset[str]) -> Iterator[tuple[str, int | None]]:
    """A local folder with what symbolic links lead to, but not round in a circle."""
    real = os.path.realpath(folder)
    if real in above or not os.path.isdir(folder):
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield entry.path, None
                yield from _walk(entry.path, above | {real})
            else:
                yield entry.path, entry.stat().st_size if os.path.exists(entry.path) else 0


class Tree:
    """Every file below ``uri``, by its path relative to it; ``hidden`` ones are kept apart.

    Raises :class:`DatasetFault` if it is no folder, or the file system cannot list it.
    """

    def __init__(self, uri: str) -> None:
        try:
            # Never from memory: the folder may have been written to a moment ago.
            self.fs, root = fsspec.url_to_fs(uri, use_listings_cache=False)
            self.root = root.rstrip("/")
            found = list(self._find())
            is_file = not found and self.fs.isfile(self.root)
            exists = bool(found) or self.fs.exists(self.root)
        except Exception as error:  # stores raise classes of their own
            raise DatasetFault(f"{uri}: cannot be listed: {error}") from error
        if is_file:
            packed = self.root.lower().endswith(ARCHIVE_SUFFIXES)
            what = "unpack it" if packed else "name the folder of the data set"
            raise DatasetFault(f"{uri}: is a file: {what}")
        if not exists:
            raise DatasetFault(f"{uri}: there is no such folder")
        self.uri_of_root: str = self.fs.unstrip_protocol(self.root)
        self.name = posixpath.basename(self.root)
        self.sizes: dict[str, int] = {}
        self.hidden: list[str] = []
        self._files: dict[str, list[str]] = defaultdict(list)
        self._folders: dict[str, set[str]] = defaultdict(set)
        for path, size in found:
            if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in path):
                shown = ascii(path[len(self.root) :].strip("/"))
                raise DatasetFault(f"{uri}: {shown}: a file's name must be UTF-8 text in one line")
            self._add(path[len(self.root) :].strip("/"), size)

    def _find(self) -> Iterator[tuple[str, int | None]]:
        """Every path below, with a file's size and None for a folder."""
        if isinstance(self.fs, LocalFileSystem):
            yield from _walk(self.root, frozenset())
            return
        for path, facts in self.fs.find(self.root, withdirs=True, detail=True).items():
            yield path, None if facts["type"] == "directory" else int(facts["size"] or 0)

    def _add(self, path: str, size: int | None) -> None:
        parts = PurePosixPath(path).parts
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            self.hidden += [path] if size is not None else []
            return
        if not parts:
            return
        if size is not None:
            self.sizes[path] = size
            self._files[posixpath.dirname(path)].append(path)
        for depth in range(1, len(parts) + (size is None)):
            self._folders[join(*parts[: depth - 1])].add(parts[depth - 1])

    def folders(self, folder: str = "") -> list[str]:
        """Names of the folders in ``folder``, sorted."""
        return sorted(self._folders[folder]) if folder in self._folders else []

    def has_folder(self, folder: str) -> bool:
        return posixpath.basename(folder) in self.folders(posixpath.dirname(folder))

    def files(self, folder: str = "") -> list[str]:
        """Paths of the files in ``folder`` itself, sorted."""
        return sorted(self._files[folder]) if folder in self._files else []

    def pictures(self, folder: str) -> list[str]:
        """Paths of the pictures in ``folder`` itself, sorted."""
        return [path for path in self.files(folder) if path.lower().endswith(SUFFIXES)]

    def below(self, folder: str = "") -> Iterator[str]:
        """Paths of the files in ``folder`` and its folders, each folder's sorted."""
        yield from self.files(folder)
        for name in self.folders(folder):
            yield from self.below(join(folder, name))

    def pictures_below(self, folder: str) -> list[str]:
        """Paths of the pictures in ``folder`` and its folders."""
        return [path for path in self.below(folder) if path.lower().endswith(SUFFIXES)]

    def uri(self, path: str) -> str:
        """The URI of ``path``, whose fragment is kept; a ``data:`` URI is one already."""
        if is_data(path):
            return path
        file, box = split_fragment(path)
        whole: str = self.fs.unstrip_protocol(f"{self.root}/{file}")
        return whole + (box.fragment if box else "")

    def read_text(self, path: str) -> str:
        """The UTF-8 text at ``path``. Raises :class:`DatasetFault`."""
        if self.sizes.get(path, 0) > MAX_TEXT_BYTES:
            raise DatasetFault(f"{path}: has more than {MAX_TEXT_BYTES} bytes")
        return decode_text(read_bytes(self.uri(path)), path)

    def rows(self, path: str, *columns: str) -> Iterator[dict[str, str]]:
        """Rows of the CSV at ``path``. Raises :class:`DatasetFault` if one of ``columns`` lacks."""
        return read_rows(self.read_text(path), path, *columns)


def decode_text(data: bytes, name: str) -> str:
    """UTF-8 ``data``, a leading byte order mark left out. Raises :class:`DatasetFault`."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetFault(f"{name}: must be UTF-8 text: {error}") from error


def read_rows(text: str, name: str, *columns: str) -> Iterator[dict[str, str]]:
    """Rows of a CSV as column to stripped value; missing values are empty.

    Raises :class:`DatasetFault` if one of ``columns`` is not in the first line.
    """
    lines = csv.DictReader(io.StringIO(text, newline=""))
    try:
        known = [(column or "").strip() for column in lines.fieldnames or []]
    except csv.Error as error:
        raise DatasetFault(f"{name}: is not a CSV table: {error}") from error
    lines.fieldnames = known
    for column in columns:
        if column not in known:
            raise DatasetFault(f"{name}: its first line must name a column {column!r}, is {known}")
    try:
        for row in lines:
            yield {key: (row[key] or "").strip() for key in known}
    except csv.Error as error:
        raise DatasetFault(f"{name}: is not a CSV table: {error}") from error
