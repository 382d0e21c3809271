"""A row may say how its real defect looks: the drawing starts from it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adabldm.core import images, trimap
from cluster.generate.decoding import decode
from cluster.generate.protocol import Work
from cluster.manifest.picture_checks import PictureFault
from cluster.manifest.reader import Manifest
from cluster.manifest.request_checks import RequestFaults
from tests.support.making import SIZE, Row, checks_of, write_manifest


def look_png(tone: int, size: int = SIZE) -> bytes:
    """A picture whose defect, under the mask of the manifests here, has this tone."""
    picture = np.full((size, size, 3), 128, np.uint8)
    picture[10:16, 20:29] = tone
    return images.encode_png(picture)


def manifest_of(folder: Path, look: bytes | None) -> Manifest:
    """Three rows, of which the last has a placement, with this look."""

    def change(rows: list[Row]) -> None:
        if look is not None:
            (folder / "files/look.png").write_bytes(look)
            rows[2]["placement"]["look"] = {"path": "files/look.png"}

    return Manifest(str(write_manifest(folder, 3, change)))


def works_of(manifest: Manifest) -> list[Work]:
    checks, works = checks_of(manifest), []
    for row in (row for _, rows in manifest.chunks() for row in rows):
        prints = checks.check(row)
        model = checks.models.of(row["model"])
        works.append(Work.of(row, model, prints.source, manifest.resolve, prints.trimap))
    return works


def test_the_start_is_the_picture_with_the_look_in_its_place(tmp_path: Path) -> None:
    *plain, looking = [decode(work) for work in works_of(manifest_of(tmp_path, look_png(0)))]
    assert [one.start for one in plain] == [None, None]
    inside = looking.trimap == trimap.DEFECT
    assert looking.start is not None
    np.testing.assert_array_equal(looking.start[~inside], looking.image[~inside])
    assert looking.start[inside].mean() < looking.image[inside].mean() - 60


def test_a_look_that_is_replaced_after_the_check_fails_its_row(tmp_path: Path) -> None:
    work = works_of(manifest_of(tmp_path, look_png(0)))[2]
    (tmp_path / "files/look.png").write_bytes(look_png(255))
    with pytest.raises(PictureFault, match="a mask or a look is not the file that was checked"):
        decode(work)


def test_rows_with_other_looks_are_other_requests(tmp_path: Path) -> None:
    looks = {"none": None, "dark": look_png(0), "bright": look_png(255)}
    prints = {
        works_of(manifest_of(tmp_path / name, look))[2].trimap_sha256
        for name, look in looks.items()
    }
    assert len(prints) == len(looks)


@pytest.mark.parametrize(
    ("look", "rule"),
    [(look_png(0, 20), "48 x 48 or 22 x 25"), (b"no picture", "not a readable picture")],
)
def test_a_look_that_is_none_is_refused_before_the_run(look, rule, tmp_path: Path) -> None:
    with pytest.raises(RequestFaults) as caught:
        works_of(manifest_of(tmp_path, look))
    (fault,) = caught.value.faults
    assert fault.field == "placement.look"
    assert rule in fault.rule
