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
        windows: Those of the query's windows that it is about; None: all of them.
    """

    kpis: tuple[str, ...] | None = None
    by: Grouping = ()
    where: dict[str, str] = {}
    windows: tuple[str, ...] | None = None

    @property
    def dimensions(self) -> frozenset[str] | None:
        """Exactly the dimensions a series must have; None: any."""
        return None if self.by == ANY else frozenset(self.by) | frozenset(self.where)

    def exact_dims(self) -> str | None:
        """The one dimension part that can match, where there is only one; else None."""
        dimensions = self.dimensions
        return dims_key(self.where) if dimensions is not None and dimensions == frozenset(self.where) else None

    def matcher(self) -> Callable[[str, str], bool]:
        """Return whether a series, given as name of the KPI and dimension part, belongs to it."""
        kpis = None if self.kpis is None else frozenset(self.kpis)
        dimensions, exact, conditions = self.dimensions, self.exact_dims(), self.where.items()

        def matches(kpi: str, dims: str) -> bool:
            if kpis is not None and kpi not in kpis:
                return False
            if exact is not None:
                return dims == exact
            if dimensions is None and not conditions:
                return True
            stated = parse_dims(dims)
            return (dimensions is None or dimensions == stated.keys()) and conditions <= stated.items()

        return matches


class Query(msgspec.Struct, frozen=True):
    """Selections in windows.

    Args:
        windows: Names of windows, in the order of the answer.
        selections: A series belongs to the answer when it belongs to one of them.
    """

    windows: tuple[str, ...]
    selections: tuple[Selection, ...] = (Selection(),)

    def matcher(self, window: str) -> Callable[[str, str], bool]:
        """Return whether a series of one of its windows, given as KPI and dimension part, belongs to the answer."""
        matchers = [selection.matcher() for selection in self._about(window)]
        return matchers[0] if len(matchers) == 1 else lambda kpi, dims: any(match(kpi, dims) for match in matchers)

    def fields(self, window: str, known: Iterable[str]) -> tuple[str, ...] | None:
        """The hash fields that can match, where they can be named; None: the whole hash has to be looked through.

        Args:
            window: One of its windows.
            known: Names of all KPIs.
        """
        everything = tuple(known)
        fields: dict[str, None] = {}
        for selection in self._about(window):
            dims = selection.exact_dims()
            if dims is None:
                return None
            kpis = everything if selection.kpis is None else selection.kpis
            fields.update(dict.fromkeys(f"{kpi}|{dims}" for kpi in kpis))
        return tuple(fields)

    def _about(self, window: str) -> list[Selection]:
        return [selection for selection in self.selections if selection.windows is None or window in selection.windows]


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
    matches = query.matcher(window)
    found = []
    for field, payload in fields.items():
        kpi, _, dims = field.partition("|")
        if matches(kpi, dims):
            found.append((order(kpi), kpi, dims, payload))
    found.sort(key=lambda item: item[:3])
    return [(f"{kpi}|{window}|{dims}", payload) for _, kpi, dims, payload in found]
