"""The small trained model that ships inside the package (128 x 128 pixels).

Offers ``embedded_path``.
"""

from __future__ import annotations

from pathlib import Path


def embedded_path() -> Path:
    """Folder of the embedded model, in diffusers layout."""
    return Path(__file__).parent / "model"
