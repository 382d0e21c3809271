"""A drawn test side with a detector's score maps, and its figures computed plainly, all at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, label
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from adabldm.core.images import encode_png

SHAPE = (48, 64)


@dataclass(frozen=True)
class Detected:
    """A picture's name below ``test``, its mask, bool (H, W), and its scores, (H, W)."""

    name: str
    mask: np.ndarray
    scores: np.ndarray

    @property
    def kind(self) -> str:
        return self.name.partition("/")[0]


Change = Callable[[np.ndarray], np.ndarray]


def draw(
    counts: dict[str, int], *, seed: int = 0, strength: float = 1.0, change: Change | None = None
) -> list[Detected]:
    """So many pictures a type; the scores of a detector that sees defects more or less."""
    rng = np.random.default_rng(seed)
    drawn = []
    for kind, count in counts.items():
        for number in range(count):
            mask = np.zeros(SHAPE, bool)
            for _ in range(0 if kind == "good" else rng.integers(1, 4)):
                row, column = rng.integers(0, 40), rng.integers(0, 50)
                mask[row : row + rng.integers(1, 8), column : column + rng.integers(1, 14)] = True
            seen = mask * rng.uniform(0, 2 * strength) + rng.normal(size=SHAPE)
            scores = gaussian_filter(seen, 1).astype(np.float32)
            drawn.append(
                Detected(f"{kind}/{number:03d}", mask, change(scores) if change else scores)
            )
    return drawn


def lay_out(root: Path, drawn: Sequence[Detected]) -> Path:
    """The data set's folder, in MVTec AD layout."""
    rng = np.random.default_rng(7)
    pictures = {"train/good/000.png": None} | {f"test/{one.name}.png": one for one in drawn}
    for name, one in pictures.items():
        shape = SHAPE if one is None else one.mask.shape
        _write(root / name, encode_png(rng.integers(60, 200, shape, np.uint8)))
        if one is not None and one.mask.any():
            _write(
                root / f"ground_truth/{one.name}_mask.png",
                encode_png(np.where(one.mask, 255, 0).astype(np.uint8)),
            )
    return root


def write_maps(folder: Path, drawn: Sequence[Detected]) -> Path:
    for one in drawn:
        path = folder / f"{one.name}.npy"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, one.scores)
    return folder


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def write_picture(path: Path, scores: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scores).save(path)


def plain_figures(drawn: Sequence[Detected]) -> dict[str, float]:
    """Every figure of a test side, from all of its pixels at once and by other people's code
    where there is some."""
    truth = np.concatenate([one.mask.ravel() for one in drawn])
    scores = np.concatenate([one.scores.ravel() for one in drawn]).astype(np.float64)
    precision, recall, _ = precision_recall_curve(truth, scores)
    both = precision + recall
    f1 = np.divide(2 * precision * recall, both, out=np.zeros_like(both), where=both > 0).max()
    iap, iap90 = plain_iap(drawn)
    flawed = np.array([one.mask.any() for one in drawn])
    highest = np.array([one.scores.max() for one in drawn], np.float64)
    return {
        "pixel_ap": average_precision_score(truth, scores),
        "pixel_auroc": roc_auc_score(truth, scores),
        "pixel_f1": f1,
        "pixel_iou": best_iou(truth, scores),
        "aupro": plain_aupro(drawn),
        "iap": iap,
        "iap90": iap90,
        "image_auroc": roc_auc_score(flawed, highest),
        "image_ap": average_precision_score(flawed, highest),
        "false_alarms_at_full_recall": float((highest[~flawed] >= highest[flawed].min()).mean()),
    }


def best_iou(truth: np.ndarray, scores: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    hits, reached = np.cumsum(truth[order]), np.arange(1, len(order) + 1)
    last = np.append(np.diff(scores[order]) != 0, True)
    return float((hits / (reached + truth.sum() - hits))[last].max())


def plain_aupro(drawn: Sequence[Detected], limit: float = 0.3) -> float:
    """The curve by pyaupro, from MVTec's own code; the area up to ``limit`` by trapezoids."""
    import torch
    from pyaupro import PerRegionOverlap

    metric = PerRegionOverlap(reference_implementation=True)
    metric.update(
        torch.from_numpy(np.stack([one.scores for one in drawn]).astype(np.float64)),
        torch.from_numpy(np.stack([one.mask for one in drawn]).astype(np.int64)),
    )
    rate, overlap = (curve.double().numpy() for curve in metric.compute())
    inside = rate <= limit
    first = int(inside.sum())
    end = overlap[first - 1]
    if first < len(rate) and rate[first] > rate[first - 1]:
        slope = (overlap[first] - end) / (rate[first] - rate[first - 1])
        end += slope * (limit - rate[first - 1])
    x, y = np.append(rate[inside], limit), np.append(overlap[inside], end)
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2)) / limit


def plain_iap(drawn: Sequence[Detected]) -> tuple[float, float]:
    """IAP and IAP@90, instance by instance."""
    truth = np.concatenate([one.mask.ravel() for one in drawn])
    scores = np.concatenate([one.scores.ravel() for one in drawn])
    instances = []
    for one in drawn:
        parts, count = label(one.mask, np.ones((3, 3)))
        for number in range(1, count + 1):
            falling = sorted(one.scores[parts == number], reverse=True)
            instances.append(falling[int(0.5 * len(falling))])
    instances.sort()
    best, interpolated, at90 = 0.0, [], 0.0
    for i, score in enumerate(instances):
        reached = scores >= score
        best = max(best, float(truth[reached].mean()))
        interpolated.append(best)
        if 1 - i / len(instances) >= 0.9:
            at90 = best
    return float(np.mean(interpolated)), at90
