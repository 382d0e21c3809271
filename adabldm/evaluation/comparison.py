"""Arms side by side: means over seeds, differences to the few real defects alone, intervals."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from adabldm.core import random_streams
from adabldm.evaluation.arms import ARMS, FEW
from adabldm.evaluation.resampling import BOOTSTRAPPED, Counted, resampled, weights
from adabldm.evaluation.tested import TestPicture

ALL, MEAN_OF_TYPES = "all", "mean of types"
FIGURES = (
    *("pixel_ap", "iap", "iap90", "pixel_auroc", "pixel_f1", "pixel_iou", "pixel_cldice", "aupro"),
    *("image_auroc", "image_ap", "false_alarms_at_full_recall"),
)
SAMPLES = 1000
INTERVAL = (0.025, 0.975)
"""95 %."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A trial that is done: its arm, with how many ``pictures`` made and ``shots`` a type, its
    ``figures`` in all and ``by_type``, and its test pictures ``counted``."""

    detector: str
    arm: str
    pictures: int
    shots: int
    seed: int
    figures: Mapping[str, float | None]
    by_type: Mapping[str, Mapping[str, float | None]]
    counted: Counted

    @property
    def setting(self) -> tuple[str, str, int, int]:
        return self.detector, self.arm, self.pictures, self.shots

    def value(self, figure: str, defect: str) -> float:
        """NaN where it is not defined."""
        if defect == MEAN_OF_TYPES:
            return float(np.mean([_number(some[figure]) for some in self.by_type.values()]))
        found = self.figures if defect == ALL else self.by_type[defect]
        return _number(found[figure])


@dataclass(frozen=True, kw_only=True)
class Line:
    """A figure of an arm for a ``type``, :data:`ALL` or :data:`MEAN_OF_TYPES`: ``mean`` and
    ``spread`` (standard deviation) over ``seeds``; the ``difference`` to :data:`FEW` with as many
    shots (all, of an arm without real defects), from ``low`` to ``high``; and ``mean_low`` to
    ``mean_high`` of the mean itself. Intervals are of 95 %, over specimens and seeds. None where it
    is not known."""

    detector: str
    arm: str
    pictures: int
    shots: int
    figure: str
    type: str
    seeds: int
    mean: float | None
    spread: float | None
    difference: float | None
    low: float | None
    high: float | None
    mean_low: float | None
    mean_high: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(trials: Sequence[Tried], tested: Sequence[TestPicture]) -> list[Line]:
    """All lines of ``trials``, which were tested on the same pictures: detectors, arms in their
    order, fewer pictures and shots first."""
    by_setting: dict[tuple[str, str, int, int], list[Tried]] = defaultdict(list)
    for trial in trials:
        by_setting[trial.setting].append(trial)
    drawn = _Drawn(tested)
    order = sorted(by_setting, key=lambda s: (s[0], list(ARMS).index(s[1]), s[2], s[3]))
    samples = {setting: drawn.samples(by_setting[setting]) for setting in order}
    most = max((shots for _, arm, _, shots in order if arm == FEW), default=0)
    lines: list[Line] = []
    for setting in order:
        detector, _, _, shots = setting
        reference = (detector, FEW, 0, shots or most)
        few = by_setting.get(reference) if setting != reference else None
        some = by_setting[setting]
        for figure in FIGURES:
            for defect in (ALL, MEAN_OF_TYPES, *some[0].by_type):
                at = (figure, defect)
                beside = samples[reference].get(at) if few else None
                lines.append(_line(some, few, at, samples[setting].get(at), beside))
    return lines


def _line(
    some: Sequence[Tried],
    few: Sequence[Tried] | None,
    at: tuple[str, str],
    samples: np.ndarray | None,
    beside: np.ndarray | None,
) -> Line:
    values = [one.value(*at) for one in some]
    mean = float(np.mean(values))
    detector, arm, pictures, shots = some[0].setting
    away = samples - beside if samples is not None and beside is not None else None
    return Line(
        detector=detector,
        arm=arm,
        pictures=pictures,
        shots=shots,
        figure=at[0],
        type=at[1],
        seeds=len(some),
        mean=_told(mean),
        spread=_told(float(np.std(values, ddof=1))) if len(values) > 1 else None,
        difference=_told(mean - float(np.mean([one.value(*at) for one in few]))) if few else None,
        low=_quantile(away, INTERVAL[0]),
        high=_quantile(away, INTERVAL[1]),
        mean_low=_quantile(samples, INTERVAL[0]),
        mean_high=_quantile(samples, INTERVAL[1]),
    )


class _Drawn:
    """Resamples of the ``tested`` pictures."""

    def __init__(self, tested: Sequence[TestPicture]) -> None:
        self._tested = tested
        self._objects = np.array([one.object for one in tested])

    @cached_property
    def _weights(self) -> np.ndarray:
        """(1 + samples, pictures); the first is the test side as it is."""
        plain = np.ones((1, len(self._tested)), np.float32)
        return np.concatenate([plain, weights(self._tested, SAMPLES)])

    def samples(self, trials: Sequence[Tried]) -> dict[tuple[str, str], np.ndarray]:
        """By figure and type: the mean over resampled ``trials`` in each resample."""
        of_trials = [self._of_trial(trial) for trial in trials]
        rng = random_streams.stream(0, f"seeds {trials[0].setting}")
        chosen = rng.integers(len(trials), size=(len(trials), SAMPLES))
        found = {}
        for at in of_trials[0]:
            stacked = np.stack([one[at] for one in of_trials])
            found[at] = np.take_along_axis(stacked, chosen, axis=0).mean(axis=0)
        return found

    def _of_trial(self, trial: Tried) -> dict[tuple[str, str], np.ndarray]:
        """Exact figures, moved as far as resampling moves those by levels."""
        by_object = {name: self._of_object(trial, name) for name in dict.fromkeys(self._objects)}
        several = len(by_object) > 1
        found: dict[tuple[str, str], np.ndarray] = {}
        for figure in BOOTSTRAPPED:
            of_types = {
                f"{name}/{defect}" if several else str(defect): values[figure]
                for name, types in by_object.items()
                for defect, values in types.items()
                if defect is not None
            }
            found[figure, ALL] = _mean(types[None][figure] for types in by_object.values())
            found[figure, MEAN_OF_TYPES] = _mean(of_types.values())
            found.update({(figure, defect): values for defect, values in of_types.items()})
        return {
            at: trial.value(*at) + values[1:] - values[0]
            for at, values in found.items()
            if at[1] in (ALL, MEAN_OF_TYPES, *trial.by_type)
        }

    def _of_object(self, trial: Tried, name: str) -> dict[str | None, dict[str, np.ndarray]]:
        counted = trial.counted.chosen(self._objects[trial.counted.picture] == name)
        types = sorted(set(counted.defect[counted.in_types].tolist()) - {""})
        return {defect: resampled(counted, defect, self._weights) for defect in (None, *types)}


def _mean(several: Iterable[np.ndarray]) -> np.ndarray:
    mean: np.ndarray = np.mean(list(several), axis=0)
    return mean


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


def _told(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _quantile(values: np.ndarray | None, share: float) -> float | None:
    if values is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # all of them undefined
        return _told(float(np.nanquantile(values, share)))
