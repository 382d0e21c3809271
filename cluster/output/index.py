"""The index of an output: a Delta table with one row a request, written by one driver at a time.

Every commit carries the driver's epoch as a Delta application transaction. A new driver raises the
epoch; from then on no commit of the older one can succeed, whether it is dead, slow or alive.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError
from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from adabldm.core.faults import JobFault
from cluster.output.delta_index import FIRST_WAIT_SECONDS, LOOKS, DeltaIndex, first_line
from cluster.output.log_care import CONFIGURATION, MOST_FILES, REOPEN_COMMITS, merge_files
from cluster.output.schema import FAILED
from cluster.storage.conditional_put import refuse_without_conditional_put
from cluster.storage.location import Location
from cluster.storage.patience import patiently

FOLDER = "index"
EPOCH, COMMITS, GIVEN_UP = "adabldm-driver", "adabldm-commits", "adabldm-given-up"
GOING_SECONDS = 20.0
"""How long an index that its driver has given up is left to that driver to remove."""
SPARE_BYTES = 1 << 20
"""Of a local disk, that are to be free before a commit."""
COMMIT_ATTEMPTS = 5
"""On a disk; to a store as many as there are looks at it."""
T = TypeVar("T")
IDS_A_QUERY = 500
TICK_SECONDS = 0.2


class Superseded(JobFault):
    """Another driver has taken this output over."""


def quoted(text: str) -> str:
    """``text`` as it is written in SQL."""
    return "'" + text.replace("'", "''") + "'"


class Ledger:
    """The index of the output at ``output``."""

    def __init__(self, output: Location) -> None:
        self._output, self._folder = output, output.join(FOLDER)
        self._delta = DeltaIndex(output, self._folder)
        self._table = self._delta.open()
        self._epoch = 0
        self._commits = 0
        self._created = False
        self._since_opened = 0

    @property
    def exists(self) -> bool:
        return self._table is not None

    @property
    def version(self) -> int:
        """The index's version as last seen; -1 before there is one."""
        return -1 if self._table is None else self._table.version()

    @property
    def epoch(self) -> int:
        """This driver's number; 0 before it has claimed the output."""
        return self._epoch

    def columns(self) -> pa.Schema:
        """The index's columns, none before there is one."""
        return pa.schema([]) if self._table is None else pa.schema(self._table.schema())

    def read(
        self, columns: Sequence[str] | None = None, predicate: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Committed rows, in batches, in no order; ``predicate`` is SQL.

        Raises :class:`JobFault`.
        """
        if self._table is None:
            return
        chosen = list(columns) if columns is not None else None
        with self._delta.reading():
            # pyarrow lets other threads run while it waits for the next batch.
            batches = iter(
                pa.RecordBatchReader.from_stream(
                    self._table.scan(columns=chosen, predicate=predicate)
                )
            )
        while (batch := self._next(batches)) is not None:
            yield batch

    def _next(self, batches: Iterator[pa.RecordBatch]) -> pa.RecordBatch | None:
        with self._delta.reading():
            return next(batches, None)

    def insistently(self, look: Callable[[], T]) -> T:
        """What ``look`` finds in the rows, read anew from the first where a store is away in the
        midst of them."""
        return self._delta.insistently(look)

    def claim(self, schema: pa.Schema) -> None:
        """Become the output's only driver; makes the index with columns ``schema`` if needed.

        Raises :class:`Superseded` if another driver claims it at the same moment.
        """
        self._refuse_full_disk(0)
        refuse_without_conditional_put(self._output)
        self._table = self._delta.open()
        self._await_removal()
        if self._table is None:
            self._create(schema)
        table = self._refreshed()
        self._epoch = (self._delta.number(table, EPOCH) or 0) + 1
        self._commits = self._delta.number(table, COMMITS) or 0
        try:
            self._mark(table)
        except CommitFailedError as error:
            raise Superseded("another driver has just started on this output") from error
        except Exception as error:
            raise self._delta.unwritable(error) from error
        self._refreshed()

    def append(self, rows: pa.Table) -> None:
        """Commit ``rows``, all or none. Raises :class:`Superseded`, :class:`JobFault`."""
        self._refuse_full_disk(rows.nbytes)
        if self._since_opened >= REOPEN_COMMITS:
            self._since_opened = 0
            self.tidy()
            self._table = self._delta.open() or self._table
        self._since_opened += 1
        self._commits += 1
        attempts = Retrying(
            stop=stop_after_attempt(COMMIT_ATTEMPTS if self._folder.is_local else LOOKS),
            wait=wait_exponential(FIRST_WAIT_SECONDS, exp_base=2),
            retry=retry_if_exception_type(Exception),
        )
        try:
            for attempt in attempts:
                table = self._mine()
                if self._delta.number(table, COMMITS) == self._commits:
                    return  # An earlier attempt went through although its answer was lost.
                with attempt:
                    write_deltalake(
                        table,
                        rows,
                        mode="append",
                        schema_mode="merge",
                        commit_properties=self._properties(),
                    )
        except RetryError as given_up:
            self._mine()
            error = given_up.last_attempt.exception() or given_up
            raise self._delta.unwritable(error) from error

    def _refuse_full_disk(self, more: int) -> None:
        """Stop before a commit of ``more`` bytes that a local disk has no room for: there the Delta
        library would not stop in good order."""
        if not self._folder.is_local:
            return
        there = next(p for p in Path(self._folder.path).parents if p.exists())
        free = shutil.disk_usage(there).free
        if free < SPARE_BYTES + 2 * more:
            raise JobFault(f"{there}: no space left on device ({free} bytes are free)")

    def _mine(self) -> DeltaTable:
        """The index as it is now. Raises :class:`Superseded` if it is another driver's."""
        table = self._refreshed()
        if self._delta.number(table, EPOCH) != self._epoch:
            raise Superseded("another driver has taken this output over; it goes on there")
        return table

    def forget_failed(self, ids: Sequence[str]) -> None:
        """Take back the rows of those of ``ids`` that have failed: they are to be made again.

        Raises :class:`Superseded`, :class:`JobFault`.
        """
        for start in range(0, len(ids), IDS_A_QUERY):
            some = ", ".join(quoted(one) for one in ids[start : start + IDS_A_QUERY])
            try:
                self._mine().delete(
                    f"status = '{FAILED}' AND request_id IN ({some})",
                    commit_properties=self._properties(),
                )
            except JobFault:
                raise
            except Exception as error:
                self._mine()
                raise self._delta.unwritable(error) from error

    def tidy(self, most_files: int = MOST_FILES) -> None:
        """Merge the index's files if there are more than ``most_files``. A store that fails over
        it fails nothing: they are merged later, perhaps by a later driver."""
        with suppress(Exception):
            merge_files(self._refreshed(), most_files, self._properties())

    def discard(self, before: Callable[[], None] = lambda: None) -> bool:
        """Remove the index, if this driver made it, has committed nothing and is still its driver;
        whether it did. ``before`` is called first, while no other driver can start."""
        if not self._created or self._commits:
            return False
        table = self._refreshed()
        if self._delta.number(table, EPOCH) != self._epoch:
            return False
        try:
            self._mark(table, Transaction(GIVEN_UP, self._epoch))
        except Exception:  # another driver claimed it, or the store is away
            return False
        before()
        self._remove()
        return True

    def _remove(self) -> None:
        def gone() -> None:
            with suppress(FileNotFoundError):
                self._folder.fs.rm(self._folder.path, recursive=True)

        patiently(self._folder, gone)
        self._table = None

    def _await_removal(self) -> None:
        """Wait for an index that was given up to be gone; if its driver died over that, remove
        it."""
        deadline = time.monotonic() + GOING_SECONDS
        while self._table is not None and self._is_given_up(self._table):
            if time.monotonic() > deadline:
                self._remove()
                return
            time.sleep(TICK_SECONDS)
            self._table = self._delta.open()

    def _is_given_up(self, table: DeltaTable) -> bool:
        return self._delta.number(table, GIVEN_UP) is not None

    def _create(self, schema: pa.Schema) -> None:
        try:
            self._table = DeltaTable.create(
                self._delta.uri,
                schema=schema,
                storage_options=self._delta.options,
                configuration=CONFIGURATION,
            )
            self._created = True
        except Exception as error:  # the library raises some that are not its own
            self._table = self._delta.open()
            if self._table is None:
                raise JobFault(f"{self._delta.uri}: cannot be made: {first_line(error)}") from error

    def _refreshed(self) -> DeltaTable:
        assert self._table is not None  # noqa: S101
        with self._delta.reading():
            self._delta.insistently(self._table.update_incremental)
        return self._table

    def _mark(self, table: DeltaTable, *more: Transaction) -> None:
        """Commit no rows, as this driver. Raises ``CommitFailedError``."""
        properties = self._properties(*more)
        table.create_write_transaction([], "append", table.schema(), commit_properties=properties)

    def _properties(self, *more: Transaction) -> CommitProperties:
        marks = [Transaction(EPOCH, self._epoch), *more]
        if self._commits:
            marks.append(Transaction(COMMITS, self._commits))
        return CommitProperties(app_transactions=marks)
