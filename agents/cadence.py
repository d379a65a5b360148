"""Cadences: at once when things are quiet, never sooner than an interval after the last time when busy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable


async def on_change(
    changed: asyncio.Event, act: Callable[[], Awaitable[None]], interval_s: float, idle_s: float, share: float
) -> None:
    """Act whenever something changed, and at least every ``idle_s``.

    Args:
        changed: Set by whoever changes something; cleared here.
        act: What to do.
        interval_s: Least time between the starts of two acts.
        idle_s: Longest time without one.
        share: Greatest share of a core it may take while more comes in; the more it takes, the rarer it is, down to
            once in ``2 * idle_s``. Waiting for a server is not counted.
    """
    while True:
        try:
            async with asyncio.timeout(idle_s):
                await changed.wait()
        except TimeoutError:
            pass
        changed.clear()
        started, started_cpu = time.monotonic(), time.thread_time()
        await act()
        took, took_cpu = time.monotonic() - started, time.thread_time() - started_cpu
        await asyncio.sleep(max(interval_s - took, min(took_cpu / share - took, 2 * idle_s)))


async def every(interval_s: float, act: Callable[[], Awaitable[None]]) -> None:
    """Act at an interval, measured from the end of one to the start of the next."""
    while True:
        await asyncio.sleep(interval_s)
        await act()
