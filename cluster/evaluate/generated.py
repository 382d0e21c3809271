"""The pairs of an output beside the real defects that a data set holds out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from adabldm.core.faults import InputFault
from adabldm.core.objects import DefectImage
from adabldm.core.picture_uri import DatasetFault
from adabldm.core.progress import Progress
from adabldm.evaluation.arms import Sources
from adabldm.evaluation.pictures import Pair
from adabldm.evaluation.sources import open_sources
from adabldm.evaluation.tested import TestPicture
from cluster.evaluate.pairs import read_pairs
from cluster.storage.location import Location

if TYPE_CHECKING:
    from adabldm.evaluation.generation import GenerationFigures


@dataclass
class OfType:
    """One type's generated ``pairs``, the ``real`` held-out defects and the ``few``."""

    pairs: list[Pair] = field(default_factory=list)
    real: list[DefectImage] = field(default_factory=list)
    few: list[DefectImage] = field(default_factory=list)


def evaluate(dataset: str, output: Location, backbone: str, progress: Progress) -> dict[str, Any]:
    """The figures of the accepted pairs of ``output``, in all and by type, as they are written down
    (docs/evaluation.md). ``progress`` counts the pictures that are looked at.

    Raises :class:`InputFault` for what cannot be read, a data set that is not prepared or holds
    nothing out, and an output without a pair of a held-out type.
    """
    try:
        sources, side, _ = open_sources(dataset)
    except DatasetFault as fault:
        raise InputFault(*(f"DATASET: {line}" for line in str(fault).splitlines())) from fault
    pairs = read_pairs(output, {name: {} for name in sources}).pairs
    types = _types(sources, side.pictures, pairs)
    some = {name: one for name, one in types.items() if one.pairs and one.real}
    if not some:
        made = ", ".join(sorted(name for name, one in types.items() if one.pairs))
        held = ", ".join(sorted(name for name, one in types.items() if one.real))
        rule = f"has no pair of a type that is held out ({held}); its types are {made}"
        raise InputFault.of("--pairs", output.shown, rule)
    found = _figures(some, backbone, progress)
    return {
        "data_set": dataset,
        "pairs_from": output.shown,
        "features": backbone,
        **_mean(list(found.values())),
        "by_type": {name: one.as_dict() for name, one in found.items()},
        "not_compared": sorted(set(types) - set(some)),
    }


def _types(
    sources: dict[str, Sources], tested: Sequence[TestPicture], pairs: Any
) -> dict[str, OfType]:
    """By type, ``object/type`` of several objects."""
    found: dict[str, OfType] = defaultdict(OfType)

    def at(name: str, defect: str) -> OfType:
        return found[f"{name}/{defect}" if len(sources) > 1 else defect]

    for name, some in sorted(sources.items()):
        for pair in pairs[name]:
            at(name, pair.defect).pairs.append(pair)
        for stored in some.few:
            for mask in stored.masks:
                if mask.defect == stored.defect:
                    at(name, mask.defect).few.append(mask)
    for picture in tested:
        for one in picture.defects:
            at(picture.object, one.defect).real.append(one)
    return dict(sorted(found.items()))


def _figures(
    types: dict[str, OfType], backbone: str, progress: Progress
) -> dict[str, GenerationFigures]:
    from adabldm.evaluation import generation
    from adabldm.evaluation.detectors.backbone import BackboneFault, open_extractor

    try:
        extract = open_extractor(backbone)
    except BackboneFault as fault:
        raise InputFault(f"--{fault}") from fault
    crops = {name: _crops(one) for name, one in types.items()}
    total = sum(len(part) for one in crops.values() for part in one)
    steps = iter(range(1, total + 1))
    found = {}
    try:
        for name, parts in crops.items():
            seen = [
                generation.see(extract, part, lambda: progress(next(steps), total))
                for part in parts
            ]
            found[name] = generation.figures(*seen)
    except DatasetFault as fault:
        raise InputFault(f"--pairs, DATASET: {fault}") from fault
    return found


def _crops(one: OfType) -> tuple[list[Callable[[], Any]], ...]:
    from adabldm.evaluation.generation import crop_of_pair, crop_of_real, kept

    pairs = [one.pairs[i] for i in kept([pair.request_id for pair in one.pairs])]
    real, few = (
        [some[i] for i in kept([item.mask for item in some])] for some in (one.real, one.few)
    )
    return (
        [partial(crop_of_pair, pair) for pair in pairs],
        [partial(crop_of_real, item) for item in real],
        [partial(crop_of_real, item) for item in few],
    )


def _mean(several: list[GenerationFigures]) -> dict[str, Any]:
    from adabldm.evaluation.generation import mean_figures

    return mean_figures(several).as_dict()
