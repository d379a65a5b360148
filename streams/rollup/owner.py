"""The rollup of one partition of the cells topic: cells in, KPI values out.

Cells arrive as absolute values with a fence, so taking the highest fence per log partition and cell is idempotent: a
replay, a duplicate or an old owner's message changes nothing. The state is a function of what was read of the topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

from schemas.errors import StateError
from schemas.generations import VERSIONS
from schemas.kpi import Quality
from schemas.restatements import Restatement
from schemas.windows import RESOLUTIONS, RETENTION_MS
from schemas.wire import STATE_VERSION, CellsMessage, pack
from streams.history import History
from streams.plan import Plan
from streams.publication import Publication, Published
from streams.rollup.cells import Block, BlockKey, RollupCells
from streams.rollup.content import Stamp
from streams.rollup.goal_series import GOALS_KEY, GoalSeries
from streams.rollup.goals import GROUPING, Goals
from streams.rollup.marker import MARKER_KEY, Marker, read_marker
from streams.rollup.restating import Restater
from streams.rollup.series import Change, Series
from streams.rollup.timeline import Timeline
from streams.rollup.trends import Trend, Trends
from streams.rollup.upstream import RollupRules, Upstream
from streams.rollup.valuation import CLASSES, Valuation
from streams.rollup.values import compile_kpis
from streams.rollup.windows import Windows
from streams.rollup.worklist import Worklist
from streams.time import Calendar, iso
from streams.worktime import WorkTime

__all__ = ["MARKER_KEY", "Rollup", "RollupCheckpoint", "RollupRules"]

_ALL: Final = RESOLUTIONS.index("all")


class RollupCheckpoint(NamedTuple):
    """What makes a rollup's state durable.

    Args:
        position: Up to which messages are in it.
        records: Of the changelog, packed one by one as they are asked for; nothing of what comes meanwhile is in them.
        marker: The record to write after all of them.
    """

    position: int
    records: Iterator[tuple[bytes, bytes | None]]
    marker: tuple[bytes, bytes]


class Rollup:
    """State of one partition of the cells topic.

    Args:
        owner: Its number.
        plan: The catalogue in force.
        calendar: Days and periods of the business zone.
        rules: What else it needs.
        has_global: Whether it owns the global series, and with it all that goals may be about.
        worktime: Working time of the goals' periods; by default Monday to Friday.
        trends: Series whose history is looked at.
        generation: Of state; versions of a later one are higher.
    """

    def __init__(
        self,
        owner: int,
        plan: Plan,
        calendar: Calendar,
        rules: RollupRules,
        *,
        has_global: bool,
        worktime: WorkTime | None = None,
        trends: Sequence[Trend] = (),
        generation: int = 0,
    ) -> None:
        self.owner = owner
        self.position = -1
        self._version_base = generation * VERSIONS
        self.series: dict[str, Series] = {}
        timeline = Timeline(calendar)
        kpis = compile_kpis(plan, rules)
        self._goals: GoalSeries | None = None
        if has_global:
            goals = Goals(plan, rules, kpis, calendar, worktime or WorkTime(calendar))
            self._goals = GoalSeries(goals, rules.currency, self._version_base)
        self._valuation = Valuation(kpis, timeline, self.series, self._goals, self._version_base)
        self._restater = Restater(kpis, calendar)
        self._trends = Trends(kpis, calendar, trends)
        self._upstream = Upstream(rules)
        self._cells = RollupCells()
        self._worklist = Worklist(rules.broken_down_every_ms)
        self._looked_ms = 0
        self._windows = Windows(self.series, timeline, self._worklist, self._valuation)
        if has_global:
            self._windows.series_of("")

    def recover(self, records: Mapping[bytes, bytes], repair: Iterable[bytes], topic_start: int) -> None:
        """Take over the changelog's records, each the one of the highest fence of its key.

        Raises:
            StateError: The state is of another version, or messages after it are gone.
        """
        self.position = topic_start - 1
        blocks = dict(records)
        stored, goals = blocks.pop(MARKER_KEY, None), blocks.pop(GOALS_KEY, None)
        if stored is None and topic_start > 0:
            raise StateError(
                f"rollup {self.owner}: there is no state, and the cells topic begins at {topic_start}: its changelog"
                " was deleted and made again; `salespulse rebuild --force` counts anew from the log"
            )
        if stored is not None:
            marker = read_marker(stored, self.owner, topic_start)
            self.position, self._restater.told = marker.position, marker.restated
            self._upstream.saw(marker.newest_ms)
        if self._goals is not None:
            self._goals.restore(goals, self._upstream.newest_ms)
        own = (MARKER_KEY, GOALS_KEY)
        for key, block in self._cells.restore(blocks, (key for key in repair if key not in own)):
            self._restore(key, block)

    def take(self, message: CellsMessage, wall_ms: int) -> None:
        """Take what one log partition says; what was known before changes nothing.

        What it says of closed periods is for :meth:`restatements`.
        """
        self._upstream.hear(message, wall_ms)
        for dims, updates in message.cells.items():
            changes = self._cells.take(message.partition, dims, updates)
            if changes:
                self._grow(message.partition, dims, changes)

    def restatements(self, message: CellsMessage, wall_ms: int) -> Iterator[list[Restatement]]:
        """Find what a message that was taken changed in closed periods, part by part, before the next one is taken.

        All of them count as told when the last one was asked for.
        """
        now_ms = self.clock_ms(wall_ms) if message.restated else None
        if now_ms is not None:
            yield from self._restater.restatements(message.partition, message.restated, self.series, now_ms, wall_ms)

    def clock_ms(self, wall_ms: int) -> int | None:
        """Return the end of what counts, exclusive (see :meth:`Upstream.clock_ms`)."""
        return self._upstream.clock_ms(wall_ms)

    def watermark_ms(self, wall_ms: int) -> int | None:
        """Return the event time up to which values are complete (see :meth:`Upstream.watermark_ms`)."""
        return self._upstream.watermark_ms(wall_ms)

    def quality(self, wall_ms: int) -> Quality:
        """Return how far values can be trusted now."""
        return self._upstream.quality(wall_ms)

    def publication(
        self, wall_ms: int, *, complete: bool = False, most_values: int | None = None, without_global: bool = False
    ) -> Publication | None:
        """Bring the windows to the present and return what changed.

        Args:
            wall_ms: Wall clock.
            complete: Begin to return every series, changed or not.
            most_values: Stop after about so many values; the rest comes with the next calls (see :attr:`has_more`). The
                global series does not count: it never waits for others.
            without_global: Leave the global series to another call.

        Returns:
            None before there is anything to say.
        """
        now_ms = self.clock_ms(wall_ms)
        if now_ms is None:
            return None
        of_others = complete or most_values != 0
        if of_others:
            self._looked_ms = wall_ms
        quality = self.quality(wall_ms)
        self._windows.advance(now_ms)
        everything = chain(self.series, (CLASSES,) if "" in self.series else ())
        self._worklist.note_quality(quality, everything, complete=complete)
        watermark_ms = self.watermark_ms(wall_ms)
        stamp = Stamp(iso(watermark_ms) if watermark_ms is not None else None, quality, iso(wall_ms))
        tells_global = self._worklist.has_global and not without_global
        if tells_global:
            self._windows.settle("")  # before others are let go: its classes are among them
        self._worklist.release(wall_ms)
        values: list[Published] = []
        if tells_global:
            values += self._valuation.of_series(self._worklist.take_global(), stamp)
        of_global = len(values)
        while self._worklist.has_others and (most_values is None or len(values) - of_global < most_values):
            self._windows.settle(self._worklist.next)
            values += self._valuation.of_series(self._worklist.take(wall_ms), stamp)
        if of_others and not self._worklist.has_others:
            values += self._valuation.compared(self._windows.at_present, now_ms, stamp)
        produced_ms = self._upstream.take_produced_ms() if values and not self.global_waits else None
        position = self._version_base + self.position
        return Publication(
            self.owner,
            position,
            now_ms,
            watermark_ms,
            quality,
            wall_ms,
            values,
            complete,
            produced_ms,
        )

    @property
    def global_waits(self) -> bool:
        """Whether something changed that the global series has not said yet."""
        return self._worklist.has_global

    def is_due(self, wall_ms: int) -> bool:
        """Tell whether other series than the global one may have something to say: to look is dear for so little."""
        since_ms = wall_ms - self._looked_ms
        return self.has_more or not 0 <= since_ms < self._worklist.look_every_ms  # a clock may be set back

    @property
    def has_more(self) -> bool:
        """Whether the last publication left something for the next, of other series than the global one."""
        return self._worklist.has_others

    @property
    def unsaved(self) -> bool:
        """Whether a checkpoint would write more than its marker."""
        return self._cells.unsaved

    def checkpoint(self) -> RollupCheckpoint:
        """Return what makes the state of now durable."""
        passed_ms = self._windows.tidy()
        if passed_ms is not None:
            self._cells.drop_expired(passed_ms)
        marker = Marker(STATE_VERSION, self.position, self._upstream.newest_ms, self._restater.told)
        goals = self._goals.unsaved() if self._goals is not None else None
        of_goals = [(GOALS_KEY, pack(self.position, goals))] if goals is not None else []
        position, cells = self.position, self._cells
        of_cells = (cells.pack(key, block, position) for key, block in cells.take_unsaved())
        return RollupCheckpoint(position, chain(of_goals, of_cells), (MARKER_KEY, pack(position, marker)))

    def history(self, wall_ms: int) -> History | None:
        """Return what changed of the trends since the last time; None before there is anything to say."""
        now_ms = self.clock_ms(wall_ms)
        if now_ms is None:
            return None
        points, complete = self._trends.points(self.series, now_ms)
        return History(self.owner, self._version_base + self.position, now_ms, points, complete) if points else None

    def counts(self, dims: str, measures: tuple[str, ...], start_ms: int, end_ms: int) -> tuple[int, ...]:
        """Return the sums of some measures between two times, from the finest cells that reach back so far."""
        series = self.series.get(dims)
        if series is None:
            return tuple(0 for _ in measures)
        newest = self._upstream.newest_ms or 0
        resolution = "1m" if start_ms > newest - RETENTION_MS["1m"] else "15m"
        sums = series.sum_between(start_ms, end_ms, resolution)
        return tuple(sums.get(measure, 0) for measure in measures)

    def _restore(self, key: BlockKey, block: Block) -> None:
        """Add a block of one log partition to its series."""
        (partition, resolution, block_ms), dims = key
        series = self._windows.series_of(dims)
        if resolution == _ALL:
            series.revisions[partition] = block[0][0]
        if self._goals is not None and series.grouping == GROUPING:
            for _, sums in block.values():
                self._goals.pass_by(dims, sums)
        series.restore(resolution, block_ms, ((start_ms, sums) for start_ms, (_, sums) in block.items()))
        self._windows.note(dims)

    def _grow(self, partition: int, dims: str, changes: Iterable[Change]) -> None:
        """Add what cells of one log partition grew by to their series."""
        series = self._windows.series_of(dims)
        for change in changes:
            series.change(change)
            if self._goals is not None and series.grouping == GROUPING:
                self._goals.pass_by(dims, change.delta)
            if change.resolution == _ALL:
                series.revisions[partition] = change.fence
        self._windows.note(dims)
