"""Files with some of their bytes changed."""

from __future__ import annotations

import random
import struct
import zlib

SIGN = b"\x89PNG\r\n\x1a\n"
EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x10000, 5000, 0xFFFF)


def spoil(rng: random.Random, data: bytes) -> bytes:
    """``data`` with one to three changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(WAYS)(rng, data)
    if data.startswith(SIGN) and rng.random() < 0.6:
        data = with_right_sums(data)
    return data


def _at(rng: random.Random, data: bytes) -> int:
    """A place, near the beginning as often as anywhere."""
    return rng.randrange(min(len(data), 64) if rng.random() < 0.4 else len(data)) if data else 0


def flip(rng: random.Random, data: bytes) -> bytes:
    found = bytearray(data)
    for _ in range(rng.choice((1, 2, 8, 40)) if data else 0):
        found[_at(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(found)


def truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def splice(rng: random.Random, data: bytes) -> bytes:
    at, start = _at(rng, data), _at(rng, data)
    return data[:at] + data[start : start + rng.choice((1, 4, 64, 1024))] + data[at:]


def drop(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    return data[:at] + data[at + rng.choice((1, 2, 4, 100)) :]


def number(rng: random.Random, data: bytes) -> bytes:
    at, kind = _at(rng, data), rng.choice(("<I", ">I", "<H", ">H"))
    value = rng.choice(EXTREMES) & (0xFFFFFFFF if "I" in kind else 0xFFFF)
    return data[:at] + struct.pack(kind, value) + data[at + struct.calcsize(kind) :]


def repeat(rng: random.Random, data: bytes) -> bytes:
    """A chunk of a PNG twice, or the whole file."""
    found = chunks(data)
    if not found:
        return data + data
    chunk = rng.choice(found)
    at = data.find(chunk) + len(chunk)
    return data[:at] + chunk * rng.choice((1, 1, 30)) + data[at:]


def noise(rng: random.Random, data: bytes) -> bytes:
    at = _at(rng, data)
    some = rng.randbytes(rng.choice((1, 4, 60)))
    return data[:at] + some + data[at + len(some) :]


WAYS = (flip, flip, flip, truncate, splice, drop, number, number, repeat, noise)


def chunks(data: bytes) -> list[bytes]:
    """The chunks of a PNG; none of anything else."""
    found, at = [], len(SIGN)
    while data.startswith(SIGN) and at + 12 <= len(data):
        length = struct.unpack(">I", data[at : at + 4])[0]
        found.append(data[at : at + 12 + length])
        at += 12 + length
    return found


def with_right_sums(data: bytes) -> bytes:
    """A PNG whose chunks have the check sums of what is in them now."""
    whole = [SIGN]
    for chunk in chunks(data):
        whole.append(chunk[:-4] + struct.pack(">I", zlib.crc32(chunk[4:-4])))
    return b"".join(whole)
