"""Small pictures that are no files: ``data:`` URIs (RFC 2397), which fsspec reads like any other.

A mask that was drawn from polygons is one. Its name, for messages, is a parameter of its media
type, so that it goes wherever the URI goes.
"""

from __future__ import annotations

import base64
from urllib.parse import quote, unquote

_START = "data:"
_NAME = "data:image/png;name="


def png_uri(png: bytes, name: str) -> str:
    """The URI that holds ``png``; messages call it ``name``."""
    return f"{_NAME}{quote(name, safe='')};base64,{base64.b64encode(png).decode()}"


def is_data(uri: str) -> bool:
    return uri.startswith(_START)


def content(uri: str) -> bytes:
    """What the URI of :func:`png_uri` holds."""
    return base64.b64decode(uri.partition(",")[2])


def shown(uri: str) -> str:
    """``uri`` as messages call it: itself, or the name of what it holds."""
    if not is_data(uri):
        return uri
    head = uri.partition(";base64,")[0]
    return unquote(head.removeprefix(_NAME)) if head.startswith(_NAME) else f"{uri[:40]}..."
