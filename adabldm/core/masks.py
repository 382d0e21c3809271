"""Masks as people store them: which pixels are meant, or one fault that says why nobody can know.

A mask is a black picture with the marked pixels in another value; what is not so is read as it is
meant where that can be told (soft edges of a JPEG or an enlargement, alpha as the mask), with a
note, and refused by name where it cannot (several classes, a mask of most of the picture). A
:class:`MaskRule` says what is meant instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from adabldm.core import images, mask_levels, pixel_kinds
from adabldm.core.images import ImageFault
from adabldm.core.mask_levels import MaskFault, Note
from adabldm.core.mask_rule import AUTO, MaskRule

__all__ = ["AUTO", "Mask", "MaskFault", "MaskRule", "Note", "decode_defect", "decode_mask"]

MOST_SHARE = 0.5
"""A mask of more than this share of its picture is taken for one that is the wrong way round."""

MIDDLE = 128
LEAST_VIVID = 64
"""A colour whose channels differ by more is no grey."""

OTHER_COLOUR = 96
"""Colours as bright as can be that differ by more in a channel are two."""

FEW = 0.01


@dataclass(frozen=True)
class Mask:
    """``pixels`` uint8 (H, W) of 0 / 255, ``notes`` of what had to be decided, and the ``number``
    that the marked pixels have in the file, if they and the others have one each."""

    pixels: np.ndarray
    notes: tuple[Note, ...] = ()
    number: float | None = None


def decode_mask(data: bytes, rule: MaskRule = AUTO) -> Mask:
    """The marked pixels of the mask whose file is ``data``, upright.

    Raises :class:`~adabldm.core.images.ImageFault` for what is no picture, and its kind
    :class:`MaskFault` for a picture from which nobody can tell what is marked.
    """
    with images.opened(data) as image:
        try:
            values, alpha = _values(image), pixel_kinds.alpha_of(image)
        except images.BROKEN as error:
            if isinstance(error, ImageFault):
                raise
            raise ImageFault(f"the picture's data is broken: {error}") from error
    marked, notes = _marked(values, alpha, rule)
    number = float(values.max()) if len(np.unique(values)) == 2 else None
    return Mask(np.where(marked, 255, 0).astype(np.uint8), notes, number)


def decode_defect(data: bytes, rule: MaskRule = AUTO) -> Mask:
    """:func:`decode_mask` of a defect: it marks some pixels, not all, and unless a rule was said
    not most of them."""
    mask = decode_mask(data, rule)
    share = float(np.count_nonzero(mask.pixels)) / mask.pixels.size
    if not share:
        raise MaskFault("mask-empty", "marks no pixel" + _said(rule))
    if share == 1:
        raise MaskFault("mask-full", "marks every pixel" + _said(rule))
    if rule.kind == "auto" and share > MOST_SHARE:
        raise MaskFault(
            "mask-polarity",
            f"marks {100 * share:.3g} % of the picture: is it the wrong way round? "
            "`--mask-rule dark` takes the dark pixels, `bright` says that it is meant so",
        )
    return mask


def _said(rule: MaskRule) -> str:
    return "" if rule.kind == "auto" else f" by the rule {rule}"


def _values(image: Image.Image) -> np.ndarray:
    """A loaded mask's numbers, (H, W): grey values, a coloured palette's numbers, or of colours the
    brightest channel."""
    if image.mode in ("P", "PA"):
        numbers = np.asarray(image.convert("P") if image.mode == "PA" else image)
        palette = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        used = np.unique(numbers)
        if used.max() >= len(palette):
            raise ImageFault("the picture's data is broken: a colour is not in its palette")
        grey = (palette[used] == palette[used][:, :1]).all()
        return palette[numbers][..., 0] if grey else numbers
    if image.mode in pixel_kinds.SIXTEEN_BITS or image.mode == "F":
        values = np.asarray(image)
        if not np.isfinite(values).all():
            raise MaskFault("mask-levels", "has numbers that are not finite")
        return values
    if image.mode in ("1", "L", "LA", "La"):
        return np.asarray(image.convert("RGBA" if "a" in image.mode else "LA"))[..., 0]
    if image.mode in ("RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"):
        return _of_colours(np.asarray(image.convert("RGB")), pixel_kinds.alpha_of(image))
    raise MaskFault(
        "pixel-kind", f"has pixels of kind {image.mode!r}, must be grey, a palette or RGB"
    )


def _of_colours(pixels: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    brightest = pixels.max(axis=2)
    vivid = (brightest - pixels.min(axis=2) > LEAST_VIVID) & (brightest >= MIDDLE)
    seen = np.ones(vivid.shape, bool) if alpha is None else alpha >= MIDDLE
    if alpha is None or seen.all():
        light_greys = int(np.count_nonzero((brightest >= MIDDLE) & ~vivid))
        _refuse_several_colours(pixels[vivid], light_greys)
    return brightest


def _refuse_several_colours(vivid: np.ndarray, light_greys: int) -> None:
    """``vivid`` (N, 3) are a mask's coloured pixels, beside its grey or white ones."""
    if not len(vivid):
        return
    pure = (vivid * (255 / vivid.max(axis=1, keepdims=True))).round().astype(np.int16)
    kinds, counts = np.unique(pure // 16, axis=0, return_counts=True)
    main = kinds[counts.argmax()] * 16 + 8
    other = np.abs(pure - main).max(axis=1) > OTHER_COLOUR
    strangers = int(np.count_nonzero(other)) + light_greys
    if strangers > FEW * (len(vivid) + light_greys):
        raise MaskFault(
            "mask-classes",
            f"has several colours ({len(vivid) - int(np.count_nonzero(other))} pixels of one, "
            f"{strangers} of others): which is the defect? save one mask a type, on black",
        )


def _marked(
    values: np.ndarray, alpha: np.ndarray | None, rule: MaskRule
) -> tuple[np.ndarray, tuple[Note, ...]]:
    if rule.kind in ("alpha", "transparent"):
        if alpha is None:
            raise MaskFault("mask-alpha", f"has no alpha channel, which the rule {rule} takes")
        opaque = alpha >= MIDDLE
        return (opaque if rule.kind == "alpha" else ~opaque), ()
    if rule.kind == "nonzero":
        return values != 0, ()
    if rule.kind == "value":
        return _of_value(values, rule), ()
    if rule.kind in ("bright", "dark"):
        bright = values > mask_levels.middle(values)
        return (bright if rule.kind == "bright" else ~bright), ()
    return _found(values, alpha)


def _of_value(values: np.ndarray, rule: MaskRule) -> np.ndarray:
    marked: np.ndarray = np.isin(values, rule.values)
    if not marked.any():
        known = mask_levels.listed(values)
        raise MaskFault("mask-empty", f"marks no pixel by the rule {rule} (it has {known})")
    return marked


def _found(values: np.ndarray, alpha: np.ndarray | None) -> tuple[np.ndarray, tuple[Note, ...]]:
    """What is marked where no rule was said: alpha where only that varies."""
    if alpha is None or alpha.min() >= MIDDLE:
        return mask_levels.marked(values)
    opaque = alpha >= MIDDLE
    if not opaque.any():
        raise MaskFault(
            "mask-alpha",
            "is transparent everywhere; `--mask-rule nonzero` takes its colours instead",
        )
    try:
        by_colour: np.ndarray | None = mask_levels.marked(values)[0]
    except MaskFault:  # a picture under the alpha channel
        by_colour = None
    note = Note("mask-alpha", "its alpha channel was taken as the mask")
    if by_colour is None or by_colour.all() or not by_colour.any():
        return opaque, (note,)
    if (by_colour == opaque).mean() > 1 - FEW * opaque.mean():
        return opaque, (note,)
    if np.unique(values).size > mask_levels.FEW_LEVELS:
        return opaque, (note,)
    raise MaskFault(
        "mask-alpha",
        "its colours mark other pixels than its alpha channel; `--mask-rule alpha` or `nonzero` "
        "says which is meant",
    )
