"""Pictures: only whole ones of a reasonable size are decoded, and bytes are reproducible."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from adabldm.core import images, masks
from adabldm.core.images import ImageFault


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 64))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


@pytest.mark.parametrize("size", [(50_000, 50_000), (10_000, 10_000), (64_000_001, 1)])
@pytest.mark.parametrize("read", [images.read_size, images.decode])
def test_a_picture_bomb_is_refused_from_its_header(size: tuple[int, int], read) -> None:
    with pytest.raises(ImageFault, match="pixels"):
        read(png_header(*size))


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", b"\x89PNG\r\n\x1a\n", b"GIF89a\1\0\1\0\0\0\0;", b"%!PS-Adobe\n"],
)
def test_what_is_no_picture_of_a_known_type_is_refused(data: bytes) -> None:
    with pytest.raises(ImageFault):
        images.decode(data)


def test_a_cut_picture_is_refused() -> None:
    whole = images.encode_png(np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    for cut in (len(whole) // 2, len(whole) - 40):
        with pytest.raises(ImageFault, match="broken"):
            images.decode(whole[:cut])


@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3)])
def test_png_keeps_every_pixel_and_the_same_pixels_give_the_same_bytes(shape: tuple) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    data = images.encode_png(pixels)
    assert data == images.encode_png(pixels.copy())
    assert np.array_equal(images.decode(data, "L" if len(shape) == 2 else "RGB"), pixels)
    assert images.read_size(data) == shape[:2]


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_every_format_gives_rgb_and_grey(kind: str, mode: str) -> None:
    buffer = io.BytesIO()
    Image.new(mode, (12, 9), 77 if mode == "L" else (77, 77, 77)).save(buffer, kind)
    assert images.decode(buffer.getvalue()).shape == (9, 12, 3)
    assert abs(int(images.decode(buffer.getvalue(), "L").mean()) - 77) <= 2


def test_resizing_to_its_own_size_changes_nothing() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (30, 20, 3), np.uint8)
    assert images.resize(pixels, 30, 20) is pixels
    assert images.resize(pixels, 15, 10).shape == (15, 10, 3)


def test_pictures_side_by_side_are_one_picture_in_colour():
    grey, red = np.full((4, 6), 9, np.uint8), np.zeros((4, 6, 3), np.uint8)
    red[..., 0] = 200
    whole = images.grid([[grey, red], [red, grey]])
    assert whole.shape == (8, 12, 3)
    assert (whole[:4, :6] == 9).all()
    assert np.array_equal(whole[4:, :6], red)


@pytest.mark.parametrize(("colours", "bits"), [((0, 255), 8), (tuple(range(16)), 4)])
def test_a_bitmap_with_a_palette_of_greys_is_never_misread(
    colours: tuple[int, ...], bits: int
) -> None:
    palette = b"".join(bytes([grey, grey, grey, 0]) for grey in colours)
    begin = 54 + len(palette)
    header = b"BM" + struct.pack("<IHHI", begin + 64, 0, 0, begin)
    facts = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, bits, 0, 64, 0, 0, len(colours), 0)
    data = header + facts + palette + bytes([0, 1] * 32)
    for read in (images.decode, images.checked_size, masks.decode_mask):
        with pytest.raises(ImageFault, match=f"BMP of {bits} bits .* greys: save it as PNG"):
            read(data)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB"])
def test_other_bitmaps_are_read(mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    image = Image.fromarray(noise).convert(mode)
    buffer = io.BytesIO()
    image.save(buffer, "BMP")
    assert np.array_equal(images.decode(buffer.getvalue()), np.asarray(image.convert("RGB")))
