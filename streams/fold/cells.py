"""Cells of one log partition, kept in blocks of consecutive slices.

A block holds the slices of one dimension key and one resolution that start in one span of time. It is the unit of the
changelog: a record a cell would make recovery read several times as many records, for the same fence rule.

Blocks that changed since the last checkpoint but one are open; of all others only the record is kept, in less than half
of the memory. It is decoded where one of its cells changes after all.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS, RESOLUTIONS, RETENTION_MS, SLICE_MS
from schemas.wire import CellUpdate, body_of, fence_of, pack
from streams.fold.gathering import Deltas, Levels, Sums
from streams.time import Calendar

BLOCK_MS: Final[tuple[int, ...]] = (5 * MINUTE_MS, 30 * MINUTE_MS, 8 * HOUR_MS, 32 * DAY_MS, 1 << 60)
"""Length of a block per resolution: about thirty slices."""

_DAY: Final = RESOLUTIONS.index("1d")
_RETENTION_MS: Final = tuple(RETENTION_MS.get(name, 1 << 60) for name in RESOLUTIONS)
_REACH_MS: Final = tuple(length + kept for length, kept in zip(BLOCK_MS, _RETENTION_MS, strict=True))
_LENGTH_MS: Final = tuple(SLICE_MS.values())

Place = tuple[str, int, int]
"""Dimension key, index of the resolution, start of the block."""

Span = tuple[int, int]
"""Index of the resolution, start of the block: of many places at once, so a cell is found by its dimension key."""

Slices = dict[int, Sums]
"""Start of the slice -> measure -> integer."""

Changed = dict[int, Mapping[str, int] | None]
"""Start of the slice -> a mapping by the measures that changed; None: all of them."""

_slices_decoder: Final = msgspec.msgpack.Decoder(dict[int, dict[str, int]])


class Block:
    """Slices of one open block; ``fence`` is that of the record it was opened from, -1 for a new one."""

    __slots__ = ("fence", "slices")

    def __init__(self, slices: Slices, fence: int = -1) -> None:
        self.slices = slices
        self.fence = fence

    @staticmethod
    def of(record: bytes | None) -> Block:
        """Open a block from its record; a new one where there is none."""
        return Block({}) if record is None else Block(_slices_decoder.decode(body_of(record)), fence_of(record))


def place_key(place: Place) -> bytes:
    """Return a block's changelog key."""
    return f"{place[1]}|{place[2]}|{place[0]}".encode()


def parse_place(key: bytes) -> Place:
    """Undo :func:`place_key`."""
    resolution, start, dims = key.decode().split("|", 2)
    return sys.intern(dims), int(resolution), int(start)


class CellStore:
    """All cells of one log partition.

    Args:
        calendar: Days of the business zone.
    """

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar
        self._open: dict[Span, dict[str, Block]] = {}
        self._records: dict[Span, dict[str, bytes]] = {}
        self._changed: dict[Span, dict[str, Changed]] = {}
        self._changed_global: dict[Span, dict[str, Changed]] = {}
        self._unsaved: dict[Span, set[str]] = {}

    def add(self, levels: Levels, offset: int, newest_ms: int) -> None:
        """Fan 10 s deltas out to all resolutions.

        Args:
            levels: What is added.
            offset: The last log offset they come from. Blocks recovered at or past it hold them already.
            newest_ms: Highest event time of the partition; blocks beyond their retention behind it get nothing.
        """
        level = levels[0]
        for resolution in range(len(RESOLUTIONS)):
            if resolution:
                level = self._coarsen([level, *levels[resolution : resolution + 1]], resolution)
            self._add_level(level, resolution, offset, newest_ms - _REACH_MS[resolution])

    def take_changed(self, fence: int) -> dict[str, list[CellUpdate]]:
        """Return what changed of the cells since the last time, by dimension key."""
        updates = self.take_changed_global(fence)
        changed, self._changed = self._changed, {}
        return updates | self._updates(changed, fence)

    def take_changed_global(self, fence: int) -> dict[str, list[CellUpdate]]:
        """Return what changed of the cells without a dimension since the last time."""
        changed, self._changed_global = self._changed_global, {}
        return self._updates(changed, fence)

    def _updates(self, changed: Mapping[Span, Mapping[str, Changed]], fence: int) -> dict[str, list[CellUpdate]]:
        updates: dict[str, list[CellUpdate]] = {}
        for span, by_dims in changed.items():
            blocks, resolution = self._open.get(span, {}), span[0]
            for dims, starts in by_dims.items():
                block = blocks.get(dims) or Block.of(self._records[span][dims])
                slices, at = block.slices, max(fence, block.fence)
                of_dims = updates.setdefault(dims, [])
                for start in sorted(starts):
                    sums, names = slices[start], starts[start]
                    told = sums.copy() if names is None else {name: sums.get(name, 0) for name in names}
                    of_dims.append(CellUpdate(resolution, start, at, told, names is None))
        return updates

    @property
    def has_cells(self) -> bool:
        """Whether there is any."""
        return bool(self._open or self._records)

    @property
    def unsaved(self) -> bool:
        """Whether there is anything to write, after a recovery also without a new frame."""
        return any(self._unsaved.values())

    def take_unsaved(self, fence: int, newest_ms: int) -> list[tuple[bytes, bytes | None]]:
        """Return the changelog records of the blocks changed since the last checkpoint; None for dropped ones.

        Blocks beyond their retention are dropped first, so that what is stored depends on the log prefix alone and not
        on when deltas were fanned out.
        """
        self._drop(self._unsaved, newest_ms)
        unsaved, self._unsaved = self._unsaved, {}
        opened, self._open = self._open, {}
        written: list[tuple[bytes, bytes | None]] = []
        for span in sorted(unsaved):
            blocks, records = opened.get(span, {}), self._records.get(span, {})
            for dims in sorted(unsaved[span]):
                block, before = blocks.get(dims), records.get(dims)
                record = None
                if block is not None:
                    record = records[dims] = pack(max(fence, block.fence), block.slices)
                elif before is not None:
                    record = records[dims] = pack(fence, msgspec.Raw(body_of(before)))
                written.append((place_key((dims, *span)), record))
            if records:
                self._records[span] = records
            still_open = {dims: block for dims, block in blocks.items() if dims in unsaved[span]}
            if still_open:
                self._open[span] = still_open
        return written

    def drop_expired(self, newest_ms: int) -> None:
        """Forget blocks that lie wholly beyond their retention."""
        self._drop(self._spans(), newest_ms)

    def _spans(self) -> Iterable[Span]:
        return {**self._records, **self._open}

    def _drop(self, spans: Iterable[Span], newest_ms: int) -> None:
        for span in [span for span in spans if span[1] <= newest_ms - _REACH_MS[span[0]]]:
            self._unsaved.setdefault(span, set()).update(self._open.pop(span, ()), self._records.pop(span, ()))
            self._changed.pop(span, None)
            self._changed_global.pop(span, None)

    def restore(self, records: Iterable[tuple[bytes, bytes]], marker_fence: int, repair: Iterable[bytes]) -> int:
        """Take the records of the changelog, each the one of the highest fence of its key.

        Records past the marker are changed and unsaved again: what they hold may not have been emitted. So are those in
        ``repair``, which stand below an older record in the changelog.

        Returns:
            The highest fence seen.
        """
        highest = -1
        for key, record in records:
            (dims, resolution, start), fence = parse_place(key), fence_of(record)
            span = (resolution, start)
            self._records.setdefault(span, {})[dims] = record
            highest = max(highest, fence)
            if fence > marker_fence:
                block = self._open.setdefault(span, {})[dims] = Block.of(record)
                changed = self._changed if dims else self._changed_global
                changed.setdefault(span, {})[dims] = dict.fromkeys(block.slices)
                self._unsaved.setdefault(span, set()).add(dims)
        for dims, resolution, start in map(parse_place, repair):
            self._unsaved.setdefault((resolution, start), set()).add(dims)
        return highest

    def cells(self) -> Iterator[tuple[str, int, int, Sums]]:
        """Go through all cells: dimension key, index of the resolution, start, sums."""
        for span in self._spans():
            opened, records = self._open.get(span, {}), self._records.get(span, {})
            for dims in {**records, **opened}:
                block = opened.get(dims) or Block.of(records[dims])
                for start, sums in block.slices.items():
                    yield dims, span[0], start, sums

    def _coarsen(self, finer: Iterable[Deltas], resolution: int) -> Deltas:
        """Add deltas up to the slices of a coarser resolution; those that are alone there are taken as they are."""
        coarser: dict[int, dict[str, Mapping[str, int]]] = {}
        owned: dict[int, dict[str, Sums]] = {}
        for deltas in finer:
            for finer_start, cells in deltas.items():
                start = self._slice_start(resolution, finer_start)
                found = coarser.get(start)
                if found is None:
                    coarser[start] = dict(cells)
                    continue
                mine = owned.setdefault(start, {})
                for dims, sums in cells.items():
                    added = mine.get(dims)
                    if added is None:
                        if dims not in found:
                            found[dims] = sums
                            continue
                        added = found[dims] = mine[dims] = dict(found[dims])
                    for measure, delta in sums.items():
                        added[measure] = added.get(measure, 0) + delta
        return coarser

    def _slice_start(self, resolution: int, at_ms: int) -> int:
        if resolution < _DAY:
            return at_ms - at_ms % _LENGTH_MS[resolution]
        return self._calendar.day_start(at_ms) if resolution == _DAY else 0

    def _add_level(self, level: Deltas, resolution: int, offset: int, oldest_ms: int) -> None:
        """Add deltas to the cells of one resolution; blocks that start at or before ``oldest_ms`` get nothing."""
        length_ms = BLOCK_MS[resolution]
        for start, cells in level.items():
            span = (resolution, start - start % length_ms)
            if span[1] <= oldest_ms:
                continue
            blocks, records = self._open.setdefault(span, {}), self._records.get(span, {})
            unsaved = self._unsaved.setdefault(span, set())
            changed = self._changed.setdefault(span, {})
            for dims, sums in cells.items():
                block = blocks.get(dims)
                if block is None:
                    block = blocks[dims] = Block.of(records.get(dims))
                if block.fence >= offset:
                    continue
                cell = block.slices.get(start)
                if cell is None:
                    # Also where all is taken back: what is stored must not depend on when deltas are fanned out.
                    block.slices[start] = {measure: delta for measure, delta in sums.items() if delta}
                else:
                    _add_up(cell, sums)
                unsaved.add(dims)
                in_block = (changed if dims else self._changed_global.setdefault(span, {})).setdefault(dims, {})
                _note(in_block, start, sums)


def _note(changed: Changed, start: int, sums: Mapping[str, int]) -> None:
    """Remember which measures of a cell changed: what it is told by, as most of what it holds did not."""
    if start not in changed:
        changed[start] = sums
        return
    before = changed[start]
    if before is not None:
        changed[start] = {**before, **sums}


def _add_up(cell: Sums, added: Mapping[str, int]) -> None:
    """Add to a cell; what is 0 is not kept."""
    for measure, delta in added.items():
        left = cell.get(measure, 0) + delta
        if left:
            cell[measure] = left
        elif delta:
            del cell[measure]
