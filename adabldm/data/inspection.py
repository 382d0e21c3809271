"""Are the pictures of a data set what they seem? Each file is read and decoded once."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from adabldm.core import images, masks
from adabldm.core.data_uri import content, is_data, shown
from adabldm.core.mask_rule import AUTO, MaskRule
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

CLASS_NUMBERS = 32
"""Masks marked by smaller numbers may be numbered by class."""


@dataclass(frozen=True, kw_only=True)
class InspectedPicture:
    """A usable picture: its size in pixels, the share of it that is defect (0 when good), and the
    ``number`` that its mask has in the file, as in :class:`adabldm.core.masks.Mask`."""

    picture: Picture
    height: int
    width: int
    defect_share: float
    number: float | None = None


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """The ``pictures`` that are usable, in order; a fault for each that is not; and notes of what
    was decided about masks."""

    pictures: list[InspectedPicture]
    faults: list[DatasetFinding]
    notes: list[DatasetFinding]


@dataclass(frozen=True, kw_only=True)
class _Looked:
    """One file: its usable pictures, or what is wrong with them; what was decided about its masks;
    ``digest`` of its bytes."""

    path: str
    digest: bytes
    pictures: tuple[InspectedPicture, ...]
    faults: tuple[DatasetFinding, ...]
    notes: tuple[DatasetFinding, ...] = ()


class _Refused(Exception):
    def __init__(self, kind: str, path: str, rule: str) -> None:
        super().__init__(rule)
        self.fault = DatasetFinding(kind, path, rule)


def inspect(tree: Tree, pictures: Sequence[Picture], progress: Progress = untold) -> Inspected:
    """Look at all ``pictures``.

    A picture is usable if it can be decoded (:mod:`adabldm.core.images`) and has at least
    :data:`LEAST_SIDE` pixels a side; if its mask is of its size and plausible
    (:mod:`adabldm.core.masks`); and if no picture before it has the same bytes (defects come
    first, so that one among the good ones is found), unless both show an object's defects, of
    different types. ``progress`` counts files.
    """
    of_file: dict[str, list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda p: p.defect is None):
        of_file[split_fragment(picture.path)[0]].append(picture)
    usable: dict[Key, InspectedPicture] = {}
    faults: list[DatasetFinding] = []
    notes: list[DatasetFinding] = []
    seen: dict[bytes, dict[tuple[str, str | None], str]] = defaultdict(dict)
    for done, looked in enumerate(_look_at_all(tree, of_file), 1):
        progress(done, len(of_file))
        faults += looked.faults
        notes += looked.notes
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
    mixed = _refuse_numbers(list(usable.values()))
    refused = {fault.path for fault in mixed}
    kept = [
        usable[p.key] for p in pictures if p.key in usable and not (p.mask and p.mask in refused)
    ]
    return Inspected(pictures=kept, faults=list(dict.fromkeys([*faults, *mixed])), notes=notes)


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
    notes: list[DatasetFinding] = []
    known: dict[tuple[str, MaskRule], masks.Mask | DatasetFinding] = {}
    for picture in pictures:
        _, box = split_fragment(picture.path)
        if box and (box.x + box.width > width or box.y + box.height > height):
            rule = f"is not inside its picture of {width} x {height} pixels"
            faults.append(DatasetFinding("part-outside", picture.path, rule, picture.files))
            continue
        share, number = 0.0, None
        if picture.mask is not None:
            file, part = split_fragment(picture.mask)
            key = file, picture.mask_rule
            if key not in known:
                known[key] = _mask(tree, file, path, picture.mask_rule, (height, width))
            mask = known[key]
            if isinstance(mask, DatasetFinding):
                faults.append(replace(mask, path=shown(mask.path)).with_files(*picture.files))
                continue
            marks = mask.pixels if part is None else cut(mask.pixels, part, picture.mask)
            share, number = float(np.mean(marks > 0)), mask.number
            notes += [DatasetFinding(note.kind, shown(file), note.rule) for note in mask.notes]
        if (lacking := _object_mask_fault(tree, picture, (height, width))) is not None:
            faults.append(lacking)
            picture = replace(picture, foreground=None)
        found.append(
            InspectedPicture(
                picture=picture,
                height=box.height if box else height,
                width=box.width if box else width,
                defect_share=share,
                number=number,
            )
        )
    return _Looked(
        path=path,
        digest=hashlib.sha256(data).digest(),
        pictures=tuple(found),
        faults=tuple(dict.fromkeys(faults)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _object_mask_fault(
    tree: Tree, picture: Picture, shape: tuple[int, int]
) -> DatasetFinding | None:
    """Why the picture's own object mask is none."""
    if picture.foreground is None:
        return None
    try:
        mask = masks.decode_mask(_read(tree, picture.foreground)).pixels
        rule = "" if mask.any() else "marks no pixel"
        if mask.shape != shape:
            size = f"{mask.shape[1]} x {mask.shape[0]}"
            rule = f"is {size}, its picture {picture.path} {shape[1]} x {shape[0]}"
    except (_Refused, images.ImageFault) as fault:
        rule = str(fault)
    if not rule:
        return None
    rule += "; as an object mask it is not used"
    return DatasetFinding("object-mask", picture.foreground, rule)


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
        if min(header.size) < LEAST_SIDE:
            size = f"{header.width} x {header.height} pixels"
            raise _Refused("too-small", path, f"{size}: each side must have at least {LEAST_SIDE}")
        return images.decode(data, "L")
    except images.ImageFault as fault:
        raise _Refused(fault.kind, path, str(fault)) from fault


def _mask(
    tree: Tree, path: str, image: str, rule: MaskRule, shape: tuple[int, int]
) -> masks.Mask | DatasetFinding:
    """The mask at ``path`` for an ``image`` of ``shape``, or why it is none."""
    try:
        mask = masks.decode_defect(_read(tree, path), rule)
    except _Refused as refused:
        return refused.fault
    except images.ImageFault as fault:
        return DatasetFinding(fault.kind, path, str(fault))
    found = mask.pixels.shape
    if found != shape:
        rule_of_size = f"is {found[1]} x {found[0]}, its picture {image} {shape[1]} x {shape[0]}"
        turned = " (one of them is turned by its EXIF orientation?)" if found == shape[::-1] else ""
        return DatasetFinding("mask-size", path, rule_of_size + turned)
    return mask


def _refuse_numbers(usable: Sequence[InspectedPicture]) -> list[DatasetFinding]:
    """Faults of masks of one type that are marked by different small numbers: which class is this
    type's? Those whose rule was said are left alone."""
    numbers: dict[tuple[str, str | None], set[float]] = defaultdict(set)
    by_type: dict[tuple[str, str | None], list[InspectedPicture]] = defaultdict(list)
    for found in usable:
        picture = found.picture
        if picture.mask_rule == AUTO and found.number is not None and found.number < CLASS_NUMBERS:
            numbers[picture.object, picture.defect].add(found.number)
            by_type[picture.object, picture.defect].append(found)
    return [
        DatasetFinding(
            "mask-classes",
            found.picture.mask or "",
            f"is marked by {found.number:g}, others of {found.picture.defect} by "
            f"{', '.join(f'{n:g}' for n in sorted(kinds - {found.number}))}: `--mask-rule value:N` "
            "(in dataset.yaml `value: N` at each type) says which is this defect",
            found.picture.files,
        )
        for key, kinds in numbers.items()
        if len(kinds) > 1
        for found in by_type[key]
        if found.number is not None
    ]
