"""How an object lies in its picture: turned and moved from how it lies in another.

An object's outline, turned and shifted, is laid over what is seen of another of its kind; all
shifts of a turn are compared at once, by correlation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import fft
from scipy.ndimage import binary_dilation, center_of_mass

SIDE = 128
"""Objects are laid over each other in pictures with no side longer than this, in pixels."""

CANVAS = 2 * SIDE

ANGLES, FINE_ANGLES = 36, 11
"""Turns that are tried, and around the best of these."""

SLACK = 2
"""Pixels around a defect that say nothing: its marking ends somewhere there."""


@dataclass(frozen=True)
class Pose:
    """``turn`` in degrees, then ``shift`` (rows, columns), of a template's canvas over a small
    picture of ``size`` (height, width); ``agreement`` is the intersection over union of the two
    objects where no defect hides it, a pixel beside the other's outline being part of both."""

    turn: float
    shift: tuple[int, int]
    size: tuple[int, int]
    agreement: float

    def lay(self, canvas: np.ndarray) -> np.ndarray:
        """What is drawn on a template's canvas, float (C, C), over the small picture (h, w)."""
        turned = _turn(Image.fromarray(canvas.astype(np.float32)), self.turn)
        laid: np.ndarray = np.roll(turned, self.shift, axis=(0, 1))
        return laid[: self.size[0], : self.size[1]]

    def on_canvas(self, row: float, column: float) -> tuple[float, float]:
        """The point of the template's canvas that is laid on the small picture's point."""
        rows, columns = np.indices((CANVAS, CANVAS), np.float32)
        at = (
            min(self.size[0] - 1, max(0, round(row))),
            min(self.size[1] - 1, max(0, round(column))),
        )
        return float(self.lay(rows)[at]), float(self.lay(columns)[at])


class Template:
    """An object, bool (H, W), that is laid over others: centred on a canvas of its own."""

    def __init__(self, mask: np.ndarray) -> None:
        small = shrunk(mask, *small_size(*mask.shape))
        canvas = np.zeros((CANVAS, CANVAS), np.uint8)
        canvas[: small.shape[0], : small.shape[1]] = small * np.uint8(255)
        middle = center_of_mass(canvas) if canvas.any() else (SIDE, SIDE)
        centred = np.roll(canvas, [round(SIDE - one) for one in middle], axis=(0, 1))
        self.canvas: np.ndarray = centred > 0
        """The object on its canvas, bool (C, C)."""
        self._picture = Image.fromarray(centred.astype(np.float32) / 255)
        self._turns = np.arange(ANGLES) * (360 / ANGLES)
        self._spectra = self._turned(self._turns)

    def pose(self, seen: np.ndarray, hidden: np.ndarray | None = None) -> Pose:
        """How the object must be laid to agree best with what is ``seen`` of another, bool (H, W);
        where something is ``hidden``, bool (H, W), by a defect, nothing is compared."""
        size = small_size(*seen.shape)
        other = shrunk(seen, *size)
        known = np.ones(size, bool)
        if hidden is not None:
            known = ~binary_dilation(shrunk(hidden, *size), iterations=SLACK)
        signed = np.zeros((CANVAS, CANVAS), np.float32)
        signed[: size[0], : size[1]] = np.where(known, np.where(other, 1, -1), 0)
        spectrum = fft.rfft2(signed)
        turn, _ = _best(spectrum, self._spectra, self._turns)
        step = 360 / ANGLES
        fine = turn + np.linspace(-step, step, FINE_ANGLES)
        turn, shift = _best(spectrum, self._turned(fine), fine)
        found = Pose(turn, shift, size, 0.0)
        laid = found.lay(self.canvas) > 0.5
        stray = (laid & ~binary_dilation(other)) | (other & ~binary_dilation(laid))
        shared = int(np.count_nonzero(laid & other & known))
        apart = int(np.count_nonzero(stray & known))
        return Pose(turn, shift, size, shared / max(1, shared + apart))

    def _turned(self, angles: np.ndarray) -> np.ndarray:
        turned = np.stack([_turn(self._picture, angle) for angle in angles])
        found: np.ndarray = fft.rfft2(turned)
        return found


def small_size(height: int, width: int) -> tuple[int, int]:
    """A picture's height and width with the longer side :data:`SIDE`."""
    longer = max(height, width)
    return max(1, round(SIDE * height / longer)), max(1, round(SIDE * width / longer))


def shrunk(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (H, W) to bool (height, width)."""
    pixels = Image.fromarray(mask.astype(np.uint8) * 255)
    share = np.asarray(pixels.resize((width, height), Image.Resampling.BOX))
    small: np.ndarray = share > 127
    return small


def _turn(picture: Image.Image, angle: float) -> np.ndarray:
    return np.asarray(picture.rotate(float(angle), Image.Resampling.BILINEAR))


def _best(
    spectrum: np.ndarray, spectra: np.ndarray, angles: np.ndarray
) -> tuple[float, tuple[int, int]]:
    """The turn and the shift at which an object, of which there are ``spectra`` turned by
    ``angles``, agrees best."""
    agreement = fft.irfft2(spectrum * spectra.conj(), s=(CANVAS, CANVAS))
    which, row, column = np.unravel_index(int(np.argmax(agreement)), agreement.shape)
    return float(angles[which]), (int(row), int(column))
