"""Sums of every window of one series, kept up to date by what changed.

Late or not, a cell adds to the windows it lies in.

For each window four sums are kept: the slices of the window, those from its end on (its tail), and the same two of the
previous window. The value of a level, and of the window ``all``, is the sum of everything less the tail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import msgspec

from schemas.kpi import parse_dims
from schemas.windows import RESOLUTIONS, RETENTION_MS, SLICE_MS, WINDOWS
from streams.rollup.distribution import Names, add_names, split_name
from streams.rollup.still import Sums, items, still
from streams.rollup.sums import WindowSums
from streams.rollup.timeline import PREVIOUS_FLOW, Move, Timeline
from streams.time import Cover, Range

_LENGTH_MS: Final = tuple(SLICE_MS.values())
_DAY: Final = RESOLUTIONS.index("1d")
_ALL: Final = RESOLUTIONS.index("all")
_ALL_TIME: Final = WINDOWS.index("all")
_ANEW_SHARE: Final = 8
"""With more than one cell in so many changed, summing the windows anew is cheaper than to keep them up to date."""


class Change(msgspec.Struct, frozen=True, gc=False):
    """What a cell grew by: index of its resolution, start of its slice, measure -> difference, and its new fence."""

    resolution: int
    start_ms: int
    delta: Sums
    fence: int = -1


class Series:
    """One dimension key: its cells added up over the log partitions, and its window sums.

    Attributes:
        days: Cells of whole local days, by their start.
        ever: Measures that were ever counted here, as far as the state and the messages after it tell. What a former
            owner published is among them, though it may have been taken back since.
        previous_changed: Windows whose previous interval was changed by events since it was last valued.
    """

    __slots__ = (
        "_cells",
        "_known",
        "_names",
        "_pending",
        "_present",
        "_restored",
        "days",
        "dimensions",
        "dims",
        "ever",
        "grouping",
        "previous_changed",
        "revisions",
        "sums",
    )

    def __init__(self, dims: str) -> None:
        self.dims = dims
        self.dimensions = parse_dims(dims)
        self.grouping = ",".join(self.dimensions)
        self.days: dict[int, Sums] = {}
        # By resolution: start of the slice -> Sums; those finer than a day may stand still.
        self._cells: tuple[dict[int, Any], ...] = ({}, {}, {}, self.days, {})
        self.sums: list[list[Sums]] = [[{}, {}, {}, {}] for _ in WINDOWS]
        self.revisions: dict[int, int] = {}
        self._pending: list[Change] = []
        self._present: set[str] = set()
        self.ever: set[str] = set()
        self.previous_changed: set[int] = set()
        self._known: set[str] = set()
        self._restored: set[str] = set()
        self._names: Names = {}

    @property
    def total(self) -> Sums:
        """Sums of everything, ever."""
        return self._cells[_ALL].get(0) or {}

    @property
    def revision(self) -> int:
        """Version of the series: how many frames its log partitions have folded, added up; it never falls.

        Counted from one: the first frame of a partition, whose offset is 0, has to raise it as any other does.
        """
        return sum(self.revisions.values()) + len(self.revisions)

    def change(self, change: Change) -> None:
        """Take what a cell grew by."""
        if not change.delta:
            return
        cells = self._cells[change.resolution]
        cell = cells.get(change.start_ms)
        if cell is None:
            cells[change.start_ms] = change.delta.copy()
        else:
            if not isinstance(cell, dict):
                cell = cells[change.start_ms] = dict(items(cell))
            for measure, delta in change.delta.items():
                cell[measure] = cell.get(measure, 0) + delta
        if change.resolution == _ALL:
            self.ever.update(change.delta)
        self._pending.append(change)

    def restore(self, resolution: int, cells: Iterable[tuple[int, Sums]]) -> None:
        """Take over cells of one log partition, before all changes: starts, and sums that are the series' own now."""
        known, restored = self._cells[resolution], self._restored
        for start_ms, sums in cells:
            if not sums:
                continue
            restored.update(sums)
            for measure, value in items(known.get(start_ms, ())):
                sums[measure] = sums.get(measure, 0) + value
            known[start_ms] = still(sums) if resolution < _DAY else sums
            if resolution == _ALL:
                self.ever.update(sums)

    @property
    def is_mostly_new(self) -> bool:
        """Whether so much changed that :meth:`sum_anew` is cheaper than to settle and move."""
        return bool(self._restored) or len(self._pending) * _ANEW_SHARE > sum(map(len, self._cells))

    def forget_changes(self) -> dict[int, set[str]]:
        """Leave what changed to :meth:`sum_anew`; returns the measures that may have changed, for every window."""
        names = self._restored.union(*(change.delta for change in self._pending))
        self._pending, self._restored = [], set()
        self._learn(names)
        self._turned(names)
        self.previous_changed.update(range(len(WINDOWS)))
        return dict.fromkeys(range(len(WINDOWS)), _measures(names))

    def sum_anew(self, timeline: Timeline) -> None:
        """Add up all windows from the cells."""
        self.sums = [[self._sum(cover) for cover in window.covers] for window in timeline.windows]

    def _sum(self, cover: Cover) -> Sums:
        sums: Sums = {}
        for part in cover:
            self._add_range(sums, part, 1)
        return sums

    def settle(self, timeline: Timeline) -> dict[int, set[str]]:
        """Add what changed to the windows as they stand; returns the measures that changed, by index of the window.

        A measure that begins to be counted, or of which nothing is left, changes all windows: what is computed from it
        begins to exist, or exists no longer.
        """
        grown, self._pending = _merged(self._pending), []
        for delta in grown.values():
            self._learn(delta)
        if not timeline.windows:
            return {}
        touched: dict[int, set[str]] = {}
        for (resolution, start_ms), delta in grown.items():
            if resolution == _ALL:
                touched.setdefault(_ALL_TIME, set()).update(_measures(delta))
                turned = self._turned(delta)
                for window in range(len(WINDOWS)) if turned else ():
                    touched.setdefault(window, set()).update(turned)
                continue
            measures = _measures(delta)
            for window, which in timeline.places(resolution, start_ms):
                _add(self.sums[window][which], delta.items(), 1)
                if which == PREVIOUS_FLOW:
                    self.previous_changed.add(window)
                touched.setdefault(window, set()).update(measures)
        return touched

    def _turned(self, names: Iterable[str]) -> set[str]:
        """Take note of which names are counted now; returns the measures of those that were not, or no longer are."""
        total, present = self.total, self._present
        turned = {name for name in names if (total.get(name, 0) != 0) != (name in present)}
        present ^= turned
        return _measures(turned)

    def _learn(self, names: Collection[str]) -> None:
        """Take note of keyed names that are new.

        Not of `all` alone: a restored state has nothing there of what was taken back since a window's end.
        """
        if not self._known.issuperset(names):
            new = set(names) - self._known
            self._known |= new
            add_names(self._names, new)

    def move(self, moves: Sequence[Move]) -> None:
        """Move the window sums on in time."""
        for window, which, added, removed in moves:
            sums = self.sums[window][which]
            for part in added:
                self._add_range(sums, part, 1)
            for part in removed:
                self._add_range(sums, part, -1)

    def window_sums(self, window: int, timeline: Timeline) -> tuple[WindowSums, WindowSums | None]:
        """Return the sums of a window and of its previous one, if it has one."""
        flow, tail, previous_flow, previous_tail = self.sums[window]
        total, now_s = self.total, (timeline.end_ms or 0) // 1000
        span, previous, _ = timeline.windows[window]
        current = WindowSums(flow, tail, total, span.end_ms // 1000, now_s, {}, self._names)
        if previous is None:
            return current, None
        end_s = previous.end_ms // 1000
        return current, WindowSums(previous_flow, previous_tail, total, end_s, now_s, {}, self._names)

    def sum_between(self, start_ms: int, end_ms: int, resolution: str) -> Sums:
        """Add up the cells of one resolution that start in ``[start_ms, end_ms)``."""
        sums: Sums = {}
        self._add_range(sums, Range(resolution, start_ms, end_ms), 1)
        return sums

    def tidy(self, end_ms: int) -> None:
        """Forget cells that no window reaches any more, and keep those that are over as what stands still.

        Args:
            end_ms: End of the windows.
        """
        for index, resolution in enumerate(RESOLUTIONS[:_ALL]):
            cells, oldest_ms = self._cells[index], end_ms - RETENTION_MS[resolution]
            for start_ms in [start_ms for start_ms in cells if start_ms < oldest_ms]:
                del cells[start_ms]
            if index < _DAY:
                grows_from_ms = end_ms - 2 * _LENGTH_MS[index]
                for start_ms, cell in cells.items():
                    if isinstance(cell, dict) and not grows_from_ms < start_ms <= end_ms:
                        cells[start_ms] = still(cell)

    def _add_range(self, sums: Sums, part: Range, sign: int) -> None:
        index = RESOLUTIONS.index(part.resolution)
        cells = self._cells[index]
        if index < len(_LENGTH_MS) and (part.end_ms - part.start_ms) // _LENGTH_MS[index] < len(cells):
            for start in range(part.start_ms, part.end_ms, _LENGTH_MS[index]):
                cell = cells.get(start)
                if cell:
                    _add(sums, items(cell), sign)
        else:
            for start, cell in cells.items():
                if part.start_ms <= start < part.end_ms:
                    _add(sums, items(cell), sign)


def _measures(names: Iterable[str]) -> set[str]:
    """Return the measures of names; that of a keyed one without its key."""
    return {split_name(name)[0] for name in names}


def _merged(changes: Iterable[Change]) -> dict[tuple[int, int], Sums]:
    """Add up what cells of the same slice grew by: every log partition tells of its own."""
    found: dict[tuple[int, int], Sums] = {}
    own: set[tuple[int, int]] = set()
    for change in changes:
        slice_, delta = (change.resolution, change.start_ms), change.delta
        sums = found.get(slice_)
        if sums is None:
            found[slice_] = delta
            continue
        if slice_ not in own:  # a change is never changed in place: it may be what the cells hold
            sums = found[slice_] = sums.copy()
            own.add(slice_)
        for measure, value in delta.items():
            sums[measure] = sums.get(measure, 0) + value
    return found


def _add(sums: Sums, delta: Iterable[tuple[str, int]], sign: int) -> None:
    for measure, value in delta:
        left = sums.get(measure, 0) + value * sign
        if left:
            sums[measure] = left
        else:
            sums.pop(measure, None)
