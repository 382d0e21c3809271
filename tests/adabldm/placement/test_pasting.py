"""Pasting a real defect: inside the object, nothing else changed, seams as asked."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.placement import pasting, transform

SEAMS = ("hard", "soft", "membrane")
SIZE = 96


def flat(tone: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), tone, np.uint8)


def defective(ground: int, tone: int) -> tuple[np.ndarray, np.ndarray]:
    """A block that has no symmetry, in ``tone`` on ``ground``, and its mask."""
    image, mask = flat(ground), np.zeros((SIZE, SIZE), np.uint8)
    mask[30:44, 40:70] = 255
    mask[44:60, 40:50] = 255
    image[mask > 0] = tone
    return image, mask


@pytest.mark.parametrize("seam", SEAMS)
@pytest.mark.parametrize("seed", range(6))
def test_nothing_outside_the_mask_is_touched_and_the_mask_stays_inside(seam, seed) -> None:
    image, mask = defective(120, 40)
    allowed = np.zeros((SIZE, SIZE), np.uint8)
    allowed[10:90, 12:88] = 1
    good = np.random.default_rng(9).integers(90, 160, (SIZE, SIZE, 3), np.uint8)
    where = transform.place(np.random.default_rng(seed), mask, allowed)
    pasted, placed = pasting.paste(where, good, image, mask, seam=seam)
    assert (placed[allowed == 0] == 0).all()
    np.testing.assert_array_equal(pasted[placed == 0], good[placed == 0])


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 200.0])
@pytest.mark.parametrize("scale", [0.85, 1.0, 1.15])
def test_a_hard_paste_brings_the_defects_own_pixels_under_its_mask(angle, scale) -> None:
    image, mask = defective(120, 40)
    where = transform.Placement(angle=angle, scale=scale, top=20, left=24)
    pasted, placed = pasting.paste(where, flat(200), image, mask, seam="hard")
    under = pasted[placed > 0][:, 0]
    # Pixels on the outline are mixed with the defect's own surroundings by the turn.
    assert (under < 60).mean() > 0.75
    assert under.max() <= 120


@pytest.mark.parametrize("seam", ["soft", "membrane"])
def test_a_defect_keeps_its_contrast_to_a_ground_of_another_tone(seam) -> None:
    image, mask = defective(120, 40)
    where = transform.Placement(angle=0.0, scale=1.0, top=20, left=24)
    pasted, placed = pasting.paste(where, flat(200), image, mask, seam=seam)
    middle = pasted[27, 40]
    assert placed[27, 40] == 255
    assert abs(int(middle[0]) - 120) <= 4


def test_the_membrane_follows_a_shaded_ground_where_one_tone_cannot() -> None:
    image, mask = defective(120, 120)
    shaded = np.broadcast_to(np.linspace(60, 220, SIZE)[None, :, None], (SIZE, SIZE, 3))
    good = shaded.astype(np.uint8)
    where = transform.Placement(angle=0.0, scale=1.0, top=20, left=24)

    def error(seam: pasting.Seam) -> float:
        pasted, placed = pasting.paste(where, good, image, mask, seam=seam)
        return float(np.abs(pasted.astype(int) - good)[placed > 0].mean())

    assert error("membrane") < 0.5 * error("soft") < error("hard")


def test_an_unknown_seam_is_refused_by_name() -> None:
    image, mask = defective(120, 40)
    where = transform.Placement(angle=0.0, scale=1.0, top=20, left=24)
    with pytest.raises(ValueError, match="seam: 'feather'"):
        pasting.paste(where, flat(9), image, mask, seam="feather")  # type: ignore[arg-type]
