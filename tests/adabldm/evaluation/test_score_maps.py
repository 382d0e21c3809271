"""Score maps are read as they were written, at their picture's size, or refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from adabldm.evaluation import score_maps
from adabldm.evaluation.score_maps import ScoreFault
from tests.support.detections import write_picture

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(20, 30))


def npy(array: np.ndarray, **how: bool) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **how)
    return buffer.getvalue()


def tiff(array: np.ndarray, **how: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **how)  # type: ignore[arg-type]
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4", ">f8"])
@pytest.mark.parametrize("shape", [(20, 30), (1, 20, 30), (20, 30, 1), (1, 1, 20, 30)])
def test_a_npy_of_any_float_keeps_every_bit(kind: str, shape: tuple[int, ...]) -> None:
    array = SCORES.astype(kind)
    for order in "CF":
        data = npy(np.asarray(array.reshape(shape), order=order))
        found = score_maps.decode(data, ".npy")
        assert (found == array).all()
        assert found.dtype == (np.float64 if kind.endswith("8") else np.float32)
        assert score_maps.look(data[: score_maps.HEADER_BYTES], ".npy", len(data)) == (20, 30)


@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
def test_a_tiff_of_floats_keeps_every_bit(kind: str) -> None:
    array = SCORES.astype(kind)
    assert (score_maps.decode(tiff(array), ".tiff") == array).all()


def test_tiffs_of_pillow_and_opencv_kinds_are_read(tmp_path: Path) -> None:
    array = SCORES.astype(np.float32)
    for compression in (None, "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        buffer = io.BytesIO()
        Image.fromarray(array).save(buffer, "TIFF", compression=compression)
        assert (score_maps.decode(buffer.getvalue(), ".tif") == array).all()


def test_a_png_of_16_bits_is_its_numbers(tmp_path: Path) -> None:
    numbers = RNG.integers(0, 900, (20, 30)).astype(np.uint16)  # dim: no range is asked for
    write_picture(tmp_path / "a.png", numbers)
    assert (score_maps.decode((tmp_path / "a.png").read_bytes(), ".png") == numbers).all()


PAGES = np.zeros((3, 40, 40), np.float32)
BAD = {
    "not finite": (npy(np.where(SCORES > 1, np.nan, SCORES)), ".npy", "are not finite"),
    "infinite": (tiff(np.full((9, 9), np.inf)), ".tif", "81 of its 81 numbers are not finite"),
    "whole numbers": (npy(np.zeros((9, 9), np.uint8)), ".npy", "holds uint8, must hold float16"),
    "yes and no": (npy(SCORES > 0), ".npy", "holds bool"),
    "complex": (npy(SCORES + 1j), ".npy", "holds complex128"),
    "long": (npy(SCORES.astype(np.longdouble)), ".npy", "holds (longdouble|float128)"),
    "objects": (npy(np.array([{}, 1], object), allow_pickle=True), ".npy", "holds object"),
    "colours": (npy(np.zeros((9, 9, 3))), ".npy", r"shape \(9, 9, 3\), must be"),
    "a list": (npy(np.zeros(9)), ".npy", r"shape \(9,\)"),
    "nothing": (npy(np.zeros((0, 9))), ".npy", "has no pixel"),
    "huge": (npy(np.zeros((1, 1)))[:-8], ".npy", "must be|cut short"),
    "cut short": (npy(SCORES)[:-1], ".npy", "is cut short"),
    "text": (b"1,2,3\n" * 30, ".npy", "is not a whole .npy file"),
    "an empty file": (b"", ".npy", "is not a whole .npy file"),
    "a TIFF of 8 bits": (tiff(np.zeros((9, 9), np.uint8)), ".tif", "of uint8: must be one page"),
    "pages": (tiff(PAGES, photometric="minisblack"), ".tif", "3 pages"),
    "no TIFF": (b"II*\0broken", ".tif", "is not a whole TIFF"),
    "no picture": (b"nothing", ".png", "not a readable picture"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_map_is_refused_by_name(name: str) -> None:
    data, suffix, rule = BAD[name]
    with pytest.raises(ScoreFault, match=rule) as caught:
        score_maps.decode(data, suffix)
    assert "\n" not in str(caught.value)


def test_a_picture_of_8_bits_is_no_map(tmp_path: Path) -> None:
    write_picture(tmp_path / "a.png", np.zeros((9, 9), np.uint8))
    with pytest.raises(ScoreFault, match="must be a grey PNG of 16 bits"):
        score_maps.decode((tmp_path / "a.png").read_bytes(), ".png")


@pytest.mark.parametrize("size", [(40, 60), (33, 50), (10, 15), (7, 10), (20, 31), (1, 1)])
def test_another_size_is_fitted_bilinearly_as_torch_does(size: tuple[int, int]) -> None:
    torch_size = torch.nn.functional.interpolate(
        torch.from_numpy(SCORES)[None, None], size, mode="bilinear", align_corners=False
    )
    found = score_maps.fit(SCORES, size)
    assert found.shape == size
    assert found == pytest.approx(torch_size[0, 0].numpy(), abs=1e-12)
    assert len(np.unique(score_maps.fit(np.full((20, 30), 0.1, np.float32), size))) == 1


@pytest.mark.parametrize(
    ("found", "picture", "same"),
    [
        ((256, 256), (512, 512), True),
        ((220, 640), (640, 220), False),
        ((256, 256), (512, 384), False),
        ((86, 256), (220, 652), True),  # 86.4
        ((87, 256), (220, 652), True),
        ((88, 256), (220, 652), False),
        ((28, 28), (224, 223), True),
        ((1024, 768), (512, 384), True),
    ],
)
def test_only_maps_of_their_pictures_shape_are_fitted(
    found: tuple[int, int], picture: tuple[int, int], same: bool
) -> None:
    assert score_maps.same_shape(found, picture) is same
