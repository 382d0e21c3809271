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


def image_key(item: str, defect: str, request_id: str) -> str:
    """Where a pair's image is, inside the output."""
    return f"{item}/test/{defect}/{request_id}.png"


def mask_key(item: str, defect: str, request_id: str) -> str:
    """Where a pair's mask is, inside the output."""
    return f"{item}/ground_truth/{defect}/{request_id}_mask.png"


def extra_key(request_id: str, name: str) -> str:
    """Where one of the pictures that are kept besides the pair is, inside the output."""
    return f"extras/{request_id}_{name}.png"
