"""The real defects of a plan travel beside its manifest."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.data.opening import open_dataset
from adabldm.data.options import DatasetOptions
from adabldm.judging import likeness
from cluster.manifest.parts import real_defects_beside
from cluster.manifest.reader import Manifest
from cluster.manifest.real_defects import SCHEMA, read_real_defects, real_defects_of, sight
from cluster.storage.location import Location
from jobs.verbs.plan import make_plan
from tests.support.striped import plates

TEXTURE = DatasetOptions(surface="texture")


@pytest.fixture
def plan(tmp_path: Path) -> Location:
    plates(tmp_path / "plate", real=4)
    output = str(tmp_path / "plan")
    return make_plan(
        str(tmp_path / "plate"), count=6, seed=0, output=output, options=TEXTURE
    ).manifest


def test_they_are_found_without_the_data_set_and_measure_as_its_pictures_do(
    plan: Location, tmp_path: Path
) -> None:
    (folder,) = open_dataset(str(tmp_path / "plate"), TEXTURE)
    pairs = [
        likeness.crop(read_picture(one.image), read_defect_mask(one.mask, one.mask_rule))
        for one in folder.defects
    ]
    here = likeness.RealDefects.of(pairs, sight)
    shutil.rmtree(tmp_path / "plate")
    shutil.move(tmp_path / "plan", tmp_path / "elsewhere")
    found = real_defects_of(Manifest(str(tmp_path / "elsewhere/manifest.parquet")))
    assert list(found) == [("plate", "pit")]
    assert np.array_equal(found["plate", "pit"].descriptors, here.descriptors)
    for image, mask in pairs:
        assert found["plate", "pit"].distance(image, mask) == here.distance(image, mask)


def test_a_plan_that_is_read_as_a_folder_has_no_rows_of_them(plan: Location) -> None:
    assert real_defects_beside(plan).exists()
    manifest = Manifest(plan.parent.uri)
    assert manifest.rows == 6
    assert list(real_defects_of(manifest)) == [("plate", "pit")]


def test_a_manifest_of_ones_own_has_none(tmp_path: Path) -> None:
    assert read_real_defects(Location.of(str(tmp_path / "own.parquet"))) == {}


def test_those_of_another_version_are_none_and_broken_ones_are_named(plan: Location) -> None:
    place = real_defects_beside(plan)
    whole = place.read()
    pq.write_table(pa.Table.from_pylist([], SCHEMA), place.path)
    assert read_real_defects(place) == {}
    for broken in (b"", b"PAR1", whole[:-9], whole[:400]):
        Path(place.path).write_bytes(broken)
        with pytest.raises(InputFault, match="_manifest_real_defects") as caught:
            read_real_defects(place)
        assert len(caught.value.lines) == 1
