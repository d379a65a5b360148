"""Where the tiles of a page lie: on the smallest grid that takes them all, of which nothing is left empty; pure.

::

    sizes 1 1 1 1 1 2 1 on 4 x 2        sizes 3 1 1 1 1 on 4 x 2         sizes 1 1 1 on 3 x 1
    +----+----+----+----+               +---------+----+----+            +-----+-----+-----+
    |    |    |    |    |               |         |    |    |            |     |     |     |
    +----+----+----+----+               |         +----+----+            |     |     |     |
    |    |         |    |               |         |    |    |            |     |     |     |
    +----+---------+----+               +---------+----+----+            +-----+-----+-----+
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

_GRIDS: Final = ((2, 1), (3, 1), (2, 2), (3, 2), (4, 2))
_SPANS: Final = {1: (1, 1), 2: (2, 1), 3: (2, 2)}
_Cell = tuple[int, int]


class Place(msgspec.Struct, frozen=True):
    """Where a tile lies, in cells of the grid; column and row begin with 1."""

    column: int
    row: int
    width: int
    height: int

    def cells(self) -> set[_Cell]:
        """Return the cells it covers, as column and row."""
        columns = range(self.column, self.column + self.width)
        return {(column, row) for column in columns for row in range(self.row, self.row + self.height)}


class Layout(msgspec.Struct, frozen=True):
    """A grid, and the place of every tile in it."""

    columns: int
    rows: int
    places: tuple[Place, ...]


def arrange(sizes: Sequence[int]) -> Layout:
    """Lay out tiles.

    Args:
        sizes: 1, 2 or 3 of each tile; their places (1, 2 and 4) add up to eight at most.

    Returns:
        Their places in the same order. They stand in that order, too, row by row, unless they do not fit then.
    """
    if len(sizes) == 1:
        return Layout(1, 1, (Place(1, 1, 1, 1),))
    in_order = list(range(len(sizes)))
    for columns, rows in _GRIDS:
        for order in (in_order, sorted(in_order, key=lambda index: -sizes[index])):
            found = _fit([sizes[index] for index in order], columns, rows)
            if found is not None:
                grown = dict(zip(order, _grow(found, columns, rows), strict=True))
                return Layout(columns, rows, tuple(grown[index] for index in in_order))
    raise AssertionError("eight places or fewer fit, the greatest first")


def _fit(sizes: Iterable[int], columns: int, rows: int) -> list[Place] | None:
    places: list[Place] = []
    taken: set[_Cell] = set()
    for size in sizes:
        place = next((place for place in _possible(size, columns, rows) if not place.cells() & taken), None)
        if place is None:
            return None
        places.append(place)
        taken |= place.cells()
    return places


def _possible(size: int, columns: int, rows: int) -> Iterable[Place]:
    width, height = _SPANS[size]
    return (
        Place(column, row, width, height)
        for row in range(1, rows - height + 2)
        for column in range(1, columns - width + 2)
    )


def _grow(places: Sequence[Place], columns: int, rows: int) -> list[Place]:
    """Give what is left over to the tiles beside it, the last ones first."""
    free = Place(1, 1, columns, rows).cells().difference(*(place.cells() for place in places))
    grown: list[Place] = []
    for place in reversed(places):
        larger = place
        for attempt in (
            msgspec.structs.replace(place, width=columns - place.column + 1),
            msgspec.structs.replace(place, height=rows - place.row + 1),
        ):
            if attempt.cells() - place.cells() <= free:
                larger = attempt if len(attempt.cells()) > len(larger.cells()) else larger
        free -= larger.cells()
        grown.append(larger)
    return grown[::-1]
