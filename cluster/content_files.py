"""Files that appear whole or not at all, on any fsspec file system."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import TracebackType
from typing import IO

import fsspec
from fsspec.implementations.local import LocalFileSystem

UPLOADS = 16
"""Files that are written at the same time."""


@contextmanager
def write_whole(uri: str) -> Iterator[IO[bytes]]:
    """A file to write to, which is at ``uri`` only once the block has ended well.

    Locally a hidden neighbour is renamed; elsewhere the upload is completed or discarded.
    """
    fs, path = fsspec.url_to_fs(uri)
    if isinstance(fs, LocalFileSystem):
        folder, name = os.path.split(path)
        os.makedirs(folder, exist_ok=True)
        partial = os.path.join(folder, f".{name}.partial-{os.getpid()}")
        try:
            with open(partial, "wb") as handle:
                yield handle
            os.replace(partial, path)
        except BaseException:
            if os.path.exists(partial):
                os.unlink(partial)
            raise
        return
    handle = fs.open(path, "wb", autocommit=False)
    try:
        yield handle
        handle.close()
    except BaseException:
        handle.discard()
        raise
    handle.commit()


class ContentFolder:
    """A folder whose files are named by their content, so each is written once.

    Use as a context manager: leaving it waits for the writes and raises what failed.
    """

    def __init__(self, uri: str) -> None:
        self._fs, self._root = fsspec.url_to_fs(uri)
        self._sizes: dict[str, int] = {}
        if self._fs.isdir(self._root):
            for item in self._fs.ls(self._root, detail=True):
                self._sizes[str(item["name"]).rsplit("/", 1)[-1]] = int(item["size"] or 0)
        self._pool = ThreadPoolExecutor(UPLOADS, thread_name_prefix="content-files")
        self._pending: deque[Future[None]] = deque()

    def put(self, data: bytes, suffix: str) -> str:
        """The URI at which ``data`` is, or soon will be; ``suffix`` as in ``.png``."""
        name = hashlib.sha256(data).hexdigest()[:16] + suffix
        uri = str(self._fs.unstrip_protocol(f"{self._root}/{name}"))
        if self._sizes.get(name) != len(data):
            self._sizes[name] = len(data)
            if len(self._pending) >= 2 * UPLOADS:
                self._pending.popleft().result()
            self._pending.append(self._pool.submit(self._write, uri, data))
        return uri

    @staticmethod
    def _write(uri: str, data: bytes) -> None:
        with write_whole(uri) as handle:
            handle.write(data)

    def __enter__(self) -> ContentFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if kind is None:
            for future in self._pending:
                future.result()
