"""Deltas that grow until they are fanned out: 10 s slices, found by a probe each for the slice and the cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

Sums = defaultdict[str, int]
"""Measure -> what is added."""

Deltas = Mapping[tuple[str, int], Mapping[str, int]]
"""``(dimension key, start of the 10 s slice) -> {measure: what is added}``."""


class Slice:
    """What is added to one slice: cells by dimension key, and the same ones by the value of a single dimension.

    Args:
        dimensions: How many event dimensions there are.
    """

    __slots__ = ("by_value", "cells")

    def __init__(self, dimensions: int) -> None:
        self.cells: defaultdict[str, Sums] = defaultdict(_no_sums)
        self.by_value: tuple[dict[str, Sums], ...] = tuple([{} for _ in range(dimensions)])


class Gathering(dict[int, Slice]):
    """Start of a slice -> what is added to it; a slice that is asked for is there.

    Args:
        dimensions: How many event dimensions there are.
    """

    def __init__(self, dimensions: int) -> None:
        super().__init__()
        self.dimensions = dimensions

    def __missing__(self, start_ms: int) -> Slice:
        found = self[start_ms] = Slice(self.dimensions)
        return found

    def add(self, deltas: Deltas) -> None:
        """Add deltas, in their order."""
        for (key, start_ms), sums in deltas.items():
            cell = self[start_ms].cells[key]
            for measure, delta in sums.items():
                cell[measure] += delta

    def take_out(self, key: str) -> Deltas:
        """Take out what was added to one dimension key, in the order in which slices came up."""
        return {(key, start_ms): sums for start_ms, at in self.items() if (sums := at.cells.pop(key, None))}


class Apart(Gathering):
    """Gathers on with others, but keeps apart what is added to slices of the past; slice 0 belongs to no time.

    Args:
        others: What was gathered so far.
        before_ms: Slices that start before this are kept apart.
    """

    def __init__(self, others: Gathering, before_ms: int) -> None:
        super().__init__(others.dimensions)
        self.others = others
        self.kept = Gathering(others.dimensions)
        self._before_ms = before_ms

    def __missing__(self, start_ms: int) -> Slice:
        source = self.kept if 0 < start_ms < self._before_ms else self.others
        found = self[start_ms] = source[start_ms]
        return found


def flat(gathered: Gathering) -> Deltas:
    """Return what has been gathered, in the order in which it came up."""
    return {(key, start_ms): sums for start_ms, at in gathered.items() for key, sums in at.cells.items()}


def _no_sums() -> Sums:
    return defaultdict(int)
