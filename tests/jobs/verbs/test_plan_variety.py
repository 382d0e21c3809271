"""``adabldm plan`` beyond one real mask an image: more defects, other masks, regions, words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from adabldm.core.faults import InputFault
from adabldm.placement import transform
from adabldm.placement.regions import Region, RegionFault
from adabldm.planning.prompts import PromptBook, read_prompts
from adabldm.planning.region_file import read_regions
from cluster.generate.decoding import drawn as drawn_by_worker
from cluster.generate.protocol import Work
from cluster.manifest.reader import Manifest
from cluster.manifest.recipe import placed_trimap
from jobs.verbs.plan import make_plan
from jobs.verbs.plan_options import VarietyOptions, defect_counts, mask_shares
from tests.jobs.verbs.test_plan import disc, metal, read, write
from tests.support.making import checks_of, rows_with_whole_paths

PAIRS = [("coin", "hole")]


def planned(root: Path, output: Path, count: int = 40, **options: object) -> list[dict]:
    variety = VarietyOptions(**options)  # type: ignore[arg-type]
    plan = make_plan(str(root), count=count, seed=3, output=str(output), variety=variety)
    return rows_with_whole_paths(plan.manifest.path)


def parts(row: dict) -> list[dict]:
    return [row["placement"], *(row["placement"]["more"] or [])]


def drawn(part: dict, shape: tuple[int, int]) -> np.ndarray:
    recipe = transform.Placement(**{k: part[k] for k in ("angle", "scale", "top", "left")})
    return transform.render(read(part["mask"]["path"], "L"), recipe, *shape) > 0


def test_several_defects_lie_on_the_object_and_beside_each_other(tmp_path: Path) -> None:
    root = disc(tmp_path / "coin", mask_side=4)
    rows = planned(root, tmp_path / "out", defects_per_image="1:4", where="anywhere")
    assert {len(parts(row)) for row in rows} == {1, 2, 3, 4}
    for row in rows:
        inside = read(row["placement"]["foreground"]["path"], "L") > 0
        union = sum(drawn(part, inside.shape).astype(int) for part in parts(row))
        assert union.max() == 1
        assert not union[~inside].any()


def test_the_worker_renders_every_defect_and_the_check_knows_them(tmp_path: Path) -> None:
    rows = planned(disc(tmp_path / "coin", mask_side=4), tmp_path / "out", defects_per_image="3")
    manifest = Manifest(str(tmp_path / "out/manifest.parquet"))
    checks = checks_of(manifest)
    for row in rows[:10]:
        prints = checks.check(row)
        work = Work.of(row, checks.models.of(row["model"]), prints.source, manifest.resolve)
        trimap = placed_trimap(work.placement, drawn_by_worker, 96, 96)
        union = np.logical_or.reduce([drawn(part, (96, 96)) for part in parts(row)])
        assert np.array_equal(trimap == 255, union)
        fewer = {**row, "placement": {**row["placement"], "more": row["placement"]["more"][:1]}}
        assert checks.check(fewer).trimap != prints.trimap


def test_a_recipe_without_further_defects_keeps_its_fingerprint(tmp_path: Path) -> None:
    (row, *_) = planned(disc(tmp_path / "coin"), tmp_path / "out", count=1)
    manifest = Manifest(str(tmp_path / "out/manifest.parquet"))
    checks = checks_of(manifest)
    older = {**row, "placement": {k: v for k, v in row["placement"].items() if k != "more"}}
    empty = {**row, "placement": {**row["placement"], "more": []}}
    assert checks.check(row) == checks.check(older) == checks.check(empty)


def test_when_the_least_number_does_not_fit_the_row_says_so(tmp_path: Path) -> None:
    root = disc(tmp_path / "coin", mask_side=16)
    with pytest.raises(InputFault, match="fits on a good picture"):
        planned(root, tmp_path / "out", count=6, defects_per_image="9", where="anywhere")


@pytest.mark.parametrize("kind", ["noise", "morph"])
def test_invented_masks_are_many_and_travel_with_the_plan(tmp_path: Path, kind: str) -> None:
    metal(tmp_path / "metal")
    rows = planned(tmp_path / "metal", tmp_path / "out", count=60, masks=kind)
    masks = {row["placement"]["mask"]["path"] for row in rows}
    assert len(masks) > 12
    assert all(read(mask, "L").any() for mask in masks)
    again = planned(tmp_path / "metal", tmp_path / "out", count=60, masks=kind)
    assert rows == again


def test_shares_of_the_kinds_of_mask_are_kept(tmp_path: Path) -> None:
    metal(tmp_path / "metal")
    real = {row["placement"]["mask"]["path"] for row in planned(tmp_path / "metal", tmp_path / "o")}
    rows = planned(tmp_path / "metal", tmp_path / "o", count=400, masks="real=0.75,noise=0.25")
    share = np.mean([row["placement"]["mask"]["path"] in real for row in rows])
    assert 0.68 < share < 0.82


@pytest.mark.parametrize("text", ["", "real,real", "perlin", "real=0", "real=x", "real=-1"])
def test_kinds_of_mask_that_cannot_be_are_named(text: str) -> None:
    with pytest.raises(InputFault, match="--masks"):
        mask_shares(text)


@pytest.mark.parametrize("text", ["0", "3:1", "a", "1:", "1:99"])
def test_numbers_of_defects_that_cannot_be_are_named(text: str) -> None:
    with pytest.raises(InputFault, match="--defects-per-image"):
        defect_counts(text)


def test_a_region_confines_its_type(tmp_path: Path) -> None:
    root = disc(tmp_path / "coin")
    regions = tmp_path / "regions.yaml"
    regions.write_text(
        "coin/hole: {polygons: [[[0, 0], [48, 0], [48, 96], [0, 96]]], size: [96, 96]}"
    )
    rows = planned(root, tmp_path / "out", regions=str(regions))
    for row in rows:
        assert not drawn(row["placement"], (96, 96))[:, 48:].any()
        assert read(row["placement"]["foreground"]["path"], "L")[:, 48:].any()


def test_a_region_may_be_a_mask_beside_the_file(tmp_path: Path) -> None:
    half = np.zeros((10, 10), np.uint8)
    half[:5] = 255
    write(tmp_path / "half.png", half)
    (tmp_path / "regions.yaml").write_text("'*/hole': {mask: half.png}")
    found = read_regions(str(tmp_path / "regions.yaml"), PAIRS)
    inside = found["*", "hole"].pixels(40, 60)
    assert inside[:20].all()
    assert not inside[20:].any()


def test_a_polygon_covers_the_pixels_whose_centres_are_in_it() -> None:
    square = Region(polygons=(((0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0)),))
    inside = square.pixels(8, 16)
    assert inside[4:, 4:12].all()
    assert inside.sum() == 4 * 8


@pytest.mark.parametrize("corners", [((0.0, 0.0), (1.0, 1.0)), ((0, 0), (1.2, 0), (0, 1))])
def test_a_polygon_that_cannot_be_is_refused(corners: tuple) -> None:
    with pytest.raises(RegionFault, match="polygons"):
        Region(polygons=(corners,))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hole: {mask: m.png}", "must be OBJECT/TYPE"),
        ("coin/dent: {mask: m.png}", "is of nothing in the data set"),
        ("coin/hole: {}", "must have polygons or a mask"),
        ("coin/hole: {mask: none.png}", "none.png"),
        ("coin/hole: {polygons: [[1, 2]]}", "must be lists of corners"),
        ("coin/hole: {polygons: [], size: [0, 3]}", r"must be \[width, height\]"),
        ("- 1", "must hold a mapping"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_region_file_that_cannot_be_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "regions.yaml").write_text(text)
    with pytest.raises(InputFault, match=words):
        read_regions(str(tmp_path / "regions.yaml"), PAIRS)


def test_templates_and_synonyms_make_the_prompts(tmp_path: Path) -> None:
    (tmp_path / "prompts.yaml").write_text(
        "templates: ['{an_object} with {a_defect}', 'a photo of {object}: {defect}']\n"
        "objects: {coin: [coin, old penny]}\n"
        "defects: {coin/hole: [hole, opening]}\n"
    )
    root = disc(tmp_path / "coin")
    rows = planned(root, tmp_path / "out", count=200, prompts=str(tmp_path / "prompts.yaml"))
    assert {row["prompt"] for row in rows} == {
        *("a coin with a hole", "a coin with an opening"),
        *("an old penny with a hole", "an old penny with an opening"),
        *("a photo of coin: hole", "a photo of coin: opening"),
        *("a photo of old penny: hole", "a photo of old penny: opening"),
    }


def test_captions_of_a_type_stand_as_they_are() -> None:
    book = PromptBook(captions={("*", "hole"): ("drilled {deep}",)})
    assert book.prompts("coin", "hole", "coin") == ["drilled {deep}"]
    assert book.prompts("apple", "open_seam", "apple") == ["an apple with an open seam"]


def test_every_fault_of_a_prompts_file_is_listed(tmp_path: Path) -> None:
    (tmp_path / "prompts.yaml").write_text(
        "templates: ['{thing} with', 'a {']\nwords: {}\nobjects: {nut: [x]}\n"
        "defects: {coin/dent: [y], coin/hole: []}\n"
    )
    with pytest.raises(InputFault) as caught:
        read_prompts(str(tmp_path / "prompts.yaml"), PAIRS)
    told = "\n".join(caught.value.lines)
    for words in ("{thing} is not one of", "is no template", "'words'", "'nut'", "'coin/dent'"):
        assert words in told
    assert "coin/hole" in told
    assert len(caught.value.lines) == 6


def test_rows_say_how_their_real_defects_look_unless_they_are_not_to(tmp_path: Path) -> None:
    dataset = metal(tmp_path / "metal")
    for looks in (True, False):
        rows = planned(dataset, tmp_path / f"{looks}", masks="real=0.5,noise=0.5", looks=looks)
        masks: dict[bool, set[str]] = {True: set(), False: set()}
        for part in (row["placement"] for row in rows):
            masks[part["look"] is not None].add(part["mask"]["path"])
        assert bool(masks[True]) is looks
        assert masks[False]
        assert not masks[True] & masks[False]
