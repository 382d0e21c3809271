"""Groups and captions that a user has beside the data set: CSV tables by picture path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from adabldm.core.picture_uri import read_bytes, split_fragment
from adabldm.data.layouts.records import Fault, Picture
from adabldm.data.layouts.tree import decode_text, read_rows

Note = Literal["group", "caption"]


def annotate(
    pictures: Sequence[Picture], uri: str, note: Note
) -> tuple[tuple[Picture, ...], list[Fault]]:
    """``pictures`` with the ``note`` of the CSV at ``uri`` (columns ``image`` and the note).

    ``image`` is a path below the data set or below the object's folder; all parts of a picture
    get its note. Also returns what the table names that is not among ``pictures``.
    Raises :class:`adabldm.core.picture_uri.DatasetFault` for a table that cannot be read.
    """
    by_file: dict[str, list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        file, _ = split_fragment(picture.path)
        for spelling in {file, file.removeprefix(picture.object + "/")}:
            by_file[spelling].append(index)
    noted = list(pictures)
    faults: list[Fault] = []
    for row in read_rows(decode_text(read_bytes(uri), uri), uri, "image", note):
        fits = by_file.get(row["image"].removeprefix("./"), [])
        files = {split_fragment(pictures[index].path)[0] for index in fits}
        if len(files) != 1:
            rule = f"fits {len(files)} pictures" if files else "is no picture of this data set"
            faults.append(Fault("file-missing", row["image"], f"{rule} (in {uri})"))
            continue
        for index in fits:
            value = row[note] or None
            picture = noted[index]
            noted[index] = (
                replace(picture, group=value)
                if note == "group"
                else replace(picture, caption=value)
            )
    return tuple(noted), faults
