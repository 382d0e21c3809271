"""What each arm lets a detector learn from."""

from __future__ import annotations

import pytest

from adabldm.core.objects import DefectImage
from adabldm.evaluation.arms import ARMS, Setting, Sources, content_of, first_pairs, first_shots
from adabldm.evaluation.pictures import Pair, Spoiled, Stored


def real(name: str, defect: str) -> Stored:
    mask = DefectImage(defect=defect, image=name, mask=f"{name}-mask")
    return Stored(image=name, defect=defect, masks=(mask,))


FEW = tuple(real(f"{defect}{i}", defect) for defect in ("crack", "hole") for i in range(4))
FURTHER = (real("further", "crack"),)
PAIRS = tuple(
    Pair(
        request_id=f"{defect}-{i}", defect=defect, image=f"p{defect}{i}", mask="m", asked="a",
        source="s",
    )
    for defect, count in (("crack", 30), ("hole", 5))
    for i in range(count)
)  # fmt: skip
SOURCES = Sources(
    object="plate", good=(Stored(image="good"),), few=FEW, further=FURTHER, pairs=PAIRS,
    textures=("good",),
)  # fmt: skip


def groups(arm: str, **how: int) -> list[list[str]]:
    content = content_of(Setting(arm=arm, **how), SOURCES)
    assert content.good == SOURCES.good
    kinds = {Pair: "pair", Stored: "real"}
    return [
        [one.kind if isinstance(one, Spoiled) else kinds[type(one)] for one in group]
        for group in content.groups
    ]


@pytest.mark.parametrize(
    ("arm", "wanted"),
    [
        ("few", [["real"] * 8]),
        ("cutpaste", [["real"] * 8, ["cutpaste"] * 35]),
        ("perlin", [["real"] * 8, ["perlin"] * 35]),
        ("poisson", [["real"] * 8, ["poisson"] * 35]),
        ("ours", [["real"] * 8, ["pair"] * 35]),
        ("ours+cutpaste", [["real"] * 8, ["pair"] * 35 + ["cutpaste"] * 35]),
        ("ours-only", [["pair"] * 35]),
        ("all-real", [["real"] * 9]),
    ],
)
def test_an_arm_is_what_its_name_says(arm: str, wanted: list[list[str]]) -> None:
    assert groups(arm) == wanted
    assert len(ARMS) == 8


def test_fewer_shots_are_among_more_and_of_every_type() -> None:
    one, three = (first_shots(FEW, count) for count in (1, 3))
    assert set(one) <= set(three) <= set(FEW)
    assert [sorted(item.defect or "" for item in some) for some in (one, three)] == [
        ["crack", "hole"],
        ["crack"] * 3 + ["hole"] * 3,
    ]
    assert groups("cutpaste", shots=1)[0] == ["real"] * 2


def test_cut_and_paste_takes_the_real_defects_that_the_arm_has() -> None:
    content = content_of(Setting(arm="cutpaste", shots=1), SOURCES)
    shown = {item.image for item in content.groups[0]}
    donors = {donor.image for one in content.groups[1] for donor in one.donors}
    assert donors == shown
    for one in content.groups[1]:
        assert {donor.defect for donor in one.donors} == {one.defect}


def test_fewer_pairs_are_among_more_types_in_turn() -> None:
    four, ten, many = (first_pairs(PAIRS, count) for count in (4, 10, 33))
    assert set(four) <= set(ten) <= set(many)
    assert [pair.defect for pair in four] == ["crack", "hole"] * 2
    assert len(many) == 33
    assert {pair.request_id for pair in first_pairs(PAIRS[::-1], 10)} == {
        pair.request_id for pair in ten
    }
    assert groups("ours", pairs=4)[1] == ["pair"] * 4
