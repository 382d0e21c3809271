"""Names that become file names."""

from __future__ import annotations

import hashlib

ASKED_MASK, REFINED_MASK = "asked_mask", "refined_mask"
"""Extras of what was judged: the mask that is not published; both, of a pair that was rejected."""


REPORT = "report.html"
"""The page that tells of an output, where nobody says where it is to be."""


FILES_A_FOLDER = 10_000
"""About so many at most, where nobody says how many folders there are."""
MOST_SHARDS = 65_536


def default_shards(requests: int) -> int:
    """Over how many folders the files of a type are spread, if nobody says: 0 (they are in one),
    or a power of two that leaves each with about :data:`FILES_A_FOLDER`."""
    shards = 1
    while shards * FILES_A_FOLDER < requests and shards < MOST_SHARDS:
        shards *= 2
    return shards if shards > 1 else 0


def shard_of(request_id: str, shards: int) -> str:
    """The folder, of ``shards``, that a request's files are in, with a slash; hexadecimal."""
    if not shards:
        return ""
    digits = len(f"{shards - 1:x}")
    number = int.from_bytes(hashlib.sha256(request_id.encode()).digest()[:8], "big") % shards
    return f"{number:0{digits}x}/"


def image_key(item: str, defect: str, request_id: str, shards: int = 0) -> str:
    """Where a pair's image is, inside the output."""
    return f"{item}/test/{defect}/{shard_of(request_id, shards)}{request_id}.png"


def mask_key(item: str, defect: str, request_id: str, shards: int = 0) -> str:
    """Where a pair's mask is, inside the output."""
    return f"{item}/ground_truth/{defect}/{shard_of(request_id, shards)}{request_id}_mask.png"


def extra_key(request_id: str, name: str, shards: int = 0) -> str:
    """Where one of the pictures that are kept besides the pair is, inside the output."""
    return f"extras/{shard_of(request_id, shards)}{request_id}_{name}.png"
