"""What a reader asks for: which KPIs, by what, in which windows; pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

import msgspec

from schemas.kpi import dims_key, parse_dims

ANY: Final = "*"
Grouping = tuple[str, ...] | Literal["*"]


class Selection(msgspec.Struct, frozen=True):
    """Series of some KPIs that are broken down in one way.

    Args:
        kpis: Their names; None: all.
        by: Names of the dimensions, in any order; empty: the global series; ``*``: all series.
        where: Dimension -> value that a series must have; these dimensions belong to ``by`` as well.
    """

    kpis: tuple[str, ...] | None = None
    by: Grouping = ()
    where: dict[str, str] = {}

    @property
    def dimensions(self) -> frozenset[str] | None:
        """Exactly the dimensions a series must have; None: any."""
        return None if self.by == ANY else frozenset(self.by) | frozenset(self.where)

    def exact_dims(self) -> str | None:
        """The one dimension part that can match, where there is only one; else None."""
        dimensions = self.dimensions
        return dims_key(self.where) if dimensions is not None and dimensions == frozenset(self.where) else None

    def matches(self, kpi: str, dims: str) -> bool:
        """Whether a series belongs to it."""
        if self.kpis is not None and kpi not in self.kpis:
            return False
        exact = self.exact_dims()
        if exact is not None:
            return dims == exact
        stated = parse_dims(dims)
        dimensions = self.dimensions
        return (dimensions is None or dimensions == stated.keys()) and self.where.items() <= stated.items()


class Query(msgspec.Struct, frozen=True):
    """Selections in windows.

    Args:
        windows: Names of windows, in the order of the answer.
        selections: A series belongs to the answer when it belongs to one of them.
    """

    windows: tuple[str, ...]
    selections: tuple[Selection, ...] = (Selection(),)

    def matches(self, kpi: str, window: str, dims: str) -> bool:
        """Whether a series belongs to the answer."""
        return window in self.windows and any(selection.matches(kpi, dims) for selection in self.selections)

    def fields(self, known: Iterable[str]) -> tuple[str, ...] | None:
        """The hash fields that can match, where they can be named; None: the whole hash has to be looked through.

        Args:
            known: Names of all KPIs.
        """
        everything = tuple(known)
        fields: dict[str, None] = {}
        for selection in self.selections:
            dims = selection.exact_dims()
            if dims is None:
                return None
            fields.update(dict.fromkeys(f"{kpi}|{dims}" for kpi in selection.kpis or everything))
        return tuple(fields)


def pick(
    query: Query, window: str, fields: Mapping[str, bytes], order: Callable[[str], int]
) -> list[tuple[str, bytes]]:
    """Return what matches of one window's hash, by KPI in the given order, then by dimensions.

    Args:
        query: What is asked for.
        window: The window of the hash.
        fields: Field ``kpi|dims`` -> JSON.
        order: Rank of a KPI's name.
    """
    found = []
    for field, payload in fields.items():
        kpi, _, dims = field.partition("|")
        if query.matches(kpi, window, dims):
            found.append((order(kpi), kpi, dims, payload))
    found.sort(key=lambda item: item[:3])
    return [(f"{kpi}|{window}|{dims}", payload) for _, kpi, dims, payload in found]
