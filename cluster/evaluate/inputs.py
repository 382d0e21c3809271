"""All that a comparison is made of, looked at before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adabldm.core.faults import InputFault
from adabldm.core.picture_uri import DatasetFault
from adabldm.data.prepared import DatasetRow
from adabldm.evaluation.arms import ARMS, Setting, Sources, content_of
from adabldm.evaluation.sources import open_sources
from adabldm.evaluation.tested import TestPicture
from cluster.evaluate.pairs import AcceptedPairs, hashes, read_pairs
from cluster.evaluate.spec import ComparisonSpec, Trial
from cluster.storage.hashing import sha256
from cluster.storage.location import location


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """By object what there is to learn from (``sources``), the pictures ``tested`` on, the
    ``trials``, and the digests of the split and of the pairs."""

    sources: dict[str, Sources]
    tested: tuple[TestPicture, ...]
    trials: tuple[Trial, ...]
    split: str
    pairs: str | None


def open_inputs(spec: ComparisonSpec) -> Inputs:
    """Read what ``spec`` names.

    Raises :class:`InputFault`, one line a fault, for a data set that is not prepared or tests on
    nothing, pairs that are not there or drawn on tested pictures, and arms without pictures.
    """
    try:
        sources, side, rows = open_sources(spec.dataset)
        tested = side.pictures
        pairs = None
        if spec.pairs is not None:
            goods = {
                name: _foregrounds(rows, name, [one.image for one in some.good])
                for name, some in sources.items()
            }
            pairs = read_pairs(location("--pairs", spec.pairs), goods)
            sources = {
                name: replace(some, pairs=pairs.pairs[name]) for name, some in sources.items()
            }
        _refuse_leaks(spec, sources, tested, pairs)
    except DatasetFault as fault:
        raise InputFault(*(f"DATASET: {line}" for line in str(fault).splitlines())) from fault
    _refuse_empty(spec, sources)
    trials = spec.trials(
        min((len(some.pairs) for some in sources.values()), default=0),
        max((some.most_shots for some in sources.values()), default=0),
    )
    return Inputs(
        sources=sources,
        tested=tested,
        trials=tuple(trials),
        split=_digest(rows),
        pairs=None if pairs is None else pairs.digest,
    )


def _foregrounds(
    rows: Sequence[DatasetRow], name: str, images: Sequence[str]
) -> dict[str, str | None]:
    """The object masks of an object's good ``images``."""
    known = {row.image: row.foreground for row in rows if row.object == name}
    return {image: known.get(image) for image in images}


def _refuse_leaks(
    spec: ComparisonSpec,
    sources: dict[str, Sources],
    tested: Sequence[TestPicture],
    pairs: AcceptedPairs | None,
) -> None:
    """Raise :class:`InputFault` if what is tested on would be learned from, under any name."""
    held_out = hashes(one.image for one in tested)
    if pairs is not None and (leaked := sorted(pairs.sources & set(held_out))):
        rule = f"{len(leaked)} of the good pictures of its pairs are tested on: "
        raise InputFault.of("--pairs", spec.pairs, rule + held_out[leaked[0]])
    learned = hashes(
        one.image for some in sources.values() for one in (*some.good, *some.few, *some.further)
    )
    if twins := sorted(set(learned) & set(held_out)):
        rule = f"is the same picture as {held_out[twins[0]]}, which is tested on"
        more = f" (and {len(twins) - 1} more)" if len(twins) > 1 else ""
        raise InputFault.of("DATASET", learned[twins[0]], rule + more)


def _refuse_empty(spec: ComparisonSpec, sources: dict[str, Sources]) -> None:
    """Raise :class:`InputFault` for arms that would have nothing of their own to learn from."""
    faults = []
    for name, some in sorted(sources.items()):
        if not some.good:
            faults.append(f"DATASET: {name!r}: has no good picture to learn from")
        for arm in spec.arms:
            if rule := _lack(arm, some):
                faults.append(f"--arms: {arm!r}: {rule}")
    if faults:
        raise InputFault(*dict.fromkeys(faults))


def _lack(arm: str, sources: Sources) -> str | None:
    kind, name = ARMS[arm], sources.object
    if kind.few and not sources.few:
        return f"{name} has no real defect to learn from; `adabldm prepare` with more --shots"
    if kind.all_real and not sources.further:
        return (
            f"{name} has no further real defect that is not tested on; "
            "a split given to `adabldm prepare --split` can leave some out"
        )
    if kind.baseline:
        lost = sum(pair.source is None for pair in sources.pairs)
        if lost:
            return (
                f"the good pictures of {lost} of {len(sources.pairs)} pairs of {name} are not "
                "among the data set's; `adabldm generate --keep source` keeps them"
            )
    if kind.baseline == "cutpaste":
        types = {pair.defect for pair in sources.pairs}
        if not types & {one.defect for one in sources.few}:
            return (
                f"no pair of {name} is of a type of its real defects ({', '.join(sorted(types))})"
            )
    if kind.needs_pairs and not content_of(Setting(arm=arm), sources).groups:
        return f"{name} has no pair"
    return None


def _digest(rows: Sequence[DatasetRow]) -> str:
    """Of which pictures are on which side."""
    told = sorted(
        [row.object, row.side, row.image, row.defect or "", row.mask or ""] for row in rows
    )
    return sha256(repr(told).encode())
