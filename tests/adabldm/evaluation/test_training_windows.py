"""Training windows: the same way for every arm, at native scale, half of them around a defect."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from adabldm.evaluation.arms import Content
from adabldm.evaluation.training_windows import TrainingWindows


@dataclass(frozen=True)
class Fake:
    """A picture of one grey value, with a defect of another in a corner."""

    key: str
    value: int
    defect: str | None = None
    size: tuple[int, int] = (80, 100)

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        mask = np.zeros(self.size, bool)
        if self.defect:
            mask[-6:-2, -5:-1] = True
        return np.full((*self.size, 3), self.value, np.uint8), mask


GOOD = (Fake("a", 100), Fake("b", 100))
FEW = (Fake("c", 140, "crack"), Fake("d", 140, "hole"))
MADE = tuple(Fake(f"m{i}", 200, "crack") for i in range(50))
COUNT = 600


def drawn(*groups: tuple[Fake, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    windows = TrainingWindows(Content(good=GOOD, groups=groups), size=32, seed=1)
    return [windows.mixed(index) for index in range(COUNT)]


def test_a_window_is_a_function_of_content_seed_and_index() -> None:
    content = Content(good=GOOD, groups=(FEW,))
    first, again = (TrainingWindows(content, size=32, seed=5) for _ in range(2))
    backwards = [again.mixed(index) for index in reversed(range(20))][::-1]
    for index, (image, mask) in enumerate(backwards):
        assert np.array_equal(first.mixed(index)[0], image)
        assert np.array_equal(first.mixed(index)[1], mask)
    other = TrainingWindows(content, size=32, seed=6)
    assert any(not np.array_equal(other.mixed(i)[0], backwards[i][0]) for i in range(20))


def test_half_of_them_show_a_defect_whatever_its_place() -> None:
    shown = np.mean([mask.any() for _, mask in drawn(FEW)])
    assert 0.45 < shown < 0.65  # some of those that lie anywhere show one too


def test_the_mask_is_where_the_defective_picture_is() -> None:
    for image, mask in drawn(FEW):
        assert image.shape == (32, 32, 3)
        assert mask.shape == (32, 32)
        if mask.any():
            assert mask.sum() == 16 or mask.sum() > 0
            assert image.mean() > 115  # 140 less the gain


def test_two_real_pictures_count_as_much_as_fifty_made_ones() -> None:
    flawed = [image for image, mask in drawn(FEW, MADE) if mask.any()]
    made = np.mean([image.mean() > 165 for image in flawed])
    assert 0.4 < made < 0.6


def test_without_defects_all_windows_are_good() -> None:
    assert not any(mask.any() for _, mask in drawn())


def test_a_picture_that_is_smaller_than_a_window_is_mirrored() -> None:
    small = (Fake("s", 140, "crack", (20, 25)),)
    windows = TrainingWindows(Content(good=small, groups=(small,)), size=32, seed=0)
    image, mask = windows.mixed(0)
    assert image.shape == (32, 32, 3)
    assert mask.shape == (32, 32)
    assert windows.good(0).shape == (32, 32, 3)


@pytest.mark.parametrize("size", [32, 64])
def test_windows_are_at_the_pictures_own_scale(size: int) -> None:
    windows = TrainingWindows(Content(good=GOOD, groups=(FEW,)), size=size, seed=0)
    whole = [mask.sum() for _, mask in map(windows.mixed, range(100)) if mask.any()]
    assert max(whole) == 16  # the defect's own pixels, neither shrunk nor enlarged
