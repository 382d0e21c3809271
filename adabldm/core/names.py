"""Names that become file names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

MAX_NAME_BYTES = 200
FORBIDDEN = '/\\:*?"<>|'
RESERVED_OBJECTS = ("index", "extras", "run.json")
"""What an output holds beside its objects."""

RESERVED_TYPES = ("good", "ok")
"""Folders of good pictures, in outputs and in data sets."""


def folded(name: str) -> str:
    """``name`` as a file system that heeds neither case nor Unicode's normal forms keeps it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def name_fault(name: object) -> str | None:
    """The rule that ``name`` breaks, or None."""
    if not isinstance(name, str) or not name:
        return "must be a non-empty string"
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME_BYTES:
        return f"must have at most {MAX_NAME_BYTES} bytes"
    if ".." in name:
        return "must not contain '..'"
    if found := [letter for letter in name if letter in FORBIDDEN]:
        return f"must not contain {found[0]!r}"
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "must not contain control characters"
    if name[0] in " ." or name[-1] in " .":
        return "must not begin or end with a space or a dot"
    return None


def object_fault(name: object) -> str | None:
    """The rule that ``name`` breaks as an object's folder, or None."""
    if isinstance(name, str) and folded(name) in RESERVED_OBJECTS:
        return f"{', '.join(RESERVED_OBJECTS)} are of the output itself"
    return name_fault(name)


def defect_fault(name: object) -> str | None:
    """The rule that ``name`` breaks as a defect type's folder, or None."""
    if isinstance(name, str) and folded(name) in RESERVED_TYPES:
        return f"{', '.join(RESERVED_TYPES)} are folders of good pictures, not defect types"
    return name_fault(name)


def colliding(names: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of different ``names`` that are one on some file system, each with the first so."""
    first: dict[str, str] = {}
    pairs = [(first.setdefault(folded(name), name), name) for name in dict.fromkeys(names)]
    return [(one, other) for one, other in pairs if one != other]
