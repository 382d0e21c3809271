"""Every detector learns what a defect is, scores pictures of any size, and is what it is after its
last step."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from adabldm.core.progress import untold
from adabldm.evaluation.detectors import DETECTORS, DetectorOptions, open_detector
from adabldm.evaluation.detectors.backbone import BackboneFault, open_backbone
from adabldm.evaluation.detectors.fitting import Fit, fit, segmentation_loss
from adabldm.evaluation.detectors.protocol import Model
from tests.support.comparisons import draw

CPU = torch.device("cpu")
STEPS = {"unet": 30, "fpn": 12, "destseg": 120, "padim": 6}
WIDTHS = {"unet": 2, "fpn": 2, "destseg": 8, "padim": 2}
OPTIONS = {
    name: DetectorOptions(steps=steps, window=32, batch=4, width=WIDTHS[name])
    for name, steps in STEPS.items()
}


class DrawnWindows:
    """Windows of noise, half of them with a bright defect."""

    size = 32

    def mixed(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        drawn = draw(index, "hole" if index % 2 else None)
        row, col = np.argwhere(drawn.mask).mean(axis=0) if index % 2 else (20, 20)
        top, left = min(8, max(0, int(row) - 16)), min(24, max(0, int(col) - 16))
        cut = slice(top, top + 32), slice(left, left + 32)
        return _coloured(drawn.image)[cut], drawn.mask[cut]

    def good(self, index: int) -> np.ndarray:
        return _coloured(draw(index + 10_000).image)[:32, :32]


def _coloured(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[..., None], 3, axis=2)


def trained(name: str, seed: int = 0) -> Model:
    detector = open_detector(name, OPTIONS[name])
    return detector.train(DrawnWindows(), seed=seed, device="cpu", progress=untold)


@pytest.mark.parametrize("name", DETECTORS)
def test_defects_of_pictures_it_has_not_seen_score_higher_than_the_rest(name: str) -> None:
    model = trained(name)
    inside, outside = [], []
    for seed in range(6):
        drawn = draw(seed + 90_000, "hole")
        scores = model.score(_coloured(drawn.image))
        assert scores.shape == drawn.image.shape
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        inside.append(scores[drawn.mask].mean())
        outside.append(scores[~drawn.mask].mean())
    assert np.mean(inside) > np.mean(outside) + np.std(outside)


@pytest.mark.parametrize("name", DETECTORS)
def test_a_map_is_a_function_of_data_and_seed(name: str) -> None:
    picture = _coloured(draw(1, "crack").image)
    first, again, other = (trained(name, seed).score(picture) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_progress_counts_to_the_last_step_whatever_the_detector() -> None:
    for name in DETECTORS:
        told: list[tuple[int, int]] = []
        detector = open_detector(name, OPTIONS[name])
        detector.train(
            DrawnWindows(), seed=0, device="cpu", progress=lambda *at, told=told: told.append(at)
        )
        assert told[-1] == (STEPS[name], STEPS[name])
        assert told == sorted(told)


def test_a_pixel_of_a_small_defect_pulls_twice_as_hard_as_one_of_a_large() -> None:
    """A loss of pixels alone forgets a blowhole beside a window full of defect."""
    logits = torch.full((2, 64, 64), -3.0, requires_grad=True)
    marked = torch.zeros(2, 64, 64, dtype=torch.bool)
    marked[0, :, :48] = True
    marked[1, 10:14, 10:14] = True
    segmentation_loss(logits, marked).backward()
    assert logits.grad is not None
    large, small = (-logits.grad[n][marked[n]].mean().item() for n in (0, 1))
    assert small > 2 * large > 0


def test_the_loss_is_cross_entropy_and_the_dice_of_each_defective_window() -> None:
    logits = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 8, 8)))
    marked = torch.zeros(3, 8, 8, dtype=torch.bool)
    marked[0, 2:5, 3:6], marked[1, 7, 7] = True, True
    found = (1 / (1 + np.exp(-logits.numpy()))).astype(np.float64)
    truth = marked.numpy()
    cross = -np.where(truth, np.log(found), np.log(1 - found)).mean()
    dice = [
        1 - (2 * f[t].sum() + 1) / (f.sum() + t.sum() + 1)
        for f, t in zip(found, truth, strict=True)
        if t.any()
    ]
    assert segmentation_loss(logits, marked).item() == pytest.approx(cross + np.mean(dice), 1e-5)
    assert segmentation_loss(logits[2:], marked[2:]).isfinite()


def test_the_backbone_of_a_pyramid_is_as_it_was() -> None:
    detector = open_detector("fpn", OPTIONS["fpn"])
    model = detector.train(DrawnWindows(), seed=0, device="cpu", progress=untold)
    kept = model._network.backbone.state_dict()  # type: ignore[attr-defined]
    fresh = open_backbone(OPTIONS["fpn"].backbone, CPU).state_dict()
    assert all(torch.equal(kept[name], fresh[name]) for name in fresh)


def test_the_weights_are_those_after_the_last_step_not_the_best() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    after: list[float] = []
    losses: list[float] = []

    def loss(wanted: torch.Tensor) -> torch.Tensor:
        away = (network.weight - wanted).abs().sum()
        losses.append(away.item())
        return away

    def batches(step: int) -> tuple[np.ndarray, ...]:  # what is wanted runs away
        return (np.array([step], np.float32),)

    def note(done: int, total: int) -> None:
        after.append(network.weight.item())

    fit(network, loss, batches, Fit(steps=12, rate=0.1), CPU, note)
    assert losses[-1] > min(losses)
    assert network.weight.item() == after[-1] != after[int(np.argmin(losses))]


@pytest.mark.parametrize("name", ["nowhere/at-all", "lite1"])
def test_a_backbone_that_cannot_be_opened_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BackboneFault, match=f"backbone: '{name}': cannot be opened: "):
        open_backbone(name, CPU)


def test_a_backbone_of_transformers_gives_the_three_levels(tmp_path_factory) -> None:
    from transformers import ResNetConfig, ResNetModel

    folder = tmp_path_factory.mktemp("resnet")
    config = ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 6, 8, 10], depths=[1] * 4, layer_type="basic"
    )
    model = ResNetModel(config).eval()
    model.save_pretrained(folder)
    backbone = open_backbone(str(folder), CPU)
    pictures = torch.rand(2, 3, 64, 64)
    levels = backbone(pictures)
    assert backbone.channels == (4, 6, 8)
    assert [tuple(one.shape) for one in levels] == [
        (2, 4, 16, 16), (2, 6, 8, 8), (2, 8, 4, 4)
    ]  # fmt: skip
    with torch.no_grad():
        seen = (pictures - backbone.mean) / backbone.spread
        wanted = model(seen, output_hidden_states=True).hidden_states[1:4]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(levels, wanted, strict=True))


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [("steps", 0, "at least 1"), ("window", 100, "multiple of 32"), ("width", -1, "at least 1")],
)
def test_options_that_cannot_be_are_refused(field: str, value: int, rule: str) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value}: must be .*{rule}"):
        DetectorOptions(**{"steps": 1, field: value})
