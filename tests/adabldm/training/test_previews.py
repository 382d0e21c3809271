from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from adabldm.core import trimap
from adabldm.judging import likeness
from adabldm.training.previews import unseen_requests
from tests.support.drawn_folder import disc_folder, metal_folder


def test_an_object_without_defects_has_no_preview_and_hinders_none(tmp_path: Path) -> None:
    metal, plain = metal_folder(tmp_path), replace(disc_folder(tmp_path), defects=())

    def prompts(item: str, defect: str | None) -> list[str]:
        return [f"{item}, {defect}"]

    found = unseen_requests([plain, metal], prompts, 32, 4)
    alone = unseen_requests([metal], prompts, 32, 4)
    assert [one.prompt for one in found] == ["metal, blowhole", "metal, crack"] * 2
    for one, other in zip(found, alone, strict=True):
        assert np.array_equal(one.trimap, other.trimap)


def test_a_real_defect_set_down_is_as_near_to_real_ones_as_they_are(tmp_path: Path) -> None:
    metal = metal_folder(tmp_path)
    found = unseen_requests([metal], lambda item, _: [item], 32, 4)
    for one in found:
        assert one.look.shape == one.image.shape
        defect = one.trimap == trimap.DEFECT
        assert (one.look != one.image).any(axis=2)[defect].mean() > 0.5
        assert np.array_equal(one.look[one.trimap == 0], one.image[one.trimap == 0])
        near = one.real(*likeness.crop(one.look, defect))
        assert near < one.real(*likeness.crop(one.image, defect))
