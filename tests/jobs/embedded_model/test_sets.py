from __future__ import annotations

import numpy as np
import pytest

from adabldm.core.picture_uri import read_picture
from adabldm.data.opening import open_dataset
from jobs.embedded_model import sets as embedded_sets

pytestmark = [pytest.mark.shared, pytest.mark.slow]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def sets(shared, work):
    return {folder.name: folder for folder in embedded_sets.read_sets(str(shared / "data"), work)}


def test_nothing_of_the_evaluation_side_is_learned_from(sets):
    for folder in sets.values():
        learned = {uri.partition("#")[0] for uri in folder.good}
        learned |= {item.image.partition("#")[0] for item in folder.defects}
        kept = {uri.partition("#")[0] for uri in folder.test_good}
        kept |= {item.image.partition("#")[0] for item in folder.held_out}
        assert not learned & kept
    whole = {item.image for item in sets["cookie"].held_out}
    assert not whole & {item.image.partition("#")[0] for item in sets["cookie_crust"].defects}


def test_few_shot_means_ten_a_type(sets):
    for name in ("mt_dev", "cookie", "cookie_crust"):
        for defect in sets[name].defect_types:
            assert sum(item.defect == defect for item in sets[name].defects) <= 10


def test_close_ups_show_crust_and_a_defect_where_they_should(sets):
    crust = sets["cookie_crust"]
    assert len(crust.good) > 50
    for item in crust.defects:
        assert read_picture(item.image).shape == (144, 144, 3)
        assert (read_picture(item.mask, "L") > 0).mean() >= embedded_sets.LEAST_DEFECT
    assert min(read_picture(uri).mean() for uri in crust.good[:20]) > 90


def test_close_ups_open_as_a_data_set_of_their_own(sets, work):
    (opened,) = open_dataset(str(work / "cookie_crust"))
    assert opened.good == sets["cookie_crust"].good
    assert opened.held_out == sets["cookie_crust"].held_out


def test_every_type_has_prompts_and_good_pictures_name_no_defect(sets):
    for folder in sets.values():
        for defect in folder.defect_types:
            texts = embedded_sets.prompts(folder.name, defect)
            assert len(set(texts)) > 3
            assert not set(texts) & set(embedded_sets.prompts(folder.name, None))
    assert np.isin(["a magnetic tile with a crack"], embedded_sets.prompts("mt_dev", "crack")).all()
