"""Ctrl-C and SIGTERM: the first stops in order, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EXIT_INTERRUPTED: Final = 130


@contextmanager
def stop_signal() -> Iterator[asyncio.Event]:
    """An event that is set by the first Ctrl-C or SIGTERM; a second one ends the process on the spot.

    Servers that this process started end with it in any case (`agents.brokers`).
    """
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()

    def stop() -> None:
        if stopped.is_set():
            os._exit(_EXIT_INTERRUPTED)
        stopped.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield stopped
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


async def first_of(stopped: asyncio.Event, *works: Coroutine[Any, Any, None]) -> bool:
    """Wait for a signal, or for the end of any of these; what goes on after that is cancelled.

    Returns:
        False when it was a signal.

    Raises:
        Exception: What the first to end raised.
    """
    signalled = asyncio.ensure_future(stopped.wait())
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait([signalled, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {signalled}:
            task.result()
        return signalled not in done
    finally:
        for task in (signalled, *tasks):
            task.cancel()
        await asyncio.gather(signalled, *tasks, return_exceptions=True)
