from __future__ import annotations

import numpy as np
import pytest

from adabldm.judging.distribution import (
    Estimate,
    halves,
    kernel_distance,
    mean_distance,
    mean_estimate,
    perceptual_distances,
    polynomial_kernel,
    squared_mmd,
    unit_maps,
)


def normal(count: int, seed: int, shift: float = 0.0, width: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, width))


def test_the_kernel_is_the_cube_of_one_more_than_the_mean_product():
    x, y = np.array([[1.0, 3.0]]), np.array([[2.0, 4.0], [0.0, 0.0]])
    assert polynomial_kernel(x, y).tolist() == [[8.0**3, 1.0]]


def test_two_samples_of_one_distribution_are_about_zero_apart_on_either_side():
    found = [squared_mmd(normal(30, 2 * i, width=8), normal(40, 2 * i + 1, width=8))
             for i in range(200)]  # fmt: skip
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))
    assert min(found) < 0 < max(found)


@pytest.mark.parametrize("shift", [0.3, 1.0])
def test_shifted_normals_are_as_far_apart_as_their_moments_say(shift):
    """The cubic kernel compares three moments: sum of binom(3, j) (difference of moment j)^2."""
    exact = 3 * shift**2 + 3 * shift**4 + (shift**3 + 3 * shift) ** 2
    found = [squared_mmd(normal(100, 2 * i), normal(100, 2 * i + 1, shift)) for i in range(200)]
    assert np.mean(found) == pytest.approx(exact, abs=3 * np.std(found) / np.sqrt(len(found)))


def test_two_points_are_as_far_apart_as_their_kernels_say():
    u, v = np.array([1.0, 2.0, 0.5]), np.array([-1.0, 0.0, 2.0])
    exact = (u @ u / 3 + 1) ** 3 + (v @ v / 3 + 1) ** 3 - 2 * (u @ v / 3 + 1) ** 3
    assert squared_mmd(np.tile(u, (5, 1)), np.tile(v, (7, 1))) == pytest.approx(exact)


def test_the_order_of_pictures_does_not_matter_and_neither_does_that_of_the_sets():
    x, y = normal(20, 0, width=4), normal(30, 1, 0.5, width=4)
    shuffled = np.random.default_rng(2).permutation(30)
    assert squared_mmd(x, y[shuffled]) == pytest.approx(squared_mmd(x, y))
    assert squared_mmd(y, x) == pytest.approx(squared_mmd(x, y))
    assert kernel_distance(x, y[shuffled]).value == pytest.approx(kernel_distance(x, y).value)


@pytest.mark.parametrize(("shift", "most"), [(1.0, 1.5), (0.0, 4.0)])
def test_the_standard_error_is_the_spread_of_repeated_measurements_or_more(shift, most):
    found = [kernel_distance(normal(30, 2 * i), normal(60, 2 * i + 1, shift)) for i in range(60)]
    spread = np.std([one.value for one in found])
    told = np.mean([one.standard_error for one in found])
    assert 0.7 * spread < told < most * spread
    assert found[0].pictures == (30, 60)


def test_a_distance_is_a_function_of_its_seed():
    x, y = normal(10, 0), normal(10, 1)
    assert kernel_distance(x, y, seed=3) == kernel_distance(x, y, seed=3)
    assert kernel_distance(x, y, seed=3) != kernel_distance(x, y, seed=4)


def test_too_few_pictures_are_refused():
    with pytest.raises(ValueError, match="3 and 9 pictures"):
        kernel_distance(normal(3, 0), normal(9, 1))


def test_the_mean_of_estimates_is_surer_than_each():
    one = Estimate(value=1.0, standard_error=0.2, pictures=(10, 20))
    two = Estimate(value=3.0, standard_error=0.2, pictures=(5, 6))
    mean = mean_estimate([one, two])
    assert mean.value == 2.0
    assert mean.standard_error == pytest.approx(0.2 / np.sqrt(2))
    assert mean.pictures == (15, 26)


def test_halves_hold_every_picture_once_and_part_no_group():
    groups = ["a"] * 5 + ["b"] * 3 + ["c", "d", "d", "e"]
    splits = list(halves(groups, 10))
    assert len({tuple(first) for first, _ in splits}) > 1
    for first, second in splits:
        assert sorted([*first, *second]) == list(range(len(groups)))
        assert not {groups[i] for i in first} & {groups[i] for i in second}
        assert len(first) >= len(groups) / 2


def test_ungrouped_pictures_are_halved_evenly():
    for first, second in halves(range(11), 5):
        assert (len(first), len(second)) == (6, 5)


def maps(seed: int, count: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4, 3, 3))


def test_a_distance_is_the_mean_over_places_of_that_of_unit_vectors_summed_over_layers():
    layers = [maps(0), maps(1)]
    exact = 0.0
    for layer in layers:
        a, b = (one / np.linalg.norm(one, axis=0) for one in layer[:2])
        exact += np.square(a - b).sum(axis=0).mean()
    assert perceptual_distances(layers)[0, 1] == pytest.approx(exact, rel=1e-5)


def test_brightness_of_features_does_not_count():
    layer = maps(0)
    assert np.allclose(unit_maps(layer), unit_maps(layer * 7), atol=1e-6)


def test_equal_pictures_have_no_diversity_and_orthogonal_ones_two_a_layer():
    same = np.repeat(maps(0, 1), 5, axis=0)
    assert mean_distance(perceptual_distances([same])) == pytest.approx(0, abs=1e-6)
    orthogonal = np.zeros((4, 4, 2, 2))
    orthogonal[np.arange(4), np.arange(4)] = 3.0
    assert mean_distance(perceptual_distances([orthogonal] * 2)) == pytest.approx(4)


def test_diversity_does_not_depend_on_the_order():
    layers = [maps(0), maps(1)]
    order = np.random.default_rng(0).permutation(6)
    shuffled = mean_distance(perceptual_distances([layer[order] for layer in layers]))
    assert shuffled == pytest.approx(mean_distance(perceptual_distances(layers)))
