"""A pair has its picture's size, and outside the defect every pixel is the picture's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.data import drawn_metal
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import FastOptions
from tests.support.tiny import FEW_STEPS, same, tiny_pipeline

EXACT = replace(FEW_STEPS, resolution="native")
FAST = FastOptions(steps=6, image_edits=2)
SHAPES = [(80, 80), (150, 230), (40, 300), (30, 40)]


@pytest.fixture(scope="module")
def pipeline() -> AdaBLDMPipeline:
    return tiny_pipeline()


def requests() -> dict[str, list]:
    """Pictures of several sizes; the second has two defects far apart."""
    pictures = [drawn_metal.draw_part(n, 300).image[:h, :w] for n, (h, w) in enumerate(SHAPES)]
    trimaps = []
    for height, width in SHAPES:
        defect = np.zeros((height, width), np.uint8)
        defect[height // 2 : height // 2 + 6, 4 : 4 + min(30, width - 6)] = 255
        trimaps.append(defect)
    trimaps[1][140:146, 200:226] = 255
    return {
        "images": pictures,
        "trimaps": [trimap.compose(defect) for defect in trimaps],
        "prompts": [f"a metal surface with a crack {n}" for n in range(len(SHAPES))],
        "seeds": list(range(len(SHAPES))),
    }


@pytest.mark.parametrize("options", [EXACT, FAST])
def test_a_pair_has_its_pictures_size_and_only_the_defect_changes(pipeline, options) -> None:
    asked = requests()
    made = pipeline(**asked, options=options)
    for number, shape in enumerate(SHAPES):
        image, source = made.images[number], asked["images"][number]
        inside = asked["trimaps"][number] == trimap.DEFECT
        assert image.shape == (*shape, 3)
        assert np.array_equal(made.masks[number] > 0, inside)
        assert np.array_equal(image[~inside], source[~inside])
        assert not np.array_equal(image[inside], source[inside])
        assert made.traces[number].quality["background_change"] == 0
    assert [trace.quality["windows"] for trace in made.traces] == [1, 2, 1, 1]


@pytest.mark.parametrize("options", [EXACT, FAST])
def test_a_request_is_the_same_alone_and_in_any_order_whatever_its_windows(
    pipeline, options
) -> None:
    together = pipeline(**requests(), options=options).images
    backwards = pipeline(**{k: v[::-1] for k, v in requests().items()}, options=options).images
    alone = [
        pipeline(**{k: v[n : n + 1] for k, v in requests().items()}, options=options).images[0]
        for n in range(len(SHAPES))
    ]
    assert same(together, backwards[::-1])
    assert same(together, alone)


def with_starts(asked: dict[str, list], which: set[int]) -> dict[str, list]:
    """The requests with their defects painted black already, those of ``which``."""
    starts = []
    for number, (image, marks) in enumerate(zip(asked["images"], asked["trimaps"], strict=True)):
        painted = np.where((marks == trimap.DEFECT)[..., None], np.uint8(0), image)
        starts.append(painted if number in which else None)
    return {**asked, "starts": starts}


def test_a_start_decides_what_is_drawn_and_more_so_the_less_noise(pipeline) -> None:
    asked, far = requests(), []
    for strength in (1.0, 0.7, 0.1):
        options = FastOptions(steps=12, strength=strength, detail=0.0)
        made = pipeline(**with_starts(asked, {0}), options=options).images
        inside = asked["trimaps"][0] == trimap.DEFECT
        assert np.array_equal(made[0][~inside], asked["images"][0][~inside])
        far.append(made[0][inside].mean())
        plain = pipeline(**asked, options=options).images
        assert same(made[1:], plain[1:])
        assert same(made[:1], plain[:1]) == (strength == 1)
    assert far[2] < min(far[:2])


def test_what_the_autoencoder_loses_of_a_start_is_put_back_by_the_share_detail(pipeline) -> None:
    asked = with_starts(requests(), {0})
    inside = asked["trimaps"][0] == trimap.DEFECT
    off = []
    for detail in (0.0, 0.5, 1.0):
        options = FastOptions(steps=12, strength=0.05, detail=detail)
        made = pipeline(**asked, options=options).images[0]
        assert np.array_equal(made[~inside], asked["images"][0][~inside])
        off.append(np.abs(made[inside].astype(int) - asked["starts"][0][inside]).mean())
    assert off[2] < off[1] < off[0]


def test_a_shrunk_window_has_its_starts_grain_by_the_share_detail(pipeline) -> None:
    rng = np.random.default_rng(0)
    image = np.full((300, 300, 3), 120, np.uint8)
    marks = np.zeros((300, 300), np.uint8)
    marks[30:270, 30:270] = 255
    grain = rng.integers(0, 2, (300, 300, 1), np.uint8) * np.uint8(80) + np.uint8(80)
    start = np.where(marks[..., None] > 0, grain, image)
    rough = []
    for detail in (0.0, 0.5, 1.0):
        made = pipeline(
            images=[image], trimaps=[trimap.compose(marks)], prompts=["a crack"], seeds=[1],
            starts=[start], options=FastOptions(steps=6, detail=detail),
        ).images[0]  # fmt: skip
        rough.append(np.abs(np.diff(made[100:200, 100:200].astype(int), axis=0)).mean())
    assert rough[0] < rough[1] < rough[2]


def test_exact_starts_from_noise_as_in_the_paper(pipeline) -> None:
    asked = requests()
    made = pipeline(**with_starts(asked, {0, 1}), options=EXACT).images
    assert same(made, pipeline(**asked, options=EXACT).images)


def test_requests_with_and_without_a_start_are_the_same_in_any_order(pipeline) -> None:
    asked = with_starts(requests(), {0, 2})
    together = pipeline(**asked, options=FAST, compute_batch=1).images
    backwards = {name: values[::-1] for name, values in asked.items()}
    assert same(together, pipeline(**backwards, options=FAST, compute_batch=1).images[::-1])
