"""``adabldm plan --where like-real``: defects lie where it looks as around the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from adabldm.core import images
from adabldm.data.options import DatasetOptions
from adabldm.foreground.features import EncoderFeatures
from jobs import cli
from jobs.verbs.plan import make_plan
from jobs.verbs.plan_options import VarietyOptions, Where
from tests.support.making import rows_with_whole_paths
from tests.support.striped import plate, plates

TEXTURE = DatasetOptions(surface="texture")


def planned(
    root: Path, output: Path, where: Where = "like-real", count: int = 120, **options: str
) -> list[dict]:
    variety = VarietyOptions(where=where, **options)  # type: ignore[arg-type]
    plan = make_plan(
        str(root), count=count, seed=3, output=str(output), options=TEXTURE, variety=variety
    )
    return rows_with_whole_paths(plan.manifest.path)


def without_folder(rows: list[dict], folder: Path) -> str:
    return repr(rows).replace(str(folder), "")


def on_stripes(rows: list[dict]) -> float:
    """Share of the rows whose defect's corner lies on stripes."""
    grounds = {images.encode_png(plate(seed)[0]): plate(seed)[1] for seed in range(8)}
    found = []
    for row in rows:
        striped = grounds[Path(row["image"]["path"].removeprefix("file://")).read_bytes()]
        found.append(striped[row["placement"]["top"] + 2, row["placement"]["left"] + 2])
    return float(np.mean(found))


def test_defects_lie_on_the_kind_of_ground_of_the_real_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = plates(tmp_path / "plate")
    assert 0.35 < on_stripes(planned(root, tmp_path / "any", "anywhere")) < 0.65
    assert on_stripes(planned(root, tmp_path / "like")) > 0.75
    assert "plate: pit: placed where it looks as around the real ones" in capsys.readouterr().err


def test_several_defects_of_an_image_lie_there_too(tmp_path: Path) -> None:
    rows = planned(plates(tmp_path / "plate"), tmp_path / "out", defects_per_image="3")
    more = [{**row, "placement": part} for row in rows for part in row["placement"]["more"]]
    assert len(more) == 240
    assert on_stripes(more) > 0.7


def test_a_longer_plan_begins_with_the_shorter_one_made_with_nothing_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = plates(tmp_path / "plate")
    long = planned(root, tmp_path / "long")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    short = planned(root, tmp_path / "short", count=17)
    assert without_folder(short, tmp_path / "short") == without_folder(long[:17], tmp_path / "long")


def test_a_second_plan_looks_at_no_picture_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = plates(tmp_path / "plate")
    first = planned(root, tmp_path / "one")

    def look(_: object, image: np.ndarray) -> np.ndarray:
        raise AssertionError("looked at again")

    monkeypatch.setattr(EncoderFeatures, "__call__", look)
    assert without_folder(planned(root, tmp_path / "two"), tmp_path / "two") == without_folder(
        first, tmp_path / "one"
    )
    changed = root / "test/pit/0.png"
    changed.write_bytes(images.encode_png(images.decode(changed.read_bytes()) // 2))
    with pytest.raises(AssertionError, match="looked at again"):
        planned(root, tmp_path / "three")


@pytest.mark.parametrize(("real", "anywhere"), [(2, False), (10, True)])
def test_where_the_real_places_tell_nothing_the_plan_is_that_of_anywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], real: int, anywhere: bool
) -> None:
    root = plates(tmp_path / "plate", real=real, anywhere=anywhere, grain=False)
    like = planned(root, tmp_path / "like")
    assert "plate: pit: placed anywhere" in capsys.readouterr().err
    other = planned(root, tmp_path / "any", "anywhere")
    assert without_folder(like, tmp_path / "like") == without_folder(other, tmp_path / "any")


def test_only_the_defects_that_may_be_learned_from_decide(tmp_path: Path) -> None:
    root = plates(tmp_path / "plate", real=12)
    few = DatasetOptions(surface="texture", shots=4)
    variety = VarietyOptions(where="like-real")

    def rows(output: Path) -> str:
        plan = make_plan(
            str(root), count=30, seed=3, output=str(output), options=few, variety=variety
        )
        return without_folder(rows_with_whole_paths(plan.manifest.path), output)

    before = rows(tmp_path / "one")
    from adabldm.data.opening import open_dataset

    (folder,) = open_dataset(str(root), few)
    assert folder.held_out
    for item in folder.held_out:
        path = Path(item.image.removeprefix("file://"))
        path.write_bytes(images.encode_png(images.decode(path.read_bytes())[::-1]))
    assert rows(tmp_path / "two") == before


def test_the_sheet_is_drawn_and_needs_like_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plates(tmp_path / "plate")
    monkeypatch.chdir(tmp_path)
    command = ["plan", "plate", "--count", "9", "--surface", "texture", "--output", "out"]
    command += ["--where-sheet", "where.png"]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    with Image.open(tmp_path / "where.png") as sheet:
        assert sheet.width > 5 * 240
    (tmp_path / "where.png").unlink()
    refused = CliRunner().invoke(cli.app, [*command, "--where", "anywhere"])
    assert refused.exit_code != 0
    assert not (tmp_path / "where.png").exists()
    assert "--where-sheet" in f"{refused.output}{refused.exception}"


def brushed(seed: int, upright: bool) -> np.ndarray:
    """uint8 (96, 96, 3) whose lines run down, or across."""
    lines = np.random.default_rng(seed).normal(128, 30, (1, 96)).clip(0, 255).astype(np.uint8)
    grey = np.repeat(lines, 96, axis=0)
    return (grey if upright else grey.T)[..., None].repeat(3, axis=2)


def test_defects_are_turned_with_the_grain(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, mask = tmp_path / "sheet", np.zeros((96, 96), np.uint8)
    mask[40:44, 30:60] = 255
    for seed in range(6):
        for path, pixels in (
            (root / f"train/good/{seed}.png", brushed(seed, upright=False)),
            (root / f"test/scratch/{seed}.png", brushed(seed + 9, upright=True)),
            (root / f"ground_truth/scratch/{seed}_mask.png", mask),
        ):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(images.encode_png(pixels))
    rows = planned(root, tmp_path / "like")
    angles = np.array([row["placement"]["angle"] for row in rows])
    assert (np.abs(angles % 180 - 90) < 15).mean() > 0.97, "across becomes down"
    assert (angles > 180).any()
    assert (angles < 180).any()
    assert "sheet: turned with the grain of the surface" in capsys.readouterr().err
    angles = np.array(
        [row["placement"]["angle"] for row in planned(root, tmp_path / "any", "anywhere")]
    )
    assert (np.abs(angles % 180 - 90) < 15).mean() < 0.4
