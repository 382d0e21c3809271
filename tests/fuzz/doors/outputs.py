"""Outputs of which files were changed, and `verify`."""

from __future__ import annotations

import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

import pyarrow as pa

from adabldm.core.faults import InputFault, JobFault
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.output.verification import count_statuses, verify
from cluster.storage.hashing import sha256
from cluster.storage.location import Location
from tests.fuzz.case import Case
from tests.fuzz.spoiling import spoil
from tests.fuzz.trees import unlock
from tests.support import trees

PAIRS = 3


@cache
def _sound(process: int) -> Path:
    """An output of this process that is as it should be."""
    root = Path(tempfile.mkdtemp(prefix=f"fuzz-output-{process}-"))
    rows = []
    for number in range(PAIRS):
        image, mask = f"nut/test/crack/r{number}.png", f"nut/ground_truth/crack/r{number}_mask.png"
        files = {image: trees.picture(image), mask: trees.mask()}
        trees.lay_out(str(root), files)
        row = dict.fromkeys(INDEX.names)
        row |= {"request_id": f"r{number}", "status": "ok", "object": "nut", "defect": "crack",
                "image": image, "mask": mask, "image_sha256": sha256(files[image]),
                "mask_sha256": sha256(files[mask])}  # fmt: skip
        rows.append(row)
    ledger = Ledger(Location.of(str(root)))
    ledger.claim(INDEX)
    ledger.append(pa.Table.from_pylist(rows, schema=INDEX))
    (root / "run.json").write_text("{}")
    return root


def run(case: Case) -> None:
    root = case.folder / "out"
    shutil.copytree(_sound(os.getpid()), root)
    files = sorted(p for p in root.rglob("*") if p.is_file())
    in_index = case.rng.random() < 0.5
    some = [p for p in files if ("/index/" in str(p)) == in_index]
    path = case.rng.choice(some)
    _change(case, path)
    answer = case.call("verify", (InputFault, JobFault), lambda: _verify(root))
    unlock(case.folder)
    if answer.value is not None and not in_index:
        case.require("verify", answer.value[1], "says nothing of a changed file", path)
        case.require("verify", answer.value[0] == PAIRS, "another number of rows")


def _change(case: Case, path: Path) -> None:
    before = path.read_bytes()
    how = case.rng.choice(("spoil", "spoil", "remove", "empty", "folder", "link", "locked", "more"))
    if how == "spoil":
        path.write_bytes(spoil(case.rng, before))
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "locked":
        path.write_bytes(before[:-1])
        path.chmod(0)
    elif how == "more":
        path.with_name(f"more{path.suffix}").write_bytes(before)
    else:
        path.unlink()
        if how == "folder":
            path.mkdir()
        elif how == "link":
            path.symlink_to(case.rng.choice(("nowhere", path.name)))
    if how == "spoil" and path.read_bytes() == before:
        path.write_bytes(before + b"x")
    if path.name == "run.json" and how != "remove":
        (path.parent / "stray.png").write_bytes(before)


def _verify(root: Path) -> tuple[int, list[str]]:
    place = Location.of(str(root))
    rows = count_statuses(place).total()
    return rows, list(verify(place, lambda _: None))
