"""An export is whole or goes on, wherever it goes; what it cannot do it refuses at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fsspec
import pytest
from pycocotools.coco import COCO

from adabldm.core.faults import InputFault, JobFault
from cluster.output.export import formats, items, job
from cluster.output.export.formats import FORMATS
from cluster.output.export.job import ExportSpec, export
from cluster.output.export.selection import GoodPicture
from cluster.storage.location import Location
from tests.support.making import index_of
from tests.support.outputs import TYPES, draw_output
from tests.support.trees import picture

PAIRS, UNIT = 10, 3


@pytest.fixture
def output(tmp_path: Path) -> Location:
    return draw_output(str(tmp_path / "pairs"), PAIRS)


def spec_of(output: Location, target: Path | str, name: str = "coco", **how: Any) -> ExportSpec:
    return ExportSpec(output=output, target=Location.of(str(target)), format=name, **how)


def files(target: Location) -> dict[str, bytes]:
    return {
        path: target.join(path).read() for path in target.files() if not path.startswith(".export")
    }


class Broken(Exception):
    pass


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("reads", [0, 1, UNIT + 1, PAIRS - 1])
def test_an_interrupted_export_goes_on_and_ends_as_one_that_was_not(
    name: str, reads: int, output: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = spec_of(output, tmp_path / "whole", name)
    export(whole, unit=UNIT)
    seen = []

    def stumbling(entry: Any) -> Any:
        seen.append(entry.name)
        if len(seen) > reads:
            raise Broken
        return items.read_item(entry)

    broken = spec_of(output, tmp_path / "broken", name)
    with monkeypatch.context() as patched:
        patched.setattr(job, "read_item", stumbling)
        with pytest.raises(Broken):
            export(broken, unit=UNIT)
    assert not {"data.yaml", "README.md"} & set(files(broken.target))
    done = export(broken, unit=UNIT)
    assert files(broken.target) == files(whole.target)
    assert not list((tmp_path / "broken").rglob(".*partial*"))
    assert done.before <= reads
    if reads == PAIRS - 1:
        assert done.before >= UNIT


def test_what_is_done_is_not_read_again(
    output: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(output, tmp_path / "coco")
    export(spec, unit=UNIT)
    monkeypatch.setattr(job, "read_item", None)
    assert export(spec, unit=UNIT).before == PAIRS


@pytest.mark.parametrize("name", ["coco", "yolo-seg", "hf"])
def test_an_output_that_has_grown_by_a_type_is_exported_anew_where_that_matters(
    name: str, tmp_path: Path
) -> None:
    output = draw_output(str(tmp_path / "pairs"), 5)
    spec = spec_of(output, tmp_path / "out", name)
    export(spec, unit=UNIT)
    draw_output(output, PAIRS, types=[("nut", "bent")], first=5)
    export(spec, unit=UNIT)
    fresh = spec_of(output, tmp_path / "fresh", name)
    export(fresh, unit=UNIT)
    assert files(spec.target) == files(fresh.target)
    assert len(index_of(output.path)) == PAIRS


@pytest.mark.parametrize("name", FORMATS)
def test_a_bucket_holds_the_same_bytes(
    name: str, output: Location, tmp_path: Path, s3: str
) -> None:
    here = spec_of(output, tmp_path / "here", name)
    fsspec.filesystem("s3").put(f"{output.path}/", f"{s3}/pairs/", recursive=True)
    there = spec_of(Location.of(f"{s3}/pairs"), f"{s3}/there", name)
    export(here, unit=UNIT)
    export(there, unit=UNIT)
    assert files(there.target) == files(here.target)
    assert export(there, unit=UNIT).before == export(here, unit=UNIT).before > 0


def test_good_pictures_of_mvtec_are_the_kept_sources_each_once(
    output: Location, tmp_path: Path
) -> None:
    done = export(spec_of(output, tmp_path / "mvtec", "mvtec"))
    assert done.good == 3
    assert len(list((tmp_path / "mvtec/nut/train/good").iterdir())) == 3
    assert export(spec_of(output, tmp_path / "coco")).good == 0


@pytest.fixture
def good(tmp_path: Path) -> list[GoodPicture]:
    """Two pictures of one name, and one of an object that is not exported."""
    found = []
    for path, item in (("a/0.png", "nut"), ("b/0.png", "nut"), ("c/0.png", "other")):
        file = tmp_path / "good" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(picture(path))
        found.append(GoodPicture(object=item, uri=file.as_uri(), split="train"))
    return found


def test_good_pictures_of_a_data_set_go_before_kept_ones_and_keep_their_names(
    output: Location, tmp_path: Path, good: list[GoodPicture]
) -> None:
    spec = spec_of(output, tmp_path / "mvtec", "mvtec", good=good, good_of="data")
    assert export(spec).good == 2
    first, second = sorted(path.name for path in (tmp_path / "mvtec/nut/train/good").iterdir())
    assert first == "0.png"
    assert second.startswith("0_")
    assert not (tmp_path / "mvtec/other").exists()


Case = Callable[[Location, Path], ExportSpec]
REFUSED: dict[str, tuple[Case, str]] = {
    "an unknown format": (lambda o, t: spec_of(o, t / "x", "voc"), "--format: 'voc': must be one"),
    "inside the output": (lambda o, _: spec_of(o, f"{o.path}/coco"), "must be apart from"),
    "the output itself": (lambda o, _: spec_of(o, o.path), "must be apart from"),
    "around the output": (lambda o, t: spec_of(o, t), "must be apart from"),
    "links in tars": (lambda o, t: spec_of(o, t / "x", "webdataset", link=True), "--link"),
    "links in a bucket": (lambda o, _: spec_of(o, "s3://b/x", link=True), "on this machine"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_refused(name: str, output: Location, tmp_path: Path) -> None:
    case, told = REFUSED[name]
    with pytest.raises(InputFault, match=told):
        case(output, tmp_path)


def refusal(spec: ExportSpec) -> str:
    """Why the export is refused; nothing is written."""
    before = files(spec.target)
    with pytest.raises(InputFault) as caught:
        export(spec)
    assert files(spec.target) == before
    (line,) = caught.value.lines
    return line


def test_a_folder_with_anything_else_in_it_is_refused(output: Location, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/notes.txt").write_text("x")
    assert "holds notes.txt and is no export" in refusal(spec_of(output, tmp_path / "mine"))
    export(spec_of(output, tmp_path / "coco"))
    line = refusal(spec_of(output, tmp_path / "coco", "yolo-seg"))
    assert "holds another export (format: 'coco', now 'yolo-seg')" in line


def test_an_output_without_pairs_or_index_is_refused(tmp_path: Path) -> None:
    none = draw_output(str(tmp_path / "none"), 2, statuses={0: "failed", 1: "rejected"})
    assert "has no accepted pair (1 failed, 1 rejected)" in refusal(spec_of(none, tmp_path / "x"))
    empty = Location.of(str(tmp_path / "empty"))
    assert "has no index" in refusal(spec_of(empty, tmp_path / "x"))


def test_mvtec_without_good_pictures_is_refused_with_the_ways_out(
    tmp_path: Path, good: list[GoodPicture]
) -> None:
    output = draw_output(str(tmp_path / "pairs"), 6, types=TYPES, keep=False)
    line = refusal(spec_of(output, tmp_path / "x", "mvtec"))
    assert "has kept no good picture of cap, nut" in line
    assert "--good" in line
    assert "--keep source" in line
    spec = spec_of(output, tmp_path / "x", "mvtec", good=good, good_of="data")
    assert refusal(spec) == "--good: 'data': has no good picture of cap"


def test_a_split_that_is_none_is_refused_with_its_row(tmp_path: Path) -> None:
    output = draw_output(str(tmp_path / "pairs"), 2, columns={"split": ["train", "some"]})
    assert "OUTPUT: 'some': column 'split' of request_id 'r0001.v1'" in refusal(
        spec_of(output, tmp_path / "x")
    )


@pytest.mark.parametrize("lost", [True, False])
def test_a_picture_that_is_lost_or_changed_stops_the_export_which_goes_on_when_it_is_back(
    lost: bool, output: Location, tmp_path: Path
) -> None:
    row = index_of(output.path)[7]
    file = Path(output.path) / row["mask"]
    held = file.read_bytes()
    file.unlink() if lost else file.write_bytes(held + b" ")
    spec = spec_of(output, tmp_path / "coco")
    with pytest.raises(JobFault, match="cannot be read" if lost else "is not the file that was"):
        export(spec, unit=UNIT)
    file.write_bytes(held)
    assert export(spec, unit=UNIT).before == 6
    assert len(COCO(tmp_path / "coco/annotations/instances_train.json").getImgIds()) == PAIRS


def test_facts_of_all_units_are_never_held_together(output: Location, tmp_path: Path) -> None:
    """The notes hold a unit's facts each, and the annotations' file is whole JSON."""
    export(spec_of(output, tmp_path / "coco"), unit=1)
    notes = [p for p in (tmp_path / "coco/.export").iterdir() if p.name.startswith("train-")]
    assert len(notes) == PAIRS
    content = json.loads((tmp_path / "coco/annotations/instances_train.json").read_text())
    ids = [annotation["id"] for annotation in content["annotations"]]
    assert ids == list(range(1, len(ids) + 1))
    assert {one["image_id"] for one in content["annotations"]} <= {
        one["id"] for one in content["images"]
    }


def test_figures_that_are_no_numbers_do_not_spoil_the_annotations(tmp_path: Path) -> None:
    output = draw_output(str(tmp_path / "pairs"), 2, quality=[("a", float("nan")), ("b", 1.5)])
    for name in ("coco", "webdataset"):
        export(spec_of(output, tmp_path / name, name))
    content = (tmp_path / "coco/annotations/instances_train.json").read_text()
    assert json.loads(content)["images"][0]["quality"] == {"a": None, "b": 1.5}


def test_every_format_on_the_command_line_is_one() -> None:
    from typing import get_args

    from jobs.verbs.export import FormatName

    assert set(get_args(FormatName)) == set(formats.FORMATS)
