"""A comparison's tables in Markdown: figures in percent, the best of a column in bold."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adabldm.evaluation.comparison import ALL, MEAN_OF_TYPES, Line
from cluster.evaluate.results import Failure

BY_TYPE = {"pixel_ap": "Pixel AP", "iap": "IAP"}
"""Figures with a table of their own, a column a type."""
IN_ALL = {
    "pixel_auroc": "pixel AUROC",
    "pixel_f1": "F1",
    "pixel_iou": "IoU",
    "pixel_cldice": "clDice",
    "aupro": "AUPRO",
    "iap90": "IAP90",
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "false_alarms_at_full_recall": "false alarms",
}
LOWER_IS_BETTER = ("false_alarms_at_full_recall",)
LEGEND = (
    "Percent: mean over seeds ± standard deviation (difference to few of as many shots, and its "
    "95 % interval over specimens and seeds). Best in bold."
)

Row = tuple[str, int, int]
"""Arm, pictures made, shots."""


def as_markdown(table: Sequence[Line], failed: Sequence[Failure] = ()) -> str:
    """All tables, detector by detector."""
    parts = ["# What a detector gains", LEGEND]
    for detector in dict.fromkeys(line.detector for line in table):
        lines = [line for line in table if line.detector == detector]
        seeds = sorted({line.seeds for line in lines})
        many = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        parts.append(f"## {detector}, {many} seed{'' if seeds == [1] else 's'}")
        for figure, title in BY_TYPE.items():
            some = [line for line in lines if line.figure == figure]
            parts += [f"### {title}", _grid(some, lambda line: line.type)]
        parts += [
            "### Other figures, in all",
            _grid(
                [line for line in lines if line.figure in IN_ALL and line.type == ALL],
                lambda line: IN_ALL[line.figure],
            ),
        ]
    if failed:
        parts += ["## Failed", "\n".join(f"* {one}" for one in failed)]
    return "\n\n".join(parts) + "\n"


def _grid(lines: Sequence[Line], column: Callable[[Line], str]) -> str:
    columns = list(dict.fromkeys(column(line) for line in lines))
    cells = {(_row(line), column(line)): line for line in lines}
    rows = list(dict.fromkeys(_row(line) for line in lines))
    best = {name: _best([line for line in lines if column(line) == name]) for name in columns}
    shown = [_escaped(name) for name in columns]
    text = [
        f"| arm | made | shots | {' | '.join(shown)} |",
        "|---|---|---|" + "---|" * len(columns),
    ]
    for row in rows:
        told = [_cell(cells.get((row, name)), best[name]) for name in columns]
        text.append(f"| {row[0]} | {row[1]} | {row[2]} | {' | '.join(told)} |")
    return "\n".join(text)


def _row(line: Line) -> Row:
    return line.arm, line.pictures, line.shots


def _escaped(name: str) -> str:
    return name.replace("|", "\\|") if name not in (ALL, MEAN_OF_TYPES) else name


def _best(lines: Sequence[Line]) -> float | None:
    known = [line.mean for line in lines if line.mean is not None]
    if not known:
        return None
    return min(known) if lines[0].figure in LOWER_IS_BETTER else max(known)


def _cell(line: Line | None, best: float | None) -> str:
    if line is None or line.mean is None:
        return "-"
    mean = f"{100 * line.mean:.1f}"
    told = f"**{mean}**" if line.mean == best else mean
    if line.spread is not None:
        told += f" ± {100 * line.spread:.1f}"
    if line.difference is None:
        return told
    told += f" ({100 * line.difference:+.1f}"
    if line.low is not None and line.high is not None:
        told += f", {100 * line.low:+.1f} to {100 * line.high:+.1f}"
    return told + ")"
