"""Ctrl-C and SIGTERM: the first stops in order, the second at once."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EXIT_INTERRUPTED: Final = 130
_LAST_S: Final = 1.0

R = TypeVar("R")


def run_cancellable(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine in an event loop of its own; Ctrl-C and SIGTERM cancel it.

    Without a handler SIGTERM does nothing at all to the first process of a container. And other than `asyncio.run` this
    does not wait for ever for tasks that swallow their cancellation, as some of Faust's do when the broker is away.

    Raises:
        CancelledError: There was a signal.
    """
    loop = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(loop)
        task = loop.create_task(work)
        for number in _SIGNALS:
            loop.add_signal_handler(number, task.cancel)
        return loop.run_until_complete(task)
    finally:
        try:
            loop.run_until_complete(_cancel_the_rest())
        finally:
            asyncio.set_event_loop(None)
            loop.close()


async def _cancel_the_rest() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=_LAST_S)
    closing = asyncio.ensure_future(asyncio.get_running_loop().shutdown_asyncgens())
    await asyncio.wait({closing}, timeout=_LAST_S)


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
