"""Are the pictures of a data set what they seem? Each file is read and decoded once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from adabldm.core import images
from adabldm.core.data_uri import content, is_data, shown
from adabldm.core.picture_uri import DatasetFault, cut, read_bytes, split_fragment
from adabldm.core.progress import Progress, untold
from adabldm.data.layouts.records import DatasetFinding, Key, Picture
from adabldm.data.layouts.tree import Tree

READERS = 8
"""Files that are read and decoded at the same time."""

BATCH = 1024
"""Files that are waited for together, so that few results are held."""

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Larger files are not read."""

LEAST_SIDE = 16
"""Pictures with a shorter side than this many pixels are refused."""

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
"""Pillow's modes of 8 bits a channel that convert to grey or colour without loss of range."""


@dataclass(frozen=True, kw_only=True)
class InspectedPicture:
    """A usable picture: its size in pixels, and the share of it that is defect (0 when good)."""

    picture: Picture
    height: int
    width: int
    defect_share: float


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """One file: its usable pictures, or what is wrong with them; ``digest`` of its bytes."""

    path: str
    digest: bytes
    pictures: tuple[InspectedPicture, ...]
    faults: tuple[DatasetFinding, ...]


class _Refused(Exception):
    def __init__(self, kind: str, path: str, rule: str) -> None:
        super().__init__(rule)
        self.fault = DatasetFinding(kind, path, rule)


def inspect(
    tree: Tree, pictures: Sequence[Picture], progress: Progress = untold
) -> tuple[list[InspectedPicture], list[DatasetFinding]]:
    """The pictures that are usable, in order, and a fault for each that is not.

    A picture is usable if it and its mask are whole, of one frame, of 8 bits a channel, of one
    size, at least :data:`LEAST_SIDE` and not over-large; if its mask marks some pixels but not
    all, and is not stored with loss; and if no picture before it has the same bytes (defects come
    first, so that one among the good ones is found), unless both show an object's defects, of
    different types. ``progress`` counts files.
    """
    of_file: dict[str, list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda p: p.defect is None):
        of_file[split_fragment(picture.path)[0]].append(picture)
    usable: dict[Key, InspectedPicture] = {}
    faults: list[DatasetFinding] = []
    seen: dict[bytes, dict[tuple[str, str | None], str]] = defaultdict(dict)
    for done, looked in enumerate(_look_at_all(tree, of_file), 1):
        progress(done, len(of_file))
        faults += looked.faults
        before = dict(seen[looked.digest])
        for found in looked.pictures:
            picture = found.picture
            other = _twin(picture, before)
            if other is None:
                usable[picture.key] = found
                seen[looked.digest][picture.object, picture.defect] = looked.path
            else:
                rule = f"has the same bytes as {other}"
                files = tuple(file for file in picture.files if file != looked.path)
                faults.append(DatasetFinding("same-picture", looked.path, rule, files))
    return [usable[p.key] for p in pictures if p.key in usable], list(dict.fromkeys(faults))


def _twin(picture: Picture, before: dict[tuple[str, str | None], str]) -> str | None:
    """The file among those ``before``, of the same bytes, beside which this one is too many."""
    for (name, defect), path in before.items():
        if name != picture.object or None in (defect, picture.defect) or defect == picture.defect:
            return path
    return None


def _look_at_all(tree: Tree, of_file: dict[str, list[Picture]]) -> Iterator[_Looked]:
    files = list(of_file)
    with ThreadPoolExecutor(READERS) as pool:
        for start in range(0, len(files), BATCH):
            some = files[start : start + BATCH]
            yield from pool.map(lambda path: _look(tree, path, of_file[path]), some)


def _look(tree: Tree, path: str, pictures: Sequence[Picture]) -> _Looked:
    try:
        data = _read(tree, path)
        height, width = _decode(data, path).shape
    except _Refused as refused:
        files = {file for picture in pictures for file in picture.files} - {path}
        fault = refused.fault.with_files(*sorted(files))
        return _Looked(path=path, digest=b"", pictures=(), faults=(fault,))
    found: list[InspectedPicture] = []
    faults: list[DatasetFinding] = []
    masks: dict[str, np.ndarray | DatasetFinding] = {}
    for picture in pictures:
        _, box = split_fragment(picture.path)
        if box and (box.x + box.width > width or box.y + box.height > height):
            rule = f"is not inside its picture of {width} x {height} pixels"
            faults.append(DatasetFinding("part-outside", picture.path, rule, picture.files))
            continue
        share = 0.0
        if picture.mask is not None:
            file, part = split_fragment(picture.mask)
            if file not in masks:
                masks[file] = _mask(tree, file, path, (height, width))
            mask = masks[file]
            if isinstance(mask, DatasetFinding):
                faults.append(replace(mask, path=shown(mask.path)).with_files(*picture.files))
                continue
            share = float(np.mean((mask if part is None else cut(mask, part, picture.mask)) > 0))
        if (lacking := _object_mask_fault(tree, picture, (height, width))) is not None:
            faults.append(lacking)
            picture = replace(picture, foreground=None)
        found.append(
            InspectedPicture(
                picture=picture,
                height=box.height if box else height,
                width=box.width if box else width,
                defect_share=share,
            )
        )
    return _Looked(
        path=path,
        digest=hashlib.sha256(data).digest(),
        pictures=tuple(found),
        faults=tuple(dict.fromkeys(faults)),
    )


def _object_mask_fault(
    tree: Tree, picture: Picture, shape: tuple[int, int]
) -> DatasetFinding | None:
    """Why the picture's own object mask is none."""
    if picture.foreground is None:
        return None
    mask = _mask(tree, picture.foreground, picture.path, shape)
    if not isinstance(mask, DatasetFinding) or mask.kind == "mask-full":
        return None
    rule = f"{mask.rule}; as an object mask it is not used"
    return replace(mask, kind=f"object-{mask.kind}", rule=rule)


def _read(tree: Tree, path: str) -> bytes:
    if is_data(path):
        return content(path)
    size = tree.sizes.get(path, 0)
    if size == 0:
        raise _Refused("empty-file", path, "has 0 bytes")
    if size > MAX_FILE_BYTES:
        raise _Refused("too-large", path, f"has {size} bytes, more than {MAX_FILE_BYTES}")
    uri = tree.uri(path)
    try:
        return read_bytes(uri)
    except DatasetFault as fault:
        raise _Refused("unreadable", path, str(fault).removeprefix(f"{uri}: ")) from fault


def _decode(data: bytes, path: str) -> np.ndarray:
    """Grey uint8 (H, W) of a picture that keeps the rules."""
    try:
        header = images.read_header(data)
    except images.ImageFault as fault:
        kind = "too-large" if isinstance(fault, images.TooLargeFault) else "unreadable"
        raise _Refused(kind, path, str(fault)) from fault
    size = f"{header.width} x {header.height} pixels"
    if min(header.height, header.width) < LEAST_SIDE:
        raise _Refused("too-small", path, f"{size}: each side must have at least {LEAST_SIDE}")
    if header.frames > 1:
        raise _Refused("several-frames", path, f"has {header.frames} frames, must have one")
    if header.mode not in MODES:
        rule = f"has pixels of kind {header.mode!r}, must be grey or RGB of 8 bits a channel"
        raise _Refused("pixel-kind", path, rule)
    try:
        return images.decode(data, "L")
    except images.ImageFault as fault:
        raise _Refused("broken", path, str(fault)) from fault


def _mask(tree: Tree, path: str, image: str, shape: tuple[int, int]) -> np.ndarray | DatasetFinding:
    """The mask at ``path`` for an ``image`` of ``shape``, or why it is none."""
    try:
        data = _read(tree, path)
        mask = _decode(data, path)
    except _Refused as refused:
        return refused.fault
    if mask.shape != shape:
        rule = f"is {mask.shape[1]} x {mask.shape[0]}, its picture {image} {shape[1]} x {shape[0]}"
        return DatasetFinding("mask-size", path, rule)
    if not mask.any():
        return DatasetFinding("mask-empty", path, "marks no pixel")
    if mask.all():
        return DatasetFinding("mask-full", path, "marks every pixel (all that is not 0 is defect)")
    if images.read_header(data).format == "JPEG" and len(np.unique(mask)) > 2:
        return DatasetFinding(
            "mask-lossy", path, "is a JPEG: its noise would be defect; use PNG or BMP"
        )
    return mask
