"""Rows of several source partitions in about the order of event time, while intake catches up.

An account's events come from several topics. Read one topic after the other, a call would be folded before the lead it
belongs to, and know nothing of it. So, as Kafka Streams does, no row is given out while a partition that lags behind
its end may still have an older one. Rows of one partition keep their order: an event that is out of order there comes
right after the one before it.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from schemas.rows import Row

_AT = operator.attrgetter("at_ms")


class Merger:
    """Buffers of rows, one for each slot; a row's ``section`` says which slot it is from."""

    def __init__(self) -> None:
        self._rows: dict[int, list[Row]] = {}
        # Highest event time up to each row of its slot: never falls, so rows of a slot cannot overtake each other.
        self._keys: dict[int, list[int]] = {}

    def add(self, slot: int, rows: Sequence[Row]) -> None:
        """Append rows of a source partition, in the order of their offsets."""
        if rows:
            kept = self._keys.setdefault(slot, [])
            highest = kept[-1] if kept else rows[0].at_ms
            kept.extend(accumulate(map(_AT, rows), max, initial=highest))
            del kept[len(kept) - len(rows) - 1]  # the initial value itself
            self._rows.setdefault(slot, []).extend(rows)

    def size(self, slot: int) -> int:
        """Return how many rows of a slot wait."""
        return len(self._rows.get(slot, ()))

    def first_offset(self, slot: int) -> int | None:
        """Return the offset of the first row of a slot that waits; None when none does."""
        rows = self._rows.get(slot)
        return rows[0].offset if rows else None

    def take(self, lagging: Iterable[int]) -> list[Row]:
        """Give out the rows that nothing older can come before, in order.

        Args:
            lagging: Slots that have more to read than what is here; only they hold others back.
        """
        frontier = self._frontier(lagging)
        rows: list[Row] = []
        keys: list[int] = []
        slots = 0
        for slot in sorted(self._rows):
            waiting, waiting_keys = self._rows[slot], self._keys[slot]
            count = len(waiting) if frontier is None else bisect_right(waiting_keys, frontier)
            if count:
                slots += 1
                rows += waiting[:count]
                keys += waiting_keys[:count]
                del waiting[:count], waiting_keys[:count]
        if slots < 2:
            return rows
        order = sorted(range(len(rows)), key=keys.__getitem__)
        return [rows[index] for index in order]

    def clear(self) -> None:
        """Forget everything; it will be read again."""
        self._rows.clear()
        self._keys.clear()

    def _frontier(self, lagging: Iterable[int]) -> int | None:
        """Event time up to which rows may go; None: all of them, since nobody lags."""
        last = [self._keys[slot][-1] if self.size(slot) else -1 for slot in lagging]
        return min(last) if last else None
