"""What a model will not do as asked is said in one line, or refused under ``--strict``."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from adabldm.core.images import encode_png
from jobs import cli
from tests.support.making import SIZE, write_manifest

Row = dict[str, Any]
Run = Callable[..., tuple[int, list[str], str]]
SHORT, LONG = "a crack in metal", "a long crack in brushed metal " * 8


@pytest.fixture
def dry_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run ``generate --dry-run``; returns its exit code, its error lines and what it said."""

    def run(
        manifest: Path | str, *more: str, model: str = "sleep://0"
    ) -> tuple[int, list[str], str]:
        words = ["--manifest", str(manifest), "--output", str(tmp_path / "out"), "--model", model]
        argv = ["adabldm", "generate", *words, "--gpus-per-worker", "0", "--dry-run", "--rate", "1"]
        monkeypatch.setattr("sys.argv", [*argv, *more])
        code = 0
        try:
            cli.main()
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        assert not (tmp_path / "out").exists()
        return code, said.err.splitlines(), said.out

    return run


def pictures(height: int, width: int) -> dict[str, Any]:
    trimap = np.full((height, width), 127, np.uint8)
    trimap[2:9, 2:9] = 255
    image = np.full((height, width, 3), 90, np.uint8)
    return {
        "image": {"bytes": encode_png(image), "path": None},
        "trimap": {"bytes": encode_png(trimap), "path": None},
        "placement": None,
    }


def manifest_of(folder: Path, changes: dict[int, Row], count: int = 6) -> Path:
    def change(rows: list[Row]) -> None:
        for number, row in enumerate(rows):
            row.update(pictures(128, 128))
            row.update(changes.get(number, {}))

    return write_manifest(folder, count, change)


def test_prompts_that_the_model_cuts_are_counted_and_their_first_rows_named(
    dry_run: Run, tmp_path: Path
) -> None:
    changes = {number: {"prompt": f"{LONG} {number}"} for number in (1, 2, 3, 5)}
    code, lines, said = dry_run(manifest_of(tmp_path / "in", changes), model="embedded")
    assert code == 0
    assert "dry run" in said
    assert lines == [
        "warning: prompt: 4 of 6 are longer than the model's 32 tokens and are cut there: "
        "rows 1 ('r0001'), 2 ('r0002'), 3 ('r0003'), ..."
    ]


def test_under_strict_they_are_refused(dry_run: Run, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "in", {1: {"prompt": LONG}, 2: {"negative_prompt": LONG}})
    code, lines, said = dry_run(manifest, "--strict", model="embedded")
    assert (code, said) == (2, "")
    assert [line.split(" are ")[0] for line in lines] == [
        "prompt: 1 of 6",
        "negative_prompt: 1 of 6",
    ]


def test_short_prompts_are_nothing_to_say_and_no_fault(dry_run: Run, tmp_path: Path) -> None:
    manifest = manifest_of(tmp_path / "in", {1: {"prompt": "\u00c9" * 6 + "  a" * 12}})
    assert dry_run(manifest, "--strict", model="embedded")[:2] == (0, [])


def test_a_model_that_reads_no_text_cuts_none(dry_run: Run, tmp_path: Path) -> None:
    assert dry_run(manifest_of(tmp_path / "in", {1: {"prompt": LONG}}), "--strict")[:2] == (0, [])


def test_pictures_that_are_squeezed_or_enlarged_are_counted_with_the_worst(
    dry_run: Run, tmp_path: Path
) -> None:
    changes = {
        0: pictures(256, 256),
        1: pictures(150, 300),
        2: pictures(600, 200),
        4: pictures(SIZE, SIZE),
    }
    manifest = manifest_of(tmp_path / "in", changes)
    code, lines, _ = dry_run(manifest, "--resolution", "model", model="embedded")
    assert code == 0
    assert lines == [
        "warning: image: 2 of 6 are not square and are squeezed into the model's square of 128 "
        "pixels; the most 3 : 1 (200 x 600) in row 2",
        "warning: image: 1 of 6 are smaller than the model's square of 128 pixels and are "
        "enlarged; the smallest 48 x 48 in row 4",
    ]
    _, lines, _ = dry_run(manifest, model="embedded")
    assert lines == [
        "warning: image: 1 of 6 are smaller than the model's square of 128 pixels and are "
        "mirrored at their borders to fill it; the smallest 48 x 48 in row 4",
    ]


def test_pictures_of_16_bits_are_counted_as_their_pairs_have_8(
    dry_run: Run, tmp_path: Path
) -> None:
    deep = np.full((SIZE, SIZE), 40_000, np.uint16)
    file = io.BytesIO()
    Image.fromarray(deep).save(file, "PNG")
    row = {**pictures(SIZE, SIZE), "image": {"bytes": file.getvalue(), "path": None}}
    code, told, _ = dry_run(manifest_of(tmp_path, {2: row}))
    assert code == 0
    assert any(
        "image: 1 of 6 have more than 8 bits a channel; their pairs have 8: row 2" in line
        for line in told
    )
    _, told, _ = dry_run(manifest_of(tmp_path, {}))
    assert not any("8 bits" in line for line in told)


def test_what_of_a_folder_is_left_out_is_said(dry_run: Run, tmp_path: Path) -> None:
    write_manifest(tmp_path / "in")
    (tmp_path / "in/_SUCCESS").touch()
    code, lines, _ = dry_run(tmp_path / "in")
    assert code == 0
    assert lines == [
        f"warning: manifest: '{tmp_path}/in': 1 files read; left out: "
        "1 hidden (_SUCCESS), 7 pictures"
    ]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("missing.parquet", None, "there is no such file or folder"),
        ("rows.csv", b"a,b\n1,2\n", "not a Parquet file: pandas: read_csv(...).to_parquet("),
        ("rows.jsonl", b'{"a": 1}\n' * 9, "not a Parquet file: pandas: read_json("),
        ("rows.parquet", b"", "not a Parquet file: it is empty"),
        ("rows.parquet", b"PAR1" + b"\0" * 20, "not a Parquet file"),
        ("rows.parquet", b"PARE" + b"\0" * 20 + b"PARE", "is an encrypted Parquet file"),
        ("folder/rows.csv", b"a,b\n", "no Parquet file in the folder (there are 1 .csv files"),
        ("folder/none", None, "no Parquet file in the folder; a part's name ends in"),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(
    name: str, content: bytes | None, expected: str, dry_run: Run, tmp_path: Path
) -> None:
    place = tmp_path / name
    if "/" in name:
        place.parent.mkdir()
    if content is not None:
        place.write_bytes(content)
    given = place.parent if "/" in name else place
    code, lines, _ = dry_run(given)
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith(f"manifest: '{given}': ")
    assert expected in lines[0]


def test_a_manifest_without_rows_is_refused(dry_run: Run, tmp_path: Path) -> None:
    code, lines, _ = dry_run(write_manifest(tmp_path / "in", 0))
    assert (code, len(lines)) == (2, 1)
    assert lines[0].endswith("has no rows")
