"""A store on which two drivers could both win is no place for an output."""

from __future__ import annotations

from collections.abc import Iterator

import fsspec
import pytest

from adabldm.core.faults import InputFault, JobFault
from cluster.output.index import Ledger
from cluster.output.schema import INDEX
from cluster.storage.conditional_put import refuse_without_conditional_put
from cluster.storage.location import Location


def test_a_store_that_keeps_its_promise_is_left_as_it_was(s3: str) -> None:
    output = Location.of(f"{s3}/out")
    refuse_without_conditional_put(output)
    assert output.fs.find(s3) == []


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The store takes every write, as some do that have not heard of conditions."""
    kind = fsspec.get_filesystem_class("s3")
    pipe = kind._pipe_file

    async def always(self, path, data, mode="overwrite", **more):
        return await pipe(self, path, data, **more)

    monkeypatch.setattr(kind, "_pipe_file", always)
    kind.clear_instance_cache()
    yield
    kind.clear_instance_cache()


def test_a_store_that_writes_over_what_is_there_is_refused_and_nothing_is_left(
    s3: str, forgetful: None
) -> None:
    output = Location.of(f"{s3}/out")
    with pytest.raises(InputFault, match="two drivers could both commit"):
        Ledger(output).claim(INDEX)
    assert output.fs.find(s3) == []


def test_a_bucket_that_is_not_there_is_told(s3_server: None) -> None:
    with pytest.raises(JobFault, match="cannot be written"):
        refuse_without_conditional_put(Location.of("s3://there-is-none/out"))
