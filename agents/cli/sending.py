"""Sending many messages in order, at a rate, knowing at any time up to where all of them are acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from agents.kafka import AIOKafkaProducer, KafkaError
from schemas.errors import UnavailableError

_MOST_UNDERWAY: Final = 5_000
_STALLED_AFTER_S: Final = 30.0


class Sender:
    """Hands messages to a producer and counts acknowledgements in the order of sending.

    Args:
        producer: A connected producer.
        where: The broker's address, for errors.
        rate: Messages a second; None: as fast as it goes.
    """

    def __init__(self, producer: AIOKafkaProducer, where: str, rate: float | None = None) -> None:
        self._producer = producer
        self._where = where
        self._rate = rate
        self._underway: deque[asyncio.Future[Any]] = deque()
        self._started = asyncio.get_running_loop().time()
        self._sent = 0
        self.acknowledged = 0

    async def send(
        self, topic: str, value: bytes | None, key: bytes | None, headers: Sequence[tuple[str, bytes]] = ()
    ) -> None:
        """Send one message; waits where the rate asks for it, or while too much is not acknowledged yet.

        Raises:
            UnavailableError: The broker refused a message or stopped answering.
        """
        await self._keep_to_rate()
        try:
            async with asyncio.timeout(_STALLED_AFTER_S):
                future = await self._producer.send(topic, value, key=key, headers=list(headers) or None)
        except (KafkaError, TimeoutError) as error:
            raise self._failed(error, topic) from None
        self._underway.append(future)
        self._sent += 1
        if len(self._underway) >= _MOST_UNDERWAY:
            await self._settle(self._underway[len(self._underway) // 2])
        self._count(topic)

    async def finish(self) -> None:
        """Wait until everything is acknowledged.

        Raises:
            UnavailableError: The broker refused a message or stopped answering.
        """
        while self._underway:
            await self._settle(self._underway[-1])
            self._count("")

    async def _keep_to_rate(self) -> None:
        if self._rate is None:
            return
        due = self._started + self._sent / self._rate
        early_s = due - asyncio.get_running_loop().time()
        if early_s > 0.005:
            await asyncio.sleep(early_s)

    async def _settle(self, future: asyncio.Future[Any]) -> None:
        done, _ = await asyncio.wait((future,), timeout=_STALLED_AFTER_S)
        if not done:
            raise UnavailableError(f"Kafka at {self._where} acknowledged nothing for {_STALLED_AFTER_S:.0f} s")

    def _count(self, topic: str) -> None:
        while self._underway and self._underway[0].done():
            future = self._underway.popleft()
            error = future.exception()
            if error is not None:
                raise self._failed(error, topic)
            self.acknowledged += 1

    def _failed(self, error: BaseException, topic: str) -> UnavailableError:
        reason = str(error) or type(error).__name__
        return UnavailableError(
            f"Kafka at {self._where} did not take a message to {topic or 'a topic'}: {reason}. "
            "Are the topics made (`salespulse topics check`) and the broker up (`salespulse check`)?"
        )
