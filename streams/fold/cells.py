"""Cells of one log partition, kept in blocks of consecutive slices.

A block holds the slices of one dimension key and one resolution that start in one span of time. It is the unit of the
changelog: a record a cell would make recovery read several times as many records, for the same fence rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from schemas.windows import DAY_MS, HOUR_MS, MINUTE_MS, RESOLUTIONS, RETENTION_MS, SLICE_MS
from schemas.wire import CellUpdate, body_of, fence_of, pack
from streams.fold.gathering import Deltas, Levels
from streams.time import Calendar

BLOCK_MS: Final[tuple[int, ...]] = (5 * MINUTE_MS, 30 * MINUTE_MS, 8 * HOUR_MS, 32 * DAY_MS, 1 << 60)
"""Length of a block per resolution: about thirty slices."""

_DAY: Final = RESOLUTIONS.index("1d")
_LARGE: Final = RESOLUTIONS.index("15m")
"""From this resolution on a cell holds so much that it is told by what changed of it."""
_RETENTION_MS: Final = tuple(RETENTION_MS.get(name, 1 << 60) for name in RESOLUTIONS)
_REACH_MS: Final = tuple(length + kept for length, kept in zip(BLOCK_MS, _RETENTION_MS, strict=True))
_LENGTH_MS: Final = tuple(SLICE_MS.values())

Place = tuple[str, int, int]
"""Dimension key, index of the resolution, start of the block."""

Sums = dict[str, int]
Slices = dict[int, Sums]
"""Start of the slice -> measure -> integer."""

Changed = dict[int, Mapping[str, int] | None]
"""Start of the slice -> a mapping by the measures that changed; None: all of them."""

_slices_decoder: Final = msgspec.msgpack.Decoder(dict[int, dict[str, int]])


class Block:
    """Slices of one block; ``fence`` is that of the record it was recovered from, -1 for a new one."""

    __slots__ = ("fence", "slices")

    def __init__(self, slices: Slices, fence: int = -1) -> None:
        self.slices = slices
        self.fence = fence


def place_key(place: Place) -> bytes:
    """Return a block's changelog key."""
    return f"{place[1]}|{place[2]}|{place[0]}".encode()


def parse_place(key: bytes) -> Place:
    """Undo :func:`place_key`."""
    resolution, start, dims = key.decode().split("|", 2)
    return dims, int(resolution), int(start)


def _is_expired(place: Place, newest_ms: int) -> bool:
    return place[2] <= newest_ms - _REACH_MS[place[1]]


class CellStore:
    """All cells of one log partition.

    Args:
        calendar: Days of the business zone.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.blocks: dict[Place, Block] = {}
        self._calendar = calendar
        self._changed: dict[Place, Changed] = {}
        self._changed_global: dict[Place, Changed] = {}
        self._unsaved: set[Place] = set()

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

    def _updates(self, changed: Mapping[Place, Changed], fence: int) -> dict[str, list[CellUpdate]]:
        updates: dict[str, list[CellUpdate]] = {}
        for place, starts in changed.items():
            block = self.blocks.get(place)
            if block is None:
                continue
            dims, resolution, _ = place
            of_dims = updates.setdefault(dims, [])
            slices, at = block.slices, max(fence, block.fence)
            for start in sorted(starts):
                sums, names = slices[start], starts[start]
                told = sums.copy() if names is None else {name: sums.get(name, 0) for name in names}
                of_dims.append(CellUpdate(resolution, start, at, told, names is None))
        return updates

    @property
    def unsaved(self) -> bool:
        """Whether there is anything to write, after a recovery also without a new frame."""
        return bool(self._unsaved)

    def take_unsaved(self, fence: int, newest_ms: int) -> list[tuple[bytes, bytes | None]]:
        """Return the changelog records of the blocks changed since the last checkpoint; None for dropped ones.

        Blocks beyond their retention are dropped first, so that what is stored depends on the log prefix alone and not
        on when deltas were fanned out.
        """
        unsaved, self._unsaved = self._unsaved, set()
        self._drop(place for place in unsaved if _is_expired(place, newest_ms))
        records: list[tuple[bytes, bytes | None]] = []
        for place in sorted(unsaved):
            block = self.blocks.get(place)
            record = pack(max(fence, block.fence), block.slices) if block is not None else None
            records.append((place_key(place), record))
        return records

    def drop_expired(self, newest_ms: int) -> None:
        """Forget blocks that lie wholly beyond their retention."""
        self._unsaved.update(self._drop(place for place in self.blocks if _is_expired(place, newest_ms)))

    def _drop(self, places: Iterable[Place]) -> list[Place]:
        dropped = list(places)
        for place in dropped:
            self.blocks.pop(place, None)
            self._changed_of(place[0]).pop(place, None)
        return dropped

    def restore(self, records: Iterable[tuple[bytes, bytes]], marker_fence: int, repair: Iterable[bytes]) -> int:
        """Take the records of the changelog, each the one of the highest fence of its key.

        Records past the marker are changed and unsaved again: what they hold may not have been emitted. So are those in
        ``repair``, which stand below an older record in the changelog.

        Returns:
            The highest fence seen.
        """
        highest = -1
        for key, record in records:
            place, fence = parse_place(key), fence_of(record)
            block = Block(_slices_decoder.decode(body_of(record)), fence)
            self.blocks[place] = block
            highest = max(highest, fence)
            if fence > marker_fence:
                self._changed_of(place[0])[place] = dict.fromkeys(block.slices)
                self._unsaved.add(place)
        self._unsaved.update(parse_place(key) for key in repair)
        return highest

    def cells(self) -> Iterator[tuple[str, int, int, Sums]]:
        """Go through all cells: dimension key, index of the resolution, start, sums."""
        for (dims, resolution, _), block in self.blocks.items():
            for start, sums in block.slices.items():
                yield dims, resolution, start, sums

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
        length_ms, blocks, unsaved = BLOCK_MS[resolution], self.blocks, self._unsaved
        for start, cells in level.items():
            block_start = start - start % length_ms
            if block_start <= oldest_ms:
                continue
            for dims, sums in cells.items():
                place = (dims, resolution, block_start)
                block = blocks.get(place)
                if block is None:
                    block = blocks[place] = Block({})
                elif block.fence >= offset:
                    continue
                cell = block.slices.get(start)
                if cell is None:
                    # Also where all is taken back: what is stored must not depend on when deltas are fanned out.
                    block.slices[start] = {measure: delta for measure, delta in sums.items() if delta}
                else:
                    _add_up(cell, sums)
                unsaved.add(place)
                self._note_changed(place, start, sums)

    def _changed_of(self, dims: str) -> dict[Place, Changed]:
        return self._changed if dims else self._changed_global

    def _note_changed(self, place: Place, start: int, sums: Mapping[str, int]) -> None:
        """Remember what is to be told: small cells whole, as that is cheaper than to know what changed."""
        places = self._changed_of(place[0])
        changed = places.get(place)
        if changed is None:
            changed = places[place] = {}
        if place[1] < _LARGE:
            changed[start] = None
        elif start not in changed:
            changed[start] = sums
        else:
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
