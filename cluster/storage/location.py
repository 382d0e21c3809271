"""Folders and files under any fsspec URI, with whole-file writes."""

from __future__ import annotations

import errno
import os
import posixpath
import stat
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import fsspec
from fsspec.core import split_protocol
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from adabldm.core.faults import InputFault
from adabldm.core.redaction import holds_password
from cluster.storage import web

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Largest picture file that is read."""
PARTIAL = ".partial"
"""Folder inside a local output that holds files until they are whole."""
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.2
FINAL_ERRORS = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    IsADirectoryError,
    NotADirectoryError,
)

WRAPPERS = (
    *("generic", "reference", "dir", "data", "dask", "asyncwrapper", "zip", "tar", "libarchive"),
    *("simplecache", "blockcache", "filecache", "cached"),
)
"""What fsspec has for looking at other places' files in another way."""

T = TypeVar("T")


class TooLargeError(OSError):
    """A file of more bytes than may be read."""


def insistently(action: Callable[[], T]) -> T:
    """``action()``, tried again after a passing storage error.

    Raises the last error as an ``OSError``, whatever the store's own library calls it.
    """
    attempts = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential(FIRST_WAIT_SECONDS, exp_base=4),
        retry=retry_if_exception(_may_pass),
        reraise=True,
    )
    try:
        return attempts(action)
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _may_pass(error: BaseException) -> bool:
    return isinstance(error, Exception) and not isinstance(error, (*FINAL_ERRORS, TooLargeError))


def passes(place: Location, error: BaseException) -> bool:
    """Whether ``error`` tells of a store that is away, and not of what is at ``place``."""
    is_store = not place.is_local and place.protocol not in web.HTTP
    return is_store and isinstance(error, OSError) and _may_pass(error)


@dataclass(frozen=True)
class Location:
    """A file or folder: ``protocol`` as fsspec names it, and its ``path`` there.

    Local paths are absolute and free of symbolic links.
    """

    protocol: str
    path: str

    @classmethod
    def of(cls, uri: str, base: Location | None = None) -> Location:
        """Read ``uri``; one without a protocol is relative to ``base``, or local without a base.

        Raises ``ValueError`` for ``..``, chained or empty URIs.
        """
        if not uri or "::" in uri or "\0" in uri:
            raise ValueError("is not the URI of a file or folder")
        if holds_password(uri):
            raise ValueError("must not hold a password: credentials are the environment's")
        protocol, bare = split_protocol(uri)
        if ".." in bare.replace("\\", "/").split("/") and (protocol or base):
            raise ValueError("must not contain '..'")
        if protocol is None and base is not None and not bare.startswith(("/", "~")):
            return cls.of(f"{base.protocol}://{base.path}/{bare}")
        if protocol in web.HTTP:
            return cls(protocol, web.path_of(uri))
        if protocol in WRAPPERS:
            raise ValueError(f"{protocol}:// has no files of its own")
        try:
            kind = fsspec.get_filesystem_class(protocol or "file")
            _refuse_without_its_own_address(kind)
        except (ValueError, ImportError, TypeError) as error:
            raise ValueError(f"{protocol}:// cannot be used: {error}") from error
        name = kind.protocol if isinstance(kind.protocol, str) else kind.protocol[0]
        path = kind._strip_protocol(uri)
        if name == "file":
            return cls(name, os.path.realpath(path))
        if not path.strip("/"):
            raise ValueError("is not the URI of a file or folder")
        return cls(name, posixpath.normpath(path))

    @property
    def uri(self) -> str:
        return f"{self.protocol}://{self.path}"

    @property
    def shown(self) -> str:
        """As a user would write it."""
        return self.path if self.is_local else self.uri

    @property
    def is_local(self) -> bool:
        return self.protocol == "file"

    @property
    def parent(self) -> Location:
        return Location(self.protocol, posixpath.dirname(self.path))

    @property
    def name(self) -> str:
        return posixpath.basename(self.path)

    def inside(self, root: Location) -> bool:
        """Whether this is ``root`` or below it."""
        folder = root.path.rstrip("/") + "/"
        return self.protocol == root.protocol and (self.path + "/").startswith(folder)

    def join(self, key: str) -> Location:
        return Location(self.protocol, f"{self.path.rstrip('/')}/{key}")

    @cached_property
    def fs(self) -> fsspec.AbstractFileSystem:
        if self.protocol in web.HTTP:
            raise PermissionError(f"{self.uri}: {web.ONLY_PICTURES}")
        # Listings are never remembered: other processes write here too.
        return fsspec.filesystem(self.protocol, use_listings_cache=False)

    def __reduce__(self) -> tuple[type[Location], tuple[str, str]]:
        return Location, (self.protocol, self.path)

    def exists(self) -> bool:
        return insistently(lambda: self.fs.exists(self.path))

    def is_folder(self) -> bool:
        return insistently(lambda: self.fs.isdir(self.path))

    def read(self, limit: int = MAX_FILE_BYTES) -> bytes:
        """The whole file. Raises ``OSError``, and :class:`TooLargeError` beyond ``limit`` bytes."""

        def bounded() -> bytes:
            if self.protocol in web.HTTP:
                found = web.read(self.uri, limit)
                if found is None:
                    raise TooLargeError(f"more than {limit} bytes")
                return found
            if self.is_local and os.path.exists(self.path) and not _is_plain(self.path):
                raise PermissionError(errno.EACCES, "is a pipe or a device, not a file", self.path)
            with self.fs.open(self.path, "rb", cache_type="none", block_size=limit) as file:
                data = file.read(limit + 1)
            if len(data) > limit:
                raise TooLargeError(f"more than {limit} bytes")
            return data

        return insistently(bounded)

    def write(self, data: bytes, partial: Location | None = None) -> None:
        """Write the file whole: it has its name only once all of ``data`` is there.

        ``partial`` is a local folder for the unfinished file, on the same disk.
        """
        if self.is_local:
            with _Unfinished(self, data, partial) as unfinished:
                unfinished.replace(self.path)
        else:
            insistently(lambda: self.fs.pipe_file(self.path, data))

    def create(self, data: bytes) -> None:
        """Write the file if there is none. Raises ``FileExistsError``."""
        if self.is_local:
            with _Unfinished(self, data, None) as unfinished:
                os.link(unfinished, self.path)
        else:
            self.fs.pipe_file(self.path, data, mode="create")

    def remove(self) -> None:
        """Remove the file, if it is there."""
        try:
            insistently(lambda: self.fs.rm_file(self.path))
        except FileNotFoundError:
            return

    def files(self) -> Iterator[str]:
        """Every file below, as paths relative to this folder."""
        if not self.is_folder():
            return
        if self.is_local:
            yield from _files_below(self.path, "")
            return
        for folder, _, names in self.fs.walk(self.path):
            inner = folder[len(self.path.rstrip("/")) :].strip("/")
            for name in names:
                if name:
                    yield f"{inner}/{name}" if inner else name


def _files_below(folder: str, inner: str) -> Iterator[str]:
    """As they come, so that a folder of millions needs no memory; links to folders are not
    followed. A folder that goes meanwhile has none."""
    folders = []
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            else:
                yield inner + entry.name
    for name in folders:
        yield from _files_below(os.path.join(folder, name), f"{inner}{name}/")


def _refuse_without_its_own_address(kind: Any) -> None:
    """Raise ``ValueError`` for a file system that needs more than a URI to be reached."""
    needed = [
        name
        for name, one in list(signature(kind.__init__).parameters.items())[1:]
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    if needed:
        raise ValueError(f"it needs more than a URI: {', '.join(needed)}")


@contextmanager
def named_errors(place: Location) -> Iterator[None]:
    """An ``OSError`` without a file, such as a full disk's, gets that of ``place``."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = place.shown
        raise


def _is_plain(path: str) -> bool:
    """Whether reading ends: pipes and devices may never."""
    mode = os.stat(path).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


class _Unfinished:
    """A local file under a name of its own, gone when the block ends."""

    def __init__(self, target: Location, data: bytes, folder: Location | None) -> None:
        holder = Path((folder or target.parent).path)
        for needed in (holder, Path(target.parent.path)):
            needed.mkdir(parents=True, exist_ok=True)
        self.target = target
        self.path = holder / f".{uuid.uuid4().hex}"
        self.data = data

    def __enter__(self) -> Path:
        try:
            with named_errors(self.target):
                self.path.write_bytes(self.data)
        except BaseException:
            self.path.unlink(missing_ok=True)
            raise
        return self.path

    def __exit__(self, *_: object) -> None:
        self.path.unlink(missing_ok=True)


def location(field: str, uri: str) -> Location:
    """:meth:`Location.of`, for what a user typed. Raises :class:`InputFault` naming ``field``, also
    for http and https, which have no folders and take no files."""
    try:
        place = Location.of(uri)
    except ValueError as error:
        raise InputFault.of(field, uri, str(error)) from error
    if place.protocol in web.HTTP:
        raise InputFault.of(field, uri, web.ONLY_PICTURES)
    return place


def delta_options(folder: Location) -> dict[str, str]:
    """What the Delta library must be told to reach ``folder`` the way fsspec does."""
    if folder.protocol != "s3":
        return {}
    options = {"aws_conditional_put": "etag"}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        options["aws_endpoint"] = endpoint
        if urlsplit(endpoint).scheme == "http":
            options["aws_allow_http"] = "true"
    if region := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        options["aws_region"] = region
    return options
