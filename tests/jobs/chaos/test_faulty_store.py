"""The proxy in front of an S3 server: it changes nothing, until it is told to."""

from __future__ import annotations

import http.client
import os
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import boto3
import fsspec
import pytest

from jobs.chaos import faulty_store
from jobs.chaos.faulty_store import FaultyStore, StoreFault, spoiled

DATA = bytes(range(256)) * 40


@pytest.fixture
def store(s3: str) -> Iterator[FaultyStore]:
    proxy = FaultyStore(os.environ["AWS_ENDPOINT_URL"])
    yield proxy
    proxy.close()


@pytest.fixture
def url(s3: str, store: FaultyStore) -> str:
    fsspec.filesystem("s3").pipe_file(f"{s3}/a.png", DATA)
    return signed(s3, store, "get_object")


def signed(s3: str, store: FaultyStore, action: str) -> str:
    """An address, through the proxy, that needs no further credentials."""
    client = boto3.client("s3", endpoint_url=store.endpoint)
    which = {"Bucket": s3.removeprefix("s3://"), "Key": "a.png"}
    return client.generate_presigned_url(action, Params=which)


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310
        return answer.read()


def test_what_passes_is_what_the_server_says(s3: str, store: FaultyStore, url: str) -> None:
    through = fsspec.filesystem(
        "s3", client_kwargs={"endpoint_url": store.endpoint}, skip_instance_cache=True
    )
    assert fetched(url) == DATA
    through.pipe_file(f"{s3}/folder/b", DATA)
    assert through.info(f"{s3}/folder/b")["size"] == len(DATA)
    assert through.cat_file(f"{s3}/folder/b", start=5, end=9) == DATA[5:9]
    with pytest.raises(FileExistsError):
        through.pipe_file(f"{s3}/folder/b", b"other", mode="create")
    through.rm_file(f"{s3}/folder/b")
    assert not through.exists(f"{s3}/folder/b")


@pytest.mark.parametrize("fault", ["403", "500", "503"])
def test_a_refusal_has_its_code_and_is_counted(
    store: FaultyStore, url: str, fault: StoreFault
) -> None:
    store.strike(fault, 1.0, 60)
    with pytest.raises(urllib.error.HTTPError) as refused:
        fetched(url)
    assert str(refused.value.code) == fault
    assert store.hits[fault] == 1
    store.calm()
    assert fetched(url) == DATA


def test_a_cut_file_ends_early(store: FaultyStore, url: str) -> None:
    store.strike("cut", 1.0, 60)
    with pytest.raises(http.client.IncompleteRead):
        fetched(url)


def test_a_slow_one_waits(store: FaultyStore, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faulty_store, "SLOW_SECONDS", (0.2, 0.2))
    store.strike("slow", 1.0, 60)
    began = time.monotonic()
    assert fetched(url) == DATA
    assert time.monotonic() - began > 0.2


def test_an_answer_that_is_lost_was_done_all_the_same(
    s3: str, store: FaultyStore, url: str
) -> None:
    store.strike("lost answer", 1.0, 60)
    there = signed(s3, store, "put_object")
    ask = urllib.request.Request(there, b"new", {"Content-Type": "image/png"}, method="PUT")  # noqa: S310
    with pytest.raises((urllib.error.URLError, http.client.HTTPException, OSError)):
        urllib.request.urlopen(ask, timeout=10)  # noqa: S310
    assert fsspec.filesystem("s3").cat_file(f"{s3}/a.png") == b"new"


def test_wrong_bytes_are_as_many_and_others(store: FaultyStore, url: str) -> None:
    store.strike("wrong bytes", 1.0, 60)
    found = fetched(url)
    assert len(found) == len(DATA)
    assert found != DATA
    assert found == spoiled("a.png", DATA)
    assert spoiled("log/0.json", DATA) == faulty_store.PAGE


def test_a_fault_ends_by_itself(store: FaultyStore, url: str) -> None:
    store.strike("500", 1.0, 0.0)
    assert fetched(url) == DATA
