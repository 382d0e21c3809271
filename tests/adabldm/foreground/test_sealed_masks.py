"""An object mask is kept only if it was made of the same picture in the same way."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from adabldm.core import images
from adabldm.foreground.features import EncoderFeatures
from adabldm.foreground.places import Discriminant
from adabldm.foreground.predictor import ForegroundPredictor
from adabldm.foreground.sealed_masks import FIELD, fingerprint, seal_of, sealed_png, unsealed

MASK = np.uint8(np.eye(24) * 255)
PREDICTOR = ForegroundPredictor(
    surface="object",
    features=EncoderFeatures(),
    discriminant=Discriminant(weights=np.arange(4.0), offset=0.5),
)
SEAL = seal_of(b"picture", "", fingerprint(PREDICTOR))


def test_a_sealed_mask_is_read_back() -> None:
    found = unsealed(sealed_png(MASK, SEAL), SEAL)
    np.testing.assert_array_equal(found, MASK)


@pytest.mark.parametrize(
    "other",
    [
        seal_of(b"another picture", "", fingerprint(PREDICTOR)),
        seal_of(b"picture", "#xywh=0,0,8,8", fingerprint(PREDICTOR)),
        seal_of(b"picture", "", fingerprint(replace(PREDICTOR, spans=True))),
        seal_of(b"picture", "", fingerprint(replace(PREDICTOR, features=EncoderFeatures(side=96)))),
        seal_of(
            b"picture",
            "",
            fingerprint(
                replace(PREDICTOR, discriminant=Discriminant(weights=np.arange(4.0), offset=0.6))
            ),
        ),
    ],
    ids=["picture", "part", "way", "features", "what was learned"],
)
def test_a_mask_of_anything_else_is_not_kept(other: str) -> None:
    assert unsealed(sealed_png(MASK, SEAL), other) is None


def test_a_mask_that_was_cut_off_drawn_over_or_is_none_is_not_kept() -> None:
    whole = sealed_png(MASK, SEAL)
    with Image.open(io.BytesIO(whole)) as file:
        text = PngImagePlugin.PngInfo()
        text.add_text(FIELD, file.text[FIELD])
    edited = io.BytesIO()
    Image.fromarray(255 - MASK).save(edited, format="PNG", pnginfo=text)
    for data in (whole[:-30], edited.getvalue(), images.encode_png(MASK), b"", b"no picture"):
        assert unsealed(data, SEAL) is None
