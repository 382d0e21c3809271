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
from adabldm.training.branch import BranchTraining
from adabldm.training.options import BranchOptions
from adabldm.training.texts import training_texts
from jobs.verbs import pairs
from tests.support.tiny import SIDE, tiny_pipeline


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


def listed(folder: Path) -> list[dict[str, str]]:
    with (folder / "pairs.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


class Forgets:
    """A store of checkpoints that has none."""

    def load(self) -> None:
        return None

    def save(self, step: int, state: dict) -> None: ...

    def log(self, step: int, facts: dict[str, float]) -> None: ...

    def picture(self, step: int, pixels: np.ndarray) -> None: ...


def test_the_written_pairs_are_those_that_a_branch_is_trained_on(tmp_path: Path) -> None:
    source = draw_metal(tmp_path)
    book = tmp_path / "prompts.yaml"
    book.write_text('templates: ["{a_defect} in {an_object}", "{defect}"]\n')
    rate = pairs.write_pairs(
        source, str(tmp_path / "out"), count=6, seed=3, size=SIDE, object_name="metal plate",
        prompts=str(book),
    )  # fmt: skip
    assert rate > 0
    objects = open_dataset(source)
    texts = training_texts(objects, "metal plate", str(book))
    training = BranchTraining(
        tiny_pipeline(), objects, lambda *key: texts[key], BranchOptions(seed=3), Forgets()
    )
    assert {row["prompt"] for row in listed(tmp_path / "out")} <= {
        text for some in texts.values() for text in some
    }
    for index, row in enumerate(listed(tmp_path / "out")):
        seen = training.examples[index]
        np.testing.assert_array_equal(read(tmp_path / "out" / row["image"]), seen.image)
        np.testing.assert_array_equal(read(tmp_path / "out" / row["trimap"]), seen.trimap)
        assert (row["object"], row["defect"]) == (seen.object, seen.defect)
        assert row["prompt"] == seen.prompt


def test_each_pair_is_listed_with_its_prompt(tmp_path: Path) -> None:
    pairs.write_pairs(draw_metal(tmp_path), str(tmp_path / "out"), count=6, size=32)
    rows = listed(tmp_path / "out")
    assert [row["index"] for row in rows] == [str(i) for i in range(6)]
    assert {row["defect"] for row in rows} == set(drawn_metal.DEFECTS)
    assert all(row["prompt"] == f"a brushed metal with a {row['defect']}" for row in rows)


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
