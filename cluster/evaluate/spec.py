"""A comparison: what is asked for, and the trials that it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adabldm.core.faults import InputFault
from adabldm.evaluation.arms import ARMS, FEW, Setting
from adabldm.evaluation.detectors import DETECTORS, DetectorOptions
from cluster.storage.location import Location


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A ``detector`` trained once, with a ``seed`` of its own."""

    setting: Setting
    detector: str
    seed: int

    @property
    def name(self) -> str:
        """As a file's name."""
        return f"{self.detector}-{self.setting.name}-seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class ComparisonSpec:
    """Which ``arms`` of the prepared ``dataset`` (URI) and the ``pairs`` (URI of an output of
    ``generate``) are compared in ``output``: with all pairs and shots, and also with so many pairs
    an object (``pair_counts``) and so many real defects a type (``shots``); ``seeds`` times each.
    Trials run ``workers`` at a time, with ``gpus`` each (0: one CPU each).

    Raises :class:`InputFault` naming the option, its value and the rule.
    """

    dataset: str
    pairs: str | None
    output: Location
    arms: tuple[str, ...]
    detector: str
    options: DetectorOptions
    seeds: int = 3
    pair_counts: tuple[int, ...] = ()
    shots: tuple[int, ...] = ()
    workers: int = 1
    gpus: float = 0

    def __post_init__(self) -> None:
        for arm in self.arms:
            if arm not in ARMS:
                raise InputFault.of("--arms", arm, f"must be one of {', '.join(ARMS)}")
        if not self.arms:
            raise InputFault.of("--arms", "", f"names no arm; there are {', '.join(ARMS)}")
        if self.detector not in DETECTORS:
            rule = f"must be one of {', '.join(DETECTORS)}"
            raise InputFault.of("--detector", self.detector, rule)
        for field, counts, least in (
            ("--pairs-counts", self.pair_counts, 0),
            ("--shots", self.shots, 1),
            ("--seeds", (self.seeds,), 1),
        ):
            for number in counts:
                if number < least:
                    raise InputFault.of(field, number, f"must be at least {least}")
        needing = [arm for arm in self.arms if ARMS[arm].needs_pairs]
        if needing and self.pairs is None:
            rule = "needs generated pairs: say where they are with --pairs"
            raise InputFault.of("--arms", needing[0], rule)
        if self.pair_counts and not needing:
            rule = "no arm has pairs; ours, cutpaste, perlin and poisson have"
            raise InputFault.of("--pairs-counts", _listed(self.pair_counts), rule)

    def trials(self, most_pairs: int, most_shots: int) -> list[Trial]:
        """Those that are asked for, seed by seed, none twice; ``most_pairs`` and ``most_shots`` are
        what there is. Raises :class:`InputFault` for more than that."""
        settings: list[Setting] = [Setting(arm=arm) for arm in self.arms]
        for number in self.pair_counts:
            if number > most_pairs:
                rule = f"--pairs has {most_pairs} accepted pairs"
                raise InputFault.of("--pairs-counts", number, rule)
            settings += self._with_pairs(number, most_pairs)
        for number in self.shots:
            if number > most_shots:
                rule = f"the data set was prepared with {most_shots} real defects a type"
                raise InputFault.of("--shots", number, rule)
            shots = None if number == most_shots else number
            settings += [
                Setting(arm=arm, shots=shots)
                for arm in self.arms
                if ARMS[arm].few and not ARMS[arm].all_real
            ]
        return [
            Trial(setting=setting, detector=self.detector, seed=seed)
            for seed in range(self.seeds)
            for setting in dict.fromkeys(settings)
        ]

    def _with_pairs(self, number: int, most: int) -> list[Setting]:
        if number == 0:
            return [Setting(arm=FEW)]
        pairs = None if number == most else number
        return [Setting(arm=arm, pairs=pairs) for arm in self.arms if ARMS[arm].needs_pairs]


def _listed(numbers: Sequence[int]) -> str:
    return ",".join(map(str, numbers))
