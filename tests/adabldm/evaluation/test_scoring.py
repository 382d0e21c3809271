"""Every figure is what an implementation that holds all pixels gives, whatever the scores are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pyaupro import PerRegionOverlap, auc_compute
from torchmetrics.functional.classification import binary_auroc, binary_average_precision

from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault
from adabldm.evaluation import scoring
from adabldm.evaluation.figures import Figures
from adabldm.evaluation.levels import MOST_CUTS
from adabldm.evaluation.tested import TestPicture, open_test_side
from tests.support.detections import Change, Detected, draw, lay_out, plain_figures

COUNTS = {"good": 9, "crack": 7, "hole": 5}
ODD: dict[str, Change | None] = {
    "as drawn": None,
    "in 1e-6..2e-6": lambda s: (1e-6 + 1e-6 / (1 + np.exp(-s))).astype(np.float32),
    "negative": lambda s: -np.exp(-s),
    "saturated just below 1, float64": lambda s: 1 - 1e-13 * np.exp(-s.astype(np.float64)),
    "of both signs and every size": lambda s: np.sinh(s.astype(np.float64) * 200),
    "heavily tied": lambda s: np.round(s * 2),
    "two values": lambda s: (s > 0.5).astype(np.float32),
    "whole numbers of 16 bits": lambda s: np.clip(s * 9000 + 20000, 0, 65535).round(),
    "one value": lambda s: np.zeros_like(s),
}

TIMES_CUTS = 25
"""What the bound of the error is at most, times the number of cuts."""


def score(
    tmp_path: Path, drawn: Sequence[Detected], most_cuts: int = MOST_CUTS
) -> scoring.Evaluation:
    by_name = {one.name: one.scores for one in drawn}
    side = open_test_side(str(lay_out(tmp_path / "data", drawn)))

    def read(picture: TestPicture) -> np.ndarray:
        return by_name[picture.image.partition("/test/")[2].removesuffix(".png")]

    return scoring.evaluate(side.pictures, read, most_cuts=most_cuts)


def close(found: Figures, plain: dict[str, float], tolerance: float) -> None:
    got = found.as_dict()
    assert {name: got[name] for name in plain} == pytest.approx(plain, abs=tolerance)


@pytest.mark.parametrize("kind", ODD)
def test_all_figures_in_all_and_by_type_are_exact_for_scores_of_any_range(
    kind: str, tmp_path: Path
) -> None:
    drawn = draw(COUNTS, change=ODD[kind])
    found = score(tmp_path, drawn)
    # pyaupro's curve is in float32
    close(found.in_all, plain_figures(drawn), 1e-6)
    assert found.in_all.largest_error == 0
    (types,) = found.by_type.values()
    assert set(types) == {"crack", "hole"}
    for defect, figures in types.items():
        close(figures, plain_figures([d for d in drawn if d.kind in ("good", defect)]), 1e-6)
        assert figures.good_pictures == COUNTS["good"]
        assert figures.defective_pictures == COUNTS[defect]


def test_torchmetrics_and_pyaupro_agree(tmp_path: Path) -> None:
    drawn = draw(COUNTS, seed=3)
    found = score(tmp_path, drawn).in_all
    scores = torch.from_numpy(np.stack([one.scores for one in drawn]))
    truth = torch.from_numpy(np.stack([one.mask for one in drawn]).astype(np.int64))
    ranks = torch.unique(scores, return_inverse=True)[1].double() / scores.numel()
    assert found.pixel_auroc == pytest.approx(float(binary_auroc(ranks, truth)), abs=1e-6)
    ap = float(binary_average_precision(ranks, truth))
    assert found.pixel_ap == pytest.approx(ap, abs=1e-6)
    curve = PerRegionOverlap()
    curve.update(scores, truth)
    area = float(auc_compute(*curve.compute(), limit=0.3, descending=False))
    assert found.aupro == pytest.approx(area, abs=1e-4)


@pytest.mark.parametrize("most_cuts", [40, 200, 1000])
@pytest.mark.parametrize("kind", ["as drawn", "in 1e-6..2e-6", "heavily tied"])
def test_with_fewer_cuts_than_defective_pixels_the_error_is_within_the_bound_that_is_told(
    most_cuts: int, kind: str, tmp_path: Path
) -> None:
    drawn = draw(COUNTS, seed=1, change=ODD[kind])
    found = score(tmp_path, drawn, most_cuts)
    close(found.in_all, plain_figures(drawn), found.in_all.largest_error + 1e-6)
    assert found.in_all.largest_error < TIMES_CUTS / most_cuts
    iap = plain_figures(drawn)["iap"]
    assert found.in_all.iap == pytest.approx(iap, abs=1e-9)


def test_the_bound_falls_as_the_cuts_grow_to_below_a_ten_thousandth_of_all_that_are_kept(
    tmp_path: Path,
) -> None:
    assert TIMES_CUTS / MOST_CUTS < 1e-4
    drawn = draw({"good": 20, "crack": 60}, strength=0.3)
    defective = sum(int(one.mask.sum()) for one in drawn)
    for part in (4, 16):
        found = score(tmp_path, drawn, defective // part)
        assert 0 < found.in_all.largest_error < TIMES_CUTS * part / defective
        close(found.in_all, plain_figures(drawn), found.in_all.largest_error)


def test_a_picture_of_two_types_counts_once_in_all_and_neither_type_is_the_others_false_alarm(
    tmp_path: Path,
) -> None:
    drawn = draw({"good": 3, "crack": 4, "hole": 3})
    side = open_test_side(str(lay_out(tmp_path / "data", drawn)))
    both = next(picture for picture in side.pictures if picture.defects)
    other = DefectImage(
        defect="hole", image=both.image, mask=next(
            p.defects[0].mask for p in side.pictures if "/hole/" in p.image
        ),
    )  # fmt: skip
    pictures = [replace(both, defects=(*both.defects, other)), *side.pictures]
    pictures.remove(both)
    by_name = {one.name: one for one in drawn}

    def of(picture: TestPicture) -> Detected:
        return by_name[picture.image.partition("/test/")[2].removesuffix(".png")]

    found = scoring.evaluate(pictures, lambda picture: of(picture).scores)
    second = next(one.mask for one in drawn if one.kind == "hole")
    joined = [replace(one, mask=one.mask | second) if one == of(both) else one for one in drawn]
    close(found.in_all, plain_figures(joined), 1e-6)
    (types,) = found.by_type.values()
    assert types["crack"].pixels == sum(
        one.mask.size for one in drawn if one.kind in ("good", "crack")
    ) - np.count_nonzero(second & ~of(both).mask)
    assert types["hole"].defective_pictures == 4


def test_several_objects_are_averaged_as_the_field_does(tmp_path: Path) -> None:
    sets = {name: draw({"good": 4, "crack": 3}, seed=seed) for seed, name in enumerate("ab")}
    for name, drawn in sets.items():
        lay_out(tmp_path / "data" / name, drawn)
    by_name = {f"{name}/{one.name}": one.scores for name in sets for one in sets[name]}

    def read(picture: TestPicture) -> np.ndarray:
        folder, _, name = picture.image.removesuffix(".png").rpartition("/test/")
        return by_name[f"{folder[-1]}/{name}"]

    found = scoring.evaluate(open_test_side(str(tmp_path / "data")).pictures, read)
    plain = [plain_figures(drawn) for drawn in sets.values()]
    for figures, one in zip(found.by_object.values(), plain, strict=True):
        close(figures, one, 1e-6)
    close(found.in_all, {n: (plain[0][n] + plain[1][n]) / 2 for n in plain[0]}, 1e-6)
    assert found.in_all.defective_pictures == 6


def test_without_good_pictures_the_figures_of_pictures_are_undefined_and_those_of_pixels_are_not(
    tmp_path: Path,
) -> None:
    found = score(tmp_path, draw({"crack": 4})).in_all
    assert found.image_auroc is None
    assert found.image_ap is None
    assert found.false_alarms_at_full_recall is None
    assert found.pixel_ap is not None


def test_a_mask_of_another_size_than_its_picture_is_named(tmp_path: Path) -> None:
    drawn = draw({"good": 2, "crack": 2})
    with pytest.raises(DatasetFault, match=r"crack/000_mask\.png: is 64 x 48, .* 60 x 48"):
        score(tmp_path, [replace(one, scores=one.scores[:, 4:]) for one in drawn])
