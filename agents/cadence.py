"""Cadences: at once when things are quiet, never sooner than an interval after the last time when busy."""

from __future__ import annotations

import asyncio
import time
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from functools import partial
from typing import Any, Final

_RARER: Final = 4  # so emissions are at most 8 s apart: sooner than values are called stale
"""How much rarer acts get while there is much to catch up with: what they would show is old anyway."""
_WEIGHT: Final = 0.2
"""Of the last act, in what acts take on average: one dear act among many cheap ones must not hold up the next."""
_LOOK_S: Final = 0.1
_SETTLE_S: Final = 0.5
"""How long after the end of catching up an act comes: what came last is part of it, and does not wait for the next."""

TURN_S: Final = 0.005
"""How long an agent may go on before others have their turn: what waits for Kafka takes dozens of turns."""

_REST: Final = 2

Behind = Callable[[], bool]
"""Tells whether there is much to catch up with."""


def _never() -> bool:
    return False


async def on_change(
    changed: asyncio.Event,
    act: Callable[[], Coroutine[Any, Any, None]],
    interval_s: float,
    idle_s: float,
    share: float,
    behind: Behind = _never,
) -> None:
    """Act whenever something changed, and at least every ``idle_s``.

    Args:
        changed: Set by whoever changes something; cleared here.
        act: What to do.
        interval_s: Least time between the starts of two acts.
        idle_s: Longest time without one.
        share: Greatest share of a core it may take on average while more comes in; the more it takes, the rarer it is,
            down to once in ``2 * idle_s``. What others do while it waits is not counted.
        behind: While it says so, a fourth of the share has to do, and acts may be four times as rare.
    """
    usual: float | None = None
    while True:
        try:
            async with asyncio.timeout(idle_s):
                await changed.wait()
        except TimeoutError:
            pass
        changed.clear()
        started = time.monotonic()
        took_cpu = await metered(act())
        took = time.monotonic() - started
        usual = took_cpu if usual is None else usual + _WEIGHT * (took_cpu - usual)
        await asyncio.sleep(max(interval_s - took, min(usual / share - took, 2 * idle_s)))
        await _while(behind, started + _RARER * min(usual / share, 2 * idle_s))


@types.coroutine
def metered(work: Coroutine[Any, Any, None]) -> Generator[Any, Any, float]:
    """Run a coroutine to its end in its caller's task.

    Returns:
        CPU seconds that it took itself, without what other tasks did while it waited.
    """
    spent = 0.0
    send: Callable[[], Any] = partial(work.send, None)
    while True:
        began = time.thread_time()
        try:
            awaited = send()
        except StopIteration:
            return spent + time.thread_time() - began
        spent += time.thread_time() - began
        try:
            answer = yield awaited
        except BaseException as error:  # noqa: BLE001  whatever is thrown in is for the work to deal with
            send = partial(work.throw, error)
        else:
            send = partial(work.send, answer)


async def every(interval_s: float, act: Callable[[], Awaitable[None]], behind: Behind = _never) -> None:
    """Act at an interval, measured from the end of one to the start of the next; four times as long while behind."""
    while True:
        await asyncio.sleep(interval_s)
        if behind():
            await _while(behind, time.monotonic() + (_RARER - 1) * interval_s)
            await asyncio.sleep(_SETTLE_S)
        await act()


async def let_others() -> None:
    """Let everything else that waits have its turn, in the middle of what would hold it up in one go."""
    await asyncio.sleep(0)


async def rest(held_s: float) -> None:
    """Let others go on for twice as long as an act has held them up: what waits for Kafka takes dozens of turns."""
    await asyncio.sleep(_REST * held_s)


async def _while(behind: Behind, until_s: float) -> None:
    """Wait until a moment, but no longer than there is much to catch up with."""
    while behind() and time.monotonic() < until_s:  # noqa: ASYNC110  nobody sets an event: it is said by what comes in
        await asyncio.sleep(_LOOK_S)
