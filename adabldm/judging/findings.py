"""What changed in one region of a picture, counted so that regions add up."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from adabldm.judging import overlap
from adabldm.judging.refined import refine
from adabldm.judging.regions import tiles_of
from adabldm.judging.seam import border_cuts
from adabldm.judging.visibility import beside_the_strongest, change_size, thresholds, visibility


class Region:
    """A region of a good picture: ``source`` uint8 (h, w, 3), ``asked`` bool (h, w)."""

    def __init__(self, source: np.ndarray, asked: np.ndarray) -> None:
        self.source, self.asked = source, asked
        self._skeleton = overlap.skeleton_of_thin(asked)
        self._tiles = list(tiles_of(*asked.shape))
        # One tile's are kept for all candidates; those of a huge region would fill the memory.
        self._shows = thresholds(source) if len(self._tiles) == 1 else None

    def find(self, image: np.ndarray) -> tuple[dict[str, float], np.ndarray]:
        """What changed in ``image``, uint8 (h, w, 3): sums by name, of which :func:`figures_of`
        makes figures, and the refined mask, bool (h, w)."""
        sums = {"asked": float(self.asked.sum())}
        changed = np.zeros_like(self.asked)
        least = beside_the_strongest(image, self.source, self.asked)
        for around, inner, place in self._tiles:
            source, asked = self.source[around], self.asked[around]
            shows = thresholds(source) if self._shows is None else self._shows
            seen = visibility(image[around], source, asked, shows, least)
            changed[place] = seen[inner] >= 1
            cuts = border_cuts(image[around], source, asked, shows[0])
            own = asked[inner]
            size = change_size(image[around][inner][own], source[inner][own])
            _add(sums, "contrast", float((size / shows[0][inner][own]).sum()))
            _add(sums, "cuts", float(cuts.sum()))
            _add(sums, "border", float(len(cuts)))
        sums["changed"] = float((changed & self.asked).sum())
        touched = (image != self.source).any(axis=2)
        refined = refine(changed, touched, self.asked)
        return sums | self._overlap(refined) | self._tone(image), refined

    def _overlap(self, refined: np.ndarray) -> dict[str, float]:
        sums = {
            "both": float((refined & self.asked).sum()),
            "either": float((refined | self.asked).sum()),
        }
        if self._skeleton.any():
            sums |= overlap.line_counts(refined, self.asked, self._skeleton)
        return sums

    def _tone(self, image: np.ndarray) -> dict[str, float]:
        after, before = (int(one[self.asked].sum(dtype=np.int64)) for one in (image, self.source))
        return {"tone": (after - before) / image.shape[2]}


def added(parts: list[dict[str, float]]) -> dict[str, float]:
    """The sums of all regions."""
    total: dict[str, float] = {}
    for part in parts:
        for name, value in part.items():
            _add(total, name, value)
    return total


def _add(sums: dict[str, float], name: str, value: float) -> None:
    sums[name] = sums.get(name, 0.0) + value


def figures_of(sums: Mapping[str, float]) -> dict[str, float]:
    """The figures of a pair from the sums over its regions:

    * ``coverage``: share of the asked mask where the change shows, 0..1;
    * ``agreement``: intersection over union of the refined and the asked mask, 0..1;
    * ``cl_dice``: of the same along the centre lines, 0..1; only where a region's defect is thin;
    * ``contrast``: mean change of the asked mask's pixels over what just shows there, 0 or more;
    * ``tone``: mean signed change inside, in grey levels: below 0 the defect is darker;
    * ``seam``: mean cut at the mask's border over what just shows there, 0 or more.
    """
    figures = {
        "coverage": sums["changed"] / sums["asked"],
        "agreement": sums["both"] / sums["either"],
        "contrast": sums["contrast"] / sums["asked"],
        "tone": sums["tone"] / sums["asked"],
        "seam": max(0.0, sums["cuts"] / sums["border"]) if sums["border"] else 0.0,
    }
    if "line" in sums:
        figures["cl_dice"] = overlap.cl_dice(sums)
    return figures
