"""A cluster's nodes see the job's places, or it does not start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from adabldm.core.faults import InputFault
from cluster.generate.shared_disk import missing_of, refuse_unshared
from cluster.manifest.reader import Manifest
from cluster.storage.location import Location
from tests.support.making import Row, good_png, write_manifest


def test_a_place_that_a_node_has_not_is_refused_by_name_and_node(tmp_path: Path) -> None:
    manifest = Manifest(str(write_manifest(tmp_path / "in", 2)))
    output = Location.of(str(tmp_path / "out"))

    def ask(paths: Iterable[str]) -> dict[str, list[str]]:
        assert missing_of(paths) == []
        return {"10.0.0.2": list(paths), "10.0.0.3": []}

    refuse_unshared(output, manifest, "/models/base", lambda _: {})
    with pytest.raises(InputFault) as refused:
        refuse_unshared(output, manifest, str(tmp_path), ask)
    rule = "is on a disk that 10.0.0.2 has not: a cluster of several nodes needs a bucket"
    assert [line.partition(rule)[0] for line in refused.value.lines] == [
        f"manifest: '{tmp_path}/in/manifest.parquet': ",
        f"model: '{tmp_path}': ",
        f"output: '{tmp_path}/out': ",
    ]
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_in_a_bucket_or_in_the_manifest_is_there_for_all(tmp_path: Path) -> None:
    def inside(rows: list[Row]) -> None:
        for row in rows:
            row["image"] = {"bytes": good_png(0)}

    manifest = Manifest(str(write_manifest(tmp_path / "in", 2, inside)))

    asked: list[str] = []

    def ask(paths: Iterable[str]) -> dict[str, list[str]]:
        asked.extend(paths)
        return {}

    refuse_unshared(Location.of("s3://bucket/out"), manifest, None, ask)
    assert asked == []


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    assert missing_of([str(tmp_path), str(tmp_path / "no")]) == [str(tmp_path / "no")]
