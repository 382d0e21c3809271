"""A split is a function of seed and names, parts no group, and can be written down and kept."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adabldm.core.picture_uri import DatasetFault
from adabldm.data import split_file
from adabldm.data.layouts import Key, Picture
from adabldm.data.opening import open_dataset
from adabldm.data.split import Given, Side, divide, group_of

TRAINING: tuple[Side, ...] = ("good", "few")
EVALUATION: tuple[Side, ...] = ("test_good", "held_out")


def defects(kind: str, count: int, groups: Sequence[str | None] = (None,)) -> list[Picture]:
    return [
        Picture(
            object="nut",
            path=f"test/{kind}/{i:03d}.png",
            part="either",
            defect=kind,
            mask=f"ground_truth/{kind}/{i:03d}_mask.png",
            group=groups[i % len(groups)],
        )
        for i in range(count)
    ]


def goods(part: str, count: int, groups: Sequence[str | None] = (None,)) -> list[Picture]:
    return [
        Picture(
            object="nut",
            path=f"{part}/good/{i}.png",
            part="test" if part == "test" else "train",
            group=groups[i % len(groups)],
        )
        for i in range(count)
    ]


def few(sides: dict[Key, Side]) -> set[str]:
    return {path for (path, _), side in sides.items() if side == "few"}


def test_so_many_of_each_type_are_learned_from_and_the_rest_is_held_out() -> None:
    pictures = [*goods("train", 5), *goods("test", 3), *defects("crack", 25), *defects("dent", 4)]
    sides = divide(pictures, shots=10)
    counts = Counter((p.defect, sides[p.key]) for p in pictures)
    assert counts == {
        (None, "good"): 5,
        (None, "test_good"): 3,
        ("crack", "few"): 10,
        ("crack", "held_out"): 15,
        ("dent", "few"): 4,
    }


def test_the_seed_decides_and_the_order_of_the_listing_does_not() -> None:
    pictures = defects("crack", 40)
    assert few(divide(pictures, seed=3)) == few(divide(pictures[::-1], seed=3))
    assert few(divide(pictures, seed=3)) != few(divide(pictures, seed=4))


def test_more_shots_keep_the_fewer() -> None:
    pictures = defects("crack", 40)
    assert few(divide(pictures, shots=3)) < few(divide(pictures, shots=7))


def test_a_type_that_grows_or_another_type_moves_few_pictures() -> None:
    before = few(divide(defects("crack", 40)))
    grown = few(divide([*defects("crack", 44), *defects("dent", 9)]))
    assert len(before & grown) >= 7


def test_an_object_splits_alone_as_among_others() -> None:
    alone = [Picture(object="nut", path=p.path, part=p.part, defect=p.defect, mask=p.mask)
             for p in defects("crack", 30)]  # fmt: skip
    among = [Picture(object="nut", path=f"nut/{p.path}", part=p.part, defect=p.defect, mask=p.mask)
             for p in defects("crack", 30)]  # fmt: skip
    assert {f"nut/{path}" for path in few(divide(alone))} == few(divide(among))


def test_the_few_come_from_several_groups_and_leave_groups_for_evaluation() -> None:
    pictures = defects("crack", 60, [f"g{i}" for i in range(6)])
    sides = divide(pictures, shots=10)
    on = defaultdict(set)
    for picture in pictures:
        on[sides[picture.key]].add(picture.group)
    assert len(on["few"]) == 3
    assert len(on["held_out"]) == 3
    assert Counter(sides.values()) == {"few": 10, "held_out": 30, "left_out": 20}


def test_groups_that_good_pictures_use_stay_on_their_side() -> None:
    pictures = [
        *goods("train", 2, ["a", "b"]),
        *goods("test", 2, ["c", "a"]),
        *defects("crack", 40, ["a", "b", "c", "d"]),
    ]
    sides = divide(pictures, shots=10)
    on = {(p.group, sides[p.key]) for p in pictures}
    assert {group for group, side in on if side == "few"} == {"a", "b"}
    assert {group for group, side in on if side == "held_out"} == {"c", "d"}
    assert sides["test/good/1.png", None] == "left_out"  # its group is learned from


NAMES = st.sampled_from(["a", "b", "c", "d", "e", None])
PARTS = st.sampled_from(["train", "test", "either"])
ANY = st.lists(
    st.tuples(PARTS, st.sampled_from(["crack", "dent", None]), NAMES), min_size=1, max_size=60
)


@given(ANY, st.integers(1, 12), st.integers(0, 5), st.sampled_from([None, 0, 3]))
@settings(max_examples=300, deadline=None)
def test_no_group_is_on_both_sides_whatever_the_data_set(
    drawn: list, shots: int, seed: int, listed: int | None
) -> None:
    pictures = [
        Picture(
            object="nut",
            path=f"{i}.png",
            part="either" if defect and part == "train" else part,
            defect=defect,
            mask="m.png" if defect else None,
            group=group,
        )
        for i, (part, defect, group) in enumerate(drawn)
    ]
    kept = None if listed is None else Given(few=frozenset(p.key for p in pictures[listed::7]))
    sides = divide(pictures, shots=shots, seed=seed, given=kept)
    assert sides.keys() == {p.key for p in pictures}
    learned = {group_of(p) for p in pictures if sides[p.key] in TRAINING}
    assert not learned & {group_of(p) for p in pictures if sides[p.key] in EVALUATION}
    counts = Counter(p.defect for p in pictures if sides[p.key] == "few")
    assert not counts or kept or max(counts.values()) <= shots
    assert all(sides[p.key] in ("good", "test_good", "left_out") for p in pictures if not p.defect)


def write(folder: Path, text: str) -> str:
    path = folder / "split"
    path.write_text(text)
    return str(path)


def test_a_split_that_was_written_is_kept_though_seed_and_shots_differ(tmp_path: Path) -> None:
    pictures = [
        *goods("test", 4, ["g1", "g9"]),
        *defects("crack", 30, ["g1", "g2", "g3", "g4"]),
        *defects("dent", 30),
    ]
    sides = divide(pictures, shots=7, seed=5)
    uri = write(tmp_path, split_file.dump(pictures, sides, 5, 7))
    given, faults = split_file.load(uri, pictures)
    assert not faults
    assert divide(pictures, shots=2, seed=9, given=given) == sides


def test_new_pictures_of_a_kept_split_are_held_out(tmp_path: Path) -> None:
    pictures = defects("crack", 20)
    uri = write(tmp_path, split_file.dump(pictures, divide(pictures), 0, 10))
    grown = defects("crack", 25)
    given, _ = split_file.load(uri, grown)
    sides = divide(grown, given=given)
    assert few(sides) == few(divide(pictures))
    assert all(sides[p.key] == "held_out" for p in grown[20:])


@pytest.mark.parametrize(
    "entry",
    [
        "test/crack/003.png",
        "crack/003.png",
        "./crack/003",
        "nut/test/crack/003.png",
        "/data/mvtec/nut/test/crack/003.png",
        r"mvtec\nut\test\crack\003",
    ],
)
def test_a_list_names_pictures_by_any_clear_end_of_their_path(tmp_path: Path, entry: str) -> None:
    pictures = [*defects("crack", 6), *defects("dent", 6)]
    given, faults = split_file.load(write(tmp_path, f"# of the paper\n\n{entry}\n"), pictures)
    assert not faults
    assert given.few == {("test/crack/003.png", "crack")}
    counts = Counter(divide(pictures, given=given).values())
    assert counts == {"few": 1, "held_out": 11}


def test_a_list_may_name_a_tall_picture_for_all_its_squares(tmp_path: Path) -> None:
    square = Picture(object="k", path="train/1.png#xywh=0,0,9,9", part="either", defect="d",
                     mask="train/1_GT.png#xywh=0,0,9,9", group="train/1.png")  # fmt: skip
    given, _ = split_file.load(write(tmp_path, "train/1.png"), [square])
    assert given.few == {square.key}


def test_what_a_list_names_wrongly_is_a_fault(tmp_path: Path) -> None:
    pictures = [*defects("crack", 3), *defects("dent", 3), *goods("test", 2)]
    lines = "crack/001.png\n001.png\ncrack/009.png\ntest/good/1.png\nbolt/test/crack/000.png\n"
    given, faults = split_file.load(write(tmp_path, lines), pictures)
    assert given.few == {("test/crack/001.png", "crack")}
    assert [(fault.kind, fault.path) for fault in faults] == [
        ("split-unclear", "001.png"),
        ("split-missing", "crack/009.png"),
        ("split-missing", "test/good/1.png"),
        ("split-missing", "bolt/test/crack/000.png"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "names no defect picture of this data set"),
        ("{", r"is not a split\.json of this program"),
        ('{"format": 2, "objects": {}}', "format: 2: must be 1"),
        ('{"format": 1, "objects": {"nut": []}}', r"is not a split\.json of this program"),
    ],
)
def test_a_file_that_is_no_split_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DatasetFault, match=message):
        split_file.load(write(tmp_path, text), defects("crack", 3))


def test_a_written_split_that_parts_a_group_is_refused(tmp_path: Path) -> None:
    pictures = defects("crack", 4, ["g1"])
    sides: dict[Key, Side] = {p.key: "held_out" for p in pictures}
    sides[pictures[0].key] = "few"
    given, _ = split_file.load(write(tmp_path, split_file.dump(pictures, sides, 0, 1)), pictures)
    with pytest.raises(DatasetFault, match="is held out, but group g1 is learned from"):
        divide(pictures, given=given)


def test_a_written_split_can_be_read_by_a_person() -> None:
    pictures = defects("crack", 2)
    text = split_file.dump(pictures, divide(pictures, shots=1), 0, 1)
    content = json.loads(text)
    assert (content["seed"], content["shots"]) == (0, 1)
    assert len(content["objects"]["nut"]["defects"]["crack"]["few"]) == 1
    assert '      "test/crack/000.png"' in text


@pytest.mark.shared
def test_no_tile_of_the_magnetic_tiles_is_on_both_sides(shared: Path) -> None:
    (tiles,) = open_dataset(str(shared / "data" / "mt_dev"))
    learned = {item.group for item in tiles.defects}
    assert not learned & {item.group for item in tiles.held_out}
    assert Counter(item.defect for item in tiles.defects) == dict.fromkeys(tiles.defect_types, 10)
    assert {item.defect for item in tiles.held_out} == set(tiles.defect_types)
