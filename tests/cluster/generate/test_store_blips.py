"""A store that refuses for a moment ends no driver, and one that stays away is no bad input."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tenacity.nap
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from adabldm.core.faults import InputFault, JobFault
from cluster.generate import driver
from cluster.generate.protocol import UNREAD, Fact, Work
from cluster.generate.settling import Settling
from cluster.manifest import parquet_guard
from cluster.manifest.parquet_guard import open_parquet
from cluster.manifest.picture_checks import PictureChecks, PictureFault, PictureSource
from cluster.manifest.reader import Manifest
from cluster.manifest.real_defects import read_real_defects, write_real_defects
from cluster.output.run_json import RunBinding, read_run
from cluster.storage.location import Location
from tests.conftest import ROOT
from tests.support.making import good_png, write_manifest

OUTPUT = Location("s3", "bucket/out")
MADE: list[dict[str, Any]] = [{"status": "ok", "image": "a.png"}]
PLACE = Location("memory", "/blips/a.parquet")


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    monkeypatch.setattr(parquet_guard.time, "sleep", lambda _: None)


def failing(errors: list[Exception], then: Callable[..., Any]) -> Callable[..., Any]:
    def action(*words: Any, **named: Any) -> Any:
        if errors:
            raise errors.pop()
        return then(*words, **named)

    return action


def test_a_403_on_what_a_worker_has_stored_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = [PermissionError("Forbidden")] * 4
    monkeypatch.setattr(Location, "exists", failing(errors, lambda _: True))
    driver._refuse_lost(OUTPUT, MADE)
    assert not errors


def test_a_403_that_stays_ends_the_job_in_good_order(monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[Exception] = [PermissionError("Forbidden")] * 99
    monkeypatch.setattr(Location, "exists", failing(errors, lambda _: True))
    with pytest.raises(JobFault, match=r"^s3://bucket/out/a.png: Forbidden$"):
        driver._refuse_lost(OUTPUT, MADE)


def test_what_a_failed_request_left_is_removed_insistently(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors: list[Exception] = [PermissionError("Forbidden")] * 3
    monkeypatch.setattr(Location, "remove", failing(errors, lambda _: None))
    driver._remove_pictures(OUTPUT, {"object": "o", "defect": "d", "request_id": "r"}, 0)
    assert not errors


def in_memory(data: bytes) -> Location:
    MemoryFileSystem().pipe_file(PLACE.path, data)
    return PLACE


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({"a": [1, 2]}), buffer)
    return buffer.getvalue()


def test_a_manifest_in_a_store_is_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    place, errors = in_memory(parquet()), [OSError("SlowDown"), TimeoutError("read")]
    monkeypatch.setattr(MemoryFileSystem, "open", failing(errors, MemoryFileSystem.open))
    with open_parquet(place) as found:
        assert found.metadata.num_rows == 2
    assert not errors


@pytest.mark.parametrize("times", [1, 4])
def test_other_bytes_that_come_for_some_seconds_are_not_believed(
    times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(parquet_guard.time, "sleep", slept.append)
    page = b"<html>Sign in, guest</html>"
    place, pages = in_memory(parquet()), [io.BytesIO(page) for _ in range(times)]
    real = MemoryFileSystem.open
    monkeypatch.setattr(
        MemoryFileSystem, "open", lambda *words, **_: pages.pop() if pages else real(*words)
    )
    with open_parquet(place) as found:
        assert found.metadata.num_rows == 2
    assert len(slept) == times
    assert 0 < sum(slept) < 8


class ChecksumError(Exception):
    """What a store's library calls its own trouble."""


@pytest.mark.parametrize("failures", [2, 99])
def test_a_read_in_the_middle_of_a_manifest_is_tried_again(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_manifest(tmp_path / "in", 6)
    for file in path.parent.rglob("*.*"):
        key = f"/blips/{file.relative_to(path.parent)}"
        MemoryFileSystem().pipe_file(key, file.read_bytes())
    manifest = Manifest("memory://blips/manifest.parquet")
    errors: list[Exception] = []
    monkeypatch.setattr(MemoryFile, "read", failing(errors, MemoryFile.read))
    chunks = manifest.chunks()
    errors += [ChecksumError("did not match")] * failures
    if failures == 2:
        assert len(next(chunks)[1]) == 6
        return
    with pytest.raises(JobFault, match=r"manifest.parquet: cannot be read \(ChecksumError: did"):
        next(chunks)


def test_a_manifest_that_is_none_is_bad_input_and_a_store_that_is_away_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_guard, "LOOKS_AGAIN", (0.0, 0.0))
    with pytest.raises(InputFault, match="not a Parquet file"):
        open_parquet(in_memory(b"a,b\n1,2\n" * 9))
    errors: list[Exception] = [OSError("SlowDown")] * 99
    monkeypatch.setattr(MemoryFileSystem, "open", failing(errors, MemoryFileSystem.open))
    with pytest.raises(JobFault, match=r"a.parquet: cannot be read \(SlowDown\)"):
        open_parquet(PLACE)


def test_a_picture_that_cannot_be_had_now_is_no_fault_of_its_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place = in_memory(good_png(0))
    errors: list[Exception] = [OSError("SlowDown")] * 99
    monkeypatch.setattr(Location, "read", failing(errors, Location.read))
    with pytest.raises(JobFault, match="cannot be read"):
        PictureChecks().image(PictureSource(None, place))
    errors[:] = [FileNotFoundError("gone")]
    with pytest.raises(PictureFault, match="there is no such file"):
        PictureChecks().image(PictureSource(None, place))


def test_what_outlives_the_session_connects_to_no_ray() -> None:
    text = "from cluster.launch import session; session._guard_doors(joins=False)\n"
    text += "import ray\ntry:\n    ray.put(1)\n"
    text += "except Exception as error:\n    print('refused', ray.is_initialized())\n"
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, env=environment, check=False, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert "refused False" in done.stdout, done.stderr


@pytest.mark.parametrize("error", [PermissionError("Forbidden"), FileNotFoundError("none")])
def test_a_store_that_denies_a_picture_for_a_moment_condemns_no_request(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = replace(works_of_one(), image={"bytes": None, "path": "s3://bucket/good.png"})
    settle = Settling(Location("s3", "bucket/manifest.parquet"), "sleep://0")
    unread = Fact(request_id=work.request_id, status=UNREAD)
    monkeypatch.setattr(Location, "exists", lambda _: True)
    monkeypatch.setattr(Location, "read", failing([error] * 5, lambda _: b""))
    assert settle(unread, work) is None
    monkeypatch.setattr(Location, "read", failing([error] * 9, lambda _: b""))
    failed = settle(unread, work)
    assert failed is not None
    assert failed.own
    rule = "may not be read" if isinstance(error, PermissionError) else "there is no such file"
    assert failed.reason == f"image: s3://bucket/good.png: {rule}"
    assert settle(unread, work) is not None  # believed at once, for a while


@pytest.mark.parametrize("denials", [5, 99])
def test_a_403_while_pictures_are_checked_is_not_believed_at_once(
    denials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = in_memory(good_png(0))
    errors: list[Exception] = [PermissionError("Forbidden")] * denials
    checks = PictureChecks(lambda *_: None)
    monkeypatch.setattr(Location, "read", failing(errors, Location.read))
    if denials == 5:
        assert checks.image(PictureSource(None, place)).size
        assert not errors
        return
    with pytest.raises(PictureFault, match=r"cannot be read \(Forbidden\)"):
        checks.image(PictureSource(None, place))
    left = len(errors)
    with pytest.raises(PictureFault, match="cannot be read"):
        checks.trimap(PictureSource(None, place))
    assert len(errors) == left - 1  # believed at once, for a while


@pytest.mark.parametrize("denials", [5, 99])
def test_a_403_on_a_manifest_is_not_believed_at_once(
    denials: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[Exception] = [PermissionError("Forbidden")] * denials
    place = in_memory(parquet())
    monkeypatch.setattr(MemoryFileSystem, "open", failing(errors, MemoryFileSystem.open))
    if denials == 5:
        with open_parquet(place) as found:
            assert found.metadata.num_rows == 2
        assert not errors
        return
    with pytest.raises(InputFault, match="PermissionError"):
        open_parquet(place)


BLIPS = [PermissionError("Forbidden"), OSError("SlowDown"), ChecksumError("did not match")]


@pytest.mark.parametrize("blip", [*BLIPS, "a page"], ids=str)
@pytest.mark.parametrize("what", ["run.json", "real defects"])
def test_what_a_store_gives_wrongly_for_a_moment_is_not_believed(
    what: str, blip: Exception | str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Location("memory", f"/blips/{tmp_path.name}")
    binding = RunBinding(model="m", model_fingerprint="0", config={})
    binding.bind(output)
    place = output.join("real.parquet")
    write_real_defects(place, [])

    def look() -> object:
        return read_run(output) if what == "run.json" else read_real_defects(place)

    wanted, real = look(), MemoryFileSystem.open
    left = [4 if isinstance(blip, Exception) else 2]

    def unsteady(*words: Any, **named: Any) -> Any:
        if not left[0]:
            return real(*words, **named)
        left[0] -= 1
        if isinstance(blip, Exception):
            raise blip
        return io.BytesIO(b"<html>Sign in, guest</html>")

    monkeypatch.setattr(MemoryFileSystem, "open", unsteady)
    assert look() == wanted
    assert not left[0]
    left[0] = 99
    with pytest.raises((JobFault, InputFault)):
        look()


def works_of_one() -> Work:
    return Work(
        request_id="r", object="o", defect="d", image={"bytes": b"", "path": None}, trimap=None,
        placement=None, prompt="", negative_prompt="", seed=0, model="sleep://0",
        model_fingerprint="", branch=None, branch_fingerprint=None, source_sha256="",
    )  # fmt: skip
