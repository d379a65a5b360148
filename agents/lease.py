"""Whether a worker may take itself for the owner of its series: not when it has just stood still for long.

A process that was frozen, or a machine that was asleep, finds its partitions as it left them, though the group gave
them to somebody else meanwhile; it hears of that only at its next heartbeat. Redis and the changelogs refuse what is
older than what they have. The KPI topics cannot, and what stands there last is what a reader takes for the value.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux the monotonic clock stands still while the machine sleeps."""


def _now_s() -> float:
    return time.clock_gettime(_CLOCK)


class Lease:
    """Measures how long this process stood still.

    Args:
        session_s: After so long without a heartbeat the group gives partitions away. Heartbeats come much
            more often, so that after half of it some may have been missed that mattered.
        clock: Seconds that go on while the process is frozen or the machine sleeps.
    """

    def __init__(self, session_s: float, clock: Callable[[], float] = _now_s) -> None:
        self._session_s = session_s
        self._clock = clock
        self._beat_s = clock()
        self._held_until_s = self._beat_s

    async def beat(self) -> None:
        """Note that the process runs; to be called several times a second."""
        self._note()

    @property
    def holds(self) -> bool:
        """Whether values may be told: within a session after a standstill the group says who owns what."""
        return self._note() >= self._held_until_s

    def _note(self) -> float:
        now_s = self._clock()
        if now_s - self._beat_s >= self._session_s / 2:
            self._held_until_s = now_s + self._session_s
        self._beat_s = now_s
        return now_s
