"""Deltas that grow until they are fanned out: 10 s slices, found by a probe each for the slice and the cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from schemas.windows import SLICE_MS

Sums = dict[str, int]
"""Measure -> what is added."""

Cells = defaultdict[str, Sums]
"""Dimension key -> what is added to its cell."""

Deltas = Mapping[int, Mapping[str, Mapping[str, int]]]
"""Start of a 10 s slice -> dimension key -> measure -> what is added."""

Levels = Sequence[Deltas]
"""Deltas by the index of the finest resolution that has cells of them: of what exists once a window, not the first."""


class Gathering(dict[int, Cells]):
    """Start of a slice -> what is added to its cells; a slice that is asked for is there."""

    def __missing__(self, start_ms: int) -> Cells:
        found = self[start_ms] = defaultdict(dict)
        return found

    def add(self, deltas: Deltas) -> None:
        """Add deltas, in their order."""
        for start_ms, cells in deltas.items():
            for key, sums in cells.items():
                cell = self[start_ms][key]
                for measure, delta in sums.items():
                    cell[measure] = cell.get(measure, 0) + delta

    def take_out(self, key: str) -> Deltas:
        """Take out what was added to one dimension key, in the order in which slices came up."""
        return {start_ms: {key: sums} for start_ms, cells in self.items() if (sums := cells.pop(key, None))}


class Apart(Gathering):
    """Gathers on with others, but keeps apart what is added to slices of the past; slice 0 belongs to no time.

    Args:
        others: What was gathered so far.
        before_ms: Slices that start before this are kept apart.
    """

    def __init__(self, others: Gathering, before_ms: int) -> None:
        super().__init__()
        self.others = others
        self.kept = Gathering()
        self._before_ms = before_ms

    def __missing__(self, start_ms: int) -> Cells:
        source = self.kept if 0 < start_ms < self._before_ms else self.others
        found = self[start_ms] = source[start_ms]
        return found

    def put_together(self) -> Gathering:
        """Add what was kept apart to the others; returns them."""
        self.others.add(self.kept)
        return self.others


def gatherings() -> Sequence[Gathering]:
    """Return what is to gather deltas: for each of the resolutions that windows begin and end at."""
    return [Gathering() for _ in SLICE_MS]


def flat(levels: Levels) -> Iterator[tuple[str, int, Mapping[str, int]]]:
    """Go through deltas: dimension key, start of the slice, sums."""
    for level in levels:
        for start_ms, cells in level.items():
            for key, sums in cells.items():
                yield key, start_ms, sums
