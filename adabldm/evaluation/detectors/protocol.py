"""What a detector is: it learns from windows, and scores pictures of any size."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from adabldm.core.progress import Progress


class Windows(Protocol):
    """An endless stream of training windows; each is a function of the stream and its index."""

    @property
    def size(self) -> int:
        """S, the side of a window in pixels."""
        ...

    def mixed(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """A window of any picture: uint8 (S, S, 3), and its defect, bool (S, S)."""
        ...

    def good(self, index: int) -> np.ndarray:
        """A window of a good picture: uint8 (S, S, 3)."""
        ...


class Model(Protocol):
    """A trained detector."""

    def score(self, picture: np.ndarray) -> np.ndarray:
        """The score map of uint8 (H, W, 3): float32 (H, W), finite, the higher the more
        defective."""
        ...


class Detector(Protocol):
    """A way to train a :class:`Model`."""

    def train(self, windows: Windows, *, seed: int, device: str, progress: Progress) -> Model:
        """The model after the last step, whatever it was in between. ``progress`` counts steps;
        what is drawn is a function of ``windows`` and ``seed``."""
        ...
