"""An index as the Delta library has it, in a place that may be away for a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from adabldm.core.faults import InputFault, JobFault
from cluster.storage.location import Location, delta_options

SCHEMES = {"file": "file", "s3": "s3", "gcs": "gs", "gs": "gs", "abfs": "az", "az": "az"}
"""The Delta library's name for each fsspec protocol that it can write to."""
LOOKS = 8
"""Attempts to see a remote index as it is now: about 25 s of a store that stays away."""
FIRST_WAIT_SECONDS = 0.2
MOST_LETTERS = 500
T = TypeVar("T")


def first_line(error: BaseException) -> str:
    """What an error says, without the library's own whereabouts."""
    return (str(error) or type(error).__name__).splitlines()[0][:MOST_LETTERS]


class DeltaIndex:
    """The table in ``folder`` of ``output``. Whatever the library raises over it is a
    :class:`JobFault` of one line.

    Raises :class:`InputFault` for a place that the library cannot write to.
    """

    def __init__(self, output: Location, folder: Location) -> None:
        if output.protocol not in SCHEMES:
            rule = f"an output is at one of {', '.join(SCHEMES)}"
            raise InputFault.of("output", output.uri, rule)
        self.folder = folder
        self.uri = f"{SCHEMES[output.protocol]}://{folder.path}"
        self.options = delta_options(output)

    def open(self) -> DeltaTable | None:
        """The table as it is now, None if there is none."""
        return self.insistently(self._open)

    def _open(self) -> DeltaTable | None:
        with self.reading():
            try:
                return DeltaTable(self.uri, storage_options=self.options)
            except TableNotFoundError:
                return None

    def number(self, table: DeltaTable, name: str) -> int | None:
        """Of the last transaction of this name. The library reads the log for it when asked, which
        a store may not let it do."""
        with self.reading():
            return self.insistently(lambda: table.transaction_version(name))

    def insistently(self, look: Callable[[], T]) -> T:
        """What ``look`` sees of the index; asked again where a store is away for a moment."""
        attempts = Retrying(
            stop=stop_after_attempt(1 if self.folder.is_local else LOOKS),
            wait=wait_exponential(FIRST_WAIT_SECONDS, exp_base=2),
            retry=retry_if_exception_type(Exception),
            reraise=True,
        )
        return attempts(look)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """What the library raises for an index that cannot be read, as a line."""
        try:
            yield
        except JobFault:
            raise
        except Exception as error:  # its own, Arrow's, or a plain one of Parquet's
            raise JobFault(f"{self.uri}: cannot be read: {first_line(error)}") from error

    def unwritable(self, error: BaseException) -> JobFault:
        """What is told of an index that cannot be written."""
        return JobFault(f"{self.uri}: cannot be written: {first_line(error)}")
