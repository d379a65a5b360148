"""The end of tasks that nobody waits for in order."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final

_AGAIN_S: Final = 3.0


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task and wait until it has ended, also when who waits is cancelled; what it fails with is not raised.

    Once may not be enough: before Python 3.12 ``asyncio.wait_for``, through which redis-py sends, loses a cancellation
    that comes in the moment in which it is done, and the task goes on. So it is cancelled a second time.
    """
    task.cancel()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_AGAIN_S):
            await asyncio.gather(task, return_exceptions=True)  # to cancel this cancels the task, and waits for it
