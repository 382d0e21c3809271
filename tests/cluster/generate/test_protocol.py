"""A request keeps its columns' names and values from the manifest to the index."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pyarrow as pa
import pytest

from cluster.generate.protocol import (
    FACTS,
    OK,
    WORK,
    Fact,
    Request,
    Work,
    fact_table,
    facts_of,
    index_row,
    work_table,
    works_of,
)
from cluster.manifest.reader import Manifest
from cluster.manifest.schema import SCHEMA
from cluster.output.schema import INDEX
from tests.support.making import Row, checks_of, good_png, mask_png, write_manifest

INDEX_COLUMNS = [
    *("request_id", "object", "defect", "status", "reason", "image", "mask", "image_sha256"),
    *("mask_sha256", "extras", "seed", "prompt", "negative_prompt", "model", "top_up"),
    *("request_fingerprint", "source_sha256", "trimap_sha256", "model_fingerprint"),
    *("config_fingerprint", "quality", "seconds", "made_by", "made_at"),
]


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Rows with a trimap by its path, with a recipe, and with pictures inside."""

    def change(rows: list[Row]) -> None:
        rows[1].update(image={"bytes": good_png(1)}, negative_prompt="blur", model="sleep://2")
        further = {"mask": {"bytes": mask_png()}, "angle": 0.0, "scale": 1.0, "top": 20, "left": 9}
        rows[2]["placement"]["more"] = [further]

    return Manifest(str(write_manifest(tmp_path / "in", 3, change)))


def works(manifest: Manifest) -> list[Work]:
    checks = checks_of(manifest)
    return [
        Work.of(row, checks.models.of(row["model"]), checks.check(row).source, manifest.resolve)
        for _, rows in manifest.chunks()
        for row in rows
    ]


def test_types_and_columns_have_the_same_names_and_the_indexs_order_stays() -> None:
    assert [one.name for one in fields(Work)] == WORK.names
    assert [one.name for one in fields(Fact)] == FACTS.names
    assert INDEX.names == INDEX_COLUMNS
    for schema in (SCHEMA, FACTS):
        shared = set(schema.names) & set(INDEX.names) - {"image"}
        assert all(schema.field(name) == INDEX.field(name) for name in shared)
    assert {one.name for one in fields(Request)} - {"riding"} <= set(SCHEMA.names)


def test_work_is_the_same_after_the_way_to_a_worker(manifest: Manifest) -> None:
    sent = works(manifest)
    assert works_of(work_table(sent)) == sent
    assert work_table(sent).schema == WORK
    assert [work.model for work in sent] == ["sleep://0", "sleep://2", "sleep://0"]
    assert all(work.image["path"] is None or "://" in work.image["path"] for work in sent)
    assert [work.inline_bytes for work in sent] == [0, len(good_png(1)), len(mask_png())]


def test_a_request_and_its_fact_make_the_row_of_the_index(manifest: Manifest) -> None:
    ((_, rows),) = manifest.chunks()
    prints = checks_of(manifest).check(rows[1])
    told = Fact(request_id="r0001", status=OK, image="a.png", quality=[("b", 1.0)])
    (fact,) = facts_of(fact_table([told]))
    assert fact == told
    schema = pa.schema([*INDEX, pa.field("note", pa.string())])
    row = index_row(
        Request.of(rows[1]), prints, fact, model="sleep://0", config_fingerprint="config"
    )
    (kept,) = pa.Table.from_pylist([row], schema=schema).to_pylist()
    assert kept == {
        **dict.fromkeys(schema.names),
        **{name: rows[1][name] for name in ("request_id", "object", "defect", "prompt", "seed")},
        "status": "ok",
        "image": "a.png",
        "negative_prompt": "blur",
        "model": "sleep://2",
        "request_fingerprint": prints.request,
        "source_sha256": prints.source,
        "trimap_sha256": prints.trimap,
        "model_fingerprint": "fingerprint",
        "config_fingerprint": "config",
        "quality": [("b", 1.0)],
        "note": "note 1",
    }
    other = index_row(Request.of(rows[0]), prints, fact, model="sleep://0", config_fingerprint="c")
    assert (other["model"], other["negative_prompt"]) == ("sleep://0", "")
