"""Places are likely where the real defects' own are told from others, and alike where not."""

from __future__ import annotations

import numpy as np
import pytest

from adabldm.planning.place_likeness import PlaceLikeness, Site
from adabldm.planning.place_map import ANYWHERE, PlaceMap
from adabldm.planning.surroundings import DIMENSIONS, RINGS, Frame

FIGURES = len(RINGS) * (DIMENSIONS + 1)
FRAME = Frame(mean=np.zeros(DIMENSIONS), directions=np.eye(DIMENSIONS))


def sites(count: int, *, apart: float, specimens: int | None = None, seed: int = 0) -> list[Site]:
    """Real places whose first figure is ``apart`` from that of the others."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        real = rng.normal(size=FIGURES)
        real[:: DIMENSIONS + 1] += apart
        found.append(
            Site(
                defect="pit",
                group=str(number % (specimens or count)),
                real=real,
                others=rng.normal(size=(8, FIGURES)),
                reach=1,
            )
        )
    return found


def learned(some: list[Site]) -> PlaceLikeness:
    places = [np.random.default_rng(9).normal(size=(200, FIGURES))]
    return PlaceLikeness.learned(FRAME, ["dent", "pit"], some, places)


def halves() -> np.ndarray:
    seen = np.random.default_rng(3).normal(0, 0.3, (40, 40, DIMENSIONS)).astype(np.float32)
    seen[:, 20:, 0] += 3
    return seen


def test_places_like_the_real_ones_are_likelier() -> None:
    found = learned(sites(8, apart=3))
    assert found.telling == ["pit"]
    none, pit = found.maps(halves(), np.ones((40, 40)))
    assert np.array_equal(none, np.ones((40, 40)))
    assert pit[:, 25:].mean() > 5 * pit[:, :15].mean()
    assert pit.min() >= ANYWHERE
    assert pit.mean() == pytest.approx(1, abs=0.01)


def test_likeliness_is_over_the_mean_place_of_the_object() -> None:
    share = np.zeros((40, 40))
    share[5:35, 5:35] = 1
    _, pit = learned(sites(8, apart=3)).maps(halves(), share)
    assert pit[5:35, 5:35].mean() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("seed", range(6))
def test_places_that_tell_nothing_leave_all_nearly_alike(seed: int) -> None:
    found = learned(sites(10, apart=0, seed=seed))
    _, pit = found.maps(halves(), np.ones((40, 40)))
    assert found.sharpness[1] <= 0.25
    assert 0.2 < pit.min() <= pit.max() < 3


@pytest.mark.parametrize(("count", "specimens"), [(2, 2), (9, 2), (9, 1), (0, 1)])
def test_too_few_specimens_leave_all_places_alike(count: int, specimens: int) -> None:
    found = learned(sites(count, apart=5, specimens=specimens))
    assert found.telling == []
    assert (found.maps(halves(), np.ones((40, 40))) == 1).all()


def test_a_defect_that_fits_nowhere_else_tells_nothing() -> None:
    large = [
        Site(defect="pit", group=str(n), real=s.real, others=s.others[:2], reach=9)
        for n, s in enumerate(sites(8, apart=5))
    ]
    assert learned(large).telling == []


def test_no_map_is_a_single_spot() -> None:
    seen = halves() * 0
    seen[20, 20, 0] = 1e4
    _, pit = learned(sites(8, apart=3)).maps(seen, np.ones((40, 40)))
    assert (pit >= 0.99 * pit.max()).mean() >= 0.02


def test_what_is_learned_comes_back_from_bytes_and_broken_ones_are_told() -> None:
    found = learned(sites(8, apart=3))
    again = PlaceLikeness.from_bytes(found.to_bytes())
    assert again is not None
    assert again.types == found.types
    assert np.array_equal(
        again.maps(halves(), np.ones((40, 40))), found.maps(halves(), np.ones((40, 40)))
    )
    for broken in (b"", b"PK", found.to_bytes()[:-30], PlaceMap.of(
        np.ones((1, 4, 4)), np.ones((4, 4))
    ).data):  # fmt: skip
        assert PlaceLikeness.from_bytes(broken) is None


def test_a_map_is_kept_to_within_a_few_percent() -> None:
    rng = np.random.default_rng(0)
    maps = np.exp(rng.normal(size=(2, 1, 1)) + np.zeros((2, 21, 17))) + ANYWHERE
    kept = PlaceMap.of(maps, np.ones((21, 17))).unpack(2)
    assert kept is not None
    assert kept.shape == (2, 11, 9)
    assert kept == pytest.approx(maps[:, ::2, ::2], rel=0.03)


def test_a_map_of_other_types_or_cut_short_is_none() -> None:
    data = PlaceMap.of(np.ones((2, 8, 8)), np.ones((8, 8))).data
    assert PlaceMap(data).unpack(3) is None
    assert PlaceMap(data[:-20]).unpack(2) is None
    assert PlaceMap(b"").unpack(2) is None
