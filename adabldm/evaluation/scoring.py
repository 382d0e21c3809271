"""All figures of a detector's score maps, by object and type, in bounded memory.

The maps are read in turns: those of defective pictures for the scores at which the figures can move
(:mod:`levels`), then all to count their pixels, then the defective ones once more at the threshold
of the best F1, for clDice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from adabldm.core.ahead import ahead
from adabldm.core.picture_uri import DatasetFault, read_defect_mask
from adabldm.core.progress import Progress, untold
from adabldm.evaluation.centre_lines import cl_dice
from adabldm.evaluation.figures import Figures, Ranking, mean_figures
from adabldm.evaluation.instances import Regions
from adabldm.evaluation.levels import MOST_CUTS, CutCollector, LevelCounter, level_of
from adabldm.evaluation.tested import TestPicture

ReadScores = Callable[[TestPicture], np.ndarray]
"""The score map of a picture, floating point (H, W) as its masks, finite; called from threads."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What a part of the pixels counts for: for everything (``in_all``), for one ``defect`` type,
    or, where it is None and ``in_types``, for every type."""

    defect: str | None
    in_all: bool = True
    in_types: bool = True


GOOD = Share(defect=None)
SEVERAL = Share(defect=None, in_types=False)
"""All defects together of a picture of several types."""


@dataclass(frozen=True)
class View:
    """The pixels of a picture for one :class:`Share`: ``marked`` as its defects, or to be passed
    over (``ignored``, None: none), since they are a defect of another type; bool (H, W)."""

    share: Share
    marked: np.ndarray
    ignored: np.ndarray | None = None

    def good(self, scores: np.ndarray) -> np.ndarray:
        """Scores of pixels that are not to be found, (N,)."""
        out = self.marked if self.ignored is None else self.marked | self.ignored
        return scores[~out]


@dataclass(frozen=True)
class Read:
    """A picture with its scores and its views, none of a good one."""

    picture: TestPicture
    scores: np.ndarray
    views: tuple[View, ...]


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Figures over everything, by object, and of each object by type.

    ``in_all`` of several objects is the mean over them.
    """

    in_all: Figures
    by_object: dict[str, Figures]
    by_type: dict[str, dict[str, Figures]] = field(default_factory=dict)


def evaluate(
    pictures: Sequence[TestPicture],
    read: ReadScores,
    progress: Progress = untold,
    most_cuts: int = MOST_CUTS,
) -> Evaluation:
    """Figures of the maps that ``read`` gives of ``pictures``, each object by itself.

    ``progress`` counts readings. Raises what ``read`` raises, and :class:`DatasetFault` for a mask
    that cannot be used or is not of its map's size.
    """
    of_object: dict[str, list[TestPicture]] = defaultdict(list)
    for picture in pictures:
        of_object[picture.object].append(picture)
    readings = sum(1 + 2 * bool(picture.defects) for picture in pictures)
    steps = iter(range(1, readings + 1))

    def counted(picture: TestPicture) -> Read:
        return read_views(picture, read)

    def tick() -> None:
        progress(next(steps), readings)

    by_object: dict[str, Figures] = {}
    by_type: dict[str, dict[str, Figures]] = {}
    for name in sorted(of_object):
        scored = _Object(of_object[name], counted, tick, most_cuts)
        by_object[name] = scored.figures(None)
        by_type[name] = {defect: scored.figures(defect) for defect in scored.types}
    return Evaluation(
        in_all=mean_figures(list(by_object.values())), by_object=by_object, by_type=by_type
    )


def read_views(picture: TestPicture, read: ReadScores) -> Read:
    """The scores of ``picture`` with its masks. Raises as :func:`evaluate`."""
    scores = read(picture)
    marks: dict[str, np.ndarray] = {}
    for one in picture.defects:
        mask = read_defect_mask(one.mask, one.mask_rule) > 0
        if mask.shape != scores.shape:
            both = f"{mask.shape[1]} x {mask.shape[0]}, its picture's map is {scores.shape[1]} x"
            raise DatasetFault(f"{one.mask}: is {both} {scores.shape[0]}")
        marks[one.defect] = marks[one.defect] | mask if one.defect in marks else mask
    return Read(picture, scores, _views(marks))


def _views(marks: dict[str, np.ndarray]) -> tuple[View, ...]:
    if len(marks) < 2:
        return tuple(View(Share(defect=defect), mask) for defect, mask in marks.items())
    either = np.logical_or.reduce(list(marks.values()))
    single = [
        View(Share(defect=defect, in_all=False), mask, either & ~mask)
        for defect, mask in marks.items()
    ]
    return (View(SEVERAL, either), *single)


class _Object:
    """One object's pictures, counted."""

    def __init__(
        self,
        pictures: Sequence[TestPicture],
        read: Callable[[TestPicture], Read],
        tick: Callable[[], None],
        most_cuts: int,
    ) -> None:
        flawed = [picture for picture in pictures if picture.defects]
        self.types = sorted({one.defect for picture in flawed for one in picture.defects})
        self._highest: dict[Share, list[float]] = defaultdict(list)
        self._instances: dict[Share, list[np.ndarray]] = defaultdict(list)
        self._overlap: dict[Share, list[float]] = defaultdict(list)

        def reading(some: Sequence[TestPicture]) -> Iterator[Read]:
            for one in ahead(read, some):
                tick()
                yield one

        self._cuts = self._collect(reading(flawed), most_cuts)
        size = 2 * len(self._cuts) + 1
        self._found: dict[Share, LevelCounter] = defaultdict(lambda: LevelCounter(self._cuts))
        self._alarms: dict[Share, LevelCounter] = defaultdict(lambda: LevelCounter(self._cuts))
        self._weights: dict[Share, np.ndarray] = defaultdict(lambda: np.zeros(size))
        self._count(reading(pictures))
        self._compare(reading(flawed), self._ranking(None).best_threshold)

    def _collect(self, reading: Iterator[Read], most_cuts: int) -> np.ndarray:
        collector = CutCollector(most_cuts)
        for one in reading:
            for view in one.views:
                regions = Regions.of(view.marked, one.scores)
                collector.add(regions)
                self._instances[view.share].append(regions.instance_scores)
        return collector.cuts()

    def _count(self, reading: Iterator[Read]) -> None:
        for one in reading:
            highest = float(one.scores.max())
            if not one.views:
                self._highest[GOOD].append(highest)
                self._alarms[GOOD].add(one.scores.ravel())
            for view in one.views:
                self._highest[view.share].append(highest)
                regions = Regions.of(view.marked, one.scores)
                self._found[view.share].add(regions.scores)
                self._alarms[view.share].add(view.good(one.scores))
                levels = level_of(self._cuts, regions.scores)
                np.add.at(self._weights[view.share], levels, regions.weights)

    def _compare(self, reading: Iterator[Read], threshold: float) -> None:
        for one in reading:
            above = one.scores >= threshold
            for view in one.views:
                seen = above if view.ignored is None else above & ~view.ignored
                self._overlap[view.share].append(cl_dice(seen, view.marked))

    def _shares(self, defect: str | None) -> list[Share]:
        """Those that count for a type, or for everything."""
        return [
            share
            for share in self._highest
            if (share.in_all if defect is None else share.in_types)
            and (defect is None or share.defect in (None, defect))
        ]

    def _ranking(self, defect: str | None) -> Ranking:
        shares = self._shares(defect)
        flawed = [share for share in shares if share != GOOD]
        size = 2 * len(self._cuts) + 1
        return Ranking(
            cuts=self._cuts,
            found=sum((self._found[s].counts() for s in flawed), np.zeros(size, np.int64)),
            alarms=sum((self._alarms[s].counts() for s in shares), np.zeros(size, np.int64)),
            overlap=sum((self._weights[s] for s in flawed), np.zeros(size)),
            instances=np.concatenate([x for s in flawed for x in self._instances[s]]),
        )

    def figures(self, defect: str | None) -> Figures:
        """Of a type, against all good pictures; of everything for None."""
        flawed = [share for share in self._shares(defect) if share != GOOD]
        return Figures.of(
            self._ranking(defect),
            flawed=np.array([x for share in flawed for x in self._highest[share]]),
            good=np.array(self._highest.get(GOOD, [])),
            cl_dice=float(np.mean([x for share in flawed for x in self._overlap[share]])),
        )
