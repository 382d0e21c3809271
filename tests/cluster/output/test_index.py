from pathlib import Path

import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError

from cluster.output import index as module
from cluster.output.index import INDEX, Ledger, Superseded
from cluster.storage.location import Location


@pytest.fixture(params=["local", "s3"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Location:
    if request.param == "local":
        return Location.of(str(tmp_path / "out"))
    return Location.of(request.getfixturevalue("s3") + "/out")


def rows(*ids: str) -> pa.Table:
    return pa.Table.from_pylist([{"request_id": i, "quality": [("a", 1.0)]} for i in ids], INDEX)


def ids(output: Location) -> list[str]:
    batches = Ledger(output).read(["request_id"])
    return sorted(i for batch in batches for i in batch["request_id"].to_pylist())


def test_a_new_driver_takes_over_and_the_old_one_can_commit_nothing(output: Location) -> None:
    old, new = Ledger(output), Ledger(output)
    old.claim(INDEX)
    old.append(rows("a"))
    new = Ledger(output)
    new.claim(INDEX)
    with pytest.raises(Superseded):
        old.append(rows("b"))
    new.append(rows("c"))
    assert ids(output) == ["a", "c"]


def test_a_driver_that_is_overtaken_between_look_and_commit_commits_nothing(
    output: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = Ledger(output)
    old.claim(INDEX)
    write = module.write_deltalake

    def overtaken(*args: object, **named: object) -> None:
        Ledger(output).claim(INDEX)
        write(*args, **named)

    monkeypatch.setattr(module, "write_deltalake", overtaken)
    with pytest.raises(Superseded):
        old.append(rows("b"))
    assert ids(output) == []


def test_a_commit_whose_answer_was_lost_is_not_repeated(
    output: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Ledger(output)
    driver.claim(INDEX)
    write = module.write_deltalake
    calls = []

    def forgetful(*args: object, **named: object) -> None:
        calls.append(1)
        write(*args, **named)
        if len(calls) == 1:
            raise CommitFailedError("connection reset")

    monkeypatch.setattr(module, "write_deltalake", forgetful)
    driver.append(rows("a"))
    driver.append(rows("b"))
    assert ids(output) == ["a", "b"]


def test_tidying_loses_no_row(tmp_path: Path) -> None:
    output = Location.of(str(tmp_path))
    driver = Ledger(output)
    driver.claim(INDEX)
    for name in "abcd":
        driver.append(rows(name))
    driver.tidy(2)
    driver.append(rows("e"))
    assert ids(output) == ["a", "b", "c", "d", "e"]


def test_an_index_that_was_made_in_vain_is_taken_back(tmp_path: Path) -> None:
    output = Location.of(str(tmp_path))
    driver = Ledger(output)
    driver.claim(INDEX)
    driver.discard()
    assert not Ledger(output).exists
    driver = Ledger(output)
    driver.claim(INDEX)
    driver.append(rows("a"))
    driver.discard()
    assert ids(output) == ["a"]
