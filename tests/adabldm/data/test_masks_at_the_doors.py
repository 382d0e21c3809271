"""The masks that are learned from get the same verdict raw as prepared, and notes are told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adabldm.core.images import decode, encode_png
from adabldm.core.mask_rule import MaskRule
from adabldm.core.picture_uri import DatasetFault, read_defect_mask
from adabldm.data import preparation
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from tests.support.trees import lay_out, mvtec

MASK = "ground_truth/crack/000_mask.png"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    lay_out(str(tmp_path / "nut"), mvtec())
    return tmp_path / "nut"


def change(path: Path, how) -> None:
    path.write_bytes(how(decode(path.read_bytes(), "L")))


def as_jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=60)
    again = io.BytesIO()
    Image.open(buffer).save(again, "PNG")
    return again.getvalue()


def test_a_soft_mask_is_read_the_same_at_both_doors_and_told_at_both(tree: Path) -> None:
    truth = decode((tree / MASK).read_bytes(), "L")
    change(tree / MASK, as_jpeg)
    told: list[str] = []
    (raw,) = open_dataset(str(tree), tell=told.append)
    checked = preparation.check(str(tree), DatasetOptions())
    assert [note.kind for note in checked.notes] == ["mask-soft"]
    assert any("mask-soft" in line and MASK in line for line in told)
    (item,) = [one for one in raw.defects if one.mask.endswith(MASK)]
    assert np.array_equal(read_defect_mask(item.mask, item.mask_rule), truth)


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        (lambda pixels: encode_png(255 - pixels), "mask-polarity"),
        (lambda pixels: encode_png(pixels // 255 + np.eye(*pixels.shape, dtype=np.uint8) * 7),
         "mask-classes"),
        (lambda pixels: encode_png(pixels * 0), "mask-empty"),
    ],
)  # fmt: skip
def test_a_mask_that_is_none_is_a_fault_at_both_doors(tree: Path, how, kind: str) -> None:
    change(tree / MASK, how)
    checked = preparation.check(str(tree), DatasetOptions())
    assert (kind, MASK) in {(fault.kind, fault.path) for fault in checked.faults}
    with pytest.raises(DatasetFault, match=f"{kind}.*{MASK}"):
        open_dataset(str(tree))


def test_a_rule_that_was_said_reaches_whoever_reads_the_mask(tree: Path) -> None:
    truth = {}
    for path in (tree / "ground_truth/crack").iterdir():
        truth[path.name] = decode(path.read_bytes(), "L")
        change(path, lambda pixels: encode_png(255 - pixels))
    (folder,) = open_dataset(str(tree), DatasetOptions(mask_rule="dark"))
    cracks = [one for one in folder.defects if one.defect == "crack"]
    assert cracks
    for item in cracks:
        assert item.mask_rule == MaskRule("dark")
        found = read_defect_mask(item.mask, item.mask_rule)
        assert np.array_equal(found, truth[Path(item.mask).name])


def test_masks_of_one_type_that_are_numbered_differently_are_a_fault(tree: Path) -> None:
    paths = sorted((tree / "ground_truth/crack").iterdir())
    for number, path in enumerate(paths):
        change(path, lambda pixels, n=number: encode_png((pixels // 255) * (1 + n % 2)))
    checked = preparation.check(str(tree), DatasetOptions())
    named = {fault.path for fault in checked.faults if fault.kind == "mask-classes"}
    assert named == {f"ground_truth/crack/{path.name}" for path in paths}
    one = preparation.check(str(tree), DatasetOptions(mask_rule="value:1"))
    assert "mask-classes" not in {fault.kind for fault in one.faults}
