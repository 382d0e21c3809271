"""``adabldm generate --format`` leaves a layout beside the output, and refuses before it starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer

from adabldm.core.faults import InputFault
from jobs.verbs import generate
from tests.support.making import Row, index_of, write_manifest


def asked(folder: Path, **more: Any) -> dict[str, Any]:
    def change(rows: list[Row]) -> None:
        rows[1]["prompt"] = "a bad one"

    return {
        "manifest": str(write_manifest(folder / "in", 4, change)),
        "output": str(folder / "out"),
        "gpus_per_worker": 0,
        **more,
    }


def test_the_layout_holds_what_was_made_also_of_a_run_that_is_short_and_grows_with_it(
    ray_address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = asked(tmp_path, format_name="coco")
    with pytest.raises(typer.Exit) as ended:
        generate.main(model="sleep://0?raise=bad", **words)
    assert ended.value.exit_code == 3
    out = capsys.readouterr().out.splitlines()
    place = tmp_path / "out_coco"
    told = f"exported 3 pairs and 0 good pictures (rows left out: 1 failed): {place}"
    assert out[-1] == told
    generate.main(model="sleep://0", retry_failed=True, **words)
    assert capsys.readouterr().out.splitlines()[-1].startswith("exported 4 pairs")
    files = {path.name for path in place.rglob("*.png")}
    assert len(files) == 4
    generate.main(model="sleep://0", **words)
    assert "(4 were there)" in capsys.readouterr().out.splitlines()[-1]


def test_a_run_without_a_pair_leaves_no_layout(ray_address: str, tmp_path: Path) -> None:
    with pytest.raises(typer.Exit) as ended:
        generate.main(model="sleep://0?raise=a", **asked(tmp_path, format_name="yolo-seg"))
    assert ended.value.exit_code == 3
    assert not any(row["status"] == "ok" for row in index_of(tmp_path / "out"))
    assert not (tmp_path / "out_yolo-seg").exists()


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"format_name": "mvtec"}, "--format: 'mvtec': has good pictures: say --keep source"),
        (
            {"format_name": "coco", "output": "s3://bucket"},
            "--format: 'coco': is written beside --output, which must be a folder, not all of s3",
        ),
        ({"format_name": "hf"}, "--format: '.*out_hf': holds mine.txt and is no export"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_starts(
    more: dict[str, str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "out_hf").mkdir()
    (tmp_path / "out_hf/mine.txt").write_text("mine")
    with pytest.raises(InputFault, match=told):
        generate.main(model="sleep://0", **asked(tmp_path, **more))
    assert not (tmp_path / "out").exists()
