"""The outline of a connected part of a mask as one polygon, holes included.

The polygon runs along the edges between pixels, drawn in by :data:`INSET`: whichever way it is
filled again, by pixels' centres or by the pixels that its corners lie in, the part comes back. A
hole is joined to the outline by a cut that is walked to and fro.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

INSET = 0.1
"""Pixels by which the outline is inside the edges."""

Way = tuple[int, int]
RIGHT, DOWN, LEFT, UP = (0, 1), (1, 0), (0, -1), (-1, 0)
LEFT_OF: dict[Way, Way] = {RIGHT: UP, UP: LEFT, LEFT: DOWN, DOWN: RIGHT}
RIGHT_OF: dict[Way, Way] = {after: before for before, after in LEFT_OF.items()}

FIRST_CORNER = {RIGHT: (0, 0), DOWN: (0, 1), LEFT: (1, 1), UP: (1, 0)}
"""Where a walk begins that has a pixel on its right, from the pixel's upper left corner."""


class Edge(NamedTuple):
    """A step from the corner ``row``, ``column`` with the part on the right hand."""

    row: int
    column: int
    way: Way

    @property
    def end(self) -> tuple[int, int]:
        return self.row + self.way[0], self.column + self.way[1]


Loop = list[Edge]
Point = tuple[float, float]


def outline(part: np.ndarray) -> np.ndarray:
    """Corners (N, 2) as x, y in pixels from the picture's upper left corner, of a part bool (H, W)
    whose pixels are connected by edges or corners."""
    padded = np.pad(part, 1)
    loops = _loops(padded)
    points = np.array(list(_walked(padded, loops, _joins(padded, loops))))
    return points[:, ::-1] - 1


def _loops(padded: np.ndarray) -> list[Loop]:
    """The closed walks along the part's edges; the outer one is first."""
    edges: dict[Edge, None] = {}
    for way, (row, column) in FIRST_CORNER.items():
        outside = LEFT_OF[way]
        beside = np.roll(padded, (-outside[0], -outside[1]), (0, 1))
        for r, c in np.argwhere(padded & ~beside).tolist():
            edges[Edge(r + row, c + column, way)] = None
    loops: list[Loop] = []
    for first in sorted(edges):
        if first in edges:
            loop, edge = [], first
            while edge in edges:
                del edges[edge]
                loop.append(edge)
                edge = _next(padded, edge)
            loops.append(loop)
    return loops


def _is_part(padded: np.ndarray, corner: tuple[int, int], *ways: Way) -> bool:
    """Whether the pixel that lies towards both ``ways`` from ``corner`` is of the part."""
    row, column = (sum(way[axis] for way in ways) for axis in (0, 1))
    return bool(padded[corner[0] + (row - 1) // 2, corner[1] + (column - 1) // 2])


def _next(padded: np.ndarray, edge: Edge) -> Edge:
    """The edge after this one. Where two pixels touch at a corner only, the walk crosses to the
    other, so that both are one part."""
    ahead, across = edge.way, LEFT_OF[edge.way]
    if _is_part(padded, edge.end, ahead, across):
        return Edge(*edge.end, across)
    if _is_part(padded, edge.end, ahead, RIGHT_OF[ahead]):
        return Edge(*edge.end, ahead)
    return Edge(*edge.end, RIGHT_OF[ahead])


class Join(NamedTuple):
    """A hole's loop and the place of the edge at which it is entered."""

    loop: int
    place: int


def _joins(padded: np.ndarray, loops: list[Loop]) -> dict[Edge, Join]:
    """By the edge from which it is entered, each hole: from the next edge on the left of its own
    leftmost one, in the same row."""
    joins: dict[Edge, Join] = {}
    for number, loop in enumerate(loops[1:], 1):
        places = [place for place, edge in enumerate(loop) if edge.way == DOWN]
        place = min(places, key=lambda place: loop[place].column)
        row, column = loop[place].row, loop[place].column - 1
        run = padded[row, : column + 1][::-1]
        left = column + 1 - int(np.argmin(run))
        joins[Edge(row + 1, left, UP)] = Join(number, place)
    return joins


def _walked(padded: np.ndarray, loops: list[Loop], joins: dict[Edge, Join]) -> Iterator[Point]:
    """One walk along the outer loop, into each hole where it is entered, round it and back."""
    under_way = [_corners(padded, loops[0], 0)]
    while under_way:
        for edge, points in under_way[-1]:
            if edge in joins:
                hole = joins[edge]
                into = loops[hole.loop][hole.place]
                row = into.row + 0.5
                yield row, edge.column + INSET
                yield row, into.column - INSET
                back = [(row, into.column - INSET), (row, edge.column + INSET), *points]
                under_way.append(iter([(into, back)]))
                under_way.append(_corners(padded, loops[hole.loop], hole.place))
                break
            yield from points
        else:
            under_way.pop()


def _corners(padded: np.ndarray, loop: Loop, start: int) -> Iterator[tuple[Edge, list[Point]]]:
    """Each edge of a loop from the place ``start`` on, and what is drawn at its end."""
    turned = loop[start:] + loop[:start]
    for edge, following in zip(turned, turned[1:] + turned[:1], strict=True):
        yield edge, _corner(padded, edge, following)


def _corner(padded: np.ndarray, edge: Edge, following: Edge) -> list[Point]:
    if edge.way == following.way:
        return []
    right, next_right = RIGHT_OF[edge.way], RIGHT_OF[following.way]
    if following.way == LEFT_OF[edge.way] and not _is_part(padded, edge.end, edge.way, right):
        return [
            _moved(edge.end, right, LEFT_OF[LEFT_OF[edge.way]]),
            _moved(edge.end, following.way, next_right),
        ]
    return [_moved(edge.end, right, next_right)]


def _moved(corner: tuple[int, int], one: Way, other: Way) -> Point:
    row, column = corner
    return row + INSET * (one[0] + other[0]), column + INSET * (one[1] + other[1])
