"""What is still to come, in order: a heap for the current hour, and a list for each hour after it.

One heap of all open scripts would be slow where tens of thousands are open: each step through it is memory far
apart. Most moments lie days ahead, and a list takes them without looking at the others.
"""

import heapq
from typing import TypeAlias

from streams.simulator.world import HOUR_MS, Account, Event, Script

Due: TypeAlias = tuple[float, int, Script, Account, str, Event]


class Diary:
    """The next moment of every running script, `(due_ms, number, script, account, topic, event)`.

    The number is unique and breaks ties of time.
    """

    __slots__ = ("_hours", "_later", "_limit_ms", "_near")

    def __init__(self) -> None:
        """An empty diary."""
        self._near: list[Due] = []
        self._limit_ms = 0.0
        self._later: dict[int, list[Due]] = {}
        self._hours: list[int] = []

    def add(self, due: Due) -> None:
        """Put a moment where it belongs, not before one already taken."""
        if due[0] < self._limit_ms:
            heapq.heappush(self._near, due)
            return
        hour = int(due[0] // HOUR_MS)
        later = self._later.get(hour)
        if later is None:
            self._later[hour] = [due]
            heapq.heappush(self._hours, hour)
        else:
            later.append(due)

    def take(self) -> Due | None:
        """The earliest moment, taken out; None where nothing is to come."""
        if not self._near:
            if not self._hours:
                return None
            hour = heapq.heappop(self._hours)
            self._near = self._later.pop(hour)
            heapq.heapify(self._near)
            self._limit_ms = (hour + 1) * HOUR_MS
        return heapq.heappop(self._near)
