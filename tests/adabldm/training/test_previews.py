from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

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
