"""Features of places: those in the package, and those of a backbone that the user names."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import ResNetBackbone, ResNetConfig, ViTConfig, ViTModel

from adabldm.foreground import features
from adabldm.foreground.predictor import fit_foreground
from tests.support.drawn_objects import draw_objects, overlap


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (130, 70), (600, 400)])
def test_pictures_of_any_shape_have_features_in_proportion(shape: tuple[int, int]) -> None:
    found = features.EncoderFeatures()(np.zeros((*shape, 3), np.uint8))
    assert found.shape[2] == 16 + 32 + 64
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert max(found.shape[:2]) <= features.EncoderFeatures().side // 2


def resnet(folder: Path) -> str:
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], out_features=["stage1"]
    )
    ResNetBackbone(config).save_pretrained(folder)
    return str(folder)


def transformer(folder: Path) -> str:
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        image_size=224, patch_size=8,
    )  # fmt: skip
    ViTModel(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize("write", [resnet, transformer])
def test_a_named_backbone_gives_a_grid_and_finds_the_object(tmp_path, write) -> None:
    found = features.open_features(write(tmp_path / "model"))
    drawn = draw_objects(6, ground=(200, 200, 200), thing=(60, 60, 60))
    assert found(drawn[0][0]).shape[:2] == (28, 28)
    predictor = fit_foreground([picture for picture, _ in drawn], found)
    assert predictor.surface == "object"
    assert np.mean([overlap(predictor.mask(picture), truth) for picture, truth in drawn]) > 0.95


def test_a_folder_without_a_backbone_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(features.FeatureFault, match=str(tmp_path)):
        features.open_features(str(tmp_path))(np.zeros((64, 64, 3), np.uint8))


def test_a_predictor_travels_as_a_few_numbers() -> None:
    drawn = draw_objects(4, ground=(200, 200, 200), thing=(60, 60, 60))
    predictor = fit_foreground([picture for picture, _ in drawn])
    packed = pickle.dumps(predictor)
    assert len(packed) < 5000
    unpacked = pickle.loads(packed)  # noqa: S301
    np.testing.assert_array_equal(unpacked.mask(drawn[0][0]), predictor.mask(drawn[0][0]))


def test_threads_that_look_first_at_the_same_time_all_see() -> None:
    code = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import numpy as np
from adabldm.foreground.features import EncoderFeatures
start, features = Barrier(4), EncoderFeatures()
def see(_):
    start.wait()
    return features(np.zeros((64, 64, 3), np.uint8)).shape
with ThreadPoolExecutor(4) as pool:
    print(len(set(pool.map(see, range(4)))))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
