"""The wall clock, as everything reads it that is not told the time by event time."""

from __future__ import annotations

import time


def wall_ms() -> int:
    """Return the wall clock in UTC milliseconds."""
    return time.time_ns() // 1_000_000
