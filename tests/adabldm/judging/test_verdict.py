"""The judge tells a mask that lies from one that does not, whatever the ground."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from adabldm.core import trimap
from adabldm.core.picture_uri import read_defect_mask, read_picture
from adabldm.data import drawn_metal
from adabldm.data.opening import open_dataset
from adabldm.judging.limits import Limits
from adabldm.judging.verdict import Judge, judge, score
from adabldm.placement import transform
from adabldm.placement.pasting import paste

SIDE = 256


def real_pair(kind: str, number: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A drawn part's defect on the part without it: image, good picture, defect mask."""
    part = drawn_metal.draw_part(number, SIDE, kind)
    return part.image, drawn_metal.draw_part(number, SIDE).image, part.mask > 0


def a_third(image: np.ndarray, source: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """``image`` with the defect in a third of its mask, along its longer side."""
    places = np.nonzero(asked)
    along = int(np.ptp(places[1]) >= np.ptp(places[0]))
    within = np.indices(asked.shape)[along] <= np.quantile(places[along], 1 / 3)
    return np.where(within[..., None], image, source)


@pytest.mark.parametrize("kind", drawn_metal.DEFECTS)
@pytest.mark.parametrize("number", range(3))
def test_a_defect_is_accepted_nothing_and_a_third_of_it_are_not(kind, number):
    image, source, asked = real_pair(kind, number)
    judged = Judge(source, trimap.compose(asked))
    whole, third, nothing = (
        judged(one) for one in (image, a_third(image, source, asked), source.copy())
    )
    assert whole.reason is None
    assert whole.figures["coverage"] > 0.7
    assert third.reason is not None
    assert nothing.reason is not None
    assert nothing.figures["coverage"] == nothing.figures["agreement"] == 0
    assert not nothing.refined.any()
    assert whole.score > third.score > nothing.score


@pytest.mark.parametrize("name", ["mt_dev", "sd_strip_steel"])
@pytest.mark.shared
@pytest.mark.slow
def test_real_defects_pasted_on_a_good_picture_are_accepted_and_a_third_of_them_is_not(
    shared, name
):
    (folder,) = open_dataset(str(shared / "data" / name), tell=lambda _: None)
    accepted, thirds = [], []
    for number, item in enumerate(folder.defects[:: max(1, len(folder.defects) // 10)]):
        defective = read_picture(item.image)
        mask = read_defect_mask(item.mask, item.mask_rule)
        source = read_picture(folder.good[number])
        rng = np.random.default_rng(number)
        try:
            where = transform.place(rng, mask, np.full(source.shape[:2], 255, np.uint8))
            image, asked = paste(where, source, defective, mask)
        except transform.PlacementFault:
            continue
        if asked.any() and (asked > 0).sum() >= 100:
            judged = Judge(source, trimap.compose(asked))
            accepted.append(judged(image).reason is None)
            thirds.append(judged(a_third(image, source, asked > 0)).reason is None)
    assert len(accepted) >= 5
    assert np.mean(accepted) >= 0.85
    assert np.mean(thirds) <= 0.15


def test_a_defect_that_touches_every_border_has_a_verdict():
    source = drawn_metal.draw_part(0, 64).image
    marks = np.full((64, 64), trimap.DEFECT, np.uint8)
    good = judge(np.zeros_like(source), source, marks)
    assert good.figures["coverage"] > 0.9
    assert judge(source, source, marks).reason is not None
    frame = marks.copy()
    frame[2:-2, 2:-2] = trimap.OBJECT
    assert judge(np.where(frame[..., None] == 255, 0, source), source, frame).refined.any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (9, 9), (40, 300)])
def test_a_picture_of_any_size_is_judged(shape):
    source = np.full((*shape, 3), 120, np.uint8)
    marks = np.full(shape, trimap.DEFECT, np.uint8)
    assert judge(source - 60, source, marks).reason is None
    assert judge(source, source, marks).reason is not None


def test_a_trimap_without_a_defect_is_refused():
    with pytest.raises(trimap.TrimapFault, match="no pixel is 255"):
        Judge(np.zeros((8, 8, 3), np.uint8), np.full((8, 8), 127, np.uint8))


def test_the_refined_mask_is_what_changed_and_never_outside_the_asked_one():
    image, source, asked = real_pair("blowhole")
    half = a_third(image, source, asked)
    refined = judge(half, source, trimap.compose(asked)).refined
    assert refined.dtype == np.uint8
    assert set(np.unique(refined)) <= {0, 255}
    assert not refined[~asked].any()
    assert 0 < (refined > 0).sum() < 0.5 * asked.sum()


def test_a_reason_is_one_line_with_figure_and_limit():
    _, source, asked = real_pair("scratch")
    reason = judge(source, source, trimap.compose(asked)).reason
    assert reason is not None
    assert reason.startswith("coverage 0 is below 0.5; agreement 0 is below 0.5")
    assert "\n" not in reason


def test_limits_that_nothing_meets_give_a_reason_and_limits_that_are_off_none():
    image, source, asked = real_pair("blowhole")
    marks = trimap.compose(asked)
    hard = Limits(seam=1e-9, defect_change=1e-9)
    assert "defect_change" in str(judge(image, source, marks, hard).reason)
    off = Limits(coverage=0, agreement=0, cl_dice=0)
    assert judge(source, source, marks, off).reason is None


def test_an_absurd_contrast_and_a_cut_out_do_not_win_by_filling_their_mask():
    source = drawn_metal.draw_part(0, SIDE).image
    asked = np.zeros((SIDE, SIDE), bool)
    asked[100:150, 90:160] = True
    natural = source.astype(int)
    natural[104:146, 94:156] -= 40
    natural = np.clip(natural, 0, 255).astype(np.uint8)
    absurd = np.where(asked[..., None], np.where(source > 127, 0, 255), source).astype(np.uint8)
    for limits in (Limits(), Limits(seam=math.inf, defect_change=math.inf)):
        judged = Judge(source, trimap.compose(asked), limits)
        assert judged(natural).score > judged(absurd).score
    assert Judge(source, trimap.compose(asked))(natural).reason is None


def test_a_seam_is_a_cut_along_the_mask_and_no_edge_of_the_thing_itself():
    source = np.full((96, 96, 3), 120, np.uint8)
    rows, cols = np.indices((96, 96)) - 48
    radius = np.hypot(rows, cols)
    asked = radius < 20
    cut = np.where(asked[..., None], 90, source).astype(np.uint8)
    depth = 30 * np.clip((20 - radius) / 6, 0, 1)
    soft = (source - depth[..., None]).astype(np.uint8)
    found = [
        judge(one, source, trimap.compose(asked)).figures["seam"] for one in (cut, soft, source)
    ]
    assert found[0] > 3
    assert found[1] < 1
    assert found[2] == 0


def test_the_score_is_led_by_how_the_mask_is_filled():
    full = {"coverage": 0.9, "agreement": 1.0, "seam": 2.0, "defect_change": 20.0}
    half = {"coverage": 0.6, "agreement": 0.6, "seam": 0.0, "defect_change": 30.0}
    assert score(full, Limits()) > score(half, Limits())
    thin = full | {"cl_dice": 0.3}
    assert score(thin, Limits()) < score(full, Limits())


def test_the_distance_to_real_defects_is_asked_of_a_crop_and_its_limit_rejects():
    image, source, asked = real_pair("blowhole")
    seen = []

    def distance(crop: np.ndarray, mask: np.ndarray) -> float:
        seen.append((crop.shape, mask.shape, set(np.unique(mask))))
        return 7.0

    marks = trimap.compose(asked)
    free = judge(image, source, marks, real=distance)
    bound = judge(image, source, marks, Limits(real_distance=5), real=distance)
    assert free.figures["real_distance"] == 7.0
    assert free.reason is None
    assert bound.reason == "real_distance 7 is above 5"
    assert bound.score < free.score
    assert all(crop == (*mask, 3) and values == {0, 255} for crop, mask, values in seen)


@pytest.mark.slow
def test_a_picture_of_48_megapixels_takes_no_more_memory_than_its_masks():
    source = np.zeros((6000, 8000, 3), np.uint8)
    marks = np.full((6000, 8000), trimap.OBJECT, np.uint8)
    for top, left in ((100, 100), (3000, 7000), (5900, 40)):
        marks[top : top + 60, left : left + 60] = trimap.DEFECT
    image = source.copy()
    image[marks == trimap.DEFECT] = 20
    tracemalloc.start()
    verdict = judge(image, source, marks)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert verdict.reason is None
    assert verdict.figures["background_psnr_db"] == 100
    assert peak < 200e6  # a whole-picture array of floats takes 192e6 a channel
