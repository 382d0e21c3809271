"""Names that become file names."""

from __future__ import annotations

import unicodedata

MAX_NAME_BYTES = 200
FORBIDDEN = '/\\:*?"<>|'
RESERVED_OBJECTS = ("index", "extras")
"""Folders of an output that are not objects."""


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
    if name in RESERVED_OBJECTS:
        return f"{', '.join(RESERVED_OBJECTS)} are folders of the output itself"
    return name_fault(name)
