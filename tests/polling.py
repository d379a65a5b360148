"""Waiting for something to become true: asked again and again until a deadline, never a blind sleep."""

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
