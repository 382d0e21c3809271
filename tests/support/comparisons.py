"""A prepared data set with defects that a tiny detector finds, and pairs made on its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from adabldm.core.images import encode_png
from cluster.output.index import Ledger
from cluster.output.paths import extra_key, image_key, mask_key
from cluster.output.schema import INDEX
from cluster.storage.hashing import sha256
from cluster.storage.location import Location
from jobs.verbs import prepare

HEIGHT, WIDTH = 40, 56
TYPES = {"crack": (3, 14), "hole": (8, 8)}
"""Height and width of each type's defects."""


@dataclass(frozen=True)
class Drawn:
    """A picture, uint8 (H, W), and its defect, bool (H, W)."""

    image: np.ndarray
    mask: np.ndarray


def draw(seed: int, defect: str | None = None) -> Drawn:
    """Grey noise, with a bright defect."""
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 8, (HEIGHT, WIDTH))
    mask = np.zeros((HEIGHT, WIDTH), bool)
    if defect:
        rows, cols = TYPES[defect]
        top, left = rng.integers(HEIGHT - rows), rng.integers(WIDTH - cols)
        mask[top : top + rows, left : left + cols] = True
        image[mask] += 70
    return Drawn(np.clip(image, 0, 255).astype(np.uint8), mask)


def data_set(
    root: Path, *, good: int = 4, test_good: int = 3, defects: int = 6, name: str = "plate"
) -> Path:
    """The folder of a data set in MVTec AD layout, all of an object's pictures different."""
    seed = sum(map(ord, name)) * 1000
    for part, count in (("train", good), ("test", test_good)):
        for number in range(count):
            seed += 1
            _save(root / name / part / "good" / f"{number:03d}.png", draw(seed).image)
    for defect in TYPES:
        for number in range(defects):
            seed += 1
            drawn = draw(seed, defect)
            _save(root / name / "test" / defect / f"{number:03d}.png", drawn.image)
            marked = root / name / "ground_truth" / defect / f"{number:03d}_mask.png"
            _save(marked, drawn.mask.astype(np.uint8) * 255)
    return root / name


def prepared_set(root: Path, **how: int) -> Path:
    """:func:`data_set`, prepared with two real defects a type."""
    data = data_set(root / "data", **how)
    prepare.main(str(data), str(root / "prepared"), shots=2, surface="texture")
    return root / "prepared"


def make_pairs(
    place: Path,
    sources: list[Path],
    count: int = 6,
    *,
    item: str = "plate",
    statuses: Mapping[int, str] | None = None,
    keep: bool = False,
) -> Path:
    """An output of ``generate`` with ``count`` rows, types in turn, on ``sources`` in turn."""
    output = Location.of(str(place))
    rows = []
    for number in range(count):
        source = sources[number % len(sources)]
        defect = list(TYPES)[number % len(TYPES)]
        status = (statuses or {}).get(number, "ok")
        rows.append(_row(output, number, source.read_bytes(), (item, defect, status), keep))
    ledger = Ledger(output)
    ledger.claim(INDEX)
    ledger.append(pa.Table.from_pylist(rows, INDEX))
    return place


def _row(
    output: Location, number: int, source: bytes, what: tuple[str, str, str], keep: bool
) -> dict[str, Any]:
    item, defect, status = what
    name = f"r{number:04d}"
    row: dict[str, Any] = {"request_id": name, "object": item, "defect": defect, "status": status}
    row["source_sha256"] = sha256(source)
    if status != "ok":
        return row
    drawn = draw(50_000 + number, defect)
    files = {"image": drawn.image, "mask": drawn.mask.astype(np.uint8) * 255}
    keys = {"image": image_key(item, defect, name), "mask": mask_key(item, defect, name)}
    for part, pixels in files.items():
        data = encode_png(pixels)
        output.join(keys[part]).write(data)
        row |= {part: keys[part], f"{part}_sha256": sha256(data)}
    if keep:
        output.join(extra_key(name, "source")).write(source)
        row["extras"] = [
            {"name": "source", "path": extra_key(name, "source"), "sha256": sha256(source)}
        ]
    return row


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))
