"""A mask is read as it is meant, with a note where something was decided, or refused by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from adabldm.core import masks
from adabldm.core.mask_rule import MaskRule
from adabldm.core.masks import MaskFault

HEIGHT, WIDTH = 120, 160
ROWS, COLS = np.mgrid[:HEIGHT, :WIDTH]
SHAPES = {
    "blob": (ROWS - 50) ** 2 + ((COLS - 70) / 1.6) ** 2 < 14**2,
    "line": (np.abs(ROWS - 20 - 0.5 * COLS) < 1) & (COLS > 20) & (COLS < 140),
    "dots": ((ROWS % 30 < 5) & (COLS % 40 < 5)),
}
RESAMPLING = Image.Resampling


def file(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def grey(values: np.ndarray) -> bytes:
    return file(Image.fromarray(values))


def read(data: bytes, rule: str = "auto") -> np.ndarray:
    return masks.decode_defect(data, MaskRule.parse(rule)).pixels > 0


def stored(truth: np.ndarray) -> dict[str, bytes]:
    """The same mask as tools write it, without loss."""
    black_white = Image.fromarray((truth * 255).astype(np.uint8))
    numbered = Image.fromarray(truth.astype(np.uint8))
    palette = Image.fromarray(truth.astype(np.uint8)).convert("P")
    palette.putpalette([0, 0, 0, 128, 0, 0])
    red = np.zeros((*truth.shape, 3), np.uint8)
    red[truth] = (255, 0, 0)
    white_alpha = np.dstack([np.full((*truth.shape, 3), 255, np.uint8), truth * np.uint8(255)])
    noise = np.random.default_rng(0).integers(0, 255, truth.shape, np.uint8)
    return {
        "grey": file(black_white),
        "bmp": file(black_white, "BMP"),
        "numbered 1": file(numbered),
        "1-bit": file(black_white.convert("1")),
        "fax tiff": file(black_white.convert("1"), "TIFF", compression="group4"),
        "16-bit": grey(truth.astype(np.uint16) * 65535),
        "16-bit numbered": grey(truth.astype(np.uint16)),
        "float": file(Image.fromarray(truth.astype(np.float32)), "TIFF"),
        "palette": file(palette),
        "red": file(Image.fromarray(red)),
        "webp": file(black_white.convert("RGB"), "WEBP", lossless=True),
        "white under alpha": grey(white_alpha),
        "picture under alpha": grey(np.dstack([noise, truth * np.uint8(255)])),
        "white in both": grey(np.dstack([truth * np.uint8(255)] * 4)),
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_is_the_same_whatever_its_file(shape: str) -> None:
    for name, data in stored(SHAPES[shape]).items():
        assert np.array_equal(read(data), SHAPES[shape]), name


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("quality", [30, 60, 75, 90, 95, 100])
def test_a_mask_that_was_a_jpeg_has_no_halo(shape: str, quality: int) -> None:
    data = file(Image.fromarray((SHAPES[shape] * 255).astype(np.uint8)), "JPEG", quality=quality)
    again = file(Image.open(io.BytesIO(data)))
    for found in (masks.decode_defect(data), masks.decode_defect(again)):
        assert np.array_equal(found.pixels > 0, SHAPES[shape])
        assert [note.kind for note in found.notes] == ["mask-soft"]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("way", [RESAMPLING.BILINEAR, RESAMPLING.BICUBIC, RESAMPLING.LANCZOS])
@pytest.mark.parametrize("factor", [1.3, 2, 3])
def test_an_enlarged_mask_keeps_its_area(shape: str, way: RESAMPLING, factor: float) -> None:
    size = round(WIDTH * factor), round(HEIGHT * factor)
    found = read(
        file(Image.fromarray((SHAPES[shape] * 255).astype(np.uint8)).resize(size, way))
    )  # fmt: skip
    assert found.mean() == pytest.approx(SHAPES[shape].mean(), rel=0.12)


def _two_classes(thin: bool) -> np.ndarray:
    numbers = SHAPES["blob"].astype(np.uint8)
    if thin:
        numbers[SHAPES["line"]] = 2
    else:
        numbers[100:115, 100:150] = 2
    return numbers


def _with_void() -> np.ndarray:
    wide = (ROWS - 50) ** 2 + ((COLS - 70) / 1.6) ** 2 < 17**2
    return np.where(SHAPES["blob"], 1, np.where(wide, 255, 0)).astype(np.uint8)


def _two_colours() -> np.ndarray:
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    colours[SHAPES["blob"]], colours[100:115, 100:150] = (255, 0, 0), (0, 200, 0)
    return colours


def _many_numbers() -> np.ndarray:
    numbers = np.zeros((HEIGHT, WIDTH), np.uint8)
    for number in range(20):
        row, col = divmod(number, 5)
        numbers[10 + 28 * row : 22 + 28 * row, 8 + 30 * col : 20 + 30 * col] = number + 1
    return numbers


def _heat() -> np.ndarray:
    return (255 * np.exp(-((ROWS - 60.0) ** 2 + (COLS - 80.0) ** 2) / 900)).astype(np.uint8)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (_two_classes(thin=False), "mask-classes"),
        (_two_classes(thin=True), "mask-classes"),
        (_with_void(), "mask-classes"),
        (_two_colours(), "mask-classes"),
        (_many_numbers(), "mask-levels"),
        (_heat(), "mask-levels"),
        (SHAPES["blob"].astype(np.uint8) + 1, "mask-classes"),
        (np.where(SHAPES["blob"], 0, 255).astype(np.uint8), "mask-polarity"),
        (np.zeros((HEIGHT, WIDTH), np.uint8), "mask-empty"),
        (np.full((HEIGHT, WIDTH), 255, np.uint8), "mask-full"),
        (np.dstack([SHAPES["blob"] * np.uint8(255), SHAPES["line"] * np.uint8(255)]), "mask-alpha"),
        (np.dstack([SHAPES["blob"] * np.uint8(255), np.zeros_like(_heat())]), "mask-alpha"),
        (np.dstack([_heat(), np.where(SHAPES["blob"], 0, 255).astype(np.uint8)]), "mask-polarity"),
    ],
)
def test_what_nobody_can_know_is_refused_by_kind(values: np.ndarray, kind: str) -> None:
    with pytest.raises(MaskFault) as caught:
        masks.decode_defect(grey(values))
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    ("values", "rule", "truth"),
    [
        (_two_classes(thin=False), "value:1", SHAPES["blob"]),
        (_two_classes(thin=True), "value:2", SHAPES["line"]),
        (_two_classes(thin=False), "value:1,2", _two_classes(thin=False) > 0),
        (_with_void(), "value:1", SHAPES["blob"]),
        (np.where(SHAPES["blob"], 0, 255).astype(np.uint8), "dark", SHAPES["blob"]),
        (np.where(SHAPES["blob"], 0, 255).astype(np.uint8), "bright", ~SHAPES["blob"]),
        (_heat(), "nonzero", _heat() > 0),
        (np.dstack([SHAPES["blob"] * np.uint8(255), SHAPES["line"] * np.uint8(255)]), "alpha",
         SHAPES["line"]),
        (np.dstack([_heat(), np.where(SHAPES["blob"], 0, 255).astype(np.uint8)]), "transparent",
         SHAPES["blob"]),
    ],
)  # fmt: skip
def test_a_rule_says_what_is_meant(values: np.ndarray, rule: str, truth: np.ndarray) -> None:
    assert np.array_equal(read(grey(values), rule), truth)
    assert str(MaskRule.parse(rule)) == rule


def test_a_value_that_the_mask_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(MaskFault, match=r"value:7.*0 .*1 .*2 "):
        read(grey(_two_classes(thin=False)), "value:7")


@pytest.mark.parametrize("text", ["", "value", "value:", "value:x", "value:0", "bright:1", "Auto"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be auto|1 to 65535"):
        MaskRule.parse(text)


def test_a_turned_mask_is_read_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = Image.fromarray(np.rot90(SHAPES["line"] * np.uint8(255)).copy())
    assert np.array_equal(read(file(stored, exif=exif)), SHAPES["line"])


@pytest.mark.parametrize(
    ("case", "share"), [("alpha_cutout", 2.2), ("alpha_white", 2.2), ("mask_was_jpeg", 2.2),
                        ("mask_upsampled", 2.2)]
)  # fmt: skip
def test_masks_that_work_brings_have_their_true_area(shared: Path, case: str, share: float) -> None:
    folder = shared / "cases" / case / "plate/ground_truth/hole"
    for path in sorted(folder.iterdir()):
        mask = masks.decode_defect(path.read_bytes())
        assert 1 < 100 * (mask.pixels > 0).mean() < share + 0.1
        assert len(mask.notes) == 1


@pytest.mark.parametrize(
    ("case", "kind"), [("mask_inverted", "mask-polarity"), ("multi_class", "mask-classes")]
)
def test_masks_that_work_brings_are_named(shared: Path, case: str, kind: str) -> None:
    folders = {"mask_inverted": "plate/ground_truth", "multi_class": "sheet/labels"}
    for path in sorted((shared / "cases" / case / folders[case]).rglob("*.png")):
        with pytest.raises(MaskFault) as caught:
            masks.decode_defect(path.read_bytes())
        assert caught.value.kind == kind


def test_every_real_mask_is_read_as_before(shared: Path) -> None:
    paths = [p for p in (shared / "data").rglob("ground_truth/**/*.png") if p.is_file()]
    for path in paths:
        with Image.open(path) as image:
            old = np.asarray(image.convert("L")) > 0
        found = masks.decode_defect(path.read_bytes())
        assert np.array_equal(found.pixels > 0, old), path
        assert not found.notes, path
