"""Object masks as files that say what they were made of, so that none is made twice.

A seal is bound to the picture's bytes, to what finds the object in it, and to the mask's pixels.
It is in the mask's own file: file and seal come and go together.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from adabldm.core import images

if TYPE_CHECKING:
    from adabldm.foreground.predictor import ForegroundPredictor

FIELD = "adabldm-made-of"
METHOD = 2
"""Raised whenever the same predictor gives other masks than before."""


def fingerprint(predictor: ForegroundPredictor) -> str:
    """SHA-256 of all that decides a predictor's masks, but the picture."""
    digest = hashlib.sha256(f"{METHOD} {predictor.features!r}".encode())
    if predictor.discriminant is not None:
        digest.update(predictor.discriminant.weights.tobytes())
        digest.update(repr(predictor.discriminant.offset).encode())
    plain = {f.name for f in fields(predictor)} - {"features", "discriminant"}
    digest.update(repr([(name, getattr(predictor, name)) for name in sorted(plain)]).encode())
    return digest.hexdigest()


def seal_of(picture: bytes, part: str, maker: str) -> str:
    """What a mask of ``part`` of the file ``picture`` is made of; ``maker`` is a fingerprint."""
    return hashlib.sha256(picture + f"\n{part}\n{maker}".encode()).hexdigest()


def _bound(seal: str, mask: np.ndarray) -> str:
    return f"{seal}:{hashlib.sha256(mask.tobytes()).hexdigest()}"


def sealed_png(mask: np.ndarray, seal: str) -> bytes:
    """PNG bytes of uint8 (H, W) with its ``seal``."""
    text = PngImagePlugin.PngInfo()
    text.add_text(FIELD, _bound(seal, mask))
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, format="PNG", compress_level=6, pnginfo=text)
    return buffer.getvalue()


def unsealed(data: bytes, seal: str) -> np.ndarray | None:
    """The mask in ``data``, uint8 (H, W), if it is whole and was made of just that."""
    try:
        mask = images.decode(data, "L")
        with Image.open(io.BytesIO(data), formats=("PNG",)) as file:
            said = getattr(file, "text", {}).get(FIELD)
    except (images.ImageFault, OSError, ValueError, SyntaxError):
        return None
    return mask if said == _bound(seal, mask) else None
