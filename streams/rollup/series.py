"""Sums of every window of one series, kept up to date by what changed.

Late or not, a cell adds to the windows it lies in.

For each window four sums are kept: the slices of the window, those from its end on (its tail), and the same two of the
previous window. The value of a level, and of the window ``all``, is the sum of everything less the tail.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from sys import intern
from typing import Final

import msgspec

from schemas.kpi import parse_dims
from schemas.windows import RESOLUTIONS, RETENTION_MS, SLICE_MS, WINDOWS
from streams.rollup.distribution import Names, add_names, split_name
from streams.rollup.slices import Slices, Sums, add
from streams.rollup.sums import WindowSums
from streams.rollup.timeline import PREVIOUS_FLOW, Moment
from streams.time import Cover, Range

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

    Its windows stand where they were seen last, and are brought to the present before they are seen again: all series
    at once, they would hold up everything else whenever time moves on.

    Attributes:
        total: Sums of everything, ever.
        days: Cells of whole local days, by their start.
        ever: Measures that were ever counted here, as far as the state and the messages after it tell. What a former
            owner published is among them, though it may have been taken back since.
        previous_changed: Windows whose previous interval was changed by events since it was last valued.
    """

    __slots__ = (
        "_fine",
        "_known",
        "_moment",
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
        "total",
    )

    def __init__(self, dims: str) -> None:
        self.dims = dims
        self.dimensions = parse_dims(dims)
        self.grouping = ",".join(self.dimensions)
        self.total: Sums = {}
        self.days: dict[int, Sums] = {}
        self._fine = tuple(map(Slices, range(_DAY)))
        self._moment: Moment | None = None
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
    def revision(self) -> int:
        """Version of the series: how many frames its log partitions have folded, added up; it never falls.

        Counted from one: the first frame of a partition, whose offset is 0, has to raise it as any other does.
        """
        return sum(self.revisions.values()) + len(self.revisions)

    def change(self, change: Change) -> None:
        """Take what a cell grew by."""
        if not change.delta:
            return
        if change.resolution < _DAY:
            self._fine[change.resolution].grow(change.start_ms, change.delta)
        else:
            cell = self._whole(change.resolution, change.start_ms)
            for measure, delta in change.delta.items():
                cell[measure] = cell.get(measure, 0) + delta
        if change.resolution == _ALL:
            self.ever.update(change.delta)
        self._pending.append(change)

    def restore(self, resolution: int, block_ms: int, cells: Iterable[tuple[int, Sums]]) -> None:
        """Take over a block of cells of one log partition, before all changes.

        Args:
            resolution: Its index.
            block_ms: Start of the block.
            cells: Starts and sums.
        """
        counted = [(start_ms, sums) for start_ms, sums in cells if sums]
        for start_ms, sums in counted:
            self._restored.update(sums)
            if resolution >= _DAY:
                cell = self._whole(resolution, start_ms)
                for measure, value in sums.items():  # names are read anew for every cell
                    cell[intern(measure)] = cell.get(measure, 0) + value
            if resolution == _ALL:
                self.ever.update(sums)
        if resolution < _DAY:
            self._fine[resolution].restore(block_ms, counted)

    def _whole(self, resolution: int, start_ms: int) -> Sums:
        """Return the cell of a day, or of all time."""
        return self.total if resolution == _ALL else self.days.setdefault(start_ms, {})

    def bring_to(self, moment: Moment) -> dict[int, set[str]]:
        """Bring the windows to a moment, with all that changed.

        Returns:
            The measures that changed, by index of the window; what time alone changed is not among them.
        """
        before = self._moment
        if before is None or (before is not moment and self._is_mostly_new):
            changed = self._forget_changes()
            self.sums = [[self._sum(cover) for cover in window.covers] for window in moment.windows]
        else:
            changed = self._settle(before)  # as they stand: what goes out with time must have been there
            if before is not moment:
                self._move(before, moment)
        self._moment = moment
        return changed

    @property
    def _is_mostly_new(self) -> bool:
        """Whether so much changed that to sum the windows anew is cheaper than to settle and move."""
        size = sum([slices.size for slices in self._fine]) + len(self.days)
        return bool(self._restored) or len(self._pending) * _ANEW_SHARE > size

    def _forget_changes(self) -> dict[int, set[str]]:
        """Leave what changed to the cells; returns the measures that may have changed, for every window."""
        names = self._restored.union(*(change.delta for change in self._pending))
        self._pending, self._restored = [], set()
        self._learn(names)
        self._turned(names)
        self.previous_changed.update(range(len(WINDOWS)))
        return dict.fromkeys(range(len(WINDOWS)), _measures(names))

    def _sum(self, cover: Cover) -> Sums:
        sums: Sums = {}
        for part in cover:
            self._add_range(sums, part, 1)
        return sums

    def _settle(self, moment: Moment) -> dict[int, set[str]]:
        """Add what changed to the windows as they stand; returns the measures that changed, by index of the window.

        A measure that begins to be counted, or of which nothing is left, changes all windows: what is computed from it
        begins to exist, or exists no longer.
        """
        grown, self._pending = _merged(self._pending), []
        for delta in grown.values():
            self._learn(delta)
        touched: dict[int, set[str]] = {}
        for (resolution, start_ms), delta in grown.items():
            if resolution == _ALL:
                touched.setdefault(_ALL_TIME, set()).update(_measures(delta))
                turned = self._turned(delta)
                for window in range(len(WINDOWS)) if turned else ():
                    touched.setdefault(window, set()).update(turned)
                continue
            measures = _measures(delta)
            for window, which in moment.places(resolution, start_ms):
                add(self.sums[window][which], delta.items(), 1)
                if which == PREVIOUS_FLOW:
                    self.previous_changed.add(window)
                touched.setdefault(window, set()).update(measures)
        return touched

    def _move(self, before: Moment, moment: Moment) -> None:
        """Move the window sums on in time."""
        for window, which, added, removed in before.moves_to(moment):
            sums = self.sums[window][which]
            for part in added:
                self._add_range(sums, part, 1)
            for part in removed:
                self._add_range(sums, part, -1)

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

    def window_sums(self, window: int) -> tuple[WindowSums, WindowSums | None]:
        """Return the sums of a window and of its previous one, if it has one, at the moment it was brought to."""
        moment = self._moment
        assert moment is not None, f"series {self.dims!r} was never brought to a moment"
        flow, tail, previous_flow, previous_tail = self.sums[window]
        total, now_s = self.total, moment.end_ms // 1000
        span, previous, _ = moment.windows[window]
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

    def tidy(self) -> None:
        """Forget cells that no window reaches any more, and keep those that are over in little room.

        Behind the windows as they stand: what they will move past is still to be taken off.
        """
        if self._moment is None:
            return
        end_ms = self._moment.end_ms
        oldest_ms = {name: end_ms - kept for name, kept in RETENTION_MS.items()}
        for slices, resolution in zip(self._fine, RESOLUTIONS, strict=False):
            slices.tidy(oldest_ms[resolution], end_ms - 2 * SLICE_MS[resolution], end_ms)
        for start_ms in [start_ms for start_ms in self.days if start_ms < oldest_ms["1d"]]:
            del self.days[start_ms]

    def _add_range(self, sums: Sums, part: Range, sign: int) -> None:
        index = RESOLUTIONS.index(part.resolution)
        if index < _DAY:
            self._fine[index].add_to(sums, part.start_ms, part.end_ms, sign)
            return
        for start, cell in self.days.items():
            if part.start_ms <= start < part.end_ms:
                add(sums, cell.items(), sign)


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
