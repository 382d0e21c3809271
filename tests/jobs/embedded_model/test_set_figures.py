from __future__ import annotations

import numpy as np
import pytest

from jobs.embedded_model import set_figures
from jobs.embedded_model.defect_crops import Sample
from jobs.embedded_model.set_figures import (
    Column,
    compared,
    mixture,
    specimen_counts,
    with_judgement,
    with_visibility_beyond_autoencoder,
)
from tests.support.measured import mean_colours

MASK = np.zeros((64, 64), bool)
MASK[20:40, 20:40] = True


def samples(types: dict[str, int], tone: int, seed: int = 0, groups: int = 99) -> list[Sample]:
    """Noisy grey squares whose middles have about ``tone``; one type is darker than the other."""
    rng = np.random.default_rng(seed)
    found = []
    for defect, count in types.items():
        for index in range(count):
            image = rng.normal(100, 5, (64, 64, 3))
            image[MASK] += tone + rng.normal(0, 5) - (20 if defect == "dark" else 0)
            found.append(
                Sample(
                    image=np.clip(image, 0, 255).astype(np.uint8),
                    mask=MASK,
                    defect=defect,
                    source=f"{defect} {index}",
                    group=f"{defect} {index % groups}",
                )
            )
    return found


EMPTY = Column(pictures=0)


def compared_alone(ours: list[Sample], real: list[Sample]) -> tuple[Column, Column]:
    columns, halves = compared({"ours": EMPTY}, {"ours": ours}, real, mean_colours)
    return columns["ours"], halves


def test_types_are_taken_in_the_real_ones_mixture():
    ours = samples({"dark": 20, "light": 20, "made up": 5}, 0)
    real = samples({"dark": 30, "light": 15, "unknown": 9}, 0)
    chosen, known = mixture(ours, real)
    assert [ours[i].defect for i in chosen] == ["dark"] * 20 + ["light"] * 10
    assert {real[i].defect for i in known} == {"dark", "light"}
    assert mixture(samples({"other": 3}, 0), real) == ([], [])


def test_what_looks_like_the_real_ones_is_nearer_to_them():
    types = {"dark": 25, "light": 25}
    real = samples(types, 60, seed=1)
    like, halves = compared_alone(samples(types, 60, seed=2), real)
    unlike, _ = compared_alone(samples(types, 30, seed=3), real)
    for figure in ("kid_lite0", "kid_lite0_by_type"):
        near, far, same = (getattr(c, figure) for c in (like, unlike, halves))
        assert abs(near.value) < 3 * near.standard_error
        assert far.value > 3 * far.standard_error
        assert abs(same.value) < 3 * same.standard_error
    assert like.diversity_lite0 == pytest.approx(halves.diversity_lite0, rel=0.3)


def test_few_real_ones_of_a_type_give_no_figure_by_type():
    real = samples({"dark": set_figures.ENOUGH - 1}, 60)
    ours, _ = compared_alone(samples({"dark": 9}, 60, seed=2), real)
    assert ours.kid_lite0 is not None
    assert ours.kid_lite0_by_type is None


def test_without_real_ones_only_diversity_is_told():
    ours, halves = compared_alone(samples({"dark": 9}, 60), [])
    assert ours.kid_lite0 is halves.kid_lite0 is halves.diversity_lite0 is None
    assert ours.diversity_lite0 is not None


def test_one_specimen_cannot_be_halved():
    real = samples({"dark": 12}, 60, groups=1)
    _, halves = compared({}, {}, real, mean_colours)
    assert halves.kid_lite0 is None


def test_visible_defects_are_counted_by_type():
    shown = samples({"dark": 2}, 80) + samples({"light": 3}, 0, seed=1)
    goods = [np.full((64, 64, 3), 100, np.uint8)] * 5
    found = with_judgement(EMPTY, shown, goods)
    assert found.visible_by_type == {"dark": (2, 2), "light": (0, 3)}
    assert found.visible == pytest.approx(0.4)


def test_what_the_autoencoder_does_by_itself_is_no_defect():
    shown, plain = samples({"dark": 2}, 80), samples({"dark": 2}, 78, seed=1)
    found = with_visibility_beyond_autoencoder(EMPTY, [*shown, plain[0]], [*plain, plain[0]])
    assert found.visible_beyond_autoencoder == 0.0
    found = with_visibility_beyond_autoencoder(EMPTY, shown, samples({"dark": 2}, 0, seed=1))
    assert found.visible_beyond_autoencoder == 1.0


def test_specimens_are_counted_once_a_type():
    assert specimen_counts(samples({"dark": 9, "light": 2}, 0, groups=4)) == {"dark": 4, "light": 2}
