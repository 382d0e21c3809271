"""``adabldm plan --model``: each row says which branch is to make it."""

from __future__ import annotations

from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from tests.jobs.verbs.test_plan import metal, plan_rows, without_folder

TEMPLATE = "{object}/{defect}"


def test_rows_say_the_model_of_their_object_and_defect_and_are_otherwise_the_same(
    tmp_path: Path,
) -> None:
    metal(tmp_path / "metal")
    plain = plan_rows(tmp_path / "metal", tmp_path / "plain")
    named = plan_rows(tmp_path / "metal", tmp_path / "named", model=TEMPLATE)
    assert {row["model"] for row in plain} == {None}
    assert {row["model"] for row in named} == {"metal/crack", "metal/deep_scratch"}
    assert all(row["model"] == f"metal/{row['defect']}" for row in named)
    without = [row | {"model": None} for row in named]
    assert without_folder(without, tmp_path / "named") == without_folder(plain, tmp_path / "plain")


def test_a_longer_plan_with_models_begins_with_the_shorter_one(tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    short = plan_rows(tmp_path / "metal", tmp_path / "short", count=7, model=TEMPLATE)
    long = plan_rows(tmp_path / "metal", tmp_path / "long", count=20, model=TEMPLATE)
    assert without_folder(short, tmp_path / "short") == without_folder(long[:7], tmp_path / "long")


@pytest.mark.parametrize(
    "template", ["{objekt}", "{}", "{object", "{object!r}", "{defect:>9}", "{object.x}", ""]
)
def test_a_template_with_other_places_is_refused(template: str, tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    with pytest.raises(InputFault) as refused:
        plan_rows(tmp_path / "metal", tmp_path / "out", model=template)
    assert str(refused.value).startswith(f"--model: {template!r}: is a text with {{object}} and")
    assert not (tmp_path / "out").exists()
