"""The dimensions that events state: the six built-in ones, and those of the user's own."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from schemas.declare import Dimension
from schemas.rows import COLUMNS, EVENT_TYPES, Row
from schemas.windows import EVENT_DIMENSIONS

Dims = Sequence[str | None]
"""Values of the event dimensions, in their order; None where there is none."""

_BUILT_IN: Final = operator.attrgetter(*EVENT_DIMENSIONS)
_Read = Callable[[Row], str | None]


class Dimensions:
    """Names of the event dimensions, and how they are read off an event.

    Args:
        own: Those of the user's own, behind the built-in ones.
    """

    def __init__(self, own: Iterable[Dimension] = ()) -> None:
        own = tuple(own)
        self.names: tuple[str, ...] = (*EVENT_DIMENSIONS, *(dimension.name for dimension in own))
        self.unknown: Dims = (None,) * len(self.names)
        self.own: tuple[int, ...] = tuple(range(len(EVENT_DIMENSIONS), len(self.names)))
        self._own = tuple(tuple(_reader(event_type, each.field) for each in own) for event_type in EVENT_TYPES)
        self.stated: Callable[[Row], Dims] = self._stated if own else _BUILT_IN

    def stated_own(self, row: Row) -> Dims:
        """Return what an event states of the user's own dimensions."""
        return tuple([read(row) for read in self._own[row.kind]])

    def _stated(self, row: Row) -> Dims:
        dims: Dims = (*_BUILT_IN(row), *self.stated_own(row))
        return dims


def _reader(event_type: str, field: str) -> _Read:
    """How a field is read: declared ones stand in a column of the row, others were put by when it was made."""
    column = next((column for column, name in COLUMNS[event_type].items() if name == field), None)
    if column is None:
        return lambda row: _text(row.fields.get(field)) if row.fields is not None else None
    get = operator.attrgetter(column)
    return lambda row: _text(get(row))


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)
