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
from streams.fold.gathering import Deltas
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

Changed = dict[int, dict[str, None] | None]
"""Start of the slice -> the measures that changed; None: all of them."""

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
        finest: Measure -> index of its finest resolution, for those that have no cells of the first.
    """

    def __init__(self, calendar: Calendar, finest: Mapping[str, int]) -> None:
        self.blocks: dict[Place, Block] = {}
        self._calendar = calendar
        self._coarser_only = tuple(
            frozenset(name for name, index in finest.items() if index > resolution)
            for resolution in range(len(RESOLUTIONS))
        )
        """Per resolution the measures that have cells of coarser ones only."""
        self._changed: dict[Place, Changed] = {}
        self._changed_global: dict[Place, Changed] = {}
        self._unsaved: set[Place] = set()

    def add(self, deltas: Deltas, offset: int, newest_ms: int) -> None:
        """Fan 10 s deltas out to all resolutions.

        Args:
            deltas: What is added.
            offset: The last log offset they come from. Blocks recovered at or past it hold them already.
            newest_ms: Highest event time of the partition; blocks beyond their retention behind it get nothing.
        """
        level = deltas
        for resolution in range(len(RESOLUTIONS)):
            level = self._coarsen(level, resolution) if resolution else level
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
            of_dims = updates.setdefault(place[0], [])
            at = max(fence, block.fence)
            of_dims += (_update(place[1], start, at, block.slices[start], starts[start]) for start in sorted(starts))
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
            self._changed_of(place).pop(place, None)
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
                self._changed_of(place)[place] = dict.fromkeys(block.slices)
                self._unsaved.add(place)
        self._unsaved.update(parse_place(key) for key in repair)
        return highest

    def cells(self) -> Iterator[tuple[str, int, int, Sums]]:
        """Go through all cells: dimension key, index of the resolution, start, sums."""
        for (dims, resolution, _), block in self.blocks.items():
            for start, sums in block.slices.items():
                yield dims, resolution, start, sums

    def _coarsen(self, deltas: Deltas, resolution: int) -> Deltas:
        """Add deltas up to the slices of a coarser resolution; those that are alone there are taken as they are."""
        coarser: dict[tuple[str, int], Mapping[str, int]] = {}
        owned: dict[tuple[str, int], Sums] = {}
        for (dims, start_ms), sums in deltas.items():
            place = (dims, self._slice_start(resolution, start_ms))
            cell = coarser.get(place)
            if cell is None:
                coarser[place] = sums
                continue
            added = owned.get(place)
            if added is None:
                added = coarser[place] = owned[place] = dict(cell)
            for measure, delta in sums.items():
                added[measure] = added.get(measure, 0) + delta
        return coarser

    def _slice_start(self, resolution: int, at_ms: int) -> int:
        if resolution < _DAY:
            return at_ms - at_ms % _LENGTH_MS[resolution]
        return self._calendar.day_start(at_ms) if resolution == _DAY else 0

    def _add_level(self, level: Deltas, resolution: int, offset: int, oldest_ms: int) -> None:
        """Add deltas to the cells of one resolution; blocks that start at or before ``oldest_ms`` get nothing."""
        length_ms, coarser_only = BLOCK_MS[resolution], self._coarser_only[resolution]
        for (dims, start), sums in level.items():
            place = (dims, resolution, start - start % length_ms)
            if place[2] <= oldest_ms:
                continue
            added = sums
            if not coarser_only.isdisjoint(sums):
                added = {name: delta for name, delta in sums.items() if name not in coarser_only}
                if not added:
                    continue
            block = self.blocks.get(place)
            if block is None:
                block = self.blocks[place] = Block({})
            elif block.fence >= offset:
                continue
            cell = block.slices.get(start)
            if cell is None:
                # Also where all is taken back: what is stored must not depend on when deltas are fanned out.
                cell = block.slices[start] = {}
            _add_up(cell, added)
            self._unsaved.add(place)
            self._note_changed(place, start, added)

    def _changed_of(self, place: Place) -> dict[Place, Changed]:
        return self._changed if place[0] else self._changed_global

    def _note_changed(self, place: Place, start: int, sums: Mapping[str, int]) -> None:
        """Remember what is to be told: small cells whole, as that is cheaper than to know what changed."""
        places = self._changed_of(place)
        changed = places.get(place)
        if changed is None:
            changed = places[place] = {}
        if place[1] < _LARGE:
            changed[start] = None
        elif start not in changed:
            changed[start] = dict.fromkeys(sums)
        else:
            names = changed[start]
            if names is not None:
                names.update(dict.fromkeys(sums))


def _update(resolution: int, start_ms: int, fence: int, sums: Sums, names: dict[str, None] | None) -> CellUpdate:
    if names is None:
        return CellUpdate(resolution, start_ms, fence, sums.copy(), whole=True)
    return CellUpdate(resolution, start_ms, fence, {name: sums.get(name, 0) for name in names})


def _add_up(cell: Sums, added: Mapping[str, int]) -> None:
    """Add to a cell; what is 0 is not kept."""
    if not cell and 0 not in added.values():
        cell.update(added)
        return
    for measure, delta in added.items():
        left = cell.get(measure, 0) + delta
        if left:
            cell[measure] = left
        elif delta:
            del cell[measure]
