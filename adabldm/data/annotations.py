"""Groups and captions that a user has beside the data set: CSV tables by picture path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from adabldm.core.picture_uri import read_bytes, split_fragment
from adabldm.data.layouts.paths import spelled, tails
from adabldm.data.layouts.records import DatasetFinding, Picture
from adabldm.data.layouts.tree import decode_text, read_rows

Column = Literal["group", "caption"]


def annotate(
    pictures: Sequence[Picture], uri: str, column: Column
) -> tuple[tuple[Picture, ...], list[DatasetFinding]]:
    """``pictures`` with the ``column`` of the CSV at ``uri``, whose other column is ``image``.

    ``image`` is a path below the data set or below the object's folder; all parts of a picture
    get its value. Also returns what the table names that is not among ``pictures``.
    Raises :class:`adabldm.core.picture_uri.DatasetFault` for a table that cannot be read.
    """
    by_file: dict[str, list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        file, _ = split_fragment(picture.path)
        for path in {file, file.removeprefix(picture.object + "/")}:
            by_file[spelled(path)].append(index)
    annotated = list(pictures)
    faults: list[DatasetFinding] = []
    for row in read_rows(decode_text(read_bytes(uri), uri), uri, "image", column):
        # As it is written, or what is below the data set in a longer path.
        fits = next((by_file[t] for t in tails(spelled(row["image"])) if t in by_file), [])
        files = {split_fragment(pictures[index].path)[0] for index in fits}
        if len(files) != 1:
            rule = f"fits {len(files)} pictures" if files else "is no picture of this data set"
            faults.append(DatasetFinding("file-missing", row["image"], f"{rule} (in {uri})"))
            continue
        for index in fits:
            value = row[column] or None
            picture = annotated[index]
            annotated[index] = (
                replace(picture, group=value)
                if column == "group"
                else replace(picture, caption=value)
            )
    return tuple(annotated), faults
