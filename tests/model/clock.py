"""Time that passes only while everybody waits: an event loop whose sleeps take none, and the clock that they move."""

from __future__ import annotations

import asyncio
import math
import selectors
from typing import Any

_NS = 1_000_000_000


class Clock:
    """Stands in for the module ``time`` where the product asks for it.

    Args:
        start_ms: Wall clock at the beginning, UTC milliseconds.
    """

    def __init__(self, start_ms: int) -> None:
        self._start_ns = start_ms * 1_000_000
        self._passed_ns = 0

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._passed_ns += math.ceil(seconds * _NS)

    def monotonic(self) -> float:
        """Seconds since the beginning."""
        return self._passed_ns / _NS

    def time_ns(self) -> int:
        """The wall clock."""
        return self._start_ns + self._passed_ns

    def wall_ms(self) -> int:
        """The wall clock in UTC milliseconds."""
        return self.time_ns() // 1_000_000


class _Impatient(selectors.DefaultSelector):
    """Waits for nothing: what was to be waited for has passed."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        if timeout:
            self._clock.advance(timeout)
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that runs on a clock of its own."""

    def __init__(self, clock: Clock) -> None:
        self._own_clock = clock
        super().__init__(_Impatient(clock))

    def time(self) -> float:
        """What the clock says."""
        return self._own_clock.monotonic()

    def settle(self, seconds: float = 0.03) -> None:
        """Let everybody do what can be done; who sleeps for longer sleeps on."""
        self.call_later(seconds, self.stop)
        self.run_forever()

    def shut(self) -> None:
        """Drop whatever still waits."""
        waiting = asyncio.all_tasks(self)
        for task in waiting:
            task.cancel()
        if waiting:
            self.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        self.close()
