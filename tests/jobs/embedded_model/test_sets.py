from __future__ import annotations

import numpy as np
import pytest

from jobs.embedded_model import sets as embedded_sets

pytestmark = [pytest.mark.shared, pytest.mark.slow]


@pytest.fixture(scope="module")
def sets(shared, tmp_path_factory):
    work = tmp_path_factory.mktemp("work")
    return {folder.name: folder for folder in embedded_sets.read_sets(str(shared / "data"), work)}


def test_nothing_of_the_evaluation_side_is_learned_from(sets):
    for folder in sets.values():
        learned = {*folder.good, *(item.image for item in folder.defects)}
        kept = {*folder.test_good, *(item.image for item in folder.held_out)}
        assert not learned & kept


def test_few_shot_means_ten_a_type_at_most(sets):
    for folder in sets.values():
        if folder.name == embedded_sets.METAL:
            continue
        for defect in folder.defect_types:
            assert sum(item.defect == defect for item in folder.defects) <= 10


def test_sets_that_are_measured_keep_defects_that_nobody_learned_from(sets):
    for name, (_, shots) in embedded_sets.SETS.items():
        if name in sets and shots and name != "mvtec_carpet":
            assert sets[name].held_out, name


def test_every_type_has_prompts_and_good_pictures_name_no_defect(sets):
    for folder in sets.values():
        for defect in folder.defect_types:
            texts = embedded_sets.prompts(folder.name, defect)
            assert len(set(texts)) > 3
            assert not set(texts) & set(embedded_sets.prompts(folder.name, None))
    assert np.isin(["a magnetic tile with a crack"], embedded_sets.prompts("mt_dev", "crack")).all()
