"""DeSTSeg's student learns at any width, with pictures as they come: channels last."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from adabldm.evaluation.detectors.destseg import Residual, Student


@pytest.mark.parametrize("width", [4, 8])
def test_the_student_learns_from_pictures_channels_last(width: int) -> None:
    torch.manual_seed(0)
    student = Student(width, (24, 40, 112))
    optimiser = torch.optim.AdamW(student.parameters(), 1e-3)
    pictures = torch.randn(4, 256, 256, 3).permute(0, 3, 1, 2)
    losses = []
    for _ in range(12):
        loss = torch.stack([one.square().mean() for one in student(pictures)]).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss))
    assert losses[-1] < 0.8 * losses[0]


def test_a_block_that_strides_is_a_resnets() -> None:
    torch.manual_seed(0)
    block = Residual(8, 16, stride=2).eval()
    convolution, state = block.beside[1], torch.randn(2, 8, 15, 15)
    wanted = nn.functional.conv2d(state, convolution.weight, stride=2)
    torch.testing.assert_close(block.beside[:2](state), wanted, rtol=0, atol=1e-6)
