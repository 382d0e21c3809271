"""The figures of generated pairs beside those of cut-and-paste and of real defects.

* ``visible``: a defect is visible if the picture changed by 8 grey levels inside the mask, and by 3
  times more than outside (:func:`adabldm.judging.pair.pair_quality`). An autoencoder that cannot
  draw the product changes it too: ``visible_beyond_autoencoder`` asks the same of the change from
  the good picture that went through the autoencoder inside the mask.
* ``coverage``, ``agreement``, ``cl_dice`` (of thin defects): the judge's, medians; ``coverage_low``
  is the 10 % quantile; ``accepted`` the share within the judge's default limits.
* ``outside``: pixels outside the mask that differ from the good picture, in all.
* ``kid_lite0``: kernel distance to the real defects that nobody learned from, on features of
  EfficientNet-lite0 averaged over the defect's places in its crop
  (:mod:`jobs.embedded_model.defect_crops`). All types together, in the real ones' mixture; and the
  mean over the types with enough real ones.
* ``diversity_lite0``: mean perceptual distance of two crops of one type, mean over the types.

None of them is absolute: each is read beside the same figure of cut-and-paste, of real defects, and
of pictures without a defect under the same masks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from adabldm.core import trimap
from adabldm.judging import distribution, pair
from adabldm.judging.distribution import Estimate
from adabldm.judging.verdict import judge
from jobs.embedded_model.defect_crops import CropFeatures, Sample, crop_features
from jobs.embedded_model.lite0 import Extractor

ENOUGH = 10
"""Real defects of a type for a figure of its own."""

LOW = 0.1
"""The quantile of the coverage that is told beside its median."""

SPLITS = 20
"""Times that the real defects are halved to be compared with themselves."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """The figures of one way to get defects; None where a figure cannot be had.

    ``visible_by_type`` holds how many are visible of how many; ``pictures`` is how many were
    looked at.
    """

    pictures: int
    outside: int | None = None
    coverage: float | None = None
    coverage_low: float | None = None
    agreement: float | None = None
    cl_dice: float | None = None
    accepted: float | None = None
    visible: float | None = None
    visible_by_type: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    visible_beyond_autoencoder: float | None = None
    kid_lite0: Estimate | None = None
    kid_lite0_by_type: Estimate | None = None
    diversity_lite0: float | None = None


def with_judgement(
    column: Column, samples: Sequence[Sample], goods: Sequence[np.ndarray]
) -> Column:
    """``column`` and what the judge says of ``samples``, whose good pictures are ``goods``, uint8
    (H, W, 3)."""
    verdicts = [
        judge(sample.image, good, trimap.compose(sample.mask))
        for sample, good in zip(samples, goods, strict=True)
    ]
    found = [verdict.figures for verdict in verdicts]
    seen: dict[str, list[float]] = defaultdict(list)
    for sample, one in zip(samples, found, strict=True):
        seen[sample.defect].append(one["defect_visible"])
    coverage = [one["coverage"] for one in found]
    lines = [one["cl_dice"] for one in found if "cl_dice" in one]
    return replace(
        column,
        outside=sum(_outside(*one) for one in zip(samples, goods, strict=True)),
        coverage=float(np.median(coverage)),
        coverage_low=float(np.quantile(coverage, LOW)),
        agreement=float(np.median([one["agreement"] for one in found])),
        cl_dice=float(np.median(lines)) if lines else None,
        accepted=float(np.mean([verdict.reason is None for verdict in verdicts])),
        visible=float(np.mean([one["defect_visible"] for one in found])),
        visible_by_type={name: (int(sum(v)), len(v)) for name, v in sorted(seen.items())},
    )


def _outside(sample: Sample, good: np.ndarray) -> int:
    differs = (sample.image != good).any(axis=2)
    return int(np.count_nonzero(differs & (sample.mask == 0)))


def with_visibility_beyond_autoencoder(
    column: Column, samples: Sequence[Sample], undefective: Sequence[Sample]
) -> Column:
    """``column`` and the share of ``samples`` that differ visibly from the same without a
    defect."""
    found = [
        pair.pair_quality(sample.image, plain.image, sample.mask)["defect_visible"]
        for sample, plain in zip(samples, undefective, strict=True)
    ]
    return replace(column, visible_beyond_autoencoder=float(np.mean(found)))


def _indices(samples: Sequence[Sample]) -> dict[str, list[int]]:
    by_type: dict[str, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        by_type[sample.defect].append(index)
    return by_type


def mixture(samples: Sequence[Sample], real: Sequence[Sample]) -> tuple[list[int], list[int]]:
    """The first of ``samples`` of each type, in the real ones' mixture, as many as there are; and
    the real ones, of the types that both have. Indices."""
    ours, theirs = _indices(samples), _indices(real)
    types = sorted(ours.keys() & theirs.keys())
    times = min((len(ours[name]) / len(theirs[name]) for name in types), default=0.0)
    chosen = [index for name in types for index in ours[name][: int(times * len(theirs[name]))]]
    return chosen, [index for name in types for index in theirs[name]]


def _distance(x: np.ndarray, y: np.ndarray) -> Estimate | None:
    if min(len(x), len(y)) < distribution.FEWEST:
        return None
    return distribution.kernel_distance(x, y)


def _mean(parts: Sequence[Estimate | None]) -> Estimate | None:
    known = [part for part in parts if part is not None]
    return distribution.mean_estimate(known) if known else None


def with_distance(
    column: Column,
    samples: Sequence[Sample],
    seen: CropFeatures,
    real: Sequence[Sample],
    truth: CropFeatures,
) -> Column:
    """``column`` and how far ``samples`` are from the ``real`` ones."""
    chosen, known = mixture(samples, real)
    ours, theirs = _indices(samples), _indices(real)
    by_type = [
        _distance(seen.defects[ours[name]], truth.defects[theirs[name]])
        for name in sorted(ours.keys() & theirs.keys())
        if len(theirs[name]) >= ENOUGH
    ]
    return replace(
        column,
        kid_lite0=_distance(seen.defects[chosen], truth.defects[known]),
        kid_lite0_by_type=_mean(by_type),
    )


def diversity(seen: CropFeatures, by_type: Mapping[str, Sequence[int]]) -> float | None:
    """Mean distance of two pictures of one type, mean over the types with two."""
    within = [
        distribution.mean_distance(
            distribution.perceptual_distances([layer[list(chosen)] for layer in seen.layers])
        )
        for chosen in by_type.values()
        if len(chosen) > 1
    ]
    return float(np.mean(within)) if within else None


def distance_of_halves(
    real: Sequence[Sample], truth: CropFeatures, chosen: Sequence[int]
) -> Estimate | None:
    """Real against real: random halves of ``chosen`` that share no group. The error is the spread
    over the splits; None if all of them have fewer than two pictures a half."""
    groups = [real[index].group for index in chosen]
    features = truth.defects[list(chosen)]
    found = [
        distribution.squared_mmd(features[a], features[b])
        for a, b in distribution.halves(groups, SPLITS)
        if min(len(a), len(b)) > 1
    ]
    if not found:
        return None
    half = len(chosen) // 2
    return Estimate(
        value=float(np.mean(found)),
        standard_error=float(np.std(found)),
        pictures=(half, len(chosen) - half),
    )


def halves_column(real: Sequence[Sample], truth: CropFeatures) -> Column:
    """How far real defects are from real defects of other specimens."""
    by_type = _indices(real)
    enough = [found for found in by_type.values() if len(found) >= ENOUGH]
    return Column(
        pictures=len(real),
        kid_lite0=distance_of_halves(real, truth, range(len(real))),
        kid_lite0_by_type=_mean([distance_of_halves(real, truth, found) for found in enough]),
        diversity_lite0=diversity(truth, by_type),
    )


def compared(
    columns: Mapping[str, Column],
    samples: Mapping[str, Sequence[Sample]],
    real: Sequence[Sample],
    extractor: Extractor,
) -> tuple[dict[str, Column], Column]:
    """``columns`` and how varied their ``samples`` are (at least one each) and, where there are
    ``real`` defects, how far from them; and the column of the real ones' halves."""
    truth = crop_features(real, extractor) if real else None
    halves = Column(pictures=0) if truth is None else halves_column(real, truth)
    found = {}
    for name, column in columns.items():
        seen = crop_features(samples[name], extractor)
        found[name] = replace(column, diversity_lite0=diversity(seen, _indices(samples[name])))
        if truth is not None:
            found[name] = with_distance(found[name], samples[name], seen, real, truth)
    return found, halves


def type_counts(samples: Sequence[Sample]) -> dict[str, int]:
    """How many there are of each type."""
    return dict(sorted(Counter(sample.defect for sample in samples).items()))


def specimen_counts(samples: Sequence[Sample]) -> dict[str, int]:
    """How many specimens show each type."""
    return type_counts(list({(one.defect, one.group): one for one in samples}.values()))
