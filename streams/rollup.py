"""The rollup of one partition of the cells topic: cells in, KPI values out.

Cells arrive in full with a fence, so taking the highest fence per log partition and cell is idempotent: a replay, a
duplicate or an old owner's message changes nothing. The state is a function of what was read of the topic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from schemas.errors import StateError
from schemas.kpi import KpiValue, Quality, parse_dims
from schemas.windows import HOUR_MS, RESOLUTIONS, RETENTION_MS, WINDOWS
from schemas.wire import STATE_VERSION, CellsMessage, body_of, pack
from streams.cells import BLOCK_MS
from streams.plan import Plan
from streams.publication import Publication, Published
from streams.series import Change, Series, Timeline
from streams.time import Calendar, iso
from streams.values import Computed, WindowKpi, compile_kpis

MARKER_KEY: Final = b"marker"
_ALL: Final = RESOLUTIONS.index("all")
_BUSY_BACKLOG: Final = 2_000
_BUSY_DELAY_MS: Final = 2_000

StoredCell = tuple[int, dict[str, int]]
"""Fence and sums of a cell."""

BlockKey = tuple[int, str, int, int]
"""Log partition, dimension key, index of the resolution, start of the block."""

_Todo = dict[int, set[str] | None]
"""Index of a window -> the measures whose KPIs are to be computed anew; None: all of them."""

_EVERYTHING: Final[_Todo] = dict.fromkeys(range(len(WINDOWS)))

_blocks_decoder: Final = msgspec.msgpack.Decoder(dict[int, tuple[int, dict[str, int]]])
_marker_decoder: Final = msgspec.msgpack.Decoder(tuple[int, int])
_json: Final = msgspec.json.Encoder()


class RollupRules(msgspec.Struct, frozen=True):
    """What a rollup needs of the settings.

    Args:
        currency: The reporting currency.
        partitions: How many log partitions there are.
        clock: ``wall``, or ``event`` when history is replayed.
        out_of_orderness_ms: How far behind the newest event the watermark stays.
        stale_after_ms: Without a sign of life of a log partition for longer, values are stale.
    """

    currency: str
    partitions: int
    clock: Literal["wall", "event"]
    out_of_orderness_ms: int
    stale_after_ms: int


class _Upstream(msgspec.Struct):
    """What a log partition last said of itself."""

    heard_ms: int
    fence: int
    newest_ms: int | None
    busy: bool


class Rollup:
    """State of one partition of the cells topic.

    Args:
        owner: Its number.
        plan: The catalogue in force.
        calendar: Days and periods of the business zone.
        rules: What else it needs.
        groupings: The groupings whose series it owns; ``""`` is the global one.
    """

    def __init__(
        self, owner: int, plan: Plan, calendar: Calendar, rules: RollupRules, groupings: Iterable[str]
    ) -> None:
        self.owner = owner
        self.position = -1
        self.series: dict[str, Series] = {}
        self._kpis = compile_kpis(plan, rules.currency)
        self._rules = rules
        self._timeline = Timeline(calendar)
        self._calendar = calendar
        self._blocks: dict[BlockKey, dict[int, StoredCell]] = {}
        self._unsaved: set[BlockKey] = set()
        self._upstream: dict[int, _Upstream] = {}
        self._newest_ms: int | None = None
        self._changed: dict[str, _Todo] = {}
        self._published: dict[str, tuple[object, ...]] = {}
        self._quality: Quality = "partial"
        self._produced_ms: int | None = None
        self._expired_ms = 0
        if "" in groupings:
            self._series("")

    def recover(self, records: Mapping[bytes, bytes], repair: Iterable[bytes], topic_start: int) -> None:
        """Take over the changelog's records, each the one of the highest fence of its key.

        Raises:
            StateError: The state is of another version, or messages after it are gone.
        """
        self.position = topic_start - 1
        marker = records.get(MARKER_KEY)
        if marker is not None:
            version, self.position = _marker_decoder.decode(body_of(marker))
            if version != STATE_VERSION:
                raise StateError(f"rollup {self.owner}: stored state has version {version}, known is {STATE_VERSION}")
            if self.position + 1 < topic_start:
                raise StateError(
                    f"rollup {self.owner}: the cells topic begins at {topic_start}, the state ends at {self.position}; "
                    "messages between them were deleted: rebuild under a new app.id"
                )
        for key, record in records.items():
            if key != MARKER_KEY:
                place = _parse_block_key(key)
                block = _blocks_decoder.decode(body_of(record))
                self._blocks[place] = block
                for start_ms, (fence, sums) in block.items():
                    self._grow(place[0], place[1], place[2], start_ms, fence, {}, sums)
        self._unsaved.update(_parse_block_key(key) for key in repair if key != MARKER_KEY)

    def take(self, message: CellsMessage, wall_ms: int) -> None:
        """Take what one log partition says; what was known before changes nothing."""
        self._hear(message, wall_ms)
        for dims, updates in message.cells.items():
            for update in updates:
                self._take_cell(message.partition, dims, update.resolution, update.start_ms, update.fence, update.sums)

    def clock_ms(self, wall_ms: int) -> int | None:
        """Return the end of what counts, exclusive: now, or just past the newest event; None before the first."""
        if self._rules.clock == "wall":
            return wall_ms
        return self._newest_ms + 1 if self._newest_ms is not None else None

    def watermark_ms(self, wall_ms: int) -> int | None:
        """Return the event time up to which values are complete; idle partitions do not hold it back."""
        now_ms = self.clock_ms(wall_ms)
        if now_ms is None:
            return None
        bound = self._rules.out_of_orderness_ms
        marks = [up.newest_ms for up in self._upstream.values() if up.busy and up.newest_ms is not None]
        return min([now_ms, *(mark + 1 for mark in marks)]) - bound if self._upstream else None

    def quality(self, wall_ms: int) -> Quality:
        """Return how far values can be trusted now."""
        limit = wall_ms - self._rules.stale_after_ms
        fresh = sum(1 for upstream in self._upstream.values() if upstream.heard_ms >= limit)
        if self._upstream and not fresh:
            return "stale"
        if fresh < self._rules.partitions:
            return "partial"
        return "catching_up" if any(upstream.busy for upstream in self._upstream.values()) else "live"

    def publication(self, wall_ms: int, *, complete: bool = False) -> Publication | None:
        """Bring the windows to the present and return what changed.

        Args:
            wall_ms: Wall clock.
            complete: Return every series, changed or not.

        Returns:
            None before there is anything to say.
        """
        now_ms = self.clock_ms(wall_ms)
        if now_ms is None:
            return None
        quality = self.quality(wall_ms)
        everything = complete or quality != self._quality
        self._quality = quality
        moved = self._advance(now_ms)
        watermark_ms = self.watermark_ms(wall_ms)
        stamp = (iso(watermark_ms) if watermark_ms is not None else None, quality, iso(wall_ms))
        if everything:
            todo: Mapping[str, _Todo] = dict.fromkeys(self.series, _EVERYTHING)
        elif moved:
            all_of_moved = dict.fromkeys(moved)
            todo = {dims: self._changed.get(dims, {}) | all_of_moved for dims in self.series}
        else:
            todo = self._changed
        values = [value for dims, work in todo.items() for value in self._values(dims, work, stamp, complete=complete)]
        self._changed = {}
        produced_ms, self._produced_ms = self._produced_ms, None
        return Publication(
            self.owner, self.position, now_ms, watermark_ms, quality, wall_ms, values, complete, produced_ms
        )

    def checkpoint(self) -> tuple[int, list[tuple[bytes, bytes | None]], tuple[bytes, bytes]]:
        """Return the position, the changelog records of what changed, and the marker to write after them."""
        self._expire()
        records: list[tuple[bytes, bytes | None]] = []
        for key in sorted(self._unsaved):
            block = self._blocks.get(key)
            records.append((_block_key(key), pack(self.position, block) if block else None))
        self._unsaved = set()
        return self.position, records, (MARKER_KEY, pack(self.position, (STATE_VERSION, self.position)))

    def counts(self, dims: str, measures: tuple[str, ...], start_ms: int, end_ms: int) -> tuple[int, ...]:
        """Return the sums of some measures between two times, from the finest cells that reach back so far."""
        series = self.series.get(dims)
        if series is None:
            return tuple(0 for _ in measures)
        newest = self._newest_ms or 0
        resolution = "1m" if start_ms > newest - RETENTION_MS["1m"] else "15m"
        sums = series.sum_between(start_ms, end_ms, resolution)
        return tuple(sums.get(measure, 0) for measure in measures)

    def has_changes(self) -> bool:
        """Tell whether any cell changed since the last publication."""
        return bool(self._changed)

    def _hear(self, message: CellsMessage, wall_ms: int) -> None:
        before = self._upstream.get(message.partition)
        if before is not None and message.fence < before.fence:
            return
        busy = message.backlog > _BUSY_BACKLOG or message.delay_ms > _BUSY_DELAY_MS
        newest = message.newest_ms
        self._upstream[message.partition] = _Upstream(wall_ms, message.fence, newest, busy)
        if newest is not None and (self._newest_ms is None or newest > self._newest_ms):
            self._newest_ms = newest
        if message.produced_ms is not None:
            self._produced_ms = max(self._produced_ms or 0, message.produced_ms)

    def _take_cell(
        self, partition: int, dims: str, resolution: int, start_ms: int, fence: int, sums: dict[str, int]
    ) -> None:
        key = (partition, dims, resolution, start_ms - start_ms % BLOCK_MS[resolution])
        block = self._blocks.get(key)
        if block is None:
            block = self._blocks[key] = {}
        old_fence, old = block.get(start_ms, (-1, {}))
        if fence <= old_fence:
            return
        block[start_ms] = (fence, sums)
        self._unsaved.add(key)
        self._grow(partition, dims, resolution, start_ms, fence, old, sums)

    def _grow(
        self,
        partition: int,
        dims: str,
        resolution: int,
        start_ms: int,
        fence: int,
        old: dict[str, int],
        new: dict[str, int],
    ) -> None:
        """Bring a series from one state of a cell to another."""
        delta = {measure: value - old.get(measure, 0) for measure, value in new.items()}
        delta.update({measure: -value for measure, value in old.items() if measure not in new})
        series = self._series(dims)
        series.change(Change(resolution, start_ms, delta))
        if resolution == _ALL:
            series.revisions[partition] = fence
        self._changed.setdefault(dims, {})

    def _series(self, dims: str) -> Series:
        series = self.series.get(dims)
        if series is None:
            series = self.series[dims] = Series(dims)
            if self._timeline.windows:
                self._changed[dims] = dict(_EVERYTHING)
        return series

    def _advance(self, now_ms: int) -> frozenset[int]:
        """Add what changed to the windows, then move them on; returns the indexes of those that moved."""
        for dims, changed in self._changed.items():
            for window, measures in self.series[dims].settle(self._timeline).items():
                known = changed.setdefault(window, set())
                if known is not None:
                    known.update(measure.partition("#")[0] for measure in measures)
        moves = self._timeline.advance(now_ms)
        if moves:
            for series in self.series.values():
                series.move(moves)
        return self._timeline.moved_windows(moves)

    def _values(
        self, dims: str, todo: _Todo, stamp: tuple[str | None, Quality, str], *, complete: bool
    ) -> Iterable[Published]:
        series = self.series[dims]
        dimensions = parse_dims(dims)
        kpis = self._kpis.get(",".join(dimensions), ())
        total = series.total
        for index, changed in sorted(todo.items()):
            if not kpis:
                return
            covers = self._timeline.windows[index]
            current, previous = series.window_sums(index)
            for kpi in kpis[index]:
                if changed is not None and kpi.measures.isdisjoint(changed):
                    continue
                key = f"{kpi.kpi.name}|{kpi.window}|{dims}"
                if dims and key not in self._published and not kpi.exists(total):
                    continue
                computed = kpi.compute(current, previous if covers.previous else None)
                before = kpi.compute(previous, None).value if covers.previous else None
                content = (computed, before, covers.span, stamp[1])
                if complete or self._published.get(key) != content:
                    self._published[key] = content
                    value = self._value(kpi, dimensions, computed, before, index, series.revision, stamp)
                    yield Published(key, kpi.kpi.name, kpi.window, dims, value, _json.encode(value))

    def _value(
        self,
        kpi: WindowKpi,
        dimensions: dict[str, str],
        computed: Computed,
        before: float | None,
        window: int,
        revision: int,
        stamp: tuple[str | None, Quality, str],
    ) -> KpiValue:
        value = computed.value
        span = self._timeline.windows[window].span
        difference = value - before if value is not None and before is not None else None
        return KpiValue(
            kpi=kpi.kpi.name,
            window=kpi.window,
            dimensions=dimensions,
            value=value,
            unit=kpi.kpi.unit,
            currency=kpi.currency,
            numerator=computed.numerator,
            denominator=computed.denominator,
            window_start=iso(span.start_ms) if kpi.window != "all" else None,
            window_end=iso(span.end_ms),
            previous=before,
            difference=difference,
            change=difference / before if difference is not None and before else None,
            watermark=stamp[0],
            revision=revision,
            quality=stamp[1],
            emitted_at=stamp[2],
        )

    def _expire(self) -> None:
        """Drop cells that no window reaches any more, an hour at a time.

        Behind the windows as they stand, not behind the newest event: what they moved past is still to be taken off.
        """
        reached = self._timeline.end_ms
        if reached is None or reached < self._expired_ms + HOUR_MS:
            return
        self._expired_ms = reached
        for key in list(self._blocks):
            resolution = RESOLUTIONS[key[2]]
            if resolution != "all" and key[3] + BLOCK_MS[key[2]] + RETENTION_MS[resolution] <= reached:
                del self._blocks[key]
                self._unsaved.add(key)
        for index, resolution in enumerate(RESOLUTIONS[:_ALL]):
            for series in self.series.values():
                series.drop_before(index, reached - RETENTION_MS[resolution])


def _block_key(key: BlockKey) -> bytes:
    partition, dims, resolution, start_ms = key
    return f"{partition}|{resolution}|{start_ms}|{dims}".encode()


def _parse_block_key(key: bytes) -> BlockKey:
    partition, resolution, start_ms, dims = key.decode().split("|", 3)
    return int(partition), dims, int(resolution), int(start_ms)
