"""SHA-256 of what is in memory and of files of any size."""

from __future__ import annotations

import hashlib

from cluster.storage.location import Location

CHUNK = 1 << 22


def file_sha256(file: Location) -> str:
    """SHA-256 of a file of any size. Raises ``OSError``."""
    digest = hashlib.sha256()
    with file.fs.open(file.path, "rb", block_size=CHUNK) as opened:
        while chunk := opened.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()
