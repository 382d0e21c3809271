from __future__ import annotations

import torch

from adabldm.training.objectives import mean_inside, min_snr_weight


def test_an_error_counts_by_its_mean_under_the_defect_however_small():
    error = torch.ones(3, 2, 4, 4)
    error[1, :, 0, 0] = 5.0
    defect = torch.zeros(3, 1, 4, 4)
    defect[0, :, :2] = 1
    defect[1, :, 0, 0] = 1
    assert mean_inside(error, defect).tolist() == [1.0, 5.0, 0.0]


def test_min_snr_bounds_what_nearly_clean_examples_weigh():
    alphas = torch.tensor([0.99, 0.5, 0.1])
    weight = min_snr_weight(alphas, torch.tensor([0, 1, 2]), 5.0)
    assert torch.allclose(weight, torch.tensor([5 / 99, 1.0, 1.0]))
