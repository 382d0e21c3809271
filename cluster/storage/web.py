"""Single files over http and https: bounded in size and time, and from the address asked for only.

A redirect is refused, because it could lead anywhere; so are addresses that a server may read in
another way than this program does.
"""

from __future__ import annotations

import asyncio
import posixpath
from urllib.parse import unquote, urlsplit

HTTP = ("http", "https")
PORTS = {"http": 80, "https": 443}
SECONDS = 30
"""Longest that one file may take, from the first connection to the last byte."""
CHUNK = 1 << 16
NOT_THERE = (404, 410)
ONLY_PICTURES = "http and https are read for a manifest's pictures only, below an --allow-root"


def path_of(url: str) -> str:
    """``host[:port]/path[?query]`` of an address, in one spelling. Raises ``ValueError``."""
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise ValueError("must not contain blanks or backslashes")
    parts = urlsplit(url)
    if not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("must name a host, without a user")
    if parts.fragment:
        raise ValueError("must not contain '#'")
    plain, path = parts.path, unquote(parts.path)
    while path != plain:
        plain, path = path, unquote(path)
    if ".." in path.replace("\\", "/").split("/"):
        raise ValueError("must not contain '..'")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, PORTS[parts.scheme]) else f":{parts.port}"
    inner = posixpath.normpath(f"/{parts.path}").lstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    return f"{host}{port}/{inner}{query}".rstrip("/")


def read(url: str, limit: int) -> bytes | None:
    """The file at ``url``, None if it has more than ``limit`` bytes.

    Raises ``OSError``: ``FileNotFoundError`` and ``PermissionError`` for good, others may pass.
    """
    return asyncio.run(_read(url, limit))


async def _read(url: str, limit: int) -> bytes | None:
    from aiohttp import ClientError, ClientSession, ClientTimeout
    from yarl import URL

    data = bytearray()
    try:
        async with (
            ClientSession(timeout=ClientTimeout(total=SECONDS)) as session,
            session.get(URL(url, encoded=True), allow_redirects=False) as answer,
        ):
            _refuse(answer.status, answer.headers.get("Location", ""))
            async for chunk in answer.content.iter_chunked(CHUNK):
                data += chunk
                if len(data) > limit:
                    return None
    except TimeoutError as error:
        raise OSError(f"no whole answer in {SECONDS} s") from error
    except ClientError as error:
        raise OSError(str(error) or type(error).__name__) from error
    return bytes(data)


def _refuse(status: int, location: str) -> None:
    if status in NOT_THERE:
        raise FileNotFoundError(f"the server answers {status}")
    if 300 <= status < 400:
        raise PermissionError(f"the server redirects to {location!r}; redirects are not followed")
    if 400 <= status < 500:
        raise PermissionError(f"the server answers {status}")
    if status != 200:
        raise OSError(f"the server answers {status}")
