"""Names and tables of any kind are read, or refused in a line that names them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adabldm.core.picture_uri import DatasetFault
from adabldm.data.layouts import Tree
from adabldm.data.layouts.tree import read_rows


@pytest.mark.parametrize(
    ("name", "shown"), [(b"caf\xe9.png", r"caf\\udce9"), (b"a\nb.png", r"a\\nb")]
)
def test_a_file_whose_name_is_no_line_of_text_is_named(
    tmp_path: Path, name: bytes, shown: str
) -> None:
    with open(os.fsencode(tmp_path) + b"/" + name, "wb"):
        pass
    with pytest.raises(DatasetFault, match=rf"{shown}.*must be UTF-8 text in one line\Z") as fault:
        Tree(str(tmp_path))
    str(fault.value).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_table_may_end_its_lines_in_any_way(end: str) -> None:
    text = end.join(["image,group", "a.png,g", '"b, c.png",h', ""])
    assert [row["image"] for row in read_rows(text, "x.csv", "image")] == ["a.png", "b, c.png"]


@pytest.mark.parametrize("text", ["x" * 200_000 + "\n1\n", 'image\n"' + "x" * 200_000])
def test_a_table_that_is_none_is_refused_in_a_line(text: str) -> None:
    with pytest.raises(DatasetFault, match=r"\Ax\.csv: is not a CSV table: .*\Z"):
        list(read_rows(text, "x.csv", "image"))
