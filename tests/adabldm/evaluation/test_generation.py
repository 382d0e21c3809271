"""Figures of generated defects are those of independent implementations, and tell copies, good
ground and few pictures apart."""

from __future__ import annotations

import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.functional.image.lpips import _normalize_tensor, _spatial_average
from torchmetrics.image.kid import KernelInceptionDistance

from adabldm.core.images import encode_png
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault
from adabldm.evaluation import generation
from adabldm.evaluation.generation import SIDE, GenerationFigures, Seen
from adabldm.evaluation.pictures import Pair

SHAPES = ((6, 8, 8), (10, 4, 4))


def seen(count: int, seed: int, shift: float = 0.0) -> Seen:
    rng = np.random.default_rng(seed)
    return Seen([(rng.normal(shift, 1, (count, *one))).astype(np.float32) for one in SHAPES])


def plain_distance(a: Seen, i: int, b: Seen, j: int) -> float:
    """LPIPS of two pictures with weights of one, by torchmetrics' own parts."""
    total = 0.0
    for left, right in zip(a.layers, b.layers, strict=True):
        one, two = (_normalize_tensor(torch.from_numpy(x)[None]) for x in (left[i], right[j]))
        total += _spatial_average(((one - two) ** 2).sum(1, keepdim=True)).item()
    return total


def plain_diversity(some: Seen, members: list[int]) -> float:
    return float(np.mean([plain_distance(some, i, some, j) for i, j in combinations(members, 2)]))


class Given(torch.nn.Module):
    """Features in place of a network."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def plain_kid(x: np.ndarray, y: np.ndarray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metric = KernelInceptionDistance(Given(), subsets=1, subset_size=len(x)).set_dtype(
            torch.float64
        )
        metric.update(torch.from_numpy(y), real=True)
        metric.update(torch.from_numpy(x), real=False)
        return float(metric.compute()[0])


def test_kid_is_that_of_torchmetrics_on_features_of_unit_size() -> None:
    pairs, real = seen(24, 0, 0.3), seen(24, 1)
    x, y = (one.layers[-1].astype(np.float64).mean((2, 3)) for one in (pairs, real))
    unit = np.sqrt((y**2).mean())
    found = generation.figures(pairs, real, seen(3, 2))
    assert found.kid == pytest.approx(plain_kid(x / unit, y / unit), rel=1e-4)
    assert found.kid_error is not None
    assert found.kid_error > 0


def test_diversity_is_the_mean_lpips_of_torchmetrics_parts() -> None:
    pairs, real = seen(9, 0), seen(5, 1)
    found = generation.figures(pairs, real, seen(2, 2))
    assert found.diversity == pytest.approx(plain_diversity(pairs, list(range(9))), rel=1e-4)
    assert found.diversity_of_real == pytest.approx(plain_diversity(real, list(range(5))), rel=1e-4)


def test_ic_lpips_is_that_of_a_plain_loop_over_the_nearest_real_ones() -> None:
    pairs, few = seen(14, 0), seen(3, 2)
    clusters: dict[int, list[int]] = {}
    for i in range(14):
        away = [plain_distance(pairs, i, few, j) for j in range(3)]
        clusters.setdefault(int(np.argmin(away)), []).append(i)
    wanted = [plain_diversity(pairs, some) for some in clusters.values() if len(some) > 1]
    found = generation.figures(pairs, seen(5, 1), few)
    assert found.clusters == len(wanted)
    assert found.ic_diversity == pytest.approx(np.mean(wanted), rel=1e-4)


def test_copies_of_the_few_have_no_diversity_within_clusters() -> None:
    few = seen(3, 2)
    copies = Seen([np.concatenate([layer, layer]) for layer in few.layers])
    found = generation.figures(copies, seen(5, 1), few)
    assert found.clusters == 3
    assert found.ic_diversity == pytest.approx(0, abs=1e-5)
    assert found.diversity is not None
    assert found.diversity > 0.5


def test_the_scale_of_a_networks_features_does_not_count() -> None:
    pairs, real, few = seen(8, 0, 0.5), seen(8, 1), seen(5, 2)
    larger = [Seen([100 * layer for layer in one.layers]) for one in (pairs, real, few)]
    one, other = generation.figures(pairs, real, few), generation.figures(*larger)
    assert one.kid == pytest.approx(other.kid, rel=1e-3)
    assert one.ic_diversity == pytest.approx(other.ic_diversity, rel=1e-3)


def test_too_few_pictures_give_no_figure_rather_than_a_wrong_one() -> None:
    found = generation.figures(seen(1, 0), seen(3, 1), Seen([]))
    assert found == GenerationFigures(
        kid=None, kid_error=None, kid_of_few=None, diversity=None, ic_diversity=None,
        diversity_of_real=found.diversity_of_real, clusters=0, pairs=1, real=3, few=0,
    )  # fmt: skip
    assert found.diversity_of_real is not None


def test_the_mean_of_types_is_over_those_that_have_a_figure() -> None:
    one = generation.figures(seen(8, 0), seen(8, 1), seen(5, 2))
    none = generation.figures(seen(1, 0), seen(1, 1), Seen([]))
    mean = generation.mean_figures([one, none])
    assert mean.kid == one.kid
    assert (mean.pairs, mean.real, mean.few) == (9, 9, 5)


def test_of_many_pictures_the_same_are_looked_at_in_any_order() -> None:
    names = [f"r{number}" for number in range(50)]
    some = {names[i] for i in generation.kept(names, 10)}
    turned = names[::-1]
    assert len(some) == 10
    assert {turned[i] for i in generation.kept(turned, 10)} == some
    assert generation.kept(names) == list(range(50))


def _written(folder: Path, mask: np.ndarray, side: int = 200) -> tuple[str, str]:
    rng = np.random.default_rng(0)
    image = rng.integers(90, 110, (side, side, 3), np.uint8)
    image[: mask.shape[0], : mask.shape[1]][mask > 0] = (255, 0, 0)
    for name, pixels in (("image", image), ("mask", mask)):
        (folder / f"{name}.png").write_bytes(encode_png(pixels))
    return f"file://{folder}/image.png", f"file://{folder}/mask.png"


def test_what_is_seen_is_the_defect_and_its_surroundings(tmp_path: Path) -> None:
    mask = np.zeros((200, 200), np.uint8)
    mask[150:180, 20:50] = 255
    image, marked = _written(tmp_path, mask)
    pair = Pair(request_id="r", defect="spot", image=image, mask=marked, asked=marked)
    real = DefectImage(defect="spot", image=image, mask=marked)
    crops = [generation.crop_of_pair(pair), generation.crop_of_real(real)]
    assert np.array_equal(*crops)
    assert crops[0].shape == (SIDE, SIDE, 3)
    assert 0.15 < (crops[0][..., 1] < 50).mean() < 0.35


@pytest.mark.parametrize(("size", "rule"), [(200, "marks no pixel"), (100, "is 100 x 100")])
def test_a_mask_that_cannot_be_is_named(tmp_path: Path, size: int, rule: str) -> None:
    image, marked = _written(tmp_path, np.zeros((size, size), np.uint8))
    pair = Pair(request_id="r", defect="spot", image=image, mask=marked, asked=marked)
    with pytest.raises(DatasetFault, match=rf"mask\.png: {rule}"):
        generation.crop_of_pair(pair)
