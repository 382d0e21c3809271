"""A picture of any kind is read as it is meant, or refused by name; never as something else."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from adabldm.core import images
from adabldm.core.images import ImageFault

HEIGHT, WIDTH = 40, 56
RAMP = np.linspace(10, 250, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH)
GREY = RAMP.astype(np.uint8)
OTHER_FRAME = Image.new("L", (9, 9))
RGB = np.dstack([GREY, GREY[::-1], GREY[:, ::-1]])


def file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def turned(pixels: np.ndarray, orientation: int, kind: str) -> bytes:
    """A file whose EXIF orientation brings ``pixels`` upright."""
    back = {
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 1)[:, ::-1][::-1][:, ::-1],
        8: lambda p: np.rot90(p, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless = {"lossless": True} if kind == "WEBP" else {}
    stored = Image.fromarray(np.ascontiguousarray(back(pixels)))
    return file(stored, kind, exif=exif, **({"quality": 100} if kind == "JPEG" else lossless))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 8])
def test_a_turned_picture_is_read_upright_and_its_size_too(orientation: int, kind: str) -> None:
    data = turned(RGB, orientation, kind)
    found = images.decode(data)
    assert images.read_size(data) == images.checked_size(data) == (HEIGHT, WIDTH)
    assert np.abs(found.astype(int) - RGB).max() <= (12 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    ("data", "truth", "off"),
    [
        (file(Image.fromarray((RAMP * 257).astype(np.uint16))), GREY, 1),
        (file(Image.fromarray((RAMP * 257).astype(np.uint16)), "TIFF"), GREY, 1),
        (file(Image.fromarray((RAMP / 255).astype(np.float32)), "TIFF"), GREY, 1),
        (file(Image.fromarray(RAMP.astype(np.float32)), "TIFF"), GREY, 1),
        (file(Image.fromarray(np.dstack([GREY, np.full_like(GREY, 255)]))), GREY, 0),
        (file(Image.fromarray(GREY > 99)), np.where(GREY > 99, 255, 0), 0),
        (file(Image.fromarray(GREY).convert("P")), GREY, 0),
    ],
    ids=["16-bit", "16-bit TIFF", "float to 1", "float to 255", "opaque", "1-bit", "palette"],
)
def test_other_kinds_of_pixels_are_brought_to_8_bits(
    data: bytes, truth: np.ndarray, off: int
) -> None:
    found = images.decode(data)
    assert found.dtype == np.uint8
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert np.abs(found.astype(int) - truth[..., None]).max() <= off
    assert images.checked_size(data) == (HEIGHT, WIDTH)


def test_cmyk_has_the_colours_of_rgb() -> None:
    smooth = np.dstack([GREY, GREY, 255 - GREY])
    data = file(Image.fromarray(smooth).convert("CMYK"), "JPEG", quality=98)
    assert np.abs(images.decode(data).astype(int) - smooth).mean() < 4


def _clear() -> np.ndarray:
    alpha = np.full((HEIGHT, WIDTH), 255, np.uint8)
    alpha[:5] = 0
    return alpha


@pytest.mark.parametrize("read", [images.decode, images.checked_size])
@pytest.mark.parametrize(
    ("data", "named"),
    [
        (file(Image.fromarray((RAMP * 16).astype(np.uint16))), "16 bits"),
        (file(Image.fromarray((RAMP * 16).astype(np.uint16)), "TIFF"), "16 bits"),
        (file(Image.fromarray(GREY.astype(np.uint16))), "16 bits"),
        (file(Image.fromarray(RAMP.astype(np.int32) * 1000), "TIFF"), "whole numbers"),
        (file(Image.fromarray((RAMP - 100).astype(np.float32)), "TIFF"), "0 to 1 or 0 to 255"),
        (file(Image.fromarray((RAMP * np.nan).astype(np.float32)), "TIFF"), "not finite"),
        (file(Image.fromarray(np.dstack([GREY, _clear()]))), "alpha"),
        (file(Image.fromarray(np.dstack([RGB, _clear()]))), "alpha"),
        (file(Image.fromarray(np.dstack([RGB, _clear()])), "WEBP", lossless=True), "alpha"),
        (file(Image.fromarray(GREY), transparency=int(GREY[0, 0])), "alpha"),
        (file(Image.fromarray(RGB).convert("LAB"), "TIFF"), "LAB"),
        (
            file(Image.fromarray(GREY), "TIFF", save_all=True, append_images=[OTHER_FRAME]),
            "2 frames",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_known_is_refused_by_name(
    data: bytes, named: str, read: Callable[[bytes], object]
) -> None:
    with pytest.raises(ImageFault, match=named):
        read(data)


def test_a_deep_colour_picture_that_is_dim_is_refused_like_a_grey_one() -> None:
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    def deep(factor: int) -> bytes:
        rows = (RGB.astype(np.uint16) * factor).astype(">u2")
        packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 16, 2, 0, 0, 0))
        return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", packed) + chunk(b"IEND", b"")

    assert np.abs(images.decode(deep(257)).astype(int) - RGB).max() <= 1
    with pytest.raises(ImageFault, match="16 bits"):
        images.checked_size(deep(16))


def test_the_pictures_that_work_brings_are_as_meant_or_named(shared: Path) -> None:
    folder = shared / "cases/good_kinds"
    plain = images.decode((folder / "pics/plain.png").read_bytes()).astype(int)
    refused = {}
    for row in pq.read_table(folder / "manifest.parquet").to_pylist():
        data = (folder / row["image"]["path"]).read_bytes()
        try:
            found = images.decode(data).astype(int)
        except ImageFault as fault:
            refused[row["request_id"]] = str(fault)
            continue
        if row["request_id"] in ("cmyk_jpg", "exif6_jpg", "palette_png"):
            assert np.abs(found - plain).mean() < 10, row["request_id"]
        assert found.max() - found.min() > 40, row["request_id"]
    assert set(refused) == {"cutout_rgba_png", "cutout_la_png", "grey12in16_tif"}
    assert all("alpha" in refused[name] for name in ("cutout_rgba_png", "cutout_la_png"))
    assert "16 bits" in refused["grey12in16_tif"]


def test_a_palette_that_is_missing_or_late_is_told_without_a_traceback() -> None:
    still = Image.new("P", (8, 8), 1)
    still.putpalette([0, 0, 0, 250, 20, 30])
    buffer = io.BytesIO()
    still.save(buffer, "PNG", transparency=0)
    data = buffer.getvalue()
    at = data.index(b"PLTE") - 4
    chunk = data[at : at + 12 + int.from_bytes(data[at : at + 4])]
    rest = data[:at] + data[at + len(chunk) :]
    end = rest.index(b"IEND") - 4
    for spoiled in (rest, rest[:end] + chunk + rest[end:]):
        answers = []
        for read in (images.decode, images.checked_size):
            try:
                read(spoiled)
                answers.append("taken")
            except images.ImageFault as fault:
                answers.append(fault.kind)
        assert len(set(answers)) == 1
