"""Candidates are drawn, judged and the best kept, as a function of the request alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.judging.candidates import candidate_seed
from adabldm.judging.options import JudgeOptions, Limits
from adabldm.judging.verdict import judge
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import FastOptions
from tests.support.tiny import FEW_STEPS, requests, same, tiny_pipeline

FAST = FastOptions(steps=4, image_edits=1)
OFF = Limits.of(["coverage=0", "agreement=0", "cl_dice=0", "seam=inf", "defect_change=inf"])
NEVER = replace(OFF, defect_change=1e-9)
COUNT = 3


@pytest.fixture(scope="module")
def pipeline() -> AdaBLDMPipeline:
    return tiny_pipeline()


@pytest.fixture(scope="module")
def plain(pipeline):
    return pipeline(**requests(COUNT), options=FAST)


def one_of(arguments: dict[str, list], number: int) -> dict[str, list]:
    return {name: values[number : number + 1] for name, values in arguments.items()}


@pytest.mark.parametrize("options", [FAST, FEW_STEPS])
def test_one_candidate_without_retries_has_the_bytes_of_no_judge(pipeline, options):
    unjudged = pipeline(**requests(COUNT), options=options)
    judged = pipeline(**requests(COUNT), options=options, judge=JudgeOptions())
    assert same(unjudged.images, judged.images)
    assert same(unjudged.blended, judged.blended)
    assert same(unjudged.masks, judged.masks)


def test_without_a_judge_the_refined_masks_are_the_asked_ones_and_there_is_no_reason(plain):
    assert same(plain.refined, plain.masks)
    assert plain.reasons == [None] * COUNT
    assert "judge" not in plain.traces[0].seconds
    assert "coverage" not in plain.traces[0].quality


def test_a_pair_has_the_figures_and_the_refined_mask_of_its_verdict(pipeline):
    made = pipeline(**requests(COUNT), options=FAST, judge=JudgeOptions(candidates=2))
    for number in range(COUNT):
        verdict = judge(made.images[number], made.sources[number], made.trimaps[number])
        quality = made.traces[number].quality
        assert {name: quality[name] for name in verdict.figures} == verdict.figures
        assert np.array_equal(made.refined[number], verdict.refined)
        assert made.reasons[number] == verdict.reason
        assert made.traces[number].seconds["judge"] > 0
        assert np.array_equal(made.masks[number] > 0, made.trimaps[number] == trimap.DEFECT)


def test_limits_that_nothing_meets_end_with_a_reason_after_the_last_round(pipeline):
    options = JudgeOptions(candidates=2, retries=2, limits=NEVER)
    made = pipeline(**requests(2), options=FAST, judge=options)
    assert all(str(reason).startswith("defect_change") for reason in made.reasons)
    assert [trace.quality["candidates"] for trace in made.traces] == [6, 6]


def test_an_accepted_request_is_not_drawn_again(pipeline):
    options = JudgeOptions(candidates=2, retries=5, limits=OFF)
    made = pipeline(**requests(2), options=FAST, judge=options)
    assert made.reasons == [None, None]
    assert [trace.quality["candidates"] for trace in made.traces] == [2, 2]


def test_only_the_requests_that_are_not_accepted_are_drawn_again(pipeline, plain):
    changes = [trace.quality["defect_change"] for trace in plain.traces]
    low, high = np.argsort(changes)[[0, -1]]
    limits = replace(OFF, defect_change=(changes[low] + changes[high]) / 2)
    made = pipeline(**requests(COUNT), options=FAST, judge=JudgeOptions(retries=2, limits=limits))
    assert made.traces[low].quality["candidates"] == 1
    assert made.traces[high].quality["candidates"] > 1


@pytest.mark.parametrize("limits", [OFF, NEVER])
def test_the_best_of_all_candidates_is_kept_and_can_be_drawn_by_its_seed(pipeline, limits):
    made = pipeline(**requests(1), options=FAST, judge=JudgeOptions(candidates=4, limits=limits))
    alone, scores = [], []
    for number in range(4):
        arguments = requests(1)
        arguments["seeds"] = [candidate_seed(arguments["seeds"][0], number)]
        (image,) = pipeline(**arguments, options=FAST).images
        alone.append(image)
        scores.append(judge(image, made.sources[0], made.trimaps[0], limits).score)
    kept = int(made.traces[0].quality["candidate"])
    assert scores[kept] == max(scores)
    assert np.array_equal(made.images[0], alone[kept])
    assert len({one.tobytes() for one in alone}) == 4


def test_a_request_comes_to_the_same_alone_and_in_any_order(pipeline):
    options = JudgeOptions(candidates=2, retries=1)
    together = pipeline(**requests(COUNT), options=FAST, judge=options)
    backwards = pipeline(
        **{name: values[::-1] for name, values in requests(COUNT).items()},
        options=FAST,
        judge=options,
    )
    alone = [
        pipeline(**one_of(requests(COUNT), number), options=FAST, judge=options)
        for number in range(COUNT)
    ]
    for number in range(COUNT):
        for other in (backwards, alone[number]):
            there = COUNT - 1 - number if other is backwards else 0
            assert np.array_equal(together.images[number], other.images[there])
            assert np.array_equal(together.refined[number], other.refined[there])
            assert together.reasons[number] == other.reasons[there]
            assert together.traces[number].quality == other.traces[there].quality


def test_the_distance_to_real_defects_is_measured_once_a_candidate(pipeline):
    seen = []

    def distance(crop: np.ndarray, mask: np.ndarray) -> float:
        seen.append(crop.shape)
        return float(len(seen))

    made = pipeline(
        **requests(1),
        options=FAST,
        judge=JudgeOptions(candidates=3, limits=replace(OFF, real_distance=100)),
        real=[distance],
    )
    assert len(seen) == 3
    assert made.traces[0].quality["real_distance"] == made.traces[0].quality["candidate"] + 1


def test_the_first_candidate_has_the_requests_own_seed_and_no_two_share_one():
    seeds = [candidate_seed(7, number) for number in range(20)]
    assert seeds[0] == 7
    assert len(set(seeds)) == 20
    assert seeds[1] != candidate_seed(8, 1)


def test_a_trimap_without_a_defect_is_refused_before_anything_is_drawn(pipeline):
    arguments = requests(2)
    arguments["trimaps"][1] = np.full_like(arguments["trimaps"][1], trimap.OBJECT)
    with pytest.raises(trimap.TrimapFault, match="no pixel is 255"):
        pipeline(**arguments, options=FAST, judge=JudgeOptions())


def test_a_defect_that_touches_every_border_is_drawn_and_judged(pipeline):
    arguments = requests(1)
    arguments["trimaps"] = [np.full_like(arguments["trimaps"][0], trimap.DEFECT)]
    made = pipeline(**arguments, options=FAST, judge=JudgeOptions())
    assert made.refined[0].shape == made.masks[0].shape
    assert made.masks[0].min() == 255
