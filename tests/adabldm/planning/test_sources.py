"""A mask that is meant to mark most of its picture stays what it is on the way to a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from adabldm.core import images
from adabldm.core.mask_rule import MaskRule
from adabldm.core.objects import DefectImage, ObjectFolder
from adabldm.core.random_streams import RowStreams
from adabldm.placement import transform
from adabldm.planning.sources import DefectMasks
from cluster.manifest.picture_checks import PictureChecks, PictureSource


class Kept:
    """Keeps a plan's files."""

    def __init__(self) -> None:
        self.files: list[bytes] = []

    def put(self, data: bytes, suffix: str) -> str:
        self.files.append(data)
        return f"{len(self.files)}{suffix}"


def test_a_mask_that_is_said_to_mark_most_is_not_refused_in_the_plan(tmp_path: Path) -> None:
    marks = np.full((30, 40), 255, np.uint8)
    marks[:3, :4] = 0
    path = tmp_path / "mask.png"
    path.write_bytes(images.encode_png(marks))
    item = DefectImage(defect="d", image="i", mask=str(path), mask_rule=MaskRule("bright"))
    folder = ObjectFolder(name="o", good=(), test_good=(), defects=(item,))
    kept = Kept()
    masks = DefectMasks(folder, {"real": 1.0}, RowStreams(0), kept)
    masks.path(0)
    checked = PictureChecks().mask(PictureSource(kept.files[0], None))
    assert np.array_equal(checked.defect > 0, marks > 0)
    assert np.array_equal(
        transform.turned_shape(checked.defect, 30.0, 0.5),
        transform.turned_shape(masks.crop(0), 30.0, 0.5),
    )
