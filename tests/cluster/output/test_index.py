from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import tenacity.nap
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from adabldm.core.faults import JobFault
from cluster.output import index as module
from cluster.output.delta_index import LOOKS
from cluster.output.index import COMMIT_ATTEMPTS, Ledger, Superseded
from cluster.output.schema import INDEX
from cluster.output.tally import tally_of
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


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("most", [COMMIT_ATTEMPTS, LOOKS])
def test_a_place_that_fails_in_passing_is_asked_again_and_not_for_ever(
    most: int, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver, write = Ledger(Location.of(str(tmp_path))), module.write_deltalake
    failures = most if late else most - 1
    if most == LOOKS:
        driver._folder = Location("s3", "bucket/index")
    driver.claim(INDEX)
    errors = [OSError(f"reset {n + 1}") for n in range(failures)]
    waits: list[float] = []

    def unsteady(*args: object, **named: object) -> None:
        if errors:
            raise errors.pop(0)
        write(*args, **named)

    monkeypatch.setattr(module, "write_deltalake", unsteady)
    monkeypatch.setattr(tenacity.nap.time, "sleep", waits.append)
    if not late:
        driver.append(rows("a"))
        assert waits == pytest.approx([0.2 * 2**number for number in range(failures)])
        assert ids(Location.of(str(tmp_path))) == ["a"]
    else:
        with pytest.raises(JobFault, match=rf"cannot be written: reset {most}$"):
            driver.append(rows("a"))


def test_an_index_of_an_older_program_gets_rows_with_newer_columns(tmp_path: Path) -> None:
    older = pa.schema([field for field in INDEX if not field.name.startswith("made_")])
    ledger = Ledger(Location.of(str(tmp_path)))
    ledger.claim(older)
    ledger.append(pa.Table.from_pylist([{"request_id": "a", "status": "ok"}], older))
    ledger = Ledger(Location.of(str(tmp_path)))
    ledger.claim(INDEX)
    newer = {"request_id": "b", "status": "ok", "made_by": "host:1"}
    ledger.append(pa.Table.from_pylist([newer], INDEX))
    found = [row for batch in ledger.read(["request_id", "made_by"]) for row in batch.to_pylist()]
    assert {row["request_id"]: row["made_by"] for row in found} == {"a": None, "b": "host:1"}


@pytest.mark.parametrize("how", [None, b"", b"x" * 50])
@pytest.mark.parametrize("victim", ["*.parquet", "_delta_log/*0.json", "_delta_log/*2.json"])
def test_an_index_that_is_broken_is_told_in_a_line(
    tmp_path: Path, victim: str, how: bytes | None
) -> None:
    ledger = Ledger(Location.of(str(tmp_path)))
    ledger.claim(INDEX)
    row = dict.fromkeys(INDEX.names) | {"request_id": "r", "status": "ok"}
    ledger.append(pa.Table.from_pylist([row], schema=INDEX))
    (path,) = (tmp_path / "index").glob(victim)
    if how is None:
        path.unlink()
    else:
        path.write_bytes(how)
    told = ""
    try:
        list(Ledger(Location.of(str(tmp_path))).read())
    except JobFault as fault:
        told = str(fault)
    assert "\n" not in told
    assert "cannot be read" in told or "_delta_log" in victim


def test_a_driver_that_was_overtaken_takes_nothing_back(output: Location) -> None:
    old, new = Ledger(output), Ledger(output)
    old.claim(INDEX)
    new.claim(INDEX)
    new.append(rows("a"))
    unbound: list[bool] = []
    assert not old.discard(before=lambda: unbound.append(True))
    assert not unbound
    assert ids(output) == ["a"]
    new.append(rows("b"))
    assert ids(output) == ["a", "b"]


def test_a_driver_that_is_overtaken_while_it_takes_the_index_back_leaves_it(
    output: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, mark = Ledger(output), Ledger._mark
    old.claim(INDEX)

    def overtaken(ledger: Ledger, *args: object) -> None:
        monkeypatch.setattr(Ledger, "_mark", mark)
        new = Ledger(output)
        new.claim(INDEX)
        new.append(rows("a"))
        mark(ledger, *args)

    monkeypatch.setattr(Ledger, "_mark", overtaken)
    assert not old.discard()
    assert ids(output) == ["a"]


def test_a_driver_that_starts_while_an_index_is_taken_back_makes_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Location.of(str(tmp_path))
    monkeypatch.setattr(module, "GOING_SECONDS", 0.5)
    old, new = Ledger(output), Ledger(output)
    old.claim(INDEX)
    monkeypatch.setattr(old, "_remove", lambda: None)  # it dies over it
    assert old.discard()
    new.claim(INDEX)
    new.append(rows("a"))
    assert ids(output) == ["a"]


@pytest.mark.parametrize("blips", [3, LOOKS])
def test_a_store_that_is_away_for_a_moment_stops_no_driver(
    blips: int, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever looks at the index is asked again: claim, commit and tidying up."""
    output = Location.of(f"{s3}/out")
    driver, left = Ledger(output), [0]
    driver.claim(INDEX)
    update = module.DeltaTable.update_incremental

    def unsteady(table: object) -> None:
        if left[0]:
            left[0] -= 1
            raise OSError("Generic S3 error: connection reset")
        update(table)

    monkeypatch.setattr(module.DeltaTable, "update_incremental", unsteady)
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    left[0] = blips
    if blips < LOOKS:
        driver.append(rows("a"))
        left[0] = blips
        Ledger(output).claim(INDEX)
        assert ids(output) == ["a"]
    else:
        with pytest.raises(JobFault, match="cannot be read: Generic S3 error: connection reset"):
            driver.append(rows("a"))
        left[0] = blips
        driver.tidy(0)


def test_rows_that_have_failed_are_taken_back_and_no_others(output: Location) -> None:
    names = ["a", "it's", "c", "d"]
    statuses = ["failed", "failed", "ok", "rejected"]
    pairs = [{"request_id": i, "status": s} for i, s in zip(names, statuses, strict=True)]
    driver = Ledger(output)
    driver.claim(INDEX)
    driver.append(pa.Table.from_pylist(pairs, INDEX))
    driver.forget_failed(["it's", "c", "d", "x"])
    assert ids(output) == ["a", "c", "d"]
    Ledger(output).claim(INDEX)
    with pytest.raises(Superseded):
        driver.forget_failed(["a"])
    assert ids(output) == ["a", "c", "d"]


@pytest.mark.parametrize("failures", [2, 99])
def test_a_log_that_cannot_be_read_for_a_moment_ends_no_driver(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Ledger(Location.of(str(tmp_path)))
    driver.claim(INDEX)
    read = module.DeltaTable.transaction_version
    pages = [DeltaError("Json error: unexpected '<'\n 0: <unknown>\n 1: <unknown>")] * failures

    def guest_network(table: object, name: str) -> object:
        if pages:
            raise pages.pop()
        return read(table, name)

    monkeypatch.setattr(module.DeltaTable, "transaction_version", guest_network)
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    driver._delta.folder = Location("s3", "bucket/index")  # there it may pass
    if failures == 2:
        driver.append(rows("a"))
        assert ids(Location.of(str(tmp_path))) == ["a"]
        return
    with pytest.raises(JobFault) as ended:
        driver.append(rows("a"))
    assert str(ended.value).endswith("index: cannot be read: Json error: unexpected '<'")
    assert "unknown" not in str(ended.value)


CALLS = (
    "__init__", "update_incremental", "transaction_version", "schema", "scan", "delete",
    "create_write_transaction", "create",
)  # fmt: skip
"""What a ledger asks of the library, beside writing rows."""
RAISED = (
    OSError("Kernel error: Error interacting with object store: 403 Forbidden"),
    Exception("Parquet error: EOF"),
    TableNotFoundError("no log files"),
)


@pytest.mark.parametrize("call", [*CALLS, "write_deltalake"])
@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("after", [0, 1, 2, 3, 5, 8])
def test_whatever_the_library_raises_is_one_fault_of_the_job(
    call: str, error: Exception, after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first call of its kind on, or a later one: nothing else comes out of a driver."""
    output = Location.of(str(tmp_path / "out"))
    holder = module if call == "write_deltalake" else module.DeltaTable
    whole, left = getattr(holder, call), [after]

    def failing(*args: object, **options: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise error
        return whole(*args, **options)

    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    failed = pa.Table.from_pylist([{"request_id": "a", "status": "failed"}], INDEX)
    told = ""
    with monkeypatch.context() as trouble:
        trouble.setattr(holder, call, failing)
        try:
            driver = Ledger(output)
            driver.claim(INDEX)
            if after % 2:
                driver.append(failed)
                driver.forget_failed(["a"])
                list(driver.read())
            driver.tidy(0)
            driver.discard()
            Ledger(output).claim(INDEX)
        except JobFault as fault:
            told = str(fault)
    assert len(told.splitlines()) <= 1
    again = Ledger(output)
    again.claim(INDEX)
    again.append(failed)
    assert [row["request_id"] for batch in again.read() for row in batch.to_pylist()].count("a") > 0


@pytest.mark.parametrize("failures", [2, 99])
def test_rows_that_a_store_breaks_off_are_read_anew(
    failures: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the midst of them too, and each is counted once."""
    driver = Ledger(Location.of(str(tmp_path)))
    driver.claim(INDEX)
    for name in ("a", "b"):
        one = {"request_id": name, "object": "o", "defect": "d", "status": "ok"}
        driver.append(pa.Table.from_pylist([one], INDEX))
    driver._delta.folder = Location("s3", "bucket/index")  # there it may pass
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: None)
    whole, left = Ledger._next, [failures]

    def broken_off(self: Ledger, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        batch = whole(self, batches)
        if batch is None and left[0]:
            left[0] -= 1
            raise JobFault("cannot be read: C Data interface error: External error")
        return batch

    monkeypatch.setattr(Ledger, "_next", broken_off)
    if failures == 2:
        assert tally_of(driver).types["o", "d"].made == 2
        return
    with pytest.raises(JobFault, match="External error"):
        tally_of(driver)
