from __future__ import annotations

import numpy as np
import pytest
import torch

from adabldm.core.random_streams import counter_normal
from adabldm.sampling.noise import CounterNoise, RecordedNoise

KNOWN = [2.2769279, -1.4079095, -0.8967563, -1.3204969]


def test_a_draw_is_a_function_of_seed_name_and_step_alone():
    one = counter_normal(3, "x_T", None, (4, 8, 8))
    assert np.array_equal(one, counter_normal(3, "x_T", None, (4, 8, 8)))
    others = [
        counter_normal(4, "x_T", None, (4, 8, 8)),
        counter_normal(3, "y_T", None, (4, 8, 8)),
        counter_normal(3, "x_T", 0, (4, 8, 8)),
    ]
    assert not any(np.array_equal(one, other) for other in others)


def test_a_request_draws_the_same_noise_in_any_batch():
    batch = CounterNoise([5, 6, 7]).draw("x_T", 2, (3, 4, 8, 8))
    assert torch.equal(CounterNoise([6]).draw("x_T", 2, (1, 4, 8, 8))[0], batch[1])


def test_draws_are_standard_normal():
    drawn = counter_normal(1, "x_T", None, (400_001,))
    assert abs(drawn.mean()) < 0.01
    assert abs(drawn.std() - 1) < 0.01
    assert abs((drawn**3).mean()) < 0.03
    assert abs((drawn**4).mean() - 3) < 0.1


def test_known_values_do_not_change_between_releases():
    drawn = counter_normal(0, "x_T", None, (4,))
    assert drawn == pytest.approx(KNOWN, abs=1e-6)


def test_negative_and_large_seeds_are_legal():
    assert np.isfinite(counter_normal(-(2**63), "x_T", 49, (5,))).all()


def test_a_recording_without_the_draw_or_of_another_shape_is_refused():
    source = RecordedNoise({"noise/x_T": torch.zeros(1, 4, 8, 8)})
    with pytest.raises(KeyError, match="noise/ddim_sigma/step_003"):
        source.draw("ddim_sigma", 3, (1, 4, 8, 8))
    with pytest.raises(ValueError, match="recorded shape"):
        source.draw("x_T", None, (2, 4, 8, 8))
