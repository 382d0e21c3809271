"""One trial: a detector trained on an arm's pictures and tested on the held-out side."""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from adabldm.core.faults import JobFault
from adabldm.core.picture_uri import read_picture
from adabldm.core.progress import Progress, untold
from adabldm.evaluation import resampling, scoring
from adabldm.evaluation.arms import Content
from adabldm.evaluation.detectors.protocol import Detector, Model
from adabldm.evaluation.scoring import Evaluation
from adabldm.evaluation.tested import TestPicture
from adabldm.evaluation.training_windows import TrainingWindows


@dataclass(frozen=True)
class Outcome:
    """A trial's figures, and its test pictures counted, in their order, for intervals."""

    figures: Evaluation
    counted: resampling.Counted


def run(
    detector: Detector,
    contents: Mapping[str, Content],
    tested: Sequence[TestPicture],
    *,
    window: int,
    seed: int,
    device: str,
    steps: int,
    progress: Progress = untold,
) -> Outcome:
    """Train on each object's ``contents``, score its ``tested`` pictures by the model after the
    last step, and compare. ``progress`` counts the ``steps`` of each object and scored pictures.

    Raises :class:`JobFault` if a picture that is learned from is tested on, or a map is not finite.
    """
    _refuse_leak(contents, tested)
    by_object: dict[str, list[TestPicture]] = defaultdict(list)
    for picture in tested:
        by_object[picture.object].append(picture)
    total, done = steps * len(by_object) + len(tested), 0
    with tempfile.TemporaryDirectory(prefix="adabldm-maps-") as folder:
        maps = Maps(Path(folder))
        for name, pictures in sorted(by_object.items()):
            windows = TrainingWindows(contents[name], size=window, seed=seed)
            before = done
            model = detector.train(
                windows,
                seed=seed,
                device=device,
                progress=lambda n, _, before=before: progress(before + n, total),  # type: ignore[misc]
            )
            done += steps
            for picture in pictures:
                maps.write(picture, model)
                done += 1
                progress(done, total)
        figures = scoring.evaluate(tested, maps.read)
        counted = resampling.count(tested, lambda one: scoring.read_views(one, maps.read))
    return Outcome(figures, counted)


def _refuse_leak(contents: Mapping[str, Content], tested: Sequence[TestPicture]) -> None:
    held_out = {picture.image for picture in tested}
    for content in contents.values():
        for one in content.pictures:
            image = getattr(one, "image", None)
            if image in held_out:
                raise JobFault(f"{image}: is learned from and tested on")


class Maps:
    """Score maps of test pictures, in a local folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, picture: TestPicture, model: Model) -> None:
        pixels = read_picture(picture.image)
        scores = model.score(pixels)
        if scores.shape != pixels.shape[:2] or not np.isfinite(scores).all():
            raise JobFault(f"{picture.image}: the detector's map of it is not finite")
        np.save(self._path(picture), scores)

    def read(self, picture: TestPicture) -> np.ndarray:
        """As :data:`adabldm.evaluation.scoring.ReadScores`."""
        scores: np.ndarray = np.load(self._path(picture), allow_pickle=False)
        return scores

    def _path(self, picture: TestPicture) -> Path:
        return self._folder / f"{hashlib.sha256(picture.image.encode()).hexdigest()}.npy"
