"""Names that cannot be folders of an output, or not beside each other, are found by one rule."""

from __future__ import annotations

import unicodedata

import pytest

from adabldm.core.names import colliding, defect_fault, object_fault


@pytest.mark.parametrize("name", ["good", "Good", "OK", "ok"])
def test_a_type_is_not_called_as_good_pictures_are(name: str) -> None:
    assert "are folders of good pictures" in str(defect_fault(name))


@pytest.mark.parametrize("name", ["index", "Index", "extras", "run.json"])
def test_an_object_is_not_called_as_what_an_output_holds(name: str) -> None:
    assert "are of the output itself" in str(object_fault(name))


@pytest.mark.parametrize("name", ["goods", "scratch", "not ok", "Über", "index"])
def test_other_types_are_free(name: str) -> None:
    assert defect_fault(name) is None


@pytest.mark.parametrize("name", ["", None, 3, "a/b", "a..b", " a", "\n"])
def test_what_cannot_name_a_folder_names_no_type(name: object) -> None:
    assert defect_fault(name)


def test_names_that_differ_in_case_or_normal_form_only_collide() -> None:
    composed, taken_apart = (unicodedata.normalize(form, "Düse") for form in ("NFC", "NFD"))
    assert colliding(["Dent", "dent", "scratch", "DENT"]) == [("Dent", "dent"), ("Dent", "DENT")]
    assert colliding([composed, taken_apart]) == [(composed, taken_apart)]
    assert colliding(["dent", "dent", "dents"]) == []
