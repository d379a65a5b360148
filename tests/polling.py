"""Waiting for something to become true, asked again and again until a deadline, and for tasks to end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], Awaitable[bool]], deadline_s: float = 10.0, every_s: float = 0.02) -> None:
    """Return when the condition holds.

    Raises:
        AssertionError: It did not within the deadline.
    """
    loop = asyncio.get_running_loop()
    end_s = loop.time() + deadline_s
    while not await condition():
        assert loop.time() < end_s, f"{getattr(condition, '__name__', condition)}: not within {deadline_s:g} s"
        await asyncio.sleep(every_s)


async def end(*tasks: asyncio.Task[None]) -> None:
    """Cancel tasks until they have ended; raises what one of them failed with before.

    Before Python 3.12 `asyncio.wait_for`, which libraries use, may swallow a cancellation.
    """
    failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception() is not None]
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=1.0)
    for task in failed:
        task.result()
