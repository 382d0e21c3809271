"""What the model in the package can do, on drawn surfaces that it never saw."""

from __future__ import annotations

import pytest

from adabldm.core import trimap
from adabldm.data import drawn_metal
from adabldm.loading import open_base
from adabldm.networks.embedded import embedded_path
from adabldm.pipeline import AdaBLDMPipeline
from adabldm.sampling.options import FastOptions

pytestmark = pytest.mark.slow

SEEDS = range(900, 904)


@pytest.fixture(scope="module")
def pipeline() -> AdaBLDMPipeline:
    return open_base(embedded_path())


def changes(pipeline: AdaBLDMPipeline, prompt: str) -> list[float]:
    """Grey levels by which the mean under each mask changes; the masks are all scratches'."""
    parts = [drawn_metal.draw_part(seed, 128, "scratch") for seed in SEEDS]
    goods = [drawn_metal.draw_part(seed, 128).image for seed in SEEDS]
    made = pipeline(
        images=goods,
        trimaps=[trimap.compose(part.mask) for part in parts],
        prompts=[prompt] * len(parts),
        seeds=list(SEEDS),
        options=FastOptions(),
    )
    return [
        float(image[part.mask > 0].mean()) - float(good[part.mask > 0].mean())
        for image, good, part in zip(made.images, goods, parts, strict=True)
    ]


def test_under_the_same_mask_the_prompt_decides_what_the_defect_looks_like(pipeline):
    bright = changes(pipeline, "a metal surface with a scratch")
    dark = changes(pipeline, "a metal surface with a crack")
    assert sum(b > d for b, d in zip(bright, dark, strict=True)) == len(SEEDS)
    assert sum(bright) > 0 > sum(dark)
