"""The worker by itself, without Ray."""

from __future__ import annotations

import dataclasses
import os
import socket
from datetime import timedelta
from pathlib import Path
from threading import Timer

import pyarrow as pa
import pytest

from adabldm.core import images
from adabldm.core.faults import JobFault
from adabldm.sampling.options import ExactOptions
from cluster.generate.protocol import EXTRAS
from cluster.generate.windows import pending_windows
from cluster.generate.worker import Worker, WorkerSettings
from cluster.manifest.reader import Manifest
from cluster.manifest.validation import validate
from cluster.storage.location import Location
from tests.support.making import Row, checks_of, write_manifest


def work(folder: Path, model: str, rows: int = 6, change=None) -> pa.Table:
    """What a worker gets for a manifest of ``rows``."""
    manifest = Manifest(str(write_manifest(folder, rows, change)))
    checks = checks_of(manifest, model)
    roster = validate(manifest, checks)
    (window,) = pending_windows(manifest, checks, roster, rows)
    roster.close()
    return window.table()


def settings(output: Path, **more: object) -> WorkerSettings:
    place = Location.of(str(output))
    return WorkerSettings(
        output=place, options=ExactOptions(resolution="model"), device="cpu", **more
    )


def native(output: Path, **more: object) -> WorkerSettings:
    return dataclasses.replace(settings(output, **more), options=ExactOptions())


def by_id(facts: pa.Table) -> dict[str, Row]:
    return {row["request_id"]: row for row in facts.to_pylist()}


def test_a_pair_is_written_where_mvtec_has_it_and_is_of_one_size(tmp_path: Path) -> None:
    facts = by_id(Worker(settings(tmp_path / "out"))(work(tmp_path / "in", "sleep://0?size=32")))
    assert {row["status"] for row in facts.values()} == {"ok"}
    assert facts["r0001"]["image"] == "metal/test/blowhole/r0001.png"
    assert facts["r0001"]["mask"] == "metal/ground_truth/blowhole/r0001_mask.png"
    for row in facts.values():
        image = images.decode((tmp_path / "out" / row["image"]).read_bytes())
        mask = images.decode((tmp_path / "out" / row["mask"]).read_bytes(), "L")
        assert image.shape == (32, 32, 3)
        assert mask.shape == (32, 32)
        assert set(mask.ravel().tolist()) == {0, 255}


def test_a_row_that_raises_fails_alone_and_its_neighbours_are_made(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[2]["prompt"] = rows[5]["prompt"] = "a bad one"

    table = work(tmp_path / "in", "sleep://0?raise=bad", 8, change)
    facts = by_id(Worker(settings(tmp_path / "out"))(table))
    failed = {name: row["reason"] for name, row in facts.items() if row["status"] == "failed"}
    assert failed == dict.fromkeys(
        ["r0002", "r0005"], "RuntimeError: asked to raise by 'a bad one'"
    )
    assert len(facts) == 8


def test_each_row_is_made_by_its_own_model(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[1]["model"] = rows[4]["model"] = "sleep://0?size=32"

    facts = by_id(Worker(settings(tmp_path / "out"))(work(tmp_path / "in", "sleep://0", 6, change)))
    sizes = {
        name: images.read_size((tmp_path / "out" / row["image"]).read_bytes())[0]
        for name, row in facts.items()
    }
    assert [name for name, size in sizes.items() if size == 32] == ["r0001", "r0004"]
    assert sorted(sizes.values()) == [32, 32, 64, 64, 64, 64]


def test_a_rows_files_do_not_depend_on_its_batch(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0")
    together = by_id(Worker(settings(tmp_path / "a"))(table))
    worker = Worker(settings(tmp_path / "b"))
    for index in range(table.num_rows):
        (alone,) = worker(table.slice(index, 1)).to_pylist()
        assert alone["image_sha256"] == together[alone["request_id"]]["image_sha256"]
        assert alone["mask_sha256"] == together[alone["request_id"]]["mask_sha256"]


def test_an_image_that_breaks_after_the_check_fails_its_row_only(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0")
    path = tmp_path / "in/files/good1.png"
    path.write_bytes(path.read_bytes()[:-400])
    facts = by_id(Worker(settings(tmp_path / "out"))(table))
    reasons = {name: row["reason"] for name, row in facts.items() if row["status"] == "failed"}
    assert set(reasons) == {"r0001", "r0004"}
    assert "good1.png: is not the file that was checked" in reasons["r0001"]


def test_an_image_whose_data_is_broken_from_the_start_fails_its_row(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        whole = (tmp_path / "in/files/good0.png").read_bytes()
        rows[0]["image"] = {"bytes": whole[: len(whole) // 2]}

    facts = by_id(Worker(settings(tmp_path / "out"))(work(tmp_path / "in", "sleep://0", 3, change)))
    assert facts["r0000"]["status"] == "failed"
    assert "the picture's data is broken" in facts["r0000"]["reason"]
    assert facts["r0001"]["status"] == "ok"


def test_extras_are_kept_at_the_results_size(tmp_path: Path) -> None:
    worker = Worker(settings(tmp_path / "out", keep=EXTRAS))
    facts = by_id(worker(work(tmp_path / "in", "sleep://0?size=32", 3)))
    assert [extra["name"] for extra in facts["r0000"]["extras"]] == list(EXTRAS)
    for extra in facts["r0000"]["extras"]:
        assert extra["path"] == f"extras/r0000_{extra['name']}.png"
        data = (tmp_path / "out" / extra["path"]).read_bytes()
        assert images.read_size(data) == (32, 32)


def test_a_model_that_does_not_load_is_no_fault_of_the_rows(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0?fail=no+such+weights")
    facts = Worker(settings(tmp_path / "out"))(table).to_pylist()
    assert {row["status"] for row in facts} == {"unloadable"}
    assert "cannot be loaded: no such weights" in facts[0]["reason"]


def test_a_store_that_refuses_is_no_fault_of_the_rows(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file where the output's folder should be")
    facts = Worker(settings(tmp_path / "out"))(work(tmp_path / "in", "sleep://0")).to_pylist()
    assert {row["status"] for row in facts} == {"unstored"}
    assert facts[0]["reason"].startswith("writing: ")


@pytest.mark.parametrize("model", ["sleep://0", "embedded"])
def test_the_real_model_and_the_sleeping_one_are_called_alike(model: str, tmp_path: Path) -> None:
    options = ExactOptions(steps=4, adaptation_steps=1)
    place = Location.of(str(tmp_path / "out"))
    worker = Worker(WorkerSettings(output=place, options=options, device="cpu", keep=EXTRAS))
    facts = worker(work(tmp_path / "in", model, 3)).to_pylist()
    assert [row["status"] for row in facts] == ["ok"] * 3
    assert all(row["quality"] and row["seconds"] for row in facts)
    assert {row["made_by"] for row in facts} == {f"{socket.gethostname()}:{os.getpid()}"}
    assert all(row["made_at"].utcoffset() == timedelta(0) for row in facts)


@pytest.mark.parametrize("asked", [None, 8, "auto"])
@pytest.mark.parametrize("room", [1, 3])
def test_when_memory_runs_out_fewer_are_computed_together_and_all_are_made(
    asked: int | str | None, room: int, tmp_path: Path
) -> None:
    wide = by_id(Worker(settings(tmp_path / "a"))(work(tmp_path / "in", "sleep://0", 9)))
    tight = work(tmp_path / "in", f"sleep://0?room={room}", 9)
    made = by_id(Worker(settings(tmp_path / "b", compute_batch=asked))(tight))
    assert {row["status"] for row in made.values()} == {"ok"}
    assert {name: row["image_sha256"] for name, row in made.items()} == {
        name: row["image_sha256"] for name, row in wide.items()
    }


def test_one_request_without_room_is_no_fault_of_the_row(tmp_path: Path) -> None:
    worker = Worker(settings(tmp_path / "out", compute_batch=4))
    facts = worker(work(tmp_path / "in", "sleep://0?room=0", 3)).to_pylist()
    assert [row["status"] for row in facts] == ["no room"] * 3
    assert facts[0]["reason"] == "OutOfMemoryError: 1 requests, there is room for 0"


def test_a_bad_row_is_found_while_the_batch_is(tmp_path: Path) -> None:
    def change(rows: list[Row]) -> None:
        rows[2]["prompt"] = "a bad one"

    worker = Worker(settings(tmp_path / "out", compute_batch="auto"))
    facts = by_id(worker(work(tmp_path / "in", "sleep://0?raise=bad&room=2", 6, change)))
    failed = [name for name, row in facts.items() if row["status"] == "failed"]
    assert failed == ["r0002"]
    assert len(facts) == 6


def test_a_native_pair_has_its_pictures_size_and_channels_and_only_the_defect_changed(
    tmp_path: Path,
) -> None:
    def grey_first(rows: list[Row]) -> None:
        path = tmp_path / "in/files/good0.png"
        path.write_bytes(images.encode_png(images.decode(path.read_bytes(), "L")))

    table = work(tmp_path / "in", "sleep://0?size=32", 6, grey_first)
    facts = by_id(Worker(native(tmp_path / "out", keep=EXTRAS))(table))
    for number, name in enumerate(sorted(facts)):
        row = facts[name]
        good = (tmp_path / f"in/files/good{number % 3}.png").read_bytes()
        image = (tmp_path / "out" / row["image"]).read_bytes()
        mask = images.decode((tmp_path / "out" / row["mask"]).read_bytes(), "L")
        assert images.read_header(image).mode == images.read_header(good).mode
        assert {images.read_header(image).mode} == {"RGB" if number % 3 else "L"}
        changed = (images.decode(image) != images.decode(good)).any(axis=2)
        assert not changed[mask == 0].any()
        assert changed[mask > 0].mean() > 0.9
        for extra in row["extras"]:
            kept = images.decode((tmp_path / "out" / extra["path"]).read_bytes())
            assert kept.shape == images.decode(good).shape


def test_a_request_that_takes_too_long_fails_and_its_neighbours_are_handed_back(
    tmp_path: Path,
) -> None:
    """Of a batch it is not known which hangs: all of it is tried again, one at a time."""
    table = work(tmp_path / "in", "sleep://1500", 2)
    hung = by_id(Worker(settings(tmp_path / "a", time_limit=0.5))(table))
    assert {row["status"] for row in hung.values()} == {"hung"}
    alone = Worker(settings(tmp_path / "b", time_limit=0.5))
    (row,) = alone(table.slice(0, 1)).to_pylist()
    assert row["status"] == "failed"
    assert row["reason"] == "computed for more than 0.5 s (--time-limit)"
    (row,) = alone(table.slice(1, 1)).to_pylist()
    assert row["status"] == "again"
    enough = by_id(Worker(settings(tmp_path / "c", time_limit=3))(table))
    assert {row["status"] for row in enough.values()} == {"ok"}


def test_a_worker_under_notice_finishes_what_it_can_and_hands_back_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = work(tmp_path / "in", "sleep://700", 2)
    worker = Worker(settings(tmp_path / "a"))
    Timer(0.2, worker._notice.give).start()
    assert {row["status"] for row in worker(table).to_pylist()} == {"ok"}
    assert {row["status"] for row in worker(table).to_pylist()} == {"again"}
    monkeypatch.setattr("cluster.generate.worker.NOTICE_SECONDS", 0.1)
    worker = Worker(settings(tmp_path / "b"))
    Timer(0.2, worker._notice.give).start()
    assert {row["status"] for row in worker(table).to_pylist()} == {"again"}


def test_a_picture_that_has_gone_is_told_apart_from_one_that_is_broken(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0", 3)
    (tmp_path / "in/files/good0.png").unlink()
    (tmp_path / "in/files/good1.png").write_bytes(b"not a picture")
    facts = by_id(Worker(settings(tmp_path / "out"))(table))
    assert facts["r0000"]["status"] == "unread"
    assert facts["r0000"]["reason"].endswith("good0.png: No such file or directory")
    assert (facts["r0001"]["status"], facts["r0001"]["own"]) == ("failed", True)
    assert facts["r0002"]["status"] == "ok"


def test_a_worker_that_only_tries_writes_nothing(tmp_path: Path) -> None:
    facts = Worker(settings(tmp_path / "out", stores=False))(work(tmp_path / "in", "sleep://0"))
    assert set(facts["status"].to_pylist()) == {"ok"}
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("victim", "row", "told"),
    [
        ("trimap0", "r0000", "trimap0.png: is not"),
        ("mask", "r0002", "placement: a mask or a look is not"),
    ],
)
def test_a_trimap_or_mask_that_is_replaced_after_the_check_fails_its_row(
    victim: str, row: str, told: str, tmp_path: Path
) -> None:
    table = work(tmp_path / "in", "sleep://0", 3)
    path = tmp_path / f"in/files/{victim}.png"
    path.write_bytes(images.encode_png(images.decode(path.read_bytes(), "L")[::-1].copy()))
    facts = by_id(Worker(settings(tmp_path / "out"))(table))
    failed = {name: one["reason"] for name, one in facts.items() if one["status"] == "failed"}
    assert list(failed) == [row]
    assert told in failed[row]
    assert failed[row].endswith("the file that was checked")


@pytest.mark.parametrize("change", [{"seed": 99}, {"prompt": "another"}, {"request_id": "new"}])
def test_a_manifest_that_is_rewritten_in_mid_run_stops_the_job(change: Row, tmp_path: Path) -> None:
    manifest = Manifest(str(write_manifest(tmp_path, 6)))
    checks = checks_of(manifest)
    roster = validate(manifest, checks)
    write_manifest(tmp_path, 6, lambda rows: rows[4].update(change))
    with pytest.raises(JobFault, match="the manifest has changed since it was checked"):
        list(pending_windows(manifest, checks, roster, 6))
    roster.close()


def test_a_model_that_does_not_load_in_time_condemns_no_request(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0?load=60000", 3)
    facts = by_id(Worker(settings(tmp_path / "out", load_limit=0.2, time_limit=0.1))(table))
    assert {row["status"] for row in facts.values()} == {"unstarted"}
    assert facts["r0000"]["reason"] == ("model: 'sleep://0?load=60000': is not loaded after 0.2 s")


def test_loading_is_no_part_of_a_requests_time(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0?load=800", 3)
    facts = by_id(Worker(settings(tmp_path / "out", time_limit=0.5))(table))
    assert {row["status"] for row in facts.values()} == {"ok"}


def test_files_are_spread_over_folders(tmp_path: Path) -> None:
    table = work(tmp_path / "in", "sleep://0", 3)
    facts = by_id(Worker(settings(tmp_path / "out", shards=16, keep=("source",)))(table))
    image = facts["r0000"]["image"]
    shard = image.split("/")[3]
    assert image == f"metal/test/crack/{shard}/r0000.png"
    assert facts["r0000"]["mask"] == f"metal/ground_truth/crack/{shard}/r0000_mask.png"
    assert facts["r0000"]["extras"][0]["path"] == f"extras/{shard}/r0000_source.png"
    assert (tmp_path / "out" / image).exists()
