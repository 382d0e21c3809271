"""Figures of sets of pictures, on features that somebody else extracted.

How far two sets are apart: the kernel distance KID (Binkowski et al., "Demystifying MMD GANs",
ICLR 2018). How varied one set is: the mean distance of its pictures in LPIPS's way (Zhang et al.,
"The Unreasonable Effectiveness of Deep Features as a Perceptual Metric", CVPR 2018), without
learned weights. Both depend on the network that gives the features: name it beside the figure.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

SUBSETS = 100
"""Random halves from which a standard error is estimated."""

FEWEST = 4
"""Pictures a set for a distance: a half must have a pair."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """``value`` with its ``standard_error``; ``pictures`` are the two sets' sizes, and the
    subsets' are half of them."""

    value: float
    standard_error: float
    pictures: tuple[int, int]


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """``(x . y / D + 1) ** 3`` of every row of (N, D) with every row of (M, D): (N, M)."""
    product: np.ndarray = x.astype(np.float64) @ y.astype(np.float64).T
    return (product / x.shape[1] + 1) ** 3


def _mmd2(xx: np.ndarray, yy: np.ndarray, xy: np.ndarray) -> float:
    """The unbiased estimate from kernels (N, N), (M, M) and (N, M)."""
    within = [(k.sum() - np.trace(k)) / (len(k) * (len(k) - 1)) for k in (xx, yy)]
    return float(sum(within) - 2 * xy.mean())


def squared_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """Unbiased squared maximum mean discrepancy of features (N, D) and (M, D), N and M >= 2.

    About 0 for two samples of one distribution, as often below as above.
    """
    return _mmd2(polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y))


def kernel_distance(
    x: np.ndarray, y: np.ndarray, *, subsets: int = SUBSETS, seed: int = 0
) -> Estimate:
    """KID of features (N, D) and (M, D), N and M at least :data:`FEWEST`.

    The value is :func:`squared_mmd` of all pictures, to which the mean over random subsets tends.
    The standard error is the spread over ``subsets`` random halves of both sets (the delete-half
    jackknife: a half's spread about the whole is the whole's about the truth), so it needs no
    sets of a thousand. For two equal distributions it is too large rather than too small; it
    takes the pictures for independent. Raises ``ValueError`` for fewer pictures.
    """
    sizes = len(x), len(y)
    if min(sizes) < FEWEST:
        raise ValueError(f"features: {sizes[0]} and {sizes[1]} pictures: need {FEWEST} of each")
    xx, yy, xy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    rng = np.random.default_rng(seed)
    parts = []
    for _ in range(subsets):
        rows, cols = (rng.permutation(size)[: size // 2] for size in sizes)
        parts.append(_mmd2(xx[np.ix_(rows, rows)], yy[np.ix_(cols, cols)], xy[np.ix_(rows, cols)]))
    return Estimate(value=_mmd2(xx, yy, xy), standard_error=float(np.std(parts)), pictures=sizes)


def mean_estimate(parts: Sequence[Estimate]) -> Estimate:
    """The mean of independent estimates, of which there is at least one."""
    errors = [part.standard_error for part in parts]
    sizes = np.sum([part.pictures for part in parts], axis=0)
    return Estimate(
        value=float(np.mean([part.value for part in parts])),
        standard_error=float(np.linalg.norm(errors) / len(parts)),
        pictures=(int(sizes[0]), int(sizes[1])),
    )


def halves(
    groups: Sequence[Hashable], splits: int, seed: int = 0
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Indices of two random halves, ``splits`` times; pictures of one of ``groups`` stay together.

    Groups are taken in random order until half of the pictures are reached.
    """
    names = list(dict.fromkeys(groups))
    members = {name: [i for i, group in enumerate(groups) if group == name] for name in names}
    rng = np.random.default_rng(seed)
    for _ in range(splits):
        first: list[int] = []
        order = rng.permutation(len(names))
        for number in order:
            if 2 * len(first) >= len(groups):
                break
            first += members[names[number]]
        yield np.array(sorted(first)), np.setdiff1d(np.arange(len(groups)), first)


def unit_maps(features: np.ndarray) -> np.ndarray:
    """Features (N, C, H, W), every place's channels brought to length 1, as float32 (N, C H W)
    so scaled that a squared distance of rows is the mean over the places."""
    length = np.sqrt(np.square(features).sum(axis=1, keepdims=True))
    places = features.shape[2] * features.shape[3]
    unit = features / np.maximum(length, 1e-10) / np.sqrt(places)
    return unit.reshape(len(features), -1).astype(np.float32)


def perceptual_distances(layers: Sequence[np.ndarray]) -> np.ndarray:
    """Distance of every two of N pictures, float64 (N, N): the squared distance of their
    :func:`unit_maps`, summed over ``layers`` (N, C, H, W) of a network. 0 to 4 a layer."""
    total = np.zeros((len(layers[0]),) * 2)
    for layer in layers:
        maps = unit_maps(layer)
        products = (maps @ maps.T).astype(np.float64)
        squares = np.diag(products)
        total += np.maximum(squares[:, None] + squares[None] - 2 * products, 0)
    return total


def mean_distance(distances: np.ndarray) -> float:
    """Mean over the pairs of different pictures, of (N, N) with N >= 2: a set's diversity."""
    count = len(distances)
    return float((distances.sum() - np.trace(distances)) / (count * (count - 1)))
