"""What ships inside the package: the small trained model (128 x 128 pixels), and the encoder that
objects are found with."""

from __future__ import annotations

from pathlib import Path


def embedded_path() -> Path:
    """Folder of the embedded model, in diffusers layout."""
    return Path(__file__).parent / "model"


def features_path() -> Path:
    """Folder of the encoder that objects are found with, in diffusers layout.

    It is not the model's own, so that object masks stay what they are when the model is replaced.
    """
    return Path(__file__).parent / "features"
