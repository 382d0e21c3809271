"""What an evaluation's JSON tells, whichever parts of it are there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from adabldm.core.faults import InputFault, one_line
from adabldm.core.json_text import load_json
from cluster.storage.location import Location, TooLargeError
from jobs.report.charts import Axis, Tick, signed
from jobs.report.curves import Curve, Record, curves, number, text

FILE = "evaluation.json"
MAX_BYTES = 64 << 20
ALL = ("", "all", "in all", "overall", "*")
"""Spellings of "all types"."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A mean with its ``spread``; ``difference`` from the baseline with its interval. Texts; the
    positions, in percent of the interval's axis, are None where there is no difference."""

    arm: str
    mean: str
    spread: str
    difference: str
    interval: str
    at: float | None = None
    low_at: float | None = None
    high_at: float | None = None
    sure: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """``cells`` of one figure, and the place of "no difference" on the axis they share."""

    figure: str
    cells: list[Cell]
    zero: float | None
    ticks: list[Tick]


@dataclass(frozen=True, kw_only=True)
class ByType:
    """A figure's means: a row an arm, a column a type."""

    figure: str
    types: list[str]
    rows: list[tuple[str, list[str]]]


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What is drawn; ``place`` is where it is from, ``trials`` how many arms x seeds there are."""

    place: str
    trials: int
    tables: list[Table]
    by_type: list[ByType]
    curves: list[Curve]


def read(place: Location) -> Shown:
    """Read the evaluation at ``place``: its folder, or the JSON itself.

    Raises :class:`InputFault` naming the file and what is wrong with it.
    """
    file = place.join(FILE) if place.is_folder() else place
    try:
        content = load_json(file.read(MAX_BYTES))
    except FileNotFoundError as error:
        raise InputFault.of("--evaluation", file.shown, "does not exist") from error
    except (OSError, TooLargeError) as error:
        rule = f"cannot be read: {one_line(error)}"
        raise InputFault.of("--evaluation", file.shown, rule) from error
    except ValueError as error:
        raise InputFault.of("--evaluation", file.shown, "is not JSON") from error
    if not isinstance(content, dict):
        raise InputFault.of("--evaluation", file.shown, "is not an evaluation: not an object")
    shown = shown_of(content, file.shown)
    if not (shown.tables or shown.by_type or shown.curves):
        rule = "is not an evaluation: has neither a 'table' nor 'arms' with figures"
        raise InputFault.of("--evaluation", file.shown, rule)
    return shown


def shown_of(content: Record, place: str) -> Shown:
    """What is drawn of ``content``; parts that are not as they should be are left out."""
    table = [row for row in _records(content.get("table")) if number(row.get("mean")) is not None]
    arms = [arm for arm in _records(content.get("arms")) if isinstance(arm.get("figures"), dict)]
    if not table and not arms:
        table = list(_of_maps(content))
    return Shown(
        place=place,
        trials=len(arms),
        tables=[_table(name, rows) for name, rows in _grouped(table, whole=True)],
        by_type=[_by_type(name, rows) for name, rows in _grouped(table, whole=False)],
        curves=curves(arms),
    )


def _records(value: Any) -> Iterable[Record]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _of_maps(content: Record) -> Iterable[Record]:
    """The figures of one detector's score maps (``adabldm evaluate --scores``), as a table."""
    types = content.get("by_type")
    parts = {"": content, **(types if isinstance(types, dict) else {})}
    for kind, figures in parts.items():
        for name, value in (figures if isinstance(figures, dict) else {}).items():
            if name.startswith(("pixel_", "image_", "iap", "aupro", "false_")):
                yield {"arm": "score maps", "figure": name, "type": kind, "mean": value}


def _grouped(table: list[Record], *, whole: bool) -> Iterable[tuple[str, list[Record]]]:
    """Rows by figure, those of all types together or those of one each."""
    groups: dict[str, list[Record]] = {}
    for row in table:
        if (text(row.get("type")) in ALL) is whole and number(row.get("mean")) is not None:
            groups.setdefault(text(row.get("figure")), []).append(row)
    return groups.items()


def _scale(rows: Iterable[Record], names: tuple[str, ...]) -> float:
    """Shares are shown in percent."""
    values = [v for row in rows for name in names if (v := number(row.get(name))) is not None]
    return 100.0 if all(abs(value) <= 1 for value in values) else 1.0


def _table(figure: str, rows: list[Record]) -> Table:
    scale = _scale(rows, ("mean", "difference", "low", "high"))
    ends = [
        scale * value
        for row in rows
        for name in ("difference", "low", "high")
        if (value := number(row.get(name))) is not None
    ]
    axis = Axis.around(ends, zero=True, count=4) if ends else None
    return Table(
        figure=figure,
        cells=[_cell(row, scale, axis) for row in rows],
        zero=axis.at(0.0) if axis else None,
        ticks=axis.ticks if axis else [],
    )


def _cell(row: Record, scale: float, axis: Axis | None) -> Cell:
    names = ("mean", "spread", "difference", "low", "high")
    mean, spread, difference, low, high = (
        None if (value := number(row.get(name))) is None else scale * value for name in names
    )
    placed = axis is not None and difference is not None
    both = low is not None and high is not None
    return Cell(
        arm=_arm(row),
        mean="" if mean is None else f"{mean:.1f}",
        spread="" if spread is None else f"± {spread:.1f}",
        difference="" if difference is None else signed(f"{difference:+.1f}"),
        interval=signed(f"{low:+.1f} to {high:+.1f}") if both else "",
        at=axis.at(difference) if placed and axis and difference is not None else None,
        low_at=axis.at(low) if placed and axis and low is not None else None,
        high_at=axis.at(high) if placed and axis and high is not None else None,
        sure=both and (low > 0 or high < 0),  # type: ignore[operator]
    )


def _arm(row: Record) -> str:
    detector = text(row.get("detector"))
    return text(row.get("arm")) + (f" ({detector})" if detector else "")


def _by_type(figure: str, rows: list[Record]) -> ByType:
    scale = _scale(rows, ("mean",))
    types = sorted({text(row.get("type")) for row in rows})
    arms: dict[str, dict[str, str]] = {}
    for row in rows:
        cells = arms.setdefault(_arm(row), {})
        cells[text(row.get("type"))] = f"{scale * (number(row.get('mean')) or 0.0):.1f}"
    return ByType(
        figure=figure,
        types=types,
        rows=[(arm, [cells.get(kind, "–") for kind in types]) for arm, cells in arms.items()],
    )
