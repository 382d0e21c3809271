from __future__ import annotations

import pytest
import torch

from adabldm.sampling.closed_form import conjugate_gradients, laplacian, smooth_correction
from adabldm.sampling.decoder_adaptation import adaptation_loss, adaptation_terms

SIDE, WEIGHT, SMOOTHNESS = 24, 100.0, 30.0


def pictures(count: int = 2) -> dict[str, torch.Tensor]:
    """A decoded picture that is brighter than the good one, and rougher; masks of two shapes."""
    draw = torch.Generator().manual_seed(3)
    good = 0.2 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
    decoded = good + 0.3 + 0.1 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
    keep = torch.ones(count, 1, SIDE, SIDE)
    for index in range(count):
        keep[index, :, 6:18, 6 : 12 + 4 * index] = 0
    return {"image": decoded, "defective": decoded, "good": good, "keep": keep}


def correct(given: dict[str, torch.Tensor], **changed: float) -> torch.Tensor:
    settings = {"background_weight": WEIGHT, "smoothness": SMOOTHNESS} | changed
    return smooth_correction(**given, **settings)


def objective(given: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
    """The paper's loss and the smoothness of the correction, per image, in sums over pixels."""
    weight = (1 - given["keep"]) + WEIGHT * given["keep"]
    target = torch.where(given["keep"] > 0, given["good"], given["defective"])
    change = image - given["image"]
    bends = [change.diff(dim=dim).square().sum((1, 2, 3)) for dim in (2, 3)]
    return (weight * (image - target) ** 2).sum((1, 2, 3)) + SMOOTHNESS * (bends[0] + bends[1])


def test_the_result_is_the_least_of_the_objective():
    """By a dense solve in float64, and no small change makes it less."""
    given = pictures(1)
    identity = torch.eye(SIDE * SIDE, dtype=torch.float64).view(-1, 1, SIDE, SIDE)
    weight = ((1 - given["keep"]) + WEIGHT * given["keep"]).double()
    matrix = (weight * identity + SMOOTHNESS * laplacian(identity)).flatten(1)
    right = WEIGHT * given["keep"] * (given["good"] - given["image"])
    solved = torch.linalg.solve(matrix, right.double()[0].flatten(1).T).T.view(1, 3, SIDE, SIDE)
    made = correct(given)
    assert torch.allclose(made, given["image"] + solved.float(), atol=1e-5)
    for seed in range(3):
        nudge = 1e-2 * torch.randn(made.shape, generator=torch.Generator().manual_seed(seed))
        assert objective(given, made) < objective(given, made + nudge)


def test_the_background_comes_back_and_the_defect_stays():
    given = pictures()
    aims = given["defective"], given["good"], given["keep"]
    before = adaptation_terms(given["image"], *aims)
    foreground, background = adaptation_terms(correct(given), *aims)
    assert background < 0.1 * before[1]
    assert foreground < 0.2 * before[1]


def test_there_is_no_seam_where_a_paste_has_one():
    """A decoder that is 0.3 too bright: the step at the mask's edge is spread inwards."""
    keep = torch.ones(1, 1, 32, 64)
    keep[..., 32:] = 0
    decoded, good = torch.full((1, 3, 32, 64), 0.3), torch.zeros(1, 3, 32, 64)
    made = smooth_correction(
        decoded, decoded, good, keep, background_weight=WEIGHT, smoothness=SMOOTHNESS
    )
    pasted = smooth_correction(
        decoded, decoded, good, keep, background_weight=WEIGHT, smoothness=0.0
    )
    assert torch.allclose(pasted, 0.3 * (1 - keep).expand_as(pasted), atol=1e-6)
    steepest = made.diff(dim=3).abs().max()
    assert steepest < 0.25 * pasted.diff(dim=3).abs().max()
    assert made[..., -1].sub(0.3).abs().max() < 0.01
    assert made[..., 0].abs().max() < 1e-3


def test_a_request_is_corrected_alike_alone_and_in_a_batch():
    given = pictures(2)
    together = correct(given)
    for index in range(2):
        alone = correct({name: value[index : index + 1] for name, value in given.items()})
        assert torch.allclose(together[index : index + 1], alone, atol=1e-6)


def test_the_same_input_gives_the_same_bits():
    assert torch.equal(correct(pictures()), correct(pictures()))


@pytest.mark.parametrize("keep", [0.0, 1.0])
def test_an_image_that_is_all_defect_or_all_background_is_no_special_case(keep):
    given = pictures(1)
    given["keep"] = torch.full_like(given["keep"], keep)
    made = correct(given)
    if keep:
        aims = given["defective"], given["good"], given["keep"], WEIGHT
        assert adaptation_loss(made, *aims) < 0.1 * adaptation_loss(given["image"], *aims)
    else:
        assert torch.equal(made, given["image"])


@pytest.mark.parametrize("smoothness", [0.0, 1e-6, 1.0, 1e4])
@pytest.mark.parametrize("weight", [1e-3, 1.0, 1e6])
def test_any_legal_setting_gives_finite_values(smoothness, weight):
    made = correct(pictures(), smoothness=smoothness, background_weight=weight)
    assert torch.isfinite(made).all()


def test_values_that_are_no_numbers_are_not_hidden():
    given = pictures(1)
    given["defective"] = given["image"] = given["image"].clone()
    given["image"][0, 0, 0, 0] = float("nan")
    assert not torch.isfinite(correct(given)).all()


def test_half_precision_comes_back_in_full():
    given = {name: value.to(torch.bfloat16) for name, value in pictures(1).items()}
    assert correct(given).dtype == torch.float32


def test_a_solved_system_stays_solved():
    right = torch.tensor([[[[2.0, 4.0]]]])
    diagonal = torch.tensor([[[[2.0, 4.0]]]])
    solved = conjugate_gradients(lambda x: diagonal * x, right, diagonal, iterations=50)
    assert torch.equal(solved, torch.ones_like(right))
