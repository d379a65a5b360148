"""Patience with a broker that is away for a moment: restarted, or behind a network that is cut."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from schemas.errors import UnavailableError

_LOG: Final = logging.getLogger(__name__)
_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 1.0

Result = TypeVar("Result")


async def patiently(read: Callable[[], Awaitable[Result]]) -> Result:
    """Read again until it succeeds, for a minute: each attempt gives up on a connection within seconds.

    Args:
        read: Reads something anew each time it is called.

    Raises:
        UnavailableError: Kafka stays away.
    """
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return await read()
        except UnavailableError as error:
            if time.monotonic() >= until_s:
                raise
            _LOG.warning("waiting for Kafka: %s", error)
            await asyncio.sleep(_PAUSE_S)
