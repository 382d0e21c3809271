"""The page: everything that is told, put into the templates."""

from __future__ import annotations

import base64
import hashlib
import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import jinja2

from adabldm.core.faults import InputFault
from cluster.output.index import Ledger
from cluster.output.run_json import read_run
from cluster.output.schema import OK
from cluster.storage.location import Location
from jobs.report import distributions, overview, pace
from jobs.report.distributions import Spots
from jobs.report.evaluation import Shown
from jobs.report.margin import Limit, limits_of
from jobs.report.pair import GOOD, PICTURES, Pair
from jobs.report.rows import columns, link, script_json
from jobs.report.sprites import ACROSS, EACH, Sheet, Sprites
from jobs.report.survey import Close, Survey, survey
from jobs.report.tiles import Lost, tiles_of

THUMBNAILS = 3000
"""Pairs with a thumbnail in the page, unless it is said how many."""
SCRIPTS = ("gallery.js", "viewer.js")


@dataclass(frozen=True, kw_only=True)
class Report:
    """A page, ``html``; ``rows`` of the index, of which the gallery ``listed`` so many,
    ``thumbnails`` of them with a picture in the page; ``lost`` are pictures that cannot be read."""

    html: bytes
    rows: int
    listed: int
    thumbnails: int
    lost: list[Lost]


@dataclass
class _Looked:
    """What was seen of the pictures."""

    sheets: list[Sheet] = field(default_factory=list)
    tiles: dict[str, int] = field(default_factory=dict)
    centres: list[tuple[int, int] | None] = field(default_factory=list)
    spots: Spots = field(default_factory=Spots)
    lost: list[Lost] = field(default_factory=list)


def report(
    output: Location,
    target: Location,
    *,
    evaluation: Shown | None = None,
    thumbnails: int = THUMBNAILS,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Report:
    """The page about ``output`` that is to be written to ``target``.

    Raises :class:`InputFault` where there is no index or no row in it, and
    :class:`~adabldm.core.faults.JobFault` for an index that cannot be read.
    """
    ledger = Ledger(output)
    if not ledger.exists:
        raise InputFault.of("OUTPUT", output.shown, "has no index: it is not what generate writes")
    run = read_run(output) or {}
    limits = limits_of(run.get("config", {}))
    found = survey(ledger, limits)
    if not found.rows:
        raise InputFault.of("OUTPUT", output.shown, "has an index without a row")
    looked = _look(output, found, thumbnails, progress)
    base = base_of(output, target)
    scripts = "\n".join(_source(name) for name in SCRIPTS)
    html = (
        _environment()
        .get_template("page.html")
        .render(
            **_told(found, limits, looked),
            name=output.name or output.shown,
            place=output.shown,
            now=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            version=version("adabldm"),
            run=run,
            settings=overview.settings(run),
            base=base,
            evaluation=evaluation,
            data=script_json(_script_data(found, limits, looked, base)),
            style=_source("style.css"),
            script=scripts,
            script_hash=base64.b64encode(hashlib.sha256(scripts.encode()).digest()).decode(),
        )
    )
    return Report(
        html=html.encode("utf-8", "replace"),
        rows=found.rows,
        listed=len(found.pairs),
        thumbnails=len(looked.tiles),
        lost=looked.lost,
    )


def _told(found: Survey, limits: list[Limit], looked: _Looked) -> dict[str, Any]:
    """What the templates tell of the index and the pictures."""
    panels = distributions.panels(found.pairs, limits)
    return {
        "found": found,
        "limits": limits,
        "total": overview.total(found.tally),
        "kinds": overview.kind_rows(found),
        "several_objects": len({item for item, _ in found.tally.types}) > 1,
        "top_ups": found.tally.top_ups,
        "reasons": overview.reasons(found.tally),
        "more_prompts": found.more_prompts,
        "listed": len(found.pairs),
        "thumbnails": len(looked.tiles),
        "lost": looked.lost,
        "has_good": any(GOOD in pair.pictures for pair in found.pairs),
        "panels": panels,
        "medians": distributions.medians(found.pairs, [panel.figure for panel in panels]),
        "spots": looked.spots,
        "sizes": distributions.sizes(looked.spots),
        "maps": distributions.place_maps(looked.spots),
        "backdrops": distributions.backdrop_uris(looked.spots),
        "pace": pace.chart_of(found.pace),
        "steps": _steps(found),
        "sheets": looked.sheets,
    }


def _script_data(
    found: Survey, limits: list[Limit], looked: _Looked, base: str | None
) -> dict[str, Any]:
    """What the page's script reads."""
    return {
        "base": base,
        "across": ACROSS,
        "each": EACH,
        "names": list(PICTURES),
        "limits": [{"figure": one.figure, "sign": one.sign} for one in limits],
        "legend": distributions.LEGEND,
        "close": {
            "worst-accepted": _numbers(found, found.worst_accepted),
            "best-rejected": _numbers(found, found.best_rejected),
        },
        "centre": looked.centres,
        **columns(found.pairs, looked.tiles),
    }


def base_of(output: Location, target: Location) -> str | None:
    """The relative URL of ``output``'s folder as seen from the page; None if it has none."""
    if output.protocol != target.protocol:
        return None
    if not output.is_local and output.path.split("/")[0] != target.path.split("/")[0]:
        return None
    path = posixpath.relpath(output.path, target.parent.path)
    return "" if path == "." else link(path.split("/")) + "/"


def _look(
    output: Location, found: Survey, most: int, progress: Callable[[int, int], None]
) -> _Looked:
    """Look at ``most`` pairs: the close ones, then the first of the gallery's order."""
    close = {one.pair.request_id for one in (*found.worst_accepted, *found.best_rejected)}
    seen = [pair for pair in found.pairs if pair.pictures]
    ranked = sorted(range(len(seen)), key=lambda at: (seen[at].request_id not in close, at))
    chosen = [seen[at] for at in sorted(ranked[:most])]
    looked, sprites, wanted = _Looked(), Sprites(), set[str]()

    def wants(pair: Pair) -> bool:
        new = GOOD in pair.pictures and pair.object not in wanted
        wanted.update([pair.object] if new else [])
        return new

    tiles = tiles_of(output, chosen, wants, lambda done: progress(done, len(chosen)))
    for pair, tile in zip(chosen, tiles, strict=True):
        if isinstance(tile, Lost):
            looked.lost.append(tile)
        elif tile is not None:
            looked.tiles[pair.request_id] = sprites.add(tile)
            looked.centres.append(tile.spot.centre if tile.spot else None)
            if tile.backdrop is not None:
                looked.spots.backdrops[pair.object] = tile.backdrop
            if tile.spot is not None and pair.status == OK:
                looked.spots.add(pair, tile.spot)
    looked.sheets = sprites.close()
    return looked


def _numbers(found: Survey, close: list[Close]) -> list[dict[str, Any]]:
    """Where the pairs are in the gallery, and what they are close to."""
    places = {pair.request_id: at for at, pair in enumerate(found.pairs)}
    return [
        {
            "at": places[one.pair.request_id],
            "note": f"{one.limit.figure} {one.pair.figures[one.limit.figure]:.3g} "
            f"(limit {one.limit.sign})",
        }
        for one in close
    ]


def _steps(found: Survey) -> list[Mapping[str, Any]]:
    """Seconds by step, on the mean over all requests that tell them, the longest first."""
    told = max(found.timed.values(), default=1)
    means = {name: found.seconds[name] / told for name in found.timed}
    most = max(means.values(), default=1.0) or 1.0
    return [
        {
            "name": name,
            "mean": f"{mean:.3g}",
            "percent": round(100 * mean / most, 2),
            "count": found.timed[name],
        }
        for name, mean in sorted(means.items(), key=lambda one: (-one[1], one[0]))
    ]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("jobs.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["whole"] = lambda number: f"{number:,}"
    return environment


def _source(name: str) -> str:
    loader = jinja2.PackageLoader("jobs.report")
    return loader.get_source(jinja2.Environment(autoescape=True), name)[0]
