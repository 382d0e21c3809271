"""Intervals are over specimens; differences are to the few with as many shots."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adabldm.core.objects import DefectImage
from adabldm.evaluation import resampling, scoring
from adabldm.evaluation.comparison import ALL, MEAN_OF_TYPES, Line, Tried, compare
from adabldm.evaluation.resampling import Counted
from adabldm.evaluation.tested import TestPicture
from tests.support.detections import Detected, draw

COUNTS = {"good": 12, "crack": 10, "hole": 8}
DRAWN = draw(COUNTS)
TESTED = [
    TestPicture(
        object="part",
        image=one.name,
        defects=()
        if one.kind == "good"
        else (DefectImage(defect=one.kind, image=one.name, mask=one.name),),
        group=f"{one.kind} {number // 2}",
    )
    for number, one in enumerate(DRAWN)
]


def tried(
    arm: str,
    drawn: list[Detected],
    monkeypatch: pytest.MonkeyPatch,
    *,
    seed: int = 0,
    shots: int = 9,
) -> Tried:
    by_name = {one.name: one for one in drawn}
    monkeypatch.setattr(
        scoring, "read_defect_mask", lambda uri, _: by_name[uri].mask.astype(np.uint8)
    )

    def read(picture: TestPicture) -> np.ndarray:
        return by_name[picture.image].scores

    found = scoring.evaluate(TESTED, read)
    counted = resampling.count(TESTED, lambda one: scoring.read_views(one, read))
    return Tried(
        detector="unet",
        arm=arm,
        pictures=0 if arm == "few" else 100,
        shots=shots,
        seed=seed,
        figures=found.in_all.as_dict(),
        by_type={name: one.as_dict() for name, one in found.by_type["part"].items()},
        counted=Counted.from_bytes(counted.to_bytes()),
    )


def better(drawn: list[Detected], by: float) -> list[Detected]:
    return [replace(one, scores=one.scores + by * one.mask) for one in drawn]


def line(lines: list[Line], arm: str, figure: str = "pixel_ap", defect: str = ALL) -> Line:
    (found,) = [x for x in lines if (x.arm, x.figure, x.type) == (arm, figure, defect)]
    return found


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[Line]:
    trials = [
        tried(arm, better(draw(COUNTS, seed=0), gain + 0.02 * seed), monkeypatch, seed=seed)
        for arm, gain in (("few", 0.0), ("ours", 0.5), ("ours-only", 0.0))
        for seed in (0, 1)
    ]
    trials = [replace(one, shots=0) if one.arm == "ours-only" else one for one in trials]
    return compare(trials, TESTED)


@pytest.mark.parametrize("figure", resampling.BOOTSTRAPPED)
@pytest.mark.parametrize("defect", [None, "crack", "hole"])
def test_counts_by_level_come_close_to_the_exact_figures(
    figure: str, defect: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = tried("few", DRAWN, monkeypatch)
    plain = np.ones((1, len(TESTED)), np.float32)
    exact = one.value(figure, defect or ALL)
    found = resampling.resampled(one.counted, defect, plain)[figure]
    assert found[0] == pytest.approx(exact, abs=0.01)


def test_a_resample_is_that_many_copies_of_its_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    one = tried("few", DRAWN, monkeypatch)
    weight = np.zeros((1, len(TESTED)), np.float32)
    weight[0, [0, 1, 2, 12, 13, 25]] = 1, 2, 1, 3, 1, 1
    found = resampling.resampled(one.counted, None, weight)
    copies = [
        replace(DRAWN[i], name=f"{DRAWN[i].kind}/{i}-{k}")
        for i in np.flatnonzero(weight[0])
        for k in range(int(weight[0, i]))
    ]
    from tests.support.detections import plain_figures

    wanted = plain_figures(copies)
    for figure, values in found.items():
        assert values[0] == pytest.approx(wanted[figure], abs=0.015), figure


def test_pictures_of_one_specimen_are_drawn_together_and_kinds_keep_their_numbers() -> None:
    weight = resampling.weights(TESTED, 200)
    for number in range(0, len(TESTED), 2):
        assert np.array_equal(weight[:, number], weight[:, number + 1])
    good = np.array([not one.defects for one in TESTED])
    assert (weight[:, good].sum(axis=1) == good.sum()).all()
    assert weight[:, 0].std() > 0


def test_means_spreads_and_differences_are_those_of_the_seeds(lines: list[Line]) -> None:
    few, ours = line(lines, "few"), line(lines, "ours")
    assert few.difference is few.low is few.high is None
    assert few.seeds == 2
    assert ours.mean is not None
    assert few.mean is not None
    assert ours.difference == pytest.approx(ours.mean - few.mean)
    assert ours.spread is not None
    assert ours.spread > 0
    assert ours.low is not None
    assert ours.high is not None
    assert 0 < ours.low < ours.difference < ours.high
    assert few.mean_low is not None
    assert few.mean_high is not None
    assert few.mean_low < few.mean < few.mean_high


def test_the_mean_of_types_is_their_mean(lines: list[Line]) -> None:
    types = [line(lines, "ours", "iap", defect).mean or 0 for defect in ("crack", "hole")]
    assert line(lines, "ours", "iap", MEAN_OF_TYPES).mean == pytest.approx(np.mean(types))


def test_an_arm_that_is_no_better_has_zero_in_its_interval(lines: list[Line]) -> None:
    alone = line(lines, "ours-only")
    assert alone.difference == pytest.approx(0, abs=1e-9)
    assert alone.low is not None
    assert alone.high is not None
    assert alone.low <= 0 <= alone.high


def test_other_shots_are_compared_with_the_few_of_as_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = [
        tried(arm, better(DRAWN, gain), monkeypatch, shots=shots)
        for arm, gain, shots in (
            ("few", 0.0, 9), ("few", 0.3, 1), ("ours", 0.5, 9), ("ours", 0.3, 1)
        )
    ]  # fmt: skip
    found = {x.shots: x for x in compare(trials, TESTED) if x.arm == "ours" and x.type == ALL
             and x.figure == "pixel_ap"}  # fmt: skip
    assert found[1].difference == pytest.approx(0, abs=1e-9)
    assert (found[9].difference or 0) > 0.01
    assert found[9].spread is None
