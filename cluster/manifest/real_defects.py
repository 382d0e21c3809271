"""The few real defects that a plan is made from, as descriptors beside its manifest: what a drawn
defect is compared with, where the data set is not at hand."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from adabldm.core.faults import InputFault, JobFault, one_line
from cluster.manifest.parquet_guard import open_parquet
from cluster.storage.doubt import believed, undenied
from cluster.storage.location import Location, passes
from cluster.storage.whole_files import write_whole

if TYPE_CHECKING:
    from adabldm.core.objects import DefectImage, ObjectFolder
    from adabldm.judging.likeness import RealDefects
    from cluster.manifest.reader import Manifest

SCHEMA = pa.schema(
    [
        pa.field("object", pa.string()),
        pa.field("defect", pa.string()),
        pa.field("group", pa.string()),
        pa.field("descriptor", pa.list_(pa.float32())),
    ]
)
"""One real defect and type a row; ``descriptor`` as :func:`adabldm.judging.likeness.descriptor`."""

METHOD = b"adabldm.likeness"
"""Key of the file's metadata that holds the descriptors' version."""
BROKEN = (pa.ArrowException, ValueError, TypeError)
"""What is raised over a file that is something else."""


class Kept(Protocol):
    """As :class:`adabldm.planning.place_maps.Kept`."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, data: bytes) -> None: ...


@dataclass(frozen=True, kw_only=True)
class RealDefect:
    """A row of :data:`SCHEMA`."""

    object: str
    defect: str
    group: str
    descriptor: np.ndarray


def described(objects: Sequence[ObjectFolder], kept: Kept) -> Iterator[RealDefect]:
    """All real defects of ``objects`` that may be learned from; ``kept`` has those described
    before. Raises :class:`InputFault` for a picture that cannot be used."""
    from adabldm.core.picture_uri import DatasetFault

    for folder in objects:
        for number, item in enumerate(folder.defects):
            try:
                found = _descriptor(item, kept)
            except DatasetFault as fault:
                raise InputFault(f"DATASET: {fault}") from fault
            yield RealDefect(
                object=folder.name,
                defect=item.defect,
                group=item.group or f"picture {number}",
                descriptor=found,
            )


def _descriptor(item: DefectImage, kept: Kept) -> np.ndarray:
    from adabldm.core.picture_uri import DatasetFault, read_bytes, split_fragment
    from adabldm.judging import likeness

    digest = hashlib.sha256(f"real defect {likeness.METHOD} {item.mask_rule}".encode())
    for uri in (item.image, item.mask):
        file, box = split_fragment(uri)
        digest.update(hashlib.sha256(read_bytes(file)).digest() + repr(box).encode())
    name = digest.hexdigest()
    data = kept.get(name)
    if data is not None and len(data) % 4 == 0:
        return np.frombuffer(data, np.float32)

    from adabldm.core.picture_uri import read_defect_mask, read_picture

    image, mask = read_picture(item.image), read_defect_mask(item.mask, item.mask_rule)
    if mask.shape != image.shape[:2]:
        raise DatasetFault(f"{item.mask}: is not of the size of its picture {item.image}")
    cut, inside = likeness.crop(image, mask)
    found = likeness.descriptor(sight(cut), inside)
    kept.put(name, found.tobytes())
    return found


def sight(image: np.ndarray) -> np.ndarray:
    """What is seen at the places of uint8 (H, W, 3), with the encoder in the package: the features
    of all descriptors in such files."""
    from adabldm.foreground.features import EncoderFeatures
    from adabldm.foreground.places import look

    return look(image, EncoderFeatures())


def write_real_defects(place: Location, rows: Sequence[RealDefect]) -> None:
    """Write the file at ``place``, whole or not at all."""
    from adabldm.judging import likeness

    table = pa.table(
        [
            pa.array([row.object for row in rows], pa.string()),
            pa.array([row.defect for row in rows], pa.string()),
            pa.array([row.group for row in rows], pa.string()),
            pa.array([row.descriptor.tolist() for row in rows], pa.list_(pa.float32())),
        ],
        schema=SCHEMA.with_metadata({METHOD: str(likeness.METHOD).encode()}),
    )
    with write_whole(place) as handle:
        pq.write_table(table, handle, compression="zstd")


def real_defects_of(manifest: Manifest) -> dict[tuple[str, str], RealDefects]:
    """The real defects of each object and type that the rows were planned from; those of the first
    file, where several parts of a manifest have some. As :func:`read_real_defects`."""
    found: dict[tuple[str, str], RealDefects] = {}
    for place in manifest.real_defects:
        found = read_real_defects(place) | found
    return found


def read_real_defects(place: Location) -> dict[tuple[str, str], RealDefects]:
    """The real defects of each object and type; none if the file is not there, or of another
    version.

    Raises :class:`InputFault` for a file that is broken, :class:`JobFault` for a store that stays
    away.
    """
    try:
        return believed(place, lambda: _read(place), BROKEN)
    except (*BROKEN, OSError) as error:
        if passes(place, error):
            raise JobFault(f"{place.shown}: cannot be read ({one_line(error)})") from error
        raise InputFault.of("real defects", place.shown, one_line(error)) from error


def _read(place: Location) -> dict[tuple[str, str], RealDefects]:
    from adabldm.judging import likeness

    if not undenied(place, place.exists):
        return {}
    with open_parquet(place) as file:
        table = file.read()
    if (table.schema.metadata or {}).get(METHOD) != str(likeness.METHOD).encode():
        return {}
    if not table.schema.equals(SCHEMA):
        raise ValueError("has other columns")
    found: dict[tuple[str, str], list[dict]] = defaultdict(list)
    for row in table.to_pylist():
        found[row["object"], row["defect"]].append(row)
    return {
        pair: likeness.RealDefects(
            descriptors=np.array([row["descriptor"] for row in some], np.float32),
            groups=tuple(row["group"] for row in some),
            features=sight,
        )
        for pair, some in found.items()
    }


def fingerprint_of(real: Mapping[tuple[str, str], RealDefects]) -> str:
    """SHA-256 of what distances are measured with."""
    from adabldm.judging import likeness

    digest = hashlib.sha256(str(likeness.METHOD).encode())
    for pair, some in sorted(real.items()):
        digest.update(repr((pair, some.groups, some.descriptors.shape)).encode())
        digest.update(some.descriptors.tobytes())
    return digest.hexdigest()
