"""What intake sends: a bounded number of messages at a time, none of whose failures goes unseen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

from agents.kafka import AIOKafkaProducer, KafkaError
from schemas.errors import UnavailableError
from schemas.frames import encode_frame
from schemas.rows import Frame
from streams.intake.deadletters import DeadLetter, to_headers
from streams.intake.router import split

_MAX_IN_FLIGHT: Final = 256
_MAX_FRAME_BYTES: Final = 8 * 1024 * 1024


class Outbox:
    """Sends through one producer and remembers what is not acknowledged yet.

    Once a message fails, everything fails: what comes after it must not be committed.
    """

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._in_flight: set[asyncio.Future[Any]] = set()
        self._failure: BaseException | None = None

    async def send(
        self,
        topic: str,
        value: bytes | None,
        *,
        partition: int | None = None,
        key: bytes | None = None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> None:
        """Hand a message over; waits while too many are on their way.

        Raises:
            UnavailableError: This message or an earlier one could not be sent.
        """
        while len(self._in_flight) >= _MAX_IN_FLIGHT:
            await asyncio.wait(self._in_flight, return_when=asyncio.FIRST_COMPLETED)
        self.check()
        try:
            sent = await self._producer.send(topic, value, key=key, partition=partition, headers=list(headers))
        except KafkaError as error:
            self._failure = error
            self.check()
            raise
        self._in_flight.add(sent)
        sent.add_done_callback(self._done)

    async def send_frames(self, topic: str, frames: Iterable[tuple[int, Frame]]) -> None:
        """Send frames to their log partitions, in order; those too large for a message in parts.

        Raises:
            UnavailableError: As :meth:`send`.
        """
        for log, frame in frames:
            payload = encode_frame(frame)
            if len(payload) > _MAX_FRAME_BYTES and len(frame.rows) > 1:
                await self.send_frames(topic, [(log, part) for part in split(frame)])
            else:
                await self.send(topic, payload, partition=log)

    async def send_dead_letters(self, topic: str, letters: Iterable[DeadLetter]) -> None:
        """Send dead letters with the key and the value they came with.

        Raises:
            UnavailableError: As :meth:`send`.
        """
        for letter in letters:
            # Kafka's client takes no message without both; the reason tells a tombstone from an empty value.
            value = b"" if letter.value is None and letter.key is None else letter.value
            await self.send(topic, value, key=letter.key, headers=to_headers(letter))

    async def flush(self) -> None:
        """Wait until all messages are acknowledged.

        Raises:
            UnavailableError: One could not be sent.
        """
        while self._in_flight:
            await asyncio.wait(self._in_flight)
        self.check()

    def check(self) -> None:
        """Raise ``UnavailableError`` if a message could not be sent."""
        if self._failure is not None:
            raise UnavailableError(
                f"Kafka did not take a frame or dead letter ({self._failure}); intake stops, and what it had not"
                " committed comes again"
            )

    def _done(self, sent: asyncio.Future[Any]) -> None:
        self._in_flight.discard(sent)
        if sent.cancelled():
            self._failure = self._failure or asyncio.CancelledError("the producer was closed")
        elif sent.exception() is not None:
            self._failure = self._failure or sent.exception()
