"""YAML, CSV, JSON and lists as people and tools write them, and worse."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from tests.fuzz.case import Case
from tests.fuzz.spoiling import spoil

JUNK: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1.5, float("nan"), float("inf"), "", " ", "x", "../x", "/etc/passwd",
    "{stem", "{0}", "{object.__class__}", "**", "[", "a" * 3000, "\u0000", "\ud800", "two\nlines",
    "\ud7ff", [],
    [[]], {}, {"x": None}, [None], {1: 2}, "s3://x/y", "http://localhost:1/x", "::", "nope://x",
    "file:///etc", "2020-01-01", "{stem}", "{folder}/{stem}.png", "*", "value:1", "\U0001f600",
)  # fmt: skip
RAW = (
    b"", b"\xff\xfe", b"\xef\xbb\xbfname: x\n", b"a: &a [*a]\n",
    b"a: !!python/object:os.system {}\n",
    b"\tname: x", b"{" * 3000, b"[" * 3000, b"- " * 2000 + b"x", b"name: 2020-99-99\n",
    b"? [a]\n: b\n",
    b"name: caf\xe9\n", b"- x\n- y\n", b"name: x\n---\nname: y\n", b"&a a: &b b\n*a : 1\n",
    b"a: &a {b: &b {<<: *a}}\n", b"a: 0x" + b"f" * 5000, b"a: " + b"1" * 5000,
    b"a: 1:" + b"59:" * 50 + b"1",
    b"!!binary |\n  !!!\n", b"a: !!binary '***'\n", b"name: \x00\n", b"a: !!timestamp 'x'\n",
    b"%YAML 9.9\n---\na: b\n",
    b"!!set {a, b}\n", b"!!omap [a: 1]\n", b"{a: b}: c\n", b"a: !!int ''\n", b"a: !!float 'x'\n",
)  # fmt: skip


def junk(case: Case, content: Any, depth: int = 0) -> Any:
    """``content`` with something in it replaced, added or left out."""
    found = copy.copy(content)
    if depth < 4 and isinstance(found, dict) and found and case.rng.random() < 0.85:
        key = case.rng.choice(list(found))
        how = case.rng.random()
        if how < 0.15:
            del found[key]
        elif how < 0.3:
            found[
                case.rng.choice(("x", 1, None, True, "", "defects", "good", "*/*", "a/b/c", 1.5))
            ] = case.rng.choice(JUNK)
        else:
            found[key] = junk(case, found[key], depth + 1)
        return found
    if depth < 4 and isinstance(found, list) and found and case.rng.random() < 0.7:
        at = case.rng.randrange(len(found))
        found[at] = junk(case, found[at], depth + 1)
        return found
    return case.rng.choice(JUNK)


def any_yaml(case: Case, content: Any) -> bytes:
    """YAML of ``content``, sound or not."""
    how = case.rng.random()
    if how < 0.08:
        return case.rng.choice(RAW)
    if how < 0.3:
        content = junk(case, content)
    text = yaml.safe_dump(content, allow_unicode=case.rng.random() < 0.5).encode(
        "utf-8", "surrogatepass"
    )
    return spoil(case.rng, text) if how > 0.93 else text


def any_json(case: Case, content: Any) -> bytes:
    """JSON of ``content``, sound or not."""
    how = case.rng.random()
    if how < 0.08:
        return case.rng.choice(
            (*RAW, b"NaN", b"1" * 5000, b"null", b"[]", b'{"a":1,"a":2}', b'"\\ud800"')
        )
    if how < 0.6:
        content = junk(case, content)
    text = json.dumps(content, default=str, skipkeys=True).encode()
    return spoil(case.rng, text) if how > 0.85 else text


def csv_text(case: Case, header: str, rows: Iterable[Sequence[str]]) -> bytes:
    """A CSV, sound mostly."""
    lines = [header, *(",".join(row) for row in rows)]
    how = case.rng.random()
    if how < 0.06:
        at = case.rng.randrange(len(lines))
        lines[at] = case.rng.choice((
            "", ",,,,,,,,", '"open', "a;b;c", "\x00", "x" * 140_000, lines[at] + ",more,and,more",
            lines[at].replace("/", "\\"), lines[at].upper(), lines[0], "'", '"a""b"', "a\rb",
        ))  # fmt: skip
    end = case.rng.choice(("\n", "\n", "\n", "\r\n", "\r"))
    text = end.join(lines).encode() + end.encode()
    if 0.06 < how < 0.1:
        return spoil(case.rng, text)
    if 0.1 < how < 0.14:
        return case.rng.choice(
            (b"\xef\xbb\xbf" + text, text.decode().encode("utf-16"), b"", b"\xe9" + text)
        )
    return text
