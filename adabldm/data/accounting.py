"""Nothing is skipped in silence: files that are present = files that are used + files named."""

from __future__ import annotations

import posixpath
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from adabldm.core.picture_uri import SUFFIXES, split_fragment
from adabldm.data.layouts.records import DatasetFinding, Listing, Picture
from adabldm.data.layouts.tree import ARCHIVE_SUFFIXES, UNREAD_SUFFIXES, Tree

NOT_READ = "not-read"
"""Kind of a picture that lies where the layout reads none."""

SINGLY = 3
"""Findings of one kind that are told one by one; of more, only their number and two examples."""

EXAMPLES = 2


def unnamed(tree: Tree, listing: Listing) -> tuple[list[DatasetFinding], list[str]]:
    """What is not in ``listing``: a finding a file that could be a picture or hold some, and a
    remark about the rest."""
    named = _Named(listing.faults)
    known = {file for picture in listing.pictures for file in picture.files} | listing.tables
    reasons = dict(listing.unread)
    findings: list[DatasetFinding] = []
    others: list[str] = list(tree.hidden)
    for path in tree.below():
        if path in known or path in named:
            continue
        small = path.lower()
        if small.endswith(SUFFIXES):
            usual = reasons.get(
                "", f"is in no place where the {listing.layout} layout has pictures"
            )
            rule = next((reasons[folder] for folder in _above(path) if folder in reasons), usual)
            findings.append(DatasetFinding(NOT_READ, path, rule))
        elif small.endswith(UNREAD_SUFFIXES):
            findings.append(DatasetFinding("unread-type", path, "files of this type are not read"))
        elif small.endswith(ARCHIVE_SUFFIXES):
            findings.append(DatasetFinding("archive", path, "is not looked into: unpack it"))
        else:
            others.append(path)
    remark = f"not-a-picture: {_number(len(others), 'file')}, as {_examples(others)}"
    return findings, [remark] if others else []


def _above(path: str) -> Iterator[str]:
    """The path itself and the folders that it is in, innermost first."""
    while path:
        yield path
        path = posixpath.dirname(path)


class _Named:
    """The files that findings name: by themselves, by a folder, or with another file."""

    def __init__(self, findings: Sequence[DatasetFinding]) -> None:
        self._paths = {split_fragment(path)[0] for f in findings for path in (f.path, *f.files)}

    def __contains__(self, path: str) -> bool:
        return any(folder in self._paths for folder in _above(path))


def unexplained(
    tree: Tree, usable: Sequence[Picture], faults: Sequence[DatasetFinding]
) -> list[DatasetFinding]:
    """A finding for each picture file that is not read for ``usable`` and that no fault names."""
    named = _Named(faults)
    known = {file for picture in usable for file in picture.files}
    return [
        DatasetFinding("not-used", path, "belongs to no picture that can be used")
        for path in tree.below()
        if path.lower().endswith(SUFFIXES) and path not in known and path not in named
    ]


@dataclass(frozen=True, kw_only=True)
class Count:
    """Picture files: ``present`` = ``used`` + ``left_out`` by the split + ``named`` in faults."""

    present: int
    used: int
    left_out: int
    named: int

    def __str__(self) -> str:
        left = f"{self.left_out} left out by the split, " if self.left_out else ""
        files = _number(self.present, "picture file")
        return f"of {files} {self.used} used, {left}{self.named} named"


def count(tree: Tree, used: Iterable[Picture], left_out: Iterable[Picture]) -> Count:
    """The files of ``tree``; those in neither of the lists are the named."""
    suffixes = (*SUFFIXES, *UNREAD_SUFFIXES)
    present = {path for path in tree.sizes if path.lower().endswith(suffixes)}
    on = {file for picture in used for file in picture.files} & present
    off = {file for picture in left_out for file in picture.files} & present - on
    return Count(
        present=len(present),
        used=len(on),
        left_out=len(off),
        named=len(present - on - off),
    )


def lines(faults: Sequence[DatasetFinding]) -> list[str]:
    """Findings for a terminal: one line each if there are few of a kind, else one line a kind."""
    by_kind: dict[str, list[DatasetFinding]] = defaultdict(list)
    for fault in faults:
        by_kind[fault.kind].append(fault)
    told: list[str] = []
    for kind, some in by_kind.items():
        if len(some) <= SINGLY:
            told += [f"{kind:<14} {fault}" for fault in some]
        else:
            also = ", ".join(fault.path for fault in some[1:EXAMPLES])
            shown = f"{some[0]}; also {also}"
            told.append(f"{kind:<14} {len(some)} times, as {shown}")
    return told


def _number(many: int, noun: str) -> str:
    return f"{many} {noun}" if many == 1 else f"{many} {noun}s"


def _examples(paths: Sequence[str]) -> str:
    return ", ".join(paths[:EXAMPLES])
