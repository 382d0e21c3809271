"""``adabldm pairs``: what is written is what training sees."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adabldm.core.faults import InputFault
from adabldm.data import drawn_metal
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.planning.prompts import prompt_for
from adabldm.training.pairs import TrainingPairs
from jobs.verbs import pairs


def draw_metal(root: Path) -> str:
    for index in range(4):
        path = root / "brushed_metal" / "train" / "good" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(drawn_metal.draw_part(index).image).save(path)
    for name in drawn_metal.DEFECTS:
        part = drawn_metal.draw_part(50, defect=name)
        for folder, stem, pixels in (
            ("test", "0", part.image),
            ("ground_truth", "0_mask", part.mask),
        ):
            path = root / "brushed_metal" / folder / name / f"{stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    return str(root / "brushed_metal")


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_the_written_pairs_are_those_of_the_stream(tmp_path: Path) -> None:
    source = draw_metal(tmp_path)
    rate = pairs.write_pairs(source, str(tmp_path / "out"), count=6, seed=3, size=64)
    assert rate > 0
    stream = TrainingPairs(open_dataset(source), prompt=prompt_for, size=64, length=6, seed=3)
    with (tmp_path / "out" / "pairs.csv").open(newline="") as lines:
        listed = list(csv.DictReader(lines))
    assert [row["index"] for row in listed] == [str(i) for i in range(6)]
    for row, pair in zip(listed, stream, strict=True):
        np.testing.assert_array_equal(read(tmp_path / "out" / row["image"]), pair.image)
        np.testing.assert_array_equal(read(tmp_path / "out" / row["trimap"]), pair.trimap)
        assert row["defect"] == pair.defect
        assert row["prompt"] == f"a brushed metal with a {pair.defect}"


def test_pairs_go_to_a_bucket(tmp_path: Path, s3: str) -> None:
    import fsspec

    pairs.write_pairs(draw_metal(tmp_path), f"{s3}/pairs", count=2, size=32)
    listed = fsspec.filesystem("s3", use_listings_cache=False).ls(f"{s3}/pairs", detail=False)
    names = sorted(path.rpartition("/")[2] for path in listed)
    assert names == [
        "000000.png", "000000_trimap.png", "000001.png", "000001_trimap.png", "pairs.csv",
    ]  # fmt: skip


def test_a_folder_without_a_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputFault, match="DATASET"):
        pairs.write_pairs(str(tmp_path), str(tmp_path / "out"), count=2)


def test_a_backbone_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(InputFault, match="nothing"):
        pairs.write_pairs(
            draw_metal(tmp_path),
            str(tmp_path / "out"),
            count=2,
            options=DatasetOptions(backbone=str(tmp_path / "nothing")),
        )
