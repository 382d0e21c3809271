"""How the judge's figures, the defects' sizes and their places are spread."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from cluster.output.schema import OK, REJECTED
from jobs.report.charts import Axis, Bar, Tick, signed, stacked
from jobs.report.margin import Limit
from jobs.report.pair import Pair
from jobs.report.rows import FIGURES
from jobs.report.tiles import CELLS, Spot

Kind = tuple[str, str]
SHARES = ("coverage", "agreement", "cl_dice")
"""Figures whose axis is 0..1 whatever the values."""
OUTLIERS = 99.5
"""Percentile at which the axis of an unbounded figure ends; what lies beyond is in its last bin."""
MOST_KINDS = 60
"""Types whose sizes and places are drawn, those with most pairs."""
RAMP = ((255, 196, 0, 70), (255, 128, 0, 150), (230, 20, 60, 205), (120, 0, 90, 235))
"""Colours of a map of places, from few to many."""
FEW = 4
"""So many pairs in one place get the last colour at the earliest."""
LEGEND = {
    "coverage": "share of the asked mask where a change shows",
    "agreement": "overlap of what changed with the asked mask, IoU",
    "cl_dice": "the same along the centre line, thin defects only",
    "seam": "cut at the mask's border; 1 just shows",
    "defect_change": "mean change inside the mask, grey levels",
    "real_distance": "distance to the real defects",
    "contrast": "change inside the mask; 1 just shows",
    "tone": "signed change inside, grey levels; below 0 darker",
    "background_change": "mean change outside the mask, grey levels",
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A figure's histogram; ``limit_at`` is None without a limit."""

    figure: str
    legend: str
    ticks: list[Tick]
    accepted: list[Bar]
    rejected: list[Bar]
    limit: Limit | None
    limit_at: float | None
    medians: tuple[str, str]
    counts: tuple[int, int]
    top: int
    beyond: int


def panels(pairs: Sequence[Pair], limits: Sequence[Limit]) -> list[Panel]:
    """One for each figure that varies, accepted pairs below rejected ones."""
    limit_of = {one.figure: one for one in limits}
    found = []
    for name in FIGURES:
        groups = [
            np.array([p.figures[name] for p in pairs if p.status == status and name in p.figures])
            for status in (OK, REJECTED)
        ]
        values = np.concatenate(groups)
        if len(values) and (name in limit_of or np.ptp(values) > 0):
            found.append(_panel(name, groups, values, limit_of.get(name)))
    return found


def _panel(name: str, groups: list[np.ndarray], values: np.ndarray, limit: Limit | None) -> Panel:
    ends = [limit.value] if limit else []
    if name in SHARES:
        axis = Axis(low=0.0, high=1.0)
    else:
        low, high = np.percentile(values, [100 - OUTLIERS, OUTLIERS])
        axis = Axis.around([low, high, *ends], zero=True)
    accepted, rejected = stacked(axis, groups)
    counts = [np.histogram(np.clip(g, axis.low, axis.high), axis.edges)[0] for g in groups]
    return Panel(
        figure=name,
        legend=LEGEND[name],
        ticks=axis.ticks,
        accepted=accepted,
        rejected=rejected,
        limit=limit,
        limit_at=axis.at(limit.value) if limit else None,
        medians=(_median(groups[0]), _median(groups[1])),
        counts=(len(groups[0]), len(groups[1])),
        top=int(np.sum(counts, axis=0).max()),
        beyond=int(((values > axis.high) | (values < axis.low)).sum()),
    )


def _median(values: np.ndarray) -> str:
    return signed(f"{np.median(values):.3g}") if len(values) else "–"


@dataclass(frozen=True, kw_only=True)
class Medians:
    """A type's medians of :data:`FIGURES` over accepted pairs."""

    kind: Kind
    count: int
    values: list[str]


def medians(pairs: Sequence[Pair], names: Sequence[str]) -> list[Medians]:
    """By type, sorted."""
    groups: dict[Kind, list[Pair]] = {}
    for pair in pairs:
        if pair.status == OK:
            groups.setdefault((pair.object, pair.defect), []).append(pair)
    return [
        Medians(
            kind=kind,
            count=len(group),
            values=[
                _median(np.array([p.figures[name] for p in group if name in p.figures]))
                for name in names
            ],
        )
        for kind, group in sorted(groups.items())
    ]


@dataclass
class Spots:
    """What the masks of accepted pairs tell, type by type; ``backdrops`` are good pictures, JPEG,
    by object, with their (height, width)."""

    by_kind: dict[Kind, list[Spot]] = field(default_factory=dict)
    backdrops: dict[str, bytes] = field(default_factory=dict)

    def add(self, pair: Pair, spot: Spot) -> None:
        self.by_kind.setdefault((pair.object, pair.defect), []).append(spot)

    @property
    def count(self) -> int:
        return sum(len(spots) for spots in self.by_kind.values())

    @property
    def chosen(self) -> list[Kind]:
        """Types that are drawn, sorted."""
        ranked = sorted(self.by_kind, key=lambda kind: (-len(self.by_kind[kind]), kind))
        return sorted(ranked[:MOST_KINDS])


@dataclass(frozen=True, kw_only=True)
class SizeRow:
    kind: Kind
    count: int
    bars: list[Bar]
    median: str
    span: str


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How large defects are, type by type on one axis; ``what`` in words."""

    what: str
    unit: str
    ticks: list[Tick]
    rows: list[SizeRow]


def sizes(spots: Spots) -> list[Sizes]:
    """Of the defects' extents in pixels, and of their shares of the picture in percent."""
    if not spots.count:
        return []
    return [
        _sizes(spots, "longer side of the box around the defect", "px", lambda s: s.extent),
        _sizes(spots, "share of the picture", "%", lambda s: 100 * s.share),
    ]


def _sizes(spots: Spots, what: str, unit: str, value_of: Callable[[Spot], float]) -> Sizes:
    values = {kind: np.array([value_of(s) for s in spots.by_kind[kind]]) for kind in spots.chosen}
    axis = Axis.decades(np.concatenate(list(values.values())))
    return Sizes(
        what=what,
        unit=unit,
        ticks=axis.ticks,
        rows=[
            SizeRow(
                kind=kind,
                count=len(some),
                bars=stacked(axis, [some])[0],
                median=f"{np.median(some):.3g}",
                span="{:.3g} – {:.3g}".format(*np.percentile(some, [5, 95])),
            )
            for kind, some in values.items()
        ],
    )


@dataclass(frozen=True, kw_only=True)
class PlaceMap:
    """Where a type's defects lie: ``cells`` a PNG over the picture, ``most`` the percent of pairs
    that have some defect in the fullest cell."""

    kind: Kind
    count: int
    ratio: float
    cells: str
    most: str
    has_backdrop: bool


def place_maps(spots: Spots) -> list[PlaceMap]:
    """A map a type."""
    found = []
    for kind in spots.chosen:
        some = spots.by_kind[kind]
        shares = np.mean([spot.cells for spot in some], axis=0)
        height, width = some[0].size
        found.append(
            PlaceMap(
                kind=kind,
                count=len(some),
                ratio=round(width / height, 4),
                cells=_heat(shares, len(some)),
                most=f"{100 * shares.max():.0f}",
                has_backdrop=kind[0] in spots.backdrops,
            )
        )
    return found


def _heat(shares: np.ndarray, count: int) -> str:
    """``shares`` (CELLS, CELLS) of ``count`` pairs as a PNG, base64, clear where there are none."""
    strength = shares / max(float(shares.max()), FEW / count, 1e-9)
    ramp = np.array(RAMP, float)
    at = strength * (len(ramp) - 1)
    low = np.clip(np.floor(at).astype(int), 0, len(ramp) - 2)
    rest = (at - low)[..., None]
    colours = ramp[low] * (1 - rest) + ramp[low + 1] * rest
    colours[strength <= 0] = (*RAMP[0][:3], 0)
    image = Image.fromarray(colours.round().astype(np.uint8).reshape(CELLS, CELLS, 4), "RGBA")
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def backdrop_uris(spots: Spots) -> Mapping[str, str]:
    """Data of the good pictures by object, base64."""
    return {name: base64.b64encode(data).decode() for name, data in spots.backdrops.items()}
