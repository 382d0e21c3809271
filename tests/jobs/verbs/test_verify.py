"""``adabldm verify``: what is wrong with an output is listed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import typer
from deltalake import DeltaTable, write_deltalake

from adabldm.core.images import encode_png
from cluster.storage.location import Location
from cluster.storage.passing_file import passing_file
from jobs.verbs import generate, verify
from tests.support.making import write_manifest

PAIR = "metal/test/crack/r0000.png"
MASK = "metal/ground_truth/crack/r0000_mask.png"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, ray_address: str) -> Path:
    folder = tmp_path_factory.mktemp("made")
    generate.main(
        manifest=str(write_manifest(folder / "in", 6)),
        model="sleep://0",
        output=str(folder / "out"),
        gpus_per_worker=0,
        keep="blended",
    )
    return folder / "out"


def rewrite_row(output: Path, **changes: object) -> None:
    """Put a changed row into the index in place of r0000's, with its file's own sha256 or not."""
    table = DeltaTable(output / "index")
    condition = "request_id = 'r0000'"
    table.update(predicate=condition, new_values=changes)


def sha_of(path: Path) -> str:
    from cluster.storage.hashing import sha256

    return sha256(path.read_bytes())


def with_mask(pixels: np.ndarray) -> Callable[[Path], None]:
    def spoil(output: Path) -> None:
        (output / MASK).write_bytes(encode_png(pixels))
        rewrite_row(output, mask_sha256=sha_of(output / MASK))

    return spoil


def twice(output: Path) -> None:
    table = DeltaTable(output / "index")
    row = table.to_pyarrow_table().slice(0, 1)
    write_deltalake(table, row, mode="append")


SPOILED = {
    "an image is gone": (lambda out: (out / PAIR).unlink(), f"{PAIR}: does not exist"),
    "an image is cut": (
        lambda out: (out / PAIR).write_bytes((out / PAIR).read_bytes()[:-9]),
        f"{PAIR}: is not the file that was written",
    ),
    "an extra is changed": (
        lambda out: (out / "extras/r0000_blended.png").write_bytes(b""),
        "extras/r0000_blended.png: is not the file that was written",
    ),
    "a file has no row": (
        lambda out: shutil.copy(out / PAIR, out / "metal/test/crack/more.png"),
        "metal/test/crack/more.png: has no row",
    ),
    "a mask has greys": (with_mask(np.full((48, 48), 9, np.uint8)), "values other than 0 and 255"),
    "a mask is small": (with_mask(np.zeros((8, 8), np.uint8)), "is 8 x 8, its image 48 x 48"),
    "a row is there twice": (twice, "has more than one row"),
    "run.json is gone": (lambda out: (out / "run.json").unlink(), "run.json: is missing"),
}


@pytest.mark.parametrize("what", SPOILED)
def test_what_is_wrong_is_listed(
    what: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(made, output)
    spoil, expected = SPOILED[what]
    spoil(output)
    with pytest.raises(typer.Exit) as ended:
        verify.main(str(output))
    assert ended.value.exit_code == 1
    assert expected in capsys.readouterr().out


def test_what_a_desktop_leaves_is_counted_and_nothing_wrong(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(made, output)
    for name in (".DS_Store", "Thumbs.db", "desktop.ini", "metal/test/crack/._r0000.png"):
        (output / name).write_bytes(b"")
    verify.main(str(output))
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("4 files of a desktop's own passed over, such as ")
    assert told[1] == f"6 rows, all as they should be: {output}"
    passing_file(Location.of(str(output))).write(b"of a driver that was killed")
    verify.main(str(output))
    assert capsys.readouterr().out.splitlines()[0] == told[0]
    for foreign in ("notes.txt", "metal/.hidden", "Thumbs.db.bak"):
        (output / foreign).write_bytes(b"")
        with pytest.raises(typer.Exit):
            verify.main(str(output))
        assert f"{foreign}: has no row" in capsys.readouterr().out
        (output / foreign).unlink()


def test_an_output_that_is_right_is_said_to_be(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify.main(str(made))
    assert capsys.readouterr().out == f"6 rows, all as they should be: {made}\n"


def test_of_a_sample_the_files_are_looked_at_and_of_all_the_rows(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    shutil.copytree(made, output)
    verify.main(str(output), sample=2)
    assert ", the files of 2 of them looked at, all as they should be" in capsys.readouterr().out
    (output / "stray.png").write_bytes(b"")
    verify.main(str(output), sample=100)
    (output / PAIR).write_bytes(b"")
    with pytest.raises(typer.Exit):
        verify.main(str(output), sample=100)
    assert f"{PAIR}: is not the file that was written" in capsys.readouterr().out
    again = shutil.copytree(made, tmp_path / "again")
    twice(again)
    with pytest.raises(typer.Exit):
        verify.main(str(again), sample=1)
    assert "has more than one row" in capsys.readouterr().out
