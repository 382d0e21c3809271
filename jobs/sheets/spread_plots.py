"""How the defects of a plan are spread, by type: plots of their sizes and of their places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import Image

PLOTS = (4.4, 110)
"""Height of the plots in inches, and dots an inch."""
TYPES_SHOWN = 10
"""Types with a colour of their own in the plots, those with most requests; others share grey."""
OTHERS = "#999999"
BINS = 30


def spread(trimap: np.ndarray) -> tuple[float, float, float]:
    """The defect's share of the picture in percent, and its centre's x and y in shares of the
    picture's width and height."""
    from adabldm.core.trimap import DEFECT

    rows, cols = np.nonzero(trimap == DEFECT)
    height, width = trimap.shape
    return 100 * len(rows) / trimap.size, (cols.mean() + 0.5) / width, (rows.mean() + 0.5) / height


def legend(figures: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The figures, (N, 3) of each type, under the names that the plots give them: the types with
    most rows first, what is beyond :data:`TYPES_SHOWN` together at the end."""
    ordered = sorted(figures, key=lambda name: (-len(figures[name]), name))
    shown, rest = ordered[:TYPES_SHOWN], ordered[TYPES_SHOWN:]
    named = {f"{name} ({len(figures[name])})": figures[name] for name in shown}
    if rest:
        together = np.concatenate([figures[name] for name in rest])
        named[f"{len(rest)} further types ({len(together)})"] = together
    return named


def draw_plots(figures: Mapping[str, np.ndarray], width: int) -> Image.Image:
    """By type, how large the defects are and where in their pictures; ``width`` in pixels.

    ``figures`` are :func:`spread`'s of each type's rows, (N, 3).
    """
    from matplotlib import colormaps
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from PIL import Image

    height, dots = PLOTS
    figure = Figure((width / dots, height), dpi=dots)
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.1)
    canvas = FigureCanvasAgg(figure)
    sizes, positions = figure.subplots(1, 2, width_ratios=(1.25, 1))
    named = legend(figures)
    colours = [*(colormaps["tab10"](number) for number in range(TYPES_SHOWN)), OTHERS]
    draw_sizes(sizes, named, colours)
    draw_positions(positions, named, colours)
    handles, names = positions.get_legend_handles_labels()
    figure.legend(handles, names, loc="outside right upper", frameon=False, fontsize=10)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])


def draw_sizes(axes: Axes, named: Mapping[str, np.ndarray], colours: Sequence[Any]) -> None:
    """Histograms of the defects' shares of their pictures, on a logarithmic scale."""
    from matplotlib.ticker import MaxNLocator

    shares = np.concatenate([found[:, 0] for found in named.values()])
    low, high = np.log10(shares.min()), np.log10(shares.max())
    room = max(0.05, 0.05 * (high - low))
    edges = np.logspace(low - room, high + room, BINS + 1).tolist()
    for found, colour in zip(named.values(), colours, strict=False):
        axes.hist(found[:, 0], edges, histtype="stepfilled", color=colour, alpha=0.15)
        axes.hist(found[:, 0], edges, histtype="step", color=colour, linewidth=1.8)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:g}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("defect's share of the picture, %", fontsize=11)
    axes.set_ylabel("requests", fontsize=11)
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def draw_positions(axes: Axes, named: Mapping[str, np.ndarray], colours: Sequence[Any]) -> None:
    """The defects' centres, in a square that stands for every picture."""
    for (name, found), colour in zip(named.items(), colours, strict=False):
        axes.scatter(found[:, 1], found[:, 2], s=24, color=colour, alpha=0.7, linewidth=0,
                     label=name)  # fmt: skip
    axes.set_xlim(0, 1)
    axes.set_ylim(1, 0)
    axes.set_aspect("equal")
    axes.set_xlabel("defect's centre, share of the width", fontsize=11)
    axes.set_ylabel("share of the height, from the top", fontsize=11)
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
