"""The score maps of a test side, as files in a folder: found by name, checked before use."""

from __future__ import annotations

import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from adabldm.core import images
from adabldm.core.data_uri import shown
from adabldm.core.picture_uri import DatasetFault, cut, read_bytes, split_fragment
from adabldm.core.progress import Progress, untold
from adabldm.data.layouts import Tree
from adabldm.evaluation import score_maps
from adabldm.evaluation.score_maps import ScoreFault
from adabldm.evaluation.tested import TestPicture, TestSide

READERS = 8
NAMED = 10
"""Files that a fault names."""

TEST_FOLDERS = ("test", "test_public")
MOST_FOLDERS = 8


class MapsFault(ValueError):
    """A folder that is not one map a test picture; ``lines`` hold a kind of fault each."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


@dataclass(frozen=True)
class MatchedMaps:
    """The path below the folder of each test picture's map, by the picture's file (URI)."""

    tree: Tree
    paths: dict[str, str]
    remarks: tuple[str, ...]


def match(tree: Tree, side: TestSide) -> MatchedMaps:
    """Find the map of each picture of ``side`` in the folder ``tree``.

    A map has the end of its picture's path with a suffix of its own: ``crack/000.npy``,
    ``test/crack/000.npy``. Left out may be what stands above the type, so ``hazelnut/crack/000``
    is a name of ``hazelnut/test/crack/000.png``; a good picture's type is ``good``. Maps of
    pictures that the data set has and does not test on are remarked and not used.
    Raises :class:`MapsFault` for pictures without a map, and for maps of no picture, of several,
    or beside another of the same.
    """
    found = _Found(_Names(side.pictures), _Names(_unnamed(side.others)))
    for path in tree.below():
        found.take(path)
    if lines := found.faults():
        raise MapsFault(*(f"{tree.root}: {line}" for line in lines))
    return MatchedMaps(tree, found.paths, tuple(found.remarks()))


def _unnamed(uris: Iterable[str]) -> list[TestPicture]:
    return [TestPicture(object="", image=uri) for uri in uris]


class _Found:
    """The files of a folder, each with its picture or with what it is instead."""

    def __init__(self, tested: _Names, others: _Names) -> None:
        self._tested, self._others = tested, others
        self.paths: dict[str, str] = {}
        self._wrong: dict[str, list[str]] = defaultdict(list)
        self._unused: list[str] = []
        self._beside: list[str] = []

    def take(self, path: str) -> None:
        trunk, suffix = posixpath.splitext(path)
        if suffix.lower() not in score_maps.SUFFIXES:
            self._beside.append(path)
            return
        files = self._tested.files(trunk)
        if len(files) == 1:
            first = self.paths.setdefault(files[0], path)
            if first != path:
                self._wrong["second maps of one picture"].append(f"{path} (after {first})")
        elif files:
            self._wrong["names of several pictures' maps"].append(path)
        elif self._others.files(trunk):
            self._unused.append(path)
        else:
            self._wrong["maps of no picture of the data set"].append(path)

    def faults(self) -> list[str]:
        lines = [f"has {what} ({len(some)}): {_some(some)}" for what, some in self._wrong.items()]
        expected = self._tested.expected
        if missing := [name for file, name in expected.items() if file not in self.paths]:
            kinds = f"{', '.join(score_maps.SUFFIXES[:-1])} or {score_maps.SUFFIXES[-1]}"
            many = f"has no map of {len(missing)} of {len(expected)} test pictures"
            lines.insert(0, f"{many}: {_some(missing)} ({kinds})")
        return lines

    def remarks(self) -> list[str]:
        counted = (
            (self._unused, "maps of pictures that are not tested on are not used"),
            (self._beside, "files are no maps"),
        )
        return [f"{what} ({len(some)}): {_some(some)}" for some, what in counted if some]


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


class _Names:
    """The files of pictures, and by what names their maps may go; ``expected`` is the usual one."""

    def __init__(self, pictures: Iterable[TestPicture]) -> None:
        self._files: dict[str, dict[str, None]] = defaultdict(dict)
        self.expected: dict[str, str] = {}
        usual: dict[str, dict[str, None]] = defaultdict(dict)
        named: dict[str, str] = {}
        for picture in pictures:
            file = split_fragment(picture.image)[0]
            parts = _parts(file)
            short = _below_test(parts)
            named[file] = f"{picture.object}/{short}" if picture.object else short
            usual[short][file] = None
            for name in (*_ends(parts), *_labelled(parts, picture), short, named[file]):
                self._files[name][file] = None
        for short, files in usual.items():
            for file in files:
                self.expected[file] = short if len(files) == 1 else named[file]

    def files(self, trunk: str) -> list[str]:
        """The files whose map may be called ``trunk``."""
        return list(self._files.get(unicodedata.normalize("NFC", trunk), ()))


def _parts(file: str) -> list[str]:
    plain = unicodedata.normalize("NFC", posixpath.splitext(file.partition("://")[2] or file)[0])
    return [part for part in plain.split("/") if part]


def _ends(parts: list[str]) -> list[str]:
    return [
        "/".join(parts[start:]) for start in range(max(0, len(parts) - MOST_FOLDERS), len(parts))
    ]


def _below_test(parts: list[str]) -> str:
    """``crack/000`` for ``hazelnut/test/crack/000``; of other layouts the last folder's."""
    for place in range(len(parts) - 3, -1, -1):
        if parts[place] in TEST_FOLDERS:
            return "/".join(parts[place + 1 :])
    return "/".join(parts[-2:])


def _labelled(parts: list[str], picture: TestPicture) -> list[str]:
    """The picture's name below its types' names, and these below the object's, if that is known."""
    if not picture.object:
        return []
    types = [one.defect for one in picture.defects] or ["good"]
    names = [f"{kind}/{parts[-1]}" for kind in types]
    return names + [f"{picture.object}/{name}" for name in names]


class ScoreMaps:
    """Reads the maps of the test side, at the size of their pictures; all were looked at."""

    def __init__(self, maps: MatchedMaps, side: TestSide, progress: Progress = untold) -> None:
        """Raises :class:`MapsFault` for each map whose header says that it is none, or whose sides
        have another ratio than its picture's; :class:`DatasetFault` for a picture that is none."""
        self._maps = maps
        self._sizes: dict[str, tuple[int, int]] = {}
        known = {split_fragment(p.image)[0]: p for p in side.pictures}
        faults: dict[str, list[str]] = defaultdict(list)
        with ThreadPoolExecutor(READERS) as pool:
            looked = pool.map(self._look, known.values())
            for done, (file, (size, fault)) in enumerate(zip(known, looked, strict=True), 1):
                self._sizes[file] = size
                if fault:
                    faults[fault].append(maps.paths[file])
                progress(done, len(known))
        if faults:
            root = maps.tree.root
            raise MapsFault(
                *(
                    f"{root}/{some[0]}: {rule}" + (f"; so {_some(some[1:])}" if some[1:] else "")
                    for rule, some in faults.items()
                )
            )

    def _look(self, picture: TestPicture) -> tuple[tuple[int, int], str]:
        """The size of the picture's file, and what is wrong with its map."""
        file, box = split_fragment(picture.image)
        size = picture.size if box is None else None
        if size is None:
            try:
                size = images.read_size(read_bytes(file))
            except images.ImageFault as fault:
                raise DatasetFault(f"{shown(file)}: {fault}") from fault
        path = self._maps.paths[file]
        try:
            found = self._header(path)
        except ScoreFault as fault:
            return size, str(fault)
        if not score_maps.same_shape(found, size):
            both = f"{found[1]} x {found[0]}, its picture is {size[1]} x {size[0]}"
            return size, f"is {both}: width to height must be as there"
        return size, ""

    def _header(self, path: str) -> tuple[int, int]:
        """The size of the map at ``path``. Raises :class:`ScoreFault`."""
        tree = self._maps.tree
        length = tree.sizes[path]
        if _suffix(path) != score_maps.NPY or length <= score_maps.HEADER_BYTES:
            return score_maps.look(self._data(path), _suffix(path), length)
        try:
            head = tree.fs.cat_file(f"{tree.root}/{path}", 0, score_maps.HEADER_BYTES)
        except Exception as error:  # stores raise classes of their own
            raise ScoreFault(f"cannot be read: {error}") from error
        return score_maps.look(head, score_maps.NPY, length)

    def _data(self, path: str) -> bytes:
        uri = self._maps.tree.uri(path)
        try:
            return read_bytes(uri)
        except DatasetFault as fault:
            raise ScoreFault(str(fault).removeprefix(f"{uri}: ")) from fault

    def read(self, picture: TestPicture) -> np.ndarray:
        """The scores of ``picture``, (H, W) as its masks. Raises :class:`MapsFault`."""
        file, box = split_fragment(picture.image)
        path = self._maps.paths[file]
        try:
            scores = score_maps.decode(self._data(path), _suffix(path))
        except ScoreFault as fault:
            raise MapsFault(f"{self._maps.tree.root}/{path}: {fault}") from fault
        scores = score_maps.fit(scores, self._sizes[file])
        return scores if box is None else cut(scores, box, picture.image)


def _suffix(path: str) -> str:
    return posixpath.splitext(path)[1].lower()
